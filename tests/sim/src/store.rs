//! The store: one node that is linearizable and durable, behind the network.
//!
//! Requests take effect in the order in which they arrive, in memory; they are answered
//! once a sync that came after has put them on disk, reads too, so that nobody sees what a
//! crash may take back. A crash loses what was not synced and all answers on their way. Who
//! asked gives up after a while; the request may arrive all the same.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::{Fence, TaskKind};
use odeon_blocks::reminder::{actor as reminder, letter};
use odeon_runtime::store::{
    ActorScope, Capabilities, Condition, Error, Item, Key, Op, Page, Result, Scan, StateStore,
    Transaction,
};
use odeon_test_history::{Host, What};
use tokio::sync::{Notify, oneshot};

use crate::net::Node;
use crate::plant::Plant;
use crate::shop;
use crate::world::World;

/// What the first partition of reminders is called in the history.
const PARTITIONS_FROM: u32 = 1_000;
/// How long a host waits for the store.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is asked.
#[derive(Debug, Clone)]
enum Request {
    Get(Vec<Key>),
    Transact(Transaction),
    Claim(ActorScope, Fence),
    Scan(Scan),
}

/// What is answered.
#[derive(Debug)]
enum Reply {
    Items(Vec<Option<Item>>),
    Done,
    Page(Page),
}

/// One actor's rows.
#[derive(Debug, Clone, Default)]
struct Rows {
    fence: Option<Fence>,
    items: BTreeMap<Arc<str>, (Bytes, u64)>,
}

/// An answer that waits for the sync, and what is to be told of it then.
type Waiting = (oneshot::Sender<Result<Reply>>, Result<Reply>, Vec<What>);

#[derive(Debug, Default)]
struct Inner {
    rows: BTreeMap<ActorScope, Rows>,
    /// What rows were before writes that are not synced, in order.
    undo: Vec<(ActorScope, Rows)>,
    waiting: Vec<Waiting>,
    writes: u64,
    is_down: bool,
}

/// The node.
#[derive(Debug, Default)]
pub(crate) struct Store {
    inner: Mutex<Inner>,
    asked: Notify,
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Syncs whenever something waits for it.
    pub(crate) async fn run(world: Arc<World>) {
        let store = &world.store;
        loop {
            store.asked.notified().await;
            let most = if world.chance.one_in(10) { 30 } else { 3 };
            tokio::time::sleep(world.chance.millis(0, most)).await;
            let mut inner = store.lock();
            inner.undo.clear();
            let waiting = std::mem::take(&mut inner.waiting);
            drop(inner);
            for (tell, answer, events) in waiting {
                events.into_iter().for_each(|event| world.log.add(event));
                let _ = tell.send(answer);
            }
        }
    }

    /// Loses what is not on disk.
    pub(crate) fn crash(&self) {
        let mut inner = self.lock();
        inner.is_down = true;
        inner.waiting.clear();
        while let Some((scope, rows)) = inner.undo.pop() {
            inner.rows.insert(scope, rows);
        }
    }

    pub(crate) fn start(&self) {
        self.lock().is_down = false;
    }

    /// What is kept of an actor of the application, durable or not.
    pub(crate) fn rows(&self, actor_type: &str, id: &str) -> Vec<(Arc<str>, Bytes)> {
        let inner = self.lock();
        let of = |scope: &ActorScope| &*scope.actor_type == actor_type && &*scope.actor_id == id;
        let rows = inner.rows.iter().filter(|(scope, _)| of(scope)).flat_map(|(_, rows)| {
            rows.items.iter().map(|(name, (value, _))| (Arc::clone(name), value.clone()))
        });
        rows.collect()
    }

    /// A request arrives.
    fn arrived(
        &self,
        world: &World,
        host: Host,
        request: Request,
    ) -> Option<oneshot::Receiver<Result<Reply>>> {
        let (tell, told) = oneshot::channel();
        let mut inner = self.lock();
        if inner.is_down {
            return None;
        }
        let mut events = Vec::new();
        let answer = inner.apply(request, host, world.plant, &mut events);
        if world.plant == Some(Plant::AckBeforeSync) {
            events.into_iter().for_each(|event| world.log.add(event));
            let _ = tell.send(answer);
        } else {
            inner.waiting.push((tell, answer, events));
        }
        drop(inner);
        self.asked.notify_one();
        Some(told)
    }
}

