//! How times are written: when something is due, how often it repeats, how long it is kept.
//!
//! Pure: text in, a value out, and what follows from the value at a given time. Which clock
//! is asked, and what happens when something is due, is known elsewhere.
//! Source: http-api.md 8.5; actor-semantics.md TIM-2, TIM-3, REM-2.

mod cron;
mod go;
mod reminder;
mod timer;

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

pub use self::go::{parse as go_duration, text as go_text};
pub use self::reminder::{
    CatchUp, FailurePolicy, Look, Outcome, Progress, ReminderPlan, ReminderSpec, Unschedulable,
    shown_period,
};
pub use self::timer::{TimerPlan, TimerSpec};

/// A text that says no time, or not the sort that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is '{}': expected {expected}", .value.escape_debug())]
pub struct Invalid {
    /// The field that it was given for.
    pub field: &'static str,
    /// What was written.
    pub value: String,
    /// What can be.
    pub expected: &'static str,
}

/// A length of time: as so much time, or by the calendar, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Length {
    months: i32,
    days: i32,
    time: Duration,
}

/// When something is due, or over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// So long after it was said.
    After(Length),
    /// At this time of the calendar.
    At(Timestamp),
}

/// How often something repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// From one time to the next; never nothing.
    pub every: Length,
    /// How many times there are in all; without end if it is not said.
    pub times: Option<u32>,
}

const LENGTH: &str = "a duration such as '1h30m' or 'PT1H30M', zero or more";
const WHEN: &str = "a duration such as '1h30m' or 'PT1H30M', zero or more, or a time such as \
                    '2030-01-31T12:00:00Z'";
const PERIOD: &str = "a duration such as '1h30m' or 'PT1H30M' of at least 1 ms, or one with \
                      repetitions such as 'R5/PT10S', one or more of them";

impl From<Duration> for Length {
    fn from(time: Duration) -> Self {
        Self { time, ..Self::default() }
    }
}

impl Length {
    /// Reads `1h30m` as Go does, or `P1DT2H` as ISO 8601 has it, in whole numbers.
    ///
    /// # Errors
    /// [`Invalid`] for anything else, a negative one included.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Invalid> {
        Self::read(text).ok_or_else(|| invalid(field, text, LENGTH))
    }

    fn read(text: &str) -> Option<Self> {
        match text.starts_with('P') {
            true => Self::iso(text),
            false => go::parse(text).map(Self::from),
        }
    }

    fn iso(text: &str) -> Option<Self> {
        // jiff reads more: small letters, signs, fractions, words.
        let is_plain = |c: char| c.is_ascii_digit() || "PTYMWDHS".contains(c);
        if !text.chars().all(is_plain) {
            return None;
        }
        let span: Span = text.parse().ok()?;
        let months = i32::from(span.get_years()) * 12 + span.get_months();
        let days = span.get_weeks().checked_mul(7)?.checked_add(span.get_days())?;
        let (hours, minutes) = (i64::from(span.get_hours()), span.get_minutes());
        let seconds = hours * 3_600 + minutes * 60 + span.get_seconds();
        let time = Duration::from_secs(seconds.try_into().ok()?);
        Some(Self { months, days, time })
    }

    /// The time, if the calendar has no say in it; a day of UTC always has 24 hours.
    #[must_use]
    pub fn fixed(&self) -> Option<Duration> {
        if self.months > 0 {
            return None;
        }
        let days = u64::try_from(self.days).ok()?.checked_mul(24 * 3_600)?;
        self.time.checked_add(Duration::from_secs(days))
    }

    /// The time so many lengths after `origin`, months first, by the calendar of `zone`; `None`
    /// beyond the end of it.
    #[must_use]
    pub fn times_after(&self, origin: Timestamp, n: u32, zone: &TimeZone) -> Option<Timestamp> {
        let n = i64::from(n);
        let months = i64::from(self.months).checked_mul(n)?;
        let days = i64::from(self.days).checked_mul(n)?;
        let calendar = Span::new().try_months(months).ok()?.try_days(days).ok()?;
        let start = origin.to_zoned(zone.clone()).checked_add(calendar).ok()?.timestamp();
        let nanos = i64::try_from(self.time.as_nanos()).ok()?.checked_mul(n)?;
        start.checked_add(Span::new().try_nanoseconds(nanos).ok()?).ok()
    }
}

