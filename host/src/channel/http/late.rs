//! Requests whose turn was cut while the application had them.
//!
//! The application cannot be stopped, and its state calls do not say to which turn they
//! belong: until it has answered, or its connection is closed, they could be taken for
//! those of the actor's next life. So a request is never just dropped; it goes on as a
//! task, and the actor is not activated anew before it is over (TURN-5).

use std::collections::HashMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use odeon_base::{TaskKind, Tasks};
use odeon_runtime::ActorRef;
use tokio::sync::Notify;

/// How many late requests there are of each actor.
#[derive(Debug, Default)]
pub(super) struct Late {
    counts: Mutex<HashMap<ActorRef, usize>>,
    /// Told when one is over.
    changed: Notify,
}

impl Late {
    fn counts(&self) -> MutexGuard<'_, HashMap<ActorRef, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no late request of an actor is left.
    ///
    /// # Cancel safety
    /// Can be dropped at will.
    pub(super) async fn settled(&self, actor: &ActorRef) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if !self.counts().contains_key(actor) {
                return;
            }
            changed.await;
        }
    }
}

/// Keeps an actor from being activated, until it is dropped.
struct Straggler {
    late: Arc<Late>,
    actor: ActorRef,
}

impl Straggler {
    fn of(late: &Arc<Late>, actor: ActorRef) -> Self {
        *late.counts().entry(actor.clone()).or_default() += 1;
        Self { late: Arc::clone(late), actor }
    }
}

impl Drop for Straggler {
    fn drop(&mut self) {
        let mut counts = self.late.counts();
        if let Some(count) = counts.get_mut(&self.actor) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.actor);
            }
        }
        drop(counts);
        self.late.changed.notify_waiters();
    }
}

/// A request that is under way, and goes on when nobody waits for it any more.
pub(super) struct Request<'a, T: Send + 'static> {
    late: &'a Arc<Late>,
    tasks: &'a Tasks,
    actor: &'a ActorRef,
    work: Option<BoxFuture<'static, T>>,
}

impl<'a, T: Send + 'static> Request<'a, T> {
    pub(super) fn new(
        late: &'a Arc<Late>,
        tasks: &'a Tasks,
        actor: &'a ActorRef,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Self {
        Self { late, tasks, actor, work: Some(Box::pin(work)) }
    }
}

impl<T: Send + 'static> Future for Request<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(work) = self.work.as_mut() else { return Poll::Pending };
        let polled = work.as_mut().poll(cx);
        if polled.is_ready() {
            self.work = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Request<'_, T> {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        if tokio::runtime::Handle::try_current().is_err() {
            // The runtime is being torn down around us, and no actor lives again.
            return;
        }
        let straggler = Straggler::of(self.late, self.actor.clone());
        let stop = self.tasks.stopping().clone();
        self.tasks.spawn(TaskKind::Stream, async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                _ = work => {}
            }
            drop(straggler);
        });
    }
}
