//! What was told of a run, held against the promises.
//!
//! Most of it is [`odeon_test_history::check`], the same for processes as for simulated hosts. Two
//! things are asked besides. No call may fail but those of the actors that lived where
//! something was done, while it was done and for a while after: the history, which goes by
//! owners and times, excuses more. And every answer has its turn and every acknowledged write
//! its commit among what the workers wrote down, or the history would prove nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use odeon_test_history::{
    self as history, Event, Object, Op, Promise, Seen, Terms, Turn, Violation, What,
};

use crate::load::{Call, Fate, PATIENCE};
use crate::trouble::Trouble;

/// Longest a call may wait for its turn that has nothing to do with what was done, on a
/// machine that runs a dozen processes on two cores.
const UNMOVED: Duration = Duration::from_secs(2);
/// What the lease is not to blame for when actors are taken over.
const SLACK: Duration = Duration::from_secs(1);
/// How long after a trouble calls may still fail because of it, besides the 1.1 leases in
/// which a table without the host is made.
const SETTLING: Duration = Duration::from_millis(1_500);

/// How long after a hard trouble calls may still fail because of it.
#[must_use]
pub fn settling(lease: Duration) -> Duration {
    lease.mul_f64(1.1) + SETTLING
}

/// The numbers behind the promises, on a real machine.
#[must_use]
pub fn terms(lease: Duration) -> Terms {
    Terms {
        are_clocks_kept: true,
        pause_max: UNMOVED,
        takeover: takeover(lease),
        recovery: settling(lease),
        // Turns start until 0.8 L after a renewal was sent, which is 0.2 L ago at most; a
        // tenth is for its way.
        alone: lease.mul_f64(0.5),
        // Half a second between two attempts, a renewal's time, and half a second of slack.
        renewal: lease.mul_f64(0.2) + Duration::from_secs(1),
        drain: Duration::from_secs(60),
        patience: PATIENCE - Duration::from_secs(1),
        late_max: SLACK,
        reminder_late_max: Duration::MAX,
    }
}

/// O6, and what a busy machine adds.
fn takeover(lease: Duration) -> Duration {
    lease.mul_f64(1.1) + Duration::from_millis(500) + SLACK
}

/// Checks a run whose workers have written down what they did.
#[must_use]
pub fn check(
    events: &[Event],
    terms: &Terms,
    (calls, troubles): (&[Call], &[Trouble]),
    lease: Duration,
) -> Vec<Violation> {
    let mut violations = history::check(events, terms);
    violations.extend(unexcused(calls, troubles, settling(lease)));
    violations.extend(witnessed(events));
    violations.extend(overdue(troubles, lease));
    violations.sort_by_key(|violation| (violation.at, violation.promise));
    violations
}

/// The calls that failed without being an actor's that lived where something was done, or
/// longer than this after it.
#[must_use]
pub fn unexcused(calls: &[Call], troubles: &[Trouble], settling: Duration) -> Vec<Violation> {
    let failed = calls.iter().filter(|call| call.fate.is_failure());
    let unexcused = failed.filter(|call| {
        !troubles.iter().any(|trouble| {
            trouble.is_hard
                && trouble.concerned.contains(&call.actor)
                && trouble.began <= call.ended
                && call.began <= trouble.ended + settling
        })
    });
    unexcused.map(|call| broken(Promise::O4, call.ended, in_words(call, troubles))).collect()
}

/// Whatever was answered ran, and whatever was acknowledged was committed before: that the
/// workers wrote down all that happened.
fn witnessed(events: &[Event]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut writes: BTreeSet<u64> = BTreeSet::new();
    let mut turns: BTreeMap<Turn, u64> = BTreeMap::new();
    let mut ran: BTreeSet<u64> = BTreeSet::new();
    let mut committed: BTreeMap<u64, Seen> = BTreeMap::new();
    for Event { at, what } in events {
        match *what {
            What::Invoked { call, op: Op::Write(..), .. } => {
                writes.insert(call);
            }
            What::TurnBegan { turn, call, .. } => {
                turns.insert(turn, call);
                ran.insert(call);
            }
            What::Committed { turn, seen, .. } => {
                committed.extend(turns.get(&turn).map(|call| (*call, seen)));
            }
            What::Answered { call, seen } => {
                let text = if !ran.contains(&call) {
                    format!("call {call} was answered, and no worker has written down its turn")
                } else if writes.contains(&call) && committed.get(&call).copied() != seen {
                    format!(
                        "call {call} was answered {seen:?}, and its turn had not committed that"
                    )
                } else {
                    continue;
                };
                violations.push(broken(Promise::O2, *at, text));
            }
            _ => {}
        }
    }
    violations
}

