//! Times of the calendar by a cron expression, in a zone.
//!
//! Pure. Five fields or six (seconds first), the names `@daily` and so on; a zone in front as
//! `CRON_TZ=` or `TZ=`. What they mean is croner's to know. Zones come with the program, so all
//! hosts know the same ones. Source: actor-semantics.md REM-2.

use croner::parser::{CronParser, Seconds};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A cron expression in a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cron {
    pattern: croner::Cron,
    zone: TimeZone,
}

impl Cron {
    /// Reads one; `None` if it is none, or never comes true.
    pub(super) fn parse(text: &str, zone: TimeZone) -> Option<Self> {
        // The library reads more than is written here: names of any letters, and no field at all.
        let is_name = text.starts_with('@');
        let fields = text.split_ascii_whitespace().count();
        if !(matches!(fields, 5 | 6) || is_name && fields == 1) {
            return None;
        }
        // A name that the library does not know.
        let text = if text == "@midnight" { "@daily" } else { text };
        let pattern = CronParser::builder().seconds(Seconds::Optional).build().parse(text).ok()?;
        let read = Self { pattern, zone };
        // The thirtieth of February is written like any day.
        read.after(Timestamp::UNIX_EPOCH).map(|_| read)
    }

    /// The first time after `at`.
    pub(super) fn after(&self, at: Timestamp) -> Option<Timestamp> {
        let found = self.pattern.find_next_occurrence(&at.to_zoned(self.zone.clone()), false);
        found.ok().map(|found| found.timestamp()).filter(|found| *found > at)
    }

    /// The last time that is not after `at`.
    pub(super) fn until(&self, at: Timestamp) -> Option<Timestamp> {
        let found = self.pattern.find_previous_occurrence(&at.to_zoned(self.zone.clone()), true);
        found.ok().map(|found| found.timestamp()).filter(|found| *found <= at)
    }
}

/// Takes the zone off the front of a text; UTC if there is none in it, `None` for one that nobody knows.
pub(super) fn zone(text: &str) -> Option<(TimeZone, &str)> {
    let named = text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ="));
    let Some(named) = named else { return Some((TimeZone::UTC, text)) };
    let (name, rest) = named.split_once(' ')?;
    Some((TimeZone::get(name).ok()?, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(text: &str, from: &str) -> Vec<String> {
        let Some((zone, rest)) = zone(text) else { return Vec::new() };
        let Some(cron) = Cron::parse(rest, zone) else { return Vec::new() };
        let mut at: Timestamp = from.parse().unwrap();
        let mut times = Vec::new();
        for _ in 0..2 {
            at = cron.after(at).unwrap();
            assert_eq!(cron.until(at), Some(at), "{text}");
            times.push(at.to_string());
        }
        times
    }

    #[test]
    fn rem_2_five_and_six_fields_names_and_zones() {
        let from = "2030-03-30T23:30:15Z";
        for (text, expected) in [
            ("*/5 * * * *", ["2030-03-30T23:35:00Z", "2030-03-30T23:40:00Z"]),
            ("*/10 * * * * *", ["2030-03-30T23:30:20Z", "2030-03-30T23:30:30Z"]),
            ("@hourly", ["2030-03-31T00:00:00Z", "2030-03-31T01:00:00Z"]),
            ("@daily", ["2030-03-31T00:00:00Z", "2030-04-01T00:00:00Z"]),
            ("@midnight", ["2030-03-31T00:00:00Z", "2030-04-01T00:00:00Z"]),
            ("@weekly", ["2030-03-31T00:00:00Z", "2030-04-07T00:00:00Z"]),
            ("@monthly", ["2030-04-01T00:00:00Z", "2030-05-01T00:00:00Z"]),
            ("@yearly", ["2031-01-01T00:00:00Z", "2032-01-01T00:00:00Z"]),
            ("0 12 L * *", ["2030-03-31T12:00:00Z", "2030-04-30T12:00:00Z"]),
            // Summer time begins there that night.
            ("CRON_TZ=Europe/Berlin 0 9 * * *", ["2030-03-31T07:00:00Z", "2030-04-01T07:00:00Z"]),
            ("TZ=America/New_York 0 0 * * *", ["2030-03-31T04:00:00Z", "2030-04-01T04:00:00Z"]),
            ("TZ=Asia/Tokyo  @daily", ["2030-03-31T15:00:00Z", "2030-04-01T15:00:00Z"]),
        ] {
            assert_eq!(times(text, from), expected, "{text}");
        }
    }

    #[test]
    fn rem_2_what_is_no_cron_is_refused() {
        for text in [
            "",
            "@",
            "@often",
            "@daily @daily",
            "* * * *",
            "* * * * * * *",
            "60 * * * *",
            "0 0 30 2 *",
            "CRON_TZ=Nowhere/Town * * * * *",
            "CRON_TZ=Europe/Berlin",
            "CRON_TZ= * * * * *",
        ] {
            assert_eq!(times(text, "2030-01-01T00:00:00Z"), [""; 0], "{text:?}");
        }
    }
}
