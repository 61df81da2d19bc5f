//! Sends a call to the host that owns its actor, until it is answered.
//!
//! A call goes again, under the same number, only after `Moved` or where no connection was
//! made: then certainly nothing has begun (RT-3). In between it waits for the table that
//! names the next owner, within its time and the mailbox's limits (RT-5), so that its
//! caller sees neither a move nor a crash that is over in time (O5, O6).

use std::sync::Arc;

use odeon_base::{Epoch, Execution};
use tokio::time::Instant;

use super::{Engine, too_late, within};
use crate::error::Error;
use crate::execute::Encoded;
use crate::invocation::{Awaits, CallKind, Invocation, Reply};
use crate::peers::{LAST_WORD, PeerError, Peers};
use crate::router::{self, PARK_MAX, Path};
use crate::turn::Caller;
use crate::types::TypeEntry;

/// What has to happen before a call is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// This table, or a later one, comes here.
    Table(Epoch),
    /// Tables or marks change, whose changes counted so many before the call went out, or
    /// some time passes: who was asked cannot say more.
    Change(u64),
}

impl Engine {
    /// Has the call run where its actor lives; that may come to be here.
    ///
    /// # Cancel safety
    /// A call that waits is given up, wherever it waits; a turn that began runs on (O7).
    pub(super) async fn forward(
        &self,
        peers: &dyn Peers,
        entry: &Arc<TypeEntry>,
        mut call: Invocation,
    ) -> Result<Reply, Error> {
        let core = &self.inner.core;
        let actor = call.actor.clone();
        let method = (call.kind == CallKind::Method).then(|| Arc::clone(&call.method));
        let path = Path {
            method: method.as_deref(),
            is_waited_for: call.awaits == Awaits::Answer,
            ..self.path(entry, &actor, call.body.len(), None)
        };
        let mut caller = Caller::of(&call);
        let number = core.next_call();
        let until = call.deadline.unwrap_or_else(|| Instant::now() + PARK_MAX);
        let mut attempt = 0;
        loop {
            // Read before the tables are: a change that comes while the call is away counts.
            let changes = entry.changes();
            let (wait, last) = if let Some((owner, epoch)) = path.target(&caller) {
                call.routed_by = Some(epoch);
                let given_up = call.deadline.and_then(|at| at.checked_add(LAST_WORD));
                let sent = within(given_up, peers.call(&owner, number, &call)).await;
                match sent.ok_or_else(|| too_late(&actor, Execution::Maybe))? {
                    Ok(reply) => return Ok(reply),
                    Err(error) => (after(&error, entry, changes)?, Error::from(error)),
                }
            } else if call.awaits == Awaits::Place {
                match self.post(entry, &path, &mut caller, &call).await {
                    Ok(()) => return Ok(Reply::default()),
                    Err(error @ Error::Moved { .. }) => (Wait::Change(changes), error),
                    Err(error) => return Err(error),
                }
            } else {
                match self.admitted(&path, &mut caller).await {
                    Ok(admitted) => {
                        let (actor, body) = Encoded::of(call);
                        return self.turn(&actor, admitted, caller, body).await;
                    }
                    Err(error @ Error::Moved { .. }) => (Wait::Change(changes), error),
                    Err(error) => return Err(error),
                }
            };
            if !self.wait_to_resend(&path, wait, attempt, until).await? {
                return Err(call.deadline.map_or(last, |_| too_late(&actor, Execution::None)));
            }
            attempt += 1;
        }
    }

    /// Waits until sending again may lead further; `false` when time is up.
    pub(super) async fn wait_to_resend(
        &self,
        path: &Path<'_>,
        wait: Wait,
        attempt: u32,
        until: Instant,
    ) -> Result<bool, Error> {
        let _room = path.room()?;
        let entry = path.entry;
        match wait {
            Wait::Table(epoch) => {
                let known = entry.until(|| entry.knows(epoch));
                Ok(tokio::time::timeout_at(until, known).await.is_ok())
            }
            Wait::Change(changes) => {
                let pause = Instant::now() + router::retry_wait(&self.inner.core, attempt);
                let changed = entry.until(|| entry.changes() != changes);
                let _ = tokio::time::timeout_at(pause.min(until), changed).await;
                Ok(Instant::now() < until)
            }
        }
    }
}

/// What to wait for after a call that did not begin; any other failure is the answer.
fn after(error: &PeerError, entry: &TypeEntry, changes: u64) -> Result<Wait, Error> {
    match error {
        PeerError::Moved(epoch) if !entry.knows(*epoch) => Ok(Wait::Table(*epoch)),
        PeerError::Moved(_) | PeerError::Unreachable { .. } => Ok(Wait::Change(changes)),
        #[cfg(feature = "defects")]
        PeerError::Lost { .. } if odeon_base::defect::Defect::ResendAfterMaybe.is_planted() => {
            Ok(Wait::Change(changes))
        }
        PeerError::Lost { .. } | PeerError::Failed(_) => Err(error.clone().into()),
    }
}
