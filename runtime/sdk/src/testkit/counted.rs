//! The kit's store, and how often it was asked to keep something.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::BoxFuture;
use odeon_base::Fence;
use odeon_blocks::state::memory::MemoryStore;
use odeon_runtime::store::{
    ActorScope, Capabilities, Item, Key, Page, Result, Scan, StateStore, Transaction,
};

/// How often the store was asked to keep something: where a host has a disk, it waits for it
/// each time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Writes {
    /// Commits of turns, and of those who keep reminders and messages.
    pub commits: u64,
    /// Claims: one for each actor that came into memory and has state.
    pub claims: u64,
}

/// A store that counts.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) store: MemoryStore,
    commits: AtomicU64,
    claims: AtomicU64,
}

impl Counted {
    pub(super) fn new(store: MemoryStore) -> Arc<Self> {
        Arc::new(Self { store, commits: AtomicU64::new(0), claims: AtomicU64::new(0) })
    }

    pub(super) fn writes(&self) -> Writes {
        Writes {
            commits: self.commits.load(Ordering::Relaxed),
            claims: self.claims.load(Ordering::Relaxed),
        }
    }
}

impl StateStore for Counted {
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Item>>> {
        self.store.get(key)
    }

    fn bulk_get<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Item>>>> {
        self.store.bulk_get(keys)
    }

    fn transact(&self, transaction: Transaction) -> BoxFuture<'_, Result<()>> {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.store.transact(transaction)
    }

    fn claim(&self, scope: ActorScope, fence: Fence) -> BoxFuture<'_, Result<()>> {
        self.claims.fetch_add(1, Ordering::Relaxed);
        self.store.claim(scope, fence)
    }

    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<Page>> {
        self.store.scan(scan)
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.store.close()
    }
}
