//! An actor type that workers host: the engine's `Behaviour` over their streams.
//!
//! The newest open stream gets the questions; older ones, and those of workers that
//! are about to go, finish what they have.
//! What a question looks like on the wire is here, who is connected is `hub.rs`'s.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures::future::BoxFuture;
use odeon_base::ActorType;
use odeon_proto::dapr::runtime::v1::subscribe_actor_events_response_alpha1::ResponseType;
use odeon_proto::dapr::runtime::v1::{
    SubscribeActorEventsResponseDeactivateRequestAlpha1 as DeactivateRequest,
    SubscribeActorEventsResponseInvokeRequestAlpha1 as InvokeRequest,
    SubscribeActorEventsResponseReminderRequestAlpha1 as ReminderRequest,
    SubscribeActorEventsResponseTimerRequestAlpha1 as TimerRequest,
};
use odeon_runtime::error::AppFailure;
use odeon_runtime::schedule::TimerSpec;
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::turn::Turn;
use odeon_runtime::{ActorRef, Error, Reply, TurnKind, TypeConfig};
use tokio::sync::Notify;
use tokio::time::timeout_at;

use super::link::{Answer, Kind, Link};
use super::refusals::Refusal;
use super::{marks, tick};

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
    /// Told when a stream comes or goes.
    changed: Notify,
}

impl Worker {
    pub(super) fn new(actor_type: ActorType) -> Self {
        Self { actor_type, members: ArcSwap::default(), changed: Notify::new() }
    }

    pub(super) fn add(&self, member: &Member) {
        self.members.rcu(|members| members.iter().chain([member]).cloned().collect::<Vec<_>>());
        self.changed.notify_waiters();
    }

    pub(super) fn remove(&self, link: &Arc<Link>) {
        self.members.rcu(|members| {
            let others = members.iter().filter(|member| !Arc::ptr_eq(&member.link, link));
            others.cloned().collect::<Vec<_>>()
        });
        self.changed.notify_waiters();
    }

    /// The settings of the newest stream; `None` when nobody hosts the type.
    pub(super) fn config(&self) -> Option<TypeConfig> {
        self.members.load().last().map(|member| member.config.clone())
    }

    /// The newest open stream among those, or one that is about to open.
    fn newest(&self, is_meant: impl Fn(&Link) -> bool) -> Option<Arc<Link>> {
        let members = self.members.load();
        let meant = || members.iter().rev().filter(|member| is_meant(&member.link));
        let member = meant().find(|member| member.link.is_open()).or(meant().next())?;
        Some(Arc::clone(&member.link))
    }

    /// Waits for a worker that stays. A call that a turn waits for may as well go to one
    /// that ends its turns before it goes. `None` when waiting is not worth while: nobody
    /// hosts the type, or the caller has given up.
    async fn wait_for_stream(&self, turn: &Turn, is_inner: bool) -> Option<Arc<Link>> {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let any = || self.newest(|_| true).filter(|_| is_inner);
            if let Some(link) = self.newest(Link::is_staying).or_else(any) {
                return Some(link);
            }
            if self.members.load().is_empty() {
                return None;
            }
            match turn.deadline() {
                Some(deadline) => timeout_at(deadline, changed).await.ok()?,
                None => changed.await,
            }
        }
    }

    /// Sends a call to a worker, and to another one if the first refuses it.
    async fn ask(&self, turn: &Turn, call: Call) -> Result<Reply, Error> {
        let mut has_asked = false;
        loop {
            let link = match self.newest(Link::is_staying) {
                Some(link) => link,
                None => {
                    // The chain names this actor last, and whoever waits for it before.
                    let is_inner = !has_asked && turn.chain().hops().len() > 1;
                    match self.wait_for_stream(turn, is_inner).await {
                        Some(link) => link,
                        None => return Err(turn.refuse(call, "the actor host is stopping")),
                    }
                }
            };
            has_asked = true;
            let (kind, question) = (kind_of(&call), |id| question(id, turn, &call));
            let (code, message) = match link.ask(kind, turn.actor(), question).await {
                Ok(Answer::Reply(reply)) => return Ok(reply),
                Ok(Answer::Done) => return Ok(Reply::default()),
                Ok(Answer::Failed { code, message }) => (code, message),
                // It has never gone out; the stream is over and about to be removed.
                Err(error) if error.is_safe_to_retry() => {
                    link.mark_leaving();
                    continue;
                }
                Err(error) => return Err(error),
            };
            match link.refusal(code) {
                None if code == NO_METHOD && kind == Kind::Invoke => {
                    return Err(no_method(turn.actor(), &call.method));
                }
                None => return Err(Error::App(AppFailure { message })),
                Some(Refusal::Arguments) => return Err(Error::Arguments(message)),
                Some(Refusal::Busy) => return Err(turn.refuse(call, message)),
                Some(Refusal::Stopping) => link.mark_leaving(),
            }
        }
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
        Box::pin(self.ask(turn, call))
    }

    /// How long a worker may take is the engine's to say (DEA-3).
    fn deactivate<'a>(&'a self, actor: &'a ActorRef, _instance: Instance) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let Some(link) = self.newest(|_| true) else { return };
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

fn no_method(actor: &ActorRef, method: &str) -> Error {
    let ActorRef { actor_type, id } = actor.clone();
    Error::NoMethod { actor_type, id, method: method.to_owned() }
}

fn kind_of(call: &Call) -> Kind {
    match call.kind {
        TurnKind::Timer(_) => Kind::Timer,
        TurnKind::Reminder => Kind::Reminder,
        TurnKind::Method => Kind::Invoke,
    }
}

fn question(id: String, turn: &Turn, call: &Call) -> ResponseType {
    let ActorRef { actor_type, id: actor_id } = turn.actor();
    let (actor_type, actor_id) = (actor_type.to_string(), actor_id.to_string());
    let (name, data) = (call.method.to_string(), tick::any(&call.body));
    match &call.kind {
        TurnKind::Timer(spec) => {
            let TimerSpec { due_time, period, callback, .. } = (**spec).clone();
            ResponseType::TimerRequest(TimerRequest {
                id,
                actor_type,
                actor_id,
                name,
                due_time,
                period,
                callback,
                data,
            })
        }
        TurnKind::Reminder => ResponseType::ReminderRequest(ReminderRequest {
            id,
            actor_type,
            actor_id,
            name,
            data,
            ..ReminderRequest::default()
        }),
        TurnKind::Method => ResponseType::InvokeRequest(invoke_request(id, turn, call)),
    }
}

fn invoke_request(id: String, turn: &Turn, call: &Call) -> InvokeRequest {
    let actor = turn.actor();
    let mut metadata = HashMap::with_capacity(8);
    for (name, value) in call.headers.iter() {
        // One value per key: the first.
        if !metadata.contains_key(name) {
            metadata.insert(name.to_owned(), value.to_owned());
        }
    }
    metadata.extend(marks::of(turn).map(|(name, text)| (name.to_owned(), text)));
    InvokeRequest {
        id,
        actor_type: actor.actor_type.to_string(),
        actor_id: actor.id.to_string(),
        method: call.method.to_string(),
        data: call.body.clone(),
        metadata,
    }
}
