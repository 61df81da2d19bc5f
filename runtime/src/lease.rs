//! The right to run turns, as everybody on the path of a call reads it.
//!
//! Three words that the membership loop sets and turns compare with the lease
//! clock: no lock, no message. Who sets them and why is in `ownership.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[cfg(feature = "defects")]
use odeon_base::defect::Defect;
use odeon_base::{Incarnation, LeaseClock};
use tokio::sync::Notify;

/// A granted lease, as the host counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) incarnation: Incarnation,
    pub(crate) term: u64,
    /// No turn starts from here on (0.8 L after the renewal was sent).
    pub(crate) stop_at: Duration,
    /// No commit and no answer from here on (0.9 L).
    pub(crate) cut_at: Duration,
    /// When a draining turn is cut at the latest.
    pub(crate) drain_limit: Duration,
}

/// The lease of this host.
#[derive(Debug)]
pub(crate) struct Lease {
    clock: Arc<dyn LeaseClock>,
    stop_at: AtomicU64,
    cut_at: AtomicU64,
    incarnation: AtomicU64,
    term: AtomicU64,
    drain_limit: AtomicU64,
    /// Told whenever the lease begins or ends.
    pub(crate) changed: Notify,
}

/// A time on the lease clock, in nanoseconds.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Lease {
    pub(crate) fn new(clock: Arc<dyn LeaseClock>) -> Self {
        Self {
            clock,
            stop_at: AtomicU64::new(0),
            cut_at: AtomicU64::new(0),
            incarnation: AtomicU64::new(0),
            term: AtomicU64::new(0),
            drain_limit: AtomicU64::new(nanos(Duration::from_secs(60))),
            changed: Notify::new(),
        }
    }

    /// The lease clock, in nanoseconds.
    pub(crate) fn now(&self) -> u64 {
        nanos(self.clock.now())
    }

    /// Whether a turn may start at this time.
    pub(crate) fn may_start(&self, now: u64) -> bool {
        #[cfg(feature = "defects")]
        if Defect::NoLeaseCheck.is_planted() {
            return self.stop_at.load(Ordering::Acquire) > 0;
        }
        now < self.stop_at.load(Ordering::Acquire)
    }

    /// Whether a turn may commit or answer at this time.
    pub(crate) fn may_answer(&self, now: u64) -> bool {
        #[cfg(feature = "defects")]
        if Defect::NoLeaseCheck.is_planted() || Defect::TurnsOutliveTheLease.is_planted() {
            return true;
        }
        now < self.cut_at.load(Ordering::Acquire)
    }

    /// The leader's number that granted the lease.
    pub(crate) fn term(&self) -> u64 {
        self.term.load(Ordering::Acquire)
    }

    /// The incarnation that holds the lease.
    pub(crate) fn incarnation(&self) -> Incarnation {
        Incarnation(self.incarnation.load(Ordering::Acquire))
    }

    /// When a draining turn is cut at the latest.
    pub(crate) fn drain_limit(&self) -> Duration {
        Duration::from_nanos(self.drain_limit.load(Ordering::Acquire))
    }

    /// How long the lease still lets turns start; zero without one.
    pub(crate) fn left(&self) -> Duration {
        Duration::from_nanos(self.stop_at.load(Ordering::Acquire).saturating_sub(self.now()))
    }

    /// The lease runs; the incarnation is set before the right, so that nobody
    /// acts for the earlier one.
    pub(crate) fn grant(&self, grant: Grant) {
        self.incarnation.store(grant.incarnation.0, Ordering::Release);
        self.term.store(grant.term, Ordering::Release);
        self.drain_limit.store(nanos(grant.drain_limit), Ordering::Release);
        self.cut_at.store(nanos(grant.cut_at), Ordering::Release);
        let before = self.stop_at.swap(nanos(grant.stop_at), Ordering::AcqRel);
        if before <= self.now() {
            // Calls may be waiting: there was no lease, or it stood still.
            self.changed.notify_waiters();
        }
    }

    /// The lease is over.
    pub(crate) fn end(&self) {
        self.stop_at.store(0, Ordering::Release);
        self.cut_at.store(0, Ordering::Release);
        self.changed.notify_waiters();
    }
}