/// Each object of each keeper must have told its content at the end.
#[must_use]
pub fn told_in_the_end(calls: &[Call], since: Duration, actors: usize) -> Vec<Violation> {
    let mut told: BTreeSet<(usize, Object)> = BTreeSet::new();
    for call in calls.iter().filter(|call| call.began >= since) {
        if let (Op::Read(object), Fate::Answered(Some(_))) = (call.op, &call.fate) {
            told.insert((call.actor, object));
        }
    }
    let all = (0..actors).flat_map(|actor| Object::ALL.map(|object| (actor, object)));
    let silent = all.filter(|object| !told.contains(object)).map(|(actor, object)| {
        let text = format!("{object:?} of actor {actor} could not be read at the end");
        broken(Promise::InTime, since, text)
    });
    silent.collect()
}

fn broken(promise: Promise, at: Duration, text: String) -> Violation {
    Violation { promise, at, text, hosts: Vec::new() }
}

/// O6 as it is measured: where a kill silenced an actor for longer than it may.
fn overdue(troubles: &[Trouble], lease: Duration) -> Vec<Violation> {
    let killed = troubles.iter().filter(|trouble| trouble.is_death());
    let late = killed.filter_map(|trouble| {
        let silence = trouble.silence.filter(|silence| *silence > takeover(lease))?;
        let text = format!("after {} an actor had no answer for {silence:?}", trouble.name);
        Some(broken(Promise::O6, trouble.began + silence, text))
    });
    late.collect()
}

/// For how long, at most, one of the actors concerned was not answered after a kill, or
/// after its host was held still.
#[must_use]
pub fn silence(trouble: &Trouble, calls: &[Call]) -> Option<Duration> {
    let first = |actor: &usize| {
        let answers = calls.iter().filter(|call| {
            call.actor == *actor && call.ended > trouble.began && call.fate.is_answer()
        });
        answers.map(|call| call.ended).min()
    };
    let back = trouble.concerned.iter().filter_map(first).max()?;
    Some(back.saturating_sub(trouble.began))
}

/// For how long, at most, one of the actors concerned was not answered from an orderly stop of
/// its host until then.
#[must_use]
pub fn longest_gap(trouble: &Trouble, until: Duration, calls: &[Call]) -> Option<Duration> {
    let gap = |actor: &usize| {
        let answers = calls.iter().filter(|call| {
            let is_of_it = call.actor == *actor && call.fate.is_answer();
            is_of_it && trouble.began < call.ended && call.ended < until
        });
        let mut ends: Vec<_> = answers.map(|call| call.ended).collect();
        ends.extend([trouble.began, until]);
        ends.sort();
        ends.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max()
    };
    trouble.concerned.iter().filter_map(gap).max()
}

fn in_words(call: &Call, troubles: &[Trouble]) -> String {
    let during: Vec<_> = troubles
        .iter()
        .filter(|trouble| trouble.began <= call.ended && call.began <= trouble.ended)
        .map(|trouble| trouble.name.as_str())
        .collect();
    let (began, took) = (call.began.as_secs_f64(), call.ended.saturating_sub(call.began));
    let (actor, via, fate) = (call.actor, call.via, &call.fate);
    format!(
        "a call of actor {actor} through host {via} at {began:.3} s failed after {took:?} during {during:?}: {fate:?}"
    )
}

#[cfg(test)]
mod tests {
    use odeon_test_history::{Effect, Trouble as Kind};

