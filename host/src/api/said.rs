//! What callers say to the host itself, by whichever door, and how it is read.

use odeon_base::{Fence, IdempotencyKey};
use odeon_proto::names;
use odeon_runtime::Awaits;

use super::operations::check_key;

/// Words by which a caller and the host speak of a call: the host reads them itself, and says to
/// the application in its own words what that may know.
const TO_THE_HOST: [&str; 12] = [
    names::ACTOR_TIMEOUT,
    names::ACTOR_CHAIN,
    names::ACTIVATION,
    names::QUERY,
    IdempotencyKey::NAME,
    names::ACTOR_ONE_WAY,
    "dapr-reentrancy-id",
    "dapr-api-call",
    "x-dapr-remote",
    "traceparent",
    "tracestate",
    "baggage",
];

/// Whether what a caller says under this name ends at the host.
#[must_use]
pub fn is_to_the_host(name: &str) -> bool {
    TO_THE_HOST.iter().any(|ours| ours.eq_ignore_ascii_case(name))
}

/// Reads which activation asks.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read_activation(text: &str) -> Result<Fence, String> {
    text.parse().map_err(|error| {
        let text = text.escape_debug().to_string();
        format!("{} is {text:?}; {error}, as the call was given them", names::ACTIVATION)
    })
}

/// Reads what a call's sender waits for.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read_one_way(text: Option<&str>) -> Result<Awaits, String> {
    match text.map(str::trim) {
        None | Some("false") => Ok(Awaits::Answer),
        Some("true") => Ok(Awaits::Place),
        Some("durable") => Ok(Awaits::Stored),
        Some(other) => {
            let other = other.escape_debug().to_string();
            Err(format!("{} is {other:?}; expected true, durable or false", names::ACTOR_ONE_WAY))
        }
    }
}

/// Keys that one page holds, or one question asks for, at most (ST-6).
const KEYS_MAX: usize = 1_000;

/// Checks how many keys a page is to hold; as many as it may, if it is not said.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check_page(limit: Option<u64>) -> Result<usize, String> {
    let Some(limit) = limit else { return Ok(KEYS_MAX) };
    match usize::try_from(limit) {
        Ok(limit @ 1..=KEYS_MAX) => Ok(limit),
        Ok(_) | Err(_) => Err(format!("limit is {limit}; expected 1 to {KEYS_MAX}")),
    }
}

/// Checks the keys that are asked for at once.
///
/// # Errors
/// What is wrong with them, in words.
pub fn check_keys(keys: &[String]) -> Result<(), String> {
    if keys.len() > KEYS_MAX {
        return Err(format!("keys has {}; expected at most {KEYS_MAX}", keys.len()));
    }
    keys.iter().try_for_each(|key| check_key(key))
}
