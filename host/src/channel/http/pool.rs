//! Connections to the application that are kept, and one exchange over one of them.
//!
//! hyper's own client would do, but for two things that the host has to know exactly:
//! whether anything of a request went out, and when the exchange that a turn left behind
//! is over. A connection of HTTP/1.1 belongs to the exchange that uses it and is driven
//! by the same task, which also spares the hop to another; HTTP/2 shares a few.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use odeon_base::{TaskKind, Tasks};
use tokio::time::Instant;

use super::dial::{Dial, Io};

/// How long a connection is kept unused. Shorter than any server that is known to close
/// such connections: what is written into one that is closing may or may not have run.
const IDLE_MAX: Duration = Duration::from_millis(1_500);
/// Connections that are kept unused. Source: http-api.md 19.3.
const IDLE_CONNECTIONS_MAX: usize = 1_024;
/// Exchanges on one connection of HTTP/2: the least that servers are advised to take, so
/// that a call made by a turn never waits for the turn's own stream.
const STREAMS_MAX: usize = 100;

/// What goes to the application.
pub(super) type Outgoing = Request<Full<Bytes>>;
type Stream = TokioIo<Box<dyn Io>>;
type Connection = http1::Connection<Stream, Full<Bytes>>;
type Sent = Result<Response<Incoming>, TrySendError<Outgoing>>;

/// What is spoken with the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http,
    /// HTTP/2 in clear text, by prior knowledge.
    H2c,
}

impl Protocol {
    /// The word of `--app-protocol`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::H2c => "h2c",
        }
    }
}

/// The application's answer, read to its end.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) head: Parts,
    pub(super) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Lost {
    /// Nothing of the request went out.
    Unsent(hyper::Error),
    /// The connection broke, and the application may have seen it.
    Broken(hyper::Error),
    /// The answer is larger than this limit, in bytes.
    TooLarge(usize),
}

/// A connection of HTTP/1.1 that nobody uses.
#[derive(Debug)]
struct Idle {
    line: Http1,
    since: Instant,
}

#[derive(Debug)]
struct Http1 {
    sender: http1::SendRequest<Full<Bytes>>,
    connection: Connection,
}

/// A connection of HTTP/2; the count of its users is that of the marks.
#[derive(Debug, Clone)]
struct Http2 {
    sender: http2::SendRequest<Full<Bytes>>,
    mark: Arc<()>,
}

/// A connection that is ready for one exchange.
#[derive(Debug)]
pub(super) struct Line(Kind);

#[derive(Debug)]
enum Kind {
    One(Box<Http1>),
    Two(Http2),
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// One that is kept, or else a new one.
    Any,
    /// A new one, since a kept one was found closed.
    New,
}

/// The connections to the application.
#[derive(Debug)]
pub(super) struct Pool {
    dial: Arc<dyn Dial>,
    protocol: Protocol,
    tasks: Tasks,
    idle: Mutex<VecDeque<Idle>>,
    shared: tokio::sync::Mutex<Vec<Http2>>,
}

/// Starts hyper's own tasks as tasks of the host.
#[derive(Debug, Clone)]
struct Spawner(Tasks);

impl<F: Future<Output: Send + 'static> + Send + 'static> hyper::rt::Executor<F> for Spawner {
    fn execute(&self, future: F) {
        self.0.spawn(TaskKind::Connection, future);
    }
}

impl Pool {
    pub(super) fn new(dial: Arc<dyn Dial>, protocol: Protocol, tasks: Tasks) -> Self {
        Self {
            dial,
            protocol,
            tasks,
            idle: Mutex::default(),
            shared: tokio::sync::Mutex::default(),
        }
    }

    /// Whether the application accepts connections.
    pub(super) async fn is_reachable(&self) -> io::Result<()> {
        self.dial.dial().await.map(drop)
    }

    /// A connection that stands.
    ///
    /// # Cancel safety
    /// Nothing has been asked yet.
    pub(super) async fn line(&self, age: Age) -> io::Result<Line> {
        match self.protocol {
            Protocol::Http => {
                let kept = if age == Age::Any { self.kept().await } else { None };
                match kept {
                    Some(line) => Ok(Line(Kind::One(Box::new(line)))),
                    None => self.dial_http1().await,
                }
            }
            Protocol::H2c => self.http2(age).await,
        }
    }

    async fn dial_http1(&self) -> io::Result<Line> {
        let stream = TokioIo::new(self.dial.dial().await?);
        let mut builder = http1::Builder::new();
        // Wire: names in canonical form, as Go's client writes them.
        builder.title_case_headers(true);
        let made = builder.handshake(stream).await;
        let (sender, connection) = made.map_err(io::Error::other)?;
        Ok(Line(Kind::One(Box::new(Http1 { sender, connection }))))
    }

