//! Actors that change hands: who may run them, who waits, what a leaving host does.

use std::time::Duration;

use odeon_base::{Epoch, Execution};
use odeon_runtime::config::TypeConfig;
use odeon_runtime::error::Error;
use odeon_runtime::invocation::CallChain;
use odeon_runtime::{ActorRef, Invocation};
use odeon_test_engine::world::{TYPE, execution, invocation, settle};
use odeon_test_engine::{Host, Kind, World, eventually, on_every_kind};
use tokio::time::Instant;

on_every_kind!(
    ;
    ring:
    only_actors_whose_owner_changes_are_moved,
    a_moving_actor_ends_its_turn_says_goodbye_and_lives_elsewhere,
    waiting_calls_are_sent_to_the_new_owner,
    a_turn_that_drains_too_long_is_cut,
    a_type_that_is_not_drained_is_cut_at_once,
    a_draining_turn_may_call_behind_the_gate,
    a_host_that_cannot_leave_names_what_is_left,
    a_farewell_ends_although_calls_keep_coming,
    too_many_calls_at_a_gate_are_refused_at_once,
    too_many_bytes_at_a_gate_are_refused_at_once,
    a_call_waits_for_the_first_table_of_its_type;
    board:
    a_hosting_that_drains_holds_up_no_other_type,
    nothing_runs_behind_a_gate_that_is_released,
    a_leaving_host_releases_everything_and_says_farewell,
    a_host_that_leaves_while_nobody_listens_leaves_when_somebody_does,
    a_lapsed_host_serves_again_after_it_has_joined,
    a_join_whose_answer_was_lost_leaves_nobody_behind,
    a_host_that_stands_still_for_a_while_keeps_its_memory,
    a_lease_ends_in_its_time_while_connecting_takes_for_ever,
    a_type_offered_while_nobody_listens_comes_into_force,
    a_replaced_hosting_is_drained_and_cut_too,
    calls_wait_for_a_gate_within_their_own_time,
    a_call_waits_for_the_table_that_it_was_routed_by,
);

/// An id that this host serves.
async fn owned_by(host: &Host) -> String {
    for number in 0.. {
        let id = format!("{}-{number}", &host.name[..1]);
        if host.call(&id, "get", "k").await.is_ok() {
            return id;
        }
    }
    unreachable!("it owns something")
}

/// An id whose owner changes from one host to the other when the second comes: found on
/// a world like this one.
async fn that_moves(kind: Kind) -> (String, String) {
    let world = World::of(kind);
    let first = world.host("a:1", kind, TypeConfig::default()).await;
    let second = world.host("b:1", kind, TypeConfig::default()).await;
    eventually("the table is committed", || first.metrics().active == 0).await;
    settle().await;
    (owned_by(&second).await, owned_by(&first).await)
}

// O4.
async fn only_actors_whose_owner_changes_are_moved(kind: Kind) {
    let world = World::of(kind);
    let first = world.host("a:1", kind, TypeConfig::default()).await;
    for number in 0..50 {
        first.call(&number.to_string(), "count", "").await.unwrap();
    }
    let second = world.host("b:1", kind, TypeConfig::default()).await;
    settle().await;
    let mut moved = 0;
    for number in 0..50 {
        let id = number.to_string();
        match first.call(&id, "count", "").await {
            Ok(count) => {
                assert_eq!(count, "2", "it kept its memory");
                assert_eq!(world.probe.count(&format!("{id} bye")), 0);
            }
            Err(Error::Moved { .. }) => {
                moved += 1;
                assert_eq!(second.call(&id, "count", "").await.unwrap(), "1");
                assert_eq!(world.probe.count(&format!("{id} bye")), 1);
            }
            Err(other) => unreachable!("{other}"),
        }
    }
    assert!((5..45).contains(&moved), "{moved} of 50");
}

