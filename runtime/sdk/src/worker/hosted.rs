//! The instances of one actor type in this worker, for the life of one stream.
//!
//! The host orders the turns of an actor; a lock per instance guards the order
//! besides, since a turn borrows the instance mutably. No map guard lives across an
//! await. A turn's end is put on the wire in `answer.rs`.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _};
use odeon_base::{ActorId, ActorType};
use odeon_runtime::{ActorRef, Headers};
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout};
use tonic::Code;

use super::answer::{self, Asked};
use super::desk::{Desk, Seat};
use crate::actor::{Actor, Held, Settings};
use crate::ctx::Ctx;
use crate::error::TurnError;
use crate::hold::Hold as _;
use crate::native::{self, Factory};
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
    pub(crate) fn new<A: Actor>(make: Factory<A>) -> Self {
        let actor_type = native::type_of::<A>();
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

/// What is in memory of an actor.
enum Memory<H> {
    /// Nothing yet.
    New,
    /// Its instance.
    Here(H),
    /// It has left, and this slot with it: whoever waited takes the next one.
    Gone,
}

/// One actor.
struct Slot<A: Actor> {
    actor: ActorRef,
    memory: Arc<tokio::sync::Mutex<Memory<Held<A>>>>,
}

/// All of a type.
struct Instances<A: Actor> {
    actor_type: ActorType,
    make: Factory<A>,
    settings: Settings,
    slots: Mutex<HashMap<String, Arc<Slot<A>>>>,
}

/// The right to use an actor's memory.
type Guard<A> = OwnedMutexGuard<Memory<Held<A>>>;

/// A turn that did not come to an answer.
enum Broken {
    /// By its own doing.
    Ended(TurnError),
    /// The type's limit for one turn passed.
    TooLong,
    /// It panicked, with these words.
    Panicked(String),
}

impl<A: Actor> Hosted for Instances<A> {
    fn turn(self: Arc<Self>, desk: &Arc<Desk>, seat: Seat, question: Question) {
        let shared = Arc::clone(desk);
        desk.work(async move {
            let _seat = seat;
            let Question { asked, id, actor_id, method, body, headers } = question;
            let (slot, guard) = match self.enter(&actor_id).await {
                Ok(entered) => entered,
                Err(words) => return answer::failed(id, Code::InvalidArgument, words),
            };
            match self.run(&shared, &slot, guard, &headers, &method, body).await {
                Ok(body) => answer::turn(asked, id, Ok(body)),
                Err(Broken::Ended(error)) => answer::turn(asked, id, Err(error)),
                Err(Broken::TooLong) => {
                    let words = "the turn took longer than its type's limit";
                    answer::failed(id, Code::DeadlineExceeded, words)
                }
                Err(Broken::Panicked(words)) => {
                    answer::failed(id, Code::Internal, format!("the turn panicked: {words}"))
                }
            }
        });
    }

    fn deactivate(self: Arc<Self>, desk: &Arc<Desk>, id: String, actor_id: String) {
        desk.work(async move {
            let slot = self.slots().get(&actor_id).cloned();
            if let Some(slot) = slot {
                self.leave(&slot, None, true).await;
            }
            answer::deactivated(id)
        });
    }

    fn end(self: Arc<Self>) -> BoxFuture<'static, ()> {
        let slots: Vec<_> = self.slots().values().map(Arc::clone).collect();
        async move {
            stream::iter(slots)
                .for_each_concurrent(GOODBYES_MAX, |slot| {
                    let all = Arc::clone(&self);
                    async move { all.leave(&slot, None, true).await }
                })
                .await;
        }
        .boxed()
    }
}

