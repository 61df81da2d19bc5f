//! Whole hosts that call each other over the streams of a release, in real time.
//!
//! The engine's part is held to in `forward.rs`, on paused time; here sockets, the wire and
//! what clients are told stand between.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use odeon_base::{ActorType, AppId, Execution, Kind as Failed, Namespace};
use odeon_host::api::{Api, Identity, Parts};
use odeon_host::http::Door;
use odeon_runtime::config::{TypeConfig, TypeSpec};
use odeon_runtime::error::Error;
use odeon_runtime::peers::PeerError;
use odeon_sdk::{Client, Result as ActorResult, actor};
use odeon_test_engine::world::{execution, living_on, until};
use odeon_test_engine::{Host, Kind, World};
use odeon_test_wire::{Ask, Scripted};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

/// No test takes nearly as long.
const DEADLINE: Duration = Duration::from_secs(60);

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("waited too long: {what}"))
}

/// Hosts whose calls go over the streams of a release.
async fn cluster(names: &[&str]) -> (World, Vec<Host>) {
    World::of_streams(Kind::Placed).cluster(names).await
}

// RT-1, RT-5.
#[tokio::test]
async fn a_call_enters_anywhere_and_runs_where_its_actor_lives() {
    let (world, hosts) = cluster(&["a:1", "b:1", "c:1"]).await;
    for (turn, host) in hosts.iter().enumerate() {
        let ids: Vec<_> = (0..60).map(|number| number.to_string()).collect();
        let calls = ids.iter().map(|id| host.call(id, "count", ""));
        for counted in soon("all answers", join_all(calls)).await {
            assert_eq!(counted.unwrap(), (turn + 1).to_string(), "one memory, whoever asks");
        }
    }
    for host in &hosts {
        assert!(host.metrics().active > 5, "{} has its share", host.name);
    }
    world.assert_one_at_a_time();
}

// O4, O5, HO-6.
#[tokio::test]
async fn hosts_come_and_go_under_load_and_no_call_fails_or_runs_twice() {
    let (world, mut hosts) = cluster(&["a:1", "b:1", "c:1"]).await;
    let (is_over, made) = (Cell::new(false), Cell::new(0));
    let doors = [hosts[0].clone(), hosts[1].clone()];
    let load = join_all((0..16).map(|client| {
        let (is_over, made, door) = (&is_over, &made, &doors[client % 2]);
        async move {
            for number in (0..).take_while(|_| !is_over.get()) {
                let (id, pair) = (number % 40, format!("r{client}-{number}=1"));
                let answer = door.call(&id.to_string(), "set", &pair).await;
                answer.expect("a move fails no call");
                made.set(made.get() + 1);
            }
        }
    }));
    let moves = async {
        for name in ["d:1", "e:1", "f:1"] {
            let before = made.get();
            hosts.push(world.host(name, Kind::Placed, TypeConfig::default()).await);
            until("load goes on", || made.get() >= before + 200).await;
            let leaving = hosts.remove(2);
            leaving.engine.leave(DEADLINE).await.unwrap();
            leaving.engine.farewell(DEADLINE).await;
            leaving.kill().await;
            until("load goes on", || made.get() >= before + 400).await;
        }
        is_over.set(true);
    };
    soon("load and moves", async { tokio::join!(load, moves) }).await;
    let log = world.probe.log();
    let sets: Vec<_> = log.iter().filter(|line| line.contains(" set r")).collect();
    let once: BTreeSet<_> = sets.iter().collect();
    assert_eq!((sets.len(), once.len()), (made.get(), made.get()), "each ran, none twice");
    world.assert_one_at_a_time();
}

// O6: what was running is told so, what waits is served by the next owner.
#[tokio::test]
async fn calls_wait_out_a_crash_and_nobody_else_does() {
    let (world, mut hosts) = cluster(&["a:1", "b:1", "c:1"]).await;
    let of_the_dead = living_on(&hosts[0], &hosts[2]).await;
    let of_the_living = living_on(&hosts[0], &hosts[1]).await;
    let running = hosts[0].start(&of_the_dead, "hold", "");
    hosts[2].until_running(1).await;
    world.streams().cut("c:1").await;
    hosts.pop().unwrap().kill().await;
    let lost = soon("the end of the connection", running).await.unwrap();
    assert!(matches!(lost, Err(Error::Peer(PeerError::Lost { .. }))), "{lost:?}");
    assert_eq!(execution(&lost), Some(Execution::Maybe));
    let began = Instant::now();
    let waiting = hosts[0].start(&of_the_dead, "count", "");
    for _ in 0..20 {
        soon("the living", hosts[0].call(&of_the_living, "count", "")).await.unwrap();
    }
    assert!(!waiting.is_finished() && began.elapsed() < Duration::from_secs(3), "they go on");
    assert_eq!(soon("the next owner", waiting).await.unwrap().unwrap(), "1");
    let took = began.elapsed();
    assert!(took <= Duration::from_secs(9), "a lease, and room for a busy machine: {took:?}");
}

