//! What the benchmarks share: how a figure is measured and printed.
//!
//! Every figure is a ratio against a bare program in the same run. A run is a few
//! short rounds in which the sides take turns, so that a drift of the machine hits
//! both; the medians are compared.

pub mod relay;
pub mod web;

use std::sync::Arc;
use std::time::Duration;

use odeon_base::clock::SystemClock;
use odeon_base::{AppId, Entropy, HostName, Tasks};
use odeon_runtime::{Config, Engine, Seams};
use odeon_sdk::testkit::Placement;

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
