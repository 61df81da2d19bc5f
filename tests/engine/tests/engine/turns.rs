//! Turns: order, limits, ends, cancellation. Every test runs on every kind of actor.

use std::time::Duration;

use odeon_base::Execution;
use odeon_runtime::Compat;
use odeon_runtime::config::{Reentrancy, TurnPolicy, TypeConfig};
use odeon_runtime::error::Error;
use odeon_runtime::invocation::CallChain;
use odeon_test_engine::world::{actor, execution, invocation, settle};
use odeon_test_engine::{Kind, World, eventually, on_every_kind};

on_every_kind!(
    calls_run_one_at_a_time_in_their_order,
    ten_thousand_callers_share_one_activation,
    too_many_waiting_calls_are_refused_at_once,
    too_many_waiting_bytes_are_refused_at_once,
    a_waiting_caller_leaves_from_any_place,
    the_turn_runs_on_when_its_caller_leaves,
    the_slot_is_kept_until_the_application_answers,
    a_deadline_that_passes_in_the_queue_begins_nothing,
    a_deadline_that_passes_in_the_turn_leaves_it_running,
    a_call_that_comes_too_late_is_not_begun,
    an_application_error_is_passed_on,
    a_panic_ends_its_own_turn_and_memory,
    a_call_cycle_is_refused_at_once,
    a_call_cycle_is_allowed_where_it_is_not_looked_for,
    a_turn_over_its_limit_is_told_goodbye_before_the_next_life,
    turns_of_the_whole_type_are_limited,
    a_call_that_waits_for_the_type_leaves_in_time,
    metrics_count_what_happened,
);

// TURN-1, TURN-2.
async fn calls_run_one_at_a_time_in_their_order(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    let first = host.start("x", "hold", "");
    host.until_running(1).await;
    let mut calls = Vec::new();
    for number in 0..50 {
        calls.push(host.start("x", "set", &format!("k={number}")));
        host.until_waiting(number + 1).await;
    }
    world.probe.let_go(1);
    assert_eq!(first.await.unwrap().unwrap(), "held");
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let order: Vec<String> = (0..50).map(|number| format!("x set k={number}")).collect();
    assert_eq!(world.probe.log()[2..], order);
    world.assert_one_at_a_time();
}

// ACT-1.
async fn ten_thousand_callers_share_one_activation(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    let calls: Vec<_> = (0..10_000).map(|_| host.start("x", "count", "")).collect();
    let mut counts = Vec::new();
    for call in calls {
        counts.push(call.await.unwrap().unwrap().parse::<u32>().unwrap());
    }
    counts.sort_unstable();
    assert!(counts.iter().copied().eq(1..=10_000), "one memory saw them all");
    assert_eq!(world.probe.count("x hello"), 1);
    assert_eq!(host.metrics().activations, 1);
    world.assert_one_at_a_time();
}

// TURN-6.
async fn too_many_waiting_calls_are_refused_at_once(kind: Kind) {
    let world = World::of(kind);
    let config = TypeConfig { waiting_max: 2, ..TypeConfig::default() };
    let host = world.host("a:1", kind, config).await;
    let running = host.start("x", "hold", "");
    host.until_running(1).await;
    let waiting = [host.start("x", "count", ""), host.start("x", "count", "")];
    host.until_waiting(2).await;
    let refused = host.call("x", "count", "").await;
    assert!(matches!(refused, Err(Error::MailboxFull { waiting: 2, .. })), "{refused:?}");
    assert_eq!(execution(&refused), Some(Execution::None));
    assert_eq!(host.call("y", "count", "").await.unwrap(), "1", "another actor has its own");
    assert_eq!(host.metrics().refused, 1);
    world.probe.let_go(1);
    running.await.unwrap().unwrap();
    for call in waiting {
        call.await.unwrap().unwrap();
    }
}

