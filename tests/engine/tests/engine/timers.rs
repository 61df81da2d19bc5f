//! Timers: set where the actor lives, fired as its turns, ended with it. TIM-1 to TIM-7, DEA-7.

use std::sync::Arc;
use std::time::Duration;

use odeon_base::clock::TokioClock;
use odeon_runtime::config::{Reentrancy, TurnPolicy, TypeConfig};
use odeon_runtime::error::Error;
use odeon_runtime::schedule::TimerSpec;
use odeon_runtime::timers::TIMERS_MAX;
use odeon_runtime::{CallKind, Compat, Invocation};
use odeon_test_engine::world::{actor, settle, until_known};
use odeon_test_engine::{Host, Kind, World, eventually, on_every_kind};
use tokio::time::{Instant, sleep};

on_every_kind!(
    tim_2_a_timer_fires_when_it_is_due_and_not_before,
    tim_2_it_fires_as_often_as_was_said,
    tim_2_what_says_no_time_is_refused,
    tim_3_a_long_callback_is_followed_by_no_burst,
    tim_4_a_failing_callback_does_not_end_it,
    tim_4_its_callback_may_end_it,
    tim_1_it_ends_with_its_activation_and_brings_nobody_back,
    tim_1_it_ends_when_its_turn_comes_too_late,
    dea_7_its_ticks_keep_the_actor_unless_they_are_not_to,
    the_same_name_replaces_and_a_dropped_one_is_gone,
    it_waits_for_its_turn_and_two_never_overlap,
    ticks_that_wait_come_in_the_order_of_their_times,
    it_is_set_from_a_turn_that_runs,
    there_may_be_so_many;
    ring:
    tim_1_it_stays_behind_when_its_actor_moves,
);

fn spec(due_time: &str, period: &str) -> TimerSpec {
    let (due_time, period) = (due_time.to_owned(), period.to_owned());
    TimerSpec { due_time, period, ..TimerSpec::default() }
}

fn timer(id: &str, name: &str, spec: TimerSpec, data: &str) -> Invocation {
    let kind = CallKind::SetTimer(spec.into());
    Invocation { kind, ..Invocation::new(actor(id), name, data.to_owned()) }
}

fn dropped(id: &str, name: &str) -> Invocation {
    Invocation { kind: CallKind::DropTimer, ..Invocation::new(actor(id), name, "") }
}

async fn started(kind: Kind) -> (World, Host) {
    with(kind, TypeConfig::default()).await
}

async fn with(kind: Kind, config: TypeConfig) -> (World, Host) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, config).await;
    (world, host)
}

async fn tim_2_a_timer_fires_when_it_is_due_and_not_before(kind: Kind) {
    let (world, host) = started(kind).await;
    host.invoke(timer("x", "count", spec("1s", ""), "7")).await.unwrap();
    sleep(Duration::from_millis(999)).await;
    settle().await;
    assert_eq!(world.probe.count("x count 7"), 0, "never early (TIM-5)");
    sleep(Duration::from_millis(3)).await;
    eventually("it fires", || world.probe.count("x count 7") == 1).await;
    sleep(Duration::from_secs(600)).await;
    assert_eq!(world.probe.count("x count 7"), 1, "once");
    assert_eq!(host.engine.timers(&actor("x")), []);
    // At once, for an actor that nobody has called.
    host.invoke(timer("y", "count", spec("", ""), "")).await.unwrap();
    eventually("it fires", || world.probe.count("y count") == 1).await;
    world.assert_one_at_a_time();
}

async fn tim_2_it_fires_as_often_as_was_said(kind: Kind) {
    let (world, host) = started(kind).await;
    host.invoke(timer("x", "count", spec("1s", "R3/PT2S"), "")).await.unwrap();
    let ended = TimerSpec { ttl: "3s".into(), ..spec("1s", "1s") };
    host.invoke(timer("y", "count", ended, "")).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    settle().await;
    assert_eq!(world.probe.count("x count"), 3);
    assert_eq!(world.probe.count("y count"), 3, "its end included");
}

