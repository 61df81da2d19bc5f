//! How arguments, answers and values look on the wire: JSON, and nothing for nothing.
//!
//! No argument is an empty body, one is its JSON, several are an object by their
//! names; the answer `()` is an empty body. Names of Dapr's headers are here too. What is
//! done with the values is not known here.

use std::any::TypeId;

use bytes::Bytes;
use odeon_runtime::{Headers, Reply};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// The id that lets a call join a turn of its own chain. Wire: Dapr's.
pub(crate) const REENTRANCY_ID: &str = "Dapr-Reentrancy-Id";
/// The token that a host may want to see. Wire: Dapr's.
pub(crate) const API_TOKEN: &str = "dapr-api-token";

/// A value as JSON.
pub(crate) fn write<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, serde_json::Error> {
    serde_json::to_vec(value).map(Bytes::from)
}

/// An argument that is sent later, as JSON; `what` it is, for the error.
pub(crate) fn argument<T: Serialize + ?Sized>(what: &str, value: &T) -> Result<Bytes, Error> {
    write(value).map_err(|error| Error::unfit(what, &error))
}

/// A value from JSON.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(bytes)
}

/// The body of a call with arguments of these names.
pub(crate) fn write_arguments<T: Serialize>(
    names: &[&str],
    arguments: &T,
) -> Result<Bytes, serde_json::Error> {
    if names.is_empty() { Ok(Bytes::new()) } else { write(arguments) }
}

/// The arguments in the body of a call. No argument may also come as `null`, `{}` or `[]`,
/// which is what clients in other languages send.
///
/// # Errors
/// Which argument does not fit, and what was expected.
pub(crate) fn read_arguments<T: DeserializeOwned>(
    names: &[&str],
    body: &[u8],
) -> Result<T, String> {
    let nothing = matches!(body.trim_ascii(), b"" | b"{}" | b"[]");
    let body = if names.is_empty() && nothing { b"null" } else { body };
    read(body).map_err(|error| misfit::<T>(names, body, &error))
}

/// What does not fit, in words. The body is read once more, with an eye on where.
fn misfit<T: DeserializeOwned>(names: &[&str], body: &[u8], error: &serde_json::Error) -> String {
    if body.trim_ascii().is_empty() {
        return format!("the body is empty; expected '{}'", names.join("', '"));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let place = match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Ok(_) => return error.to_string(),
        Err(error) => error.path().to_string(),
    };
    match (names, place.as_str()) {
        ([name], ".") => format!("argument '{name}': {error}"),
        ([name], inside) if inside.starts_with('[') => {
            format!("argument '{name}{inside}': {error}")
        }
        ([name], inside) => format!("argument '{name}.{inside}': {error}"),
        (_, ".") => error.to_string(),
        (_, place) => format!("argument '{place}': {error}"),
    }
}

/// The body of an answer.
pub(crate) fn write_answer<T: Serialize + 'static>(answer: &T) -> Result<Bytes, serde_json::Error> {
    if TypeId::of::<T>() == TypeId::of::<()>() { Ok(Bytes::new()) } else { write(answer) }
}

/// An answer as a turn gives it.
pub(crate) fn reply(body: Bytes) -> Reply {
    let mut headers = Headers::new();
    headers.push("content-type", "application/json");
    Reply { body, headers, ..Reply::default() }
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
        assert_eq!(write_arguments(&[], &Nothing).unwrap(), "");
        for body in ["", " ", "null", "{}", "[]"] {
            assert_eq!(read_arguments::<Nothing>(&[], body.as_bytes()).unwrap(), Nothing);
        }
        assert!(read_arguments::<Nothing>(&[], b"1").is_err());
        assert_eq!(write_answer(&()).unwrap(), "");
        read_answer::<()>(b"").unwrap();
        assert_eq!(read_answer::<Option<u8>>(b"").unwrap(), None);
    }

    #[test]
    fn one_argument_is_its_json() {
        assert_eq!(write_arguments(&["by"], &One { by: 2 }).unwrap(), "2");
        assert_eq!(read_arguments::<One>(&["by"], b" 2 ").unwrap(), One { by: 2 });
        assert!(read_arguments::<One>(&["by"], b"").is_err());
        assert_eq!(write_answer(&vec![1, 2]).unwrap(), "[1,2]");
    }

    #[test]
    fn what_does_not_fit_is_named_with_what_was_expected() {
        let of_one = |body: &str| read_arguments::<One>(&["by"], body.as_bytes()).unwrap_err();
        assert_eq!(of_one(" "), "the body is empty; expected 'by'");
        assert_eq!(
            of_one("\"two\""),
            "argument 'by': invalid type: string \"two\", expected i64 at line 1 column 5"
        );
        assert_eq!(of_one("2 3"), "trailing characters at line 1 column 3");

        #[derive(Debug, serde::Deserialize)]
        #[serde(expecting = "an object with the arguments 'items', 'count'")]
        struct Two {
            #[expect(dead_code, reason = "only read")]
            items: Vec<One>,
            #[expect(dead_code, reason = "only read")]
            count: u32,
        }
        let of_two =
            |body: &str| read_arguments::<Two>(&["items", "count"], body.as_bytes()).unwrap_err();
        assert_eq!(
            of_two(r#"{"items":[1,true],"count":1}"#),
            "argument 'items[1]': invalid type: boolean `true`, expected i64 at line 1 column 16"
        );
        assert_eq!(
            of_two(r#"{"items":[],"count":-1}"#),
            "argument 'count': invalid value: integer `-1`, expected u32 at line 1 column 22"
        );
        assert_eq!(of_two(r#"{"items":[]}"#), "missing field `count` at line 1 column 12");
        assert!(of_two("7").contains("expected an object with the arguments 'items', 'count'"));
    }
}