    /// The connection that was used last and still stands.
    async fn kept(&self) -> Option<Http1> {
        loop {
            let Idle { mut line, since } = self.idle().pop_back()?;
            if since.elapsed() >= IDLE_MAX {
                self.idle().clear();
                return None;
            }
            // Nobody has looked at it since: it may have been closed.
            let is_over =
                poll_fn(|cx| Poll::Ready(Pin::new(&mut line.connection).poll(cx).is_ready())).await;
            if !is_over && line.sender.is_ready() {
                return Some(line);
            }
        }
    }

    fn keep(&self, line: Http1) {
        let now = Instant::now();
        let mut idle = self.idle();
        idle.push_back(Idle { line, since: now });
        while idle.len() > IDLE_CONNECTIONS_MAX {
            idle.pop_front();
        }
    }

    /// Closes what has been unused for too long.
    pub(super) fn tidy(&self) {
        self.idle().retain(|idle| idle.since.elapsed() < IDLE_MAX);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn http2(&self, age: Age) -> io::Result<Line> {
        let mut shared = self.shared.lock().await;
        shared.retain(|one| !one.sender.is_closed());
        let has_room = |one: &&Http2| Arc::strong_count(&one.mark) <= STREAMS_MAX;
        if age == Age::Any
            && let Some(one) = shared.iter().find(has_room)
        {
            return Ok(Line(Kind::Two(one.clone())));
        }
        let stream = TokioIo::new(self.dial.dial().await?);
        let mut builder = http2::Builder::new(Spawner(self.tasks.clone()));
        builder.timer(TokioTimer::new());
        let made = builder.handshake::<_, Full<Bytes>>(stream).await;
        let (sender, connection) = made.map_err(io::Error::other)?;
        let stop = self.tasks.stopping().clone();
        self.tasks.spawn(TaskKind::Connection, async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                ended = connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection to the application broke");
                    }
                }
            }
        });
        let one = Http2 { sender, mark: Arc::default() };
        shared.push(one.clone());
        Ok(Line(Kind::Two(one)))
    }

    /// Asks over a connection and reads the whole answer; a connection of HTTP/1.1 that
    /// can be used again is kept.
    ///
    /// # Cancel safety
    /// When it is dropped after it was polled, the application may have seen the request.
    pub(super) async fn exchange(
        self: Arc<Self>,
        line: Line,
        request: Outgoing,
        limit: Option<usize>,
    ) -> Result<Answered, Lost> {
        match line.0 {
            Kind::One(mut line) => {
                let asking = read(line.sender.try_send_request(request), limit);
                let (answered, is_over) = driven(&mut line.connection, asking).await;
                if answered.is_ok() && !is_over && line.sender.is_ready() {
                    self.keep(*line);
                }
                answered
            }
            Kind::Two(mut line) => read(line.sender.try_send_request(request), limit).await,
        }
    }
}

/// Sends, and reads the answer to its end.
async fn read(sending: impl Future<Output = Sent>, limit: Option<usize>) -> Result<Answered, Lost> {
    let response = sending.await.map_err(|mut failed| {
        // What comes back has not been touched.
        let is_unsent = failed.take_message().is_some();
        let error = failed.into_error();
        if is_unsent { Lost::Unsent(error) } else { Lost::Broken(error) }
    })?;
    let (head, body) = response.into_parts();
    let limit = limit.unwrap_or(usize::MAX);
    let body = Limited::new(body, limit).collect().await.map_err(|error| {
        match error.downcast::<hyper::Error>() {
            Ok(error) => Lost::Broken(*error),
            Err(error) => {
                debug_assert!(error.is::<LengthLimitError>());
                Lost::TooLarge(limit)
            }
        }
    })?;
    Ok(Answered { head, body: body.to_bytes() })
}

/// Drives a connection until what is asked over it is answered; whether it is over, too.
async fn driven<T>(connection: &mut Connection, asking: impl Future<Output = T>) -> (T, bool) {
    let mut asking = pin!(asking);
    let mut is_over = false;
    let answered = poll_fn(|cx| {
        if let Poll::Ready(answered) = asking.as_mut().poll(cx) {
            return Poll::Ready(answered);
        }
        if !is_over {
            // However it ends, those who ask over it are told.
            is_over = Pin::new(&mut *connection).poll(cx).is_ready();
        }
        asking.as_mut().poll(cx)
    })
    .await;
    if !is_over {
        // It has still to notice that the answer was its last, or that it may be used again.
        is_over = poll_fn(|cx| Poll::Ready(Pin::new(&mut *connection).poll(cx).is_ready())).await;
    }
    (answered, is_over)
}
