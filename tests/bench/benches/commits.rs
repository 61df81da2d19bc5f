//! What does a durable commit of the embedded store cost, beside what it is made of?
//!
//! 64 callers each commit one value of 256 bytes after the other, as tasks on two
//! worker threads, in three ways: to a bare file (one thread appends what gathered
//! and syncs), to a bare sled (one thread inserts, flushes and syncs the file), and
//! to the store, each commit fenced by its actor. Short runs in turn, and the medians
//! of their ratios: the mood of the disk is then nearly the same for all. Run it with
//! `cargo bench -p odeon-bench --bench commits`.

#![expect(clippy::unwrap_used, reason = "a measurement that fails has nothing to add")]
#![expect(clippy::print_stdout, reason = "a program whose output is a table")]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use odeon_base::clock::SystemClock;
use odeon_base::{Entropy, Epoch, Fence};
use odeon_bench::durable::{CALLERS, KEYS_EACH, bare_sled, grouped, rate, resident, value};
use odeon_blocks::embedded::{Config, EmbeddedDb};
use odeon_blocks::state::sled::SledStore;
use odeon_runtime::store::{ActorScope, Condition, Expiry, Key, Op, StateStore, Transaction};

const ROUNDS: usize = 31;
const RUN: Duration = Duration::from_millis(150);
const NAMES: [&str; 3] = ["append + fdatasync", "sled + flush + fdatasync", "state.sled, fenced"];

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut rates = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            rates[0].push(append().await);
            rates[1].push(bare_sled(RUN).await);
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
        println!("resident: {:.0} MiB", resident());
    });
}

fn median(rates: impl Iterator<Item = f64>) -> f64 {
    let mut rates: Vec<_> = rates.collect();
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

async fn append() -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let mut file = File::create(folder.path().join("log")).unwrap();
    grouped(RUN, move |batch| {
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
    let rate = rate(RUN, move |caller, count| {
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
