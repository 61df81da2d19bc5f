//! An actor's state behind its fence (ST-1 to ST-3).
//!
//! The first access claims the state for this activation, before any read; every
//! commit demands that the claim still stands. A refusal, or a commit of unknown
//! outcome, ends the activation (`design/ownership.md`, "Epoch, lease, fence").

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
#[cfg(feature = "defects")]
use odeon_base::defect::Defect;
use odeon_base::{Epoch, Execution, Fence};

use crate::activation::{Activation, Claim, Cut};
use crate::closing;
use crate::effect::{Effect, Emitted, Stored};
use crate::error::Error;
use crate::invocation::ActorRef;
use crate::mailbox::{Phase, Why};
use crate::once::ONCE_PREFIX;
use crate::schedule::TimerSpec;
use crate::seams::Outbox;
use crate::store::{self, ActorScope, Condition, Item, Key, Op, Page, StateStore, Transaction};
use crate::turn::{Change, Commit, Port};

/// Where effects go that were checked, and by which time.
type CheckedFor<'a> = (&'a Arc<dyn Outbox>, SystemTime);

/// Key under which a store keeps the fence; no user's key.
pub const FENCE_KEY: &str = "__fence";

/// An actor that runs in several copies has no state.
pub(crate) fn pooled(actor: &ActorRef) -> Error {
    let actor_type = &actor.actor_type;
    let reason = format!(
        "actor type '{actor_type}' is stateless and runs in several copies: it has no state"
    );
    Error::Store(store::Error::Invalid { reason })
}

/// Refuses a key that is not the actor's.
///
/// # Errors
/// [`store::Error::Invalid`] with the key, if it is the runtime's own.
pub fn check_name(name: &str) -> Result<(), Error> {
    if !is_own(name) {
        return Ok(());
    }
    let reason = format!("key '{}' is the runtime's own", name.escape_debug());
    Err(Error::Store(store::Error::Invalid { reason }))
}

/// Whether a key is the runtime's own, beside those of the actor; nobody else sees it.
#[must_use]
pub fn is_own(name: &str) -> bool {
    name == FENCE_KEY || name.starts_with(ONCE_PREFIX)
}

/// A page without the keys of the runtime; those are skipped in one step, however many.
///
/// # Errors
/// What the store says.
pub async fn visible(store: &dyn StateStore, mut scan: store::Scan) -> store::Result<Page> {
    let mut items = Vec::new();
    loop {
        let limit = scan.limit - items.len();
        let page = store.scan(store::Scan { limit, ..scan.clone() }).await?;
        items.extend(page.items.into_iter().filter(|(key, _)| !is_own(key.name())));
        let Some(next) = page.next else { return Ok(Page { items, next: None }) };
        let next = match next {
            // All that begin so come before this one.
            Key::Actor(scope, name) if name.starts_with(ONCE_PREFIX) => {
                Key::Actor(scope, format!("{ONCE_PREFIX}{}", char::MAX).into())
            }
            other => other,
        };
        if items.len() >= scan.limit {
            let next = items.last().map(|(key, _)| key.clone());
            return Ok(Page { items, next });
        }
        scan.after = Some(next);
    }
}

/// Where an actor's keys live.
pub(crate) fn scope(prefix: &Arc<str>, actor: &ActorRef) -> ActorScope {
    ActorScope {
        prefix: Arc::clone(prefix),
        actor_type: actor.actor_type.as_str().into(),
        actor_id: actor.id.as_str().into(),
    }
}

impl Activation {
    fn scope(&self) -> ActorScope {
        scope(&self.hosting.core.config.state_prefix, &self.actor)
    }

    fn fenced(&self, execution: Execution) -> Error {
        Error::Fenced {
            actor_type: self.actor.actor_type.clone(),
            id: self.actor.id.clone(),
            execution,
        }
    }

    fn usable_store(&self) -> Result<&Arc<dyn StateStore>, Error> {
        if self.hosting.spec.config.pool.is_some() {
            return Err(pooled(&self.actor));
        }
        if self.hosting.spec.config.stateless {
            return Err(Error::NoStore);
        }
        self.hosting.core.store().ok_or(Error::NoStore)
    }

    /// Whether a record shows an epoch that placement cannot have made with what it remembers.
    ///
    /// Who claims behind an open gate has heard of every table under which somebody else
    /// could have claimed; one that is newer is of a life that placement forgot.
    fn is_forgotten(&self, held: Epoch) -> bool {
        let view = self.hosting.view.load();
        let newest = view.chain.as_ref().map(|chain| chain.newest().epoch());
        held.term >= self.hosting.core.lease.term() && newest.is_none_or(|newest| held > newest)
    }

