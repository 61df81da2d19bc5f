//! Connections: accepted, spoken to, and closed in order when the host stops.
//!
//! HTTP/1.1 and HTTP/2 share a port (prior knowledge); an `Upgrade: h2c` is not
//! taken up, which HTTP allows, because hyper cannot answer the request that asks
//! for it. It knows no route and no service: both doors and the metrics page use it.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use odeon_base::backoff::Backoff;
use odeon_base::{TaskKind, Tasks};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::patience;

/// What is spoken on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, and HTTP/2 by prior knowledge; the size of header blocks in bytes.
    Http(usize),
    /// HTTP/2 only, as gRPC wants it; the size of header blocks in bytes, of which
    /// 1,024 times as much is let through, as in Dapr (grpc-api.md 1).
    Grpc(usize),
}

/// After an accept that failed for want of descriptors.
const ACCEPT_AGAIN: Backoff =
    Backoff { first: Duration::from_millis(5), max: Duration::from_secs(1) };

/// Request heads of HTTP/1.1 that are larger are refused by hyper itself; bodies
/// are read in pieces of up to this many bytes.
const HTTP1_BUFFER: usize = 128 << 10;

const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;
const STREAMS_MAX: u32 = 4_096;

/// Told once when the host stops. Cheaper for a connection to look at than a
/// cancellation token, whose every poll takes a lock that all of them share.
#[derive(Debug, Default)]
struct Closing {
    is_closing: AtomicBool,
    told: Notify,
}

/// Accepts connections until `tasks` is told to stop; open ones then finish the
/// requests in hand. Each connection is a task of `tasks`.
pub async fn serve<S, B>(listener: TcpListener, protocol: Protocol, service: S, tasks: Tasks)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let builder = Arc::new(builder(protocol));
    let closing = Arc::new(Closing::default());
    let mut failures = 0;
    loop {
        let accepted = tokio::select! {
            biased;
            () = tasks.stopping().cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_AGAIN.wait(failures, 1.0)).await;
                failures += 1;
                continue;
            }
        };
        failures = 0;
        // A small answer must not wait for the peer's acknowledgement of the last.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it was served");
            continue;
        }
        let (builder, closing) = (Arc::clone(&builder), Arc::clone(&closing));
        let service = service.clone();
        tasks.spawn(TaskKind::Connection, async move {
            speak(&builder, stream, service, &closing).await;
        });
    }
    closing.is_closing.store(true, Ordering::Release);
    closing.told.notify_waiters();
}

/// Serves one connection that somebody else made, until it ends.
pub async fn serve_connection<I, S, B>(stream: I, protocol: Protocol, service: S)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    speak(&builder(protocol), stream, service, &Closing::default()).await;
}

fn builder(protocol: Protocol) -> auto::Builder<TokioExecutor> {
    // Requests of HTTP/2 are tasks of their connection's making: hyper waits for
    // them before a connection that is shut down ends.
    let mut builder = auto::Builder::new(TokioExecutor::new());
    let (header_bytes, is_grpc) = match protocol {
        // Over HTTP the door itself says when it is too much.
        Protocol::Http(bytes) => (bytes.max(HTTP1_BUFFER), false),
        Protocol::Grpc(bytes) => (bytes.saturating_mul(1_024), true),
    };
    builder.http1().max_buf_size(HTTP1_BUFFER).pipeline_flush(true);
    let mut http2 = builder.http2();
    http2
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(header_bytes).unwrap_or(u32::MAX));
    if is_grpc {
        // A peer that went without a word is noticed, streams of workers above all.
        http2
            .keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(5));
        return builder.http2_only();
    }
    builder
}

async fn speak<I, S, B>(
    builder: &auto::Builder<TokioExecutor>,
    stream: I,
    service: S,
    closing: &Closing,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (stream, service) = patience::watch(stream, service);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut told = pin!(closing.told.notified());
    let mut is_listening = false;
    let mut is_leaving = false;
    let ended = poll_fn(|cx| {
        if !is_listening {
            // Once is enough: a task keeps its waker.
            is_listening = told.as_mut().poll(cx).is_pending();
        }
        if !is_leaving && closing.is_closing.load(Ordering::Acquire) {
            is_leaving = true;
            connection.as_mut().graceful_shutdown();
        }
        match connection.as_mut().poll(cx) {
            Poll::Ready(ended) => Poll::Ready(ended),
            Poll::Pending => Poll::Pending,
        }
    })
    .await;
    if let Err(error) = ended {
        // A peer's mistake or departure, and its own concern.
        tracing::debug!(error = %error, "a connection ended early");
    }
}
