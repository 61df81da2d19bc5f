//! How long a connection may take over the head of a request.
//!
//! hyper's own limit would also end connections that are merely idle, which
//! clients keep for their next call; this one counts from a head's first byte.
//! It watches the bytes below hyper and the calls above it, and costs a request
//! two additions. HTTP/2 has pings for the same end and is left alone.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::service::Service;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Source: http-api.md 1.1.
const HEAD_MAX: Duration = Duration::from_secs(10);
const H2_PREFACE: &[u8] = b"PRI * HTTP/2";

/// Counts calls and answers of a connection; odd while a call is being answered.
type Steps = Arc<AtomicU32>;

/// The connection below hyper.
#[derive(Debug)]
pub(super) struct Timed<I> {
    io: I,
    steps: Steps,
    /// How many steps there were when it last looked.
    seen: u32,
    /// Something of a head has come, but not all of it.
    has_part: bool,
    limit: Option<Pin<Box<Sleep>>>,
    is_http2: Option<bool>,
}

/// The service above hyper.
#[derive(Debug, Clone)]
pub(super) struct Noted<S> {
    service: S,
    steps: Steps,
}

pin_project! {
    /// An answer being made.
    #[derive(Debug)]
    pub(super) struct Answering<F> {
        #[pin]
        answer: F,
        steps: Steps,
    }
}

/// Puts both around a connection.
pub(super) fn watch<I, S>(io: I, service: S) -> (Timed<I>, Noted<S>) {
    let steps = Steps::default();
    let below = Arc::clone(&steps);
    let timed = Timed { io, steps: below, seen: 0, has_part: false, limit: None, is_http2: None };
    (timed, Noted { service, steps })
}

impl<S, R> Service<R> for Noted<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answering<S::Future>;

    fn call(&self, request: R) -> Self::Future {
        self.steps.fetch_add(1, Ordering::Relaxed);
        Answering { answer: self.service.call(request), steps: Arc::clone(&self.steps) }
    }
}

impl<F: Future> Future for Answering<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let answer = ready!(this.answer.poll(cx));
        this.steps.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(answer)
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Timed<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let steps = this.steps.load(Ordering::Relaxed);
        if steps != this.seen {
            // A request was made of what had come.
            this.seen = steps;
            this.has_part = false;
            this.limit = None;
        }
        // What comes during a call is its body.
        let is_head = steps.is_multiple_of(2);
        let before = buf.filled().len();
        match Pin::new(&mut this.io).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                let came = &buf.filled()[before..];
                if this.is_http2.is_none() && !came.is_empty() {
                    let seen = came.len().min(H2_PREFACE.len());
                    this.is_http2 = Some(came[..seen] == H2_PREFACE[..seen]);
                }
                this.has_part |= is_head && !came.is_empty();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending if this.has_part && this.is_http2 == Some(false) => {
                let fresh = || Box::pin(tokio::time::sleep(HEAD_MAX));
                ready!(this.limit.get_or_insert_with(fresh).as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Timed<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
