//! What a shut gate means to activations: let turns end, say goodbye, be gone.
//!
//! Only actors whose owner changed are touched (O4). Calls that wait are sent on;
//! running turns may end within the type's drain time, then they are cut.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::time::Instant;

use crate::activation::{Activation, Cut, Hosting};
use crate::closing;
use crate::mailbox::Why;
use crate::view::Route;

/// Empties what lives behind shut gates of a type; returns when nothing is active there.
pub(crate) async fn behind_shut_gates(hosting: &Arc<Hosting>) {
    let config = &hosting.spec.config;
    let limit = hosting.core.lease.drain_limit();
    let patience =
        if config.drain_rebalanced { config.drain_timeout.min(limit) } else { Duration::ZERO };
    let is_behind = |activation: &Arc<Activation>| {
        let view = hosting.view.load();
        !matches!(view.route(config.placement, activation.actor.id.hash(), false), Route::Here(_))
    };
    empty(hosting, is_behind, patience, Why::Moved).await;
}

/// Ends all activations of a type.
pub(crate) async fn all(hosting: &Arc<Hosting>, patience: Duration, why: Why) {
    empty(hosting, |_| true, patience, why).await;
}

/// Drops all activations of a type at once, without a goodbye.
pub(crate) fn cut_all(hosting: &Hosting, why: Cut) {
    for activation in hosting.directory.collect(|_| true) {
        activation.cut(why);
    }
}

async fn empty(
    hosting: &Arc<Hosting>,
    concerns: impl Fn(&Arc<Activation>) -> bool,
    patience: Duration,
    why: Why,
) {
    let until = Instant::now() + patience;
    let at_once = hosting.core.config.deactivations_max.max(1);
    loop {
        // Listen before looking, so that no end is missed in between.
        let mut gone = std::pin::pin!(hosting.gone.notified());
        gone.as_mut().enable();
        let there = hosting.directory.collect(&concerns);
        if there.is_empty() {
            return;
        }
        if Instant::now() >= until {
            there.iter().for_each(|activation| activation.cut(Cut::Drain));
            continue;
        }
        futures::stream::iter(&there)
            .for_each_concurrent(
                at_once,
                |activation| async move { closing::close(activation, why) },
            )
            .await;
        // A call of a running turn may bring a new activation behind the gate.
        let _ = tokio::time::timeout_at(until, gone).await;
    }
}
