//! O3 and SA-1: what was overtaken can never commit again, and does not answer.
//!
//! Two hosts over one store. A host that is paused is one whose lease clock a test
//! moves, or does not move: the store has to refuse in any case.

use std::sync::Arc;
use std::time::Duration;

use odeon_base::clock::ManualClock;
use odeon_base::{Epoch, Execution, Fence};
use odeon_runtime::config::{Preload, TypeConfig};
use odeon_runtime::error::Error;
use odeon_test_engine::store::Fate;
use odeon_test_engine::world::{execution, scope, settle};
use odeon_test_engine::{Host, Kind, World, eventually, on_every_kind};

on_every_kind!(
    an_unknown_outcome_ends_the_activation,
    a_commit_that_is_not_waited_for_ends_the_activation,
    a_refused_commit_changes_nothing_and_keeps_the_activation,
    each_life_has_a_fence_of_its_own,
    the_runtime_keeps_its_key_to_itself;
    board:
    a_paused_holder_is_refused_by_the_store_and_its_answer_is_dropped,
    a_paused_holder_that_knows_the_time_does_not_even_ask,
    a_turn_is_cut_at_the_end_of_the_lease,
    removing_every_key_keeps_the_fence,
    a_fence_of_a_forgotten_term_is_told_and_overtaken,
);

/// Two hosts; an actor whose owner is the first, and its lease clock.
async fn two_hosts(world: &World, kind: Kind) -> (Host, Host, Arc<ManualClock>, String) {
    let clock = Arc::new(ManualClock::at(Duration::from_secs(100)));
    let first = world.host_on("a:1", &clock);
    first.offer(kind, TypeConfig::default()).await;
    let second = world.host("b:1", kind, TypeConfig::default()).await;
    settle().await;
    for number in 0.. {
        let id = format!("x{number}");
        if first.call(&id, "get", "k").await.is_ok() {
            return (first, second, clock, id);
        }
    }
    unreachable!("one of them is owned by the first")
}

// O3, SA-1: no clock is trusted. The first host stands still and does not know for how
// long; meanwhile it expires, and the second one claims and writes.
async fn a_paused_holder_is_refused_by_the_store_and_its_answer_is_dropped(kind: Kind) {
    let world = World::of(kind);
    let (first, second, _, id) = two_hosts(&world, kind).await;
    let paused = first.start(&id, "hold-set", "k=old");
    first.until_running(1).await;
    settle().await;
    world.board.silence("a:1");
    // Tables reach only who listens.
    world.board.cut_off("a:1");
    world.board.expire("a:1");
    settle().await;
    assert_eq!(second.call(&id, "set", "k=new").await.unwrap(), "set");
    world.probe.let_go(1);
    let late = paused.await.unwrap();
    assert!(matches!(late, Err(Error::Fenced { .. })), "{late:?}");
    assert_eq!(execution(&late), Some(Execution::Maybe));
    assert_eq!(world.probe.count("late commit: fenced"), 1);
    assert_eq!(world.store.text(&scope(&id), "k").unwrap(), "new");
    eventually("its activation has ended", || first.metrics().active == 0).await;
    assert_eq!(second.call(&id, "get", "k").await.unwrap(), "new", "O2");
}

async fn a_paused_holder_that_knows_the_time_does_not_even_ask(kind: Kind) {
    let world = World::of(kind);
    let (first, _, clock, id) = two_hosts(&world, kind).await;
    let fence = world.store.fence(&scope(&id));
    let paused = first.start(&id, "hold-set", "k=old");
    first.until_running(1).await;
    settle().await;
    world.board.silence("a:1");
    clock.advance(Duration::from_millis(4_500));
    // Nobody has told it the time yet but its own clock.
    world.probe.let_go(1);
    let late = paused.await.unwrap();
    assert!(matches!(late, Err(Error::LeaseLost { execution: Execution::Maybe })), "{late:?}");
    settle().await;
    assert_eq!(world.probe.count("late commit: no lease"), 1);
    assert_eq!(world.store.text(&scope(&id), "k"), None);
    assert_eq!(world.store.fence(&scope(&id)), fence);
}

