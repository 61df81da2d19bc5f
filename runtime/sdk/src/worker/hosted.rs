//! The instances of one actor type in this worker, for the life of one stream.
//!
//! The host orders the turns of an actor; a lock per instance guards the order
//! besides, since a turn borrows the instance mutably. No map guard lives across an
//! await. A turn's end is put on the wire in `answer.rs`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _};
use odeon_base::{ActorId, ActorType};
use odeon_runtime::{ActorRef, Headers};
use tokio::time::{Instant, timeout};
use tonic::Code;

use super::answer::{self, Asked};
use super::desk::{Desk, Seat};
use crate::actor::{Actor, Held, Settings};
use crate::ctx::Ctx;
use crate::error::TurnError;
use crate::hold::Hold as _;
use crate::native::Factory;
use crate::place::{After, Place, WorkerTurn};
use crate::remote;

/// Instances that say goodbye at once when the worker stops.
const GOODBYES_MAX: usize = 256;

/// One question of the host.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) asked: Asked,
    pub(crate) id: String,
    pub(crate) actor_id: String,
    pub(crate) method: String,
    pub(crate) body: Bytes,
    pub(crate) headers: Headers,
}

/// A type that a worker offers.
pub(crate) struct Offered {
    pub(crate) name: &'static str,
    pub(crate) settings: Settings,
    open: Box<dyn Fn() -> Arc<dyn Hosted> + Send + Sync>,
}

impl Offered {
    pub(crate) fn new<A: Actor>(actor_type: ActorType, make: Factory<A>) -> Self {
        let open = move || -> Arc<dyn Hosted> {
            Arc::new(Instances::<A> {
                actor_type: actor_type.clone(),
                make: Arc::clone(&make),
                settings: A::settings(),
                slots: Mutex::default(),
            })
        };
        Self { name: A::TYPE, settings: A::settings(), open: Box::new(open) }
    }

    /// Begins to host it on a new stream.
    pub(crate) fn open(&self) -> Arc<dyn Hosted> {
        (self.open)()
    }
}

/// A type that is hosted on a stream.
pub(crate) trait Hosted: Send + Sync {
    /// Runs a turn, on a task of its own.
    fn turn(self: Arc<Self>, desk: &Arc<Desk>, seat: Seat, question: Question);

    /// Deactivates an actor after its running turn, on a task of its own.
    fn deactivate(self: Arc<Self>, desk: &Arc<Desk>, id: String, actor_id: String);

    /// Says goodbye to all instances.
    fn end(self: Arc<Self>) -> BoxFuture<'static, ()>;
}

/// One actor.
struct Slot<A: Actor> {
    actor: ActorRef,
    /// `None` before it is made, and after it is gone.
    held: tokio::sync::Mutex<Option<Held<A>>>,
}

/// All of a type.
struct Instances<A: Actor> {
    actor_type: ActorType,
    make: Factory<A>,
    settings: Settings,
    slots: Mutex<HashMap<String, Arc<Slot<A>>>>,
}

impl<A: Actor> Hosted for Instances<A> {
    fn turn(self: Arc<Self>, desk: &Arc<Desk>, seat: Seat, question: Question) {
        let shared = Arc::clone(desk);
        desk.work(async move {
            let _seat = seat;
            let (asked, id) = (question.asked, question.id);
            let headers = question.headers;
            let slot = match self.slot(question.actor_id) {
                Ok(slot) => slot,
                Err(words) => return answer::failed(id, Code::InvalidArgument, words),
            };
            let turn = self.run(&shared, &slot, &headers, &question.method, question.body);
            match AssertUnwindSafe(turn).catch_unwind().await {
                Ok(Ok(ended)) => answer::turn(asked, id, ended),
                Ok(Err(TooLong)) => {
                    self.forget(&slot).await;
                    let words = "the turn took longer than its type's limit";
                    answer::failed(id, Code::DeadlineExceeded, words)
                }
                Err(panic) => {
                    self.forget(&slot).await;
                    let words = format!("the turn panicked: {}", answer::panic_words(&*panic));
                    answer::failed(id, Code::Internal, words)
                }
            }
        });
    }

    fn deactivate(self: Arc<Self>, desk: &Arc<Desk>, id: String, actor_id: String) {
        desk.work(async move {
            let slot = self.slots().remove(&actor_id);
            if let Some(slot) = slot {
                goodbye(&slot).await;
            }
            answer::deactivated(id)
        });
    }

