//! How an activation says goodbye: a turn of its own, after the running one (DEA-2).
//!
//! The application is told once; whatever it answers, the memory is gone (DEA-3).
//! Calls that came meanwhile find the next life of the same activation, in their
//! order, if the actor may still live here.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use odeon_base::TaskKind;

use crate::activation::{Activation, Claim, Cut};
use crate::mailbox::Why;
use crate::seams::Instance;
use crate::sync::{self, JoinHandle};
use crate::view::Route;

/// How long an application may take to say goodbye (DEA-3).
const GOODBYE_MAX: Duration = Duration::from_secs(10);

/// Asks an activation to end: now if nothing runs, else after the running turn. What
/// comes back is a goodbye that has begun; it goes on whether or not it is waited for.
pub(crate) fn close(activation: &Arc<Activation>, why: Why) -> Option<JoinHandle<()>> {
    let why = activation.event(|mailbox, _| mailbox.close(why))?;
    spawn(activation, why)
}

/// Ends an activation now; running turns have lost their right to answer.
pub(crate) fn cut(activation: &Arc<Activation>, why: Cut) {
    if let Some(why) = activation.cut(why) {
        let _ = spawn(activation, why);
    }
}

/// Runs the goodbye that the mailbox asked for, as a task of the host.
pub(crate) fn spawn(activation: &Arc<Activation>, why: Why) -> Option<JoinHandle<()>> {
    if tokio::runtime::Handle::try_current().is_err() {
        // The runtime is being torn down around us: nobody is left to say goodbye to.
        let _ = activation.cut(Cut::Withdrawn);
        return None;
    }
    let tasks = &activation.hosting.core.tasks;
    Some(sync::spawn(tasks, TaskKind::Drain, run(Arc::clone(activation), why)))
}

async fn run(activation: Arc<Activation>, why: Why) {
    let instance = activation.with(|inner| std::mem::take(&mut inner.instance));
    // Code of users, down to how their memory is dropped: whatever it does, life goes on.
    // Never closed, so it cannot fail.
    let _one_of_many = activation.hosting.core.goodbyes.acquire().await;
    let goodbye = AssertUnwindSafe(goodbye(&activation, instance, why)).catch_unwind();
    let failure = match tokio::time::timeout(GOODBYE_MAX, goodbye).await {
        Ok(Ok(())) => None,
        Ok(Err(_)) => Some("panicked"),
        Err(_) => Some("took longer than 10 s"),
    };
    if let Some(failure) = failure {
        activation.hosting.counters.deactivation_failures.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(
            actor_type = %activation.actor.actor_type,
            actor_id = %activation.actor.id,
            "deactivation {failure}; the activation is gone all the same"
        );
    }
    let hosting = &activation.hosting;
    hosting.counters.deactivations.fetch_add(1, Ordering::Relaxed);
    let route = hosting.route(&hosting.view.load(), activation.actor.id.hash(), false);
    let next = match route {
        Route::Here(epoch) if why != Why::Moved => Some(hosting.core.next_fence(epoch)),
        Route::Here(_) | Route::Shut | Route::Elsewhere(_) | Route::NoHost(_) => None,
    };
    activation.end_timers();
    let effects = activation.with(|inner| {
        if let Some(fence) = next {
            inner.fence = fence;
        }
        inner.claim = Claim::NotYet;
        inner.cache = None;
        inner.mailbox.closed(next.is_some(), &hosting.rules)
    });
    activation.apply(effects);
}

async fn goodbye(activation: &Activation, instance: Instance, why: Why) {
    if why == Why::Forget && !matches!(instance, Instance::Remote) {
        // What it holds was never committed: a goodbye could only write it.
        return;
    }
    activation.hosting.spec.behaviour.deactivate(&activation.actor, instance).await;
}
