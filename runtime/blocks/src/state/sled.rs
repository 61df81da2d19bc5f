//! `state.sled`: the embedded store, on disk before it answers.
//!
//! Rows, fences, pieces of large values and an index of expiries are all keys of
//! one tree, so that one atomic batch can hold all that belongs together. What is
//! decided here is decided inside a change on the committer's thread; what can be
//! done before, such as encoding, is done by the caller. How batches reach the
//! disk is in `embedded`, how keys and rows look in `keys` and `row`.

use std::collections::HashSet;
use std::path::{Component, Path};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::sled::IVec;
use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::{Entropy, Fence, WallClock};
use odeon_runtime::store::{
    ActorScope, Capabilities, Condition, Error, Expiry, Item, Key, Op, Page, Result, Scan,
    StateStore, Transaction,
};

use super::factory::{Context, Factory, Opened};
use super::keys;
use super::row::{Body, PIECE_BYTES, Row, from_millis, to_millis};
use crate::OpenError;
use crate::embedded::{Config, EmbeddedDb, Glance, View, unavailable};
use crate::settings::{Kind, Mistake, Mistakes, Setting, Settings};

/// Most expired rows that one write removes on its way.
const SWEEP_MAX: usize = 64;
/// Reading more than this many keys, or bytes of one value, goes to a thread that may block.
const DIRECT_KEYS_MAX: usize = 64;
const DIRECT_BYTES_MAX: u64 = 256 * 1024;
/// How often a reader begins again whose large value was replaced while it read.
const READ_TRIES: usize = 100;

const TYPE_NAME: &str = "state.sled";

const PATH: Setting = Setting {
    name: "path",
    kind: Kind::Text,
    default: "",
    doc: "Folder of the database, below the data folder unless absolute; \
          by default `state/` and the component's name.",
};

const CACHE: Setting = Setting {
    name: "cacheCapacity",
    kind: Kind::Bytes,
    default: "16MiB",
    doc: "Bytes that pages of the database may take up in memory.",
};

const CLEANUP: Setting = Setting {
    name: "cleanupInterval",
    kind: Kind::Duration,
    default: "1s",
    doc: "Least time between two removals of expired rows, which ride on writes; \
          they are invisible from the moment they expire.",
};

/// How the store is made.
pub const FACTORY: Factory = Factory {
    type_name: TYPE_NAME,
    versions: &["v1"],
    doc: "Keeps state in an embedded database in the data folder, synced to disk.",
    settings: &[PATH, CACHE, CLEANUP],
    capabilities: CAPABILITIES,
    server: None,
    open: |settings, context| open(settings, context).boxed(),
};

const CAPABILITIES: Capabilities = Capabilities {
    etag: true,
    transactional: true,
    ttl: true,
    scan: true,
    fenced: true,
    durable: true,
};

async fn open(settings: Settings, context: Context) -> std::result::Result<Opened, OpenError> {
    let folder = match settings.text(&PATH) {
        "" if is_plain(&context.name) => context.data.join("state").join(&context.name),
        "" => {
            let mistake = Mistake::Value {
                name: PATH.name,
                value: String::new(),
                expected: "a folder, since the component's name cannot be one",
            };
            return Err(Mistakes { type_name: TYPE_NAME, mistakes: vec![mistake] }.into());
        }
        path => context.data.join(path),
    };
    let config = Config { folder, cache_bytes: settings.bytes(&CACHE) };
    let db = EmbeddedDb::open_async(config).await?;
    let set_aside = db.set_aside().cloned();
    let store = SledStore::new(db, context.clock, context.entropy)
        .with_cleanup_interval(settings.duration(&CLEANUP));
    Ok(Opened { store: Arc::new(store), set_aside })
}

/// Whether a name is that of one folder, and not a path.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
}

/// State in an embedded database.
#[derive(Debug)]
pub struct SledStore {
    db: EmbeddedDb,
    clock: Arc<dyn WallClock>,
    entropy: Arc<Entropy>,
    sweeper: Arc<Sweeper>,
}