impl<A: Actor> Instances<A> {
    fn slots(&self) -> MutexGuard<'_, HashMap<String, Arc<Slot<A>>>> {
        // Each section is one step of the map, so a poisoned lock holds a sound one.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, id: &str) -> Result<Arc<Slot<A>>, String> {
        let mut slots = self.slots();
        if let Some(slot) = slots.get(id) {
            return Ok(Arc::clone(slot));
        }
        let actor = ActorRef {
            actor_type: self.actor_type.clone(),
            id: ActorId::parse(id).map_err(|error| error.to_string())?,
        };
        let memory = Arc::new(tokio::sync::Mutex::new(Memory::New));
        let slot = Arc::new(Slot { actor, memory });
        slots.insert(id.to_owned(), Arc::clone(&slot));
        Ok(slot)
    }

    /// Waits for the actor's memory.
    async fn enter(&self, id: &str) -> Result<(Arc<Slot<A>>, Guard<A>), String> {
        loop {
            let slot = self.slot(id)?;
            let guard = Arc::clone(&slot.memory).lock_owned().await;
            if !matches!(*guard, Memory::Gone) {
                return Ok((slot, guard));
            }
        }
    }

    /// One turn: makes the instance if need be, runs the method, and does what the
    /// turn asked for.
    async fn run(
        &self,
        desk: &Desk,
        slot: &Slot<A>,
        mut guard: Guard<A>,
        headers: &Headers,
        method: &str,
        body: Bytes,
    ) -> Result<Bytes, Broken> {
        let limit = self.settings.turn_max;
        let caller = remote::caller(headers, Instant::now());
        let activation = remote::activation(headers);
        let turn = WorkerTurn::new(&desk.host, &slot.actor, activation, caller, desk.wall.now());
        if matches!(*guard, Memory::New) {
            match within(limit, self.activate(&turn)).await {
                Ok(held) => *guard = Memory::Here(held),
                Err(broken) => {
                    self.leave(slot, Some(guard), false).await;
                    return Err(broken);
                }
            }
        }
        let Memory::Here(held) = &mut *guard else {
            return Err(Broken::Panicked("an actor without memory".to_owned()));
        };
        let mut ctx = Ctx::new(Place::Worker(&turn), Some(headers));
        let (ended, guard) = match A::Hold::share(held) {
            Some(mut held) => {
                // Turns of the same chain may come in meanwhile.
                drop(guard);
                (within(limit, A::dispatch(&mut held, &mut ctx, method, body)).await, None)
            }
            None => {
                let ended = within(limit, A::dispatch(held, &mut ctx, method, body)).await;
                (ended, Some(guard))
            }
        };
        match (&ended, turn.after()) {
            (Err(Broken::TooLong | Broken::Panicked(_)), _) | (_, After::Forget) => {
                self.leave(slot, guard, false).await;
            }
            (_, After::Deactivate) => self.leave(slot, guard, true).await,
            (_, After::Stay) => {}
        }
        ended
    }

    async fn activate(&self, turn: &WorkerTurn<'_>) -> Result<Held<A>, TurnError> {
        let mut actor = (self.make)(turn.actor.id.as_str());
        let mut ctx = Ctx::new(Place::Worker(turn), None);
        A::activate(&mut actor, &mut ctx).await.map_err(TurnError::Failed)?;
        ctx.commit().await.map_err(TurnError::Commit)?;
        Ok(A::Hold::hold(actor))
    }

    /// Takes an actor out of memory, with a goodbye or without; waits for its turn
    /// unless the caller's `guard` is the turn's own.
    async fn leave(&self, slot: &Slot<A>, guard: Option<Guard<A>>, is_goodbye: bool) {
        let mut guard = match guard {
            Some(guard) => guard,
            None => Arc::clone(&slot.memory).lock_owned().await,
        };
        let memory = std::mem::replace(&mut *guard, Memory::Gone);
        if matches!(memory, Memory::Gone) {
            // The map may hold the next one of this id already.
            return;
        }
        if let (Memory::Here(mut held), true) = (memory, is_goodbye)
            && AssertUnwindSafe(A::deactivate(&mut held)).catch_unwind().await.is_err()
        {
            tracing::error!(kind = A::TYPE, id = %slot.actor.id, "the goodbye of an actor panicked");
        }
        // Only now may the next one be made: the two must not overlap.
        self.slots().remove(slot.actor.id.as_str());
    }
}

/// Runs a part of a turn within the type's limit; a panic ends this turn alone.
async fn within<T>(
    limit: Option<Duration>,
    work: impl Future<Output = Result<T, TurnError>>,
) -> Result<T, Broken> {
    let work = AssertUnwindSafe(work).catch_unwind();
    let ended = match limit {
        Some(limit) => timeout(limit, work).await.map_err(|_| Broken::TooLong)?,
        None => work.await,
    };
    match ended {
        Ok(ended) => ended.map_err(Broken::Ended),
        Err(panic) => Err(Broken::Panicked(answer::panic_words(&*panic).to_owned())),
    }
}
