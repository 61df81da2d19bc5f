//! One stream to a worker: questions with ids, and the answers that come back.
//!
//! Ids count from 1; answers may come in any order. A question whose asker left is
//! kept as *late* until the worker answers it, because until then the worker may
//! still be running it, and its actor must not be activated anew (TURN-5).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use odeon_base::Execution;
use odeon_proto::dapr::runtime::v1::SubscribeActorEventsResponseAlpha1;
use odeon_proto::dapr::runtime::v1::subscribe_actor_events_response_alpha1::ResponseType;
use odeon_runtime::{ActorRef, Error, Reply};
use tokio::sync::{Notify, mpsc, oneshot};

use super::refusals::{Refusal, Refusals};

/// What a question asks; the answer has to be of the same kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Run a method.
    Invoke,
    /// Fire a reminder.
    Reminder,
    /// Fire a timer.
    Timer,
    /// Forget an actor.
    Deactivate,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Invoke => "invoke",
            Self::Reminder => "reminder",
            Self::Timer => "timer",
            Self::Deactivate => "deactivate",
        }
    }
}

/// What a worker answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The method ran.
    Reply(Reply),
    /// It is done; there is nothing to say.
    Done,
    /// It failed, with a gRPC code and a text.
    Failed {
        /// 5 on an invoke: the method does not exist.
        code: u32,
        /// The worker's words.
        message: String,
    },
}

/// The code of an answer that does not fit its question: gRPC's Internal.
const MISFIT: u32 = 13;

/// Questions that are on their way.
#[derive(Debug, Default)]
struct Flights {
    open: HashMap<u64, Flight>,
    /// How many late questions there are of an actor.
    late: HashMap<ActorRef, usize>,
    is_closed: bool,
}

#[derive(Debug)]
struct Flight {
    kind: Kind,
    asker: oneshot::Sender<Answer>,
    /// The actor, once the asker has left.
    late: Option<ActorRef>,
}

/// One stream to a worker.
#[derive(Debug)]
pub(super) struct Link {
    queue: mpsc::Sender<SubscribeActorEventsResponseAlpha1>,
    refusals: Refusals,
    ids: AtomicU64,
    flights: Mutex<Flights>,
    /// The worker was told that its types are registered; questions may go out.
    is_open: AtomicBool,
    /// The worker takes no new questions.
    is_leaving: AtomicBool,
    /// Told when the link opens or closes, and when a late question is settled.
    changed: Notify,
}

/// The asker's end of a question; says what becomes of it when the asker leaves.
struct Asked<'a> {
    link: &'a Link,
    id: u64,
    kind: Kind,
    actor: &'a ActorRef,
    is_sent: bool,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut flights = self.link.flights();
        let Flights { open, late, .. } = &mut *flights;
        let Some(flight) = open.get_mut(&self.id) else { return };
        if self.is_sent && self.kind != Kind::Deactivate {
            flight.late = Some(self.actor.clone());
            *late.entry(self.actor.clone()).or_default() += 1;
        } else {
            open.remove(&self.id);
        }
    }
}

impl Link {
    /// A link that puts its questions into this queue.
    pub(super) fn new(
        queue: mpsc::Sender<SubscribeActorEventsResponseAlpha1>,
        refusals: Refusals,
    ) -> Self {
        Self {
            queue,
            refusals,
            ids: AtomicU64::new(1),
            flights: Mutex::default(),
            is_open: AtomicBool::new(false),
            is_leaving: AtomicBool::new(false),
            changed: Notify::new(),
        }
    }

    fn flights(&self) -> MutexGuard<'_, Flights> {
        // Every section leaves the table sound at each step.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether questions may go out.
    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Whether the worker takes new questions, now or soon.
    pub(super) fn is_staying(&self) -> bool {
        !self.is_leaving.load(Ordering::Acquire)
    }

    /// The worker is about to go: new questions are for others.
    pub(super) fn mark_leaving(&self) {
        self.is_leaving.store(true, Ordering::Release);
    }

