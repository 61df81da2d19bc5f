//! The callers' side: registers and counters that are read and written.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use odeon_base::Entropy;
use odeon_test_history::act::{self, Act};
use odeon_test_history::{Object, Op};
use odeon_test_support::{Client, until};

use crate::load::{Done, Due, Fate, Work, call};
use crate::witness::{METHOD, TYPE};

/// The numbers of calls that nobody takes note of begin here.
const UNNOTED: u64 = 1 << 40;

static LOOKS: AtomicU64 = AtomicU64::new(0);

/// Keepers that all callers call in turn, each time for something else.
#[derive(Debug)]
pub struct Keepers {
    /// How many there are.
    actors: usize,
    dice: Entropy,
}

impl Keepers {
    /// Calls to so many of them, from dice of their own.
    #[must_use]
    pub fn new(actors: usize, seed: u64) -> Self {
        Self { actors, dice: Entropy::seeded(seed) }
    }

    fn one_in(&self, n: u64) -> bool {
        self.dice.u64().is_multiple_of(n)
    }

    fn choose(&self) -> Act {
        let object = if self.one_in(2) { Object::Register } else { Object::Counter };
        if self.one_in(3) {
            return Act::Read(object);
        }
        // Most turns are short, and some are under way when something happens.
        let wait = if self.one_in(8) { 10 + self.dice.u64() % 40 } else { 0 };
        Act::Write(object, 1, wait)
    }
}

impl Work for Keepers {
    fn call<'a>(&'a self, due: Due<'a>) -> BoxFuture<'a, Done> {
        let actor = due.step() % self.actors;
        let act = self.choose();
        let leaves = self.one_in(40).then(|| Duration::from_millis(self.dice.u64() % 30));
        let op = act.op();
        let asking = ask(due, actor, act);
        async move {
            let fate = match leaves {
                // Its connection is closed, whatever is on it.
                Some(after) => tokio::time::timeout(after, asking).await.unwrap_or(Fate::HungUp),
                None => asking.await,
            };
            Done { actor, op, fate }
        }
        .boxed()
    }
}

/// One last look at each object of each keeper: the round says which.
#[derive(Debug)]
pub struct LastLook;

impl Work for LastLook {
    fn call<'a>(&'a self, due: Due<'a>) -> BoxFuture<'a, Done> {
        let object = Object::ALL[due.round % Object::ALL.len()];
        let actor = due.round / Object::ALL.len();
        async move {
            let fate = ask(due, actor, Act::Read(object)).await;
            Done { actor, op: Op::Read(object), fate }
        }
        .boxed()
    }
}

/// The path of a keeper's method.
fn path(actor: usize) -> String {
    format!("/v1.0/actors/{TYPE}/{actor}/method/{METHOD}")
}

fn body(number: u64, act: &Act) -> String {
    serde_json::Value::String(act::to_body(number, act)).to_string()
}

async fn ask(due: Due<'_>, actor: usize, act: Act) -> Fate {
    let answer = match call(due.client, &path(actor), &body(due.number, &act)).await {
        Ok(answer) => answer,
        Err(fate) => return fate,
    };
    let seen = answer.json().as_str().and_then(|text| act::from_bytes(text.as_bytes()));
    seen.map_or_else(|| Fate::unclear(answer.text()), |seen| Fate::Answered(Some(seen)))
}

/// Waits until a keeper answers through this client; nobody takes note of it.
pub async fn until_it_serves(client: &Client, actor: usize) {
    until(&format!("an answer of keeper {actor}"), || async {
        let number = UNNOTED + LOOKS.fetch_add(1, Ordering::Relaxed);
        let body = body(number, &Act::Read(Object::Register));
        let answer = client.put(&path(actor), &body).await.ok()?;
        (answer.status == 200).then_some(())
    })
    .await;
}
