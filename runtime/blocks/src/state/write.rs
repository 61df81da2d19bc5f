//! One write as callers of the state API ask for it, and the change that it is.
//!
//! Options and times to live are texts here, since what they may say is decided in one
//! place, whatever wire they came by. Source: http-api.md 4.1, 4.2.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use odeon_runtime::store::{Condition, Error, Expiry, Key, Op};
use serde_json::value::RawValue;

/// Longest time to live in seconds, a century: the due date stays within every calendar.
const TTL_SECONDS_MAX: i64 = 3_155_760_000;

/// What is to happen to one key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Write {
    /// The caller's key, without a prefix.
    pub key: String,
    /// What is written; `None` deletes.
    pub value: Option<Bytes>,
    /// Only if this is the stored ETag; an empty one counts as none.
    pub etag: Option<String>,
    /// `first-write`, `last-write`, or empty.
    pub concurrency: String,
    /// `strong`, `eventual`, or empty.
    pub consistency: String,
    /// Seconds to live, as text.
    pub ttl: Option<String>,
}

impl Write {
    /// The change, of a key that has its prefix.
    ///
    /// # Errors
    /// [`Error::Invalid`] for options and times to live that mean nothing.
    pub fn into_op(self, key: Key) -> Result<Op, Error> {
        let invalid = |reason| Error::Invalid { reason };
        let Self { concurrency, consistency, .. } = &self;
        let options = Options { concurrency, consistency };
        let condition = options.condition(self.etag.as_deref()).map_err(invalid)?;
        Ok(match self.value {
            Some(value) => {
                let expiry = expiry(self.ttl.as_deref()).map_err(invalid)?;
                Op::Upsert { key, value, condition, expiry }
            }
            None => Op::Delete { key, condition },
        })
    }
}

/// Options of a write, each empty where nothing was said.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Options<'a> {
    pub(super) concurrency: &'a str,
    pub(super) consistency: &'a str,
}

impl Options<'_> {
    /// When a write with these options and this ETag is allowed.
    ///
    /// # Errors
    /// What an option should have been, in words.
    pub(super) fn condition(self, etag: Option<&str>) -> Result<Condition, String> {
        let Self { concurrency, consistency } = self;
        if !matches!(consistency, "" | "strong" | "eventual") {
            return Err(format!(
                "options.consistency '{consistency}' is not one of strong, eventual"
            ));
        }
        match (concurrency, etag.filter(|etag| !etag.is_empty())) {
            ("" | "first-write", Some(etag)) => Ok(Condition::ETag(etag.into())),
            ("first-write", None) => Ok(Condition::Absent),
            ("" | "last-write", _) => Ok(Condition::None),
            (other, _) => {
                Err(format!("options.concurrency '{other}' is not one of first-write, last-write"))
            }
        }
    }
}

/// As Dapr's store in memory reads it: whatever is not above 0 keeps for ever.
fn expiry(ttl: Option<&str>) -> Result<Expiry, String> {
    let Some(text) = ttl else { return Ok(Expiry::Never) };
    match text.trim().parse::<i64>() {
        Ok(..=0) => Ok(Expiry::Never),
        Ok(seconds) => {
            Ok(Expiry::After(Duration::from_secs(seconds.min(TTL_SECONDS_MAX).unsigned_abs())))
        }
        Err(_) => {
            let text = text.escape_debug();
            Err(format!("metadata.ttlInSeconds '{text}' is not a number of seconds"))
        }
    }
}

/// A value as JSON: as it is when it is JSON, else as a base64 string.
#[must_use]
pub fn as_json(value: &[u8]) -> Box<RawValue> {
    let text = std::str::from_utf8(value).ok().map(str::to_owned);
    let raw = text.and_then(|text| RawValue::from_string(text).ok());
    raw.unwrap_or_else(|| {
        let quoted = format!("\"{}\"", STANDARD.encode(value));
        RawValue::from_string(quoted).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_and_an_etag_say_when_a_write_is_allowed() {
        let etag = || Condition::ETag("e".into());
        for (concurrency, shown, expected) in [
            ("", None, Ok(Condition::None)),
            ("", Some(""), Ok(Condition::None)),
            ("", Some("e"), Ok(etag())),
            ("first-write", None, Ok(Condition::Absent)),
            ("first-write", Some("e"), Ok(etag())),
            ("last-write", Some("e"), Ok(Condition::None)),
            (
                "first",
                None,
                Err("options.concurrency 'first' is not one of first-write, last-write"),
            ),
        ] {
            let options = Options { concurrency, consistency: "strong" };
            let expected = expected.map_err(str::to_owned);
            assert_eq!(options.condition(shown), expected, "{concurrency} {shown:?}");
        }
        let options = Options { consistency: "weak", ..Options::default() };
        let error = options.condition(None).unwrap_err();
        assert_eq!(error, "options.consistency 'weak' is not one of strong, eventual");
    }

    #[test]
    fn a_time_to_live_is_a_number() {
        let seconds = |n| Ok(Expiry::After(Duration::from_secs(n)));
        for (text, expected) in [
            (None, Ok(Expiry::Never)),
            (Some("-1"), Ok(Expiry::Never)),
            (Some("-2"), Ok(Expiry::Never)),
            (Some("0"), Ok(Expiry::Never)),
            (Some("3"), seconds(3)),
            (Some("9223372036854775807"), seconds(3_155_760_000)),
            (Some("1.5"), Err("metadata.ttlInSeconds '1.5' is not a number of seconds")),
            (Some(""), Err("metadata.ttlInSeconds '' is not a number of seconds")),
        ] {
            assert_eq!(expiry(text), expected.map_err(str::to_owned), "{text:?}");
        }
    }

    #[test]
    fn values_are_shown_as_json() {
        for (value, shown) in [(&b"{\"a\": 1}"[..], "{\"a\": 1}"), (b"\xff", "\"/w==\"")] {
            assert_eq!(as_json(value).get(), shown);
        }
    }
}
