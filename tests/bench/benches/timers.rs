//! How late do timers fire? And how late do bare sleeps of tokio, as many and in the same run?
//!
//! 100,000 timers, one for each of as many actors, due at random times within ten seconds; each
//! says when it was due, and the actor what time it is. The bare program is a task that sleeps
//! for each of them. `cargo bench -p odeon-bench --bench timers`, with ` -- 10000` for fewer.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::{ActorType, Entropy};
use odeon_bench::engine;
use odeon_runtime::config::{TypeConfig, TypeSpec};
use odeon_runtime::schedule::{TimerSpec, go_text};
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::{ActorRef, CallKind, Error, Invocation, Reply, Turn};
use tokio::time::Instant;

const TIMERS: usize = 100_000;
const SPREAD: Duration = Duration::from_secs(10);
/// So that all are set before the first is due.
const LEAD: Duration = Duration::from_secs(3);

type Lateness = Arc<Mutex<Vec<Duration>>>;

/// Notes how late it is.
#[derive(Debug)]
struct Late {
    began: Instant,
    lateness: Lateness,
}

impl Behaviour for Late {
    fn activate<'a>(&'a self, _: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>> {
        futures::future::ready(Ok(Instance::Remote)).boxed()
    }

    fn invoke<'a>(
        &'a self,
        _: &'a mut Instance,
        _: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, Error>> {
        let due: u64 = std::str::from_utf8(&call.body).unwrap().parse().unwrap();
        let late = self.began.elapsed().checked_sub(Duration::from_nanos(due));
        self.lateness.lock().unwrap().push(late.expect("never early"));
        futures::future::ready(Ok(Reply::default())).boxed()
    }

    fn is_shared(&self) -> bool {
        true
    }
}

#[tokio::main]
async fn main() {
    let timers = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(TIMERS);
    let entropy = Entropy::seeded(1);
    let dues: Vec<Duration> = (0..timers).map(|_| SPREAD.mul_f64(entropy.fraction())).collect();
    for _ in 0..3 {
        say("timers of actors", &of_actors(&dues).await);
        say("bare sleeps", &bare(&dues).await);
    }
}

async fn of_actors(dues: &[Duration]) -> Lateness {
    let engine = engine().await;
    let (began, lateness) = (Instant::now(), Lateness::default());
    let behaviour = Arc::new(Late { began, lateness: Arc::clone(&lateness) });
    let config = TypeConfig { stateless: true, ..TypeConfig::default() };
    let actor_type = ActorType::parse("Late").unwrap();
    engine.offer(vec![TypeSpec { actor_type, config, behaviour }]).await.unwrap();
    for (n, after) in dues.iter().enumerate() {
        let due = LEAD + *after;
        let left = due.saturating_sub(began.elapsed());
        let spec = TimerSpec { due_time: go_text(left), ..TimerSpec::default() };
        let actor = ActorRef::parse("Late", &n.to_string()).unwrap();
        let set = Invocation {
            kind: CallKind::SetTimer(spec.into()),
            ..Invocation::new(actor, "late", due.as_nanos().to_string())
        };
        engine.call(set).await.unwrap();
    }
    assert!(began.elapsed() < LEAD, "all are set before the first is due: {:?}", began.elapsed());
    done(began, &lateness, dues.len()).await
}

async fn bare(dues: &[Duration]) -> Lateness {
    let (began, lateness) = (Instant::now(), Lateness::default());
    for after in dues {
        let (due, lateness) = (began + LEAD + *after, Arc::clone(&lateness));
        tokio::spawn(async move {
            tokio::time::sleep_until(due).await;
            lateness.lock().unwrap().push(due.elapsed());
        });
    }
    done(began, &lateness, dues.len()).await
}

async fn done(began: Instant, lateness: &Lateness, all: usize) -> Lateness {
    tokio::time::sleep_until(began + LEAD + SPREAD).await;
    while lateness.lock().unwrap().len() < all {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Arc::clone(lateness)
}

fn say(what: &str, lateness: &Lateness) {
    let mut lateness = lateness.lock().unwrap();
    lateness.sort();
    let at = |part: f64| lateness[((lateness.len() - 1) as f64 * part) as usize];
    println!(
        "{what:<18} {} fired; late by p50 {:.2?}, p99 {:.2?}, at most {:.2?}",
        lateness.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}
