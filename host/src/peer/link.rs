//! The connection to one address: opened when it is first needed, kept, opened anew.
//!
//! A call that finds none waits for one attempt, its waiting time between attempts
//! included, and never longer than its own time. When a connection ends, `outbox` tells
//! each call whether it may have been run; nothing is sent again here.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use odeon_base::backoff::Backoff;
use odeon_base::kind::with_causes;
use odeon_base::{Entropy, TaskKind, Tasks};
use odeon_proto::odeon::host::v1::peer_client::PeerClient;
use odeon_proto::odeon::host::v1::{PeerReply, PeerRequest};
use odeon_runtime::engine::WeakEngine;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, sleep_until, timeout, timeout_at};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Streaming};

use super::outbox::{Asked, NotTaken, Outbox, Outgoing, TICK};
use super::wire::Heard;
use super::{CONNECTION_WINDOW, Config, KEEP_ALIVE, KEEP_ALIVE_WAIT, STREAM_WINDOW, wire};

/// Waits between attempts. Short, because the table that says where else to go may come at
/// any time, and cheap, because nobody tries but for a call.
const AGAIN: Backoff = Backoff {
    first: std::time::Duration::from_millis(10),
    max: std::time::Duration::from_millis(200),
};

/// How many KiB may wait to be written on one connection; callers wait before more do.
const QUEUE_KIB: usize = 64 << 10;

/// How many connections a call tries that end just as it comes.
const TRIES: usize = 3;

/// What all connections of a host share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) engine: std::sync::OnceLock<WeakEngine>,
    pub(super) entropy: Entropy,
    pub(super) tasks: Tasks,
}

/// The way to one address.
#[derive(Debug)]
pub(super) struct Link {
    shared: Arc<Shared>,
    address: Arc<str>,
    room: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// The last so many attempts failed, and the next is not before then.
    Shut { failures: u32, not_before: Instant },
    /// On its way.
    Opening(watch::Receiver<Option<Opened>>),
    /// There.
    Open(Session),
}

/// An attempt's result: the connection, or why there is none.
type Opened = Result<Session, Arc<str>>;

/// A connection, and who is at its other end.
#[derive(Debug, Clone)]
struct Session {
    outbox: Arc<Outbox>,
    host: Arc<str>,
}

/// Why a call did not get as far as a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotAsked {
    /// There is no connection to that host; nothing was begun.
    Unreachable(Arc<str>),
    /// A call of this number is on its way already: a defect of whoever numbers them.
    Twice,
}

