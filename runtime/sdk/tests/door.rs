//! Calls from an embedded program to actors that do not live in its own engine.
//!
//! The door of these tests remembers what it was asked and answers by itself; a host
//! library's door goes to other hosts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use odeon_runtime::config::TypeSpec;
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::{ActorRef, Error as EngineError, Invocation, Reply, Turn};
use odeon_sdk::testkit::TestKit;
use odeon_sdk::{Client, Door, Error, Result, actor, spec};

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

/// Answers with the argument, negated; refuses what is too large.
#[derive(Debug, Default)]
struct Elsewhere {
    asked: Mutex<Vec<String>>,
}

impl Door for Elsewhere {
    fn call(&self, invocation: Invocation) -> BoxFuture<'_, Result<Reply, EngineError>> {
        let said = String::from_utf8_lossy(&invocation.body).into_owned();
        let asked = format!("{}/{} {said}", invocation.actor.id, invocation.method);
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        let is_app_error = said.len() > 3;
        let body = if is_app_error { "too large".to_owned() } else { format!("-{said}") };
        async move { Ok(Reply { body: body.into(), is_app_error, ..Reply::default() }) }.boxed()
    }
}

/// The type as a worker's host has it: calls in bytes only.
#[derive(Debug)]
struct InAWorker;

impl Behaviour for InAWorker {
    fn activate<'a>(&'a self, _: &'a Turn) -> BoxFuture<'a, Result<Instance, EngineError>> {
        async { Ok(Instance::Remote) }.boxed()
    }

    fn invoke<'a>(
        &'a self,
        _: &'a mut Instance,
        _: &'a Turn,
        _: Call,
    ) -> BoxFuture<'a, Result<Reply, EngineError>> {
        async { Err(EngineError::Closed) }.boxed()
    }

    fn deactivate<'a>(&'a self, _: &'a ActorRef, _: Instance) -> BoxFuture<'a, ()> {
        async {}.boxed()
    }

    fn is_shared(&self) -> bool {
        true
    }
}

#[tokio::test(start_paused = true)]
async fn an_actor_of_this_engine_is_called_without_the_door() -> Result<()> {
    let kit = TestKit::new().actor::<Counter>().start().await;
    let door = Arc::new(Elsewhere::default());
    let client = Client::embedded_with_door(kit.engine().clone(), Arc::<Elsewhere>::clone(&door));
    assert_eq!(client.actor::<Counter>("c1")?.add(2).await?, 2);
    assert_eq!(door.asked.lock().unwrap().len(), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_actor_in_a_worker_is_called_through_the_door_in_json() -> Result<()> {
    let remote = TypeSpec { behaviour: Arc::new(InAWorker), ..spec::<Counter>() };
    let kit = TestKit::new().offer(remote).start().await;
    let door = Arc::new(Elsewhere::default());
    let client = Client::embedded_with_door(kit.engine().clone(), Arc::<Elsewhere>::clone(&door))
        .with_timeout(Duration::from_secs(5));
    let counter = client.actor::<Counter>("c1")?;
    assert_eq!(counter.add(2).await?, -2);
    let error = counter.add(1234).await.unwrap_err();
    assert!(matches!(error, Error::Failed { message } if message == "too large"));
    assert_eq!(*door.asked.lock().unwrap(), ["c1/add 2", "c1/add 1234"]);
    Ok(())
}
