//! The question who owns an actor, put to the placement service.
//!
//! A port, because a host can run without a placement service in its process: the
//! assembly hands in whatever can answer.

use std::fmt::Debug;
use std::sync::Arc;

use futures::future::BoxFuture;
use odeon_base::{ActorId, Epoch, HostName, Incarnation};
use odeon_ring::TypeKey;

/// Who owns an actor, and since which table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The name by which the ring knows the host.
    pub host: HostName,
    /// Where peers reach it.
    pub address: Arc<str>,
    /// Which life of the host.
    pub incarnation: Incarnation,
    /// The table that says so.
    pub epoch: Epoch,
}

/// Answers who owns an actor by the ring that placement published last.
pub trait Owners: Send + Sync + Debug + 'static {
    /// The owner; `Ok(None)` when nobody offers the type.
    ///
    /// # Errors
    /// The reason, in words, when the placement service cannot be asked.
    fn owner<'a>(
        &'a self,
        key: &'a TypeKey,
        id: &'a ActorId,
    ) -> BoxFuture<'a, Result<Option<Owner>, String>>;
}
