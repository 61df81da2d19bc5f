//! An actor in memory, and the type hosting that it belongs to.
//!
//! The shell around the pure mailbox: a std mutex with short sections, wakers
//! called outside of it. How a turn runs is in `execute.rs`, how an activation
//! says goodbye in `closing.rs`, its state in `state.rs`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;
use bytes::Bytes;
use jiff::Timestamp;
use odeon_base::{ActorId, Fence};
use odeon_ring::Policy;
use tokio::sync::{Notify, Semaphore};

use crate::config::{IdleFrom, Sharing, TypeSpec};
use crate::core::Core;
use crate::directory::{Directory, Keyed};
use crate::error::Error;
use crate::invocation::ActorRef;
use crate::mailbox::{Effects, Entered, Mailbox, Next, Phase, Rules, Why};
use crate::metrics::Counters;
use crate::once::KeyedTurns;
use crate::schedule::{TimerPlan, TimerSpec};
use crate::seams::Instance;
use crate::store::Item;
use crate::sync::{AtomicU8, Mutex, lock};
use crate::timers::TIMERS_MAX;
use crate::view::{Route, View};

/// A type as it is hosted here: from its offer until it is withdrawn.
#[derive(Debug)]
pub(crate) struct Hosting {
    pub(crate) core: Arc<Core>,
    pub(crate) spec: TypeSpec,
    pub(crate) rules: Rules,
    /// Hash of the type's name; with the id's it names an actor in a call chain.
    pub(crate) type_hash: u64,
    /// The same view that the type's router reads.
    pub(crate) view: Arc<ArcSwap<View>>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) directory: Directory<Activation>,
    pub(crate) turns: Option<Arc<Semaphore>>,
    /// Told when a running turn is cut.
    pub(crate) cuts: Arc<Notify>,
    /// Told when an activation is over.
    pub(crate) gone: Notify,
    /// How often making an actor's memory failed in a row, and until when not to try.
    pub(crate) failures: Mutex<HashMap<ActorId, (u32, u64)>>,
    /// Turns of calls with idempotency keys.
    pub(crate) keyed: KeyedTurns,
}

impl Hosting {
    /// Whether turns of this type need the host's lease.
    pub(crate) fn is_leased(&self) -> bool {
        self.spec.config.placement == Policy::Ring
    }

    /// Where a call of an actor at `hash` goes; `nested` tells a call made by a running turn.
    pub(crate) fn route(&self, view: &View, hash: u64, nested: bool) -> Route {
        let config = &self.spec.config;
        let pooled = config.pool.and_then(|_| view.pool_route());
        pooled.unwrap_or_else(|| view.route(config.placement, hash, nested))
    }

    /// The actor's name in a call chain.
    pub(crate) fn hop(&self, id: &ActorId) -> u64 {
        self.type_hash ^ id.hash().rotate_left(1)
    }
}

/// Why a running turn lost its right to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Cut {
    /// It did not.
    Not = 0,
    /// The host's lease ended.
    Lease = 1,
    /// The time to drain was up.
    Drain = 2,
    /// The turn took longer than its type allows.
    TooLong = 3,
    /// The application that hosted it is gone.
    Withdrawn = 4,
    /// A newer activation claimed the state.
    Fenced = 5,
}

/// How an activation stands to the actor's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It has not asked for it.
    NotYet,
    /// The store has recorded its fence.
    Held,
    /// A write of its own may land at any time, or its turn took too long: it neither
    /// reads nor writes any more.
    Lost,
}

/// A call that arrives at an activation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'a> {
    /// The reentrancy id of its chain.
    pub(crate) flight: Option<&'a Arc<str>>,
    /// How its turn stands to others.
    pub(crate) sharing: Sharing,
    /// Size of the body.
    pub(crate) bytes: usize,
    /// Whether the actor counts as used by it (DEA-7).
    pub(crate) is_use: bool,
    /// The lease clock's time.
    pub(crate) now: u64,
}

/// What the end of a turn says of when its actor was used (DEA-7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Used {
    /// Then.
    Now,
    /// Nothing: others may have used it meanwhile.
    AsItWas,
    /// What was known before it, unless others have used it meanwhile.
    Before {
        /// When it was used before.
        last: u64,
        /// What stands there since the turn began.
        begun: u64,
    },
}