impl Link {
    pub(super) fn new(shared: Arc<Shared>, address: Arc<str>) -> Arc<Self> {
        let state = Mutex::new(State::Shut { failures: 0, not_before: Instant::now() });
        let room = Arc::new(Semaphore::new(QUEUE_KIB));
        Arc::new(Self { shared, address, room, state })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every section leaves the state sound at each step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is neither a connection nor an attempt, nor was one tried lately.
    pub(super) fn is_unused(&self) -> bool {
        match &*self.state() {
            State::Shut { not_before, .. } => *not_before + AGAIN.max < Instant::now(),
            State::Open(session) => session.outbox.is_over(),
            State::Opening(_) => false,
        }
    }

    /// Gives a call to the connection, which is to be that of this host; `message` makes it
    /// once there is one, since it says how much time is left.
    ///
    /// # Errors
    /// [`NotAsked`]; nothing was written.
    ///
    /// # Cancel safety
    /// Nothing was written; an attempt that was begun goes on for others.
    pub(super) async fn ask(
        self: &Arc<Self>,
        host: &str,
        id: u64,
        bytes: usize,
        deadline: Option<Instant>,
        message: impl Fn() -> PeerRequest,
    ) -> Result<Asked, NotAsked> {
        let asking = async {
            let mut room = self.room(bytes).await;
            for _ in 0..TRIES {
                let session = self.session().await.map_err(NotAsked::Unreachable)?;
                if *session.host != *host {
                    let reason = format!("host {} answers there", session.host);
                    return Err(NotAsked::Unreachable(reason.into()));
                }
                match session.outbox.ask(id, Box::new((message(), room))) {
                    Ok(asked) => return Ok(asked),
                    Err(NotTaken::Twice) => return Err(NotAsked::Twice),
                    Err(NotTaken::Ended(back)) => room = back.1,
                }
            }
            Err(NotAsked::Unreachable("the connection ended as the call came".into()))
        };
        let Some(deadline) = deadline else { return asking.await };
        timeout_at(deadline, asking).await.unwrap_or_else(|_| {
            Err(NotAsked::Unreachable("there was no connection within the call's time".into()))
        })
    }

    /// Room in the queue for a body of so many bytes.
    async fn room(&self, bytes: usize) -> OwnedSemaphorePermit {
        let kib = u32::try_from(bytes / 1_024 + 1).unwrap_or(u32::MAX).min(QUEUE_KIB as u32);
        let room = Arc::clone(&self.room).acquire_many_owned(kib).await;
        room.expect("the semaphore is never closed")
    }

    /// The connection; made, if there is none.
    async fn session(self: &Arc<Self>) -> Opened {
        let mut opening = {
            let mut state = self.state();
            match &*state {
                State::Open(session) if !session.outbox.is_over() => return Ok(session.clone()),
                State::Opening(opening) => opening.clone(),
                State::Open(_) => self.begin(&mut state, 0, Instant::now()),
                State::Shut { failures, not_before } => {
                    let (failures, not_before) = (*failures, *not_before);
                    self.begin(&mut state, failures, not_before)
                }
            }
        };
        let opened = opening.wait_for(Option::is_some).await;
        match opened {
            Ok(opened) => opened.clone().unwrap_or_else(|| Err("it was not opened".into())),
            Err(_) => Err("the host is stopping".into()),
        }
    }

    /// Begins an attempt, in a task of its own: it is for all who wait, and for those to come.
    fn begin(
        self: &Arc<Self>,
        state: &mut State,
        failures: u32,
        not_before: Instant,
    ) -> watch::Receiver<Option<Opened>> {
        let (tell, told) = watch::channel(None);
        *state = State::Opening(told.clone());
        let (link, stopping) = (Arc::clone(self), self.shared.tasks.stopping().clone());
        self.shared.tasks.spawn(TaskKind::Stream, async move {
            tokio::select! {
                biased;
                () = stopping.cancelled() => link.shut(0),
                () = link.keep(tell, failures, not_before) => {}
            }
        });
        told
    }

    /// One connection, from the attempt to its end.
    async fn keep(&self, tell: watch::Sender<Option<Opened>>, failures: u32, not_before: Instant) {
        sleep_until(not_before).await;
        let attempt = timeout(self.shared.config.opening, self.open()).await;
        let limit = self.shared.config.opening;
        let opened = attempt.unwrap_or_else(|_| Err(format!("no answer within {limit:?}")));
        let (session, mut replies) = match opened {
            Ok(opened) => opened,
            Err(reason) => {
                tracing::debug!(address = %self.address, "no connection to a host: {reason}");
                self.shut(failures.saturating_add(1));
                // Nobody may wait any more.
                tell.send_replace(Some(Err(reason.into())));
                return;
            }
        };
        *self.state() = State::Open(session.clone());
        tell.send_replace(Some(Ok(session.clone())));
        drop(tell);
        // Also when this task is dropped: whoever waits is told.
        let ending = Ending(&session.outbox);
        let reason = tokio::select! {
            biased;
            reason = hear(&session.outbox, &mut replies) => reason,
            reason = self.idle(&session.outbox) => reason.to_owned(),
            never = run(&session.outbox) => match never {},
        };
        tracing::debug!(address = %self.address, host = %session.host, "{reason}");
        session.outbox.end(&reason.into());
        drop(ending);
        // Another may have been opened already: this one said goodbye before it ended.
        let mut state = self.state();
        if matches!(&*state, State::Open(now) if Arc::ptr_eq(&now.outbox, &session.outbox)) {
            *state = State::Shut { failures: 0, not_before: Instant::now() };
        }
    }

    fn shut(&self, failures: u32) {
        let wait = match failures.checked_sub(1) {
            Some(attempt) => AGAIN.wait(attempt, self.shared.entropy.fraction()),
            None => std::time::Duration::ZERO,
        };
        *self.state() = State::Shut { failures, not_before: Instant::now() + wait };
    }

    async fn open(&self) -> Result<(Session, Streaming<PeerReply>), String> {
        let config = &self.shared.config;
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))
            .map_err(|error| with_causes(&error))?
            .connect_timeout(config.opening)
            .tcp_nodelay(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_WAIT);
        let channel = endpoint.connect().await.map_err(|error| with_causes(&error))?;
        let engine = self.shared.engine.get().and_then(WeakEngine::upgrade);
        let hello = config.hello(engine.as_ref());
        drop(engine);
        let outbox = Outbox::beginning_with(wire::say_hello(&hello));
        let mut replies = self.exchange(channel, &outbox).await?;
        let first = replies.message().await.map_err(|status| status.message().to_owned())?;
        let first = first.ok_or_else(|| "it ended the stream without a word".to_owned())?;
        let hello = wire::hear_hello_back(first, &config.namespace);
        let hello = hello.map_err(|error| error.to_string())?;
        tracing::debug!(address = %self.address, host = %hello.host, "connected to a host");
        Ok((Session { outbox, host: hello.host }, replies))
    }

    async fn exchange(
        &self,
        channel: Channel,
        outbox: &Arc<Outbox>,
    ) -> Result<Streaming<PeerReply>, String> {
        let config = &self.shared.config;
        let mut request = Request::new(Outgoing(Arc::clone(outbox)));
        if let Some(token) = &config.token {
            token.show(request.metadata_mut());
        }
        let mut client =
            PeerClient::new(channel).max_decoding_message_size(config.message_bytes_max());
        let answered = client.exchange(request).await;
        Ok(answered.map_err(|status| status.message().to_owned())?.into_inner())
    }

    /// Until nobody has called for a while, when the connection ends.
    async fn idle(&self, outbox: &Outbox) -> &'static str {
        let mut before = outbox.calls();
        loop {
            tokio::time::sleep(self.shared.config.idle).await;
            let calls = outbox.calls();
            let reason = "closed a connection that nobody used";
            if calls == before && outbox.end_if_idle(&reason.into()) {
                return reason;
            }
            before = calls;
        }
    }
}

/// Tells the outbox that this process runs.
async fn run(outbox: &Outbox) -> Infallible {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        outbox.tick();
    }
}

/// Passes answers on until the stream ends; why it did.
async fn hear(outbox: &Outbox, replies: &mut Streaming<PeerReply>) -> String {
    loop {
        let heard = match replies.message().await {
            Ok(Some(heard)) => heard,
            Ok(None) => return "the other host ended the stream".to_owned(),
            Err(status) => return status.message().to_owned(),
        };
        match wire::hear_answer(heard) {
            Ok(Heard::Answer(id, answer)) => outbox.answer(id, answer),
            // What it was sent it still answers; what it was not goes elsewhere.
            Ok(Heard::Goodbye) => outbox.end_writing(&Arc::from("the host is shutting down")),
            Err(wrong) => return format!("the other host said what cannot be understood: {wrong}"),
        }
    }
}

struct Ending<'a>(&'a Outbox);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.end(&Arc::from("the host is stopping"));
    }
}
