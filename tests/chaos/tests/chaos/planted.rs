//! Broken promises, made of a history that real processes have left: each is found.

use std::collections::BTreeSet;
use std::time::Duration;

use odeon_chaos::{Kind, Options, Outcome, report, run, verdict};
use odeon_test_history::{Effect, Event, Object, Op, Promise, Seen, What};

/// Changes a history.
type Plant = fn(Vec<Event>) -> Vec<Event>;

/// Each with the promise that it breaks.
const PLANTS: [(&str, Promise, Plant); 8] = [
    ("the line of a commit is lost", Promise::O2, lose_a_commit),
    ("the beginning of a turn is lost", Promise::O2, lose_a_turn),
    ("a turn begins while another lives", Promise::O1, end_a_turn_late),
    ("a call runs again", Promise::RanOnce, run_again),
    ("a call that ran is told that it did not", Promise::NoneNeverRan, deny_a_call),
    ("a read shows what was overwritten", Promise::Linearizable, read_the_past),
    ("a call fails though nothing happened", Promise::O5, fail_a_call),
    ("an actor that nobody has begins no turn for long", Promise::O4, begin_late),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_promise_in_the_history_of_processes_is_found() {
    let length = Duration::from_secs(3);
    let faults = vec![Kind::Kill, Kind::Placement];
    let options = Options { length, hosts: 3, actors: 12, faults, ..Options::default() };
    let outcome = run(&options).await.expect("a cluster");
    assert!(outcome.violations.is_empty(), "{}", report::text(&outcome));
    for (what, promise, plant) in PLANTS {
        let mut events = plant(outcome.events.clone());
        events.sort_by_key(|event| event.at);
        let found = judged(&outcome, &events, options.lease);
        assert!(found.contains(&promise), "{what}: {found:?}");
    }
}

fn judged(outcome: &Outcome, events: &[Event], lease: Duration) -> Vec<Promise> {
    let Outcome { terms, calls, troubles, .. } = outcome;
    let found = verdict::check(events, terms, (calls, troubles), lease);
    found.into_iter().map(|violation| violation.promise).collect()
}

/// What this finds in the latest event in which it finds anything.
fn last<T>(events: &[Event], find: impl Fn(&What) -> Option<T>) -> T {
    events.iter().rev().find_map(|event| find(&event.what)).expect("this happens all the time")
}

/// The turn, call and actor of the last write among these that was answered.
fn written(events: &[Event]) -> (u64, u64, u32) {
    let writes = events.iter().filter_map(|event| match event.what {
        What::Invoked { call, op: Op::Write(..), .. } => Some(call),
        _ => None,
    });
    let writes: BTreeSet<u64> = writes.collect();
    let call = last(events, |what| match what {
        What::Answered { call, .. } => writes.contains(call).then_some(*call),
        _ => None,
    });
    last(events, |what| match what {
        What::TurnBegan { turn, call: of, actor, .. } if *of == call => Some((*turn, call, *actor)),
        _ => None,
    })
}

/// One in the middle of the run.
fn middle(events: &[Event]) -> (u64, u64, u32) {
    written(&events[..events.len() / 2])
}

/// One before anything was done.
fn early(events: &[Event]) -> (u64, u64, u32) {
    let troubled = |event: &Event| matches!(event.what, What::Troubled { .. });
    let calm = events.iter().position(troubled).expect("something was done");
    written(&events[..calm])
}

fn began(event: &Event, turn: u64) -> bool {
    matches!(event.what, What::TurnBegan { turn: of, .. } if of == turn)
}

fn lose_a_commit(mut events: Vec<Event>) -> Vec<Event> {
    let (turn, ..) = middle(&events);
    events.retain(|event| !matches!(event.what, What::Committed { turn: of, .. } if of == turn));
    events
}

fn lose_a_turn(mut events: Vec<Event>) -> Vec<Event> {
    let (turn, ..) = middle(&events);
    events.retain(|event| !began(event, turn));
    events
}

fn end_a_turn_late(mut events: Vec<Event>) -> Vec<Event> {
    let (turn, ..) = middle(&events);
    let end = events.iter_mut().find(|event| event.what == What::TurnEnded { turn });
    end.expect("it ended").at += Duration::from_secs(2);
    events
}

fn run_again(mut events: Vec<Event>) -> Vec<Event> {
    let (turn, ..) = middle(&events);
    let mut again = events.iter().find(|event| began(event, turn)).expect("it began").clone();
    again.at += Duration::from_secs(2);
    if let What::TurnBegan { turn, .. } = &mut again.what {
        *turn = u64::MAX;
    }
    events.push(again);
    events
}

fn deny_a_call(events: Vec<Event>) -> Vec<Event> {
    let (_, call, _) = middle(&events);
    failed(events, call, Effect::None)
}

fn fail_a_call(events: Vec<Event>) -> Vec<Event> {
    let (_, call, _) = early(&events);
    failed(events, call, Effect::Maybe)
}

fn failed(mut events: Vec<Event>, call: u64, effect: Effect) -> Vec<Event> {
    let answer =
        |event: &&mut Event| matches!(event.what, What::Answered { call: of, .. } if of == call);
    let answer = events.iter_mut().find(answer).expect("it was answered");
    answer.what = What::Failed { call, effect, why: "planted".to_owned() };
    events
}

fn read_the_past(mut events: Vec<Event>) -> Vec<Event> {
    let read = last(&events, |what| match what {
        What::Invoked { call, op: Op::Read(Object::Counter), .. } => Some(*call),
        _ => None,
    });
    for event in &mut events {
        if let What::Answered { call, seen } = &mut event.what
            && *call == read
        {
            *seen = Some(Seen::default());
        }
    }
    events
}

fn begin_late(mut events: Vec<Event>) -> Vec<Event> {
    let (turn, _, actor) = early(&events);
    // Nobody else has the actor meanwhile.
    let others = |event: &Event| match event.what {
        What::TurnBegan { turn: other, actor: of, .. } => of == actor && other != turn,
        _ => false,
    };
    events.retain(|event| !others(event));
    let late = events.iter_mut().find(|event| began(event, turn));
    late.expect("it began").at += Duration::from_secs(4);
    events
}
