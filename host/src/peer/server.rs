//! Calls that other hosts send here: read, run, answered in any order.
//!
//! Each call of a stream enters the engine in the order in which it came, and goes on in a
//! task of its own if it has to wait: calls to one actor keep their order (TURN-2), and a slow
//! one holds up nobody. The engine answers `Moved` for what is not its own; a call is never
//! sent on to a third host.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use odeon_base::{TaskKind, Tasks};
use odeon_placement::wire::Wrong;
use odeon_proto::odeon::host::v1 as proto;
use odeon_runtime::peers::Failure;
use odeon_runtime::{Engine, Invocation};
use proto::peer_server::{Peer, PeerServer};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use super::wire::{self, Asked};
use super::{CONNECTION_WINDOW, Config, KEEP_ALIVE, KEEP_ALIVE_WAIT, STREAM_WINDOW};
use crate::status::{self, PeerRefused};

/// How long a host that connected may take to say who it is.
const HELLO_WAIT: Duration = Duration::from_secs(5);

/// How long a host that goes waits for what it was sent to be answered, and for the other
/// host to stop sending.
const PARTING: Duration = Duration::from_secs(1);

/// Refusals that may wait beside the answers; then the stream is read no further.
const REFUSALS: usize = 16;

/// Runs the calls of other hosts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Server {
    config: Arc<Config>,
    engine: Engine,
    tasks: Tasks,
}

impl Server {
    /// A server in front of an engine, whose streams and calls belong to `tasks`.
    #[must_use]
    pub fn new(config: Config, engine: Engine, tasks: Tasks) -> Self {
        Self { config: Arc::new(config), engine, tasks }
    }

    /// Serves hosts on a listener until the tasks are told to stop, and ends their streams then.
    ///
    /// # Errors
    /// When the server cannot go on; a failing connection concerns its own peer alone.
    ///
    /// # Cancel safety
    /// Dropped, it takes no more connections; open streams end with the tasks.
    pub async fn serve(self, listener: TcpListener) -> Result<(), tonic::transport::Error> {
        let stopping = self.tasks.stopping().clone();
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let limit = self.config.message_bytes_max();
        tonic::transport::Server::builder()
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .http2_keepalive_timeout(Some(KEEP_ALIVE_WAIT))
            .add_service(PeerServer::new(self).max_decoding_message_size(limit))
            .serve_with_incoming_shutdown(incoming, stopping.cancelled_owned())
            .await
    }
}

#[tonic::async_trait]
impl Peer for Server {
    type ExchangeStream = Outgoing;

    async fn exchange(
        &self,
        request: Request<Streaming<proto::PeerRequest>>,
    ) -> Result<Response<Outgoing>, Status> {
        let from = request.remote_addr();
        if let Some(token) = &self.config.token
            && let Err(denied) = token.check(request.metadata())
        {
            tracing::warn!(?from, "refused a host: {denied}");
            return Err(status::of_peer_stream(&PeerRefused::Token(denied)));
        }
        let (answers, queue) = mpsc::channel(self.config.calls_max.max(1) + REFUSALS);
        let (end, ended) = oneshot::channel();
        let over = CancellationToken::new();
        let serving = Serving {
            config: Arc::clone(&self.config),
            engine: self.engine.clone(),
            tasks: self.tasks.clone(),
            answers,
            room: Arc::new(Semaphore::new(self.config.calls_max.max(1))),
            running: Arc::default(),
        };
        let (stopping, left) = (self.tasks.stopping().clone(), over.clone());
        self.tasks.spawn(TaskKind::Stream, async move {
            let refused = tokio::select! {
                biased;
                () = left.cancelled() => None,
                refused = serving.run(request.into_inner(), &stopping) => refused,
            };
            if let Some(refused) = &refused {
                tracing::info!(?from, "ended the stream of a host: {refused}");
            }
            // Nobody there to be told: the host has gone meanwhile.
            let _ = end.send(refused);
        });
        Ok(Response::new(Outgoing { queue, ended: Some(ended), _over: over.drop_guard() }))
    }
}

