//! OW-1: a call whose answer nobody waits for is taken once it is in the mailbox.

use std::time::Duration;

use odeon_base::Execution;
use odeon_runtime::config::{Reentrancy, TypeConfig};
use odeon_runtime::error::Error;
use odeon_runtime::{Awaits, Invocation};
use odeon_test_engine::world::{invocation, living_on, settle, until};
use odeon_test_engine::{Host, Kind, World, eventually, on_every_kind};

const LIMIT: Duration = Duration::from_secs(30);

on_every_kind!(
    it_is_taken_when_it_has_its_place_and_runs_in_its_order,
    what_stands_in_its_way_is_its_answer,
    what_fails_later_is_counted,
    a_turn_may_leave_a_call_for_its_own_actor,
    it_outlives_the_time_of_whoever_sent_it,
);

fn one_way(id: &str, method: &str, body: &str) -> Invocation {
    Invocation { awaits: Awaits::Place, ..invocation(id, method, body) }
}

async fn post(host: &Host, id: &str, method: &str, body: &str) {
    assert_eq!(host.invoke(one_way(id, method, body)).await.unwrap(), "");
}

async fn it_is_taken_when_it_has_its_place_and_runs_in_its_order(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    post(&host, "x", "hold", "").await;
    host.until_running(1).await;
    for number in 0..10 {
        post(&host, "x", "set", &format!("k={number}")).await;
    }
    assert_eq!(host.metrics().waiting, 10);
    let last = host.start("x", "get", "k");
    host.until_waiting(11).await;
    world.probe.let_go(1);
    assert_eq!(last.await.unwrap().unwrap(), "9");
    let order: Vec<String> = (0..10).map(|number| format!("x set k={number}")).collect();
    assert_eq!(world.probe.log()[2..12], order);
    world.assert_one_at_a_time();
}

async fn what_stands_in_its_way_is_its_answer(kind: Kind) {
    let world = World::of(kind);
    let config = TypeConfig { waiting_max: 1, ..TypeConfig::default() };
    let host = world.host("a:1", kind, config).await;
    post(&host, "x", "hold", "").await;
    host.until_running(1).await;
    post(&host, "x", "count", "").await;
    let full = host.invoke(one_way("x", "count", "")).await.unwrap_err();
    assert!(matches!(full, Error::MailboxFull { waiting: 1, .. }), "{full}");
    world.probe.let_go(1);
    let mut nobody = one_way("x", "count", "");
    nobody.actor = odeon_runtime::ActorRef::parse("Nobody", "x").unwrap();
    let unknown = host.invoke(nobody).await.unwrap_err();
    assert!(matches!(unknown, Error::NoHost { .. }), "{unknown}");
    assert_eq!(unknown.execution(), Execution::None);
}

async fn what_fails_later_is_counted(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    post(&host, "x", "fail", "").await;
    post(&host, "x", "count", "").await;
    eventually("both have run", || world.probe.count("x count") == 1).await;
    assert_eq!(host.metrics().one_way_failed, 1);
}

async fn a_turn_may_leave_a_call_for_its_own_actor(kind: Kind) {
    let mut all = vec![None];
    if kind.may_overlap() {
        all.push(Some(Reentrancy { stack_depth_max: 4 }));
    }
    for reentrancy in all {
        let world = World::of(kind);
        let config = TypeConfig { reentrancy, ..TypeConfig::default() };
        let host = world.host("a:1", kind, config).await;
        host.call("x", "post", "Actor/x/count/").await.unwrap();
        eventually("it has run", || world.probe.count("x count") == 1).await;
        assert_eq!(host.metrics().one_way_failed, 0);
        world.assert_one_at_a_time();
    }
}

async fn it_outlives_the_time_of_whoever_sent_it(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    post(&host, "x", "hold", "").await;
    host.until_running(1).await;
    let mut call = one_way("x", "count", "");
    call.deadline = Some(tokio::time::Instant::now() + Duration::from_millis(10));
    host.invoke(call).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    world.probe.let_go(1);
    eventually("it has run", || world.probe.count("x count") == 1).await;
}

#[tokio::test(start_paused = true)]
async fn it_is_taken_across_hosts_and_goes_along_when_its_actor_moves() {
    let world = World::of_neighbours(Kind::Native);
    let first = world.host("a:1", Kind::Native, TypeConfig::default()).await;
    let second = world.host("b:1", Kind::Native, TypeConfig::default()).await;
    settle().await;
    let id = living_on(&first, &second).await;
    post(&first, &id, "hold", "").await;
    second.until_running(1).await;
    post(&first, &id, "count", "").await;
    assert_eq!((first.metrics().waiting, second.metrics().waiting), (0, 1));
    let leaving = second.engine.clone();
    let left = async move { leaving.leave(LIMIT).await };
    let going = async {
        settle().await;
        world.probe.let_go(1);
    };
    let (left, ()) = tokio::join!(left, going);
    left.unwrap();
    let count = format!("{id} count");
    until("it has run at its next owner", || world.probe.count(&count) == 1).await;
    assert_eq!(first.call(&id, "count", "").await.unwrap(), "2");
    assert_eq!(second.metrics().one_way_failed + first.metrics().one_way_failed, 0);
}

// What was accepted runs; what this host has no room for is not accepted.
#[tokio::test(start_paused = true)]
async fn its_body_has_its_room_when_it_is_taken() {
    let world = World::of(Kind::Native);
    let clock = std::sync::Arc::new(odeon_base::clock::TokioClock::start());
    let host = world.host_with("a:1", clock, |config| config.waiting_bytes_max = 100);
    host.offer(Kind::Native, TypeConfig::default()).await;
    let body = "n".repeat(60);
    for _ in 0..2 {
        post(&host, "x", "hold", "").await;
        host.until_running(1).await;
        post(&host, "x", "count", &body).await;
        let full = host.invoke(one_way("x", "count", &body)).await.unwrap_err();
        assert!(matches!(full, Error::MailboxFull { .. }), "{full}");
        assert_eq!(host.metrics().waiting, 1, "its place is given up");
        world.probe.let_go(1);
        settle().await;
    }
    assert_eq!(world.probe.count(&format!("x count {body}")), 2);
    assert_eq!(host.metrics().one_way_failed, 0);
}

#[tokio::test(start_paused = true)]
async fn there_is_a_limit_to_what_is_on_its_way() {
    let world = World::of(Kind::Native);
    let clock = std::sync::Arc::new(odeon_base::clock::TokioClock::start());
    let host = world.host_with("a:1", clock, |config| config.one_way_max = 2);
    host.offer(Kind::Native, TypeConfig::default()).await;
    post(&host, "x", "hold", "").await;
    post(&host, "y", "hold", "").await;
    let full = host.invoke(one_way("z", "count", "")).await.unwrap_err();
    assert!(matches!(full, Error::MailboxFull { waiting: 2, .. }), "{full}");
    world.probe.let_go(2);
    settle().await;
    post(&host, "z", "count", "").await;
}
