//! Calling actors, and their state. Source: grpc-api.md 3.6.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use odeon_base::{Fence, IdempotencyKey, ident};
use odeon_proto::dapr::runtime::v1::{
    ExecuteActorStateTransactionRequest, GetActorStateRequest, GetActorStateResponse,
    InvokeActorRequest, InvokeActorResponse, TransactionalActorStateOperation,
};
use odeon_proto::names;
use odeon_runtime::{ActorRef, CallChain, CallKind, Headers, Invocation};
use tokio::time::Instant;
use tonic::Response;
use tonic::metadata::{AsciiMetadataValue, MetadataMap, MetadataValue};

use super::stores;
use crate::api::{
    Api, FEATURE_STATE_TTL, Operation, TraceContext, check_key, is_to_the_host, read_activation,
    read_one_way,
};
use crate::status::Failure;

/// Longest time limit that a caller may set; longer ones count as this.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3_600);

/// `InvokeActor`. An actor's own error is an ordinary answer.
pub(super) async fn invoke(
    api: &Api,
    caller: &MetadataMap,
    request: InvokeActorRequest,
) -> Result<Response<InvokeActorResponse>, Failure> {
    let InvokeActorRequest { actor_type, actor_id, method, data, metadata } = request;
    let actor = ActorRef::parse(&actor_type, &actor_id).map_err(Failure::bad_request)?;
    let method = ident::clean_method(&method).map_err(Failure::bad_request)?;
    Failure::check_runnable(api.can_run(&actor.actor_type))?;
    let said = Said { metadata: &metadata, caller };
    let deadline = said.deadline()?;
    let chain = said.chain();
    let trace = said.trace()?;
    let once = said.idempotency_key()?;
    let awaits = read_one_way(said.lossily(names::ACTOR_ONE_WAY).as_deref());
    let awaits = awaits.map_err(Failure::bad_request)?;
    let mut headers = Headers::new();
    for (name, value) in &metadata {
        if !is_to_the_host(name) {
            headers.push(name.as_str(), value.as_str());
        }
    }
    headers.push("Dapr-API-Call", "true");
    for (name, value) in trace.headers() {
        headers.push(name, value);
    }
    let invocation = Invocation {
        actor,
        kind: CallKind::Method,
        method: method.into(),
        body: data,
        headers,
        deadline,
        chain,
        routed_by: None,
        once,
        awaits,
    };
    let reply = api.engine().call(invocation).await.map_err(|error| Failure::invoke(&error))?;
    if let Some(limit) = api.limits().body_bytes
        && reply.body.len() > limit
    {
        let (found, limit) = (reply.body.len().to_string(), limit.to_string());
        return Err(Failure::message_too_large("trying to send", &found, &limit));
    }
    let mut answer = Response::new(InvokeActorResponse { data: reply.body });
    if reply.is_replay {
        let yes = MetadataValue::from_static("true");
        answer.metadata_mut().insert(names::IDEMPOTENT_REPLAY, yes);
    }
    Ok(answer)
}

/// `GetActorState`: a missing key is an empty reply.
pub(super) async fn state(
    api: &Api,
    caller: &MetadataMap,
    request: GetActorStateRequest,
) -> Result<GetActorStateResponse, Failure> {
    let actor = open_actor(&request.actor_type, &request.actor_id)?;
    check_key(&request.key).map_err(Failure::bad_request)?;
    Failure::check_runnable(api.can_run(&actor.actor_type))?;
    let activation = activation(caller)?;
    let item = api.engine().read_state(&actor, activation, &request.key).await;
    let item = item.map_err(|error| Failure::state_get(&error))?;
    Ok(item.map_or_else(GetActorStateResponse::default, |item| GetActorStateResponse {
        metadata: stores::metadata(&item),
        data: item.value,
    }))
}

/// `ExecuteActorStateTransaction`.
pub(super) async fn transact(
    api: &Api,
    caller: &MetadataMap,
    request: ExecuteActorStateTransactionRequest,
) -> Result<(), Failure> {
    let actor = open_actor(&request.actor_type, &request.actor_id)?;
    Failure::check_runnable(api.can_run(&actor.actor_type))?;
    let activation = activation(caller)?;
    let has_ttl = api.has_feature(FEATURE_STATE_TTL);
    let operations = request.operations.into_iter().map(read).collect();
    let commit = Operation::commit(operations, has_ttl);
    let commit = commit.map_err(|error| Failure::operation(&error))?;
    let written = api.engine().write_state(&actor, activation, commit).await;
    written.map_err(|error| Failure::state_write(&error))
}

