//! A state store in memory that keeps its promises, and a wire to it that need not.
//!
//! Claims and commits are atomic and fenced as `StateStore` demands. What a test can do
//! is what a network does: hold a commit up and deliver it late, lose the answer, or
//! lose the commit.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::Fence;
use odeon_runtime::store::{
    ActorScope, Capabilities, Condition, Error, Item, Key, Op, Page, Result, Scan, StateStore,
    Transaction,
};

/// What becomes of a commit on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It stays on the way until [`MemoryStore::deliver_late`]; no answer ever comes.
    Late,
    /// It is done, but the answer is lost: the outcome is unknown.
    AnswerLost,
    /// It is not done, and nobody can tell: the outcome is unknown.
    Lost,
    /// The store says that it cannot be reached.
    Refused,
}

#[derive(Debug, Default)]
struct Inner {
    items: BTreeMap<Key, (Bytes, u64)>,
    fences: BTreeMap<ActorScope, Fence>,
    writes: u64,
    fates: VecDeque<Fate>,
    late: Vec<Transaction>,
    claims: usize,
    commits: usize,
}

/// The store. Cheap to clone; clones are one store.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    inner: Arc<Mutex<Inner>>,
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What becomes of the next commit that has no fate yet.
    pub fn next_commit(&self, fate: Fate) {
        self.lock().fates.push_back(fate);
    }

    /// How many fates have met no commit yet.
    #[must_use]
    pub fn fates(&self) -> usize {
        self.lock().fates.len()
    }

    /// Delivers what was held up, in order; what the store says to each.
    #[must_use]
    pub fn deliver_late(&self) -> Vec<Result<()>> {
        let late = std::mem::take(&mut self.lock().late);
        late.into_iter().map(|transaction| self.lock().apply(transaction)).collect()
    }

    /// The fence recorded for an actor.
    #[must_use]
    pub fn fence(&self, scope: &ActorScope) -> Option<Fence> {
        self.lock().fences.get(scope).copied()
    }

    /// Records a fence, as an earlier cluster would have left it behind.
    pub fn leave_fence(&self, scope: ActorScope, fence: Fence) {
        self.lock().fences.insert(scope, fence);
    }

    /// What a key holds, as text.
    #[must_use]
    pub fn text(&self, scope: &ActorScope, key: &str) -> Option<String> {
        let found = self.lock().items.get(&Key::Actor(scope.clone(), key.into())).cloned();
        found.map(|(value, _)| crate::app::text(&value))
    }

    /// How many commits were done.
    #[must_use]
    pub fn commits(&self) -> usize {
        self.lock().commits
    }

    /// How many claims were asked for.
    #[must_use]
    pub fn claims(&self) -> usize {
        self.lock().claims
    }
}

impl Inner {
    fn item(&self, key: &Key) -> Option<Item> {
        let (value, etag) = self.items.get(key)?;
        Some(Item { value: value.clone(), etag: etag.to_string().into(), expires_at: None })
    }

    fn apply(&mut self, transaction: Transaction) -> Result<()> {
        if let Some((scope, shown)) = transaction.fence {
            let held = self.fences.get(&scope).copied();
            if held != Some(shown) {
                return Err(Error::Fenced { held, shown });
            }
        }
        for op in &transaction.ops {
            let (Op::Upsert { condition, .. } | Op::Delete { condition, .. }) = op;
            let there = self.item(op.key());
            let holds = match condition {
                Condition::None => true,
                Condition::Absent => there.is_none(),
                Condition::ETag(etag) => there.is_some_and(|item| item.etag == *etag),
            };
            if !holds {
                return Err(Error::ETagMismatch { key: op.key().name().to_owned() });
            }
        }
        self.commits += 1;
        for op in transaction.ops {
            self.writes += 1;
            match op {
                Op::Upsert { key, value, .. } => drop(self.items.insert(key, (value, self.writes))),
                Op::Delete { key, .. } => drop(self.items.remove(&key)),
            }
        }
        Ok(())
    }
}

impl StateStore for MemoryStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            etag: true,
            transactional: true,
            ttl: false,
            scan: true,
            fenced: true,
            durable: false,
        }
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Item>>> {
        async { Ok(self.lock().item(key)) }.boxed()
    }

    fn bulk_get<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Item>>>> {
        async { Ok(keys.iter().map(|key| self.lock().item(key)).collect()) }.boxed()
    }

    fn transact(&self, transaction: Transaction) -> BoxFuture<'_, Result<()>> {
        async move {
            let unknown = || Error::Unknown { reason: "the answer was lost".into() };
            let fate = self.lock().fates.pop_front();
            match fate {
                None => self.lock().apply(transaction),
                Some(Fate::Late) => {
                    self.lock().late.push(transaction);
                    std::future::pending().await
                }
                Some(Fate::AnswerLost) => {
                    self.lock().apply(transaction)?;
                    Err(unknown())
                }
                Some(Fate::Lost) => Err(unknown()),
                Some(Fate::Refused) => Err(Error::Unavailable { reason: "no route".into() }),
            }
        }
        .boxed()
    }

    fn claim(&self, scope: ActorScope, fence: Fence) -> BoxFuture<'_, Result<()>> {
        async move {
            let mut inner = self.lock();
            inner.claims += 1;
            let held = inner.fences.get(&scope).copied();
            if held.is_some_and(|held| held > fence) {
                return Err(Error::Fenced { held, shown: fence });
            }
            inner.fences.insert(scope, fence);
            Ok(())
        }
        .boxed()
    }

    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<Page>> {
        async move {
            let inner = self.lock();
            let of_actor = inner.items.keys().filter(|key| match key {
                Key::Actor(scope, name) => {
                    *scope == scan.scope
                        && name.starts_with(&*scan.starts_with)
                        && scan.after.as_ref().is_none_or(|after| *key > after)
                }
                Key::Plain(_) => false,
            });
            let keys: Vec<Key> = of_actor.take(scan.limit).cloned().collect();
            let next = (keys.len() == scan.limit).then(|| keys.last().cloned()).flatten();
            let items = keys.into_iter().filter_map(|key| Some((key.clone(), inner.item(&key)?)));
            Ok(Page { items: items.collect(), next })
        }
        .boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        async { Ok(()) }.boxed()
    }
}
