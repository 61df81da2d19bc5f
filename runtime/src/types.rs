//! The actor types this host knows: what routes their calls, what hosts them.
//!
//! An entry lives as long as the engine, so that a caller may keep it; whether the
//! type is hosted here comes and goes inside of it.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use arc_swap::{ArcSwap, Guard};
use odeon_base::ident::ring_hash;
use odeon_base::{ActorType, AppId, Epoch};
use tokio::sync::{Notify, Semaphore};

use crate::activation::Hosting;
use crate::config::TypeSpec;
use crate::core::Core;
use crate::directory::Directory;
use crate::invocation::ActorRef;
use crate::mailbox::Rules;
use crate::metrics::Counters;
use crate::once::KeyedTurns;
use crate::parked::Parked;
use crate::sync::{Mutex, lock};
use crate::view::View;

/// Tables and hosting of a type at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing {
    pub(crate) view: Arc<View>,
    pub(crate) hosting: Option<Arc<Hosting>>,
    /// Since when the application that hosted the type here is away, on the lease clock.
    pub(crate) withdrawn_since: Option<u64>,
}

/// One actor type.
#[derive(Debug)]
pub(crate) struct TypeEntry {
    pub(crate) actor_type: ActorType,
    /// What routes a call, in one word: read on the path of each.
    standing: ArcSwap<Standing>,
    /// Counts what was put into `standing`: whoever read the same number before and after
    /// has missed nothing.
    changes: AtomicU64,
    /// The tables alone, for the hosting and its drains.
    view: Arc<ArcSwap<View>>,
    pub(crate) counters: Arc<Counters>,
    /// Told when the view or the hosting changed.
    pub(crate) changed: Notify,
    /// Calls that wait for such a change.
    pub(crate) parked: Parked,
    /// One change of how it is hosted at a time; held while the earlier one drains.
    pub(crate) offering: tokio::sync::Mutex<()>,
    /// Every hosting that may still have turns: the one that stands and those it replaced.
    hostings: Mutex<Vec<Weak<Hosting>>>,
    type_hash: u64,
}

impl TypeEntry {
    fn new(actor_type: ActorType, now: u64) -> Self {
        let view = View { hostless_since: Some(now), ..View::default() };
        Self {
            type_hash: ring_hash(actor_type.as_str().as_bytes()),
            actor_type,
            standing: ArcSwap::from_pointee(Standing {
                view: Arc::new(view.clone()),
                ..Standing::default()
            }),
            view: Arc::new(ArcSwap::from_pointee(view)),
            changes: AtomicU64::new(0),
            counters: Arc::default(),
            changed: Notify::new(),
            parked: Parked::default(),
            offering: tokio::sync::Mutex::default(),
            hostings: Mutex::default(),
        }
    }

    /// Whether this table, or a later one, has come here; nobody needs to wait for none.
    pub(crate) fn knows(&self, epoch: Epoch) -> bool {
        if epoch == Epoch::default() {
            return true;
        }
        let view = &self.standing().0.view;
        view.chain.as_ref().is_some_and(|chain| chain.newest().epoch() >= epoch)
    }

    /// Waits until it is so; what may make it so is a change of tables or hosting.
    pub(crate) async fn until(&self, is_so: impl Fn() -> bool) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if is_so() {
                return;
            }
            changed.await;
        }
    }

    /// How the type is hosted here, if it is.
    pub(crate) fn hosting(&self) -> Option<Arc<Hosting>> {
        self.standing.load().hosting.clone()
    }

    /// Whether the type is hosted here.
    pub(crate) fn is_hosted(&self) -> bool {
        self.standing.load().hosting.is_some()
    }

    /// All hostings with activations left: a replaced one counts until its turns are over.
    pub(crate) fn hostings(&self) -> Vec<Arc<Hosting>> {
        lock(&self.hostings).iter().filter_map(Weak::upgrade).collect()
    }

    /// Hosts the type here no longer; the hosting comes back, to be emptied.
    pub(crate) fn withdraw(&self, now: u64) -> Option<Arc<Hosting>> {
        let before = self.change(|standing| {
            standing.hosting = None;
            standing.withdrawn_since = Some(now);
        });
        before.hosting.clone()
    }

    fn change(&self, change: impl Fn(&mut Standing)) -> Arc<Standing> {
        let before = self.standing.rcu(|standing| {
            let mut next = Standing::clone(standing);
            change(&mut next);
            next
        });
        // Counted when it can be seen, and before anybody acts on it.
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_waiters();
        before
    }

    /// Tables and hosting as they stand, and the count of their changes.
    pub(crate) fn standing(&self) -> (Guard<Arc<Standing>>, u64) {
        let changes = self.changes();
        (self.standing.load(), changes)
    }

    /// How often the standing has changed.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Hosts the type here from now on.
    pub(crate) fn host(&self, core: &Arc<Core>, spec: TypeSpec) {
        let turns = spec.config.turns_max.map(|max| Arc::new(Semaphore::new(max as usize)));
        let hosting = Hosting {
            core: Arc::clone(core),
            rules: Rules::new(&spec.config),
            type_hash: self.type_hash,
            view: Arc::clone(&self.view),
            counters: Arc::clone(&self.counters),
            directory: Directory::new(core.entropy.u64()),
            turns,
            cuts: Arc::default(),
            gone: Notify::new(),
            failures: Mutex::new(HashMap::new()),
            keyed: KeyedTurns::default(),
            spec,
        };
        let hosting = Arc::new(hosting);
        {
            let mut hostings = lock(&self.hostings);
            hostings.retain(|earlier| earlier.strong_count() > 0);
            hostings.push(Arc::downgrade(&hosting));
        }
        self.change(|standing| standing.hosting = Some(Arc::clone(&hosting)));
    }

    /// Changes the view and tells who waits for that. Only the membership loop does.
    pub(crate) fn publish(&self, change: impl FnOnce(&mut View)) {
        let mut next = View::clone(&self.view.load());
        change(&mut next);
        let next = Arc::new(next);
        self.view.store(Arc::clone(&next));
        // Routers look at the standing: it changes before any drain looks for whom
        // they let in.
        self.change(|standing| standing.view = Arc::clone(&next));
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

    /// The entry of an actor's type, or of the resource that it stands for in this application.
    pub(crate) fn of(&self, app: &AppId, actor: &ActorRef) -> Option<Arc<TypeEntry>> {
        let actor_type = actor.actor_type.as_str();
        if actor.actor_type.is_system()
            && let Ok(name) = ActorType::of_resource(actor_type, app, actor.id.as_str())
            && let Some(entry) = self.get(name.as_str())
        {
            return Some(entry);
        }
        self.get(actor_type)
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
