//! An actor type that workers host: the engine's `Behaviour` over their streams.
//!
//! The newest open stream gets the questions; older ones finish what they have.
//! What a question looks like on the wire is here, who is connected is `hub.rs`'s.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures::future::BoxFuture;
use odeon_base::{ActorType, Execution};
use odeon_proto::dapr::runtime::v1::subscribe_actor_events_response_alpha1::ResponseType;
use odeon_proto::dapr::runtime::v1::{
    SubscribeActorEventsResponseDeactivateRequestAlpha1 as DeactivateRequest,
    SubscribeActorEventsResponseInvokeRequestAlpha1 as InvokeRequest,
};
use odeon_runtime::error::AppFailure;
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::turn::Turn;
use odeon_runtime::{ActorRef, Error, Reply, TypeConfig};
use tokio::time::Instant;

use super::link::{Answer, Kind, Link, lost};

/// The code by which a worker says that a method does not exist: gRPC's NotFound.
const NO_METHOD: u32 = 5;

/// A stream that offers the type, with the settings that it came with.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) link: Arc<Link>,
    pub(super) config: TypeConfig,
}

/// One actor type and the streams that host it, oldest first.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) actor_type: ActorType,
    members: ArcSwap<Vec<Member>>,
}

impl Worker {
    pub(super) fn new(actor_type: ActorType) -> Self {
        Self { actor_type, members: ArcSwap::default() }
    }

    pub(super) fn add(&self, member: &Member) {
        self.members.rcu(|members| members.iter().chain([member]).cloned().collect::<Vec<_>>());
    }

    pub(super) fn remove(&self, link: &Arc<Link>) {
        self.members.rcu(|members| {
            let others = members.iter().filter(|member| !Arc::ptr_eq(&member.link, link));
            others.cloned().collect::<Vec<_>>()
        });
    }

    /// The settings of the newest stream; `None` when nobody hosts the type.
    pub(super) fn config(&self) -> Option<TypeConfig> {
        self.members.load().last().map(|member| member.config.clone())
    }

    /// The newest open stream; one that is about to open if there is no other.
    fn link(&self) -> Result<Arc<Link>, Error> {
        let members = self.members.load();
        let open = members.iter().rev().find(|member| member.link.is_open());
        let member = open.or(members.last()).ok_or_else(|| lost(Execution::None))?;
        Ok(Arc::clone(&member.link))
    }
}

impl Behaviour for Worker {
    /// A worker makes an actor when it sees its first call; all there is to do is to
    /// wait until no earlier call of the actor is left with a worker.
    fn activate<'a>(&'a self, turn: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>> {
        Box::pin(async move {
            let members = self.members.load_full();
            for member in members.iter() {
                member.link.settled(turn.actor()).await;
            }
            Ok(Instance::Remote)
        })
    }

    fn invoke<'a>(
        &'a self,
        _instance: &'a mut Instance,
        turn: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, Error>> {
        Box::pin(async move {
            let actor = turn.actor();
            let method = Arc::clone(&call.method);
            let question = |id| ResponseType::InvokeRequest(invoke_request(id, turn, call));
            match self.link()?.ask(Kind::Invoke, actor, question).await? {
                Answer::Reply(reply) => Ok(reply),
                Answer::Done => Ok(Reply::default()),
                Answer::Failed { code: NO_METHOD, .. } => Err(Error::NoMethod {
                    actor_type: actor.actor_type.clone(),
                    id: actor.id.clone(),
                    method: method.to_string(),
                }),
                Answer::Failed { message, .. } => Err(Error::App(AppFailure { message })),
            }
        })
    }

    /// How long a worker may take is the engine's to say (DEA-3).
    fn deactivate<'a>(&'a self, actor: &'a ActorRef, _instance: Instance) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let Ok(link) = self.link() else { return };
            let question = |id| {
                ResponseType::DeactivateRequest(DeactivateRequest {
                    id,
                    actor_type: actor.actor_type.to_string(),
                    actor_id: actor.id.to_string(),
                })
            };
            match link.ask(Kind::Deactivate, actor, question).await {
                Ok(Answer::Failed { code, message }) => tracing::warn!(
                    actor_type = %actor.actor_type,
                    actor_id = %actor.id,
                    code,
                    message,
                    "the worker failed to deactivate an actor; the activation is gone all the same"
                ),
                // A worker that is gone has no actor in memory either.
                Ok(Answer::Reply(_) | Answer::Done) | Err(_) => {}
            }
        })
    }

    fn is_shared(&self) -> bool {
        true
    }
}

fn invoke_request(id: String, turn: &Turn, call: Call) -> InvokeRequest {
    let actor = turn.actor();
    let mut metadata = HashMap::with_capacity(8);
    for (name, value) in call.headers.iter() {
        // One value per key: the first.
        if !metadata.contains_key(name) {
            metadata.insert(name.to_owned(), value.to_owned());
        }
    }
    let chain = turn.chain();
    metadata.insert("odeon-actor-chain".to_owned(), chain.to_header());
    if let Some(reentrancy) = &chain.reentrancy {
        metadata.insert("Dapr-Reentrancy-Id".to_owned(), reentrancy.to_string());
    }
    if let Some(deadline) = turn.deadline() {
        let left = deadline.saturating_duration_since(Instant::now());
        metadata.insert("odeon-actor-timeout".to_owned(), left.as_millis().to_string());
    }
    InvokeRequest {
        id,
        actor_type: actor.actor_type.to_string(),
        actor_id: actor.id.to_string(),
        method: call.method.to_string(),
        data: call.body,
        metadata,
    }
}