impl SledStore {
    /// A store in a database that is open; closing the store closes the database.
    #[must_use]
    pub fn new(db: EmbeddedDb, clock: Arc<dyn WallClock>, entropy: Arc<Entropy>) -> Self {
        let sweeper = Sweeper { interval: 1_000, next: AtomicU64::new(0) };
        Self { db, clock, entropy, sweeper: Arc::new(sweeper) }
    }

    /// The least time between two removals of expired rows; 1 s by default.
    #[must_use]
    pub fn with_cleanup_interval(mut self, interval: Duration) -> Self {
        let interval = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        self.sweeper = Arc::new(Sweeper { interval, next: AtomicU64::new(0) });
        self
    }

    fn now(&self) -> u64 {
        to_millis(self.clock.now())
    }

    async fn read(&self, key: &Key) -> Result<Option<Item>> {
        keys::check(key)?;
        let (stored, now) = (keys::encode(key), self.now());
        // A point read mostly finds its page in memory; a thread switch costs more than
        // it would save, and a read of one page from the disk is bearable.
        let found = self.db.look(|tree| {
            let Some(bytes) = tree.get(&stored).map_err(unavailable)? else {
                return Ok(Found::Nothing);
            };
            let row = decode(&bytes, key.name())?;
            Ok(match row.body {
                _ if !row.is_live(now) => Found::Nothing,
                Body::Whole(value) => Found::Item(item(&row, Bytes::copy_from_slice(value))),
                Body::Split(length) if length <= DIRECT_BYTES_MAX => Found::Direct,
                Body::Split(_) => Found::Large,
            })
        })?;
        let found = match found {
            Found::Nothing => None,
            Found::Item(item) => Some(item),
            Found::Direct => self.db.look(|tree| load(tree, &stored, key.name(), now))?,
            Found::Large => {
                let (stored, name) = (stored.clone(), key.name().to_owned());
                self.look_blocking(move |tree| load(tree, &stored, &name, now)).await?
            }
        };
        self.db.settle(self.db.seen(&stored)).await?;
        Ok(found)
    }

    async fn read_many(&self, wanted: &[Key]) -> Result<Vec<Option<Item>>> {
        if wanted.len() <= DIRECT_KEYS_MAX {
            let mut items = Vec::with_capacity(wanted.len());
            for key in wanted {
                items.push(self.read(key).await?);
            }
            return Ok(items);
        }
        wanted.iter().try_for_each(keys::check)?;
        let (wanted, now) = (wanted.to_vec(), self.now());
        let found = self
            .look_blocking(move |tree| {
                let read = |key: &Key| load(tree, &keys::encode(key), key.name(), now);
                wanted.iter().map(read).collect()
            })
            .await?;
        self.db.settle(self.db.seen_all()).await?;
        Ok(found)
    }

    async fn commit(&self, transaction: Transaction) -> Result<()> {
        keys::check_transaction(&transaction)?;
        let now = self.now();
        let fence = match transaction.fence {
            Some((scope, fence)) => Some((self.db.glance(&keys::fence(&scope))?, fence)),
            None => None,
        };
        let mut writes = self.prepare(transaction.ops, now)?;
        let bytes = writes.iter().map(Write::bytes).sum();
        let (clock, sweeper) = (Arc::clone(&self.clock), Arc::clone(&self.sweeper));
        self.db
            .commit(bytes, move |view| {
                if let Some((glance, shown)) = fence {
                    let held = decode_fence(view.recall(&glance)?.as_deref())?;
                    if held != Some(shown) {
                        return Err(Error::Fenced { held, shown });
                    }
                }
                let now = to_millis(clock.now());
                // Before the writes: of two writes of one key the later one counts, so a row
                // that this transaction writes anew survives the removal of the old one.
                sweeper.sweep(view, now)?;
                for write in &mut writes {
                    write.check(view, now)?;
                }
                for write in writes {
                    write.lay_down(view);
                }
                Ok(())
            })
            .await
    }

