//! Clients that call actors and never call twice.
//!
//! What is called is a [`Work`]; when, through which host, and what is written down of it
//! is decided here.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use odeon_base::{TaskKind, Tasks};
use odeon_test_history::{Effect, Op, Seen};
use odeon_test_support::{Answer, Client};
use tokio::task::JoinHandle;

use crate::clock;

/// How long a caller waits for one call.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Between two calls of one caller.
const PAUSE: Duration = Duration::from_millis(5);

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It was answered: with the content of an object of its actor after it, if it is about one.
    Answered(Option<Seen>),
    /// It was not: whether its turn may have begun, and what was said.
    Failed(Effect, String),
    /// Its caller went away.
    HungUp,
}

impl Fate {
    /// Whether the call was answered.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Answered(_))
    }

    /// Whether its caller waited in vain.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(..))
    }

    /// An answer that tells nothing.
    #[must_use]
    pub fn unclear(text: String) -> Self {
        Self::Failed(Effect::Maybe, text)
    }
}

/// A call that is due.
#[derive(Debug, Clone, Copy)]
pub struct Due<'a> {
    /// Through whom.
    pub client: &'a Client,
    /// No other call has it.
    pub number: u64,
    /// Whose.
    pub caller: usize,
    /// Which of the caller's.
    pub round: usize,
}

impl Due<'_> {
    /// A number by which each caller walks over all actors in a step of its own.
    #[must_use]
    pub fn step(&self) -> usize {
        self.caller * 7 + self.round * 11
    }
}

/// What was called, and what became of it.
#[derive(Debug)]
pub struct Done {
    /// Which actor, in the count of the work.
    pub actor: usize,
    /// What was asked.
    pub op: Op,
    /// What became of it.
    pub fate: Fate,
}

/// What callers do.
pub trait Work: Debug + Send + Sync + 'static {
    /// Makes the call that is due.
    fn call<'a>(&'a self, due: Due<'a>) -> BoxFuture<'a, Done>;
}

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its number.
    pub number: u64,
    /// Of which actor, in the count of the work.
    pub actor: usize,
    /// What it asked.
    pub op: Op,
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
    numbers: AtomicU64,
    calls: Mutex<Vec<Call>>,
    /// By the machine's clock.
    began: Duration,
}

/// Callers that run until they are stopped.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    callers: Vec<JoinHandle<()>>,
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
            numbers: AtomicU64::new(0),
            calls: Mutex::default(),
            began: clock::now(),
        });
        let callers = (0..callers).map(|caller| {
            let shared = Arc::clone(&shared);
            tasks.spawn(TaskKind::Connection, async move { shared.call_on(caller).await })
        });
        Self { callers: callers.collect(), shared }
    }

    /// When the run began, by the machine's clock.
    #[must_use]
    pub fn began(&self) -> Duration {
        self.shared.began
    }

    /// Since when the run goes on.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.shared.elapsed()
    }

    /// Makes one more call for a caller, through this host, whoever is avoided.
    pub async fn call(&self, via: usize, work: &dyn Work, (caller, round): (usize, usize)) -> Fate {
        self.shared.call(via, work, (caller, round)).await
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

    /// Stops the callers.
    pub async fn stop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        for caller in self.callers.drain(..) {
            caller.await.expect("a caller does not fail");
        }
    }

    /// All calls that have ended so far, which are forgotten here.
    #[must_use]
    pub fn take(&self) -> Vec<Call> {
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
            self.call(via, &*self.work, (caller, round)).await;
            self.entering[via].fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn elapsed(&self) -> Duration {
        clock::now().saturating_sub(self.began)
    }

    async fn call(&self, via: usize, work: &dyn Work, (caller, round): (usize, usize)) -> Fate {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        let began = self.elapsed();
        let due = Due { client: &self.clients[via], number, caller, round };
        let Done { actor, op, fate } = work.call(due).await;
        let ended = self.elapsed();
        let call = Call { number, actor, op, via, began, ended, fate: fate.clone() };
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        fate
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

/// One call with [`PATIENCE`]; what became of it, if that was not success.
///
/// # Errors
/// [`Fate::Failed`], with what was said.
pub async fn call(client: &Client, path: &str, body: &str) -> Result<Answer, Fate> {
    let limit = PATIENCE.as_millis().to_string();
    let client = client.clone().with_header("odeon-actor-timeout", &limit);
    let answer = match client.put(path, body).await {
        Ok(answer) if answer.status == 200 => return Ok(answer),
        Ok(answer) => answer,
        Err(reason) => return Err(Fate::unclear(format!("no answer: {reason}"))),
    };
    let effect = match answer.headers.get("odeon-actor-execution").map(|word| word.as_bytes()) {
        Some(b"none") => Effect::None,
        Some(b"done") => Effect::Done,
        Some(_) | None => Effect::Maybe,
    };
    Err(Fate::Failed(effect, format!("{} {}", answer.status, answer.text().trim())))
}
