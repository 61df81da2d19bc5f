//! What goes beyond Dapr, below `/odeon/v1`: who owns an actor, what is active here.

use odeon_ring::{Policy, TypeKey};
use odeon_runtime::ActorRef;
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
    let key = TypeKey { namespace, actor_type: actor.actor_type.clone() };
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

fn policy_word(policy: Policy) -> &'static str {
    match policy {
        Policy::Ring => "ring",
        Policy::Holder => "holder",
        Policy::Local => "local",
    }
}
