//! The last steps of somebody's orders, numbered, so that whoever follows them misses none and
//! can come back.
//!
//! So many are kept; who was away for longer is told so, and asks the orders themselves.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::domain::events::OrderStep;

/// How many steps are kept.
pub const KEPT: u64 = 64;

/// A step and its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place among all steps, from 1.
    pub number: u64,
    /// What happened.
    pub step: OrderStep,
}

/// Asks for steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// The number of the last one that is known; none for those that are to come.
    pub number: Option<u64>,
}

/// Steps that were not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// Them, in their order.
    pub entries: Vec<Entry>,
    /// The number of the last one that there is: what to ask after next.
    pub last: u64,
    /// How many before them are not kept any more.
    pub missed: u64,
}

/// The last steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Feed {
    entries: VecDeque<Entry>,
    last: u64,
}

impl Feed {
    /// A feed of what was kept, in any order.
    #[must_use]
    pub fn new(mut kept: Vec<Entry>) -> Self {
        kept.sort_by_key(|entry| entry.number);
        let last = kept.last().map_or(0, |entry| entry.number);
        Self { entries: kept.into(), last }
    }

    /// Where the step of this number is kept: in the place of one that is kept no longer.
    #[must_use]
    pub fn slot(number: u64) -> u64 {
        number % KEPT
    }

    /// Takes note of a step, unless it is among those that are kept: steps may be told twice.
    pub fn put(&mut self, step: &OrderStep) -> Option<&Entry> {
        let is_this = |entry: &Entry| {
            entry.step.order_id == step.order_id && entry.step.version == step.version
        };
        if self.entries.iter().any(is_this) {
            return None;
        }
        self.last += 1;
        if self.entries.len() as u64 == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry { number: self.last, step: step.clone() });
        self.entries.back()
    }

    /// The steps after that one.
    #[must_use]
    pub fn after(&self, After { number }: After) -> News {
        let known = number.unwrap_or(self.last).min(self.last);
        let entries: Vec<Entry> =
            self.entries.iter().filter(|entry| entry.number > known).cloned().collect();
        let missed = self.last - known - entries.len() as u64;
        News { entries, last: self.last, missed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(order: u64, version: u64) -> OrderStep {
        OrderStep { order_id: format!("o{order}"), version, ..OrderStep::default() }
    }

    fn numbers(news: &News) -> Vec<u64> {
        news.entries.iter().map(|entry| entry.number).collect()
    }

    #[test]
    fn who_follows_is_told_each_step_once_and_who_comes_back_what_they_missed() {
        let mut feed = Feed::default();
        assert_eq!(feed.after(After::default()), News::default());
        for (told, is_news) in
            [(step(1, 1), true), (step(1, 1), false), (step(1, 2), true), (step(2, 1), true)]
        {
            assert_eq!(feed.put(&told).is_some(), is_news, "{told:?}");
        }
        for (known, numbers_expected) in
            [(None, vec![]), (Some(0), vec![1, 2, 3]), (Some(2), vec![3]), (Some(9), vec![])]
        {
            let news = feed.after(After { number: known });
            assert_eq!((numbers(&news), news.last, news.missed), (numbers_expected, 3, 0));
        }
    }

    #[test]
    fn the_oldest_make_room_and_whoever_missed_them_is_told_how_many() {
        let mut feed = Feed::default();
        let mut kept = std::collections::BTreeMap::new();
        for n in 1..=KEPT + 10 {
            let entry = feed.put(&step(n, 1)).unwrap();
            kept.insert(Feed::slot(entry.number), entry.clone());
        }
        let news = feed.after(After { number: Some(4) });
        assert_eq!((news.entries.len() as u64, news.missed), (KEPT, 6));
        assert_eq!(numbers(&news), (11..=KEPT + 10).collect::<Vec<_>>());
        assert_eq!(Feed::new(kept.into_values().collect()), feed, "and so it is kept");
    }
}
