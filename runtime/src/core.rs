//! What every activation of a host shares: settings, clocks, lease, store.
//!
//! Knows neither types nor calls, so that everything above can hold it without a
//! circle.

use std::any::Any;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

#[cfg(feature = "defects")]
use odeon_base::defect::Defect;
use odeon_base::{Entropy, Epoch, Fence, Tasks, WallClock};
use tokio::sync::{Semaphore, mpsc};

use crate::config::Config;
use crate::lease::Lease;
use crate::metrics::{OutboxCounters, ReminderCounters};
use crate::seams::Outbox;
use crate::store::StateStore;
use crate::timers::Timers;

/// A word to the membership loop from where calls run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Notice {
    /// A store holds a fence of this term, above the leader's.
    FenceAhead(u64),
}

/// Shared by all parts of one engine.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) config: Config,
    pub(crate) lease: Lease,
    pub(crate) wall: Arc<dyn WallClock>,
    pub(crate) entropy: Entropy,
    pub(crate) tasks: Tasks,
    pub(crate) timers: Timers,
    store: OnceLock<Arc<dyn StateStore>>,
    outbox: OnceLock<Arc<dyn Outbox>>,
    /// What went out, whoever delivers it.
    pub(crate) sent: Arc<OutboxCounters>,
    pub(crate) reminded: Arc<ReminderCounters>,
    /// How many effects were numbered.
    effects: AtomicU64,
    /// The engine itself, for calls from inside a turn.
    pub(crate) engine: OnceLock<Weak<dyn Any + Send + Sync>>,
    notices: mpsc::Sender<Notice>,
    activations: AtomicU64,
    calls: AtomicU64,
    waiting_bytes: AtomicUsize,
    /// How many activations may be saying goodbye at once (DEA-8).
    pub(crate) goodbyes: Semaphore,
    /// Places of calls whose answers nobody waits for.
    pub(crate) one_way: Arc<Semaphore>,
}

impl Core {
    pub(crate) fn new(
        config: Config,
        lease: Lease,
        wall: Arc<dyn WallClock>,
        entropy: Entropy,
        tasks: Tasks,
        notices: mpsc::Sender<Notice>,
    ) -> Self {
        Self {
            timers: Timers::new(config.compat),
            goodbyes: Semaphore::new(config.deactivations_max.max(1)),
            one_way: Arc::new(Semaphore::new(config.one_way_max)),
            config,
            lease,
            wall,
            entropy,
            tasks,
            store: OnceLock::new(),
            outbox: OnceLock::new(),
            sent: Arc::default(),
            reminded: Arc::default(),
            effects: AtomicU64::new(0),
            engine: OnceLock::new(),
            notices,
            activations: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            waiting_bytes: AtomicUsize::new(0),
        }
    }

    pub(crate) fn store(&self) -> Option<&Arc<dyn StateStore>> {
        self.store.get()
    }

    /// Set once, at assembly; later values are ignored.
    pub(crate) fn use_store(&self, store: Arc<dyn StateStore>) {
        let _ = self.store.set(store);
    }

    pub(crate) fn outbox(&self) -> Option<&Arc<dyn Outbox>> {
        self.outbox.get()
    }

    /// Set once, at assembly; later values are ignored.
    pub(crate) fn use_outbox(&self, outbox: Arc<dyn Outbox>) {
        let _ = self.outbox.set(outbox);
    }

    /// The number of the first of so many effects; no others of this incarnation have any of them.
    pub(crate) fn next_effects(&self, count: usize) -> u64 {
        self.effects.fetch_add(count as u64, Ordering::Relaxed) + 1
    }

    /// A fence that no other activation of this incarnation has.
    pub(crate) fn next_fence(&self, epoch: Epoch) -> Fence {
        #[cfg(feature = "defects")]
        if Defect::NoSeqInTheFence.is_planted() {
            return Fence { epoch, seq: 0 };
        }
        Fence { epoch, seq: self.activations.fetch_add(1, Ordering::Relaxed) + 1 }
    }

    /// A number for a call to another host that no other call of this engine has.
    pub(crate) fn next_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Tells the leader of a higher term; a full queue means it is being told already.
    pub(crate) fn fence_ahead(&self, term: u64) {
        let _ = self.notices.try_send(Notice::FenceAhead(term));
    }

    /// Takes room for a waiting body; `None` when the host has no more.
    pub(crate) fn wait_with<C: Deref<Target = Self>>(core: C, bytes: usize) -> Option<Waiting<C>> {
        let before = core.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let waiting = Waiting { core, bytes };
        (before + bytes <= waiting.core.config.waiting_bytes_max).then_some(waiting)
    }
}

/// Room that a waiting body takes; given back on drop.
#[derive(Debug)]
pub(crate) struct Waiting<C: Deref<Target = Core>> {
    core: C,
    bytes: usize,
}

impl<C: Deref<Target = Core>> Drop for Waiting<C> {
    fn drop(&mut self) {
        self.core.waiting_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
