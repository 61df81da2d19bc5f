//! What the benchmarks share: how a figure is measured and printed.
//!
//! Every figure is a ratio against a bare program in the same run. A run is a few
//! short rounds in which the sides take turns, so that a drift of the machine hits
//! both; the medians are compared.

pub mod durable;
pub mod relay;
pub mod web;

use std::sync::Arc;
use std::time::Duration;

use odeon_base::clock::SystemClock;
use odeon_base::{AppId, Entropy, HostName, TaskKind, Tasks};
use odeon_runtime::{Config, Engine, Seams};
use odeon_sdk::testkit::Placement;
use tokio::time::Instant;

/// An engine on this machine's clocks with a lease, and no types yet.
///
/// # Panics
/// Outside a tokio runtime.
pub async fn engine() -> Engine {
    let app = AppId::parse("bench").expect("a valid id");
    let host = HostName::parse("127.0.0.1:1").expect("a valid name");
    let tasks = Tasks::new("bench");
    let seams = Seams {
        placement: Arc::new(Placement::new(1, &tasks)),
        peers: None,
        lease: Arc::new(SystemClock),
        wall: Arc::new(SystemClock),
        entropy: Entropy::seeded(1),
        tasks,
    };
    let engine = Engine::start(Config::new(app, host), seams);
    engine.ready().await;
    engine
}

/// Rates of one side over the rounds, calls a second.
#[derive(Debug, Clone, Default)]
pub struct Rates(Vec<f64>);

impl Rates {
    /// Adds a round.
    pub fn push(&mut self, calls: u64, took: Duration) {
        self.0.push(calls as f64 / took.as_secs_f64());
    }

    /// The middle round.
    #[must_use]
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }

    /// The slowest and the fastest round.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        let low = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let high = self.0.iter().copied().fold(0.0, f64::max);
        (low, high)
    }
}

/// Who calls again and again.
pub trait Caller: Send + 'static {
    /// One call and its answer.
    fn call(&mut self) -> impl Future<Output = ()> + Send;
}

/// One round of one side.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    /// How many calls there were.
    pub calls: u64,
    /// In what time.
    pub took: Duration,
    /// The p50 of their times, in microseconds.
    pub p50: f64,
}

/// All of these call for so long, each one call after the other.
///
/// # Panics
/// When a caller does, or none of them made a call.
pub async fn load(callers: Vec<impl Caller>, length: Duration, tasks: &Tasks) -> Round {
    let start = Instant::now();
    let call_on = |mut caller| {
        tasks.spawn(TaskKind::Connection, async move {
            let mut times = Vec::new();
            while start.elapsed() < length {
                let before = Instant::now();
                Caller::call(&mut caller).await;
                times.push(before.elapsed());
            }
            times
        })
    };
    let callers: Vec<_> = callers.into_iter().map(call_on).collect();
    let mut times = Vec::new();
    for caller in callers {
        times.extend(caller.await.expect("a caller does not fail"));
    }
    let took = start.elapsed();
    times.sort();
    let p50 = times[times.len() / 2].as_secs_f64() * 1e6;
    Round { calls: times.len() as u64, took, p50 }
}

/// What the rounds of one side come to.
#[derive(Debug, Clone, Copy)]
pub struct Side {
    /// Calls a second of the middle round.
    pub rate: f64,
    /// The middle of the rounds' p50, in microseconds.
    pub p50: f64,
}

/// Rounds in which the sides take turns, by their numbers; one before them makes all warm.
pub async fn rounds(
    sides: usize,
    rounds: usize,
    mut run: impl AsyncFnMut(usize) -> Round,
) -> Vec<Side> {
    let mut told = vec![(Rates::default(), Rates::default()); sides];
    for round in 0..=rounds {
        for (side, (rates, p50s)) in told.iter_mut().enumerate() {
            let Round { calls, took, p50 } = run(side).await;
            if round > 0 {
                rates.push(calls, took);
                p50s.0.push(p50);
            }
        }
    }
    told.iter().map(|(rates, p50s)| Side { rate: rates.median(), p50: p50s.median() }).collect()
}

/// A rate for people: `3.2M`, `41k`.
#[must_use]
pub fn human(rate: f64) -> String {
    if rate >= 1e6 {
        format!("{:.2}M", rate / 1e6)
    } else if rate >= 1e3 {
        format!("{:.1}k", rate / 1e3)
    } else {
        format!("{rate:.0}")
    }
}
