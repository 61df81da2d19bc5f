//! Typed calls to actors that this process cannot run as they are: from an engine that
//! knows the way to others, they go in JSON.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{self, BoxFuture};
use odeon_base::clock::TokioClock;
use odeon_base::{AppId, Entropy, HostName, Tasks};
use odeon_blocks::state::memory::MemoryStore;
use odeon_ring::Member;
use odeon_runtime::config::TypeSpec;
use odeon_runtime::engine::Seams;
use odeon_runtime::error::AppFailure;
use odeon_runtime::peers::{PeerError, Peers};
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::{Config, Engine, Error as EngineError, Invocation, Reply, Turn};
use odeon_sdk::testkit::Placement;
use odeon_sdk::{Client, Error, Result, actor, spec};

#[derive(Default)]
struct Counter {
    n: i64,
}

#[actor]
impl Counter {
    async fn add(&mut self, by: i64) -> Result<i64> {
        self.n += by;
        Ok(self.n)
    }
}

/// A way to hosts of which there are none.
#[derive(Debug)]
struct Nobody;

impl Peers for Nobody {
    fn call<'a>(
        &'a self,
        to: &'a Member,
        _: u64,
        _: &'a Invocation,
    ) -> BoxFuture<'a, Result<Reply, PeerError>> {
        let (host, address) = (to.host.to_string(), to.address.to_string());
        let reason = "nobody is there".to_owned();
        future::ready(Err(PeerError::Unreachable { host, address, reason })).boxed()
    }
}

/// The type as a worker's host has it: calls in bytes only. Answers with the argument,
/// negated; refuses what is too large.
#[derive(Debug)]
struct InAWorker;

impl Behaviour for InAWorker {
    fn activate<'a>(&'a self, _: &'a Turn) -> BoxFuture<'a, Result<Instance, EngineError>> {
        future::ready(Ok(Instance::Remote)).boxed()
    }

    fn invoke<'a>(
        &'a self,
        _: &'a mut Instance,
        _: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, EngineError>> {
        let said = String::from_utf8_lossy(&call.body).into_owned();
        let answer = if said.len() > 3 {
            Err(EngineError::App(AppFailure { message: "too large".to_owned() }))
        } else {
            Ok(Reply { body: format!("-{said}").into(), ..Reply::default() })
        };
        future::ready(answer).boxed()
    }

    fn is_shared(&self) -> bool {
        true
    }
}

async fn engine(offered: TypeSpec) -> Engine {
    let (tasks, clock) = (Tasks::new("test"), Arc::new(TokioClock::start()));
    let entropy = Arc::new(Entropy::seeded(2));
    let store = Arc::new(MemoryStore::new(Arc::<TokioClock>::clone(&clock), entropy));
    let seams = Seams {
        placement: Arc::new(Placement::new(1, &tasks)),
        peers: Some(Arc::new(Nobody)),
        lease: Arc::<TokioClock>::clone(&clock),
        wall: clock,
        entropy: Entropy::seeded(1),
        tasks,
    };
    let (app, host) = (AppId::parse("app").unwrap(), HostName::parse("a:1").unwrap());
    let engine = Engine::start(Config::new(app, host), seams);
    // Without one, a type that may keep state is not placed.
    engine.use_store(store);
    engine.ready().await;
    engine.offer(vec![offered]).await.unwrap();
    engine
}

#[tokio::test(start_paused = true)]
async fn an_actor_of_this_engine_is_called_as_it_is() -> Result<()> {
    let engine = engine(spec::<Counter>()).await;
    assert_eq!(Client::embedded(engine).actor::<Counter>("c1")?.add(2).await?, 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_actor_in_a_worker_is_called_in_json() -> Result<()> {
    let engine = engine(TypeSpec { behaviour: Arc::new(InAWorker), ..spec::<Counter>() }).await;
    let client = Client::embedded(engine).with_timeout(Duration::from_secs(5));
    let counter = client.actor::<Counter>("c1")?;
    assert_eq!(counter.add(2).await?, -2);
    let error = counter.add(1234).await.unwrap_err();
    assert!(matches!(error, Error::Failed { message } if message == "too large"));
    Ok(())
}