/// One answer, and its call's place among those that are waited for.
type Answered = (proto::PeerReply, Option<OwnedSemaphorePermit>);

/// What another host is told, pulled by its connection. All that is ready comes out in
/// one go, so that many answers share a write.
#[derive(Debug)]
pub struct Outgoing {
    queue: mpsc::Receiver<Answered>,
    ended: Option<oneshot::Receiver<Option<PeerRefused>>>,
    /// Ends the reading, and the calls that wait, when the connection lets go of this.
    _over: DropGuard,
}

impl Stream for Outgoing {
    type Item = Result<proto::PeerReply, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // What was answered before the end is told before it.
        if let Poll::Ready(Some((reply, _room))) = self.queue.poll_recv(cx) {
            return Poll::Ready(Some(Ok(reply)));
        }
        let Some(ended) = &mut self.ended else { return Poll::Ready(None) };
        let Poll::Ready(end) = Pin::new(ended).poll(cx) else { return Poll::Pending };
        self.ended = None;
        let refused = end.unwrap_or(Some(PeerRefused::Stopping));
        Poll::Ready(refused.map(|refused| Err(status::of_peer_stream(&refused))))
    }
}

/// The calls of one stream that are not answered yet. Dropped, those that wait are ended.
#[derive(Debug, Default)]
struct Running(Mutex<BTreeMap<u64, Option<AbortHandle>>>);

impl Running {
    fn calls(&self) -> MutexGuard<'_, BTreeMap<u64, Option<AbortHandle>>> {
        // Every section leaves the table sound at each step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False if a call of this number is there already.
    fn enter(&self, id: u64) -> bool {
        match self.calls().entry(id) {
            Entry::Vacant(free) => free.insert(None).is_none(),
            Entry::Occupied(_) => false,
        }
    }

    /// It has a task, unless that has ended already.
    fn has_task(&self, id: u64, task: AbortHandle) {
        if let Some(slot) = self.calls().get_mut(&id) {
            *slot = Some(task);
        }
    }

    fn remove(&self, id: u64) -> Option<AbortHandle> {
        self.calls().remove(&id).flatten()
    }

    fn end_all(&self) {
        let calls = std::mem::take(&mut *self.calls());
        for task in calls.into_values().flatten() {
            task.abort();
        }
    }
}

/// What one host says, from its greeting to the end of its stream.
struct Serving {
    config: Arc<Config>,
    engine: Engine,
    tasks: Tasks,
    answers: mpsc::Sender<Answered>,
    room: Arc<Semaphore>,
    running: Arc<Running>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Nobody hears the answers; turns that began run on (O7).
        self.running.end_all();
    }
}

impl Serving {
    /// Until the host ends the stream or goes away; or else why the stream must end.
    async fn run(
        self,
        mut incoming: Streaming<proto::PeerRequest>,
        stopping: &CancellationToken,
    ) -> Option<PeerRefused> {
        let greeted = tokio::select! {
            biased;
            () = stopping.cancelled() => return Some(PeerRefused::Stopping),
            greeted = timeout(HELLO_WAIT, self.greet(&mut incoming)) => greeted,
        };
        match greeted {
            Ok(Ok(())) => {}
            Ok(Err(refused)) => return refused,
            Err(_) => return Some(PeerRefused::Silent),
        }
        let mut hearing = pin!(self.hear(&mut incoming));
        tokio::select! {
            biased;
            () = stopping.cancelled() => {}
            refused = &mut hearing => return refused,
        }
        // Whoever calls cannot tell a call that was not read from one that ran: so all that
        // was sent is read and answered, once the other host knows that it should stop. The
        // hearing goes on where it was, as it may have an answer in its hands.
        let parting = async {
            self.send((wire::say_goodbye(), None)).await.ok()?;
            let broken = hearing.await;
            let all = u32::try_from(self.config.calls_max.max(1)).unwrap_or(u32::MAX);
            let _answered = self.room.acquire_many(all).await;
            broken
        };
        let refused = timeout(PARTING, parting).await.ok().flatten();
        Some(refused.unwrap_or(PeerRefused::Stopping))
    }

