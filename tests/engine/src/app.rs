//! What the actors of the tests do, and what is seen of it.
//!
//! One small program for all kinds: a method that counts, one that stands still until
//! it is let go, some that read, write, call or fail. The [`Probe`] is the witness: it
//! knows who runs at each moment and notices when two turns of one actor overlap.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use odeon_runtime::error::{AppFailure, Error};
use odeon_runtime::turn::{Caller, Change, Turn};
use odeon_runtime::{ActorRef, Awaits, Engine, Invocation, Reply};
use tokio::sync::Semaphore;

use crate::wire::Wire;

/// An actor's memory.
#[derive(Debug, Default)]
pub struct Memory {
    count: AtomicU64,
}

/// Sees what actors do, and lets those go that stand still.
#[derive(Debug)]
pub struct Probe {
    log: Mutex<Vec<String>>,
    running: Mutex<BTreeMap<String, usize>>,
    overlaps: Mutex<Vec<String>>,
    gate: Semaphore,
    errand: Mutex<Option<String>>,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            log: Mutex::default(),
            running: Mutex::default(),
            overlaps: Mutex::default(),
            gate: Semaphore::new(0),
            errand: Mutex::default(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Probe {
    /// Notes that something happened.
    pub fn note(&self, what: String) {
        lock(&self.log).push(what);
    }

    /// What happened so far, in order.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        lock(&self.log).clone()
    }

    /// How often this happened.
    #[must_use]
    pub fn count(&self, what: &str) -> usize {
        lock(&self.log).iter().filter(|entry| *entry == what).count()
    }

    /// Actors with a turn at this moment.
    #[must_use]
    pub fn running(&self) -> Vec<String> {
        lock(&self.running).keys().cloned().collect()
    }

    /// Actors of which two turns ran at once (TURN-1).
    #[must_use]
    pub fn overlaps(&self) -> Vec<String> {
        lock(&self.overlaps).clone()
    }

    /// The next actor that is activated makes this call before it is ready.
    pub fn send_on_an_errand(&self, call: &str) {
        *lock(&self.errand) = Some(call.to_owned());
    }

    /// Takes the errand, if there is one.
    pub(crate) fn errand(&self) -> Option<String> {
        lock(&self.errand).take()
    }

    /// Lets this many turns go that stand still, or will.
    pub fn let_go(&self, turns: usize) {
        self.gate.add_permits(turns);
    }

    fn enter(&self, actor: &ActorRef) -> Running<'_> {
        let name = actor.id.to_string();
        let mut running = lock(&self.running);
        let count = running.entry(name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            lock(&self.overlaps).push(name.clone());
        }
        Running { probe: self, name }
    }
}

/// A turn that runs, until it is dropped.
struct Running<'a> {
    probe: &'a Probe,
    name: String,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut running = lock(&self.probe.running);
        if let Some(count) = running.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                running.remove(&self.name);
            }
        }
    }
}

/// From where the program reaches its state and other actors.
#[derive(Debug)]
pub struct Place<'a> {
    /// The engine.
    pub engine: Engine,
    /// Who it is.
    pub actor: ActorRef,
    /// What to say in calls of its own.
    pub caller: Caller,
    /// The turn; `None` when the program runs in another process.
    pub turn: Option<&'a Turn>,
    /// The host's door; `None` when the program reaches the engine itself.
    pub wire: Option<&'a Wire>,
}

impl Place<'_> {
    async fn get(&self, key: &str) -> Result<String, Error> {
        if let Some(wire) = self.wire {
            return wire.get(&self.actor, key).await;
        }
        let item = match self.turn {
            Some(turn) => turn.get(key).await?,
            None => self.engine.read_state(&self.actor, None, key).await?,
        };
        Ok(item.map(|item| text(&item.value)).unwrap_or_default())
    }

    async fn set(&self, pair: &str) -> Result<(), Error> {
        let (key, value) = pair.split_once('=').expect("key=value");
        let change =
            if value.is_empty() { Change::remove(key) } else { Change::set(key, value.to_owned()) };
        if let Some(wire) = self.wire {
            return wire.commit(&self.actor, change).await;
        }
        match self.turn {
            Some(turn) => turn.commit(vec![change]).await,
            None => self.engine.write_state(&self.actor, None, vec![change]).await,
        }
    }

    /// Makes a call of its own: `type/id/method/body`.
    pub(crate) async fn nest(&self, call: &str) -> Result<String, Error> {
        self.send(call, false).await
    }

    async fn send(&self, call: &str, is_one_way: bool) -> Result<String, Error> {
        let mut parts = call.splitn(4, '/');
        let mut part = || parts.next().unwrap_or_default();
        let actor = ActorRef::parse(part(), part())?;
        let (method, body) = (part(), part().to_owned());
        if let Some(wire) = self.wire {
            return wire.call(&actor, method, body, is_one_way).await;
        }
        let mut invocation = Invocation::new(actor, method, body);
        invocation.deadline = self.caller.deadline;
        invocation.chain = self.caller.chain.clone();
        if is_one_way {
            invocation.awaits = Awaits::Place;
        }
        self.engine.call(invocation).await.map(|reply| text(&reply.body))
    }
}

