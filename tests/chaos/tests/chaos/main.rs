//! A cluster under kills and pauses for as long as `cargo ci` has for it.

use std::process::Command;
use std::time::Duration;

use odeon_chaos::{Kind, Options, Outcome, report, run, spaces, verdict};
use odeon_test_history::{Effect, Event, Object, Op, Promise, Seen, What};
use odeon_test_support::binaries;

#[tokio::test(flavor = "multi_thread")]
async fn no_promise_is_broken_in_a_minute_of_kills() {
    let options = Options { faults: vec![Kind::Kill], ..Options::default() };
    let outcome = run(&options).await.expect("a cluster");
    assert!(outcome.violations.is_empty(), "{}", report::text(&outcome));
    assert!(outcome.calls.len() > 1_000, "{}", report::text(&outcome));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_promise_is_broken_in_a_minute_of_kills_and_pauses() {
    let faults = vec![Kind::Kill, Kind::Pause, Kind::Placement, Kind::Freeze];
    let options = Options { faults, ..Options::default() };
    let outcome = run(&options).await.expect("a cluster");
    assert!(outcome.violations.is_empty(), "{}", report::text(&outcome));
    assert!(outcome.calls.len() > 1_000, "{}", report::text(&outcome));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_promise_is_broken_while_hosts_are_restarted_in_turn() {
    let length = Duration::from_secs(20);
    let options = Options { length, faults: vec![Kind::Restart], ..Options::default() };
    let outcome = run(&options).await.expect("a cluster");
    assert!(outcome.violations.is_empty(), "{}", report::text(&outcome));
}

/// Runs the program itself, which has to begin in a network of its own.
#[test]
#[expect(clippy::print_stdout, reason = "a test that is left out says why")]
fn no_promise_is_broken_while_the_network_is_parted() {
    if let Err(reason) = spaces::is_allowed() {
        println!("left out: this machine gives no network of our own: {reason}");
        return;
    }
    let mut program = Command::new(binaries::program("odeon-chaos", "odeon-chaos"));
    let ran = program.args(["--faults", "isolate,cut", "--seconds", "30"]).output();
    let ran = ran.expect("it was built");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
}

/// Each of these is what the checker sees of a broken promise, made of a history of processes.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_promise_in_the_history_of_processes_is_found() {
    let length = Duration::from_secs(3);
    let faults = vec![Kind::Kill, Kind::Placement];
    let options = Options { length, hosts: 3, actors: 12, faults, ..Options::default() };
    let outcome = run(&options).await.expect("a cluster");
    assert!(outcome.violations.is_empty(), "{}", report::text(&outcome));
    let planted: [(&str, Promise, Plant); 7] = [
        ("a line of a commit is lost", Promise::O2, lose_a_commit),
        ("a turn is told of by nobody", Promise::O2, lose_a_turn),
        ("a turn begins while another's lives", Promise::O1, end_a_turn_late),
        ("a call runs again", Promise::RanOnce, run_again),
        ("a call that ran is told that it did not", Promise::NoneNeverRan, deny_a_call),
        ("a read shows what was overwritten", Promise::Linearizable, read_the_past),
        ("a turn begins long after its call", Promise::O4, begin_late),
    ];
    for (what, promise, plant) in planted {
        let mut events = outcome.events.clone();
        plant(&mut events);
        events.sort_by_key(|event| event.at);
        let found = judged(&outcome, &events);
        assert!(found.contains(&promise), "{what}: {found:?}");
    }
}

/// Changes a history.
type Plant = fn(&mut Vec<Event>);

fn judged(outcome: &Outcome, events: &[Event]) -> Vec<Promise> {
    let Outcome { terms, calls, troubles, .. } = outcome;
    let lease = Options::default().lease;
    let found = verdict::check(events, terms, (calls, troubles), lease);
    found.into_iter().map(|violation| violation.promise).collect()
}

/// The last event for which this finds something, and what it finds.
fn last<T>(events: &[Event], find: impl Fn(&What) -> Option<T>) -> (usize, T) {
    let found =
        events.iter().enumerate().rev().find_map(|(at, event)| Some((at, find(&event.what)?)));
    found.expect("this happens all the time")
}

/// The turn and call of a write that was answered, in the middle of the run.
fn written(events: &[Event]) -> (u64, u64) {
    let (at, (call, ..)) = last(&events[..events.len() / 2], |what| match what {
        What::Answered { call, seen: Some(seen) } if seen.by == *call => Some((*call, *seen)),
        _ => None,
    });
    let (_, turn) = last(&events[..at], |what| match what {
        What::TurnBegan { turn, call: of, .. } if *of == call => Some(*turn),
        _ => None,
    });
    (turn, call)
}

fn lose_a_commit(events: &mut Vec<Event>) {
    let (turn, _) = written(events);
    events.retain(|event| !matches!(event.what, What::Committed { turn: of, .. } if of == turn));
}

fn lose_a_turn(events: &mut Vec<Event>) {
    let (turn, _) = written(events);
    events.retain(|event| !matches!(event.what, What::TurnBegan { turn: of, .. } if of == turn));
}

fn end_a_turn_late(events: &mut Vec<Event>) {
    let (turn, _) = written(events);
    let end = events.iter_mut().find(|event| event.what == What::TurnEnded { turn });
    end.expect("it ended").at += Duration::from_secs(2);
}

fn run_again(events: &mut Vec<Event>) {
    let (turn, _) = written(events);
    let began =
        |event: &&Event| matches!(event.what, What::TurnBegan { turn: of, .. } if of == turn);
    let mut again = events.iter().find(began).expect("it began").clone();
    again.at += Duration::from_secs(2);
    if let What::TurnBegan { turn, .. } = &mut again.what {
        *turn += 1 << 60;
    }
    events.push(again);
}

fn deny_a_call(events: &mut Vec<Event>) {
    let (_, call) = written(events);
    for event in events {
        if matches!(event.what, What::Answered { call: of, .. } if of == call) {
            let why = "planted".to_owned();
            event.what = What::Failed { call, effect: Effect::None, why };
        }
    }
}

fn read_the_past(events: &mut Vec<Event>) {
    let (_, call) = last(events, |what| match what {
        What::Invoked { call, op: Op::Read(Object::Counter), .. } => Some(*call),
        _ => None,
    });
    for event in events {
        if let What::Answered { call: of, seen } = &mut event.what
            && *of == call
        {
            *seen = Some(Seen::default());
        }
    }
}

fn begin_late(events: &mut Vec<Event>) {
    // Before anything moved, which excuses a wait.
    let (turn, _) = written(&events[..events.len() / 100]);
    let began =
        |event: &&mut Event| matches!(event.what, What::TurnBegan { turn: of, .. } if of == turn);
    events.iter_mut().find(began).expect("it began").at += Duration::from_secs(4);
}
