//! `state.in-memory`: a map in this process, gone with it.
//!
//! The plainest store that keeps every promise of the port but durability; tests
//! of other parts use it, and what a durable store does is compared with it. One
//! lock around ordered maps: each operation is a few map steps, shorter than what
//! sharding would cost a transaction over several keys. It shares no code with
//! the embedded store but the checks of keys.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use odeon_base::{Entropy, Fence, WallClock};
use odeon_runtime::store::{
    ActorScope, Capabilities, Condition, Error, Expiry, Item, Key, Op, Page, Result, Scan,
    StateStore, Transaction,
};

use super::factory::{Factory, Opened};
use super::keys;

/// Most expired rows that one write removes on its way.
const SWEEP_MAX: usize = 64;

/// How the store is made.
pub const FACTORY: Factory = Factory {
    type_name: "state.in-memory",
    versions: &["v1"],
    doc: "Keeps state in the memory of the host, which loses it when it ends.",
    settings: &[],
    capabilities: CAPABILITIES,
    is_held: false,
    server: None,
    open: |_settings, context| {
        let store = Arc::new(MemoryStore::new(context.clock, context.entropy));
        ready(Ok(Opened { store, id: None, set_aside: None })).boxed()
    },
};

const CAPABILITIES: Capabilities = Capabilities {
    etag: true,
    transactional: true,
    ttl: true,
    scan: true,
    fenced: true,
    durable: false,
};

/// State in memory.
#[derive(Debug)]
pub struct MemoryStore {
    clock: Arc<dyn WallClock>,
    entropy: Arc<Entropy>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<Key, Item>,
    /// Rows that expire, soonest first.
    due: BTreeSet<(SystemTime, Key)>,
    fences: HashMap<ActorScope, Fence>,
    is_closed: bool,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(clock: Arc<dyn WallClock>, entropy: Arc<Entropy>) -> Self {
        Self { clock, entropy, state: Mutex::default() }
    }

    fn open(&self) -> Result<MutexGuard<'_, State>> {
        // Nothing panics while it holds the lock half way through a change.
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_closed {
            return Err(Error::Unavailable { reason: "the store is closed".to_owned() });
        }
        Ok(state)
    }

    fn read(&self, wanted: &[Key]) -> Result<Vec<Option<Item>>> {
        wanted.iter().try_for_each(keys::check)?;
        let (state, now) = (self.open()?, self.clock.now());
        Ok(wanted.iter().map(|key| state.live(key, now).cloned()).collect())
    }

    fn commit(&self, transaction: Transaction) -> Result<()> {
        keys::check_transaction(&transaction)?;
        let (mut state, now) = (self.open()?, self.clock.now());
        if let Some((scope, shown)) = &transaction.fence {
            let held = state.fences.get(scope).copied();
            if held != Some(*shown) {
                return Err(Error::Fenced { held, shown: *shown });
            }
        }
        // All conditions are about the state before the transaction.
        transaction.ops.iter().try_for_each(|op| state.check(op, now))?;
        for op in transaction.ops {
            match op {
                Op::Upsert { key, value, expiry, .. } => {
                    let etag = self.entropy.uuid().into();
                    let expires_at = match expiry {
                        Expiry::Never => None,
                        // Beyond what a calendar can name is as good as never.
                        Expiry::After(time) => now.checked_add(time),
                    };
                    state.put(key, Item { value, etag, expires_at });
                }
                Op::Delete { key, .. } => state.remove(&key),
            }
        }
        state.sweep(now);
        Ok(())
    }

    fn take_over(&self, scope: ActorScope, fence: Fence) -> Result<()> {
        keys::check_scope(&scope)?;
        let mut state = self.open()?;
        let held = state.fences.get(&scope).copied();
        if held > Some(fence) {
            return Err(Error::Fenced { held, shown: fence });
        }
        state.fences.insert(scope, fence);
        Ok(())
    }

    fn list(&self, scan: &Scan) -> Result<Page> {
        keys::check_scan(scan)?;
        let (state, now) = (self.open()?, self.clock.now());
        let first = Key::Actor(scan.scope.clone(), Arc::clone(&scan.starts_with));
        let from = match &scan.after {
            // A page's last key may lie before the first of this scan, if its prefix is another.
            Some(after) if *after >= first => Bound::Excluded(after),
            _ => Bound::Included(&first),
        };
        let is_within = |key: &Key| {
            matches!(key, Key::Actor(scope, name)
                if *scope == scan.scope && name.starts_with(&*scan.starts_with))
        };
        let mut items: Vec<_> = state
            .rows
            .range((from, Bound::Unbounded))
            .take_while(|(key, _)| is_within(key))
            .filter(|(_, item)| is_live(item, now))
            .take(scan.limit + 1)
            .map(|(key, item)| (key.clone(), item.clone()))
            .collect();
        let has_more = items.len() > scan.limit;
        items.truncate(scan.limit);
        let next = if has_more { items.last().map(|(key, _)| key.clone()) } else { None };
        Ok(Page { items, next })
    }
}

impl State {
    fn live(&self, key: &Key, now: SystemTime) -> Option<&Item> {
        self.rows.get(key).filter(|item| is_live(item, now))
    }

    fn check(&self, op: &Op, now: SystemTime) -> Result<()> {
        let found = self.live(op.key(), now);
        let is_met = match op {
            Op::Upsert { condition: Condition::None, .. }
            | Op::Delete { condition: Condition::None | Condition::Absent, .. } => true,
            Op::Upsert { condition: Condition::Absent, .. } => found.is_none(),
            Op::Upsert { condition: Condition::ETag(etag), .. }
            | Op::Delete { condition: Condition::ETag(etag), .. } => {
                found.is_some_and(|item| item.etag == *etag)
            }
        };
        if is_met { Ok(()) } else { Err(Error::ETagMismatch { key: op.key().name().to_owned() }) }
    }

    fn put(&mut self, key: Key, item: Item) {
        self.remove(&key);
        if let Some(at) = item.expires_at {
            self.due.insert((at, key.clone()));
        }
        self.rows.insert(key, item);
    }

    fn remove(&mut self, key: &Key) {
        if let Some(Item { expires_at: Some(at), .. }) = self.rows.remove(key) {
            self.due.remove(&(at, key.clone()));
        }
    }

    fn sweep(&mut self, now: SystemTime) {
        for _ in 0..SWEEP_MAX {
            match self.due.first() {
                Some((at, key)) if *at <= now => {
                    let key = key.clone();
                    self.remove(&key);
                }
                _ => return,
            }
        }
    }
}

fn is_live(item: &Item, now: SystemTime) -> bool {
    item.expires_at.is_none_or(|at| now < at)
}

impl StateStore for MemoryStore {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Item>>> {
        async move { Ok(self.read(std::slice::from_ref(key))?.pop().flatten()) }.boxed()
    }

    fn bulk_get<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Item>>>> {
        async move { self.read(keys) }.boxed()
    }

    fn transact(&self, transaction: Transaction) -> BoxFuture<'_, Result<()>> {
        async move { self.commit(transaction) }.boxed()
    }

    fn claim(&self, scope: ActorScope, fence: Fence) -> BoxFuture<'_, Result<()>> {
        async move { self.take_over(scope, fence) }.boxed()
    }

    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<Page>> {
        async move { self.list(&scan) }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        async move {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            *state = State { is_closed: true, ..State::default() };
            Ok(())
        }
        .boxed()
    }
}
