//! A question about a type that any of its hosts can answer, as a call of a system actor there.
//!
//! Like a call that is forwarded (`forward.rs`) it goes again only while nothing has begun, and
//! waits for tables as calls do; unlike it, it may as well go to the next host.

use std::sync::Arc;

use odeon_base::{ActorType, Execution, Kind};
use odeon_ring::Member;
use tokio::time::Instant;

use super::forward::Wait;
use super::{Engine, within};
use crate::error::Error;
use crate::invocation::{ActorRef, Invocation, Reply};
use crate::membership::patience;
use crate::peers::PeerError;
use crate::router::PARK_MAX;
use crate::types::TypeEntry;

impl Engine {
    /// Has `call` answered by the `system` actor of a host of the actor's type, which is of the
    /// host's name: by that of the actor's owner, or of another one where that is gone. Whom the
    /// call is for is filled in here. One that refuses the call leaves it to the next.
    ///
    /// # Errors
    /// [`Error::NoHost`] where nobody hosts the type; else as [`Engine::call`].
    ///
    /// # Cancel safety
    /// As [`Engine::call`].
    pub async fn call_host_of(
        &self,
        actor: &ActorRef,
        system: &ActorType,
        mut call: Invocation,
    ) -> Result<Reply, Error> {
        let entry = self.entry(actor, call.deadline).await?;
        let until = call.deadline.unwrap_or_else(|| Instant::now() + PARK_MAX);
        let mut attempt = 0;
        loop {
            // Read before the tables are: a change that comes while the call is away counts.
            let changes = entry.changes();
            let members = members(&entry, actor);
            if members.is_empty() {
                self.host_comes(&entry, actor, changes, until).await?;
                continue;
            }
            let mut last = None;
            for member in members {
                call.actor = ActorRef::parse(system.as_str(), member.host.as_str())?;
                match self.answered_by(&member, &call).await {
                    Err(error) if is_elsewhere(&error) => last = Some(error),
                    answered => return answered,
                }
            }
            let path = self.path(&entry, actor, call.body.len(), None);
            if !self.wait_to_resend(&path, Wait::Change(changes), attempt, until).await? {
                return Err(last.unwrap_or(Error::Closed));
            }
            attempt += 1;
        }
    }

    async fn answered_by(&self, member: &Member, call: &Invocation) -> Result<Reply, Error> {
        if member.host == self.config().host {
            return Box::pin(self.call(call.clone())).await;
        }
        self.call_on(member, call.clone()).await
    }

    /// Waits for a change of a type that has no hosts, as long as calls of it do (RT-6).
    async fn host_comes(
        &self,
        entry: &TypeEntry,
        actor: &ActorRef,
        changes: u64,
        until: Instant,
    ) -> Result<(), Error> {
        let core = &self.inner.core;
        let since = {
            let (standing, _) = entry.standing();
            standing.view.hostless_since.max(standing.withdrawn_since)
        };
        let left = patience(since, core.lease.now(), core.config.no_host_wait);
        let until = until.min(Instant::now() + left);
        let changed = within(Some(until), entry.until(|| entry.changes() != changes)).await;
        changed.ok_or_else(|| {
            let ActorRef { actor_type, id } = actor.clone();
            Error::NoHost { actor_type, id }
        })
    }
}

/// The hosts of a type by its newest table, the actor's owner first.
fn members(entry: &TypeEntry, actor: &ActorRef) -> Vec<Arc<Member>> {
    let (standing, _) = entry.standing();
    let Some(chain) = &standing.view.chain else { return Vec::new() };
    let newest = chain.newest();
    let owner = newest.owner(actor.id.hash());
    let is_another = |member: &&Arc<Member>| owner.is_none_or(|owner| !Arc::ptr_eq(owner, member));
    owner.into_iter().chain(newest.members().iter().filter(is_another)).cloned().collect()
}

/// Whether the host that was asked is not there, or refused to answer; nothing was begun.
fn is_elsewhere(error: &Error) -> bool {
    match error {
        Error::Refused { .. } => true,
        Error::Peer(PeerError::Failed(failure)) => {
            (failure.kind, failure.execution) == (Kind::Unavailable, Execution::None)
        }
        Error::Peer(PeerError::Moved(_) | PeerError::Unreachable { .. }) => true,
        _ => false,
    }
}