fn read(operation: TransactionalActorStateOperation) -> Operation {
    let TransactionalActorStateOperation { operation_type, key, value, mut metadata } = operation;
    Operation {
        kind: operation_type,
        key,
        value: value.map(|any| any.value.into()).unwrap_or_default(),
        etag: metadata.remove("etag"),
        ttl: metadata.remove("ttlInSeconds"),
    }
}

pub(super) fn open_actor(actor_type: &str, id: &str) -> Result<ActorRef, Failure> {
    let actor = ActorRef::parse(actor_type, id).map_err(Failure::bad_request)?;
    if actor.actor_type.is_internal() {
        return Err(Failure::reserved_type(actor_type));
    }
    Ok(actor)
}

/// The activation that asks, if it says so.
pub(super) fn activation(caller: &MetadataMap) -> Result<Option<Fence>, Failure> {
    let shown = caller.get(names::ACTIVATION).map(as_text);
    shown.as_deref().map(read_activation).transpose().map_err(Failure::bad_request)
}

/// What a caller says to the host itself: in the request's own metadata, as a
/// worker does that copies what it was given, or in the call's.
pub(super) struct Said<'a> {
    pub(super) metadata: &'a HashMap<String, String>,
    pub(super) caller: &'a MetadataMap,
}

impl Said<'_> {
    /// A value that is not ASCII counts as absent.
    fn get(&self, name: &str) -> Option<&str> {
        self.own(name).or_else(|| self.caller.get(name).and_then(|value| value.to_str().ok()))
    }

    /// The same, but what is not ASCII stays, for whoever reads it to refuse.
    fn lossily(&self, name: &str) -> Option<Cow<'_, str>> {
        self.own(name).map(Cow::Borrowed).or_else(|| self.caller.get(name).map(as_text))
    }

    fn own(&self, name: &str) -> Option<&str> {
        let own = self.metadata.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        own.map(|(_, value)| value.as_str())
    }

    /// The sooner of `odeon-actor-timeout` and the call's own time limit (TURN-7).
    pub(super) fn deadline(&self) -> Result<Option<Instant>, Failure> {
        let ours = match self.get(names::ACTOR_TIMEOUT) {
            None => None,
            Some(text) => {
                let millis = text.trim().parse().map(Duration::from_millis);
                Some(millis.map_err(|_| {
                    Failure::bad_request(format!(
                        "odeon-actor-timeout is {:?}; expected a number of milliseconds",
                        text.escape_debug().to_string()
                    ))
                })?)
            }
        };
        let theirs = self
            .caller
            .get("grpc-timeout")
            .and_then(|value| value.to_str().ok())
            .and_then(grpc_timeout);
        let limit = ours.into_iter().chain(theirs).min();
        Ok(limit.map(|limit| Instant::now() + limit.min(TIMEOUT_MAX)))
    }

    /// The caller's name for a call that is to run only once (RT-4).
    fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, Failure> {
        let shown = self.lossily(IdempotencyKey::NAME);
        shown.as_deref().map(IdempotencyKey::parse).transpose().map_err(Failure::bad_request)
    }

    pub(super) fn chain(&self) -> CallChain {
        let reentrancy = self.get("dapr-reentrancy-id").map(Arc::from);
        match self.get(names::ACTOR_CHAIN) {
            Some(hops) => CallChain::from_header(hops, reentrancy),
            None => CallChain::new(&[], reentrancy),
        }
    }

    fn trace(&self) -> Result<TraceContext, Failure> {
        let baggage = self.get("baggage").into_iter();
        TraceContext::parse(self.get("traceparent"), self.get("tracestate"), baggage)
            .map_err(|error| Failure::bad_baggage(&error))
    }
}

fn as_text(value: &AsciiMetadataValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_encoded_bytes())
}

/// Reads gRPC's own time limit: up to eight digits and a unit.
fn grpc_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let count: u64 = digits.parse().ok().filter(|_| is_number)?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3_600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_limits_of_grpc_are_read() {
        for (text, expected) in [
            ("1S", Some(Duration::from_secs(1))),
            ("100m", Some(Duration::from_millis(100))),
            ("5u", Some(Duration::from_micros(5))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3_600))),
            ("999999999H", None),
            ("S", None),
            ("", None),
            ("1", None),
            ("-1S", None),
            ("1é", None),
        ] {
            assert_eq!(grpc_timeout(text), expected, "{text:?}");
        }
    }
}
