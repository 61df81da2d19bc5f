//! Points in time, handed in by whoever has a clock.
//!
//! Kept in milliseconds, written as RFC 3339 in UTC: `2026-03-01T12:00:00Z`. The
//! calendar is the Gregorian one; leap seconds do not exist, as on any Unix.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;
/// Days from 1 March of the year 0, where a calendar with its leap day last begins, to 1970.
const DAYS_TO_1970: i64 = 719_468;
/// Days in 400 years, after which the calendar repeats itself.
const DAYS_IN_ERA: i64 = 146_097;

/// A point in time, to the millisecond.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Time {
    millis: i64,
}

impl Time {
    /// This many milliseconds after the beginning of 1970.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self { millis }
    }

    /// So much later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self { millis: self.millis.saturating_add(millis) }
    }

    /// So much earlier.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self { millis: self.millis.saturating_sub(millis) }
    }

    /// How much later this is than another time; nothing if it is earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.millis.saturating_sub(earlier.millis);
        Duration::from_millis(u64::try_from(millis).unwrap_or_default())
    }

    /// Digits that are fewer the later it is: text that begins with them is in order of time,
    /// newest first.
    #[must_use]
    pub fn newest_first(self) -> String {
        format!("{:014}", 99_999_999_999_999_i64.saturating_sub(self.millis.max(0)))
    }

    /// The digits of its day in UTC: `20260301`.
    #[must_use]
    pub fn day(self) -> String {
        let mut digits = self.digits();
        digits.truncate(8);
        digits
    }

    /// Digits only, to the second: `20260301120000`.
    #[must_use]
    pub fn digits(self) -> String {
        self.to_string().chars().filter(char::is_ascii_digit).take(14).collect()
    }
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        let duration = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::default().after(duration)
    }
}

impl From<Time> for SystemTime {
    fn from(time: Time) -> Self {
        UNIX_EPOCH + Duration::from_millis(u64::try_from(time.millis).unwrap_or_default())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date(self.millis.div_euclid(DAY_MILLIS));
        let rest = self.millis.rem_euclid(DAY_MILLIS);
        let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
        let (second, millis) = (rest / 1_000 % 60, rest % 1_000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if millis != 0 {
            write!(f, ".{millis:03}")?;
        }
        f.write_str("Z")
    }
}

/// The text is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a time; write it in UTC, as 2026-03-01T12:00:00Z")]
pub struct NotATime(String);

impl FromStr for Time {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        parse(text).ok_or_else(|| NotATime(text.to_owned()))
    }
}

impl From<Time> for String {
    fn from(time: Time) -> Self {
        time.to_string()
    }
}

impl TryFrom<String> for Time {
    type Error = NotATime;

    fn try_from(text: String) -> Result<Self, NotATime> {
        text.parse()
    }
}

fn parse(text: &str) -> Option<Time> {
    let (whole, fraction) = match text.strip_suffix('Z')?.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (text.strip_suffix('Z')?, "0"),
    };
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let millis: i64 = format!("{fraction:0<3}")[..3].parse().ok()?;
    let number = |from: usize, to: usize| whole.get(from..to)?.parse::<i64>().ok();
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let seconds = (hour * 60 + minute) * 60 + second;
    let days = days(number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let time = Time::from_millis(days * DAY_MILLIS + seconds * 1_000 + millis);
    // Whatever is out of its range or place, such as 30 February, reads back as something else.
    (Time::from_millis(time.millis - millis).to_string() == format!("{whole}Z")).then_some(time)
}

/// Year, month and day of a number of days since 1970.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_1970;
    let (era, day) = (days.div_euclid(DAYS_IN_ERA), days.rem_euclid(DAYS_IN_ERA));
    // Without the leap days before it: every 4 years, not every 100, but after 400.
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on, five months in turn have 153 days.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next_year, month, day)
}

/// The number of days since 1970 of a year, month and day.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let days = 365 * year + year / 4 - year / 100 + (153 * month + 2) / 5 + day - 1;
    era * DAYS_IN_ERA + days - DAYS_TO_1970
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_read_as_everybody_writes_them() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_767_225_600_120, "2026-01-01T00:00:00.120Z"),
        ] {
            assert_eq!(Time::from_millis(millis).to_string(), text);
            assert_eq!(text.parse(), Ok(Time::from_millis(millis)));
        }
        assert_eq!("2026-01-01T00:00:00.1Z".parse::<Time>().unwrap().millis % 1_000, 100);
        assert_eq!(Time::from_millis(1_767_225_600_120).digits(), "20260101000000");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026-01-01",
            "2026-02-30T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00+01:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.1234567890Z",
            "2026-01-01 00:00:00Z",
            "２026-01-01T00:00:00Z",
        ] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_time_reads_back(millis in 0_i64..253_402_300_800_000) {
            let time = Time::from_millis(millis);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }

        #[test]
        fn text_order_of_seconds_is_time_order(a in 0_i64..253_402_300_800, b in 0_i64..253_402_300_800) {
            let text = |seconds: i64| Time::from_millis(seconds * 1_000).to_string();
            prop_assert_eq!(text(a).cmp(&text(b)), a.cmp(&b));
        }
    }
}
