//! What system actors are asked and answer, as JSON in the bodies of calls.

use bytes::Bytes;
use odeon_runtime::seams::Call;
use odeon_runtime::{Error, Reply};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads what a method of the system actor `of` is asked; no body is as good as `{}`.
pub(crate) fn read<T: DeserializeOwned>(of: &str, call: &Call) -> Result<T, Error> {
    let body: &[u8] = if call.body.is_empty() { b"{}" } else { &call.body };
    serde_json::from_slice(body).map_err(|error| {
        Error::Arguments(format!("the body is not what {of}/{} takes: {error}", call.method))
    })
}

/// Answers with a form.
pub(crate) fn reply(form: &impl Serialize) -> Result<Reply, Error> {
    let mut reply = Reply { body: bytes(form)?.into(), ..Reply::default() };
    reply.headers.push("content-type", "application/json");
    Ok(reply)
}

/// A form as it is sent.
pub(crate) fn bytes(form: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(form).map_err(|error| Error::Arguments(error.to_string()))
}

/// What a system actor answered.
pub(crate) fn answer<T: DeserializeOwned>(body: &Bytes) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| {
        Error::Arguments(format!("a system actor answered what cannot be read: {error}"))
    })
}
