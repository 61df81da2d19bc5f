//! How many were sold on each day of the last month.
//!
//! A day is one of the calendar in UTC. What is older than 31 days is forgotten, so
//! this stays as small as it is.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::time::Time;

/// How many days are kept, today among them.
pub const DAYS_KEPT: u32 = 31;

/// Units by day, as `20260301`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Days {
    sold: BTreeMap<String, u32>,
}

impl Days {
    /// So many were sold now.
    pub fn add(&mut self, count: u32, now: Time) {
        *self.sold.entry(now.day()).or_default() += count;
        let oldest = oldest(now);
        self.sold.retain(|day, _| *day >= oldest);
    }

    /// Of what was sold then, so many came back.
    pub fn take_back(&mut self, count: u32, sold_at: Time) {
        if let Some(sold) = self.sold.get_mut(&sold_at.day()) {
            *sold = sold.saturating_sub(count);
        }
    }

    /// How many were sold within the days that are kept.
    #[must_use]
    pub fn sum(&self, now: Time) -> u32 {
        self.sold.range(oldest(now)..).map(|(_, count)| count).sum()
    }

    /// How many were sold since the beginning of that day, within the days that are kept.
    #[must_use]
    pub fn since(&self, day: Time, now: Time) -> u32 {
        self.sold.range(oldest(now).max(day.day())..).map(|(_, count)| count).sum()
    }
}

fn oldest(now: Time) -> String {
    now.before(Duration::from_secs(24 * 60 * 60) * (DAYS_KEPT - 1)).day()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_counted_and_older_days_are_forgotten() {
        let at = |day: i64| Time::from_millis((20_000 + day) * 24 * 60 * 60 * 1_000 + 5);
        let mut days = Days::default();
        for day in 0..40 {
            days.add(2, at(day));
            assert!(days.sold.len() <= 31);
        }
        assert_eq!(days.sum(at(39)), 62);
        assert_eq!(days.sum(at(60)), 20, "nobody had to come by for days to pass");
        for (day, sold) in [(39, 2), (38, 4), (20, 40), (0, 62), (40, 0)] {
            assert_eq!(days.since(at(day), at(39)), sold, "since day {day}");
        }
        days.take_back(1, at(39));
        days.take_back(1, at(3));
        assert_eq!(days.sum(at(39)), 61, "what is forgotten cannot come back");
    }
}
