//! `state.sled`: the embedded store, on disk before it answers.
//!
//! Rows, fences, pieces of large values and an index of expiries are all keys of
//! one tree, so that one atomic batch can hold all that belongs together. Here are
//! the settings and the port; `write` decides what a transaction does, on the
//! committer's thread, and `read` finds rows. How batches reach the disk is in
//! `embedded`, how keys and rows look in `keys` and `row`.

mod read;
mod write;

use std::collections::HashSet;
use std::path::{Component, Path};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::{Entropy, Fence, WallClock};
use odeon_runtime::store::{
    ActorScope, Capabilities, Error, Item, Key, Op, Page, Result, Scan, StateStore, Transaction,
};

use super::factory::{Context, Factory, Opened};
use super::keys;
use super::row::to_millis;
use crate::OpenError;
use crate::embedded::{Config, EmbeddedDb, Taken};
use crate::settings::{Kind, Mistake, Mistakes, Setting, Settings};
use read::Found;
use write::{Sweeper, Write, decode_fence};

/// Reading more than this many keys, or bytes of one value, goes to a thread that may block.
const DIRECT_KEYS_MAX: usize = 64;
const DIRECT_BYTES_MAX: u64 = 256 * 1024;
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
    is_held: true,
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
    let config = Config { folder, cache_bytes: settings.bytes(&CACHE), taken: Taken::Refuse };
    let db = match context.taken {
        Taken::Refuse => EmbeddedDb::open_async(config).await?,
        Taken::Wait => EmbeddedDb::open_when_free(config).await?,
    };
    let id = Some(db.id().into());
    let set_aside = db.set_aside().cloned();
    let store = SledStore::new(db, context.clock, context.entropy)
        .with_cleanup_interval(settings.duration(&CLEANUP));
    Ok(Opened { store: Arc::new(store), id, set_aside })
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
        let sweeper = Arc::new(Sweeper::new(Duration::from_secs(1)));
        Self { db, clock, entropy, sweeper }
    }

    /// The least time between two removals of expired rows; 1 s by default.
    #[must_use]
    pub fn with_cleanup_interval(mut self, interval: Duration) -> Self {
        self.sweeper = Arc::new(Sweeper::new(interval));
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
        let found = self.db.look(|tree| read::glance(tree, &stored, key.name(), now))?;
        let found = match found {
            Found::Nothing => None,
            Found::Item(item) => Some(item),
            Found::Split(bytes) if bytes <= DIRECT_BYTES_MAX => {
                self.db.look(|tree| read::load(tree, &stored, key.name(), now))?
            }
            Found::Split(_) => {
                let (stored, name) = (stored.clone(), key.name().to_owned());
                self.look_blocking(move |tree| read::load(tree, &stored, &name, now)).await?
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
                let read = |key: &Key| read::load(tree, &keys::encode(key), key.name(), now);
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
                let glance = self.db.glance(&key)?;
                Ok(Write::new(op, glance, self.etag(), is_last, now))
            })
            .collect::<Result<Vec<_>>>()?;
        // Conditions are reported in the order in which they were given.
        writes.reverse();
        Ok(writes)
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
        let (now, rows) = (self.now(), keys::rows(&scan.scope, ""));
        // As a point read. Inboxes are looked into again and again, and are empty mostly.
        let page = if self.db.look(|tree| read::is_empty(tree, &scan))? {
            Page::default()
        } else if scan.limit == 1 {
            self.db.look(|tree| read::list(tree, &scan, now))?
        } else {
            // May read many pages from the disk.
            self.look_blocking(move |tree| read::list(tree, &scan, now)).await?
        };
        self.db.settle(self.db.seen(&rows)).await?;
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

#[cfg(test)]
mod tests {
    use odeon_base::Epoch;
    use odeon_base::clock::ManualClock;
    use odeon_runtime::store::{Condition, Expiry};

    use super::*;
    use crate::state::row::PIECE_BYTES;

    /// A store with an expired and a large row gone must be as small as it was before.
    #[tokio::test]
    async fn nothing_is_left_beside_rows_that_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let db = EmbeddedDb::open_async(Config::new(folder.path())).await.unwrap();
        let clock = Arc::new(ManualClock::at(Duration::from_secs(1)));
        let entropy = Arc::new(Entropy::seeded(1));
        let store = SledStore::new(db.clone(), Arc::<ManualClock>::clone(&clock), entropy);
        let keys_left = || db.look(|tree| Ok(tree.len())).unwrap();
        let key = Key::Plain("k".into());
        let write = async |size: usize, expiry| {
            let (key, value) = (key.clone(), vec![1; size].into());
            let ops = vec![Op::Upsert { key, value, condition: Condition::None, expiry }];
            store.transact(Transaction { fence: None, ops }).await.unwrap();
        };
        let seconds = |n| Expiry::After(Duration::from_secs(n));
        for (size, expiry, left) in [
            (10, Expiry::Never, 1),
            (10 * PIECE_BYTES, Expiry::Never, 11),
            (3 * PIECE_BYTES, seconds(9), 5),
            (3 * PIECE_BYTES, seconds(8), 5),
            (10, seconds(7), 2),
            (0, Expiry::Never, 1),
            (2 * PIECE_BYTES + 1, seconds(5), 5),
        ] {
            write(size, expiry).await;
            assert_eq!(keys_left(), left, "{size} bytes, {expiry:?}");
        }
        clock.advance(Duration::from_secs(5));
        let fence = Fence { epoch: Epoch::default(), seq: 1 };
        let scope = ActorScope { prefix: "".into(), actor_type: "T".into(), actor_id: "i".into() };
        store.claim(scope, fence).await.unwrap();
        // Any write takes what has expired with it.
        store.transact(Transaction::default()).await.unwrap();
        assert_eq!(keys_left(), 1, "only the fence");
        write(2 * PIECE_BYTES, seconds(5)).await;
        let ops = vec![Op::Delete { key, condition: Condition::None }];
        store.transact(Transaction { fence: None, ops }).await.unwrap();
        assert_eq!(keys_left(), 1, "only the fence");
    }

    /// A scan waits for what was written of its actor, and for no more.
    #[tokio::test]
    async fn a_scan_has_seen_the_writes_of_its_actor_alone() {
        let folder = tempfile::tempdir().unwrap();
        let db = EmbeddedDb::open_async(Config::new(folder.path())).await.unwrap();
        let clock = Arc::new(ManualClock::at(Duration::from_secs(1)));
        let store = SledStore::new(db.clone(), clock.clone(), Arc::new(Entropy::seeded(1)));
        let scope = |id: &str| ActorScope {
            prefix: "p".into(),
            actor_type: "T".into(),
            actor_id: id.into(),
        };
        let seen = |id: &str| db.seen(&keys::rows(&scope(id), ""));
        let nothing = seen("a");
        let write = async |id: &str, expiry, value: Option<u64>| {
            let key = Key::Actor(scope(id), "k".into());
            let condition = Condition::None;
            let op = match value {
                Some(n) => Op::Upsert { key, value: n.to_string().into(), condition, expiry },
                None => Op::Delete { key, condition },
            };
            store.transact(Transaction { fence: None, ops: vec![op] }).await.unwrap();
            db.seen_all()
        };
        let first = write("a", Expiry::After(Duration::from_secs(5)), Some(1)).await;
        assert_eq!((seen("a"), seen("b")), (first, nothing));
        let second = write("b", Expiry::Never, Some(1)).await;
        assert_eq!((seen("a"), seen("b")), (first, second));
        let third = write("b", Expiry::Never, None).await;
        assert_eq!((seen("a"), seen("b")), (first, third), "a removal is a write");
        clock.advance(Duration::from_secs(60));
        let fourth = write("b", Expiry::Never, Some(2)).await;
        assert_eq!((seen("a"), seen("b")), (fourth, fourth), "what expired went with it");
    }
}