    /// Does what the committer need not do: keys, ETags, and a first look at the rows.
    fn prepare(&self, ops: Vec<Op>, now: u64) -> Result<Vec<Write>> {
        let mut later = HashSet::new();
        let has_many = ops.len() > 1;
        let mut writes = ops
            .into_iter()
            .rev()
            .map(|op| {
                let key = keys::encode(op.key());
                // From the end: the first one met is the last one written.
                let is_last = !has_many || later.insert(key.clone());
                self.prepare_one(op, &key, is_last, now)
            })
            .collect::<Result<Vec<_>>>()?;
        // Conditions are reported in the order in which they were given.
        writes.reverse();
        Ok(writes)
    }

    fn prepare_one(&self, op: Op, stored: &[u8], is_last: bool, now: u64) -> Result<Write> {
        let glance = self.db.glance(stored)?;
        let (condition, outcome) = match op {
            Op::Upsert { condition, .. } if !is_last => (condition, Outcome::Overwritten),
            Op::Upsert { value, condition, expiry, .. } => {
                let due = match expiry {
                    Expiry::Never => None,
                    Expiry::After(time) => {
                        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                        Some(now.saturating_add(millis))
                    }
                };
                (condition, put(stored, self.etag(), due, &value))
            }
            Op::Delete { condition, .. } => {
                let condition = match condition {
                    Condition::Absent => Condition::None,
                    other @ (Condition::None | Condition::ETag(_)) => other,
                };
                (condition, if is_last { Outcome::Remove } else { Outcome::Overwritten })
            }
        };
        Ok(Write { glance, condition, outcome, old: None })
    }

    fn etag(&self) -> [u8; 16] {
        let number = u128::from(self.entropy.u64()) << 64 | u128::from(self.entropy.u64());
        uuid::Builder::from_random_bytes(number.to_be_bytes()).into_uuid().into_bytes()
    }

    async fn take_over(&self, scope: &ActorScope, fence: Fence) -> Result<()> {
        keys::check_scope(scope)?;
        let key = keys::fence(scope);
        self.db
            .commit(0, move |view| {
                let held = decode_fence(view.get(&key)?.as_deref())?;
                match held.cmp(&Some(fence)) {
                    std::cmp::Ordering::Less => view.put(key, fence.to_bytes().as_slice()),
                    std::cmp::Ordering::Equal => {}
                    std::cmp::Ordering::Greater => {
                        return Err(Error::Fenced { held, shown: fence });
                    }
                }
                Ok(())
            })
            .await
    }

    async fn list(&self, scan: Scan) -> Result<Page> {
        keys::check_scan(&scan)?;
        let now = self.now();
        // May read many pages from the disk.
        let page = self.look_blocking(move |tree| list(tree, &scan, now)).await?;
        self.db.settle(self.db.seen_all()).await?;
        Ok(page)
    }

    async fn look_blocking<T, F>(&self, reader: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&::sled::Tree) -> Result<T> + Send + 'static,
    {
        let db = self.db.clone();
        tokio::task::spawn_blocking(move || db.look(reader))
            .await
            .map_err(|error| Error::Unavailable { reason: error.to_string() })?
    }
}

impl StateStore for SledStore {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Item>>> {
        self.read(key).boxed()
    }

    fn bulk_get<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Item>>>> {
        self.read_many(keys).boxed()
    }

    fn transact(&self, transaction: Transaction) -> BoxFuture<'_, Result<()>> {
        self.commit(transaction).boxed()
    }

    fn claim(&self, scope: ActorScope, fence: Fence) -> BoxFuture<'_, Result<()>> {
        async move { self.take_over(&scope, fence).await }.boxed()
    }

    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<Page>> {
        self.list(scan).boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.db.close().boxed()
    }
}

/// What a point read found at first sight.
enum Found {
    Nothing,
    Item(Item),
    /// A value in pieces, few enough to fetch here.
    Direct,
    /// A value in many pieces.
    Large,
}

/// One operation, ready for the committer: it makes and frees as little as it can.
struct Write {
    glance: Glance,
    condition: Condition,
    outcome: Outcome,
    old: Option<Old>,
}

