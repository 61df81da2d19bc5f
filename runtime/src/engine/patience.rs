//! Waiting for a host of a type, while one may still come (RT-6).
//!
//! Here it is the process that has just started, or the application that went away. How long a
//! call waits after the tables of a type have no host left is the router's to say.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use super::Engine;
use crate::error::Error;
use crate::invocation::ActorRef;
use crate::membership::patience;
use crate::types::TypeEntry;

impl Engine {
    /// Waits until an actor's type is hosted in this process, as long as hosts may still be
    /// starting, or its application coming back (RT-6); whether it is.
    ///
    /// # Cancel safety
    /// Can be dropped at will.
    pub async fn until_hosted(&self, actor: &ActorRef, deadline: Option<Instant>) -> bool {
        let entry = self.known_entry(actor);
        let withdrawn = entry.and_then(|entry| entry.standing().0.withdrawn_since);
        let hosted = async {
            let entry = self.known(actor).await;
            entry.until(|| entry.is_hosted()).await;
        };
        timeout_at(self.patient_until(withdrawn, deadline), hosted).await.is_ok()
    }

    /// The entry of a type; waits for it while hosts may still be starting (RT-6).
    pub(super) async fn entry(
        &self,
        actor: &ActorRef,
        deadline: Option<Instant>,
    ) -> Result<Arc<TypeEntry>, Error> {
        if let Some(entry) = self.known_entry(actor) {
            return Ok(entry);
        }
        let until = self.patient_until(None, deadline);
        let known = timeout_at(until, self.known(actor)).await;
        known.map_err(|_| Error::NoHost {
            actor_type: actor.actor_type.clone(),
            id: actor.id.clone(),
        })
    }

    /// Until when a host of a type is worth waiting for, here since this process started or the
    /// type's application was lost (RT-6).
    fn patient_until(&self, withdrawn: Option<u64>, deadline: Option<Instant>) -> Instant {
        let core = &self.inner.core;
        let since = withdrawn.max(Some(self.inner.started));
        let left = patience(since, core.lease.now(), core.config.no_host_wait);
        let until = Instant::now() + left;
        deadline.map_or(until, |deadline| deadline.min(until))
    }

    /// The entry of a type, once there is one.
    pub(super) async fn known(&self, actor: &ActorRef) -> Arc<TypeEntry> {
        loop {
            let mut added = std::pin::pin!(self.inner.types.added.notified());
            added.as_mut().enable();
            if let Some(entry) = self.known_entry(actor) {
                return entry;
            }
            added.await;
        }
    }
}