// O1, O5, step 4.
async fn a_moving_actor_ends_its_turn_says_goodbye_and_lives_elsewhere(kind: Kind) {
    let (moves, stays) = that_moves(kind).await;
    let world = World::of(kind);
    let first = world.host("a:1", kind, TypeConfig::default()).await;
    first.call(&moves, "set", "k=1").await.unwrap();
    let running = first.start(&moves, "hold-set", "k=2");
    first.until_running(1).await;
    let second = world.host("b:1", kind, TypeConfig::default()).await;
    let parked = second.start(&moves, "get", "k");
    settle().await;
    assert!(!parked.is_finished(), "it waits for the gate");
    assert_eq!(first.call(&stays, "count", "").await.unwrap(), "1", "nobody else waits");
    world.probe.let_go(1);
    assert_eq!(running.await.unwrap().unwrap(), "set", "a turn that began ends");
    assert_eq!(parked.await.unwrap().unwrap(), "2", "O2");
    assert_eq!(world.probe.count(&format!("{moves} bye")), 1);
    world.assert_one_at_a_time();
}

// O5: none of them has begun, so all can be sent on, in their order.
async fn waiting_calls_are_sent_to_the_new_owner(kind: Kind) {
    let (moves, _) = that_moves(kind).await;
    let world = World::of(kind);
    let first = world.host("a:1", kind, TypeConfig::default()).await;
    let running = first.start(&moves, "hold", "");
    first.until_running(1).await;
    let mut waiting = Vec::new();
    for number in 0..10 {
        waiting.push(first.start(&moves, "get", &number.to_string()));
        first.until_waiting(number + 1).await;
    }
    let _second = world.host("b:1", kind, TypeConfig::default()).await;
    settle().await;
    world.probe.let_go(1);
    running.await.unwrap().unwrap();
    for call in waiting {
        let moved = call.await.unwrap();
        assert!(matches!(moved, Err(Error::Moved { .. })), "{moved:?}");
        assert_eq!(execution(&moved), Some(Execution::None));
    }
    assert_eq!(world.probe.count(&format!("{moves} get 0")), 0);
}

// Step 4: the type's drain time.
async fn a_turn_that_drains_too_long_is_cut(kind: Kind) {
    let (moves, _) = that_moves(kind).await;
    let world = World::of(kind);
    let config = TypeConfig { drain_timeout: Duration::from_secs(2), ..TypeConfig::default() };
    let first = world.host("a:1", kind, config.clone()).await;
    let running = first.start(&moves, "hold", "");
    first.until_running(1).await;
    let begun = Instant::now();
    let second = world.host("b:1", kind, config).await;
    let parked = second.start(&moves, "get", "k");
    let cut = running.await.unwrap();
    assert!(matches!(cut, Err(Error::AppLost { .. })), "{cut:?}");
    assert_eq!(execution(&cut), Some(Execution::Maybe));
    assert_eq!(begun.elapsed().as_secs(), 2);
    parked.await.unwrap().unwrap();
    if kind.is_elsewhere() {
        assert_eq!(world.probe.count(&format!("{moves} bye")), 1, "the app forgets it");
    }
}

async fn a_type_that_is_not_drained_is_cut_at_once(kind: Kind) {
    let (moves, _) = that_moves(kind).await;
    let world = World::of(kind);
    let config = TypeConfig { drain_rebalanced: false, ..TypeConfig::default() };
    let first = world.host("a:1", kind, config.clone()).await;
    let running = first.start(&moves, "hold", "");
    first.until_running(1).await;
    let begun = Instant::now();
    let _second = world.host("b:1", kind, config).await;
    assert!(matches!(running.await.unwrap(), Err(Error::AppLost { .. })));
    assert!(begun.elapsed() < Duration::from_millis(100));
}

// Trap: a drain shuts out running turns' calls.
async fn a_draining_turn_may_call_behind_the_gate(kind: Kind) {
    let (moves, _) = that_moves(kind).await;
    let other = {
        let world = World::of(kind);
        let _first = world.host("a:1", kind, TypeConfig::default()).await;
        let second = world.host("b:1", kind, TypeConfig::default()).await;
        settle().await;
        let mut found = String::new();
        for number in 0.. {
            found = format!("n{number}");
            if second.call(&found, "get", "k").await.is_ok() {
                break;
            }
        }
        found
    };
    let world = World::of(kind);
    let first = world.host("a:1", kind, TypeConfig::default()).await;
    let draining = first.start(&moves, "hold-nest", &format!("{TYPE}/{other}/set/k=1"));
    first.until_running(1).await;
    let second = world.host("b:1", kind, TypeConfig::default()).await;
    settle().await;
    let parked = second.start(&other, "get", "k");
    settle().await;
    world.probe.let_go(1);
    assert_eq!(draining.await.unwrap().unwrap(), "set", "it does not wait for itself");
    assert_eq!(parked.await.unwrap().unwrap(), "1", "its fence was below the next owner's");
    world.assert_one_at_a_time();
}