// TURN-6.
async fn too_many_waiting_bytes_are_refused_at_once(kind: Kind) {
    let world = World::of(kind);
    let config = TypeConfig { waiting_bytes_max: 10, ..TypeConfig::default() };
    let clock = std::sync::Arc::new(odeon_base::clock::TokioClock::start());
    let host = world.host_with("a:1", clock, |config| config.waiting_bytes_max = 15);
    host.offer(kind, config).await;
    let (x, y) = (host.start("x", "hold", ""), host.start("y", "hold", ""));
    host.until_running(2).await;
    let waiting = host.start("x", "get", "12345678");
    host.until_waiting(1).await;
    for (id, body) in [("x", "123"), ("y", "12345678")] {
        let refused = host.call(id, "get", body).await;
        assert!(matches!(refused, Err(Error::MailboxFull { .. })), "{id}: {refused:?}");
    }
    assert_eq!(host.metrics().refused, 2);
    world.probe.let_go(2);
    for call in [x, y, waiting] {
        call.await.unwrap().unwrap();
    }
    let again = host.start("y", "hold", "");
    host.until_running(1).await;
    let waiting = host.start("y", "get", "1234567890");
    host.until_waiting(1).await;
    world.probe.let_go(1);
    again.await.unwrap().unwrap();
    waiting.await.unwrap().unwrap();
}

// TURN-3.
async fn a_waiting_caller_leaves_from_any_place(kind: Kind) {
    for place in 0..5 {
        let world = World::of(kind);
        let host = world.host("a:1", kind, TypeConfig::default()).await;
        let running = host.start("x", "hold", "");
        host.until_running(1).await;
        let mut calls = Vec::new();
        for number in 0..5 {
            calls.push(host.start("x", "get", &number.to_string()));
            host.until_waiting(number + 1).await;
        }
        calls.remove(place).abort();
        host.until_waiting(4).await;
        assert_eq!(host.metrics().running, 1, "nobody was let in beside the running turn");
        world.probe.let_go(1);
        running.await.unwrap().unwrap();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        let stayed = (0..5).filter(|number| *number != place);
        let order: Vec<String> = stayed.map(|number| format!("x get {number}")).collect();
        assert_eq!(world.probe.log()[2..], order);
        world.assert_one_at_a_time();
    }
}

// O7.
async fn the_turn_runs_on_when_its_caller_leaves(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    let call = host.start("x", "hold-set", "k=v");
    host.until_running(1).await;
    settle().await;
    call.abort();
    settle().await;
    assert_eq!(host.metrics().running, 1);
    world.probe.let_go(1);
    assert_eq!(host.call("x", "get", "k").await.unwrap(), "v", "not half a turn");
    assert_eq!(host.metrics().turns_done, 2);
}

// TURN-4.
async fn the_slot_is_kept_until_the_application_answers(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    let begun = tokio::time::Instant::now();
    let call = host.start("x", "sleep", "1000");
    host.until_running(1).await;
    settle().await;
    call.abort();
    host.call("x", "count", "").await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(world.probe.log()[1..], ["x sleep 1000", "x slept", "x count"]);
    world.assert_one_at_a_time();
}

// TURN-7.
async fn a_deadline_that_passes_in_the_queue_begins_nothing(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    let running = host.start("x", "hold", "");
    host.until_running(1).await;
    let late = host.call_within(Duration::from_millis(100), "x", "count", "").await;
    assert!(matches!(late, Err(Error::QueueTimeout { .. })), "{late:?}");
    assert_eq!(execution(&late), Some(Execution::None));
    world.probe.let_go(1);
    running.await.unwrap().unwrap();
    settle().await;
    assert_eq!(world.probe.count("x count"), 0);
}

// TURN-7, O7.
async fn a_deadline_that_passes_in_the_turn_leaves_it_running(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    let late = host.call_within(Duration::from_millis(100), "x", "sleep", "1000").await;
    assert!(matches!(late, Err(Error::TurnTimeout { .. })), "{late:?}");
    assert_eq!(execution(&late), Some(Execution::Maybe));
    host.call("x", "count", "").await.unwrap();
    assert_eq!(world.probe.log()[1..], ["x sleep 1000", "x slept", "x count"]);
}

