//! OW-1: a call that is stored before its caller is told, and then made whichever host dies.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::clock::TokioClock;
use odeon_base::{ActorType, IdempotencyKey};
use odeon_runtime::config::{TypeConfig, TypeSpec};
use odeon_runtime::error::{AppFailure, Error};
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::{ActorRef, Awaits, Headers, Invocation, Reply, Turn};
use odeon_test_engine::store::Fate;
use odeon_test_engine::world::until;
use odeon_test_engine::{Host, Kind, World};
use tokio::time::sleep;

const TYPE: &str = "Goods";
const PARTITIONS: u32 = 4;

/// Notes what it was told: `id body`, and the headers of the last call. Ids that begin with
/// `never` fail.
#[derive(Debug, Clone, Default)]
struct Goods {
    told: Arc<Mutex<Vec<String>>>,
    headers: Arc<Mutex<Headers>>,
}

impl Goods {
    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn host(&self, host: &Host, config: TypeConfig) {
        let actor_type = ActorType::parse(TYPE).unwrap();
        let spec = TypeSpec { actor_type, config, behaviour: Arc::new(self.clone()) };
        host.engine.offer(vec![spec]).await.unwrap();
    }
}

impl Behaviour for Goods {
    fn activate<'a>(&'a self, _: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>> {
        async { Ok(Instance::Shared(Arc::new(()))) }.boxed()
    }

    fn invoke<'a>(
        &'a self,
        _: &'a mut Instance,
        turn: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, Error>> {
        async move {
            let id = turn.actor().id.as_str();
            let body = String::from_utf8_lossy(&call.body);
            self.told.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{id} {body}"));
            *self.headers.lock().unwrap_or_else(PoisonError::into_inner) = call.headers;
            if id.starts_with("never") {
                return Err(Error::App(AppFailure { message: "no".to_owned() }));
            }
            Ok(Reply::default())
        }
        .boxed()
    }

    fn is_shared(&self) -> bool {
        false
    }
}

fn call(id: &str, body: impl Into<bytes::Bytes>) -> Invocation {
    let actor = ActorRef::parse(TYPE, id).unwrap();
    Invocation { awaits: Awaits::Stored, ..Invocation::new(actor, "take", body) }
}

async fn send(host: &Host, id: &str, body: &str) {
    assert_eq!(host.invoke(call(id, body.to_owned())).await.unwrap(), "");
}

/// A host with partitions, and nobody yet who takes a call.
async fn bare(world: &World, name: &str) -> Host {
    let host = world.bare_host(name);
    host.offer_reminders(PARTITIONS, Arc::new(TokioClock::start())).await;
    host
}

fn world() -> (World, Goods) {
    (World::of_neighbours(Kind::Placed), Goods::default())
}

fn waiting(host: &Host) -> u64 {
    host.engine.sent().snapshot().waiting
}

#[tokio::test(start_paused = true)]
async fn ow_1_what_was_stored_outlives_its_host_in_its_order() {
    let (world, goods) = world();
    let host = bare(&world, "a:1").await;
    // More than are in memory of one lane.
    for n in 0..40 {
        send(&host, "x", &n.to_string()).await;
    }
    assert_eq!(goods.told(), [""; 0]);
    host.kill().await;
    let host = bare(&world, "b:1").await;
    // Stored while the earlier ones have not been read yet, or have.
    for n in 40..80 {
        send(&host, "x", &n.to_string()).await;
    }
    goods.host(&host, TypeConfig::default()).await;
    until("all are delivered", || goods.told().len() == 80).await;
    let all: Vec<_> = (0..80).map(|n| format!("x {n}")).collect();
    assert_eq!(goods.told(), all);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(goods.told().len(), 80, "each once");
    assert_eq!(waiting(&host), 0);
}

#[tokio::test(start_paused = true)]
async fn ow_1_it_is_delivered_at_once_with_its_headers() {
    let (world, goods) = world();
    let host = bare(&world, "a:1").await;
    goods.host(&host, TypeConfig::default()).await;
    sleep(Duration::from_secs(3)).await;
    let mut sent = call("x", "1");
    sent.headers.push("x-own", "1");
    sent.headers.push("x-own", "2");
    let began = tokio::time::Instant::now();
    host.invoke(sent).await.unwrap();
    until("it is delivered", || goods.told().len() == 1).await;
    assert!(began.elapsed() < Duration::from_millis(50), "it waited for no look");
    let headers = goods.headers.lock().unwrap().clone();
    let all: Vec<_> = headers.iter().collect();
    assert_eq!(all[..2], [("x-own", "1"), ("x-own", "2")]);
    assert_eq!((all[2].0, all.len()), ("odeon-idempotency-key", 3));
}

#[tokio::test(start_paused = true)]
async fn ow_1_a_repeated_request_is_one_call() {
    let (world, goods) = world();
    let host = bare(&world, "a:1").await;
    goods.host(&host, TypeConfig::default()).await;
    for key in ["k1", "k1", "k2"] {
        let once = Some(IdempotencyKey::parse(key).unwrap());
        host.invoke(Invocation { once, ..call("x", key) }).await.unwrap();
    }
    sleep(Duration::from_secs(60)).await;
    assert_eq!(goods.told(), ["x k1", "x k2"]);
}

#[tokio::test(start_paused = true)]
async fn ow_1_one_that_is_refused_for_ever_is_given_up_and_holds_up_its_own_target_only() {
    let (world, goods) = world();
    let host = bare(&world, "a:1").await;
    goods.host(&host, TypeConfig::default()).await;
    send(&host, "never", "a").await;
    send(&host, "x", "b").await;
    until("the other's is delivered", || goods.told().contains(&"x b".to_owned())).await;
    assert_eq!(host.engine.sent().snapshot().given_up, 0);
    sleep(Duration::from_secs(600)).await;
    let sent = host.engine.sent().snapshot();
    assert_eq!((sent.stored, sent.delivered, sent.given_up), (2, 1, 1));
    assert_eq!(goods.told().len(), 21);
}

#[tokio::test(start_paused = true)]
async fn ow_1_who_is_told_that_it_is_not_stored_may_say_so_again() {
    let (world, goods) = world();
    let host = bare(&world, "a:1").await;
    goods.host(&host, TypeConfig::default()).await;
    sleep(Duration::from_secs(3)).await;
    for (fate, is_stored) in [(Fate::Refused, false), (Fate::AnswerLost, true)] {
        let before = goods.told().len();
        world.store.next_commit(fate);
        host.invoke(call("x", "1")).await.unwrap_err();
        sleep(Duration::from_secs(60)).await;
        assert_eq!(goods.told().len() - before, usize::from(is_stored), "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn ow_1_what_cannot_be_kept_is_refused_by_name() {
    let (world, goods) = world();
    let host = world.bare_host("a:1");
    let refused = host.invoke(call("x", "1")).await.unwrap_err();
    assert!(refused.to_string().contains("no store for actors' state"), "{refused}");
    let host = bare(&world, "b:1").await;
    goods.host(&host, TypeConfig { stateless: true, ..TypeConfig::default() }).await;
    let refused = host.invoke(call("x", "1")).await.unwrap_err();
    assert!(refused.to_string().contains("'Goods' keeps no state"), "{refused}");
    assert_eq!(goods.told(), [""; 0]);
}
