//! The mailbox and all around it under a checker of interleavings (TURN-1 and DEA-2).
//!
//! Callers come, leave and come back while the actor is closed, moved, cut and made anew.
//! In every schedule: one turn at a time, in order, inside of a life; whoever stays is
//! answered; nobody is told that his call did not begin when it did. Then the defects of
//! other runtimes, planted one by one, have to be found by the same scenarios.

use futures::future::join_all;
use shuttle::future::block_on;

use super::*;
use crate::config::{Reentrancy, TypeConfig};
use crate::defect::Defect;
use crate::invocation::CallChain;

#[path = "shuttle_stage.rs"]
mod stage;

use stage::{Memory, Stage, check, finds, invocation};

/// Schedules tried by each check, at random and again by priorities.
const SCHEDULES: usize = 5_000;

// Three calls wait behind a fourth and leave at any moment; those that stay are served.
fn callers_leave() {
    block_on(async {
        let stage = Stage::new(Memory::Remote, TypeConfig::default());
        let calls: Vec<_> =
            ["0", "1", "2", "3"].map(|body| stage.start(invocation("x", body))).into();
        let leaving = [calls[1].abort_handle(), calls[3].abort_handle()];
        let leave = shuttle::future::spawn(async move {
            for call in leaving {
                call.abort();
            }
        });
        for (number, call) in calls.into_iter().enumerate() {
            // Whoever has not left is answered; who left was served or was not.
            if let Ok(answer) = call.await {
                answer.expect("nothing is in its way");
                stage.judge(&number.to_string(), &Ok(Reply::default()));
            }
        }
        leave.await.expect("it is not aborted");
        stage.end().await;
    });
}

// TURN-6: no more wait than may, however they come and go; who is refused has not begun.
fn too_many_callers_come() {
    block_on(async {
        let config = TypeConfig { waiting_max: 1, ..TypeConfig::default() };
        let stage = Stage::new(Memory::Remote, config);
        let calls = ["0", "1", "2", "3"].map(|body| stage.start(invocation("x", body)));
        calls[1].abort();
        for (number, call) in calls.into_iter().enumerate() {
            let Ok(answer) = call.await else { continue };
            stage.judge(&number.to_string(), &answer);
            let is_full = matches!(answer, Err(Error::MailboxFull { .. }));
            assert!(answer.is_ok() || is_full, "{answer:?}");
        }
        stage.end().await;
    });
}

fn close_while_calls_come(memory: Memory) {
    block_on(async {
        let stage = Stage::new(memory, TypeConfig::default());
        let calls = ["0", "1", "2"].map(|body| stage.start(invocation("x", body)));
        let leaving = calls[1].abort_handle();
        let closer = Arc::clone(&stage);
        let close = shuttle::future::spawn(async move {
            closer.close(Why::Asked);
            shuttle::future::yield_now().await;
            leaving.abort();
            closer.close(Why::Idle);
        });
        for (number, call) in calls.into_iter().enumerate() {
            if let Ok(answer) = call.await {
                assert!(answer.is_ok(), "call {number}: {answer:?}");
            }
        }
        close.await.expect("it is not aborted");
        stage.end().await;
    });
}

// Closing and leaving at any moment: the goodbye is a turn of its own (DEA-2), and calls
// that come meanwhile find the next life.
fn calls_outlive_lives() {
    close_while_calls_come(Memory::Remote);
}

fn calls_outlive_owned_lives() {
    close_while_calls_come(Memory::Owned);
}

// TURN-2: the calls of one connection keep their order, whoever else comes and goes and
// however often the actor is closed meanwhile.
fn order_is_kept() {
    block_on(async {
        let stage = Stage::new(Memory::Remote, TypeConfig::default());
        let other = stage.start(invocation("x", "other"));
        let leaving = other.abort_handle();
        let engine = stage.engine.clone();
        let connection = shuttle::future::spawn(async move {
            // One task polls them in their order, so they arrive in it.
            let calls = ["0", "1", "2"].map(|body| engine.call(invocation("x", body)));
            join_all(calls).await
        });
        let closer = Arc::clone(&stage);
        let close = shuttle::future::spawn(async move {
            closer.close(Why::Idle);
            leaving.abort();
        });
        for answer in connection.await.expect("it is not aborted") {
            answer.expect("nothing is in its way");
        }
        close.await.expect("it is not aborted");
        let mut order = stage.app.began();
        order.retain(|body| body != "other");
        assert_eq!(order, ["0", "1", "2"]);
        let _ = other.await;
        stage.end().await;
    });
}

// O1: what is released runs nothing, not even calls that a turn elsewhere makes.
fn nothing_runs_after_the_release() {
    block_on(async {
        let stage = Stage::new(Memory::Remote, TypeConfig::default());
        let calls = ["0", "1", "2"].map(|body| {
            let mut call = invocation("x", body);
            if body == "1" {
                call.chain = CallChain::new(&[7], None);
            }
            stage.start(call)
        });
        let leaving = calls[2].abort_handle();
        let mover = Arc::clone(&stage);
        let moving = shuttle::future::spawn(async move { mover.move_away_and_back().await });
        leaving.abort();
        for (number, call) in calls.into_iter().enumerate() {
            let Ok(answer) = call.await else { continue };
            stage.judge(&number.to_string(), &answer);
            let is_moved = matches!(answer, Err(Error::Moved { .. }));
            assert!(answer.is_ok() || is_moved, "{answer:?}");
        }
        moving.await.expect("it is not aborted");
        stage.end().await;
    });
}