enum Outcome {
    /// The new row, and what lies beside it.
    Put {
        row: IVec,
        beside: Vec<(IVec, IVec)>,
    },
    Remove,
    /// A later operation of the transaction is about the same key; only the condition counts.
    Overwritten,
}

/// What of a row that goes has to go with it.
struct Old {
    etag: [u8; 16],
    pieces: u32,
    due: Option<u64>,
}

impl Write {
    fn bytes(&self) -> usize {
        let value = match &self.outcome {
            Outcome::Put { row, beside } => {
                row.len() + beside.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>()
            }
            Outcome::Remove | Outcome::Overwritten => 0,
        };
        self.glance.key().len() + value
    }

    /// Checks the condition, and notes what the write will replace.
    fn check(&mut self, view: &View<'_>, now: u64) -> Result<()> {
        let bytes = view.recall(&self.glance)?;
        let row = match bytes.as_deref().map(Row::decode) {
            Some(Ok(row)) => Some(row),
            // Overwriting heals a row that cannot be read.
            Some(Err(_)) if self.condition == Condition::None => None,
            Some(Err(reason)) => return Err(Error::Corrupt { key: self.name(), reason }),
            None => None,
        };
        let live = row.filter(|row| row.is_live(now));
        let is_met = match &self.condition {
            Condition::None => true,
            Condition::Absent => live.is_none(),
            Condition::ETag(etag) => live.is_some_and(|row| row.has_etag(etag)),
        };
        self.old = row.map(|row| Old { etag: row.etag, pieces: row.pieces(), due: row.due });
        if is_met { Ok(()) } else { Err(Error::ETagMismatch { key: self.name() }) }
    }

    fn lay_down(self, view: &mut View<'_>) {
        let stored = self.glance.key();
        if let (Some(old), Outcome::Put { .. } | Outcome::Remove) = (self.old, &self.outcome) {
            remove_beside(view, stored, &old);
        }
        match self.outcome {
            Outcome::Put { row, beside } => {
                for (key, value) in beside {
                    view.put(key, value);
                }
                view.put(stored, row);
            }
            Outcome::Remove => view.remove(stored),
            Outcome::Overwritten => {}
        }
    }

    /// What the caller calls the key.
    fn name(&self) -> String {
        keys::decode(self.glance.key()).map(|key| key.name().to_owned()).unwrap_or_default()
    }
}

fn put(stored: &[u8], etag: [u8; 16], due: Option<u64>, value: &[u8]) -> Outcome {
    let mut beside = Vec::new();
    let body = if value.len() <= PIECE_BYTES {
        Body::Whole(value)
    } else {
        let pieces = (0..).zip(value.chunks(PIECE_BYTES));
        beside.extend(pieces.map(|(index, piece)| (keys::piece(etag, index).into(), piece.into())));
        Body::Split(value.len() as u64)
    };
    if let Some(due) = due {
        beside.push((keys::expiry(due, stored).into(), (&[]).into()));
    }
    Outcome::Put { row: Row { etag, due, body }.encode().into(), beside }
}

/// Removes what lies beside a row that goes.
fn remove_beside(view: &mut View<'_>, stored: &[u8], old: &Old) {
    for index in 0..old.pieces {
        view.remove(keys::piece(old.etag, index));
    }
    if let Some(due) = old.due {
        view.remove(keys::expiry(due, stored));
    }
}

/// Removes expired rows, a few at a time, along with writes: a store that is not
/// written does not grow.
#[derive(Debug)]
struct Sweeper {
    interval: u64,
    next: AtomicU64,
}

impl Sweeper {
    fn sweep(&self, view: &mut View<'_>, now: u64) -> Result<()> {
        // Only the committer's thread comes here.
        if now < self.next.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (from, to) = (keys::expiry(0, &[]), keys::expiry(now.saturating_add(1), &[]));
        let entries = view.keys(&from, &to, SWEEP_MAX)?;
        if entries.len() < SWEEP_MAX {
            self.next.store(now.saturating_add(self.interval), Ordering::Relaxed);
        }
        for entry in entries {
            let Some((due, stored)) = keys::decode_expiry(&entry) else { continue };
            let bytes = view.get(stored)?;
            // A row that was written anew has an entry of its own, and this one is left over.
            match bytes.as_deref().map(Row::decode) {
                Some(Ok(row)) if row.due == Some(due) => {
                    let old = Old { etag: row.etag, pieces: row.pieces(), due: row.due };
                    remove_beside(view, stored, &old);
                    view.remove(stored);
                }
                _ => {}
            }
            view.remove(entry);
        }
        Ok(())
    }
}

