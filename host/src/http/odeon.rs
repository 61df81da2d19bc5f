//! What goes beyond Dapr, below `/odeon/v1`: who owns an actor, what is active where, and
//! what operators do about it. Most of it is a call of `sys.host` in other words.

use odeon_base::ActorType;
use odeon_blocks::host;
use odeon_blocks::host::forms::{Draining, Listing, Moving, Named, policy_word};
use odeon_ring::TypeKey;
use odeon_runtime::{ActorRef, Invocation};
use serde::Serialize;

use super::answer::{self, Answer};
use super::request::Call;
use crate::status::Failure;

#[derive(Serialize)]
struct OwnerShown<'a> {
    r#type: &'a str,
    id: &'a str,
    host: &'a str,
    address: &'a str,
    incarnation: String,
    epoch: String,
}

#[derive(Serialize)]
struct ActorsShown {
    types: Vec<TypeShown>,
}

#[derive(Serialize)]
struct TypeShown {
    r#type: String,
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    placement: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked: Option<&'static str>,
}

/// `GET /odeon/v1/placement/owner?type=..&id=..`: by the ring that placement published last.
pub(super) async fn owner(call: Call<'_>) -> Result<Answer, Failure> {
    let asked = |name| {
        call.query(name)
            .ok_or_else(|| Failure::bad_request(format!("the query has no readable item '{name}'")))
    };
    let actor = ActorRef::parse(&asked("type")?, &asked("id")?).map_err(Failure::bad_request)?;
    let Some(owners) = call.api.owners() else {
        let reason =
            "this host has no way to the placement service: ask the placement service itself";
        return Err(Failure::no_placement(reason));
    };
    let namespace = call.api.identity().namespace.clone();
    let app = &call.api.identity().app;
    let (asked, id) = (actor.actor_type.as_str(), actor.id.as_str());
    // A component of this host's application is known to placement by its resource.
    let actor_type = match ActorType::of_resource(asked, app, id) {
        Ok(resource) => resource,
        Err(_) => actor.actor_type.clone(),
    };
    let key = TypeKey { namespace, actor_type };
    let owner = owners.owner(&key, &actor.id).await;
    let (actor_type, id) = (actor.actor_type.as_str(), actor.id.as_str());
    let Some(owner) = owner.map_err(|reason| Failure::no_placement(&reason))? else {
        return Err(Failure::no_owner(actor_type, id));
    };
    Ok(answer::json(&OwnerShown {
        r#type: actor_type,
        id,
        host: owner.host.as_str(),
        address: &owner.address,
        incarnation: owner.incarnation.to_string(),
        epoch: owner.epoch.to_string(),
    }))
}

/// `GET /odeon/v1/actors`: types hosted here, with the number of their activations.
pub(super) async fn actors(call: Call<'_>) -> Result<Answer, Failure> {
    let status = call.api.engine().status();
    let hosted = status.types.into_iter().filter(|one| one.is_hosted);
    let mut types: Vec<TypeShown> = hosted
        .map(|one| TypeShown {
            r#type: one.actor_type.to_string(),
            count: one.active,
            placement: one.placement.map(policy_word),
            epoch: one.epoch.map(|epoch| epoch.to_string()),
            blocked: one.blocked,
        })
        .collect();
    types.sort_by(|a, b| a.r#type.cmp(&b.r#type));
    Ok(answer::json(&ActorsShown { types }))
}

/// `GET /odeon/v1/hosts`: all hosts, each as it sees itself.
pub(super) async fn hosts(call: Call<'_>) -> Result<Answer, Failure> {
    ask(&call, None, "hosts", &()).await
}

/// `GET /odeon/v1/hosts/{name}`.
pub(super) async fn host(call: Call<'_>) -> Result<Answer, Failure> {
    let name = call.param("name")?;
    ask(&call, Some(&name), "status", &()).await
}

/// `POST /odeon/v1/hosts/{name}/drain?limit=<seconds>`: begins; the host's status shows the rest.
pub(super) async fn drain(call: Call<'_>) -> Result<Answer, Failure> {
    let name = call.param("name")?;
    let seconds = call.number("limit")?.unwrap_or(60);
    let draining = Draining { limit_ms: seconds.saturating_mul(1_000) };
    ask(&call, Some(&name), "drain", &draining).await
}

/// `GET /odeon/v1/actors/{type}?after=..&limit=..`: those in memory, on whatever host.
pub(super) async fn listing(call: Call<'_>) -> Result<Answer, Failure> {
    let listing = Listing {
        r#type: call.param("actorType")?.into_owned(),
        after: call.query("after").unwrap_or_default(),
        limit: call.limit()?,
    };
    ask(&call, None, "allActors", &listing).await
}

/// `GET /odeon/v1/actors/{type}/{id}`: the actor and what it stores.
pub(super) async fn inspect(call: Call<'_>) -> Result<Answer, Failure> {
    about_one(&call, "inspect").await
}

/// `GET /odeon/v1/actors/{type}/{id}/explain`: why it is served where it is.
pub(super) async fn explain(call: Call<'_>) -> Result<Answer, Failure> {
    about_one(&call, "explain").await
}

/// `POST /odeon/v1/actors/{type}/{id}/deactivate`, on whatever host it is.
pub(super) async fn deactivate(call: Call<'_>) -> Result<Answer, Failure> {
    about_one(&call, "deactivate").await
}

/// `DELETE /odeon/v1/actors/{type}/{id}`: its state in one step, its activation with the timers, then
/// its reminders.
pub(super) async fn delete(call: Call<'_>) -> Result<Answer, Failure> {
    about_one(&call, "delete").await
}

/// `POST /odeon/v1/actors/{type}/{id}/move?to=<host>` or `?back=true`.
pub(super) async fn relocate(call: Call<'_>) -> Result<Answer, Failure> {
    let actor = call.actor()?;
    let (r#type, id) = (actor.actor_type.to_string(), actor.id.to_string());
    let back = call.flag("back")?;
    ask(&call, None, "move", &Moving { r#type, id, to: call.query("to"), back }).await
}

async fn about_one(call: &Call<'_>, method: &str) -> Result<Answer, Failure> {
    let actor = call.actor()?;
    let (r#type, id) = (actor.actor_type.to_string(), actor.id.to_string());
    ask(call, None, method, &Named { r#type, id, here: false }).await
}

/// A call of `sys.host`: of the host of this name, or of this one.
async fn ask(
    call: &Call<'_>,
    name: Option<&str>,
    method: &str,
    question: &impl Serialize,
) -> Result<Answer, Failure> {
    let engine = call.api.engine();
    let name = name.unwrap_or_else(|| engine.config().host.as_str());
    let actor = ActorRef::parse(host::TYPE, name).map_err(Failure::bad_request)?;
    let body = serde_json::to_vec(question).map_err(Failure::bad_request)?;
    let mut invocation = Invocation::new(actor, method, body);
    invocation.deadline = call.deadline()?;
    match engine.call(invocation).await {
        Ok(reply) => Ok(answer::reply(reply)),
        Err(error) => Err(Failure::invoke(&error)),
    }
}