// TURN-7: its time was up before it came, or in the very moment its turn came.
async fn a_call_that_comes_too_late_is_not_begun(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    let late = host.call_within(Duration::ZERO, "x", "count", "").await;
    assert!(matches!(late, Err(Error::QueueTimeout { .. })), "{late:?}");
    let running = host.start("x", "sleep", "100");
    host.until_running(1).await;
    let late = host.call_within(Duration::from_millis(100), "x", "count", "").await;
    assert_eq!(execution(&late), Some(Execution::None), "{late:?}");
    running.await.unwrap().unwrap();
    settle().await;
    assert_eq!(world.probe.count("x count"), 0);
}

async fn an_application_error_is_passed_on(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    assert_eq!(host.call("x", "count", "").await.unwrap(), "1");
    let failed = host.call("x", "fail", "").await;
    assert!(matches!(failed, Err(Error::App(_))), "{failed:?}");
    assert_eq!(execution(&failed), Some(Execution::Done));
    assert_eq!(host.call("x", "count", "").await.unwrap(), "2", "its memory is kept");
}

// TURN-9. In another process a panic is the channel's to notice, and the app's to outlive.
async fn a_panic_ends_its_own_turn_and_memory(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    host.call("x", "count", "").await.unwrap();
    host.call("y", "count", "").await.unwrap();
    let running = host.start("x", "hold", "");
    host.until_running(1).await;
    let panics = host.start("x", "panic", "");
    host.until_waiting(1).await;
    let after = host.start("x", "count", "");
    host.until_waiting(2).await;
    world.probe.let_go(1);
    running.await.unwrap().unwrap();
    let panicked = panics.await.unwrap();
    assert_eq!(execution(&panicked), Some(kind.execution_of_a_panic()), "{panicked:?}");
    let expected = if kind.is_elsewhere() { "3" } else { "1" };
    assert_eq!(after.await.unwrap().unwrap(), expected, "a new life, after the old one");
    assert_eq!(host.call("y", "count", "").await.unwrap(), "2", "nobody else's");
}

// REE-4.
async fn a_call_cycle_is_refused_at_once(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    let cycle = host.call("x", "nest", "Actor/y/nest/Actor/x/count").await;
    let Err(Error::App(failure)) = &cycle else { unreachable!("{cycle:?}") };
    assert!(failure.message.contains("call cycle: actor 'Actor||x'"), "{failure:?}");
    assert_eq!(execution(&cycle), Some(Execution::Done), "only the innermost did not begin");
    let straight = host.call("x", "nest", "Actor/y/nest/Actor/z/count").await;
    assert_eq!(straight.unwrap(), "1");
}

// REE-4, ACT-2: there is no memory yet that the call could join.
#[tokio::test(start_paused = true)]
async fn a_call_cycle_in_an_activation_is_refused_at_once() {
    for kind in [Kind::Native, Kind::Shared, Kind::Remote, Kind::System, Kind::Placed] {
        call_in_a_circle_from_an_activation(kind).await;
    }
}

