//! The actor types this host knows: what routes their calls, what hosts them.
//!
//! An entry lives as long as the engine, so that a caller may keep it; whether the
//! type is hosted here comes and goes inside of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use odeon_base::ActorType;
use odeon_base::ident::ring_hash;
use tokio::sync::{Notify, Semaphore};

use crate::activation::Hosting;
use crate::config::TypeSpec;
use crate::core::Core;
use crate::directory::Directory;
use crate::mailbox::Rules;
use crate::metrics::Counters;
use crate::sync::Mutex;
use crate::view::View;

/// One actor type.
#[derive(Debug)]
pub(crate) struct TypeEntry {
    pub(crate) actor_type: ActorType,
    pub(crate) view: Arc<ArcSwap<View>>,
    pub(crate) hosting: ArcSwapOption<Hosting>,
    pub(crate) counters: Arc<Counters>,
    /// Told when the view or the hosting changed.
    pub(crate) changed: Notify,
    type_hash: u64,
    withdrawn: AtomicU64,
}

impl TypeEntry {
    fn new(actor_type: ActorType, now: u64) -> Self {
        let view = View { hostless_since: Some(now), ..View::default() };
        Self {
            type_hash: ring_hash(actor_type.as_str().as_bytes()),
            actor_type,
            view: Arc::new(ArcSwap::from_pointee(view)),
            hosting: ArcSwapOption::empty(),
            counters: Arc::default(),
            changed: Notify::new(),
            withdrawn: AtomicU64::new(0),
        }
    }

    /// Since when the application that hosted the type here is away, on the lease clock.
    pub(crate) fn withdrawn_since(&self) -> Option<u64> {
        match self.withdrawn.load(Ordering::Acquire) {
            0 => None,
            at => Some(at),
        }
    }

    /// Hosts the type here no longer; the hosting comes back, to be emptied.
    pub(crate) fn withdraw(&self, now: u64) -> Option<Arc<Hosting>> {
        self.withdrawn.store(now.max(1), Ordering::Release);
        let hosting = self.hosting.swap(None);
        self.changed.notify_waiters();
        hosting
    }

    /// Hosts the type here from now on.
    pub(crate) fn host(&self, core: &Arc<Core>, spec: TypeSpec) {
        let turns = spec.config.turns_max.map(|max| Semaphore::new(max as usize));
        let hosting = Hosting {
            core: Arc::clone(core),
            rules: Rules::new(&spec.config),
            type_hash: self.type_hash,
            view: Arc::clone(&self.view),
            counters: Arc::clone(&self.counters),
            directory: Directory::new(core.entropy.u64()),
            turns,
            cuts: Notify::new(),
            gone: Notify::new(),
            failures: Mutex::new(HashMap::new()),
            spec,
        };
        self.hosting.store(Some(Arc::new(hosting)));
        self.changed.notify_waiters();
    }

    /// Changes the view and tells who waits for that.
    pub(crate) fn publish(&self, change: impl Fn(&mut View)) {
        self.view.rcu(|view| {
            let mut next = View::clone(view);
            change(&mut next);
            next
        });
        self.changed.notify_waiters();
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Types {
    entries: ArcSwap<HashMap<ActorType, Arc<TypeEntry>>>,
    /// Told when a type became known.
    pub(crate) added: Notify,
}

impl Types {
    /// The entry of a known type.
    pub(crate) fn get(&self, actor_type: &str) -> Option<Arc<TypeEntry>> {
        self.entries.load().get(actor_type).cloned()
    }

    /// The entry of a type, made if need be. Only what hosts offer comes here, not
    /// what callers ask for, so the map cannot be grown from outside.
    pub(crate) fn get_or_add(&self, actor_type: &ActorType, now: u64) -> Arc<TypeEntry> {
        if let Some(entry) = self.get(actor_type.as_str()) {
            return entry;
        }
        let made = Arc::new(TypeEntry::new(actor_type.clone(), now));
        self.entries.rcu(|entries| {
            let mut next = HashMap::clone(entries);
            next.entry(actor_type.clone()).or_insert_with(|| Arc::clone(&made));
            next
        });
        self.added.notify_waiters();
        self.get(actor_type.as_str()).unwrap_or(made)
    }

    /// All entries, by name.
    pub(crate) fn all(&self) -> Vec<Arc<TypeEntry>> {
        let mut all: Vec<_> = self.entries.load().values().cloned().collect();
        all.sort_by(|a, b| a.actor_type.cmp(&b.actor_type));
        all
    }
}
