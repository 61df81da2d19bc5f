//! Deactivates actors that nobody has used for their type's idle time (DEA-1).
//!
//! One task and one heap for the whole host: an activation costs an entry of two
//! words, and no timer (ACT-6). An entry that comes up too early, because the actor
//! was used meanwhile, goes back with its new time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::activation::Activation;
use crate::closing;
use crate::config::IdleFrom;
use crate::lease::{Lease, nanos};
use crate::mailbox::{Phase, Why};
use crate::sync::{Mutex, lock};

/// Fewer entries than this are not worth a look.
const SWEEP_MIN: usize = 1_024;

#[derive(Debug)]
struct Entry {
    due: u64,
    activation: Weak<Activation>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

#[derive(Debug, Default)]
struct Heap {
    entries: BinaryHeap<Reverse<Entry>>,
    /// How many entries there may be before those of ended activations are looked for.
    sweep_at: usize,
}

/// The activations by when they may have been idle for long enough.
#[derive(Debug, Default)]
pub(crate) struct Idle {
    heap: Mutex<Heap>,
    sooner: Notify,
}

impl Idle {
    /// Watches a new activation.
    pub(crate) fn watch(&self, activation: &Arc<Activation>) {
        let timeout = nanos(activation.hosting.spec.config.idle_timeout);
        let due = activation.with(|inner| inner.last_used).saturating_add(timeout);
        self.push(due, Arc::downgrade(activation));
    }

    fn push(&self, due: u64, activation: Weak<Activation>) {
        let mut heap = lock(&self.heap);
        if heap.entries.len() >= heap.sweep_at {
            // An entry keeps the memory of its activation, which may have ended an hour
            // before its time; at most half of them do.
            heap.entries.retain(|entry| entry.0.activation.strong_count() > 0);
            heap.sweep_at = (heap.entries.len() * 2).max(SWEEP_MIN);
        }
        let is_first = heap.entries.peek().is_none_or(|first| due < first.0.due);
        heap.entries.push(Reverse(Entry { due, activation }));
        drop(heap);
        if is_first {
            self.sooner.notify_one();
        }
    }

    /// Runs until told to stop.
    pub(crate) async fn run(&self, lease: &Lease, stop: CancellationToken) {
        loop {
            let wait = self.sweep(lease.now());
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.sooner.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Closes what is idle; returns how long until the next may be.
    fn sweep(&self, now: u64) -> Duration {
        loop {
            let mut heap = lock(&self.heap);
            let due = match heap.entries.peek() {
                None => return Duration::from_secs(3600),
                Some(first) => first.0.due,
            };
            if due > now {
                // A millisecond more: the timer may fire a trifle before the clock agrees.
                return Duration::from_nanos(due - now) + Duration::from_millis(1);
            }
            let entry = heap.entries.pop();
            drop(heap);
            let Some(activation) = entry.and_then(|entry| entry.0.activation.upgrade()) else {
                continue;
            };
            self.consider(&activation, now);
        }
    }

    fn consider(&self, activation: &Arc<Activation>, now: u64) {
        let config = &activation.hosting.spec.config;
        let timeout = nanos(config.idle_timeout);
        let (is_idle, phase, last_used) = activation.with(|inner| {
            inner.mailbox.shrink();
            (inner.mailbox.is_idle(), inner.mailbox.phase(), inner.last_used)
        });
        if phase == Phase::Gone {
            return;
        }
        // Turns that run do not count as use where their beginning does: the goodbye comes after
        // them, and who waits behind them finds the next life.
        let runs_out = is_idle || config.idle_from == IdleFrom::TurnBegin && phase == Phase::Active;
        let due = last_used.saturating_add(timeout);
        if runs_out && due <= now {
            closing::close(activation, Why::Idle);
            // Waiting calls may start a new life of the same activation.
            self.push(now.saturating_add(timeout).max(now + 1_000_000), Arc::downgrade(activation));
        } else {
            // While a turn runs the clock stands still: ask again a whole time later (DEA-1).
            let next = if runs_out { due } else { now.saturating_add(timeout) };
            self.push(next.max(now + 1_000_000), Arc::downgrade(activation));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // An activation that ends early must not stay in memory until it would have been idle.
    #[test]
    fn entries_of_ended_activations_are_forgotten_before_their_time() {
        let idle = Idle::default();
        for due in 0..100_000 {
            idle.push(due, Weak::new());
        }
        let heap = lock(&idle.heap);
        assert!(heap.entries.len() <= SWEEP_MIN, "{}", heap.entries.len());
    }
}