async fn tim_2_what_says_no_time_is_refused(kind: Kind) {
    let (world, host) = started(kind).await;
    for (spec, field) in [(spec("-1s", ""), "dueTime"), (spec("1s", "0s"), "period")] {
        let refused = host.invoke(timer("x", "count", spec, "")).await.unwrap_err();
        assert!(matches!(&refused, Error::Arguments(why) if why.starts_with(field)), "{refused}");
    }
    sleep(Duration::from_secs(60)).await;
    assert_eq!(world.probe.count("x count"), 0);
}

async fn tim_3_a_long_callback_is_followed_by_no_burst(kind: Kind) {
    let (world, host) = started(kind).await;
    host.invoke(timer("x", "sleep", spec("", "R3/PT1S"), "3500")).await.unwrap();
    let began = Instant::now();
    let mut at = Vec::new();
    for n in 1..=3 {
        eventually_after(&world, "x sleep 3500", n).await;
        at.push(began.elapsed().as_secs());
    }
    assert_eq!(at, [0, 4, 8], "on the grid, and none of the three is used up meanwhile");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(world.probe.count("x sleep 3500"), 3);
}

/// Waits, while time passes, until something has happened so often.
async fn eventually_after(world: &World, what: &str, times: usize) {
    for _ in 0..6_000 {
        if world.probe.count(what) >= times {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} {times} times: {:?}", world.probe.log());
}

async fn tim_4_a_failing_callback_does_not_end_it(kind: Kind) {
    let (world, host) = started(kind).await;
    host.invoke(timer("x", "fail", spec("1s", "R3/PT1S"), "")).await.unwrap();
    sleep(Duration::from_secs(10)).await;
    settle().await;
    assert_eq!(world.probe.count("x fail"), 3, "a failed one counts");
    // As one does that the actor refuses in its turn.
    host.invoke(timer("y", "unknown", spec("1s", "R3/PT1S"), "")).await.unwrap();
    sleep(Duration::from_secs(10)).await;
    settle().await;
    assert_eq!(world.probe.count("y unknown"), 3);
    assert_eq!(host.engine.timers(&actor("y")), []);
}

async fn tim_4_its_callback_may_end_it(kind: Kind) {
    let (world, host) = started(kind).await;
    host.invoke(timer("x", "last", spec("1s", "1s"), "")).await.unwrap();
    sleep(Duration::from_secs(10)).await;
    settle().await;
    assert_eq!(world.probe.count("x last"), 1);
    assert_eq!(host.engine.timers(&actor("x")), []);
}

async fn by_dapr_s_ways() -> (World, Host) {
    let world = World::of(Kind::Native);
    let clock = Arc::new(TokioClock::start());
    let host = world.host_with("a:1", clock, |config| config.compat = Compat::Dapr);
    host.offer(Kind::Native, TypeConfig::default()).await;
    (world, host)
}

// TIM-3, its other side.
#[tokio::test(start_paused = true)]
async fn under_dapr_s_ways_a_long_callback_is_followed_by_what_was_missed() {
    let (world, host) = by_dapr_s_ways().await;
    host.invoke(timer("x", "sleep", spec("", "R4/PT1S"), "3500")).await.unwrap();
    let began = Instant::now();
    let mut at = Vec::new();
    for n in 1..=4 {
        eventually_after(&world, "x sleep 3500", n).await;
        at.push(began.elapsed().as_millis() / 100);
    }
    assert_eq!(at, [0, 35, 70, 105], "one at a time, with no pause between them");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(world.probe.count("x sleep 3500"), 4, "each counts");
    // What ended in its time has missed nothing, and waits for its own.
    host.invoke(timer("y", "sleep", spec("", "R3/PT1S"), "900")).await.unwrap();
    sleep(Duration::from_millis(1_950)).await;
    assert_eq!(world.probe.count("y sleep 900"), 2);
    world.assert_one_at_a_time();
}

// A tick that nobody takes is not made up for, or it would fail on and on.
#[tokio::test(start_paused = true)]
async fn under_dapr_s_ways_too_its_ticks_end_with_its_activation() {
    let (world, host) = by_dapr_s_ways().await;
    host.invoke(timer("x", "sleep", spec("", "1s"), "3500")).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    assert!(host.engine.deactivate(&actor("x")).await);
    let ticks = world.probe.count("x sleep 3500");
    sleep(Duration::from_secs(60)).await;
    settle().await;
    assert_eq!(world.probe.count("x sleep 3500"), ticks);
    assert_eq!(host.metrics().active, 0);
}

#[tokio::test(start_paused = true)]
async fn under_dapr_s_ways_its_callback_cannot_end_it() {
    let (world, host) = by_dapr_s_ways().await;
    host.invoke(timer("x", "last", spec("1s", "R3/PT1S"), "")).await.unwrap();
    sleep(Duration::from_secs(10)).await;
    settle().await;
    assert_eq!(world.probe.count("x last"), 3);
    assert_eq!(host.engine.timers(&actor("x")), []);
}

async fn tim_1_it_ends_with_its_activation_and_brings_nobody_back(kind: Kind) {
    let (world, host) = started(kind).await;
    host.call("x", "count", "").await.unwrap();
    host.invoke(timer("x", "count", spec("1s", "1s"), "7")).await.unwrap();
    assert_eq!(host.engine.timers(&actor("x")).len(), 1);
    assert!(host.engine.deactivate(&actor("x")).await);
    sleep(Duration::from_secs(60)).await;
    settle().await;
    assert_eq!(world.probe.count("x count 7"), 0);
    assert_eq!(host.metrics().active, 0, "no re-activation");
    // Nor does the next life have it.
    host.call("x", "count", "").await.unwrap();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(world.probe.count("x count 7"), 0);
}

async fn tim_1_it_ends_when_its_turn_comes_too_late(kind: Kind) {
    let (world, host) = started(kind).await;
    let running = host.start("x", "hold", "");
    host.until_running(1).await;
    host.invoke(timer("x", "count", spec("1s", ""), "7")).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    host.until_waiting(1).await;
    let engine = host.engine.clone();
    let ended = async { engine.deactivate(&actor("x")).await };
    let (was_active, ()) = tokio::join!(ended, async {
        settle().await;
        world.probe.let_go(1);
    });
    assert!(was_active);
    running.await.unwrap().unwrap();
    sleep(Duration::from_secs(60)).await;
    settle().await;
    assert_eq!(world.probe.count("x count 7"), 0);
    assert_eq!(world.probe.count("x hello"), 1, "no re-activation");
    assert_eq!(host.metrics().active, 0);
}

async fn tim_1_it_stays_behind_when_its_actor_moves(kind: Kind) {
    let world = World::of_neighbours(kind);
    let first = world.host("a:1", kind, TypeConfig::default()).await;
    for id in ["x", "y", "z", "v", "w"] {
        first.invoke(timer(id, "count", spec("30s", "1s"), "7")).await.unwrap();
    }
    let second = world.host("b:1", kind, TypeConfig::default()).await;
    until_known(&[first.clone(), second.clone()]).await;
    settle().await;
    sleep(Duration::from_secs(45)).await;
    settle().await;
    let ticking = |id: &str| world.probe.count(&format!("{id} count 7")) > 0;
    let stayed: Vec<_> = ["x", "y", "z", "v", "w"].into_iter().filter(|id| ticking(id)).collect();
    let owned = |host: &Host, id: &str| host.engine.timers(&actor(id)).len() == 1;
    assert!(stayed.iter().all(|id| owned(&first, id)), "only where nothing moved: {stayed:?}");
    assert!(!stayed.is_empty() && stayed.len() < 5, "{stayed:?}");
    // TIM-6: from whichever host, it is set where the actor lives, and dropped there.
    for (n, id) in ["x", "y", "z", "v", "w"].into_iter().enumerate() {
        let near = [&first, &second][n % 2];
        near.invoke(timer(id, "count", spec("10s", ""), "4")).await.unwrap();
        near.invoke(timer(id, "count2", spec("10s", ""), "5")).await.unwrap();
        near.invoke(dropped(id, "count2")).await.unwrap();
        let there: usize =
            [&first, &second].map(|host| host.engine.timers(&actor(id)).len()).iter().sum();
        assert_eq!(there, 1, "{id}");
    }
    sleep(Duration::from_secs(20)).await;
    settle().await;
    for id in ["x", "y", "z", "v", "w"] {
        assert_eq!(world.probe.count(&format!("{id} count 4")), 1, "{id}");
    }
}

async fn dea_7_its_ticks_keep_the_actor_unless_they_are_not_to(kind: Kind) {
    let config = TypeConfig { idle_timeout: Duration::from_secs(10), ..TypeConfig::default() };
    let (world, host) = with(kind, config).await;
    host.invoke(timer("x", "count", spec("5s", "5s"), "7")).await.unwrap();
    let quiet = TimerSpec { keep_alive: false, ..spec("4s", "4s") };
    host.invoke(timer("y", "count", quiet, "7")).await.unwrap();
    sleep(Duration::from_secs(100)).await;
    settle().await;
    assert!(world.probe.count("x count 7") >= 19);
    let ticks = world.probe.count("y count 7");
    assert!((2..=4).contains(&ticks), "it went idle all the same: {ticks}");
    assert_eq!(host.metrics().active, 1);
}

// DEA-7: what a tick does not count for, a call beside it does.
#[tokio::test(start_paused = true)]
async fn a_call_beside_a_quiet_tick_is_a_use_of_the_actor() {
    let turns = TurnPolicy::Concurrent { max: 8 };
    let idle_timeout = Duration::from_secs(10);
    let config = TypeConfig { turns, idle_timeout, ..TypeConfig::default() };
    let (world, host) = with(Kind::Shared, config).await;
    for (name, due_time) in [("sleep", "1s"), ("hold", "2s")] {
        let quiet = TimerSpec { keep_alive: false, ..spec(due_time, "") };
        host.invoke(timer("x", name, quiet, "7000")).await.unwrap();
    }
    sleep(Duration::from_millis(7_500)).await;
    host.call("x", "count", "").await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.probe.count("x slept"), 1);
    world.probe.let_go(1);
    sleep(Duration::from_secs(7)).await;
    assert_eq!(host.metrics().active, 1, "used 8 seconds ago");
    sleep(Duration::from_secs(5)).await;
    settle().await;
    assert_eq!(host.metrics().active, 0);
}

