//! Waits for the table by which another host sent a call here.
//!
//! Tables come to each host in its own time, so a caller may know of one that is still on
//! its way here. Sending the call back would send it round in circles: it waits, within
//! its time and the mailbox's limits (`design/ownership.md`, "A membership change").

use std::pin::pin;
use std::sync::Arc;

use odeon_base::{Epoch, Execution};
use tokio::time::Instant;

use super::Engine;
use crate::error::Error;
use crate::invocation::{Invocation, Reply};
use crate::router::PARK_MAX;
use crate::types::TypeEntry;

impl Engine {
    /// Runs a call that another host sent here, or says that it has to look again.
    pub(super) async fn routed(
        &self,
        invocation: Invocation,
        epoch: Epoch,
    ) -> Result<Reply, Error> {
        let actor = invocation.actor.clone();
        let answered = match self.caught_up(&invocation, epoch).await {
            Ok(entry) => match self.encoded(&entry, invocation).await {
                Err(Error::Refused { reason, call }) => self.again(reason, *call).await,
                answered => answered,
            },
            Err(error) => Err(error),
        };
        match answered {
            // This host is on its way out: who owns the actor next, another table will say.
            // Nor does one that hears of no host: how long that is worth waiting for, the host
            // knows where the call came in.
            Err(
                Error::Closed
                | Error::NoHost { .. }
                | Error::LeaseLost { execution: Execution::None },
            ) => Err(Error::Moved { actor_type: actor.actor_type, id: actor.id, epoch }),
            answered => answered,
        }
    }

    /// The entry of the type once this host knows the table, or a later one.
    ///
    /// # Cancel safety
    /// Nothing has begun.
    pub(super) async fn caught_up(
        &self,
        invocation: &Invocation,
        epoch: Epoch,
    ) -> Result<Arc<TypeEntry>, Error> {
        let Invocation { actor, body, deadline, .. } = invocation;
        let (bytes, deadline) = (body.len(), *deadline);
        let until = deadline.unwrap_or_else(|| Instant::now() + PARK_MAX);
        let catching_up = async {
            loop {
                let mut added = pin!(self.inner.types.added.notified());
                added.as_mut().enable();
                // Somebody hosts the type, so its first table is on its way if it is not here.
                let entry = self.known(actor).await;
                if entry.knows(epoch) {
                    return Ok(entry);
                }
                // Cut off from placement it may not hear of that table for long, while whoever
                // called learns who serves instead.
                let lease = &self.inner.core.lease;
                let has_lease = || lease.may_start(lease.now());
                let mut lease_changed = pin!(lease.changed.notified());
                lease_changed.as_mut().enable();
                if !has_lease() {
                    return Err(Error::LeaseLost { execution: Execution::None });
                }
                let path = self.path(&entry, actor, bytes, Some(epoch));
                let room = path.room()?;
                // In a host that has just started the name may yet become that of a resource,
                // and no table ever comes for what it is until then.
                tokio::select! {
                    biased;
                    () = entry.until(|| entry.knows(epoch) || !has_lease()) => {}
                    () = added => {}
                    () = lease_changed => {}
                }
                drop(room);
            }
        };
        tokio::time::timeout_at(until, catching_up).await.unwrap_or_else(|_| match deadline {
            Some(_) => Err(super::too_late(actor, Execution::None)),
            // No table in all that time: this host hears nothing any more.
            None => Err(Error::LeaseLost { execution: Execution::None }),
        })
    }
}