async fn call_in_a_circle_from_an_activation(kind: Kind) {
    let world = World::of(kind);
    let reentrancy = kind.may_overlap().then_some(Reentrancy { stack_depth_max: 32 });
    let config = TypeConfig { reentrancy, ..TypeConfig::default() };
    let host = world.host("a:1", kind, config).await;
    for errand in ["Actor/x/count/", "Actor/y/nest/Actor/x/count/"] {
        world.probe.send_on_an_errand(errand);
        let refused = host.call_within(Duration::from_secs(1), "x", "count", "").await;
        let is_cycle = matches!(&refused, Err(error) if error.to_string().contains("call cycle"));
        assert!(is_cycle, "{errand}: {refused:?}");
        assert_eq!(world.probe.count("x count"), 0);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(host.call("x", "count", "").await.unwrap(), "1", "nothing is left of it");
    // A call of anybody else is no cycle.
    world.probe.send_on_an_errand("Actor/z/count/");
    assert_eq!(host.call("w", "count", "").await.unwrap(), "1");
}

// REE-4: opt-out per type.
async fn a_call_cycle_is_allowed_where_it_is_not_looked_for(kind: Kind) {
    let unlooked = TypeConfig { detect_cycles: false, ..TypeConfig::default() };
    for config in [unlooked, TypeConfig::under(Compat::Dapr)] {
        let world = World::of(kind);
        let host = world.host("a:1", kind, config).await;
        let limit = Duration::from_secs(1);
        let cycle = host.call_within(limit, "x", "nest", "Actor/x/count").await;
        assert!(execution(&cycle).is_some_and(|it| it != Execution::None), "{cycle:?}");
    }
}

// TURN-5.
async fn a_turn_over_its_limit_is_told_goodbye_before_the_next_life(kind: Kind) {
    let world = World::of(kind);
    let config = TypeConfig { turn_max: Some(Duration::from_secs(1)), ..TypeConfig::default() };
    let host = world.host("a:1", kind, config).await;
    host.call("x", "count", "").await.unwrap();
    let long = host.start("x", "hold-set", "k=v");
    host.until_running(1).await;
    let next = host.start("x", "count", "");
    host.until_waiting(1).await;
    let cut = long.await.unwrap();
    assert!(matches!(cut, Err(Error::TurnTooLong { .. })), "{cut:?}");
    assert_eq!(execution(&cut), Some(Execution::Maybe));
    settle().await;
    if kind.is_elsewhere() {
        assert_eq!(world.probe.running(), ["x"], "code in another process runs on");
        world.probe.let_go(1);
    }
    assert_eq!(next.await.unwrap().unwrap(), "1", "a new life");
    assert_eq!(host.call("x", "get", "k").await.unwrap(), "", "the old one writes no more");
    world.assert_one_at_a_time();
    let log = world.probe.log();
    let position = |what: &str| log.iter().rposition(|entry| entry == what);
    if kind.is_elsewhere() {
        assert!(position("x bye") > position("x hold-set k=v"), "{log:?}");
        assert!(position("x bye") < position("x count"), "{log:?}");
    }
    assert_eq!(world.probe.count("x hello"), 2);
}

// TURN-8.
async fn turns_of_the_whole_type_are_limited(kind: Kind) {
    let world = World::of(kind);
    let config = TypeConfig { turns_max: Some(2), ..TypeConfig::default() };
    let host = world.host("a:1", kind, config).await;
    let calls: Vec<_> = (0..5).map(|number| host.start(&number.to_string(), "hold", "")).collect();
    settle().await;
    assert_eq!(world.probe.running().len(), 2);
    world.probe.let_go(5);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    // A turn that runs may wait for a nested one: that one is let through.
    let calls =
        [host.start("x", "nest", "Actor/u/count"), host.start("y", "nest", "Actor/v/count")];
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

// TURN-7 beside TURN-8: it never began, and says so.
async fn a_call_that_waits_for_the_type_leaves_in_time(kind: Kind) {
    let world = World::of(kind);
    let config = TypeConfig { turns_max: Some(1), ..TypeConfig::default() };
    let host = world.host("a:1", kind, config).await;
    let running = host.start("x", "hold", "");
    eventually("x runs", || world.probe.running() == ["x"]).await;
    let late = host.call_within(Duration::from_millis(100), "y", "count", "").await;
    assert_eq!(execution(&late), Some(Execution::None), "{late:?}");
    world.probe.let_go(1);
    running.await.unwrap().unwrap();
    settle().await;
    assert_eq!(world.probe.count("y count"), 0);
    assert_eq!(host.call("y", "count", "").await.unwrap(), "1");
}

// TURN-10.
async fn metrics_count_what_happened(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    let running = host.start("x", "hold", "");
    host.until_running(1).await;
    let waiting = host.start("x", "fail", "");
    host.until_waiting(1).await;
    tokio::time::advance(Duration::from_millis(300)).await;
    let seen = host.metrics();
    assert_eq!((seen.active, seen.waiting, seen.running), (1, 1, 1));
    assert_eq!(seen.oldest_waiter, Duration::from_millis(300));
    world.probe.let_go(1);
    running.await.unwrap().unwrap();
    waiting.await.unwrap().unwrap_err();
    assert!(host.engine.deactivate(&actor("x")).await);
    let seen = host.metrics();
    assert_eq!((seen.active, seen.waiting, seen.running), (0, 0, 0));
    assert_eq!((seen.turns_done, seen.turns_failed, seen.turns_cut), (1, 1, 0));
    assert_eq!((seen.activations, seen.deactivations), (1, 1));
    assert_eq!(seen.turn.counts.iter().sum::<u64>(), 2);
    assert_eq!(seen.wait.counts.iter().sum::<u64>(), 2);
    assert_eq!(seen.wait.sum, Duration::from_millis(300));
    assert_eq!(seen.turn.sum, Duration::from_millis(300));
}

/// Reentrancy needs an object that turns may share.
fn reentrant(stack_depth_max: u32) -> TypeConfig {
    TypeConfig { reentrancy: Some(Reentrancy { stack_depth_max }), ..TypeConfig::default() }
}

// REE-1.
#[tokio::test(start_paused = true)]
async fn a_chain_joins_its_own_turn_directly_and_through_others() {
    for kind in [Kind::Shared, Kind::Remote, Kind::Worker, Kind::App] {
        let world = World::of(kind);
        let host = world.host("a:1", kind, reentrant(32)).await;
        for path in ["Actor/x/count", "Actor/y/nest/Actor/x/count"] {
            host.call("x", "nest", path).await.unwrap();
        }
        assert_eq!(host.call("x", "count", "").await.unwrap(), "3", "{kind:?}");
    }
}

// REE-1, REE-2.
#[tokio::test(start_paused = true)]
async fn depth_is_limited_and_restored() {
    for kind in [Kind::Shared, Kind::Remote, Kind::Worker, Kind::App] {
        let world = World::of(kind);
        let host = world.host("a:1", kind, reentrant(3)).await;
        let path = |depth: usize| format!("{}Actor/x/count", "Actor/x/nest/".repeat(depth));
        assert_eq!(host.call("x", "nest", &path(1)).await.unwrap(), "1");
        for _ in 0..1_000 {
            let deep = host.call("x", "nest", &path(2)).await;
            let Err(Error::App(failure)) = &deep else { unreachable!("{deep:?}") };
            assert!(failure.message.ends_with("maximum stack depth exceeded"), "{failure:?}");
        }
        assert_eq!(host.call("x", "nest", &path(1)).await.unwrap(), "2");
        assert_eq!(host.metrics().running, 0);
    }
}

// REE-1: another chain waits for the whole of the first.
#[tokio::test(start_paused = true)]
async fn another_chain_waits_while_one_interleaves_with_itself() {
    for kind in [Kind::Shared, Kind::Remote, Kind::Worker, Kind::App] {
        let world = World::of(kind);
        let host = world.host("a:1", kind, reentrant(32)).await;
        let chain = CallChain::new(&[], Some("f".into()));
        let calls = ["a", "b"].map(|_| {
            let mut call = invocation("x", "hold", "");
            call.chain = chain.clone();
            let host = host.clone();
            async move { host.invoke(call).await }
        });
        let [first, second] = calls;
        let both = async { tokio::join!(first, second) };
        let other = async {
            eventually("both run", || host.metrics().running == 2).await;
            let other = host.start("x", "count", "");
            host.until_waiting(1).await;
            world.probe.let_go(2);
            other.await.unwrap().unwrap()
        };
        let (_, counted) = tokio::join!(both, other);
        assert_eq!(counted, "3");
    }
}

#[tokio::test(start_paused = true)]
async fn a_type_whose_turns_cannot_overlap_is_refused_as_reentrant() {
    let world = World::default();
    let host = world.bare_host("a:1");
    for config in [
        reentrant(32),
        TypeConfig { turns: TurnPolicy::Concurrent { max: 2 }, ..TypeConfig::default() },
    ] {
        let refused = host.try_offer(Kind::Native, config).await;
        assert!(matches!(refused, Err(Error::Arguments(_))), "{refused:?}");
    }
}

// The policy of system actors: interleaved up to a limit.
#[tokio::test(start_paused = true)]
async fn concurrent_turns_interleave_up_to_their_limit() {
    let world = World::default();
    let turns = TurnPolicy::Concurrent { max: 3 };
    let host = world.host("a:1", Kind::Shared, TypeConfig { turns, ..TypeConfig::default() }).await;
    let calls: Vec<_> = (0..5).map(|_| host.start("x", "hold", "")).collect();
    host.until_waiting(2).await;
    assert_eq!(host.metrics().running, 3);
    world.probe.let_go(5);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(world.probe.count("x hello"), 1);
}
