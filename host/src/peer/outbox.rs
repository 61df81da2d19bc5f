//! The calls of one connection: which wait to be written, and which for an answer.
//!
//! A call keeps its message until the connection takes it, in one step with everything else
//! that is known of it. So when the connection ends, what still has its message was certainly
//! never written (`none`), and all else may have been (`maybe`).

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::Stream;
use odeon_proto::odeon::host::v1 as proto;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Duration, Instant};

use super::KEEP_ALIVE_WAIT;
use super::wire::{self, Answer};

/// How often an outbox has to be told that its process runs.
pub(super) const TICK: Duration = Duration::from_millis(500);
/// A process that was not seen to run for so long stood still for a time after which the other
/// side may give a connection up: it asked just before, and waits [`KEEP_ALIVE_WAIT`].
const STILL_MAX: Duration = KEEP_ALIVE_WAIT.saturating_sub(TICK);

/// How a call ended, as far as its connection can tell.
#[derive(Debug)]
pub(super) enum End {
    /// The other host answered.
    Answered(Answer),
    /// The connection ended before the call was written.
    Unwritten(Arc<str>),
    /// The connection ended later.
    Lost(Arc<str>),
}

/// A message with its place in the queue, which it gives back once it was taken.
type Message = (proto::PeerRequest, OwnedSemaphorePermit);

#[derive(Debug)]
struct Flight {
    /// Until the connection has taken it.
    message: Option<Box<Message>>,
    asker: oneshot::Sender<End>,
}

#[derive(Debug)]
enum Item {
    Hello(Box<proto::PeerRequest>),
    Call(u64),
    Cancel(u64),
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Item>,
    flights: BTreeMap<u64, Flight>,
    /// The connection, while it waits for something to write.
    connection: Option<Waker>,
    ended: Option<Arc<str>>,
    /// How many calls there were.
    calls: u64,
    /// When this process was last seen to run, once anybody looks.
    ran: Option<Instant>,
}

impl State {
    /// Nothing more is written.
    fn end_writing(&mut self, reason: &Arc<str>) {
        self.ended.get_or_insert_with(|| Arc::clone(reason));
        for (_, flight) in self.flights.extract_if(.., |_, flight| flight.message.is_some()) {
            // An asker that left this instant will never know.
            drop(flight.asker.send(End::Unwritten(Arc::clone(reason))));
        }
    }

    /// Nothing more is written if this process stood still.
    fn end_if_still(&mut self, now: Instant) {
        let Some(ran) = self.ran else { return };
        let still = now.saturating_duration_since(ran);
        if still > STILL_MAX && self.ended.is_none() {
            let reason = format!("this process was not seen to run for {still:?}");
            tracing::debug!("leaves a connection to another host: {reason}");
            self.end_writing(&Arc::from(reason));
        }
    }
}

/// The calls of one connection, shared by callers, the writing and the reading side.
#[derive(Debug)]
pub(super) struct Outbox {
    state: Mutex<State>,
}

/// Why a call was not taken in; it comes back.
#[derive(Debug)]
pub(super) enum NotTaken {
    /// The connection is over.
    Ended(Box<Message>),
    /// A call of this number is on its way already.
    Twice,
}

/// A call on its way. Dropped before it ended, the other host is told.
#[derive(Debug)]
pub(super) struct Asked {
    outbox: Arc<Outbox>,
    id: u64,
    pub(super) end: oneshot::Receiver<End>,
}

impl Asked {
    /// Whether the call was not written yet; then it never will be.
    pub(super) fn take_back(&self) -> bool {
        let mut state = self.outbox.state();
        let is_unwritten = state.flights.get(&self.id).is_some_and(|of| of.message.is_some());
        if is_unwritten {
            state.flights.remove(&self.id);
        }
        is_unwritten
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.outbox.forget(self.id);
    }
}

