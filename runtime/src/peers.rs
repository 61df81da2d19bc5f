//! The way to other hosts, and what can come back from one.
//!
//! Whoever implements [`Peers`] carries one call there and one answer back; where a call
//! goes and whether it is sent again is the engine's to decide (`engine/forward.rs`).

use std::fmt::Debug;
use std::time::Duration;

use futures::future::BoxFuture;
use odeon_base::{Epoch, Execution, Kind};
use odeon_ring::Member;

use crate::invocation::{Invocation, Reply};

/// How long past a call's time its answer is waited for: the other host notices its end
/// too, and only it knows whether a turn had begun.
pub const LAST_WORD: Duration = Duration::from_millis(100);

/// The way to the hosts of other processes.
///
/// A call goes to the owner that the caller's table names, and says by which table it was
/// sent (`Invocation::routed_by`). What certainly never began is sent again by the engine,
/// with the same number, never by whoever implements this.
pub trait Peers: Send + Sync + Debug + 'static {
    /// Has `call` run by the host of `to`. `id` is unique among the calls of this engine, and
    /// the same each time a call is sent.
    ///
    /// A call that was not sent within its time (`deadline`) is [`PeerError::Unreachable`] at
    /// that moment. One that was may be answered [`LAST_WORD`] later; after that the
    /// engine gives it up as one that may have begun.
    ///
    /// # Errors
    /// [`PeerError`] says whether a turn may have begun.
    ///
    /// # Cancel safety
    /// The other host is told that nobody waits any more: a call that waits there leaves its
    /// queue, a turn that began runs on (O7).
    fn call<'a>(
        &'a self,
        to: &'a Member,
        id: u64,
        call: &'a Invocation,
    ) -> BoxFuture<'a, Result<Reply, PeerError>>;
}

/// A call to another host that was not answered with a reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// That host does not own the actor, by this table; nothing was begun.
    #[error("the actor moved by table {0}")]
    Moved(Epoch),
    /// No connection to that host was made; nothing was begun.
    #[error("cannot reach host {host} at {address}: {reason}")]
    Unreachable {
        /// Its name.
        host: String,
        /// Where it should be.
        address: String,
        /// What happened.
        reason: String,
    },
    /// The connection broke while that host had the call.
    #[error("the connection to host {host} at {address} broke during the call: {reason}")]
    Lost {
        /// Its name.
        host: String,
        /// Where it was.
        address: String,
        /// What happened.
        reason: String,
    },
    /// That host answered with a failure.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// A failure as another host put it: enough to tell the caller the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The sort of failure.
    pub kind: Kind,
    /// Its code on the wire, such as `ERR_ACTOR_INVOKE_METHOD`; empty if it has none.
    pub code: String,
    /// In words.
    pub message: String,
    /// Whether a turn may have begun.
    pub execution: Execution,
}

impl PeerError {
    /// The sort of failure.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Moved(_) => Kind::Moved,
            Self::Unreachable { .. } | Self::Lost { .. } => Kind::Unavailable,
            Self::Failed(failure) => failure.kind,
        }
    }

    /// Whether a turn may have begun.
    #[must_use]
    pub fn execution(&self) -> Execution {
        match self {
            Self::Moved(_) | Self::Unreachable { .. } => Execution::None,
            Self::Lost { .. } => Execution::Maybe,
            Self::Failed(failure) => failure.execution,
        }
    }
}
