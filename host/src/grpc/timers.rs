//! Setting and dropping timers of actors. Source: grpc-api.md 3.6; actor-semantics.md 8.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use odeon_base::ident;
use odeon_proto::dapr::runtime::v1::{RegisterActorTimerRequest, UnregisterActorTimerRequest};
use odeon_proto::names;
use odeon_runtime::schedule::TimerSpec;
use odeon_runtime::{ActorRef, CallKind, Invocation};
use serde_json::value::RawValue;
use tonic::metadata::MetadataMap;

use super::actors::{Said, open_actor};
use crate::api::Api;
use crate::json;
use crate::status::Failure;

/// `RegisterActorTimer`.
pub(super) async fn set(
    api: &Api,
    caller: &MetadataMap,
    request: RegisterActorTimerRequest,
) -> Result<(), Failure> {
    let RegisterActorTimerRequest {
        actor_type,
        actor_id,
        name,
        due_time,
        period,
        callback,
        data,
        ttl,
    } = request;
    let spec = TimerSpec { due_time, period, ttl, callback, keep_alive: true };
    let actor = schedulable_actor(&actor_type, &actor_id)?;
    let data = json_of(caller, &data).map_err(Failure::bad_request)?;
    ask(api, caller, actor, (CallKind::SetTimer(spec.into()), &name), data).await
}

/// `UnregisterActorTimer`: well also when there was none.
pub(super) async fn drop(
    api: &Api,
    caller: &MetadataMap,
    request: UnregisterActorTimerRequest,
) -> Result<(), Failure> {
    let actor = schedulable_actor(&request.actor_type, &request.actor_id)?;
    ask(api, caller, actor, (CallKind::DropTimer, &request.name), Bytes::new()).await
}

async fn ask(
    api: &Api,
    caller: &MetadataMap,
    actor: ActorRef,
    (kind, name): (CallKind, &str),
    data: Bytes,
) -> Result<(), Failure> {
    ident::check_name("name", name).map_err(Failure::bad_request)?;
    Failure::check_runnable(api.can_run(&actor.actor_type))?;
    let metadata = std::collections::HashMap::new();
    let said = Said { metadata: &metadata, caller };
    let (deadline, chain) = (said.deadline()?, said.chain());
    let invocation =
        Invocation { kind, deadline, chain, ..Invocation::new(actor.clone(), name, data) };
    let asked = api.engine().call(invocation).await;
    asked.map_err(|error| Failure::timer(&error, &actor))?;
    Ok(())
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_a_base64_string() {
        assert_eq!(encoded(&Bytes::new()), "");
        assert_eq!(encoded(&Bytes::from_static(b"\x00\xff")), "\"AP8=\"");
    }
}
