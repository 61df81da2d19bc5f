//! Pages of a long list, counted from 1.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::domain::answer::Refusal;

/// Most entries on a page.
pub const LIMIT_MAX: u32 = 200;
/// As far into a list as pages go.
pub const ENTRIES_MAX: u64 = 10_000;

/// One of the pages of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pages {
    /// Which.
    #[serde(default = "first")]
    pub page: u32,
    /// How many entries each has.
    #[serde(default = "ten")]
    pub limit: u32,
}

impl Default for Pages {
    fn default() -> Self {
        Self { page: first(), limit: ten() }
    }
}

fn first() -> u32 {
    1
}

fn ten() -> u32 {
    10
}

impl Pages {
    /// The page that is asked for, where what is not said is as it is by default.
    #[must_use]
    pub fn or_first(page: Option<u32>, limit: Option<u32>) -> Self {
        let first = Self::default();
        Self { page: page.unwrap_or(first.page), limit: limit.unwrap_or(first.limit) }
    }

    /// The places of its entries, from 0.
    ///
    /// # Errors
    /// `invalid`.
    pub fn range(self) -> Result<Range<usize>, Refusal> {
        if !(1..=LIMIT_MAX).contains(&self.limit) {
            let message = format!("limit must be 1 to {LIMIT_MAX}, not {}", self.limit);
            return Err(Refusal::invalid(message).at("limit"));
        }
        let end = u64::from(self.page) * u64::from(self.limit);
        if self.page == 0 || end > ENTRIES_MAX {
            let last = ENTRIES_MAX / u64::from(self.limit);
            let message = format!("page must be 1 to {last}, not {}", self.page);
            return Err(Refusal::invalid(message).at("page"));
        }
        let end = usize::try_from(end).unwrap_or(usize::MAX);
        Ok(end - self.limit as usize..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_a_part_of_the_list() {
        for (page, limit, expected) in [
            (1, 10, Ok(0..10)),
            (3, 7, Ok(14..21)),
            (50, 200, Ok(9_800..10_000)),
            (51, 200, Err("page")),
            (0, 10, Err("page")),
            (1, 0, Err("limit")),
            (1, 201, Err("limit")),
            (u32::MAX, 200, Err("page")),
        ] {
            let range = Pages { page, limit }.range();
            let range = range.map_err(|refusal| refusal.field.unwrap());
            assert_eq!(range, expected.map_err(str::to_owned), "{page} {limit}");
        }
    }
}