async fn the_same_name_replaces_and_a_dropped_one_is_gone(kind: Kind) {
    let (world, host) = started(kind).await;
    host.invoke(timer("x", "count", spec("1s", ""), "1")).await.unwrap();
    host.invoke(timer("x", "count", spec("2s", ""), "2")).await.unwrap();
    assert_eq!(host.engine.timers(&actor("x")).len(), 1);
    sleep(Duration::from_secs(10)).await;
    settle().await;
    assert_eq!((world.probe.count("x count 1"), world.probe.count("x count 2")), (0, 1));
    host.invoke(timer("x", "count", spec("1s", "1s"), "3")).await.unwrap();
    host.invoke(dropped("x", "count")).await.unwrap();
    host.invoke(dropped("x", "count")).await.unwrap();
    host.invoke(dropped("nobody", "count")).await.unwrap();
    sleep(Duration::from_secs(10)).await;
    settle().await;
    assert_eq!(world.probe.count("x count 3"), 0);
    assert_eq!(host.metrics().active, 1, "dropping activates nobody");
}

async fn it_waits_for_its_turn_and_two_never_overlap(kind: Kind) {
    let (world, host) = started(kind).await;
    let running = host.start("x", "hold", "");
    host.until_running(1).await;
    for name in ["count", "get"] {
        host.invoke(timer("x", name, spec("1s", ""), "")).await.unwrap();
    }
    sleep(Duration::from_secs(5)).await;
    host.until_waiting(2).await;
    // One that is dropped while it waits does not fire.
    host.invoke(dropped("x", "get")).await.unwrap();
    world.probe.let_go(1);
    running.await.unwrap().unwrap();
    eventually("it fires", || world.probe.count("x count") == 1).await;
    settle().await;
    assert_eq!(world.probe.count("x get"), 0);
    world.assert_one_at_a_time();
}

