//! Calling an actor and ending its activation. Source: http-api.md 8.
//!
//! This is the hot path of the HTTP door: names are parsed once, the body is not
//! copied, and headers that end here are never turned into text.

use odeon_base::ident;
use odeon_proto::names;
use odeon_runtime::{Awaits, CallKind, Invocation};

use super::answer::{self, Answer};
use super::headers;
use super::request::Call;
use crate::status::Failure;

/// `GET|POST|PUT|DELETE /v1.0/actors/{type}/{id}/method/{method}`.
pub(super) async fn invoke(call: Call<'_>) -> Result<Answer, Failure> {
    let actor = call.actor()?;
    let method = ident::clean_method(&call.param("method")?).map_err(Failure::bad_request)?;
    Failure::check_runnable(call.api.can_run(&actor.actor_type))?;
    let deadline = call.deadline()?;
    let chain = call.chain();
    let once = call.idempotency_key()?;
    let awaits = call.awaits()?;
    let mut headers = headers::to_app(&call.head.headers, call.api.tokens().api.is_some());
    for (name, value) in call.trace.headers() {
        headers.push(name, value);
    }
    if let Some(query) = call.head.uri.query() {
        headers.push(names::QUERY, query);
    }
    let limit = call.api.limits().body_bytes;
    let body = call.body.read(limit).await.map_err(Failure::bad_request)?;
    let invocation = Invocation {
        actor,
        kind: CallKind::Method,
        method: method.into(),
        body,
        headers,
        deadline,
        chain,
        routed_by: None,
        once,
        awaits,
    };
    match call.api.engine().call(invocation).await {
        Ok(_) if awaits != Awaits::Answer => Ok(answer::accepted()),
        Ok(reply) => Ok(answer::reply(reply)),
        Err(error) => Err(Failure::invoke(&error)),
    }
}

/// `POST /v1.0-alpha1/actors/{type}/{id}/deactivate`: 204 also when it was not active (DEA-5).
pub(super) async fn deactivate(call: Call<'_>) -> Result<Answer, Failure> {
    let actor = call.open_actor()?;
    Failure::check_runnable(call.api.can_run(&actor.actor_type))?;
    call.api.engine().deactivate(&actor).await;
    Ok(answer::empty())
}
