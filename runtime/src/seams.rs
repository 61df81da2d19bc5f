//! What the engine needs from outside, as traits.
//!
//! An application ([`Behaviour`]), a way to the placement service ([`PlacementLink`]), a
//! way to other hosts ([`Peers`]), a state store ([`crate::store::StateStore`]) and what keeps
//! and delivers that which turns send out ([`Outbox`]); clocks
//! and randomness come from `odeon-base`. Everything here is implemented further
//! out, or by a test.

use std::any::Any;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use odeon_ring::{ToHost, ToPlacement};
use tokio::sync::mpsc;

use crate::effect::{Effect, Emitted, Stored};
use crate::error::Error;
use crate::invocation::{ActorRef, Invocation, Reply};
use crate::store::Key;
use crate::turn::Turn;

pub use crate::invocation::Call;
pub use crate::peers::Peers;

/// An actor's memory, as its behaviour keeps it between turns.
#[derive(Default)]
pub enum Instance {
    /// Nothing here: it lives in another process.
    #[default]
    Remote,
    /// An object that one turn at a time may change.
    Owned(Box<dyn Any + Send>),
    /// An object that turns share: for concurrent and reentrant types.
    Shared(Arc<dyn Any + Send + Sync>),
}

impl Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Remote => "Remote",
            Self::Owned(_) => "Owned",
            Self::Shared(_) => "Shared",
        })
    }
}

/// The code of one actor type: native, behind a stream to a worker, or ours.
///
/// The engine promises: between a successful `activate` and `deactivate` of one
/// actor no other activation of it runs, and `invoke` runs once at a time unless
/// the type is concurrent or reentrant.
pub trait Behaviour: Send + Sync + Debug + 'static {
    /// Makes the actor's memory. Its state may be read through `turn`.
    ///
    /// An error leaves nothing behind and rejects the calls that wait (ACT-3).
    fn activate<'a>(&'a self, turn: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>>;

    /// Runs one turn.
    ///
    /// # Cancel safety
    /// The future is dropped only when the turn is cut (its lease or its time limit
    /// ended); its activation has ended then, and so has its right to commit.
    fn invoke<'a>(
        &'a self,
        instance: &'a mut Instance,
        turn: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, Error>>;

    /// Says goodbye; the activation is gone whatever happens here (DEA-3). Nothing is said, if
    /// it is left out.
    fn deactivate<'a>(&'a self, actor: &'a ActorRef, instance: Instance) -> BoxFuture<'a, ()> {
        let _ = (actor, instance);
        Box::pin(async {})
    }

    /// Whether several `invoke` of one actor may overlap: required of reentrant
    /// and concurrent types.
    fn is_shared(&self) -> bool;
}

/// A turn in Rust's own types: how a native actor is called without encoding.
pub trait Work<A>: Send + 'static {
    /// What it answers.
    type Output: Send + 'static;

    /// Runs the turn.
    fn run(
        self,
        actor: &mut A,
        turn: &Turn,
    ) -> impl Future<Output = Result<Self::Output, Error>> + Send;
}

/// A turn in Rust's own types of an actor that turns share: a system actor, say.
pub trait SharedWork<A>: Send + 'static {
    /// What it answers.
    type Output: Send + 'static;

    /// Runs the turn.
    fn run(
        self,
        actor: &A,
        turn: &Turn,
    ) -> impl Future<Output = Result<Self::Output, Error>> + Send;
}

/// Keeps what turns send out, in the store of their actors, and has it carried out.
pub trait Outbox: Send + Sync + Debug + 'static {
    /// The rows that a commit writes beside its own, in the order of the effects. They have been
    /// checked ([`Effect::check`]). Nobody but the outbox removes them.
    fn rows(&self, emitted: &Emitted<'_>, effects: Vec<Effect>) -> Vec<(Key, Bytes)>;

    /// Rows of an actor were committed, or may have been. The outbox finds them without this too,
    /// later.
    fn stored(&self, actor: &ActorRef, stored: Stored);

    /// Stores a call by itself, of no turn's commit, and has it made at least once (OW-1): those
    /// of one actor in the order in which they were stored. It has been checked. Its time limit
    /// and its chain are those of the storing.
    ///
    /// # Errors
    /// What stood in its way to the store; [`Error::execution`] says whether it may be there.
    ///
    /// # Cancel safety
    /// Dropped, it may have been stored.
    fn keep(&self, call: Invocation) -> BoxFuture<'_, Result<(), Error>>;
}

/// A connection to the placement service. When `from` ends, the stream is broken.
#[derive(Debug)]
pub struct PlacementStream {
    /// To placement.
    pub to: mpsc::Sender<ToPlacement>,
    /// From placement.
    pub from: mpsc::Receiver<ToHost>,
}

/// The way to the placement service.
pub trait PlacementLink: Send + Sync + Debug + 'static {
    /// Opens a stream; the reason when that cannot be done now.
    fn connect(&self) -> BoxFuture<'_, Result<PlacementStream, String>>;
}
