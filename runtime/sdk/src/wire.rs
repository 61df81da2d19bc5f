//! How arguments, answers and values look on the wire: JSON, and nothing for nothing.
//!
//! No argument is an empty body, one is its JSON, several are an object by their
//! names; the answer `()` is an empty body. Names of headers are here too. What is
//! done with the values is not known here.

use std::any::TypeId;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The id that lets a call join a turn of its own chain. Wire: Dapr's.
pub(crate) const REENTRANCY_ID: &str = "Dapr-Reentrancy-Id";
/// The actors whose turns wait for a call. Wire: Odeon's own.
pub(crate) const ACTOR_CHAIN: &str = "odeon-actor-chain";
/// The caller's time limit in milliseconds. Wire: Odeon's own; gRPC has its own header as well.
pub(crate) const ACTOR_TIMEOUT: &str = "odeon-actor-timeout";
/// Whether a failed call may have run: `none`, `maybe` or `done`. Wire: Odeon's own.
pub(crate) const ACTOR_EXECUTION: &str = "odeon-actor-execution";
/// The token that a host may want to see. Wire: Dapr's.
pub(crate) const API_TOKEN: &str = "dapr-api-token";

/// A value as JSON.
pub(crate) fn write<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, serde_json::Error> {
    serde_json::to_vec(value).map(Bytes::from)
}

/// A value from JSON.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(bytes)
}

/// The body of a call with so many arguments.
pub(crate) fn write_arguments<T: Serialize>(
    count: usize,
    arguments: &T,
) -> Result<Bytes, serde_json::Error> {
    if count == 0 { Ok(Bytes::new()) } else { write(arguments) }
}

/// The arguments in the body of a call. No argument may also come as `null`, `{}` or `[]`,
/// which is what clients in other languages send.
pub(crate) fn read_arguments<T: DeserializeOwned>(
    count: usize,
    body: &[u8],
) -> Result<T, serde_json::Error> {
    let nothing = matches!(body.trim_ascii(), b"" | b"{}" | b"[]");
    match (count, nothing) {
        (0, true) => read(b"null"),
        _ => read(body),
    }
}

/// The body of an answer.
pub(crate) fn write_answer<T: Serialize + 'static>(answer: &T) -> Result<Bytes, serde_json::Error> {
    if TypeId::of::<T>() == TypeId::of::<()>() { Ok(Bytes::new()) } else { write(answer) }
}

/// The answer in a body.
pub(crate) fn read_answer<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    read(if body.is_empty() { b"null" } else { body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Nothing;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(transparent)]
    struct One {
        by: i64,
    }

    #[test]
    fn nothing_is_an_empty_body_both_ways() {
        assert_eq!(write_arguments(0, &Nothing).unwrap(), "");
        for body in ["", " ", "null", "{}", "[]"] {
            assert_eq!(read_arguments::<Nothing>(0, body.as_bytes()).unwrap(), Nothing);
        }
        assert!(read_arguments::<Nothing>(0, b"1").is_err());
        assert_eq!(write_answer(&()).unwrap(), "");
        read_answer::<()>(b"").unwrap();
        assert_eq!(read_answer::<Option<u8>>(b"").unwrap(), None);
    }

    #[test]
    fn one_argument_is_its_json() {
        assert_eq!(write_arguments(1, &One { by: 2 }).unwrap(), "2");
        assert_eq!(read_arguments::<One>(1, b" 2 ").unwrap(), One { by: 2 });
        assert!(read_arguments::<One>(1, b"").is_err());
        assert_eq!(write_answer(&vec![1, 2]).unwrap(), "[1,2]");
    }
}
