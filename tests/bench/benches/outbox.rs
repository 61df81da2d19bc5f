//! What does it cost a turn to send a call out with its commit, and when does the call arrive?
//!
//! Actors of the SDK over the embedded sled store, in this process: turns that commit one key,
//! beside turns that commit one key and send one message. Its receiver commits, too, that it took
//! the message (RT-4), and the partition that it is delivered. Then how long after a turn began its
//! message was being run. `cargo bench -p odeon-bench --bench outbox`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use odeon_base::Tasks;
use odeon_bench::durable::durable;
use odeon_bench::{Caller, human, load, rounds};
use odeon_runtime::Engine;
use odeon_sdk::{Client, Ctx, Message, Result, actor, actors};
use tokio::time::Instant;

/// Calls that wait for no other.
const ALONE: usize = 2_000;
const ROUNDS: usize = 5;
const LENGTH: Duration = Duration::from_secs(1);

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
/// How long messages were on their way, in microseconds.
static DELAYS: Mutex<Vec<u64>> = Mutex::new(Vec::new());

fn now() -> u64 {
    u64::try_from(BEGAN.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[derive(Default)]
struct Order;

#[actor]
impl Order {
    async fn plain(&mut self, ctx: &mut Ctx, n: u64) -> Result<()> {
        ctx.set("n", &n)
    }

    async fn emit(&mut self, ctx: &mut Ctx, n: u64) -> Result<()> {
        ctx.set("n", &n)?;
        ctx.send(Message::to("Shelf", ctx.id().as_str(), "take")?.with(&now())?);
        Ok(())
    }
}

#[derive(Default)]
struct Shelf;

#[actor]
impl Shelf {
    async fn take(&mut self, sent: u64) -> Result<()> {
        let delay = now().saturating_sub(sent);
        DELAYS.lock().unwrap_or_else(PoisonError::into_inner).push(delay);
        Ok(())
    }
}

struct Turns {
    client: Client,
    id: String,
    emits: bool,
}

impl Caller for Turns {
    async fn call(&mut self) {
        let order = self.client.actor::<Order>(&self.id).unwrap();
        if self.emits { order.emit(7).await.unwrap() } else { order.plain(7).await.unwrap() }
    }
}

/// Waits until everything has arrived, and what that took on the way.
async fn delays(engine: &Engine) -> (f64, f64) {
    let sent = engine.sent();
    let until = Instant::now() + Duration::from_secs(60);
    while sent.snapshot().delivered < sent.snapshot().stored && Instant::now() < until {
        tokio::task::yield_now().await;
    }
    let mut all = std::mem::take(&mut *DELAYS.lock().unwrap_or_else(PoisonError::into_inner));
    all.sort_unstable();
    let at = |part: usize| all.get(all.len() * part / 100).copied().unwrap_or_default();
    (at(50) as f64 / 1e3, at(99) as f64 / 1e3)
}

async fn compare(callers: usize) {
    let (folder, tasks) = (tempfile::tempdir().unwrap(), Tasks::new("bench"));
    let engine = durable(folder.path(), &tasks).await.engine;
    engine.offer(actors![Order, Shelf]).await.unwrap();
    let turns = |emits: bool| -> Vec<Turns> {
        let client = Client::embedded(engine.clone());
        let of = |n| Turns { client: client.clone(), id: format!("order-{n}"), emits };
        (0..callers).map(of).collect()
    };
    let mut took = Vec::new();
    let sides = rounds(2, ROUNDS, async |side| {
        let round = load(turns(side == 1), LENGTH, &tasks).await;
        if side == 1 {
            took.push(delays(&engine).await);
        }
        round
    })
    .await;
    let [plain, emits] = sides[..] else { unreachable!("two sides") };
    took.sort_by(|one, two| one.0.total_cmp(&two.0));
    let (p50, p99) = took[took.len() / 2];
    println!(
        "{callers:3} callers: a key {}/s p50 {:.0} us; a key and a call {}/s p50 {:.0} us; {:.2} of it; \
         arrives after p50 {p50:.2} ms p99 {p99:.2} ms",
        human(plain.rate),
        plain.p50,
        human(emits.rate),
        emits.p50,
        emits.rate / plain.rate,
    );
    engine.farewell(Duration::from_secs(5)).await;
    let _ = tasks.stop(Duration::from_secs(5)).await;
}

/// How long a call takes on its way that waits for no other: the next is sent when it is over.
async fn alone() {
    let (folder, tasks) = (tempfile::tempdir().unwrap(), Tasks::new("bench"));
    let engine = durable(folder.path(), &tasks).await.engine;
    engine.offer(actors![Order, Shelf]).await.unwrap();
    let client = Client::embedded(engine.clone());
    let order = client.actor::<Order>("order-0").unwrap();
    for _ in 0..ALONE {
        order.emit(7).await.unwrap();
        let sent = engine.sent();
        while sent.snapshot().delivered < sent.snapshot().stored {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let (p50, p99) = delays(&engine).await;
    println!("sent when the one before is over: arrives after p50 {p50:.2} ms p99 {p99:.2} ms");
    engine.farewell(Duration::from_secs(5)).await;
    let _ = tasks.stop(Duration::from_secs(5)).await;
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        alone().await;
        compare(1).await;
        compare(64).await;
    });
}