// O1: a nested call that comes at any moment of the hand-over either runs before the
// release or does not run here.
async fn nothing_runs_behind_a_gate_that_is_released(kind: Kind) {
    let (moves, _) = that_moves(kind).await;
    let mut began = 0;
    for steps in 0..120 {
        let world = World::of(kind);
        let first = world.host("a:1", kind, TypeConfig::default()).await;
        let second = world.bare_host("b:1");
        let offering = second.offer(kind, TypeConfig::default());
        let slip_in = async {
            for _ in 0..steps {
                tokio::task::yield_now().await;
            }
            // Called by a turn that runs somewhere.
            let mut call = invocation(&moves, "sleep", "10");
            call.chain = CallChain::new(&[7], None);
            first.invoke(call).await
        };
        let ((), slipped) = tokio::join!(offering, slip_in);
        began += usize::from(slipped.is_ok());
        second.call(&moves, "sleep", "10").await.unwrap();
        world.assert_one_at_a_time();
        for (host, epoch, running) in world.board.released() {
            let is_first = host == "a:1" && epoch.n > 1;
            assert!(!is_first || running.is_empty(), "{running:?} runs at {epoch}, {steps} steps");
        }
    }
    assert!((1..120).contains(&began), "{began} of them came in time");
}

// live | SIGTERM | leaving: `Leave`, drains; after the last `Released`, `Farewell`
async fn a_leaving_host_releases_everything_and_says_farewell(kind: Kind) {
    let world = World::of(kind);
    let first = world.host("a:1", kind, TypeConfig::default()).await;
    let second = world.host("b:1", kind, TypeConfig::default()).await;
    settle().await;
    let id = owned_by(&first).await;
    let running = first.start(&id, "hold-set", "k=v");
    first.until_running(1).await;
    let leaving = first.engine.leave(Duration::from_secs(30));
    let meanwhile = async {
        settle().await;
        let parked = second.start(&id, "get", "k");
        settle().await;
        assert!(!parked.is_finished());
        world.probe.let_go(1);
        parked.await.unwrap().unwrap()
    };
    let (left, read) = tokio::join!(leaving, meanwhile);
    assert_eq!(left, Ok(()));
    assert_eq!(read, "v");
    running.await.unwrap().unwrap();
    assert_eq!(first.metrics().active, 0);
    first.engine.farewell(Duration::from_secs(1)).await;
    eventually("it is heard", || world.board.heard().contains(&"farewell a:1".to_owned())).await;
    let gone = first.call_within(Duration::from_secs(1), &id, "get", "k").await;
    assert_eq!(execution(&gone), Some(Execution::None), "{gone:?}");
}

async fn a_host_that_leaves_while_nobody_listens_leaves_when_somebody_does(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    host.call("x", "count", "").await.unwrap();
    world.board.set_reachable(false);
    settle().await;
    let leaving = host.engine.leave(Duration::from_secs(10));
    let back = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.board.set_reachable(true);
    };
    let (left, ()) = tokio::join!(leaving, back);
    assert_eq!(left, Ok(()));
    assert_eq!(world.probe.count("x bye"), 1);
}

async fn a_host_that_cannot_leave_names_what_is_left(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    let running = host.start("x", "hold", "");
    host.until_running(1).await;
    let busy = host.engine.leave(Duration::from_secs(3)).await.unwrap_err();
    assert_eq!(busy.to_string(), "still active after 3s: 1 of Actor");
    world.probe.let_go(1);
    running.await.unwrap().unwrap();
}

async fn a_lapsed_host_serves_again_after_it_has_joined(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    host.call("x", "set", "k=v").await.unwrap();
    let incarnation = world.board.incarnation("a:1").unwrap();
    world.board.expire("a:1");
    world.board.tell_expired("a:1", incarnation);
    let begun = Instant::now();
    settle().await;
    assert_eq!(host.call("x", "get", "k").await.unwrap(), "v");
    assert_eq!(begun.elapsed().as_millis(), 0, "it joins at once");
    assert_eq!(world.probe.count("x hello"), 2);
    assert_ne!(world.board.incarnation("a:1").unwrap(), incarnation);
}

