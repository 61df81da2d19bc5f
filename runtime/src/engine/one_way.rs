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
use crate::core::{Core, Waiting};
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
        entry: &Arc<TypeEntry>,
        call: Invocation,
    ) -> Result<Reply, Error> {
        let (path, mut caller) = (self.path_of(entry, &call), Caller::of(&call));
        let can_forward = path.can_forward;
        match self.post(entry, &path, &mut caller, &call).await {
            Ok(()) => Ok(Reply::default()),
            Err(error @ Error::Moved { .. }) if can_forward => match &self.inner.peers {
                Some(peers) => self.forward(&**peers, entry, call).await,
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Brings a call to the mailbox of an actor that lives here, and leaves it there, with the
    /// host's room for its body.
    ///
    /// # Cancel safety
    /// Nothing has begun, and there is no place yet.
    pub(super) async fn post(
        &self,
        entry: &Arc<TypeEntry>,
        path: &Path<'_>,
        caller: &mut Caller,
        call: &Invocation,
    ) -> Result<(), Error> {
        let core = &self.inner.core;
        let Ok(room) = Arc::clone(&core.one_way).try_acquire_owned() else {
            return Err(path.full(core.config.one_way_max));
        };
        // It may wait for the end of the very turn that makes it: that is not waited for.
        caller.chain.reentrancy = None;
        let first = path.first_look(caller)?;
        let step = path.placed(first, caller).await?;
        let body_room = match step {
            Step::Queue(..) => path.body_room(Arc::clone(core))?,
            Step::Run(..) | Step::Park(_) | Step::Again => None,
        };
        // The turn begins a chain of its own, and has no time limit but its type's.
        let chain = CallChain::new(&[], caller.chain.reentrancy.take());
        let posted = Posted {
            call: Invocation {
                deadline: None,
                chain: CallChain::default(),
                routed_by: None,
                ..call.clone()
            },
            caller: Caller { deadline: None, chain },
            step,
            body_room,
        };
        let running = self.clone().posted(Arc::clone(entry), posted);
        core.tasks.spawn(TaskKind::DetachedTurn, async move {
            let _room = room;
            running.await;
        });
        Ok(())
    }

    /// Runs a call from its place in the mailbox to its end. Boxed, since it may come to be posted
    /// again.
    fn posted(self, entry: Arc<TypeEntry>, posted: Posted) -> BoxFuture<'static, ()> {
        async move { self.run_posted(&entry, posted).await }.boxed()
    }

    async fn run_posted(&self, entry: &Arc<TypeEntry>, posted: Posted) {
        let Posted { call, mut caller, step, body_room } = posted;
        let actor = call.actor.clone();
        let path = Path { has_room: body_room.is_some(), ..self.path_of(entry, &call) };
        let admitted = self.admitted_after(&path, Ok(step), &mut caller).await;
        drop(body_room);
        let ended = match admitted {
            Ok(admitted) => {
                let (actor, body) = Encoded::of(call);
                self.turn(&actor, admitted, caller, body).await
            }
            Err(error @ Error::Moved { .. }) => match &self.inner.peers {
                Some(peers) => self.forward(&**peers, entry, call).await,
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

/// A call that was left in its actor's mailbox.
struct Posted {
    call: Invocation,
    caller: Caller,
    step: Step,
    /// Its body's room in this host, while it waits.
    body_room: Option<Waiting<Arc<Core>>>,
}