impl When {
    /// Reads a length of time, or a time of the calendar as RFC 3339 has it.
    ///
    /// # Errors
    /// [`Invalid`] for anything else, a negative length included.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Invalid> {
        let length = Length::read(text).map(Self::After);
        let read = length.or_else(|| text.parse().ok().map(Self::At));
        read.ok_or_else(|| invalid(field, text, WHEN))
    }

    /// The time of the calendar, if it was said at `now`; `None` beyond the end of it.
    #[must_use]
    pub fn from(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(*at),
            Self::After(length) => length.times_after(now, 1, &TimeZone::UTC),
        }
    }
}

impl Period {
    /// The shortest one.
    pub const MIN: Duration = Duration::from_millis(1);

    /// Reads a length of time, with `R5/` before one of ISO 8601 if there is an end to it.
    ///
    /// # Errors
    /// [`Invalid`] for anything else, one shorter than [`Period::MIN`] or without repetitions
    /// included.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Invalid> {
        Self::read(text).ok_or_else(|| invalid(field, text, PERIOD))
    }

    fn read(text: &str) -> Option<Self> {
        let Some(counted) = text.strip_prefix('R') else {
            return Self::lasting(Length::read(text)?, None);
        };
        let (times, length) = counted.split_once('/')?;
        if times.is_empty() || !times.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let times = times.parse().ok().filter(|times| *times > 0)?;
        Self::lasting(Length::iso(length)?, Some(times))
    }

    fn lasting(every: Length, times: Option<u32>) -> Option<Self> {
        let is_long_enough = every.fixed().is_none_or(|fixed| fixed >= Self::MIN);
        is_long_enough.then_some(Self { every, times })
    }

    /// Of the times `first`, one period later and so on, the first after `now`, and how many there
    /// were before it; `None` beyond the end of the calendar.
    #[must_use]
    pub fn next(
        &self,
        first: Timestamp,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Option<(u32, Timestamp)> {
        if first > now {
            return Some((0, first));
        }
        // A month has 28 days at least and 31 at most: not past the one that is looked for.
        let longest = Duration::from_secs(24 * 3_600)
            .checked_mul(u32::try_from(self.every.months.checked_mul(31)?).ok()?)?
            .checked_add(
                Duration::from_secs(25 * 3_600)
                    .checked_mul(u32::try_from(self.every.days).ok()?)?,
            )?
            .checked_add(self.every.time)?;
        let passed = Duration::try_from(now.duration_since(first)).ok()?;
        let mut n = u32::try_from(passed.as_nanos() / longest.as_nanos().max(1)).ok()?;
        loop {
            let at = self.every.times_after(first, n, zone)?;
            if at > now {
                return Some((n, at));
            }
            n = n.checked_add(1)?;
        }
    }
}

