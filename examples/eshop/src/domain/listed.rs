//! Orders in a list, newest first.
//!
//! The orders of all buyers are in a list for each day, so that none grows for ever; the days
//! are in a list of their own. A page of them all is put together from as many days as it takes.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::domain::answer::Refusal;
use crate::domain::events::OrderStep;
use crate::domain::pages::LIMIT_MAX;
use crate::domain::time::Time;

/// Some of the orders of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Them, newest first.
    pub order_ids: Vec<String>,
    /// How many there are on all pages.
    pub total: u64,
}

/// Asks for some of the orders of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Part {
    /// So many newer ones are left out.
    pub skip: u64,
    /// At most so many; none for the total alone.
    pub take: u32,
}

impl Part {
    /// Those at these places, from 0.
    #[must_use]
    pub fn of(range: &Range<usize>) -> Self {
        let take = u32::try_from(range.len()).unwrap_or(u32::MAX);
        Self { skip: range.start as u64, take }
    }

    /// The places, from 0.
    ///
    /// # Errors
    /// `invalid`.
    pub fn range(self) -> Result<Range<usize>, Refusal> {
        if self.take > LIMIT_MAX {
            let message = format!("take must be at most {LIMIT_MAX}, not {}", self.take);
            return Err(Refusal::invalid(message).at("take"));
        }
        let start = usize::try_from(self.skip).unwrap_or(usize::MAX);
        Ok(start..start.saturating_add(self.take as usize))
    }
}

/// What all orders are listed under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// When they were placed, or refused.
    Placed,
    /// When they were paid.
    Paid,
}

impl Kind {
    /// The id of the list of the days of this kind.
    #[must_use]
    pub fn days(self) -> &'static str {
        match self {
            Self::Placed => "day",
            Self::Paid => "paid",
        }
    }

    /// The id of the list of one day.
    #[must_use]
    pub fn day(self, at: Time) -> String {
        self.list(&at.day())
    }

    /// The id of the list of a day that the list of days names.
    #[must_use]
    pub fn list(self, day: &str) -> String {
        format!("{}:{day}", self.days())
    }
}

/// What a list tells another of itself when its first order comes: of a day, that there is
/// this day.
#[must_use]
pub fn first_of_day(list: &str, step: &OrderStep) -> Option<(&'static str, OrderStep)> {
    [Kind::Placed, Kind::Paid].into_iter().find_map(|kind| {
        let day = list.strip_prefix(kind.days())?.strip_prefix(':')?;
        let entry = OrderStep { order_id: day.to_owned(), at: step.at, ..OrderStep::default() };
        Some((kind.days(), entry))
    })
}

/// Which part of each list a page over several of them needs: of lists that have so many
/// orders, one after the other.
#[must_use]
pub fn parts(totals: &[u64], page: &Range<usize>) -> Vec<Part> {
    let mut before = 0;
    totals
        .iter()
        .map(|total| {
            let own = before..before + usize::try_from(*total).unwrap_or(usize::MAX);
            before = own.end;
            let start = page.start.clamp(own.start, own.end);
            let end = page.end.clamp(start, own.end.max(start));
            Part::of(&(start - own.start..end - own.start))
        })
        .collect()
}

/// Where an order that began with this step stands among others, in the order of text.
#[must_use]
pub fn place(first: &OrderStep) -> String {
    format!("{}:{}", first.at.newest_first(), first.order_id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_newer_comes_first() {
        let step = |millis, id: &str| OrderStep {
            order_id: id.into(),
            at: Time::from_millis(millis),
            ..OrderStep::default()
        };
        let mut places: Vec<String> =
            [(1_000, "a"), (1_800_000_000_000, "b"), (999_999_999_999, "c"), (1_000, "d")]
                .map(|(millis, id)| place(&step(millis, id)))
                .into();
        places.sort();
        let ids: Vec<&str> = places.iter().filter_map(|place| place.split(':').nth(1)).collect();
        assert_eq!(ids, ["b", "c", "a", "d"]);
    }

    #[test]
    fn a_day_is_told_to_the_list_of_its_kind_and_nobody_else_is() {
        let step = OrderStep { order_id: "o1".into(), ..OrderStep::default() };
        for (list, told) in [
            ("day:20260301", Some(("day", "20260301"))),
            ("paid:20260301", Some(("paid", "20260301"))),
            ("buyer:day:1", None),
            ("day", None),
        ] {
            let found = first_of_day(list, &step);
            let found = found.as_ref().map(|(days, entry)| (*days, entry.order_id.as_str()));
            assert_eq!(found, told, "{list}");
        }
        assert_eq!(Kind::Placed.day(Time::from_millis(0)), "day:19700101");
    }

    proptest! {
        /// Put together, the parts are the page, whatever lies where.
        #[test]
        fn parts_make_a_page(
            totals in proptest::collection::vec(0_u64..30, 0..8),
            start in 0_usize..120,
            len in 0_usize..50,
        ) {
            let all: Vec<(usize, u64)> = totals.iter().enumerate()
                .flat_map(|(list, total)| (0..*total).map(move |at| (list, at))).collect();
            let page = start..start + len;
            let found: Vec<(usize, u64)> = parts(&totals, &page).into_iter().enumerate()
                .flat_map(|(list, part)| {
                    (part.skip..part.skip + u64::from(part.take)).map(move |at| (list, at))
                }).collect();
            let expected: Vec<_> = all.into_iter().skip(start).take(len).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
