//! Durations as Go writes them: `1h30m`, `1.5s`, `-5ms`. Source: http-api.md 8.5.
//!
//! Pure. Neither jiff's friendly form nor humantime's: units may come in any order and more
//! than once, a fraction may stand anywhere, `0` needs no unit.

use std::time::Duration;

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    // The micro sign and the Greek letter.
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads a duration of nothing or more as Go does, `1h30m`; `None` for what is none, a negative one included.
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanos = 0_u64;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (part, after) = match after.strip_prefix('.') {
            Some(after) => digits(after),
            None => ("", after),
        };
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
        if whole.is_empty() && part.is_empty() {
            return None;
        }
        let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
        nanos = nanos.checked_add(whole.checked_mul(*unit)?)?;
        nanos = nanos.checked_add(fraction(part, *unit))?;
        rest = after;
    }
    // Go counts in a signed word.
    i64::try_from(nanos).ok().map(|_| Duration::from_nanos(nanos))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// What the digits behind a point are worth; those too small for a nanosecond, nothing.
fn fraction(digits: &str, unit: u64) -> u64 {
    let (mut value, mut worth) = (0, unit);
    for digit in digits.bytes() {
        worth /= 10;
        value += u64::from(digit - b'0') * worth;
    }
    value
}

/// Writes a duration as Go does: `5s`, `500ms`, `1m30s`.
#[must_use]
pub fn text(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".into();
    }
    for (unit, name) in [(1, "ns"), (1_000, "µs"), (1_000_000, "ms")] {
        if nanos < unit * 1_000 || (nanos < 1_000_000_000 && unit == 1_000_000) {
            return format!("{}{name}", decimal(nanos, unit));
        }
    }
    let minutes = nanos / 60_000_000_000;
    let seconds = decimal(nanos % 60_000_000_000, 1_000_000_000);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

fn decimal(value: u128, unit: u128) -> String {
    let (whole, rest) = (value / unit, value % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let digits = unit.ilog10() as usize;
    format!("{whole}.{}", format!("{rest:0digits$}").trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let millis = |millis| Some(Duration::from_millis(millis));
        for (text, expected) in [
            ("0", millis(0)),
            ("1h2m3s4ms", millis(3_723_004)),
            ("1.5h30m", millis(7_200_000)),
            ("30m1h", millis(5_400_000)),
            (".5s", millis(500)),
            ("1.s", millis(1_000)),
            ("+2s", millis(2_000)),
            ("1h0m0s0ms0\u{b5}s", millis(3_600_000)),
            ("1h0m0s0ms0\u{3bc}s", millis(3_600_000)),
            ("", None),
            ("+", None),
            ("5", None),
            ("-5s", None),
            (".s", None),
            ("1day", None),
            ("1s ", None),
            ("9999999999h", None),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (nanos, written) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (500_000_000, "500ms"),
            (5_000_000_000, "5s"),
            (1_500_000_000, "1.5s"),
            (90_000_000_000, "1m30s"),
            (3_600_000_000_000, "1h0m0s"),
        ] {
            assert_eq!(text(Duration::from_nanos(nanos)), written);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(nanos in 0..=i64::MAX.unsigned_abs()) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse(&text(duration)), Some(duration));
        }

        #[test]
        fn nothing_that_is_read_breaks_it(written in "[0-9.hmsnuµ+-]{0,24}") {
            let _ = parse(&written);
        }
    }
}
