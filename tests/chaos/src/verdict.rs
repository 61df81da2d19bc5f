//! What the clients saw, held against the promises.
//!
//! A counter to which only ones are added tells its own order: the answer to a call is its
//! place. So acknowledged answers are all different (no call ran twice, no write was lost);
//! a call that ended before another began has the smaller one (linearizable); and the value
//! at the end counts the acknowledged calls, and of those that perhaps ran some, none of
//! those that certainly did not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::load::{Call, Fate};

/// Something that was done to the cluster.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// What.
    pub name: String,
    /// When it began, since the run did.
    pub began: Duration,
    /// When it was over.
    pub ended: Duration,
    /// Whether calls may fail because of it.
    pub is_hard: bool,
    /// The host that it was done to; the first, if it was done to two.
    pub victim: Option<usize>,
    /// The counters that lived on its victims when it began; all, if one held the store.
    pub concerned: BTreeSet<usize>,
    /// Where the host's share moved without it: how long one of these was not answered, at most.
    pub silence: Option<Duration>,
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its name.
    pub promise: &'static str,
    /// How.
    pub text: String,
}

/// Checks a run. `finals` are the counters' values at its end, `settling` how long after a
/// hard trouble calls may still fail because of it.
#[must_use]
pub fn check(
    calls: &[Call],
    finals: &BTreeMap<usize, i64>,
    troubles: &[Trouble],
    settling: Duration,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut by_actor: BTreeMap<usize, Vec<&Call>> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.fate != Fate::Looked) {
        by_actor.entry(call.actor).or_default().push(call);
    }
    for (actor, calls) in &by_actor {
        counter(*actor, calls, finals.get(actor).copied(), &mut violations);
    }
    for call in calls.iter().filter(|call| !call.fate.is_answer()) {
        let excuse = troubles.iter().find(|trouble| {
            trouble.is_hard
                && trouble.concerned.contains(&call.actor)
                && trouble.began <= call.ended
                && call.began <= trouble.ended + settling
        });
        if excuse.is_none() {
            violations.push(Violation { promise: "O4, O5", text: unexcused(call, troubles) });
        }
    }
    violations
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

fn unexcused(call: &Call, troubles: &[Trouble]) -> String {
    let during: Vec<_> = troubles
        .iter()
        .filter(|trouble| trouble.began <= call.ended && call.began <= trouble.ended)
        .map(|trouble| trouble.name.as_str())
        .collect();
    let (began, took) = (call.began.as_secs_f64(), call.ended.saturating_sub(call.began));
    let (actor, via, fate) = (call.actor, call.via, &call.fate);
    format!(
        "a call of c{actor} through host {via} at {began:.3} s failed after {took:?} during {during:?}: {fate:?}"
    )
}

fn counter(actor: usize, calls: &[&Call], last: Option<i64>, violations: &mut Vec<Violation>) {
    let mut broken = |promise, text| violations.push(Violation { promise, text });
    let mut answered: Vec<(i64, &Call)> = Vec::new();
    let mut perhaps = 0;
    for call in calls {
        match call.fate {
            Fate::Answered(value) => answered.push((value, call)),
            Fate::Perhaps(_) => perhaps += 1,
            Fate::NotBegun(_) | Fate::Looked => {}
        }
    }
    answered.sort_by_key(|(value, _)| *value);
    for pair in answered.windows(2) {
        if pair[0].0 == pair[1].0 {
            let text = format!("two calls of c{actor} were answered {}", pair[0].0);
            broken("O2, no lost update", text);
        }
    }
    let mut latest = Duration::ZERO;
    for (value, call) in &answered {
        if call.ended < latest {
            let text =
                format!("c{actor} answered {value} before a call with a smaller answer began");
            broken("linearizable", text);
        }
        latest = latest.max(call.began);
    }
    let acknowledged = i64::try_from(answered.len()).unwrap_or(i64::MAX);
    match last {
        Some(last) if (acknowledged..=acknowledged + perhaps).contains(&last) => {}
        last => broken(
            "O2, ran once, none never ran",
            format!(
                "c{actor} ends at {last:?} after {acknowledged} acknowledged calls and {perhaps} of unknown outcome"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(actor: usize, began: u64, ended: u64, fate: Fate) -> Call {
        let (began, ended) = (Duration::from_millis(began), Duration::from_millis(ended));
        Call { actor, via: 0, began, ended, fate }
    }

    fn broken(calls: &[Call], last: i64, troubles: &[Trouble]) -> Vec<&'static str> {
        let finals = [(0, last)].into();
        let found = check(calls, &finals, troubles, Duration::from_millis(10));
        found.into_iter().map(|violation| violation.promise).collect()
    }

    #[test]
    fn each_broken_promise_is_found() {
        let good = [call(0, 0, 1, Fate::Answered(1)), call(0, 2, 3, Fate::Answered(2))];
        assert_eq!(broken(&good, 2, &[]), [""; 0]);
        let lost = [call(0, 0, 1, Fate::Answered(1)), call(0, 2, 3, Fate::Answered(1))];
        assert_eq!(broken(&lost, 2, &[]), ["O2, no lost update"]);
        let late = [call(0, 5, 6, Fate::Answered(1)), call(0, 2, 3, Fate::Answered(2))];
        assert_eq!(broken(&late, 2, &[]), ["linearizable"]);
        assert_eq!(broken(&good, 1, &[]), ["O2, ran once, none never ran"]);
        assert_eq!(broken(&good, 3, &[]), ["O2, ran once, none never ran"]);
    }

    #[test]
    fn the_longest_time_without_an_answer_counts() {
        let trouble = Trouble {
            name: "t".to_owned(),
            began: Duration::from_millis(10),
            ended: Duration::from_millis(90),
            is_hard: false,
            victim: Some(0),
            concerned: [0, 1].into(),
            silence: None,
        };
        let ends = [(0, 12), (0, 20), (0, 45), (0, 60), (1, 11), (1, 35), (1, 52), (2, 99)];
        let calls: Vec<_> =
            ends.iter().map(|(actor, end)| call(*actor, 0, *end, Fate::Looked)).collect();
        let until = Duration::from_millis(70);
        assert_eq!(longest_gap(&trouble, until, &calls), Some(Duration::from_millis(25)));
        assert_eq!(silence(&trouble, &calls), Some(Duration::from_millis(2)));
        assert_eq!(longest_gap(&trouble, trouble.ended, &calls), Some(Duration::from_millis(38)));
    }

    #[test]
    fn a_failure_needs_an_excuse_and_an_unknown_outcome_may_count() {
        let failed = |fate| [call(0, 0, 1, Fate::Answered(1)), call(0, 20, 21, fate)];
        let trouble = |is_hard, actor| Trouble {
            name: "t".to_owned(),
            began: Duration::from_millis(15),
            ended: Duration::from_millis(18),
            is_hard,
            victim: None,
            concerned: [actor].into(),
            silence: None,
        };
        let perhaps = failed(Fate::Perhaps(String::new()));
        assert_eq!(broken(&perhaps, 2, &[trouble(true, 0)]), [""; 0]);
        assert_eq!(broken(&perhaps, 1, &[trouble(true, 0)]), [""; 0]);
        assert_eq!(broken(&perhaps, 1, &[trouble(true, 7)]), ["O4, O5"]);
        assert_eq!(broken(&perhaps, 1, &[trouble(false, 0)]), ["O4, O5"]);
        let none = failed(Fate::NotBegun(String::new()));
        assert_eq!(broken(&none, 2, &[trouble(true, 0)]), ["O2, ran once, none never ran"]);
    }
}
