//! JSON as Dapr's Go structs read and write it.
//!
//! Keys match ignoring case, only the first value of a body counts, unknown keys
//! pass, and a value that is kept comes out compact with `<`, `>` and `&` escaped.
//! Source: http-api.md 1.9.

use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use odeon_runtime::store::Item;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The first JSON value of a body; what follows it is ignored.
pub(crate) fn first<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<T>();
    match values.next() {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("EOF".into()),
    }
}

/// An object whose values are not looked at yet; keys match ignoring case.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// The names of all of them, as they are written.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// A value as it is written, unless it is absent.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a RawValue> {
        let of_name = |(key, _): &&(String, &RawValue)| key.eq_ignore_ascii_case(name);
        self.0.iter().rev().find(of_name).map(|(_, value)| *value)
    }

    /// A value; `None` when it is absent or null.
    pub(crate) fn read<T: Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, String> {
        match self.raw(name) {
            None => Ok(None),
            Some(raw) => {
                serde_json::from_str(raw.get()).map_err(|error| format!("{name}: {error}"))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(entry) = map.next_entry::<String, &'de RawValue>()? {
                    fields.push(entry);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Read).map(Fields)
    }
}

/// A value without spaces between its tokens. Strings keep their escapes; `<`,
/// `>`, `&` and the two line separators of Unicode get theirs, as Go writes them.
pub(crate) fn compact(raw: &RawValue) -> Bytes {
    let text = raw.get();
    let mut out = String::with_capacity(text.len());
    let mut in_string = false;
    let mut is_escaped = false;
    for c in text.chars() {
        if !in_string {
            in_string = c == '"';
            if !matches!(c, ' ' | '\t' | '\n' | '\r') {
                out.push(c);
            }
            continue;
        }
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            other => out.push(other),
        }
        in_string = c != '"' || is_escaped;
        is_escaped = c == '\\' && !is_escaped;
    }
    out.into()
}

/// A text as JSON, with Go's escapes.
pub(crate) fn text(text: &str) -> String {
    let quoted = serde_json::value::to_raw_value(text);
    // A text can always be written.
    quoted.map_or_else(
        |_| "\"\"".to_owned(),
        |raw| String::from_utf8_lossy(&compact(&raw)).into_owned(),
    )
}

/// What is told of a stored value beside it: when it vanishes, if ever.
pub(crate) fn expiry(item: &Item) -> Option<(&'static str, String)> {
    item.expires_at.map(|at| ("ttlExpireTime", timestamp(at)))
}

/// RFC 3339, to the second.
pub(crate) fn timestamp(at: SystemTime) -> String {
    let at = prost_types::Timestamp::from(at);
    prost_types::Timestamp { nanos: 0, ..at }.to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn values_are_compacted_and_nothing_else() {
        for (given, compacted) in [
            ("1", "1"),
            (" { \"a b\" : [ 1 , 2 ] } ", "{\"a b\":[1,2]}"),
            ("12345678901234567890.10e+5", "12345678901234567890.10e+5"),
            ("\"\\\"<\"", "\"\\\"\\u003c\""),
            ("\"\\\\\" ", "\"\\\\\""),
            ("[\"\\\\\", \" & \"]", "[\"\\\\\",\" \\u0026 \"]"),
            ("\"日本\u{2028}\"", "\"日本\\u2028\""),
        ] {
            let raw: Box<RawValue> = serde_json::from_str(given).unwrap();
            assert_eq!(compact(&raw), compacted, "{given}");
        }
    }

    #[test]
    fn deep_nesting_cannot_exhaust_the_stack() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let raw: Result<Box<RawValue>, _> = serde_json::from_str(&deep);
        if let Ok(raw) = raw {
            assert_eq!(compact(&raw).len(), deep.len());
        }
    }

    #[test]
    fn times_are_rfc_3339() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_900);
        assert_eq!(timestamp(at), "2023-11-14T22:13:20Z");
    }
}