// Trap: turns are not cut at the lease's end. SA-2.
async fn a_turn_is_cut_at_the_end_of_the_lease(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    let running = host.start("x", "hold-set", "k=old");
    host.until_running(1).await;
    settle().await;
    let waiting = host.start("x", "count", "");
    host.until_waiting(1).await;
    world.board.silence("a:1");
    let begun = tokio::time::Instant::now();
    let cut = running.await.unwrap();
    assert!(matches!(cut, Err(Error::LeaseLost { execution: Execution::Maybe })), "{cut:?}");
    let took = begun.elapsed();
    assert!((3_400..=4_600).contains(&took.as_millis()), "0.9 L after a renewal: {took:?}");
    eventually("it is gone", || host.metrics().active == 0).await;
    // What waited goes on in the next life of the host.
    world.board.answer_again("a:1");
    if kind.is_elsewhere() {
        // Code in another process runs on, and finds that it may not write.
        tokio::time::timeout(Duration::from_secs(10), host.engine.ready()).await.unwrap();
        settle().await;
    }
    world.probe.let_go(1);
    assert_eq!(waiting.await.unwrap().unwrap(), "1");
    assert_eq!(world.store.text(&scope("x"), "k"), None);
    world.assert_one_at_a_time();
}

// Trap: no seq in the fence; same epoch. (Of an application in another process the next
// life waits until the call is over there, its commits included.)
#[tokio::test(start_paused = true)]
async fn a_commit_that_was_on_its_way_is_refused_after_the_next_activation_has_read() {
    for kind in [Kind::Native, Kind::Shared] {
        late_commit(kind).await;
    }
}

async fn late_commit(kind: Kind) {
    let world = World::of(kind);
    let config = TypeConfig { turn_max: Some(Duration::from_secs(1)), ..TypeConfig::default() };
    let host = world.host("a:1", kind, config).await;
    host.call("x", "set", "k=one").await.unwrap();
    let first = world.store.fence(&scope("x")).unwrap();
    world.store.next_commit(Fate::Late);
    let cut = host.call("x", "set", "k=two").await;
    assert!(matches!(cut, Err(Error::TurnTooLong { .. })), "{cut:?}");
    assert_eq!(host.call("x", "get", "k").await.unwrap(), "one");
    let second = world.store.fence(&scope("x")).unwrap();
    assert_eq!(first.epoch, second.epoch);
    assert!(first.seq < second.seq);
    let refused = world.store.deliver_late();
    assert!(matches!(refused[..], [Err(odeon_runtime::store::Error::Fenced { .. })]));
    assert_eq!(host.call("x", "get", "k").await.unwrap(), "one");
}

// Trap: deletion removes the fence. ST-6.
async fn removing_every_key_keeps_the_fence(kind: Kind) {
    let world = World::of(kind);
    let (first, second, _, id) = two_hosts(&world, kind).await;
    first.call(&id, "set", "k=v").await.unwrap();
    let paused = first.start(&id, "hold-set", "k=old");
    first.until_running(1).await;
    settle().await;
    world.board.cut_off("a:1");
    world.board.expire("a:1");
    settle().await;
    second.call(&id, "set", "k=").await.unwrap();
    assert_eq!(world.store.text(&scope(&id), "k"), None);
    world.probe.let_go(1);
    let late = paused.await.unwrap();
    assert!(matches!(late, Err(Error::Fenced { .. })), "{late:?}");
    assert_eq!(world.store.text(&scope(&id), "k"), None);
}

// Trap: an activation outlives a commit of unknown outcome.
async fn an_unknown_outcome_ends_the_activation(kind: Kind) {
    for fate in [Fate::AnswerLost, Fate::Lost] {
        let world = World::of(kind);
        let host = world.host("a:1", kind, TypeConfig::default()).await;
        assert_eq!(host.call("x", "count", "").await.unwrap(), "1");
        world.store.next_commit(fate);
        // The second write must not be acknowledged: the first may land after it.
        let both = host.call("x", "set-twice", "k=1,k=2").await.unwrap();
        assert_eq!(both, "the outcome of the write is unknown: the answer was lost, fenced");
        assert_eq!(host.call("x", "count", "").await.unwrap(), "1", "a new life");
        let expected = if fate == Fate::AnswerLost { "1" } else { "" };
        assert_eq!(host.call("x", "get", "k").await.unwrap(), expected);
        host.call("x", "set", "k=3").await.unwrap();
        assert_eq!(host.call("x", "get", "k").await.unwrap(), "3");
    }
}

// The same trap: the turn itself gave up waiting for its commit.
async fn a_commit_that_is_not_waited_for_ends_the_activation(kind: Kind) {
    let world = World::of(kind);
    let config = TypeConfig { turn_max: Some(Duration::from_secs(5)), ..TypeConfig::default() };
    let host = world.host("a:1", kind, config).await;
    host.call("x", "set", "k=1").await.unwrap();
    world.store.next_commit(Fate::Late);
    let answer = host.call("x", "set-in-haste", "k=2").await.unwrap();
    if kind.is_elsewhere() {
        // What another process sent is seen to its end, whether or not it waits.
        assert_eq!(answer, "left alone, 1");
        return;
    }
    assert_eq!(answer, "left alone, fenced", "nothing is read beside a write on its way");
    host.call("x", "set", "k=3").await.unwrap();
    assert!(world.store.deliver_late()[0].is_err());
    assert_eq!(host.call("x", "get", "k").await.unwrap(), "3");
}

