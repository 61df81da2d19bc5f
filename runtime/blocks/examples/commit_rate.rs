//! What does a durable commit of the embedded store cost, beside what it is made of?
//!
//! 64 callers each commit one value of 256 bytes after the other, as tasks on two
//! worker threads, in three ways: to a bare file (one thread appends what gathered
//! and syncs), to a bare sled (one thread inserts, flushes and syncs the file), and
//! to the store, each commit fenced by its actor. Short runs in turn, and the medians
//! of their ratios: the mood of the disk is then nearly the same for all. Run it with
//! `cargo run --release -p odeon-blocks --example commit_rate`.

#![expect(clippy::unwrap_used, reason = "a measurement that fails has nothing to add")]
#![expect(clippy::print_stdout, reason = "a program whose output is a table")]

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use odeon_base::clock::SystemClock;
use odeon_base::{Entropy, Epoch, Fence};
use odeon_blocks::embedded::{Config, EmbeddedDb};
use odeon_blocks::state::sled::SledStore;
use odeon_runtime::store::{ActorScope, Condition, Expiry, Key, Op, StateStore, Transaction};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

const CALLERS: usize = 64;
const VALUE_BYTES: usize = 256;
const KEYS_EACH: usize = 256;
const ROUNDS: usize = 31;
const RUN: Duration = Duration::from_millis(150);
const NAMES: [&str; 3] = ["append + fdatasync", "sled + flush + fdatasync", "state.sled, fenced"];

/// A key, its value and the caller who waits for it.
type Request = (Vec<u8>, Vec<u8>, oneshot::Sender<()>);

/// Always another value: sled skips a write that changes nothing.
fn value(count: usize) -> Vec<u8> {
    let mut value = vec![7; VALUE_BYTES];
    value[..8].copy_from_slice(&count.to_be_bytes());
    value
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut rates = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            rates[0].push(append().await);
            rates[1].push(bare_sled().await);
            rates[2].push(store().await);
        }
        println!("{CALLERS} callers, 256 B a commit, medians of {ROUNDS} rounds of {RUN:?}");
        println!("{:<34}{:>12}{:>10}{:>10}", "", "commits/s", "to file", "to sled");
        for (name, own) in NAMES.into_iter().zip(&rates) {
            let rate = median(own.iter().copied());
            // Each round's own ratio: the disk's mood changes from one to the next.
            let [to_file, to_sled] =
                [0, 1].map(|other| median(own.iter().zip(&rates[other]).map(|(a, b)| a / b)));
            println!("{name:<34}{rate:>12.0}{to_file:>10.2}{to_sled:>10.2}");
        }
        println!("{}", memory());
    });
}

fn median(rates: impl Iterator<Item = f64>) -> f64 {
    let mut rates: Vec<_> = rates.collect();
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Lets all callers commit for a while, a task each; commits a second.
async fn rate<F>(commit: impl Fn(usize, usize) -> F + Clone + Send + 'static) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let commit = commit.clone();
        callers.spawn(async move {
            let mut count = 0_u32;
            while start.elapsed() < RUN {
                commit(caller, count as usize).await;
                count += 1;
            }
            f64::from(count)
        });
    }
    let total: f64 = callers.join_all().await.iter().sum();
    total / start.elapsed().as_secs_f64()
}

/// Group commit in its plainest form: `write` a batch, then `sync`, then answer.
async fn grouped<W>(mut write: W) -> f64
where
    W: FnMut(&[Request]) -> io::Result<()> + Send + 'static,
{
    let (requests, mut queue) = mpsc::channel::<Request>(1_024);
    let thread = std::thread::spawn(move || {
        let mut batch = Vec::new();
        while queue.blocking_recv_many(&mut batch, 1_024) > 0 {
            write(&batch).unwrap();
            for (_, _, reply) in batch.drain(..) {
                let _ = reply.send(());
            }
        }
    });
    let rate = rate(move |caller, count| {
        let requests = requests.clone();
        async move {
            let (reply, done) = oneshot::channel();
            let key = format!("app/Cart/{caller}/{}", count % KEYS_EACH);
            requests.send((key.into_bytes(), value(count), reply)).await.unwrap();
            done.await.unwrap();
        }
    })
    .await;
    thread.join().unwrap();
    rate
}

async fn append() -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let mut file = File::create(folder.path().join("log")).unwrap();
    grouped(move |batch| {
        let mut bytes = Vec::new();
        for (key, value, _) in batch {
            bytes.extend_from_slice(key);
            bytes.extend_from_slice(value);
        }
        file.write_all(&bytes)?;
        file.sync_data()
    })
    .await
}

async fn bare_sled() -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let db = sled::Config::new()
        .path(folder.path())
        .cache_capacity(16 << 20)
        .flush_every_ms(None)
        .open()
        .unwrap();
    let file = File::open(folder.path().join("db")).unwrap();
    grouped(move |batch| {
        for (key, value, _) in batch {
            db.insert(key, value.as_slice())?;
        }
        db.flush()?;
        file.sync_data()
    })
    .await
}

async fn store() -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()));
    let scope = move |caller: usize| ActorScope {
        prefix: "app".into(),
        actor_type: "Cart".into(),
        actor_id: caller.to_string().into(),
    };
    let fence = Fence { epoch: Epoch { term: 1, n: 1 }, seq: 1 };
    for caller in 0..CALLERS {
        store.claim(scope(caller), fence).await.unwrap();
    }
    let shared = Arc::clone(&store);
    let rate = rate(move |caller, count| {
        let key = Key::Actor(scope(caller), (count % KEYS_EACH).to_string().into());
        let (condition, expiry) = (Condition::None, Expiry::Never);
        let op = Op::Upsert { key, value: value(count).into(), condition, expiry };
        let transaction = Transaction { fence: Some((scope(caller), fence)), ops: vec![op] };
        let store = Arc::clone(&shared);
        async move { store.transact(transaction).await.unwrap() }
    })
    .await;
    store.close().await.unwrap();
    rate
}

fn open(folder: &Path) -> SledStore {
    let db = EmbeddedDb::open(&Config::new(folder)).unwrap();
    SledStore::new(db, Arc::new(SystemClock), Arc::new(Entropy::seeded(1)))
}

/// What the process holds in memory by now.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default().to_owned()
}
