//! Clients that call counters and never call twice.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use odeon_base::{TaskKind, Tasks};
use odeon_test_support::Client;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::cluster::TYPE;

/// How long a caller waits for one call.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Between two calls of one caller.
const PAUSE: Duration = Duration::from_millis(5);

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The counter's value after it.
    Answered(i64),
    /// Certainly not begun.
    NotBegun(String),
    /// Perhaps run, or run in part.
    Perhaps(String),
}

/// One call that added one.
#[derive(Debug, Clone)]
pub struct Call {
    /// Which counter.
    pub actor: usize,
    /// Where it entered.
    pub via: usize,
    /// When it was sent, since the run began.
    pub began: Duration,
    /// When its answer came.
    pub ended: Duration,
    /// What became of it.
    pub fate: Fate,
}

/// What callers share.
#[derive(Debug)]
struct Shared {
    clients: Vec<Client>,
    /// Hosts through which no new call enters.
    avoided: Vec<AtomicBool>,
    entering: Vec<AtomicUsize>,
    is_over: AtomicBool,
    calls: Mutex<Vec<Call>>,
    began: Instant,
}

/// Callers that run until they are stopped.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    callers: Vec<JoinHandle<()>>,
    /// How many counters are called.
    pub actors: usize,
}

/// The id of a counter.
#[must_use]
pub fn id(actor: usize) -> String {
    format!("c{actor}")
}

impl Load {
    /// Starts this many callers of this many counters.
    #[must_use]
    pub fn start(clients: Vec<Client>, callers: usize, actors: usize, tasks: &Tasks) -> Self {
        let hosts = clients.len();
        let shared = Arc::new(Shared {
            clients,
            avoided: (0..hosts).map(|_| AtomicBool::new(false)).collect(),
            entering: (0..hosts).map(|_| AtomicUsize::new(0)).collect(),
            is_over: AtomicBool::new(false),
            calls: Mutex::default(),
            began: Instant::now(),
        });
        let callers = (0..callers).map(|caller| {
            let shared = Arc::clone(&shared);
            tasks.spawn(TaskKind::Connection, async move { shared.call_on(caller, actors).await })
        });
        Self { callers: callers.collect(), shared, actors }
    }

    /// Since when the run goes on.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.shared.began.elapsed()
    }

    /// Lets no new call enter through a host, and waits for those that did.
    pub async fn avoid(&self, host: usize) {
        self.shared.avoided[host].store(true, Ordering::SeqCst);
        let mut look = tokio::time::interval(Duration::from_millis(5));
        while self.shared.entering[host].load(Ordering::SeqCst) > 0 {
            look.tick().await;
        }
    }

    /// Lets calls enter through a host again.
    pub fn use_again(&self, host: usize) {
        self.shared.avoided[host].store(false, Ordering::SeqCst);
    }

    /// The calls that have ended so far.
    #[must_use]
    pub fn so_far(&self) -> Vec<Call> {
        self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops the callers; all their calls.
    pub async fn stop(self) -> Vec<Call> {
        self.shared.is_over.store(true, Ordering::SeqCst);
        for caller in self.callers {
            caller.await.expect("a caller does not fail");
        }
        let mut calls = self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *calls)
    }
}

impl Shared {
    async fn call_on(&self, caller: usize, actors: usize) {
        let mut pace = tokio::time::interval(PAUSE);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for round in 0.. {
            pace.tick().await;
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            // Each caller walks over all counters and hosts in a step of its own.
            let actor = (caller * 7 + round * 11) % actors;
            let first = (caller + round * 3) % self.clients.len();
            let order = (0..self.clients.len()).map(|step| (first + step) % self.clients.len());
            let Some(via) = order.into_iter().find(|host| self.enter(*host)) else { continue };
            let began = self.began.elapsed();
            let fate = add_one(&self.clients[via], actor).await;
            self.entering[via].fetch_sub(1, Ordering::SeqCst);
            let call = Call { actor, via, began, ended: self.began.elapsed(), fate };
            self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        }
    }

    fn enter(&self, host: usize) -> bool {
        self.entering[host].fetch_add(1, Ordering::SeqCst);
        let may = !self.avoided[host].load(Ordering::SeqCst);
        if !may {
            self.entering[host].fetch_sub(1, Ordering::SeqCst);
        }
        may
    }
}

async fn add_one(client: &Client, actor: usize) -> Fate {
    let limit = PATIENCE.as_millis().to_string();
    let client = client.clone().with_header("odeon-actor-timeout", &limit);
    let path = format!("/v1.0/actors/{TYPE}/{}/method/add", id(actor));
    let answer = match client.put(&path, "1").await {
        Ok(answer) => answer,
        Err(reason) => return Fate::Perhaps(format!("no answer: {reason}")),
    };
    if answer.status == 200
        && let Ok(value) = answer.text().parse()
    {
        return Fate::Answered(value);
    }
    let text = format!("{} {}", answer.status, answer.text().trim());
    match answer.headers.get("odeon-actor-execution").and_then(|word| word.to_str().ok()) {
        Some("none") => Fate::NotBegun(text),
        _ => Fate::Perhaps(text),
    }
}