// RT-2, RT-3.
#[tokio::test]
async fn a_call_whose_answer_is_lost_is_not_sent_again() {
    let (world, hosts) = cluster(&["a:1", "b:1"]).await;
    let id = living_on(&hosts[0], &hosts[1]).await;
    world.streams().hold_answers("b:1");
    let running = hosts[0].start(&id, "count", "");
    until("it ran", || world.probe.count(&format!("{id} count")) == 1).await;
    world.streams().cut("b:1").await;
    let lost = soon("the end of the connection", running).await.unwrap();
    assert!(matches!(lost, Err(Error::Peer(PeerError::Lost { .. }))), "{lost:?}");
    assert_eq!(execution(&lost), Some(Execution::Maybe));
    assert_eq!(world.probe.count(&format!("{id} count")), 1);
}

// RT-3: what was never written has not begun, whatever the time.
#[tokio::test]
async fn a_call_that_found_no_connection_in_its_time_has_not_begun() {
    let (world, hosts) = cluster(&["a:1", "b:1"]).await;
    let id = living_on(&hosts[0], &hosts[1]).await;
    let (address, limit) = (hosts[1].engine.config().address.clone(), Duration::from_millis(300));
    world.streams().cut("b:1").await;
    let refused = soon("refused", hosts[0].call_within(limit, &id, "count", "")).await;
    assert!(matches!(refused, Err(Error::QueueTimeout { .. })), "{refused:?}");
    // Somebody who takes connections and says nothing.
    let _silent = TcpListener::bind(&*address).await.unwrap();
    let began = Instant::now();
    let refused = soon("silence", hosts[0].call_within(limit, &id, "count", "")).await;
    assert!(matches!(refused, Err(Error::QueueTimeout { .. })), "{refused:?}");
    assert_eq!(execution(&refused), Some(Execution::None));
    assert!(began.elapsed() >= limit);
    assert_eq!(world.probe.count(&format!("{id} count")), 0);
}

fn door(host: &Host) -> Door {
    let identity = Identity::new(AppId::parse("app").unwrap(), Namespace::default());
    Door::new(Api::new(Parts::new(host.engine.clone(), identity)))
}

// RT-2: a client cannot tell whether its call crossed hosts.
#[tokio::test]
async fn every_answer_over_http_is_the_same_at_home_and_across_hosts() {
    let (_world, hosts) = cluster(&["a:1", "b:1"]).await;
    let spec = TypeSpec {
        actor_type: ActorType::parse("T").unwrap(),
        config: TypeConfig::default(),
        behaviour: Arc::new(Scripted),
    };
    hosts[1].engine.offer(vec![spec]).await.unwrap();
    let [far, home] = [door(&hosts[0]), door(&hosts[1])];
    let raised = (0..=22).map(|number| ("raise", number.to_string()));
    let others = [("echo", "x"), ("app-error", "no"), ("headers", ""), ("nothing-such", "")];
    let asked = raised.chain(others.map(|(method, body)| (method, body.to_owned())));
    for (method, body) in asked {
        let path = format!("/v1.0/actors/T/a/method/{method}");
        let mut told = Vec::new();
        for door in [&home, &far] {
            let asked = Ask::new(door, "POST", &path).body(body.clone()).told();
            told.push(soon(method, asked).await);
        }
        let [here, there] = <[_; 2]>::try_from(told).unwrap();
        assert_eq!(here.status, there.status, "{method} {body}");
        assert_eq!(here.headers, there.headers, "{method} {body}");
        assert_eq!(here.body, there.body, "{method} {body}");
    }
}

/// Counts, in steps of ten at most.
#[derive(Debug, Default)]
struct Counter {
    n: i64,
}

#[actor]
impl Counter {
    async fn add(&mut self, by: i64) -> ActorResult<i64> {
        if by > 10 {
            return Err(odeon_sdk::Error::failed("too much"));
        }
        self.n += by;
        Ok(self.n)
    }
}

// A program beside one host calls actors of all.
#[tokio::test]
async fn a_typed_call_goes_where_the_actor_lives() {
    let (_world, hosts) = cluster(&["a:1", "b:1"]).await;
    for host in &hosts {
        host.engine.offer(vec![odeon_sdk::spec::<Counter>()]).await.unwrap();
    }
    for number in 0..20 {
        let id = number.to_string();
        for (host, sum) in hosts.iter().zip([4, 8]) {
            let client = Client::embedded(host.engine.clone()).with_timeout(DEADLINE);
            let counter = client.actor::<Counter>(&id).unwrap();
            assert_eq!(soon("a sum", counter.add(4)).await.unwrap(), sum);
        }
        for host in &hosts {
            let counter = Client::embedded(host.engine.clone()).actor::<Counter>(&id).unwrap();
            let no = soon("a no", counter.add(11)).await.unwrap_err();
            assert_eq!((no.kind(), no.execution()), (Failed::AppFailed, Execution::Done));
            assert_eq!(no.to_string(), "too much", "in its own words, wherever it was said");
        }
    }
    let turns = |host: &Host| {
        let of = host.engine.metrics().into_iter().find(|of| of.actor_type.as_str() == "Counter");
        of.unwrap().turns_done
    };
    assert!(hosts.iter().all(|host| turns(host) > 0), "each has some");
}
