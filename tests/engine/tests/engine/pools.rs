//! PL-3: actors without state that run where they are called, in several copies.

use odeon_runtime::config::{Pool, TypeConfig};
use odeon_runtime::error::Error;
use odeon_test_engine::world::{actor, settle};
use odeon_test_engine::{Kind, World};

/// Where turns share an object, or there is none here.
const KINDS: [Kind; 4] = [Kind::Shared, Kind::Remote, Kind::Worker, Kind::App];

fn pool(max_per_host: u32, scale_at: u32) -> TypeConfig {
    let pool = Some(Pool { max_per_host, scale_at });
    TypeConfig { pool, stateless: true, ..TypeConfig::default() }
}

#[tokio::test(start_paused = true)]
async fn parallelism_reaches_its_limit_and_no_more() {
    for kind in KINDS {
        let world = World::of(kind);
        let host = world.host("a:1", kind, pool(3, 0)).await;
        let calls: Vec<_> = (0..10).map(|_| host.start("x", "hold", "")).collect();
        host.until_running(3).await;
        settle().await;
        let seen = host.metrics();
        assert_eq!((seen.running, seen.waiting), (3, 7), "{kind:?}");
        for done in 1..=10 {
            world.probe.let_go(1);
            settle().await;
            let left: usize = 10 - done;
            assert_eq!(host.metrics().running, left.min(3) as u64, "{kind:?}");
        }
        for call in calls {
            call.await.unwrap().unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_more_begins_when_enough_wait() {
    let world = World::of(Kind::Shared);
    let host = world.host("a:1", Kind::Shared, pool(4, 3)).await;
    host.call("x", "count", "").await.unwrap();
    let mut calls = Vec::new();
    for (number, running) in [(1, 1), (2, 1), (3, 1), (4, 1), (5, 2), (6, 3), (7, 4), (8, 4)] {
        calls.push(host.start("x", "hold", ""));
        settle().await;
        assert_eq!(host.metrics().running, running, "{number} calls");
    }
    world.probe.let_go(8);
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

// A call each 40 ms, turns of 100 ms, and never so few waiting that one turn is enough.
#[tokio::test(start_paused = true)]
async fn those_who_wait_are_not_overtaken() {
    let world = World::of(Kind::Shared);
    let host = world.host("a:1", Kind::Shared, pool(4, 2)).await;
    host.call("x", "count", "").await.unwrap();
    let order: Vec<_> = (100..130).map(|millis| format!("x sleep {millis}")).collect();
    let mut calls = Vec::new();
    for millis in 100..130 {
        calls.push(host.start("x", "sleep", &millis.to_string()));
        tokio::time::sleep(std::time::Duration::from_millis(40)).await;
    }
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let mut begun = world.probe.log();
    begun.retain(|line| line.starts_with("x sleep"));
    assert_eq!(begun, order);
}

#[tokio::test(start_paused = true)]
async fn calls_run_on_the_host_that_they_came_to() {
    let world = World::of_neighbours(Kind::Shared);
    let first = world.host("a:1", Kind::Shared, pool(2, 0)).await;
    let second = world.host("b:1", Kind::Shared, pool(2, 0)).await;
    let third = world.bare_host("c:1");
    settle().await;
    for host in [&first, &second] {
        for number in 0..20 {
            host.call(&number.to_string(), "count", "").await.unwrap();
        }
        assert_eq!(host.metrics().turns_done, 20, "{}", host.name);
    }
    assert_eq!(world.neighbours().sent(), []);
    // Who does not host the type sends them to somebody who does.
    third.call("1", "count", "").await.unwrap();
    assert_eq!(first.metrics().turns_done + second.metrics().turns_done, 41);
    // Another host that comes takes nothing away from who is there.
    let held = first.start("x", "hold", "");
    first.until_running(1).await;
    let fourth = world.host("d:1", Kind::Shared, pool(2, 0)).await;
    settle().await;
    assert_eq!(first.metrics().active, 21);
    world.probe.let_go(1);
    held.await.unwrap().unwrap();
    // One that leaves runs nothing any more, and loses no call.
    first.engine.leave(std::time::Duration::from_secs(30)).await.unwrap();
    first.call("1", "count", "").await.unwrap();
    assert_eq!(first.metrics().active, 0);
    drop(fourth);
}

#[tokio::test(start_paused = true)]
async fn it_has_no_state() {
    for kind in KINDS {
        let world = World::of(kind);
        let host = world.host("a:1", kind, pool(2, 0)).await;
        for (method, body) in [("set", "k=v"), ("get", "k")] {
            let refused = host.call("x", method, body).await.unwrap_err().to_string();
            assert!(refused.contains("'Actor' is stateless"), "{kind:?} {method}: {refused}");
        }
        // Nor has one that is not in memory.
        let (engine, other) = (&host.engine, actor("y"));
        let read = engine.read_state(&other, None, "k").await.map(drop);
        let listed = engine.list_state(&other, None, "", None, 10).await.map(drop);
        for refused in [read, listed] {
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains("'Actor' is stateless"), "{kind:?}: {refused}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn settings_that_contradict_each_other_are_refused() {
    let world = World::of(Kind::Native);
    let host = world.bare_host("a:1");
    for (kind, config, why) in [
        (Kind::Native, pool(2, 0), "take &mut self"),
        (Kind::Shared, TypeConfig { stateless: false, ..pool(2, 0) }, "keeps state"),
        (Kind::Shared, pool(0, 0), "maxPerHost is 0"),
        (Kind::Shared, TypeConfig { read_only: ["a".into()].into(), ..pool(2, 0) }, "other rules"),
    ] {
        let refused = host.try_offer(kind, config).await.unwrap_err();
        assert!(matches!(&refused, Error::Arguments(text) if text.contains(why)), "{refused}");
    }
    host.try_offer(Kind::Shared, pool(2, 0)).await.unwrap();
}
