//! What does a state operation cost as a turn of `sys.state`, beside the store alone?
//!
//! Reads and fenced one-key writes of the in-memory store, called directly and
//! through the handle that the engine keeps actors' state with: router, directory,
//! mailbox and turn of the system actor. One caller, 10,000 actors' keys.
//! `cargo bench -p odeon-bench --bench state_hop`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use odeon_base::clock::SystemClock;
use odeon_base::{Entropy, Epoch, Fence};
use odeon_blocks::state::Prefixes;
use odeon_blocks::state::actor::{Component, Reach, StateActor};
use odeon_blocks::state::handle::StateHandle;
use odeon_blocks::state::memory::MemoryStore;
use odeon_runtime::Engine;
use odeon_runtime::store::{ActorScope, Condition, Expiry, Key, Op, StateStore, Transaction};
use tokio::time::Instant;

const ROUNDS: usize = 15;
const ACTORS: usize = 10_000;
const FENCE: Fence = Fence { epoch: Epoch { term: 1, n: 1 }, seq: 1 };
const NAME: &str = "store";

fn scope(n: usize) -> ActorScope {
    ActorScope {
        prefix: "bench".into(),
        actor_type: "Counter".into(),
        actor_id: format!("counter-{n:010}").into(),
    }
}

/// An engine that offers the store as a system actor, and the way to it.
async fn behind_an_actor(store: Arc<dyn StateStore>) -> (Engine, StateHandle) {
    let engine = odeon_bench::engine().await;
    let prefixes = Prefixes { plain: "bench||".into(), actors: "bench".into() };
    let component = Component { store: Arc::clone(&store), prefixes };
    let spec = StateActor::spec(&engine.config().app, NAME, component, Reach::Local).unwrap();
    engine.offer(vec![spec]).await.unwrap();
    let handle = StateHandle::new(&engine, NAME, store.capabilities()).unwrap();
    (engine, handle)
}

/// Time an operation over all keys.
async fn reads(store: &dyn StateStore, keys: &[Key]) -> Duration {
    let start = Instant::now();
    for key in keys {
        store.get(key).await.unwrap().unwrap();
    }
    start.elapsed() / u32::try_from(keys.len()).unwrap()
}

async fn writes(store: &dyn StateStore, keys: &[Key]) -> Duration {
    let transactions: Vec<_> = keys.iter().map(write).collect();
    let start = Instant::now();
    for transaction in transactions {
        store.transact(transaction).await.unwrap();
    }
    start.elapsed() / u32::try_from(keys.len()).unwrap()
}

fn write(key: &Key) -> Transaction {
    let Key::Actor(scope, _) = key else { unreachable!("keys of actors") };
    let op = Op::Upsert {
        key: key.clone(),
        value: Bytes::from_static(b"12345678"),
        condition: Condition::None,
        expiry: Expiry::Never,
    };
    Transaction { fence: Some((scope.clone(), FENCE)), ops: vec![op] }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

async fn compare() {
    let entropy = Arc::new(Entropy::seeded(2));
    let store: Arc<dyn StateStore> = Arc::new(MemoryStore::new(Arc::new(SystemClock), entropy));
    let (_engine, handle) = behind_an_actor(Arc::clone(&store)).await;
    let keys: Vec<Key> = (0..ACTORS).map(|n| Key::Actor(scope(n), "n".into())).collect();
    for n in 0..ACTORS {
        store.claim(scope(n), FENCE).await.unwrap();
    }
    writes(&*store, &keys).await;
    let mut times: [Vec<Duration>; 4] = std::array::from_fn(|_| Vec::new());
    for _ in 0..ROUNDS {
        times[0].push(reads(&*store, &keys).await);
        times[1].push(reads(&handle, &keys).await);
        times[2].push(writes(&*store, &keys).await);
        times[3].push(writes(&handle, &keys).await);
    }
    let [get, get_turn, put, put_turn] = times.map(median);
    for (name, alone, turn) in [("read", get, get_turn), ("write", put, put_turn)] {
        let added = turn.saturating_sub(alone);
        println!("{name:5} store {alone:?}, through sys.state {turn:?}, added {added:?}");
    }
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(compare());
}