// The stream broke after its Join had arrived, and the lease was lost with it.
async fn a_join_whose_answer_was_lost_leaves_nobody_behind(kind: Kind) {
    let world = World::of(kind);
    world.board.set_reachable(false);
    world.board.silence("a:1");
    let host = world.bare_host("a:1");
    let offering = host.offer(kind, TypeConfig::default());
    let breaking = async {
        settle().await;
        world.board.set_reachable(true);
        eventually("it joins", || world.board.heard() == ["join a:1"]).await;
        settle().await;
        world.board.set_reachable(false);
        world.board.answer_again("a:1");
        assert!(world.board.incarnation("a:1").is_some(), "it has come, nobody has told it");
        settle().await;
        world.board.set_reachable(true);
    };
    let ((), ()) = tokio::join!(offering, breaking);
    let limit = Duration::from_secs(1);
    let served = host.call_within(limit, "x", "count", "").await;
    assert_eq!(served.unwrap(), "1", "it waits for nobody who was it once");
}

// A broken stream, or silence, is only a hint: between 0.8 and 0.9 L calls wait, and a
// host back before it lapsed keeps everything it had.
async fn a_host_that_stands_still_for_a_while_keeps_its_memory(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    host.call("x", "count", "").await.unwrap();
    let running = host.start("x", "hold", "");
    host.until_running(1).await;
    let queued = host.start("x", "count", "");
    host.until_waiting(1).await;
    world.board.silence("a:1");
    while host.engine.status().lease_left > Duration::ZERO {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let parked = host.start("x", "count", "");
    let fresh = host.start("y", "count", "");
    world.probe.let_go(1);
    running.await.unwrap().unwrap();
    settle().await;
    assert!(!queued.is_finished() && !parked.is_finished() && !fresh.is_finished());
    world.board.answer_again("a:1");
    assert_eq!(fresh.await.unwrap().unwrap(), "1");
    let mut counts = [queued.await.unwrap().unwrap(), parked.await.unwrap().unwrap()];
    counts.sort_unstable();
    assert_eq!(counts, ["3", "4"], "in the same life");
    assert_eq!(world.probe.count("x hello"), 1);
    assert_eq!(world.probe.count("x bye"), 0);
}

// O8 and the trap about the lease's end: nobody refuses the connection, nobody accepts it.
async fn a_lease_ends_in_its_time_while_connecting_takes_for_ever(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    let running = host.start("x", "hold", "");
    host.until_running(1).await;
    settle().await;
    let begun = Instant::now();
    world.board.set_reachable(false);
    assert_eq!(host.call("y", "count", "").await.unwrap(), "1", "the lease runs on");
    let cut = running.await.unwrap();
    assert!(matches!(cut, Err(Error::LeaseLost { execution: Execution::Maybe })), "{cut:?}");
    assert!(begun.elapsed() < Duration::from_millis(4_600), "{:?}", begun.elapsed());
    world.probe.let_go(1);
    let waiting = host.start("y", "count", "");
    tokio::time::sleep(Duration::from_secs(3)).await;
    world.board.set_reachable(true);
    assert_eq!(waiting.await.unwrap().unwrap(), "1");
}

async fn a_type_offered_while_nobody_listens_comes_into_force(kind: Kind) {
    let world = World::of(kind);
    let host = world.bare_host("a:1");
    host.engine.ready().await;
    world.board.set_reachable(false);
    settle().await;
    let offering = host.offer(kind, TypeConfig::default());
    let back = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.board.set_reachable(true);
    };
    let limit = Duration::from_secs(4);
    let ((), ()) =
        tokio::time::timeout(limit, async { tokio::join!(offering, back) }).await.unwrap();
    host.call("x", "count", "").await.unwrap();
}