    /// What the code of a failed request says about the turn's beginning.
    pub(super) fn refusal(&self, code: u32) -> Option<Refusal> {
        self.refusals.of(code)
    }

    /// Lets questions out, the worker's own answer before all of them.
    ///
    /// # Cancel safety
    /// When dropped, the link stays shut.
    pub(super) async fn open(&self, initial: SubscribeActorEventsResponseAlpha1) -> bool {
        if self.queue.send(initial).await.is_err() {
            return false;
        }
        self.is_open.store(true, Ordering::Release);
        self.changed.notify_waiters();
        true
    }

    /// Asks the worker; `question` makes the message of the id it is given.
    ///
    /// # Errors
    /// [`Error::AppLost`] when the stream ended: `none` if the question did not go out.
    ///
    /// # Cancel safety
    /// A question that went out stays with the worker, and is late.
    pub(super) async fn ask(
        &self,
        kind: Kind,
        actor: &ActorRef,
        question: impl FnOnce(String) -> ResponseType,
    ) -> Result<Answer, Error> {
        if !self.is_open() {
            self.wait(|link, flights| link.is_open() || flights.is_closed).await;
        }
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let (asker, answer) = oneshot::channel();
        {
            let mut flights = self.flights();
            if flights.is_closed {
                return Err(lost(Execution::None));
            }
            flights.open.insert(id, Flight { kind, asker, late: None });
        }
        let mut asked = Asked { link: self, id, kind, actor, is_sent: false };
        let message =
            SubscribeActorEventsResponseAlpha1 { response_type: Some(question(id.to_string())) };
        if self.queue.send(message).await.is_err() {
            return Err(lost(Execution::None));
        }
        asked.is_sent = true;
        answer.await.map_err(|_| lost(Execution::Maybe))
    }

    /// Passes an answer on; `kind` is what it answers, unless it is a failure. An
    /// unknown id is dropped.
    pub(super) fn answer(&self, id: &str, kind: Option<Kind>, answer: Answer) {
        let mut flights = self.flights();
        let flight = id.parse().ok().and_then(|id: u64| flights.open.remove(&id));
        let Some(flight) = flight else {
            tracing::debug!(?id, "an answer to no question was dropped");
            return;
        };
        if let Some(actor) = flight.late {
            if let Some(count) = flights.late.get_mut(&actor) {
                *count -= 1;
                if *count == 0 {
                    flights.late.remove(&actor);
                }
            }
            drop(flights);
            self.changed.notify_waiters();
            return;
        }
        drop(flights);
        let answer = match kind {
            Some(kind) if kind != flight.kind => Answer::Failed {
                code: MISFIT,
                message: format!(
                    "the worker answered {} request {id} as if it were a {} request",
                    flight.kind.name(),
                    kind.name()
                ),
            },
            Some(_) | None => answer,
        };
        // An asker that left this instant has made its question late, or will never know.
        let _ = flight.asker.send(answer);
    }

    /// Waits until no late question of an actor is left.
    ///
    /// # Cancel safety
    /// Can be dropped at will.
    pub(super) async fn settled(&self, actor: &ActorRef) {
        self.wait(|_, flights| !flights.late.contains_key(actor)).await;
    }

    /// The stream is over: whoever waits for an answer is told.
    pub(super) fn close(&self) {
        let mut flights = self.flights();
        flights.is_closed = true;
        let open = std::mem::take(&mut flights.open);
        flights.late.clear();
        drop(flights);
        // Their askers wake when these are dropped.
        drop(open);
        self.changed.notify_waiters();
    }

    async fn wait(&self, is_so: impl Fn(&Self, &Flights) -> bool) {
        if is_so(self, &self.flights()) {
            return;
        }
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if is_so(self, &self.flights()) {
                return;
            }
            changed.await;
        }
    }
}

/// The worker is gone.
fn lost(execution: Execution) -> Error {
    Error::AppLost { reason: "actor host disconnected before responding".into(), execution }
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
