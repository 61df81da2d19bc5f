//! Calls whose answers nobody waits for (OW-1).
//!
//! The caller is told once the call has its place in the mailbox of the actor, wherever that
//! lives: what stands in its way until then is its answer, as of every call. From there on it is a task
//! of this host, and what becomes of it is counted and logged.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::TaskKind;

use super::Engine;
use crate::error::Error;
use crate::execute::Encoded;
use crate::invocation::{CallChain, Invocation, Reply};
use crate::router::{Path, Step};
use crate::turn::Caller;
use crate::types::TypeEntry;

impl Engine {
    /// Brings a call to its actor's mailbox, here or on the host that owns the actor.
    pub(super) async fn one_way(
        &self,
        entry: &TypeEntry,
        call: Invocation,
    ) -> Result<Reply, Error> {
        let mut caller = sender(&call);
        let target = call.clone();
        let path = self.path_of(entry, &target);
        match self.post(&path, &mut caller, &call).await {
            Ok(()) => Ok(Reply::default()),
            Err(error @ Error::Moved { .. }) if path.can_forward => match &self.inner.peers {
                Some(peers) => self.forward(&**peers, entry, call).await,
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Brings a call to the mailbox of an actor that lives here, and leaves it there.
    ///
    /// # Cancel safety
    /// Nothing has begun, and there is no place yet.
    pub(super) async fn post(
        &self,
        path: &Path<'_>,
        caller: &mut Caller,
        call: &Invocation,
    ) -> Result<(), Error> {
        let core = &self.inner.core;
        let Ok(room) = Arc::clone(&core.one_way).try_acquire_owned() else {
            path.entry.counters.refused.fetch_add(1, Ordering::Relaxed);
            let (actor_type, id) = (call.actor.actor_type.clone(), call.actor.id.clone());
            let waiting = core.config.one_way_max;
            return Err(Error::MailboxFull { actor_type, id, waiting });
        };
        // It may wait for the end of the very turn that makes it: that is not waited for.
        caller.chain.reentrancy = None;
        let first = path.first_look(caller)?;
        let step = path.placed(first, caller).await?;
        // The turn begins a chain of its own, and has no time limit but its type's.
        let chain = CallChain::new(&[], caller.chain.reentrancy.take());
        let (engine, caller) = (self.clone(), Caller { deadline: None, chain });
        let call = Invocation {
            deadline: None,
            chain: CallChain::default(),
            routed_by: None,
            ..call.clone()
        };
        let running = engine.posted(call, caller, step);
        core.tasks.spawn(TaskKind::DetachedTurn, async move {
            let _room = room;
            running.await;
        });
        Ok(())
    }

    /// Runs a call from its place in the mailbox to its end. Boxed, since it may come to be posted
    /// again.
    fn posted(self, call: Invocation, caller: Caller, step: Step) -> BoxFuture<'static, ()> {
        async move { self.run_posted(call, caller, step).await }.boxed()
    }

    async fn run_posted(&self, call: Invocation, mut caller: Caller, step: Step) {
        let actor = call.actor.clone();
        let Some(entry) = self.known_entry(&actor) else { return };
        let target = call.clone();
        let path = self.path_of(&entry, &target);
        let admitted = match path.queue(step, &caller).await {
            Ok(Step::Run(admitted, started)) if admitted.is_ready() => Ok((admitted, started)),
            other => Box::pin(self.prepare(&path, &mut caller, other)).await,
        };
        let ended = match admitted {
            Ok(admitted) => {
                let (actor, body) = Encoded::of(call);
                self.turn(&actor, admitted, caller, body).await
            }
            Err(error @ Error::Moved { .. }) => match &self.inner.peers {
                Some(peers) => self.forward(&**peers, &entry, call).await,
                None => Err(error),
            },
            Err(error) => Err(error),
        };
        let ended = match ended {
            Err(Error::Refused { reason, call }) => self.again(reason, *call).await,
            ended => ended,
        };
        if let Err(error) = ended {
            entry.counters.one_way_failed.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                actor_type = %actor.actor_type, actor_id = %actor.id, %error,
                "a call failed that nobody waits for"
            );
        }
    }
}

/// Who calls: as long as it takes to be let in, a turn above does wait.
fn sender(call: &Invocation) -> Caller {
    Caller { deadline: call.deadline, chain: call.chain.clone() }
}
