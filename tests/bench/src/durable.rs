//! What is measured against a disk: bare programs that commit in groups, and an engine over the
//! embedded store, with reminders and the outbox.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use odeon_base::clock::SystemClock;
use odeon_base::{Entropy, Tasks};
use odeon_blocks::embedded::Taken;
use odeon_blocks::reminder::{self, Outbox, PARTITIONS, ReminderActor, Reminders};
use odeon_blocks::state::{Context, FACTORIES, open};
use odeon_runtime::Engine;
use odeon_runtime::store::StateStore;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How many commit at once.
pub const CALLERS: usize = 64;
const VALUE_BYTES: usize = 256;
/// Keys of each caller.
pub const KEYS_EACH: usize = 256;
/// The component that keeps the state.
const STORE: &str = "store";

/// A key, its value and the caller who waits for it.
pub type Request = (Vec<u8>, Vec<u8>, oneshot::Sender<()>);

/// Always another value: sled skips a write that changes nothing.
#[must_use]
pub fn value(count: usize) -> Vec<u8> {
    let mut value = vec![7; VALUE_BYTES];
    value[..8].copy_from_slice(&count.to_be_bytes());
    value
}

/// Lets all callers commit for a while, a task each; commits a second.
pub async fn rate<F>(
    length: Duration,
    commit: impl Fn(usize, usize) -> F + Clone + Send + 'static,
) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let commit = commit.clone();
        callers.spawn(async move {
            let mut count = 0_u32;
            while start.elapsed() < length {
                commit(caller, count as usize).await;
                count += 1;
            }
            f64::from(count)
        });
    }
    let total: f64 = callers.join_all().await.iter().sum();
    total / start.elapsed().as_secs_f64()
}

/// Group commit in its plainest form: `write` a batch, then sync, then answer; commits a second.
///
/// # Panics
/// When a batch cannot be written.
pub async fn grouped<W>(length: Duration, mut write: W) -> f64
where
    W: FnMut(&[Request]) -> io::Result<()> + Send + 'static,
{
    let (requests, mut queue) = mpsc::channel::<Request>(1_024);
    let thread = std::thread::spawn(move || {
        let mut batch = Vec::new();
        while queue.blocking_recv_many(&mut batch, 1_024) > 0 {
            write(&batch).expect("a batch can be written");
            for (_, _, reply) in batch.drain(..) {
                let _ = reply.send(());
            }
        }
    });
    let rate = rate(length, move |caller, count| {
        let requests = requests.clone();
        async move {
            let (reply, done) = oneshot::channel();
            let key = format!("app/Cart/{caller}/{}", count % KEYS_EACH);
            let request = (key.into_bytes(), value(count), reply);
            requests.send(request).await.expect("the thread takes it");
            done.await.expect("the thread answers");
        }
    })
    .await;
    thread.join().expect("the thread ends");
    rate
}

/// A bare sled that inserts what gathered, flushes and syncs its file; commits a second.
///
/// # Panics
/// When it cannot be opened or written.
pub async fn bare_sled(length: Duration) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let db = sled::Config::new()
        .path(folder.path())
        .cache_capacity(16 << 20)
        .flush_every_ms(None)
        .open()
        .expect("sled opens");
    let file = File::open(folder.path().join("db")).expect("its file");
    grouped(length, move |batch| {
        for (key, value, _) in batch {
            db.insert(key, value.as_slice())?;
        }
        db.flush()?;
        file.sync_data()
    })
    .await
}

/// An engine whose actors keep their state in a folder.
#[derive(Debug)]
pub struct Durable {
    /// The engine.
    pub engine: Engine,
    /// Its reminders.
    pub reminders: Reminders,
    /// The store itself.
    pub store: Arc<dyn StateStore>,
}

/// Starts one.
///
/// # Panics
/// When the folder cannot be opened.
pub async fn durable(folder: &Path, tasks: &Tasks) -> Durable {
    let engine = crate::engine().await;
    let durable = |factory: &&odeon_blocks::state::Factory| factory.capabilities.durable;
    let factory = FACTORIES.iter().find(durable).expect("a durable store");
    let context = Context {
        name: STORE.to_owned(),
        data: folder.to_path_buf(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(Entropy::from_os().expect("randomness")),
        taken: Taken::Refuse,
    };
    let opened = open(factory.type_name, "", &[], context).await.expect("the store opens");
    let store: Arc<dyn StateStore> = opened.store;
    engine.use_store(Arc::clone(&store));
    let outbox = Outbox::new(&engine, STORE, PARTITIONS, tasks.clone()).expect("a name");
    engine.use_outbox(Arc::new(outbox));
    let parts = reminder::Parts {
        app: engine.config().app.clone(),
        store: STORE.to_owned(),
        partitions: PARTITIONS,
        limits: reminder::book::Limits::default(),
        mail: reminder::lanes::Limits::default(),
        wall: Arc::new(SystemClock),
        entropy: Entropy::seeded(3),
        tasks: tasks.clone(),
    };
    ReminderActor::offer(&engine, parts).await.expect("the partitions are offered");
    let reminders = Reminders::new(&engine, STORE, PARTITIONS).expect("a name");
    Durable { engine, reminders, store }
}

/// What this process holds in memory, in MiB.
#[must_use]
pub fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or_default() / 1_024.0
}