// O1: while another behaviour waits to take over, the first one's turns still count.
async fn a_replaced_hosting_is_drained_and_cut_too(kind: Kind) {
    let (moves, stays) = that_moves(kind).await;
    let world = World::of(kind);
    let first = world.host("a:1", kind, TypeConfig::default()).await;
    let running = [first.start(&moves, "hold", ""), first.start(&stays, "hold", "")];
    first.until_running(2).await;
    let replacing = {
        let first = first.clone();
        async move { first.offer(kind, TypeConfig::default()).await }
    };
    let meanwhile = async {
        settle().await;
        let second = world.host("b:1", kind, TypeConfig::default()).await;
        let parked = second.start(&moves, "count", "");
        settle().await;
        assert!(!parked.is_finished(), "the first one's turn still runs");
        let incarnation = world.board.incarnation("a:1").unwrap();
        world.board.expire("a:1");
        world.board.tell_expired("a:1", incarnation);
        for call in running {
            let cut = call.await.unwrap();
            assert!(matches!(cut, Err(Error::LeaseLost { .. })), "{cut:?}");
        }
        world.probe.let_go(2);
        parked.await.unwrap().unwrap();
    };
    tokio::join!(replacing, meanwhile);
    if !kind.is_elsewhere() {
        world.assert_one_at_a_time();
    }
}

// Two offers at once: only those of one type wait for each other.
async fn a_hosting_that_drains_holds_up_no_other_type(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    let running = host.start("x", "hold", "");
    host.until_running(1).await;
    let epoch = host.status().epoch;
    let begun = Instant::now();
    let replacing = async {
        host.offer(kind, TypeConfig::default()).await;
        begun.elapsed().as_millis()
    };
    let meanwhile = async {
        settle().await;
        host.offer_as(kind, "Other", TypeConfig::default()).await;
        assert_eq!(begun.elapsed().as_millis(), 0, "it waits for nobody's drain");
        let call = Invocation::new(ActorRef::parse("Other", "y").unwrap(), "count", "");
        assert_eq!(host.invoke(call).await.unwrap(), "1");
        assert_eq!(host.status().epoch, epoch, "the first type is still offered");
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.probe.let_go(1);
    };
    let (replaced, ()) = tokio::join!(replacing, meanwhile);
    assert_eq!(replaced, 1_000, "the same type waits until the turn has ended");
    assert_eq!(running.await.unwrap().unwrap(), "held");
    assert_eq!(host.call("x", "count", "").await.unwrap(), "1", "in a new life");
    world.assert_one_at_a_time();
}

// O5: within the caller's own time limit.
async fn calls_wait_for_a_gate_within_their_own_time(kind: Kind) {
    let (moves, _) = that_moves(kind).await;
    let world = World::of(kind);
    world.board.set_drain_limit(Duration::from_secs(600));
    let config = TypeConfig { drain_timeout: Duration::from_secs(90), ..TypeConfig::default() };
    let first = world.host("a:1", kind, config.clone()).await;
    let running = first.start(&moves, "hold", "");
    first.until_running(1).await;
    let second = world.host("b:1", kind, config).await;
    let begun = Instant::now();
    let (short, long) =
        tokio::join!(second.call_within(Duration::from_secs(1), &moves, "count", ""), async {
            let long = second.call_within(Duration::from_secs(80), &moves, "count", "").await;
            (long, begun.elapsed().as_secs())
        },);
    for late in [short, long.0] {
        assert!(matches!(late, Err(Error::QueueTimeout { .. })), "{late:?}");
    }
    assert_eq!(long.1, 80);
    world.probe.let_go(1);
    running.await.unwrap().unwrap();
}

// TURN-6: who waits at a gate counts as who waits in the mailbox does.
async fn too_many_calls_at_a_gate_are_refused_at_once(kind: Kind) {
    let (moves, _) = that_moves(kind).await;
    let world = World::of(kind);
    let config = TypeConfig { waiting_max: 3, waiting_bytes_max: 10, ..TypeConfig::default() };
    let first = world.host("a:1", kind, config.clone()).await;
    let running = first.start(&moves, "hold", "");
    first.until_running(1).await;
    let second = world.host("b:1", kind, config).await;
    let mut parked = vec![second.start(&moves, "get", "1234567890")];
    second.until_waiting(1).await;
    let refused = second.call(&moves, "get", "1").await;
    assert!(matches!(refused, Err(Error::MailboxFull { waiting: 1, .. })), "{refused:?}");
    parked.extend([second.start(&moves, "count", ""), second.start(&moves, "count", "")]);
    second.until_waiting(3).await;
    let refused = second.call(&moves, "count", "").await;
    assert!(matches!(refused, Err(Error::MailboxFull { waiting: 3, .. })), "{refused:?}");
    assert_eq!(execution(&refused), Some(Execution::None));
    assert_eq!(second.metrics().refused, 2);
    // Who gives up makes room.
    parked.pop().unwrap().abort();
    second.until_waiting(2).await;
    parked.push(second.start(&moves, "count", ""));
    second.until_waiting(3).await;
    world.probe.let_go(1);
    running.await.unwrap().unwrap();
    for call in parked {
        call.await.unwrap().unwrap();
    }
    assert_eq!(second.metrics().waiting, 0);
}

