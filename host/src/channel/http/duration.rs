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

/// Reads a duration of nothing or more; `None` for what is none, a negative one included.
pub(super) fn parse(text: &str) -> Option<Duration> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::go_duration;

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

    proptest! {
        #[test]
        fn what_is_written_is_read_again(nanos in 0..=i64::MAX.unsigned_abs()) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse(&go_duration(duration)), Some(duration));
        }

        #[test]
        fn nothing_that_is_read_breaks_it(text in "[0-9.hmsnuµ+-]{0,24}") {
            let _ = parse(&text);
        }
    }
}