/// What an activation keeps under its lock.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) mailbox: Mailbox,
    pub(crate) instance: Instance,
    pub(crate) fence: Fence,
    /// How this activation stands to the actor's state.
    pub(crate) claim: Claim,
    /// Its memory is in another process, which has to be told of its end.
    pub(crate) is_remote: bool,
    /// End of the last turn, on the lease clock in nanoseconds, or its beginning, as the type has
    /// it (DEA-1); while one runs, its beginning: one that waited begins where the last one ended.
    pub(crate) last_used: u64,
    /// What was read and written, for types that keep it (ST-1). Absent is kept too.
    #[expect(clippy::box_collection, reason = "an idle activation stays small")]
    pub(crate) cache: Option<Box<HashMap<Arc<str>, Option<Item>>>>,
}

impl Inner {
    /// A turn begins at once: what its end has to say of when the actor was used. One that is no
    /// use of it leaves the time alone that another turn wrote.
    fn begin(&mut self, is_use: bool, now: u64) -> Used {
        if !is_use && self.mailbox.running() > 1 {
            return Used::AsItWas;
        }
        let last = std::mem::replace(&mut self.last_used, now);
        if is_use { Used::Now } else { Used::Before { last, begun: now } }
    }

    /// A turn ended, or an admitted one did not begin.
    pub(crate) fn was_used(&mut self, used: Used, from: IdleFrom, now: u64) {
        match used {
            Used::Now if from == IdleFrom::TurnBegin => {}
            Used::Now => self.last_used = now,
            Used::Before { last, begun } if self.last_used == begun => self.last_used = last,
            Used::Before { .. } | Used::AsItWas => {}
        }
    }

    /// The memory for a turn: the object itself, or a share in it.
    pub(crate) fn checkout(&mut self) -> Instance {
        match &self.instance {
            Instance::Remote => Instance::Remote,
            Instance::Owned(_) => std::mem::take(&mut self.instance),
            Instance::Shared(shared) => Instance::Shared(Arc::clone(shared)),
        }
    }

    /// The memory comes back. A share stays with the caller, and so does what nobody
    /// will need again: users' code is not dropped under the lock.
    pub(crate) fn give_back(&mut self, instance: &mut Instance) {
        if matches!(instance, Instance::Owned(_)) && self.mailbox.phase() != Phase::Gone {
            self.instance = std::mem::take(instance);
        }
    }
}

/// An actor in memory.
#[derive(Debug)]
pub(crate) struct Activation {
    pub(crate) actor: ActorRef,
    pub(crate) hosting: Arc<Hosting>,
    cut: AtomicU8,
    inner: Mutex<Inner>,
}

impl Keyed for Activation {
    fn id(&self) -> &ActorId {
        &self.actor.id
    }
}

impl Activation {
    pub(crate) fn new(actor: ActorRef, hosting: Arc<Hosting>, fence: Fence, now: u64) -> Arc<Self> {
        let inner = Inner {
            mailbox: Mailbox::new(),
            instance: Instance::Remote,
            fence,
            claim: Claim::NotYet,
            is_remote: false,
            last_used: now,
            cache: None,
        };
        Arc::new(Self { actor, hosting, cut: AtomicU8::new(0), inner: Mutex::new(inner) })
    }

    /// A short section under the lock.
    pub(crate) fn with<T>(&self, section: impl FnOnce(&mut Inner) -> T) -> T {
        section(&mut lock(&self.inner))
    }

    /// A mailbox event, and what it asks for, outside the lock.
    pub(crate) fn event(
        self: &Arc<Self>,
        event: impl FnOnce(&mut Mailbox, &Rules) -> Effects,
    ) -> Option<Why> {
        let effects = self.with(|inner| event(&mut inner.mailbox, &self.hosting.rules));
        self.apply(effects)
    }

    /// Wakes whom it concerns; the reason comes back when the caller has to close.
    pub(crate) fn apply(self: &Arc<Self>, effects: Effects) -> Option<Why> {
        for waker in effects.wake {
            waker.wake();
        }
        match effects.next {
            Next::Nothing => None,
            Next::Close(why) => Some(why),
            Next::Remove => {
                self.hosting.directory.remove(self);
                self.end_timers();
                self.hosting.gone.notify_waiters();
                None
            }
        }
    }

    /// Why the running turn may not answer, if so.
    pub(crate) fn cut_reason(&self) -> Cut {
        match self.cut.load(Ordering::Acquire) {
            0 => Cut::Not,
            1 => Cut::Lease,
            2 => Cut::Drain,
            3 => Cut::TooLong,
            4 => Cut::Withdrawn,
            _ => Cut::Fenced,
        }
    }