    /// What a store's failure means to this activation.
    fn judge(self: &Arc<Self>, error: store::Error) -> Error {
        match error {
            store::Error::Fenced { held, .. } => {
                if let Some(held) = held
                    && self.is_forgotten(held.epoch)
                {
                    self.hosting.core.fence_ahead(held.epoch.term);
                }
                let execution = match self.with(|inner| inner.mailbox.phase()) {
                    Phase::New | Phase::Activating => Execution::None,
                    Phase::Active | Phase::Closing | Phase::Gone => Execution::Maybe,
                };
                if execution == Execution::Maybe {
                    // The claim is lost, so is the right to answer.
                    closing::cut(self, Cut::Fenced);
                }
                self.fenced(execution)
            }
            #[cfg(feature = "defects")]
            store::Error::Unknown { .. } if Defect::OutlivesUnknownOutcome.is_planted() => {
                Error::Store(error)
            }
            store::Error::Unknown { .. } => {
                self.in_doubt();
                Error::Store(error)
            }
            other => Error::Store(other),
        }
    }

    /// A write may still land: whatever is read or written next must come with a higher
    /// fence, so this activation does neither any more, and ends after its turn.
    fn in_doubt(self: &Arc<Self>) {
        self.disown();
        let _ = closing::close(self, Why::Forget);
    }

    /// Claims the state unless this activation has; `Activating` counts as not begun.
    /// `shown` is the fence of the activation that means to use it, where it may be
    /// another one: a straggler in another process.
    async fn claim(
        self: &Arc<Self>,
        shown: Option<Fence>,
    ) -> Result<(Arc<dyn StateStore>, Fence), Error> {
        let store = Arc::clone(self.usable_store()?);
        let (fence, claim) = self.with(|inner| (inner.fence, inner.claim));
        if shown.is_some_and(|shown| shown != fence) {
            return Err(self.fenced(Execution::Maybe));
        }
        match claim {
            Claim::Held => {}
            Claim::Lost => return Err(self.fenced(Execution::Maybe)),
            Claim::NotYet => {
                store.claim(self.scope(), fence).await.map_err(|error| self.judge(error))?;
                self.with(|inner| {
                    // A goodbye may have begun the next life meanwhile.
                    if inner.fence == fence && inner.claim == Claim::NotYet {
                        inner.claim = Claim::Held;
                    }
                });
            }
        }
        Ok((store, fence))
    }

    /// Reads keys, from the cache where the type keeps one.
    pub(crate) async fn read_state(
        self: &Arc<Self>,
        shown: Option<Fence>,
        keys: Vec<Arc<str>>,
    ) -> Result<Vec<Option<Item>>, Error> {
        keys.iter().try_for_each(|key| check_name(key))?;
        if shown.is_none()
            && let Some(items) = self.cached(&keys)
        {
            return Ok(items);
        }
        let (store, fence) = self.claim(shown).await?;
        let scope = self.scope();
        let wanted: Vec<Key> =
            keys.iter().map(|key| Key::Actor(scope.clone(), Arc::clone(key))).collect();
        let items = match wanted.as_slice() {
            [one] => vec![store.get(one).await.map_err(|error| self.judge(error))?],
            several => store.bulk_get(several).await.map_err(|error| self.judge(error))?,
        };
        self.remember(fence, keys.into_iter().zip(items.iter().cloned()));
        Ok(items)
    }

    /// Reads a page of the actor's keys, always from the store.
    pub(crate) async fn scan_state(
        self: &Arc<Self>,
        shown: Option<Fence>,
        starts_with: Arc<str>,
        after: Option<Arc<str>>,
        limit: usize,
    ) -> Result<Page, Error> {
        let (store, _) = self.claim(shown).await?;
        let scope = self.scope();
        let after = after.map(|name| Key::Actor(scope.clone(), name));
        let scan = store::Scan { scope, starts_with, after, limit };
        visible(&*store, scan).await.map_err(|error| self.judge(error))
    }

    fn cached(&self, keys: &[Arc<str>]) -> Option<Vec<Option<Item>>> {
        let now = self.hosting.core.wall.now();
        let fresh = |item: &Item| item.expires_at.is_none_or(|at| at > now);
        self.with(|inner| {
            let cache = inner.cache.as_ref()?;
            keys.iter().map(|key| cache.get(key).map(|item| item.clone().filter(fresh))).collect()
        })
    }

    pub(crate) fn remember(
        &self,
        fence: Fence,
        read: impl Iterator<Item = (Arc<str>, Option<Item>)>,
    ) {
        if self.hosting.spec.config.cache {
            self.with(|inner| {
                if inner.fence == fence && inner.claim == Claim::Held {
                    inner.cache.get_or_insert_default().extend(read);
                }
            });
        }
    }

