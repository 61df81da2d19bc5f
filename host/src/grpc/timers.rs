//! Setting and dropping timers of actors. Source: grpc-api.md 3.6; actor-semantics.md 8.

use bytes::Bytes;
use odeon_base::ident;
use odeon_proto::dapr::runtime::v1::{RegisterActorTimerRequest, UnregisterActorTimerRequest};
use odeon_runtime::schedule::TimerSpec;
use odeon_runtime::{ActorRef, CallKind, Caller, Invocation};
use tonic::metadata::MetadataMap;

use super::scheduled::{called_by, json_of, schedulable_actor};
use crate::api::Api;
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
    let Caller { deadline, chain } = called_by(caller)?;
    let invocation =
        Invocation { kind, deadline, chain, ..Invocation::new(actor.clone(), name, data) };
    let asked = api.engine().call(invocation).await;
    asked.map_err(|error| Failure::timer(&error, &actor))?;
    Ok(())
}