    /// Ends the activation now; running turns have lost their right to answer. The
    /// reason comes back when a goodbye is left to say (`closing::cut` says it).
    pub(crate) fn cut(self: &Arc<Self>, why: Cut) -> Option<Why> {
        let first = self
            .cut
            .compare_exchange(Cut::Not as u8, why as u8, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        if !first {
            return None;
        }
        let (effects, memory) = self.with(|inner| {
            let memory = (std::mem::take(&mut inner.instance), inner.cache.take());
            // Where the application itself is gone, nobody is left to be told.
            (inner.mailbox.cut(inner.is_remote && why != Cut::Withdrawn), memory)
        });
        let close = self.apply(effects);
        self.hosting.cuts.notify_waiters();
        // Whoever still holds the activation does not hold its memory.
        drop(memory);
        close
    }

    /// Takes the state away from this activation, for the rest of its life.
    pub(crate) fn disown(&self) {
        let cache = self.with(|inner| {
            inner.claim = Claim::Lost;
            inner.cache.take()
        });
        drop(cache);
    }

    /// A call arrives; when its turn begins at once, the memory comes with it.
    pub(crate) fn enter(&self, arrival: &Arrival<'_>) -> (Entered, Instance, Used) {
        let Arrival { flight, sharing, bytes, is_use, now } = *arrival;
        self.with(|inner| {
            let entered = inner.mailbox.enter(&self.hosting.rules, flight, sharing, bytes, now);
            let used = match entered {
                Entered::Run { .. } => inner.begin(is_use, now),
                _ => Used::AsItWas,
            };
            let instance = match entered {
                Entered::Run { activate: false } => inner.checkout(),
                _ => Instance::Remote,
            };
            (entered, instance, used)
        })
    }

    /// A call that waited begins its turn.
    pub(crate) fn begins_after_all(&self, is_use: bool, now: u64) {
        // Where the end of a turn counts, that of the one before has been written already.
        if is_use && self.hosting.spec.config.idle_from == IdleFrom::TurnBegin {
            self.with(|inner| inner.last_used = now);
        }
    }

    /// Sets a timer, as long as this life of the actor lasts.
    pub(crate) fn set_timer(
        &self,
        name: &Arc<str>,
        spec: &Arc<TimerSpec>,
        data: &Bytes,
    ) -> Result<(), Error> {
        let core = &self.hosting.core;
        let now = Timestamp::try_from(core.wall.now())
            .map_err(|error| Error::Arguments(format!("the clock of this host: {error}")))?;
        let plan =
            TimerPlan::new(spec, now).map_err(|error| Error::Arguments(error.to_string()))?;
        let fence = self.with(|inner| inner.fence);
        let whose = (&self.actor, fence);
        if !core.timers.set(whose, name, (spec, data.clone()), plan) {
            let ActorRef { actor_type, id } = &self.actor;
            return Err(Error::Arguments(format!(
                "actor '{actor_type}||{id}' has {TIMERS_MAX} timers, the limit"
            )));
        }
        let is_over =
            |inner: &mut Inner| inner.fence != fence || inner.mailbox.phase() == Phase::Gone;
        if self.with(is_over) {
            // It ended meanwhile, before there was a timer to end with it.
            core.timers.end(&self.actor, fence);
        }
        Ok(())
    }

    /// There is no timer of this name any more.
    pub(crate) fn drop_timer(&self, name: &str) {
        let whose = (&self.actor, self.with(|inner| inner.fence));
        self.hosting.core.timers.drop_one(whose, name);
    }

    /// This life of the actor is over, and its timers with it (TIM-1).
    pub(crate) fn end_timers(&self) {
        let fence = self.with(|inner| inner.fence);
        self.hosting.core.timers.end(&self.actor, fence);
    }

    /// Whether this activation still is what the directory should hold.
    pub(crate) fn is_gone(&self) -> bool {
        self.with(|inner| inner.mailbox.phase() == Phase::Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // There may be a million of them. With its two counts one fills an allocation of 192
    // bytes to the last; a field more costs each of them 16.
    #[test]
    fn an_activation_stays_small() {
        let counts = 2 * size_of::<usize>();
        assert!(counts + size_of::<Activation>() <= 184, "{}", size_of::<Activation>());
    }
}