// TURN-6: bodies that wait at a gate take room of the whole host.
async fn too_many_bytes_at_a_gate_are_refused_at_once(kind: Kind) {
    let (moves, _) = that_moves(kind).await;
    let world = World::of(kind);
    let first = world.host("a:1", kind, TypeConfig::default()).await;
    let running = first.start(&moves, "hold", "");
    first.until_running(1).await;
    let clock = std::sync::Arc::new(odeon_base::clock::TokioClock::start());
    let second = world.host_with("b:1", clock, |config| config.waiting_bytes_max = 10);
    second.offer(kind, TypeConfig::default()).await;
    let parked = second.start(&moves, "get", "12345678");
    second.until_waiting(1).await;
    let refused = second.call(&moves, "get", "123").await;
    assert!(matches!(refused, Err(Error::MailboxFull { .. })), "{refused:?}");
    world.probe.let_go(1);
    running.await.unwrap().unwrap();
    parked.await.unwrap().unwrap();
}

// "knows less than the caller's epoch: waits for its table, then as here"
async fn a_call_waits_for_the_table_that_it_was_routed_by(kind: Kind) {
    let world = World::of(kind);
    let config = TypeConfig { waiting_max: 1, ..TypeConfig::default() };
    let first = world.host("a:1", kind, config.clone()).await;
    let second = world.host("b:1", kind, config).await;
    settle().await;
    let id = owned_by(&first).await;
    world.board.set_reachable(false);
    world.board.expire("a:1");
    first.kill().await;
    let old = second.call(&id, "get", "k").await;
    assert!(matches!(old, Err(Error::Moved { .. })), "by the table it knows: {old:?}");
    let mut routed = invocation(&id, "get", "k");
    routed.routed_by = Some(world.board.epoch());
    let mut short = routed.clone();
    short.deadline = Some(Instant::now() + Duration::from_millis(500));
    let late = second.invoke(short).await;
    assert!(matches!(late, Err(Error::QueueTimeout { .. })), "{late:?}");
    let waits = {
        let (second, routed) = (second.clone(), routed.clone());
        async move { second.invoke(routed).await }
    };
    let back = async {
        second.until_waiting(1).await;
        let refused = second.invoke(routed).await;
        assert!(matches!(refused, Err(Error::MailboxFull { .. })), "TURN-6: {refused:?}");
        world.board.set_reachable(true);
    };
    let (served, ()) = tokio::join!(waits, back);
    assert_eq!(served.unwrap(), "");
}

async fn a_call_waits_for_the_first_table_of_its_type(kind: Kind) {
    let world = World::of(kind);
    let host = world.bare_host("a:1");
    let mut routed = invocation("x", "count", "");
    routed.routed_by = Some(Epoch { term: 1, n: 1 });
    let late = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        host.offer(kind, TypeConfig::default()).await;
    };
    let (served, ()) = tokio::join!(host.invoke(routed), late);
    assert_eq!(served.unwrap(), "1");
}

async fn a_farewell_ends_although_calls_keep_coming(kind: Kind) {
    let world = World::of(kind);
    let local = TypeConfig { placement: odeon_ring::Policy::Local, ..TypeConfig::default() };
    let host = world.host("a:1", kind, local).await;
    let calls = async {
        loop {
            if host.call_within(Duration::from_secs(1), "x", "count", "").await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let farewell = async {
        settle().await;
        tokio::time::timeout(Duration::from_secs(5), host.engine.farewell(Duration::from_secs(1)))
            .await
            .unwrap();
    };
    tokio::join!(calls, farewell);
}