impl Outbox {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every section leaves the table sound at each step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection on which nothing was said yet but this.
    pub(super) fn beginning_with(hello: proto::PeerRequest) -> Arc<Self> {
        let queue = VecDeque::from([Item::Hello(Box::new(hello))]);
        let state = State { queue, ..State::default() };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// This process runs; to be told every [`TICK`].
    pub(super) fn tick(&self) {
        let (mut state, now) = (self.state(), Instant::now());
        state.end_if_still(now);
        state.ran = Some(now);
        if state.ended.is_some() {
            // So that the other side sees the end of what is written.
            wake(state);
        }
    }

    /// Takes a call in, to be written when its turn comes.
    ///
    /// # Errors
    /// [`NotTaken`]; nothing was written.
    pub(super) fn ask(self: &Arc<Self>, id: u64, message: Box<Message>) -> Result<Asked, NotTaken> {
        let (asker, end) = oneshot::channel();
        let mut state = self.state();
        state.end_if_still(Instant::now());
        if state.ended.is_some() {
            return Err(NotTaken::Ended(message));
        }
        if state.flights.contains_key(&id) {
            return Err(NotTaken::Twice);
        }
        state.calls += 1;
        state.flights.insert(id, Flight { message: Some(message), asker });
        state.queue.push_back(Item::Call(id));
        wake(state);
        Ok(Asked { outbox: Arc::clone(self), id, end })
    }

    /// Nobody waits for the call any more.
    fn forget(&self, id: u64) {
        let mut state = self.state();
        // Its item in the queue finds nothing, if it was not taken.
        let Some(flight) = state.flights.remove(&id) else { return };
        if flight.message.is_none() {
            state.queue.push_back(Item::Cancel(id));
            wake(state);
        }
    }

    /// Passes an answer on; one to no question is dropped.
    pub(super) fn answer(&self, id: u64, answer: Answer) {
        let flight = self.state().flights.remove(&id);
        match flight {
            // An asker that left this instant will never know.
            Some(flight) => drop(flight.asker.send(End::Answered(answer))),
            None => tracing::trace!(id, "an answer that nobody waits for was dropped"),
        }
    }

    /// The connection is over: whoever waits is told. The first reason counts.
    pub(super) fn end(&self, reason: &Arc<str>) {
        let mut state = self.state();
        state.ended.get_or_insert_with(|| Arc::clone(reason));
        let flights = std::mem::take(&mut state.flights);
        wake(state);
        for (_, flight) in flights {
            let end = match flight.message {
                Some(_) => End::Unwritten(Arc::clone(reason)),
                None => End::Lost(Arc::clone(reason)),
            };
            // As above.
            drop(flight.asker.send(end));
        }
    }

    /// Nothing more is written; answers may still come to what was.
    pub(super) fn end_writing(&self, reason: &Arc<str>) {
        let mut state = self.state();
        state.end_writing(reason);
        // So that the other side sees the end of what is written.
        wake(state);
    }

    /// Ends the connection if nobody waits for anything, in one step.
    pub(super) fn end_if_idle(&self, reason: &Arc<str>) -> bool {
        let mut state = self.state();
        let is_idle = state.flights.is_empty() && state.queue.is_empty();
        if is_idle {
            state.ended.get_or_insert_with(|| Arc::clone(reason));
            wake(state);
        }
        is_idle
    }

    /// How many calls there were until now.
    pub(super) fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Whether the connection is over.
    pub(super) fn is_over(&self) -> bool {
        self.state().ended.is_some()
    }
}

/// Lets the connection go on, which takes the lock as soon as it does.
fn wake(mut state: MutexGuard<'_, State>) {
    let connection = state.connection.take();
    drop(state);
    if let Some(connection) = connection {
        connection.wake();
    }
}

/// What the connection writes. All that is ready comes out in one go, so that many
/// messages share a write.
#[derive(Debug)]
pub(super) struct Outgoing(pub(super) Arc<Outbox>);

impl Stream for Outgoing {
    type Item = proto::PeerRequest;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.0.state();
        state.end_if_still(Instant::now());
        loop {
            if state.ended.is_some() {
                return Poll::Ready(None);
            }
            match state.queue.pop_front() {
                Some(Item::Hello(hello)) => return Poll::Ready(Some(*hello)),
                Some(Item::Cancel(id)) => return Poll::Ready(Some(wire::say_cancel(id))),
                Some(Item::Call(id)) => {
                    let flight = state.flights.get_mut(&id);
                    if let Some(message) = flight.and_then(|flight| flight.message.take()) {
                        let (request, _room) = *message;
                        return Poll::Ready(Some(request));
                    }
                }
                None => {
                    state.connection = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.0.end_writing(&Arc::from("the connection was closed"));
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
