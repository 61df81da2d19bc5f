//! Resources that one host at a time can hold: awaited, refused, given up.
//!
//! Holding one is offering it like any type (`offering.rs`), with the id that is kept in it;
//! calls are routed by the table that says who holds it. What the resource is, and the lock
//! that is the right to it, are the caller's.

use std::collections::BTreeMap;
use std::time::Duration;

use odeon_base::ActorType;
use odeon_ring::Policy;
use tokio::sync::watch;

use super::{Engine, Target};
use crate::drain;
use crate::mailbox::Why;

impl Engine {
    /// Makes a resource known before anybody holds it, so that calls of it wait for that.
    pub fn expect(&self, resource: &ActorType) {
        let core = &self.inner.core;
        let _ = self.inner.types.get_or_add(resource, core.lease.now());
    }

    /// Whether the actor of a target is hosted in this process.
    #[must_use]
    pub fn is_hosted(&self, target: &Target) -> bool {
        target.entry.as_ref().is_some_and(|entry| entry.is_hosted())
    }

    /// The resources that this host holds and placement refused, and why: it must not use them.
    #[must_use]
    pub fn refusals(&self) -> watch::Receiver<BTreeMap<ActorType, String>> {
        self.inner.refusals.clone()
    }

    /// Gives up what this host holds: calls are sent to the next holder, or wait for one, and
    /// running turns end. When this returns the resources may be closed, and not before.
    ///
    /// # Cancel safety
    /// What was given up stays so; turns go on ending.
    pub async fn release(&self, limit: Duration) {
        let held = self.hostings(Policy::Holder);
        if held.is_empty() {
            return;
        }
        let names: Vec<ActorType> =
            held.iter().map(|hosting| hosting.spec.actor_type.clone()).collect();
        self.unhost(&names).await;
        for hosting in held {
            drain::all(&hosting, limit, Why::Asked).await;
        }
    }
}