impl Inner {
    fn apply(
        &mut self,
        request: Request,
        host: Host,
        plant: Option<Plant>,
        events: &mut Vec<What>,
    ) -> Result<Reply> {
        match request {
            Request::Get(keys) => Ok(Reply::Items(keys.iter().map(|key| self.get(key)).collect())),
            Request::Claim(scope, fence) => {
                let rows = self.rows.entry(scope.clone()).or_default();
                if let Some(held) = rows.fence.filter(|held| *held > fence)
                    && plant != Some(Plant::NoFenceCheck)
                {
                    return Err(Error::Fenced { held: Some(held), shown: fence });
                }
                self.undo.push((scope.clone(), rows.clone()));
                rows.fence = Some(fence);
                events.push(What::Claimed { actor: number(&scope), host, fence: plain(fence) });
                Ok(Reply::Done)
            }
            Request::Transact(transaction) => self.transact(transaction, plant, events),
            Request::Scan(scan) => Ok(Reply::Page(self.scan(&scan))),
        }
    }

    fn transact(
        &mut self,
        transaction: Transaction,
        plant: Option<Plant>,
        events: &mut Vec<What>,
    ) -> Result<Reply> {
        let Some((scope, fence)) = transaction.fence else {
            return self.write_first(transaction.ops);
        };
        let rows = self.rows.entry(scope.clone()).or_default();
        if rows.fence != Some(fence) && plant != Some(Plant::NoFenceCheck) {
            return Err(Error::Fenced { held: rows.fence, shown: fence });
        }
        for op in transaction.ops {
            let Key::Actor(whose, _) = op.key() else { continue };
            let rows = self.rows.entry(whose.clone()).or_default();
            self.undo.push((whose.clone(), rows.clone()));
            self.writes += 1;
            match op {
                Op::Upsert { key: Key::Actor(_, name), value, .. } => {
                    events.extend(sent(&scope, &name, &value));
                    rows.items.insert(name, (value, self.writes));
                }
                Op::Delete { key: Key::Actor(_, name), .. } => {
                    rows.items.remove(&name);
                    if plant == Some(Plant::DeletionRemovesFence) {
                        rows.fence = None;
                    }
                }
                Op::Upsert { .. } | Op::Delete { .. } => {}
            }
        }
        events.push(What::Landed { actor: number(&scope), fence: plain(fence) });
        Ok(Reply::Done)
    }

    /// What no activation writes, and nobody writes twice.
    fn write_first(&mut self, ops: Vec<Op>) -> Result<Reply> {
        for op in ops {
            let Op::Upsert {
                key: Key::Actor(scope, name),
                value,
                condition: Condition::Absent,
                ..
            } = op
            else {
                return Err(Error::Invalid { reason: "a commit without a fence".to_owned() });
            };
            let rows = self.rows.entry(scope.clone()).or_default();
            if rows.items.contains_key(&name) {
                return Err(Error::ETagMismatch { key: name.to_string() });
            }
            self.undo.push((scope, rows.clone()));
            self.writes += 1;
            rows.items.insert(name, (value, self.writes));
        }
        Ok(Reply::Done)
    }

    fn scan(&self, scan: &Scan) -> Page {
        let Some(rows) = self.rows.get(&scan.scope) else { return Page::default() };
        let after = scan.after.as_ref().map(|after| Arc::<str>::from(after.name()));
        let from = after.map_or(Bound::Included(Arc::clone(&scan.starts_with)), Bound::Excluded);
        let mut found = rows
            .items
            .range((from, Bound::Unbounded))
            .skip_while(|(name, _)| *name < &scan.starts_with)
            .take_while(|(name, _)| name.starts_with(&*scan.starts_with));
        let named = |(name, (value, etag)): (&Arc<str>, &(Bytes, u64))| {
            (Key::Actor(scan.scope.clone(), Arc::clone(name)), item(value, *etag))
        };
        let items: Vec<_> = found.by_ref().take(scan.limit).map(named).collect();
        let next = found.next().and(items.last()).map(|(key, _)| key.clone());
        Page { items, next }
    }

    fn get(&self, key: &Key) -> Option<Item> {
        let Key::Actor(scope, name) = key else { return None };
        let (value, etag) = self.rows.get(scope)?.items.get(name)?;
        Some(item(value, *etag))
    }
}

fn item(value: &Bytes, etag: u64) -> Item {
    Item { value: value.clone(), etag: etag.to_string().into(), expires_at: None }
}