async fn a_refused_commit_changes_nothing_and_keeps_the_activation(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    host.call("x", "count", "").await.unwrap();
    world.store.next_commit(Fate::Refused);
    let refused = host.call("x", "set", "k=1").await.unwrap_err();
    assert!(kind.fails_with(&refused, |error| matches!(error, Error::Store(_))), "{refused:?}");
    assert_eq!(host.call("x", "count", "").await.unwrap(), "2", "the same life");
    host.call("x", "set", "k=2").await.unwrap();
    assert_eq!(host.call("x", "get", "k").await.unwrap(), "2");
}

// A record that no table of the leader's explains shows that placement lost its memory, in
// its own term too. Refused before the turn's code began is `none`: all who waited are sent
// again.
async fn a_fence_of_a_forgotten_term_is_told_and_overtaken(kind: Kind) {
    for (epoch, next) in [(Epoch { term: 7, n: 3 }, 8), (Epoch { term: 1, n: 99 }, 2)] {
        let world = World::of(kind);
        world.store.leave_fence(scope("x"), Fence { epoch, seq: 9 });
        let preload = Preload::Keys(Arc::new(["k".into()]));
        let config = TypeConfig { preload, ..TypeConfig::default() };
        let host = world.host("a:1", kind, config).await;
        let calls: Vec<_> = (0..10).map(|_| host.start("x", "count", "")).collect();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        assert!(world.board.heard().contains(&"fence ahead a:1".to_owned()));
        assert_eq!(world.store.fence(&scope("x")).unwrap().epoch.term, next);
        assert_eq!(world.probe.count("x count"), 10, "once each");
        assert_eq!(world.probe.count("x hello"), 1);
    }
}

async fn each_life_has_a_fence_of_its_own(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    let mut fences = Vec::new();
    for _ in 0..5 {
        host.call("x", "set", "k=v").await.unwrap();
        host.call("x", "set", "k=w").await.unwrap();
        fences.push(world.store.fence(&scope("x")).unwrap());
        assert!(host.engine.deactivate(&odeon_test_engine::world::actor("x")).await);
    }
    assert!(fences.is_sorted_by(|one, next| one < next), "{fences:?}");
    assert_eq!(world.store.claims(), 5, "one claim a life");
}

async fn the_runtime_keeps_its_key_to_itself(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    let refused = host.call("x", "set", "__fence=1").await.unwrap_err();
    assert!(kind.fails_with(&refused, |error| matches!(error, Error::Store(_))), "{refused:?}");
    assert_eq!(host.call("x", "count", "").await.unwrap(), "1");
}

/// A type that keeps what it reads and writes in memory.
fn cached(preload: Preload) -> TypeConfig {
    TypeConfig { cache: true, preload, ..TypeConfig::default() }
}

// ST-1, ACT-4: the cache dies with its activation, and with a claim that is lost.
#[tokio::test(start_paused = true)]
async fn a_cache_shows_what_was_committed_and_nothing_older() {
    for preload in [Preload::None, Preload::Keys(Arc::new(["k".into()])), Preload::All] {
        let world = World::default();
        let host = world.host("a:1", Kind::Native, cached(preload)).await;
        assert_eq!(host.call("x", "get", "k").await.unwrap(), "");
        host.call("x", "set", "k=1").await.unwrap();
        assert_eq!(host.call("x", "get", "k").await.unwrap(), "1");
        world.store.next_commit(Fate::AnswerLost);
        let both = host.call("x", "set-twice", "k=2,k=3").await.unwrap();
        assert!(both.ends_with("fenced"), "{both}");
        assert_eq!(host.call("x", "get", "k").await.unwrap(), "2");
    }
}

// ACT-4: more keys than one page holds.
#[tokio::test(start_paused = true)]
async fn preloading_all_reads_page_after_page() {
    let world = World::default();
    let host = world.host("a:1", Kind::Native, TypeConfig::default()).await;
    for number in 0..2_500 {
        host.call("x", "set", &format!("k{number}={number}")).await.unwrap();
    }
    host.offer(Kind::Native, cached(Preload::All)).await;
    for number in [0, 999, 1_000, 2_499] {
        let read = host.call("x", "get", &format!("k{number}")).await.unwrap();
        assert_eq!(read, number.to_string());
    }
}