// A lease that ends: turns are cut, and nobody is told that his call did not begin if it did.
fn a_lapse_cuts_turns() {
    block_on(async {
        let stage = Stage::new(Memory::Owned, TypeConfig::default());
        let calls = ["0", "1", "2"].map(|body| stage.start(invocation("x", body)));
        let leaving = calls[2].abort_handle();
        let other = Arc::clone(&stage);
        let lapse = shuttle::future::spawn(async move {
            other.lapse();
            shuttle::future::yield_now().await;
            other.grant();
        });
        leaving.abort();
        for (number, call) in calls.into_iter().enumerate() {
            if let Ok(answer) = call.await {
                stage.judge(&number.to_string(), &answer);
            }
        }
        lapse.await.expect("it is not aborted");
        // Code that was cut may have run into the next life; its right was gone.
        stage.engine.call(invocation("x", "last")).await.expect("it serves again");
    });
}

// ACT-3: whoever waits for a memory that cannot be made is told so, and nobody for ever.
fn activation_fails_once() {
    block_on(async {
        let stage = Stage::new(Memory::Owned, TypeConfig::default());
        stage.app.fail(1);
        let calls = ["0", "1", "2"].map(|body| stage.start(invocation("x", body)));
        let leaving = calls[0].abort_handle();
        leaving.abort();
        for (number, call) in calls.into_iter().enumerate() {
            if let Ok(answer) = call.await {
                stage.judge(&number.to_string(), &answer);
            }
        }
        // If the call that failed had left, the next one would have.
        let _ = stage.engine.call(invocation("x", "again")).await;
        stage.end().await;
    });
}

fn reentrant(stack_depth_max: u32) -> TypeConfig {
    let reentrancy = Some(Reentrancy { stack_depth_max });
    TypeConfig { reentrancy, ..TypeConfig::default() }
}

// REE-1, REE-3: a chain of calls comes back to the actors it went through.
fn a_chain_comes_back() {
    block_on(async {
        let stage = Stage::new(Memory::Remote, reentrant(32));
        let calls = ["0/y/x", "1"].map(|body| stage.start(invocation("x", body)));
        for call in calls {
            call.await.expect("it is not aborted").expect("nothing is in its way");
        }
        stage.end().await;
    });
}

// REE-2: refusals for depth leave nothing behind.
fn a_chain_is_too_deep() {
    block_on(async {
        let stage = Stage::new(Memory::Remote, reentrant(2));
        let deep = stage.start(invocation("x", "0/x/x"));
        let leaving = stage.start(invocation("x", "1/x/x"));
        leaving.abort();
        let answer = deep.await.expect("it is not aborted");
        assert!(answer.is_err(), "three deep");
        let _ = leaving.await;
        stage.end().await;
    });
}

#[test]
fn callers_may_leave_at_any_moment() {
    check(SCHEDULES, callers_leave);
}

#[test]
fn no_more_callers_wait_than_may() {
    check(SCHEDULES, too_many_callers_come);
}

#[test]
fn an_actor_may_be_closed_at_any_moment() {
    check(SCHEDULES, calls_outlive_lives);
    check(SCHEDULES, calls_outlive_owned_lives);
}

#[test]
fn calls_of_one_connection_keep_their_order() {
    check(SCHEDULES, order_is_kept);
}

#[test]
fn actors_may_move_at_any_moment() {
    check(SCHEDULES, nothing_runs_after_the_release);
}

#[test]
fn a_lease_may_end_at_any_moment() {
    check(SCHEDULES, a_lapse_cuts_turns);
}

#[test]
fn activating_may_fail_while_callers_leave() {
    check(SCHEDULES, activation_fails_once);
}

#[test]
fn chains_may_come_back_and_go_too_deep() {
    check(SCHEDULES, a_chain_comes_back);
    check(SCHEDULES, a_chain_is_too_deep);
}

// actor-semantics 5, defect a.
#[test]
fn a_leaving_waiter_that_pops_the_head_is_found() {
    finds(Defect::LeavingPopsTheHead, "began while", SCHEDULES, callers_leave);
}

// actor-semantics 5: the next turn starts while the application's handler still runs.
#[test]
fn a_turn_that_ends_with_its_caller_is_found() {
    finds(Defect::TurnEndsWithItsCaller, "came into a turn", SCHEDULES, callers_leave);
}

// actor-semantics 5: waiting callers form a ring without a bound.
#[test]
fn a_mailbox_without_a_bound_is_found() {
    finds(Defect::WaitingHasNoBound, "calls wait", SCHEDULES, too_many_callers_come);
}

// actor-semantics 6, defect b.
#[test]
fn a_depth_kept_by_refusals_is_found() {
    finds(Defect::DepthIsKeptByRefusals, "deadlock", SCHEDULES, a_chain_is_too_deep);
}

// actor-semantics 6: A(reminder) -> B -> A waits for itself.
#[test]
fn a_root_id_that_is_not_passed_on_is_found() {
    finds(Defect::RootIdIsNotPassedOn, "deadlock", SCHEDULES, a_chain_comes_back);
}

// actor-semantics 4: DELETE overlaps a running method.
#[test]
fn a_goodbye_that_does_not_wait_is_found() {
    finds(Defect::GoodbyeDoesNotWait, "came into a turn", SCHEDULES, calls_outlive_lives);
}

#[test]
fn a_turn_lost_with_its_waiter_is_found() {
    finds(Defect::TurnIsLostWithItsWaiter, "deadlock", SCHEDULES, callers_leave);
}

#[test]
fn a_closed_activation_that_lets_in_is_found() {
    finds(Defect::ClosedActivationLetsIn, "outside of a life", SCHEDULES, calls_outlive_lives);
}

#[test]
fn a_gate_that_is_not_looked_at_again_is_found() {
    let symptom = "after the release";
    finds(Defect::GateIsNotLookedAtAgain, symptom, SCHEDULES, nothing_runs_after_the_release);
}