    fn end(self: Arc<Self>) -> BoxFuture<'static, ()> {
        let slots: Vec<_> = self.slots().drain().map(|(_, slot)| slot).collect();
        stream::iter(slots)
            .for_each_concurrent(GOODBYES_MAX, |slot| async move { goodbye(&slot).await })
            .boxed()
    }
}

/// The type's limit for one turn passed.
struct TooLong;

impl<A: Actor> Instances<A> {
    fn slots(&self) -> MutexGuard<'_, HashMap<String, Arc<Slot<A>>>> {
        // Each section is one step of the map, so a poisoned lock holds a sound one.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, id: String) -> Result<Arc<Slot<A>>, String> {
        let mut slots = self.slots();
        if let Some(slot) = slots.get(&id) {
            return Ok(Arc::clone(slot));
        }
        let actor = ActorRef {
            actor_type: self.actor_type.clone(),
            id: ActorId::parse(&id).map_err(|error| error.to_string())?,
        };
        let slot = Arc::new(Slot { actor, held: tokio::sync::Mutex::new(None) });
        slots.insert(id, Arc::clone(&slot));
        Ok(slot)
    }

    /// One turn: makes the instance if need be, runs the method, and does what the
    /// turn asked for.
    async fn run(
        &self,
        desk: &Desk,
        slot: &Arc<Slot<A>>,
        headers: &Headers,
        method: &str,
        body: Bytes,
    ) -> Result<Result<Bytes, TurnError>, TooLong> {
        let caller = remote::caller(headers, Instant::now());
        let turn = WorkerTurn::new(&desk.host, &slot.actor, caller, desk.wall.now());
        let work = self.with_instance(slot, &turn, headers, method, body);
        let ended = match self.settings.turn_max {
            Some(limit) => timeout(limit, work).await.map_err(|_| TooLong)?,
            None => work.await,
        };
        match turn.after() {
            After::Stay => {}
            After::Deactivate => {
                self.remove(slot);
                goodbye(slot).await;
            }
            After::Forget => self.forget(slot).await,
        }
        Ok(ended)
    }

    async fn with_instance(
        &self,
        slot: &Slot<A>,
        turn: &WorkerTurn<'_>,
        headers: &Headers,
        method: &str,
        body: Bytes,
    ) -> Result<Bytes, TurnError> {
        let mut place = slot.held.lock().await;
        let held = match &mut *place {
            Some(held) => held,
            empty => empty.insert(self.activate(turn).await?),
        };
        let mut ctx = Ctx::new(Place::Worker(turn), Some(headers));
        match A::Hold::share(held) {
            Some(mut held) => {
                drop(place);
                A::dispatch(&mut held, &mut ctx, method, body).await
            }
            None => A::dispatch(held, &mut ctx, method, body).await,
        }
    }

    async fn activate(&self, turn: &WorkerTurn<'_>) -> Result<Held<A>, TurnError> {
        let mut actor = (self.make)(turn.actor.id.as_str());
        let mut ctx = Ctx::new(Place::Worker(turn), None);
        A::activate(&mut actor, &mut ctx).await.map_err(TurnError::Failed)?;
        ctx.commit().await.map_err(TurnError::Commit)?;
        Ok(A::Hold::hold(actor))
    }

    /// Takes this very slot out of the map; a newer one of the same id stays.
    fn remove(&self, slot: &Arc<Slot<A>>) {
        if let Entry::Occupied(entry) = self.slots().entry(slot.actor.id.as_str().to_owned())
            && Arc::ptr_eq(entry.get(), slot)
        {
            entry.remove();
        }
    }

    /// Drops an instance whose memory may differ from its state.
    async fn forget(&self, slot: &Arc<Slot<A>>) {
        self.remove(slot);
        *slot.held.lock().await = None;
    }
}

async fn goodbye<A: Actor>(slot: &Slot<A>) {
    let held = slot.held.lock().await.take();
    if let Some(mut held) = held
        && AssertUnwindSafe(A::deactivate(&mut held)).catch_unwind().await.is_err()
    {
        tracing::error!(actor = %slot.actor.id, kind = A::TYPE, "the goodbye of an actor panicked");
    }
}