    /// Lets calls begin until the host ends the stream or goes away; or else why it must end.
    async fn hear(&self, incoming: &mut Streaming<proto::PeerRequest>) -> Option<PeerRefused> {
        let namespace = &self.config.namespace;
        loop {
            let heard = match incoming.message().await {
                Ok(Some(heard)) => heard,
                Ok(None) => return None,
                Err(broken) => {
                    tracing::debug!("the stream of a host broke: {}", broken.message());
                    return None;
                }
            };
            let next = match wire::hear(heard, namespace, Instant::now()) {
                Ok(Asked::Call(id, call)) => self.call(id, *call).await,
                Ok(Asked::Wrong(id, wrong)) => self.refuse(id, status::wrong_call(&wrong)).await,
                Ok(Asked::Cancel(id)) => {
                    if let Some(task) = self.running.remove(id) {
                        task.abort();
                    }
                    Ok(())
                }
                Err(wrong) => Err(PeerRefused::Wire(wrong.into())),
            };
            if let Err(refused) = next {
                return Some(refused);
            }
        }
    }

    async fn greet(
        &self,
        incoming: &mut Streaming<proto::PeerRequest>,
    ) -> Result<(), Option<PeerRefused>> {
        let first = incoming.message().await.map_err(|_| None)?.ok_or(None)?;
        let hello = wire::hear_hello(first, &self.config.namespace)
            .map_err(|error| Some(PeerRefused::Wire(error)))?;
        tracing::debug!(host = %hello.host, app = %hello.app, "a host connected");
        let own = wire::answer_hello(&self.config.hello(Some(&self.engine)));
        self.answers.send((own, None)).await.map_err(|_| None)
    }

    /// Lets a call begin; it goes on by itself if it has to wait.
    async fn call(&self, id: u64, call: Invocation) -> Result<(), PeerRefused> {
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
            return self.refuse(id, status::too_many_for_peer(self.config.calls_max)).await;
        };
        if !self.running.enter(id) {
            let expected = "one that no call on this stream has that is not answered";
            return Err(PeerRefused::Wire(Wrong::new("call.call_id", id, expected).into()));
        }
        let (engine, limit) = (self.engine.clone(), self.config.body_bytes_max);
        let mut answering = Box::pin(async move {
            let answer = engine.call(call).await;
            match answer {
                Ok(reply) if reply.body.len() > limit => {
                    let bytes = reply.body.len();
                    wire::write_failure(id, status::too_large_for_peer("answer", bytes, limit))
                }
                answer => wire::write_answer(id, answer, status::code_for_peer),
            }
        });
        // Begun here and not in its task, so that calls enter mailboxes in their order.
        if let Poll::Ready(reply) = futures::poll!(answering.as_mut()) {
            self.running.remove(id);
            return self.send((reply, Some(room))).await;
        }
        let (answers, running) = (self.answers.clone(), Arc::clone(&self.running));
        let task = self.tasks.spawn(TaskKind::Stream, async move {
            let reply = answering.await;
            running.remove(id);
            // Nobody there to be told: the host has gone meanwhile.
            let _ = answers.send((reply, Some(room))).await;
        });
        self.running.has_task(id, task.abort_handle());
        Ok(())
    }

    async fn refuse(&self, id: u64, failure: Failure) -> Result<(), PeerRefused> {
        self.send((wire::write_failure(id, failure), None)).await
    }

    async fn send(&self, answered: Answered) -> Result<(), PeerRefused> {
        // Without a receiver the connection is over, which ends this anyway.
        self.answers.send(answered).await.map_err(|_| PeerRefused::Stopping)
    }
}
