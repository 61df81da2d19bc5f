//! A worker: actors in a process of their own, beside a host.
//!
//! It opens one stream to the host, says which types it has, and is given their
//! turns on it; it needs no port. The same actors run embedded without a change.
//! Reading order: `session` (one stream), `hosted` (the instances of a type),
//! `desk` (what turns share), `answer` (what is said to the host).

mod answer;
mod desk;
mod hosted;
mod session;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use odeon_base::backoff::Backoff;
use odeon_base::clock::SystemClock;
use odeon_base::{Entropy, TaskKind, Tasks, WallClock};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::Code;

use self::hosted::Offered;
use self::session::{End, Setup};
use crate::actor::{Actor, Make};
use crate::error::{Cause, Error, Result};
use crate::remote::Remote;

/// Between tries to reach the host.
const RECONNECT: Backoff =
    Backoff { first: Duration::from_millis(100), max: Duration::from_secs(5) };
/// How long running turns may go on when the worker stops.
const GRACE: Duration = Duration::from_secs(30);
/// Turns that may run or wait for their actor at once.
const RUNNING_MAX: usize = 10_000;

/// Hosts actors for a host across the network.
///
/// ```no_run
/// # use odeon_sdk::{Result, Worker, actor};
/// # #[derive(Default)] struct Counter;
/// # #[actor] impl Counter {}
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// Worker::connect("http://127.0.0.1:50001")
///     .actor::<Counter>()
///     .run(tokio::signal::ctrl_c())
///     .await
/// # }
/// ```
#[must_use = "a worker does nothing until it runs"]
pub struct Worker {
    address: String,
    token: Option<String>,
    types: Vec<Offered>,
    grace: Duration,
    running_max: usize,
    wall: Arc<dyn WallClock>,
    entropy: Option<Entropy>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types = self.types.iter().map(|offered| offered.name);
        f.debug_struct("Worker")
            .field("address", &self.address)
            .field("types", &types.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker for the host at this address, such as `http://127.0.0.1:50001`. What is
    /// wrong with it is said by [`Worker::run`].
    pub fn connect(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            token: None,
            types: Vec::new(),
            grace: GRACE,
            running_max: RUNNING_MAX,
            wall: Arc::new(SystemClock),
            entropy: None,
        }
    }

    /// Offers a type of actor.
    pub fn actor<A: Make>(self) -> Self {
        self.actor_with(A::make)
    }

    /// Offers a type of actor whose instances are made by a function.
    pub fn actor_with<A: Actor>(
        mut self,
        make: impl Fn(&str) -> A + Send + Sync + 'static,
    ) -> Self {
        self.types.push(Offered::new::<A>(Arc::new(make)));
        self
    }

    /// Shows this token to the host.
    pub fn api_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// How long running turns, and then the goodbyes, may take when the worker stops.
    /// Default: 30 s.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Turns that may run or wait for their actor at once; more are refused.
    /// Default: 10,000.
    pub fn running_max(mut self, turns: usize) -> Self {
        self.running_max = turns;
        self
    }

    /// The calendar that `ctx.now()` reads. Default: the machine's.
    pub fn wall_clock(mut self, wall: Arc<dyn WallClock>) -> Self {
        self.wall = wall;
        self
    }

    /// Where the jitter between tries comes from. Default: seeded by the operating system.
    pub fn entropy(mut self, entropy: Entropy) -> Self {
        self.entropy = Some(entropy);
        self
    }

    /// Hosts the actors until `stop` completes; then running turns end, every instance
    /// is deactivated and the stream is closed.
    ///
    /// A host that cannot be reached, or is lost, is tried again for ever, at growing
    /// intervals. A lost stream ends all activations: turns that run are dropped where
    /// they wait, instances without a goodbye.
    ///
    /// # Errors
    /// [`Error::Setup`] for what cannot be used, before anything is begun; [`Error::Call`] when the host refuses this worker for good.
    ///
    /// # Cancel safety
    /// When dropped, the stream is closed at once and turns that run go on unheard; use
    /// `stop`.
    pub async fn run<F: Future>(self, stop: F) -> Result<()> {
        let entropy = match self.entropy {
            Some(entropy) => entropy,
            None => Entropy::from_os().map_err(|error| Error::Setup {
                what: "the source of randomness",
                value: "the operating system's".to_owned(),
                reason: error.to_string(),
            })?,
        };
        let host = Remote::new(&self.address)?;
        let setup = Setup {
            host: match &self.token {
                Some(token) => host.with_token(token)?,
                None => host,
            },
            types: self.types,
            wall: self.wall,
            tasks: Tasks::new("worker"),
            running_max: self.running_max,
            grace: self.grace,
        };
        // On a task of its own: the future that a runtime blocks on is not one of its
        // workers', and each message would cross threads twice.
        let (tasks, told) = (setup.tasks.clone(), CancellationToken::new());
        let ending = told.clone().cancelled_owned();
        let serving =
            tasks.spawn(TaskKind::Stream, async move { keep_open(&setup, &entropy, ending).await });
        let mut serving = AbortOnDropHandle::new(serving);
        let ended = tokio::select! {
            biased;
            _ = stop => {
                told.cancel();
                serving.await
            }
            ended = &mut serving => ended,
        };
        match ended.map_err(JoinError::try_into_panic) {
            Ok(ended) => ended,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            // The runtime is being torn down.
            Err(Err(_)) => Ok(()),
        }
    }
}

/// Opens stream after stream.
async fn keep_open<F: Future>(setup: &Setup, entropy: &Entropy, stop: F) -> Result<()> {
    let mut stop = pin!(stop);
    let mut attempt = 0;
    loop {
        match session::serve(setup, stop.as_mut()).await {
            End::Stopped => return Ok(()),
            End::Refused(cause) if is_final(&cause) => return Err(Error::Call(cause)),
            End::Refused(cause) => {
                tracing::warn!("cannot reach the host: {cause}; trying again");
            }
            End::Lost(cause) => {
                attempt = 0;
                let why = cause.map_or_else(|| "it was closed".to_owned(), |c| c.to_string());
                tracing::warn!("lost the stream to the host: {why}; all actors here are dropped");
            }
        }
        let wait = RECONNECT.wait(attempt, entropy.fraction());
        attempt += 1;
        tokio::select! {
            biased;
            _ = stop.as_mut() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Whether the host will say the same the next time.
fn is_final(cause: &Cause) -> bool {
    match cause {
        Cause::Host { code, .. } => matches!(
            code,
            Code::InvalidArgument
                | Code::FailedPrecondition
                | Code::PermissionDenied
                | Code::Unauthenticated
                | Code::Unimplemented
        ),
        Cause::Engine(_) => true,
    }
}
