//! What a shut gate means to activations: let turns end, say goodbye, be gone.
//!
//! Only actors whose owner changed are touched (O4). Calls that wait are sent on;
//! running turns may end within the type's drain time, then they are cut.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use futures::StreamExt;
use tokio::time::Instant;

use crate::activation::{Activation, Cut, Hosting};
use crate::closing;
use crate::mailbox::Why;
use crate::view::Route;

/// How soon to look for activations that came in after the time to drain was up.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Empties what lives behind shut gates of a type; returns when nothing is active there.
pub(crate) async fn behind_shut_gates(hosting: &Arc<Hosting>) {
    let config = &hosting.spec.config;
    let limit = hosting.core.lease.drain_limit();
    let patience =
        if config.drain_rebalanced { config.drain_timeout.min(limit) } else { Duration::ZERO };
    empty(hosting, is_behind, patience, Why::Moved).await;
}

/// Whether anything of a type is active behind a shut gate.
pub(crate) fn is_any_behind(hosting: &Hosting) -> bool {
    // Shut before, as in `there`.
    fence(Ordering::SeqCst);
    hosting.directory.any(|activation| is_behind(activation))
}

fn is_behind(activation: &Activation) -> bool {
    let hosting = &activation.hosting;
    let (view, hash) = (hosting.view.load(), activation.actor.id.hash());
    !matches!(hosting.route(&view, hash, false), Route::Here(_))
}

/// Ends all activations of a type.
pub(crate) async fn all(hosting: &Arc<Hosting>, patience: Duration, why: Why) {
    empty(hosting, |_| true, patience, why).await;
}

/// Drops all activations of a type at once, without a goodbye.
pub(crate) fn cut_all(hosting: &Hosting, why: Cut) {
    for activation in there(hosting, |_| true) {
        closing::cut(&activation, why);
    }
}

/// Those in the directory. Whoever shuts something shuts it before he looks here, and
/// whoever comes in looks again after: the fences keep both from missing the other.
fn there(hosting: &Hosting, concerns: impl Fn(&Activation) -> bool) -> Vec<Arc<Activation>> {
    fence(Ordering::SeqCst);
    hosting.directory.collect(|activation| concerns(activation))
}

async fn empty(
    hosting: &Arc<Hosting>,
    concerns: impl Fn(&Activation) -> bool,
    patience: Duration,
    why: Why,
) {
    let until = Instant::now() + patience;
    let at_once = hosting.core.config.deactivations_max.max(1);
    loop {
        // Listen before looking, so that no end is missed in between.
        let mut gone = std::pin::pin!(hosting.gone.notified());
        gone.as_mut().enable();
        let there = there(hosting, &concerns);
        if there.is_empty() {
            return;
        }
        if Instant::now() >= until {
            there.iter().for_each(|activation| closing::cut(activation, Cut::Drain));
            // Those whose goodbye is under way tell when it is over; what came in since
            // does not.
            let _ = tokio::time::timeout(LOOK_AGAIN, gone).await;
            continue;
        }
        let closing =
            futures::stream::iter(there).for_each_concurrent(at_once, |activation| async move {
                if let Some(goodbye) = closing::close(&activation, why) {
                    // It goes on by itself; this only bounds how many do at once (DEA-8).
                    let _ = goodbye.await;
                }
            });
        let _ = tokio::time::timeout_at(until, async {
            closing.await;
            // A call of a running turn may bring a new activation behind the gate.
            gone.await;
        })
        .await;
    }
}