    /// Reads a key of the runtime's own, always from the store.
    async fn read_own(self: &Arc<Self>, name: Arc<str>) -> Result<Option<Item>, Error> {
        let (store, _) = self.claim(None).await?;
        let key = Key::Actor(self.scope(), name);
        store.get(&key).await.map_err(|error| self.judge(error))
    }

    /// Commits in one transaction: the actor's own keys, the rows of what is sent out, and what
    /// the runtime itself keeps with them.
    pub(crate) async fn commit_state(
        self: &Arc<Self>,
        shown: Option<Fence>,
        mut commit: Commit,
        own: Vec<Change>,
    ) -> Result<(), Error> {
        let outbox = self.check_effects(&mut commit.effects)?;
        self.check_limits(&commit)?;
        commit.changes.extend(own);
        let (store, fence) = self.claim(shown).await?;
        if commit.is_empty() {
            return Ok(());
        }
        self.check_right()?;
        let Commit { changes, effects } = commit;
        let (scope, stored) = (self.scope(), Stored::of(&effects));
        let touched: Vec<Arc<str>> =
            changes.iter().map(|change| Arc::clone(change.name())).collect();
        let mut ops: Vec<Op> = changes.into_iter().map(|change| op(&scope, change)).collect();
        if let Some((outbox, at)) = outbox {
            let first = self.hosting.core.next_effects(effects.len());
            let emitted = Emitted { actor: &self.actor, fence, first, at };
            ops.extend(outbox.rows(&emitted, effects).into_iter().map(row));
        }
        let transaction = Transaction { fence: Some((scope, fence)), ops };
        let committed = self.transact(&*store, transaction).await;
        if let Some((outbox, _)) = outbox {
            // Without an answer it may have landed all the same, and somebody has to look.
            outbox.stored(&self.actor, stored);
        }
        committed?;
        self.hosting.core.sent.stored.fetch_add(stored.all() as u64, Ordering::Relaxed);
        if self.hosting.spec.config.cache {
            // The new ETags are the store's to know: read again when asked.
            self.with(|inner| {
                if let Some(cache) = &mut inner.cache {
                    touched.iter().for_each(|key| drop(cache.remove(key)));
                }
            });
        }
        Ok(())
    }

    /// Whether this activation may still write: checked last before a commit is sent.
    fn check_right(&self) -> Result<(), Error> {
        let lease = &self.hosting.core.lease;
        match self.cut_reason() {
            Cut::Not if !self.hosting.is_leased() || lease.may_answer(lease.now()) => Ok(()),
            Cut::Not | Cut::Lease => Err(Error::LeaseLost { execution: Execution::Maybe }),
            Cut::Drain | Cut::TooLong | Cut::Withdrawn | Cut::Fenced => {
                Err(self.fenced(Execution::Maybe))
            }
        }
    }

