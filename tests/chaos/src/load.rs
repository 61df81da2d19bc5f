//! Clients that call actors and never call twice.
//!
//! What is called is a [`Work`]; when, through which host, and what is written down of it
//! is decided here.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use odeon_base::{TaskKind, Tasks};
use odeon_test_support::{Answer, Client};
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
    /// The count of its actor after it.
    Answered(i64),
    /// It was answered, and changed nothing.
    Looked,
    /// Certainly not begun.
    NotBegun(String),
    /// Perhaps run, or run in part.
    Perhaps(String),
}

impl Fate {
    /// Whether the call was answered.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Answered(_) | Self::Looked)
    }
}

/// What callers do.
pub trait Work: Debug + Send + Sync + 'static {
    /// The call of a caller in one of its rounds: of which actor, and what became of it.
    fn call<'a>(
        &'a self,
        client: &'a Client,
        caller: usize,
        round: usize,
    ) -> BoxFuture<'a, (usize, Fate)>;
}

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    /// Which actor, in the count of the work.
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
    work: Arc<dyn Work>,
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
}

/// The id of a counter.
#[must_use]
pub fn id(actor: usize) -> String {
    format!("c{actor}")
}

impl Load {
    /// Starts this many callers, who enter through these clients in turn.
    #[must_use]
    pub fn start(clients: Vec<Client>, callers: usize, work: Arc<dyn Work>, tasks: &Tasks) -> Self {
        let hosts = clients.len();
        let shared = Arc::new(Shared {
            work,
            clients,
            avoided: (0..hosts).map(|_| AtomicBool::new(false)).collect(),
            entering: (0..hosts).map(|_| AtomicUsize::new(0)).collect(),
            is_over: AtomicBool::new(false),
            calls: Mutex::default(),
            began: Instant::now(),
        });
        let callers = (0..callers).map(|caller| {
            let shared = Arc::clone(&shared);
            tasks.spawn(TaskKind::Connection, async move { shared.call_on(caller).await })
        });
        Self { callers: callers.collect(), shared }
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

    /// How many calls have ended so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner).len()
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
    async fn call_on(&self, caller: usize) {
        let mut pace = tokio::time::interval(PAUSE);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for round in 0.. {
            pace.tick().await;
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            // Each caller walks over all hosts in a step of its own.
            let first = (caller + round * 3) % self.clients.len();
            let order = (0..self.clients.len()).map(|step| (first + step) % self.clients.len());
            let Some(via) = order.into_iter().find(|host| self.enter(*host)) else { continue };
            let began = self.began.elapsed();
            let (actor, fate) = self.work.call(&self.clients[via], caller, round).await;
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

/// Counters to each of which ones are added.
#[derive(Debug)]
pub struct Counters {
    /// How many there are.
    pub actors: usize,
}

impl Work for Counters {
    fn call<'a>(
        &'a self,
        client: &'a Client,
        caller: usize,
        round: usize,
    ) -> BoxFuture<'a, (usize, Fate)> {
        // Each caller walks over all counters in a step of its own.
        let actor = (caller * 7 + round * 11) % self.actors;
        let path = format!("/v1.0/actors/{TYPE}/{}/method/add", id(actor));
        let added = async move {
            let answer = match call(client, &path, "1").await {
                Ok(answer) => answer,
                Err(fate) => return fate,
            };
            let value = answer.text().parse();
            value.map_or_else(|_| Fate::Perhaps(answer.text()), Fate::Answered)
        };
        added.map(move |fate| (actor, fate)).boxed()
    }
}

/// One call with [`PATIENCE`]; what became of it, if that was not success.
///
/// # Errors
/// [`Fate::NotBegun`] or [`Fate::Perhaps`], with what was said.
pub async fn call(client: &Client, path: &str, body: &str) -> Result<Answer, Fate> {
    let limit = PATIENCE.as_millis().to_string();
    let client = client.clone().with_header("odeon-actor-timeout", &limit);
    let answer = match client.put(path, body).await {
        Ok(answer) if answer.status == 200 => return Ok(answer),
        Ok(answer) => answer,
        Err(reason) => return Err(Fate::Perhaps(format!("no answer: {reason}"))),
    };
    let text = format!("{} {}", answer.status, answer.text().trim());
    match answer.headers.get("odeon-actor-execution").and_then(|word| word.to_str().ok()) {
        Some("none") => Err(Fate::NotBegun(text)),
        _ => Err(Fate::Perhaps(text)),
    }
}