/// Bytes of a test are text.
#[must_use]
pub fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn outcome(result: &Result<(), Error>) -> String {
    match result {
        Ok(()) => "done".to_owned(),
        Err(Error::Fenced { .. }) => "fenced".to_owned(),
        Err(Error::LeaseLost { .. }) => "no lease".to_owned(),
        Err(other) => other.to_string(),
    }
}

/// One turn of any actor of the tests.
pub async fn perform(
    probe: &Probe,
    place: Place<'_>,
    memory: &Memory,
    method: &str,
    body: &Bytes,
) -> Result<Reply, Error> {
    let _running = probe.enter(&place.actor);
    let body = text(body);
    probe.note(format!("{} {method} {body}", place.actor.id).trim_end().to_owned());
    let answer = match method {
        "count" => (memory.count.fetch_add(1, Ordering::Relaxed) + 1).to_string(),
        "hold" => {
            stand_still(probe).await;
            memory.count.fetch_add(1, Ordering::Relaxed);
            "held".to_owned()
        }
        "sleep" => {
            let millis = body.parse().expect("milliseconds");
            tokio::time::sleep(Duration::from_millis(millis)).await;
            probe.note(format!("{} slept", place.actor.id));
            "slept".to_owned()
        }
        "get" => place.get(&body).await?,
        "set" => {
            place.set(&body).await?;
            "set".to_owned()
        }
        // A turn that knows its answer before it commits.
        "set-telling" | "set-telling-hold" => {
            if let Some(turn) = place.turn {
                turn.will_answer(|| Reply { body: "set".into(), ..Reply::default() });
            }
            place.set(&body).await?;
            if method.ends_with("hold") {
                stand_still(probe).await;
            }
            "set".to_owned()
        }
        "say-no" => {
            return Ok(Reply { body: "no".into(), is_app_error: true, ..Reply::default() });
        }
        "hold-set" => {
            place.get("any").await?;
            stand_still(probe).await;
            let result = place.set(&body).await;
            probe.note(format!("late commit: {}", outcome(&result)));
            result?;
            "set".to_owned()
        }
        "set-twice" => {
            let (first, second) = body.split_once(',').expect("two pairs");
            let first = outcome(&place.set(first).await);
            let second = outcome(&place.set(second).await);
            format!("{first}, {second}")
        }
        // A turn that does not wait for its own commit.
        "set-in-haste" => {
            let limit = Duration::from_millis(10);
            let first = tokio::time::timeout(limit, place.set(&body)).await;
            let read = place.get("k").await.unwrap_or_else(|error| outcome(&Err(error)));
            format!("{}, {read}", first.map_or("left alone".to_owned(), |done| outcome(&done)))
        }
        "nest" => place.nest(&body).await?,
        "post" => place.send(&body, true).await?,
        "hold-nest" => {
            stand_still(probe).await;
            place.nest(&body).await?
        }
        // Of a timer or reminder: this was the last time.
        "last" => return Ok(Reply { is_last: true, ..Reply::default() }),
        "panic" => panic!("as asked"),
        "unknown" => {
            let ActorRef { actor_type, id } = place.actor;
            return Err(Error::NoMethod { actor_type, id, method: method.to_owned() });
        }
        "fail" => return Err(Error::App(AppFailure { message: "as asked".to_owned() })),
        "leave" => {
            if let Some(turn) = place.turn {
                turn.deactivate();
            }
            String::new()
        }
        other => unreachable!("no method {other}"),
    };
    Ok(Reply { body: answer.into(), ..Reply::default() })
}

async fn stand_still(probe: &Probe) {
    probe.gate.acquire().await.expect("the gate is never closed").forget();
}
