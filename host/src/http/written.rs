//! What is to be written to a key, as the state API and that of actors' state are both told.
//!
//! Source: http-api.md 1.9, 4.1, 8.4.

use bytes::Bytes;
use odeon_blocks::state::write::Write;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::{self, Fields};

/// The name among metadata of the time to live.
pub(super) const TTL: &str = "ttlInSeconds";

/// Objects of a list, as Go reads them: `null` is an empty list, and in it an empty object.
pub(super) fn objects<'a>(body: &'a [u8]) -> Result<Vec<Fields<'a>>, String> {
    let listed: Option<Vec<Option<Fields<'a>>>> = json::first(body)?;
    Ok(listed.unwrap_or_default().into_iter().map(Option::unwrap_or_default).collect())
}

/// Reads `{"key", "value", "etag", "metadata"}`; a value that is missing is `null`.
pub(super) fn write(request: &Fields<'_>) -> Result<Write, String> {
    let metadata: Fields<'_> = request.read("metadata")?.unwrap_or_default();
    Ok(Write {
        key: request.read("key")?.unwrap_or_default(),
        value: Some(request.raw("value").map_or(Bytes::from_static(b"null"), json::compact)),
        etag: request.read("etag")?,
        ttl: metadata.raw(TTL).map(text).transpose()?,
        ..Write::default()
    })
}

/// A metadata value as text: SDKs send numbers too.
fn text(raw: &RawValue) -> Result<String, String> {
    match String::deserialize(raw) {
        Ok(text) => Ok(text),
        Err(_)
            if raw.get().starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) =>
        {
            Ok(raw.get().to_owned())
        }
        Err(error) => Err(format!("metadata: {error}")),
    }
}
