//! Wakes the partitions that have become this host's, though nobody calls them.
//!
//! Whenever the tables change, a lease comes back or an activation ends, whoever owns a
//! partition by the newest table makes it active, so a host that dies takes no reminder with it
//! (REM-12). What all partitions of a host would else look for by themselves is watched here, too:
//! whether the tables change, and whether somebody sets the clock.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use odeon_base::{ActorId, ActorType};
use odeon_runtime::{ActorRef, Engine, Invocation, WeakEngine};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::bell::Bell;
use super::calendar::Calendar;
use super::forms::WAKE;

/// How often it looks though it was told nothing: what could not be woken is tried again, and the
/// clock may have been set (REM-15).
const LOOK: Duration = Duration::from_secs(1);
/// Before one that could not be woken is tried again: it may be refused at once each time.
const AGAIN: Duration = Duration::from_millis(100);

/// Watches over the partitions of one store.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) engine: WeakEngine,
    pub(super) actor_type: ActorType,
    pub(super) partitions: Vec<ActorId>,
    /// Told when an activation of one of them ended here.
    pub(super) ended: Arc<Notify>,
    /// Tells who delivers here that hosts came or went, and may have died before they told.
    pub(super) hosts: Bell,
    pub(super) calendar: Calendar,
    pub(super) stop: CancellationToken,
}

impl Watch {
    pub(super) async fn run(mut self) {
        let mut seen = 0;
        let mut waking = FuturesUnordered::new();
        let mut underway: Vec<ActorId> = Vec::new();
        loop {
            self.calendar.look(Instant::now());
            let Some(engine) = self.engine.upgrade() else { return };
            for id in engine.asleep(&self.actor_type, &self.partitions) {
                if !underway.contains(&id) {
                    underway.push(id.clone());
                    waking.push(wake(engine.clone(), self.actor_type.clone(), id));
                }
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                Some(id) = waking.next() => underway.retain(|other| *other != id),
                () = self.ended.notified() => {}
                changes = engine.changed(&self.actor_type, seen) => {
                    seen = changes;
                    self.hosts.ring();
                }
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

/// Has a partition made active; the call waits for its gate.
async fn wake(engine: Engine, actor_type: ActorType, id: ActorId) -> ActorId {
    let actor = ActorRef { actor_type, id: id.clone() };
    if let Err(error) = engine.call(Invocation::new(actor, WAKE, Bytes::new())).await {
        tracing::debug!(partition = id.as_str(), %error, "a partition of reminders is not active yet");
        tokio::time::sleep(AGAIN).await;
    }
    id
}