async fn ticks_that_wait_come_in_the_order_of_their_times(kind: Kind) {
    let (world, host) = started(kind).await;
    let running = host.start("x", "hold", "");
    host.until_running(1).await;
    for (name, due_time) in [("count", "3s"), ("get", "2s"), ("set", "2s"), ("sleep", "1s")] {
        host.invoke(timer("x", name, spec(due_time, ""), "1")).await.unwrap();
    }
    sleep(Duration::from_secs(5)).await;
    host.until_waiting(4).await;
    // The one that takes the place of another while that waits has its own time.
    host.invoke(timer("x", "set", spec("1h", ""), "1")).await.unwrap();
    world.probe.let_go(1);
    running.await.unwrap().unwrap();
    eventually_after(&world, "x count 1", 1).await;
    assert_eq!(
        world.probe.log()[2..],
        ["x sleep 1", "x slept", "x get 1", "x count 1"],
        "and none that was replaced"
    );
    assert_eq!(host.engine.timers(&actor("x")).len(), 1);
}

async fn it_is_set_from_a_turn_that_runs(kind: Kind) {
    let (world, host) = started(kind).await;
    let running = host.start("x", "hold", "");
    host.until_running(1).await;
    // As an application does that calls its host from inside the method.
    let set = host.invoke(timer("x", "count", spec("1s", ""), "7"));
    tokio::time::timeout(Duration::from_millis(1), set).await.unwrap().unwrap();
    world.probe.let_go(1);
    running.await.unwrap().unwrap();
    sleep(Duration::from_secs(2)).await;
    eventually("it fires", || world.probe.count("x count 7") == 1).await;
}