fn invalid(field: &'static str, value: &str, expected: &'static str) -> Invalid {
    Invalid { field, value: value.to_owned(), expected }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn length(months: i32, days: i32, seconds: u64) -> Option<Length> {
        Some(Length { months, days, time: Duration::from_secs(seconds) })
    }

    // REM-2, TIM-2.
    #[test]
    fn lengths_are_go_s_or_iso_s_in_whole_numbers() {
        for (text, expected) in [
            ("PT1M30S", length(0, 0, 90)),
            ("P1DT2H", length(0, 1, 7_200)),
            ("P1Y2M3W4D", length(14, 25, 0)),
            ("PT0S", length(0, 0, 0)),
            ("0h0m9s0ms", length(0, 0, 9)),
            ("1h0m0s0ms0\u{3bc}s", length(0, 0, 3_600)),
            ("0", length(0, 0, 0)),
            ("P", None),
            ("PT", None),
            ("PT1.5S", None),
            ("pt1s", None),
            ("-PT1S", None),
            ("P-1D", None),
            ("P1S", None),
            ("1 hour", None),
            ("-1s", None),
            ("", None),
            ("5", None),
            ("R5/PT1S", None),
        ] {
            assert_eq!(Length::read(text), expected, "{text:?}");
        }
        let wrong = Length::parse("ttl", "1day\n").unwrap_err().to_string();
        assert!(wrong.starts_with("ttl is '1day\\n': expected a duration such as"), "{wrong}");
    }

    #[test]
    fn due_times_may_be_of_the_calendar() {
        let now = at("2030-01-31T00:00:00Z");
        for (text, expected) in [
            ("", None),
            ("1s", Some("2030-01-31T00:00:01Z")),
            ("P1M", Some("2030-02-28T00:00:00Z")),
            ("2030-01-01T00:00:00Z", Some("2030-01-01T00:00:00Z")),
            ("2030-01-01T00:00:00.25+02:00", Some("2029-12-31T22:00:00.25Z")),
            ("2030-01-01", None),
            ("2030-01-01T00:00:00", None),
            ("tomorrow", None),
        ] {
            let found = When::parse("dueTime", text).ok().and_then(|when| when.from(now));
            assert_eq!(found, expected.map(at), "{text:?}");
        }
    }

    #[test]
    fn periods_are_long_enough_and_counted() {
        for (text, expected) in [
            ("1ms", Some((1, None))),
            ("R5/PT10S", Some((10_000, Some(5)))),
            ("P1W", Some((7 * 24 * 3_600_000, None))),
            ("0s", None),
            ("999us", None),
            ("R0/PT1S", None),
            ("R/PT1S", None),
            ("R+1/PT1S", None),
            ("R5/1s", None),
            ("R5PT1S", None),
            ("R99999999999/PT1S", None),
            ("", None),
        ] {
            let found = Period::parse("period", text).ok();
            let found = found.map(|found| (found.every.fixed().unwrap().as_millis(), found.times));
            assert_eq!(found, expected, "{text:?}");
        }
    }

    // TIM-3.
    #[test]
    fn what_is_late_goes_back_to_the_grid() {
        let (first, zone) = (at("2030-01-31T00:00:00Z"), &TimeZone::UTC);
        let next = |period: &str, now: &str| {
            Period::parse("period", period).unwrap().next(first, at(now), zone).unwrap()
        };
        assert_eq!(next("1s", "2030-01-30T00:00:00Z"), (0, first));
        assert_eq!(next("1s", "2030-01-31T00:00:00Z"), (1, at("2030-01-31T00:00:01Z")));
        assert_eq!(next("1s", "2030-01-31T00:01:00.5Z"), (61, at("2030-01-31T00:01:01Z")));
        // Each month from the first on: its last day, where it is shorter.
        assert_eq!(next("P1M", "2030-02-01T00:00:00Z"), (1, at("2030-02-28T00:00:00Z")));
        assert_eq!(next("P1M", "2030-03-01T00:00:00Z"), (2, at("2030-03-31T00:00:00Z")));
        assert_eq!(next("P1M", "2050-03-01T00:00:00Z"), (242, at("2050-03-31T00:00:00Z")));
    }

    proptest! {
        #[test]
        fn the_next_time_is_the_first_of_the_grid_after_now(
            months in 0..30_i32,
            days in 0..60_i32,
            seconds in 0..1_000_000_u64,
            passed in 0..1_000_000_000_i64,
        ) {
            let time = Duration::from_secs(seconds);
            let every = Length { months, days, time };
            prop_assume!(every != Length::default());
            let (zone, first) = (TimeZone::UTC, at("2020-01-31T12:00:00Z"));
            let now = first + jiff::SignedDuration::from_secs(passed);
            let (n, found) = Period { every, times: None }.next(first, now, &zone).unwrap();
            prop_assert_eq!(every.times_after(first, n, &zone), Some(found));
            prop_assert!(found > now);
            prop_assert!(n == 0 || every.times_after(first, n - 1, &zone).unwrap() <= now);
        }

        #[test]
        fn nothing_that_is_written_breaks_it(text in "[-R0-9./PTYMWDHSZhmsnu:+]{0,24}") {
            let _ = (When::parse("dueTime", &text), Period::parse("period", &text));
        }
    }
}