fn decode_fence(bytes: Option<&[u8]>) -> Result<Option<Fence>> {
    let Some(bytes) = bytes else { return Ok(None) };
    let fence = Fence::from_bytes(bytes).ok_or_else(|| Error::Corrupt {
        key: keys::FENCE_NAME.to_owned(),
        reason: format!("a fence has 24 bytes, not {}", bytes.len()),
    })?;
    Ok(Some(fence))
}

fn decode<'a>(bytes: &'a [u8], name: &str) -> Result<Row<'a>> {
    Row::decode(bytes).map_err(|reason| Error::Corrupt { key: name.to_owned(), reason })
}

fn item(row: &Row<'_>, value: Bytes) -> Item {
    Item { value, etag: row.etag_text(), expires_at: row.due.and_then(from_millis) }
}

/// Reads a row with all its pieces.
fn load(tree: &::sled::Tree, stored: &[u8], name: &str, now: u64) -> Result<Option<Item>> {
    for _ in 0..READ_TRIES {
        let Some(bytes) = tree.get(stored).map_err(unavailable)? else { return Ok(None) };
        let row = decode(&bytes, name)?;
        if !row.is_live(now) {
            return Ok(None);
        }
        match row.body {
            Body::Whole(value) => return Ok(Some(item(&row, Bytes::copy_from_slice(value)))),
            Body::Split(length) => {
                if let Some(value) = join(tree, row.etag, length)? {
                    return Ok(Some(item(&row, value)));
                }
            }
        }
        // A writer replaced the row between the two reads, or pieces of it are lost.
    }
    let reason = "pieces of its value are missing".to_owned();
    Err(Error::Corrupt { key: name.to_owned(), reason })
}

/// The value in pieces under an ETag; `None` when not all of it is there.
fn join(tree: &::sled::Tree, etag: [u8; 16], length: u64) -> Result<Option<Bytes>> {
    let mut value = BytesMut::new();
    for entry in tree.range(keys::piece(etag, 0)..=keys::piece(etag, u32::MAX)) {
        value.extend_from_slice(&entry.map_err(unavailable)?.1);
    }
    Ok((value.len() as u64 == length).then(|| value.freeze()))
}

fn list(tree: &::sled::Tree, scan: &Scan, now: u64) -> Result<Page> {
    let prefix = keys::rows(&scan.scope, &scan.starts_with);
    let after = scan.after.as_ref().map(keys::encode).filter(|after| *after >= prefix);
    let rows = match &after {
        // The shortest key that follows it.
        Some(after) => tree.range([after.as_slice(), &[0]].concat()..),
        None => tree.range(prefix.as_slice()..),
    };
    let mut items = Vec::new();
    let mut has_more = false;
    for entry in rows {
        let (stored, bytes) = entry.map_err(unavailable)?;
        if !stored.starts_with(&prefix) {
            break;
        }
        let corrupt = || Error::Corrupt {
            key: String::from_utf8_lossy(&stored).into_owned(),
            reason: "its key cannot be read".to_owned(),
        };
        let key = keys::decode(&stored).ok_or_else(corrupt)?;
        if !decode(&bytes, key.name())?.is_live(now) {
            continue;
        }
        if items.len() == scan.limit {
            has_more = true;
            break;
        }
        // Gone only if it was removed this very moment.
        if let Some(item) = load(tree, &stored, key.name(), now)? {
            items.push((key, item));
        }
    }
    let next = if has_more { items.last().map(|(key, _)| key.clone()) } else { None };
    Ok(Page { items, next })
}