    /// Whether all that is sent out can be, as it is kept here; where it goes, if there is
    /// something, and the time by which that was seen.
    fn check_effects(&self, effects: &mut [Effect]) -> Result<Option<CheckedFor<'_>>, Error> {
        if effects.is_empty() {
            return Ok(None);
        }
        let core = &self.hosting.core;
        let outbox = core.outbox().ok_or(Error::NoOutbox)?;
        let now = core.wall.now();
        for effect in effects {
            effect.go_by(core.config.compat)?;
            effect.check(now)?;
        }
        Ok(Some((outbox, now)))
    }

    fn check_limits(&self, commit: &Commit) -> Result<(), Error> {
        let Commit { changes, effects } = commit;
        let config = &self.hosting.core.config;
        let too_large = |what, found, limit| Err(Error::TooLarge { what, found, limit });
        let operations = changes.len() + effects.len();
        if operations > config.transaction_ops_max {
            let what = "the number of operations in the transaction";
            return too_large(what, operations, config.transaction_ops_max);
        }
        let size = |change: &Change| match change {
            Change::Set { name, value, .. } => name.len() + value.len(),
            Change::Remove { name, .. } => name.len(),
        };
        let sent: usize = effects.iter().map(Effect::bytes).sum();
        let bytes = sent + changes.iter().map(size).sum::<usize>();
        if bytes > config.transaction_bytes_max {
            return too_large(
                "the size of the transaction in bytes",
                bytes,
                config.transaction_bytes_max,
            );
        }
        changes.iter().try_for_each(|change| check_name(change.name()))
    }

    /// Reads all keys of the actor into the cache (ACT-4).
    pub(crate) async fn preload_all(self: &Arc<Self>) -> Result<(), Error> {
        let (store, fence) = self.claim(None).await?;
        let mut scan = self.whole();
        loop {
            let page = visible(&*store, scan.clone()).await.map_err(|error| self.judge(error))?;
            let read = page.items.into_iter().map(|(key, item)| (key.name().into(), Some(item)));
            self.remember(fence, read);
            match page.next {
                Some(next) => scan.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Removes all keys of the actor in one transaction; its fence record stays, so that no
    /// older activation can write to what was deleted (ST-6). How many of its own there were.
    pub(crate) async fn wipe(self: &Arc<Self>) -> Result<usize, Error> {
        let (store, fence) = self.claim(None).await?;
        let all = self.scan_all(&*store).await?;
        let count = all.iter().filter(|(key, _)| !is_own(key.name())).count();
        let delete = |(key, _)| Op::Delete { key, condition: Condition::None };
        let ops = all.into_iter().map(delete).collect();
        self.check_right()?;
        self.transact(&*store, Transaction { fence: Some((self.scope(), fence)), ops }).await?;
        Ok(count)
    }

    /// The first page of all that the actor has.
    fn whole(&self) -> store::Scan {
        store::Scan { scope: self.scope(), starts_with: "".into(), after: None, limit: 1_000 }
    }

    async fn scan_all(self: &Arc<Self>, store: &dyn StateStore) -> Result<Vec<(Key, Item)>, Error> {
        let mut scan = self.whole();
        let mut all = Vec::new();
        loop {
            let page = store.scan(scan.clone()).await.map_err(|error| self.judge(error))?;
            all.extend(page.items);
            match page.next {
                Some(next) => scan.after = Some(next),
                None => return Ok(all),
            }
        }
    }

    async fn transact(
        self: &Arc<Self>,
        store: &dyn StateStore,
        transaction: Transaction,
    ) -> Result<(), Error> {
        let mut sent = Sent(Some(self));
        let done = store.transact(transaction).await;
        sent.0 = None;
        done.map_err(|error| self.judge(error))
    }
}

/// A commit on its way; dropped before its answer came, its outcome is unknown.
struct Sent<'a>(Option<&'a Arc<Activation>>);

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if let Some(activation) = self.0 {
            activation.in_doubt();
        }
    }
}

fn op(scope: &ActorScope, change: Change) -> Op {
    match change {
        Change::Set { name, value, condition, expiry } => {
            Op::Upsert { key: Key::Actor(scope.clone(), name), value, condition, expiry }
        }
        Change::Remove { name, condition } => {
            Op::Delete { key: Key::Actor(scope.clone(), name), condition }
        }
    }
}

/// A row of what is sent out, which is in nobody's way.
fn row((key, value): (Key, Bytes)) -> Op {
    Op::Upsert { key, value, condition: Condition::None, expiry: store::Expiry::Never }
}

impl Port for Activation {
    fn actor(&self) -> &ActorRef {
        &self.actor
    }

    fn fence(&self) -> Fence {
        self.with(|inner| inner.fence)
    }

    fn hop(&self) -> u64 {
        self.hosting.hop(&self.actor.id)
    }

    fn is_reentrant(&self) -> bool {
        self.hosting.spec.config.reentrancy.is_some()
    }

    fn read(
        self: Arc<Self>,
        keys: Vec<Arc<str>>,
    ) -> BoxFuture<'static, Result<Vec<Option<Item>>, Error>> {
        async move { self.read_state(None, keys).await }.boxed()
    }

    fn scan(
        self: Arc<Self>,
        starts_with: Arc<str>,
        after: Option<Arc<str>>,
        limit: usize,
    ) -> BoxFuture<'static, Result<Page, Error>> {
        async move { self.scan_state(None, starts_with, after, limit).await }.boxed()
    }

    fn read_own(
        self: Arc<Self>,
        name: Arc<str>,
    ) -> BoxFuture<'static, Result<Option<Item>, Error>> {
        async move { Self::read_own(&self, name).await }.boxed()
    }

    fn commit(
        self: Arc<Self>,
        commit: Commit,
        own: Vec<Change>,
    ) -> BoxFuture<'static, Result<(), Error>> {
        async move { self.commit_state(None, commit, own).await }.boxed()
    }

    fn end(&self, forget: bool) {
        // A turn is running, so this only leaves a note for its end.
        let why = if forget { Why::Forget } else { Why::Asked };
        self.with(|inner| inner.mailbox.note(why));
    }

    fn set_timer(&self, name: &Arc<str>, spec: &Arc<TimerSpec>, data: &Bytes) -> Result<(), Error> {
        Self::set_timer(self, name, spec, data)
    }

    fn drop_timer(&self, name: &str) {
        Self::drop_timer(self, name);
    }

    fn is_live(&self) -> bool {
        self.check_right().is_ok()
    }

    fn engine(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.hosting.core.engine.get()?.upgrade()
    }

    fn wall(&self) -> SystemTime {
        self.hosting.core.wall.now()
    }
}
