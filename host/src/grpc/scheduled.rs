//! What requests about timers and reminders have in common. Source: grpc-api.md 3.6.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use odeon_proto::names;
use odeon_runtime::{ActorRef, Caller};
use serde_json::value::RawValue;
use tonic::metadata::MetadataMap;

use super::actors::{Said, open_actor};
use crate::json;
use crate::status::Failure;

/// An actor that may have timers and reminders.
pub(super) fn schedulable_actor(actor_type: &str, id: &str) -> Result<ActorRef, Failure> {
    let actor = open_actor(actor_type, id)?;
    Failure::check_schedulable(&actor)?;
    Ok(actor)
}

/// The data as JSON: the caller may say that it is; else it is bytes.
pub(super) fn json_of(caller: &MetadataMap, data: &Bytes) -> Result<Bytes, String> {
    if !caller.contains_key(names::DATA_IS_JSON) || data.is_empty() {
        return Ok(encoded(data));
    }
    let raw: Result<&RawValue, _> = serde_json::from_slice(data);
    raw.map(json::compact).map_err(|error| format!("data is no JSON, as was said: {error}"))
}

/// Bytes as an application gets them back: base64 in a JSON string; none, if there are none.
fn encoded(data: &Bytes) -> Bytes {
    match data.is_empty() {
        true => Bytes::new(),
        false => format!("\"{}\"", STANDARD.encode(data)).into(),
    }
}

/// Who asks, by its headers: these requests carry no metadata of their own.
pub(super) fn called_by(caller: &MetadataMap) -> Result<Caller, Failure> {
    let metadata = HashMap::new();
    let said = Said { metadata: &metadata, caller };
    Ok(Caller { deadline: said.deadline()?, chain: said.chain() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_a_base64_string() {
        assert_eq!(encoded(&Bytes::new()), "");
        assert_eq!(encoded(&Bytes::from_static(b"\x00\xff")), "\"AP8=\"");
    }
}