/// Actors are named by their number; so are the partitions of reminders, behind them all. Those
/// of the shop have names.
fn number(scope: &ActorScope) -> u32 {
    let first = if scope.actor_type.starts_with(reminder::TYPE) { PARTITIONS_FROM } else { 0 };
    let number = scope.actor_id.parse::<u32>().map(|number| first + number);
    number.unwrap_or_else(|_| shop::number(&scope.actor_type, &scope.actor_id))
}

/// What a commit sends out under this key, if it does.
fn sent(scope: &ActorScope, name: &str, value: &Bytes) -> Option<What> {
    let letter = name.starts_with(letter::CALLS).then(|| letter::call(value).ok()).flatten()?;
    let to = shop::number(letter.actor.actor_type.as_str(), letter.actor.id.as_str());
    Some(What::Sent { message: letter.id.as_ref().to_owned(), from: number(scope), to })
}

fn plain(fence: Fence) -> odeon_test_history::Fence {
    odeon_test_history::Fence(fence.epoch.term, fence.epoch.n, fence.seq)
}

/// The store as one host reaches it.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) world: Arc<World>,
    pub(crate) slot: usize,
    pub(crate) life: Host,
}

/// Why a request came to nothing.
enum Lost {
    /// It did not arrive.
    Refused,
    /// Nobody can tell.
    Unknown,
}

impl Client {
    async fn ask(&self, request: Request) -> std::result::Result<Result<Reply>, Lost> {
        let (tell, told) = oneshot::channel();
        let (world, host, life) = (Arc::clone(&self.world), Node::Host(self.slot), self.life);
        let line = world.net.line(host, Node::Store);
        self.world.tasks.spawn(TaskKind::Stream, async move {
            // What is on its way goes on, whatever becomes of who sent it.
            world.net.pass(host, Node::Store).await;
            let Some(answered) = world.store.arrived(&world, life, request) else {
                world.net.pass(Node::Store, host).await;
                let _ = tell.send(Err(Lost::Refused));
                return;
            };
            let answer = answered.await;
            world.net.pass(Node::Store, host).await;
            let _ = tell.send(answer.map_err(|_| Lost::Unknown));
        });
        let patience = pin!(tokio::time::sleep(PATIENCE));
        tokio::select! {
            biased;
            answer = told => answer.unwrap_or(Err(Lost::Unknown)),
            () = line.cancelled() => Err(Lost::Unknown),
            () = patience => Err(Lost::Unknown),
        }
    }

    async fn read(&self, request: Request) -> Result<Reply> {
        let unavailable = || Error::Unavailable { reason: "no answer from the store".to_owned() };
        self.ask(request).await.unwrap_or_else(|_| Err(unavailable()))
    }

    async fn write(&self, request: Request) -> Result<Reply> {
        self.ask(request).await.unwrap_or_else(|lost| {
            let reason = "no answer from the store".to_owned();
            Err(match lost {
                Lost::Refused => Error::Unavailable { reason },
                Lost::Unknown => Error::Unknown { reason },
            })
        })
    }

    async fn items(&self, keys: Vec<Key>) -> Result<Vec<Option<Item>>> {
        match self.read(Request::Get(keys)).await? {
            Reply::Items(items) => Ok(items),
            Reply::Done | Reply::Page(_) => Ok(Vec::new()),
        }
    }
}

impl StateStore for Client {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            etag: true,
            transactional: true,
            ttl: false,
            scan: true,
            fenced: true,
            durable: true,
        }
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Item>>> {
        async move { Ok(self.items(vec![key.clone()]).await?.pop().flatten()) }.boxed()
    }

    fn bulk_get<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Item>>>> {
        self.items(keys.to_vec()).boxed()
    }

    fn transact(&self, transaction: Transaction) -> BoxFuture<'_, Result<()>> {
        async move { self.write(Request::Transact(transaction)).await.map(drop) }.boxed()
    }

    fn claim(&self, scope: ActorScope, fence: Fence) -> BoxFuture<'_, Result<()>> {
        async move { self.write(Request::Claim(scope, fence)).await.map(drop) }.boxed()
    }

    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<Page>> {
        async move {
            match self.read(Request::Scan(scan)).await? {
                Reply::Page(page) => Ok(page),
                Reply::Done | Reply::Items(_) => Ok(Page::default()),
            }
        }
        .boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        std::future::ready(Ok(())).boxed()
    }
}