async fn there_may_be_so_many(kind: Kind) {
    let (_world, host) = started(kind).await;
    for n in 0..TIMERS_MAX {
        host.invoke(timer("x", &n.to_string(), spec("1h", ""), "")).await.unwrap();
    }
    let refused = host.invoke(timer("x", "more", spec("1h", ""), "")).await.unwrap_err();
    assert!(refused.to_string().contains("has 1000 timers, the limit"), "{refused}");
    host.invoke(timer("x", "7", spec("2h", ""), "")).await.unwrap();
    host.invoke(timer("y", "more", spec("1h", ""), "")).await.unwrap();
}

// REE-3: a tick carries an id, so that what it calls may call it back.
#[tokio::test(start_paused = true)]
async fn a_tick_of_a_reentrant_actor_may_be_called_back() {
    for kind in [Kind::Shared, Kind::Remote] {
        let reentrancy = Some(Reentrancy { stack_depth_max: 8 });
        let (world, host) = with(kind, TypeConfig { reentrancy, ..TypeConfig::default() }).await;
        let call = "Actor/y/nest/Actor/x/count/back";
        host.invoke(timer("x", "nest", spec("1s", ""), call)).await.unwrap();
        sleep(Duration::from_secs(5)).await;
        settle().await;
        assert_eq!(world.probe.count("x count back"), 1, "{kind:?}: {:?}", world.probe.log());
    }
}
