//! The list of all sales, as they last told about themselves.

use serde::{Deserialize, Serialize};

use crate::domain::answer::Refusal;
use crate::domain::events::PlanFacts;
use crate::domain::newest::{Newest, Told};
use crate::domain::pages::Pages;
use crate::domain::time::Time;

/// The sales by their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sales {
    told: Newest<PlanFacts>,
}

/// Some of the sales.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// Them, those that begin last first.
    pub sales: Vec<PlanFacts>,
    /// How many there are on all pages.
    pub total: u64,
    /// When this was so.
    pub at: Time,
}

impl Told for PlanFacts {
    fn id(&self) -> &str {
        &self.activity_id
    }

    fn version(&self) -> u64 {
        self.version
    }
}

impl Sales {
    /// A list of what was told before.
    #[must_use]
    pub fn new(told: impl IntoIterator<Item = PlanFacts>) -> Self {
        Self { told: told.into_iter().collect() }
    }

    /// Takes note of what a sale tells; whether that is news.
    pub fn put(&mut self, told: &PlanFacts) -> bool {
        self.told.put(told)
    }

    /// Some of the sales.
    ///
    /// # Errors
    /// `invalid`.
    pub fn list(&self, pages: Pages, now: Time) -> Result<Planned, Refusal> {
        let range = pages.range()?;
        let mut sales: Vec<&PlanFacts> = self.told.all().filter(|sale| !sale.deleted).collect();
        sales.sort_by_key(|sale| (std::cmp::Reverse(sale.start_at), &sale.activity_id));
        let total = sales.len() as u64;
        let sales = sales.into_iter().skip(range.start).take(range.len()).cloned().collect();
        Ok(Planned { sales, total, at: now })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sales_are_listed_page_by_page_the_last_first_and_those_given_up_are_not() {
        let sale = |id: &str, start, version| PlanFacts {
            activity_id: id.into(),
            start_at: Time::from_millis(start),
            version,
            ..PlanFacts::default()
        };
        let mut sales = Sales::new([sale("a", 1, 2), sale("b", 3, 1)]);
        let gone = PlanFacts { deleted: true, ..sale("a", 1, 3) };
        for (told, is_news) in [
            (sale("c", 2, 1), true),
            (sale("d", 3, 1), true),
            (gone, true),
            (sale("a", 1, 2), false),
            (sale("c", 5, 1), false),
        ] {
            assert_eq!(sales.put(&told), is_news, "{told:?}");
        }
        for (page, ids) in [(1, vec!["b", "d"]), (2, vec!["c"]), (3, vec![])] {
            let planned = sales.list(Pages { page, limit: 2 }, Time::default()).unwrap();
            let found: Vec<&str> = planned.sales.iter().map(|one| &*one.activity_id).collect();
            assert_eq!((found, planned.total), (ids, 3));
        }
    }
}