    use super::*;
    use crate::story;
    use crate::trouble::Mark;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn call(number: u64, actor: usize, (began, ended): (u64, u64), fate: Fate) -> Call {
        let (began, ended, op) = (ms(began), ms(ended), Op::Write(Object::Counter, 1));
        Call { number, actor, op, via: 0, began, ended, fate }
    }

    fn counted(version: u64, by: u64) -> Fate {
        let sum = i64::try_from(version).unwrap();
        Fate::Answered(Some(Seen { version, by, sum }))
    }

    fn trouble(is_hard: bool, actors: &[usize], (began, ended): (u64, u64)) -> Trouble {
        let (began, ended) = (ms(began), ms(ended));
        Trouble {
            name: "t".to_owned(),
            began,
            ended,
            is_hard,
            victim: Some(0),
            concerned: actors.iter().copied().collect(),
            silence: None,
            marks: vec![Mark { trouble: Kind::All, began, ended }],
            silences: None,
        }
    }

    fn promises(calls: &[Call], troubles: &[Trouble]) -> Vec<Promise> {
        let events = story::of_calls(calls, troubles, |_, _| 1);
        let terms = Terms { recovery: ms(10), ..terms(ms(3_000)) };
        let mut found = history::check(&events, &terms);
        found.extend(unexcused(calls, troubles, ms(10)));
        found.into_iter().map(|violation| violation.promise).collect()
    }

    #[test]
    fn what_was_acknowledged_is_counted() {
        let good = [call(1, 0, (0, 1), counted(1, 1)), call(2, 0, (2, 3), counted(2, 2))];
        assert_eq!(promises(&good, &[]), []);
        let lost = [call(1, 0, (0, 1), counted(1, 1)), call(2, 0, (2, 3), counted(1, 2))];
        assert!(promises(&lost, &[]).contains(&Promise::Linearizable));
        let late = [call(1, 0, (5, 6), counted(1, 1)), call(2, 0, (2, 3), counted(2, 2))];
        assert!(promises(&late, &[]).contains(&Promise::Linearizable));
    }

    #[test]
    fn a_failure_needs_an_excuse() {
        let failed = |effect| {
            let fate = Fate::Failed(effect, String::new());
            [call(1, 0, (0, 1), counted(1, 1)), call(2, 0, (20, 21), fate)]
        };
        let maybe = failed(Effect::Maybe);
        assert_eq!(promises(&maybe, &[trouble(true, &[0], (15, 18))]), []);
        assert_eq!(promises(&maybe, &[trouble(true, &[7], (15, 18))]), [Promise::O4]);
        assert_eq!(promises(&maybe, &[trouble(false, &[0], (15, 18))]), [Promise::O4]);
        assert_eq!(promises(&maybe, &[trouble(true, &[0], (2, 5))]), [Promise::O5, Promise::O4]);
        let hung_up = [call(1, 0, (0, 1), Fate::HungUp)];
        assert_eq!(promises(&hung_up, &[]), []);
    }

    #[test]
    fn the_longest_time_without_an_answer_counts() {
        let trouble = trouble(false, &[0, 1], (10, 90));
        let ends = [(0, 12), (0, 20), (0, 45), (0, 60), (1, 11), (1, 35), (1, 52), (2, 99)];
        let calls = ends.iter().map(|(actor, end)| call(1, *actor, (0, *end), counted(1, 1)));
        let calls: Vec<_> = calls.collect();
        assert_eq!(longest_gap(&trouble, ms(70), &calls), Some(ms(25)));
        assert_eq!(silence(&trouble, &calls), Some(ms(2)));
        assert_eq!(longest_gap(&trouble, trouble.ended, &calls), Some(ms(38)));
    }

    #[test]
    fn a_kill_that_is_felt_for_too_long_is_overdue() {
        let felt = |silence, is_death| {
            let mut trouble = trouble(true, &[0], (0, 9_000));
            trouble.silence = Some(ms(silence));
            if is_death {
                trouble.silences = Some(crate::trouble::Silence::Dead(1));
            }
            overdue(&[trouble], ms(3_000)).len()
        };
        assert_eq!([felt(4_800, true), felt(4_801, true), felt(9_000, false)], [0, 1, 0]);
    }
}
