//! O2, O3, and each actor's register and counter as one object that all agree on.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};
use std::time::Duration;

use crate::event::{Actor, Call, Effect, Event, Fence, Host, Object, Op, Seen, Turn, What};
use crate::{Promise, Terms, Violation};

/// An object of an actor.
type Key = (Actor, Object);

/// A call about an object.
#[derive(Debug, Clone, Copy)]
struct Asked {
    key: Key,
    /// What a write adds.
    adds: Option<i64>,
    start: Duration,
    end: Option<Duration>,
    seen: Option<Seen>,
    /// It was answered that it never ran.
    is_void: bool,
}

/// A content that somebody saw, and the first who did.
#[derive(Debug, Clone, Copy)]
struct Sighting {
    seen: Seen,
    at: Duration,
}

#[derive(Debug, Default)]
struct State {
    calls: BTreeMap<Call, Asked>,
    sightings: BTreeMap<Key, BTreeMap<u64, Sighting>>,
    turns: BTreeMap<Turn, (Actor, BTreeMap<Object, u64>)>,
    /// The newest version that was acknowledged to a turn.
    committed: BTreeMap<Actor, BTreeMap<Object, u64>>,
    claimed: BTreeMap<Actor, Fence>,
    shown: BTreeMap<(Actor, Fence), Host>,
    violations: Vec<Violation>,
}

pub(crate) fn check(events: &[Event], terms: &Terms) -> Vec<Violation> {
    let mut state = State::default();
    for Event { at, what } in events {
        state.event(*at, what, terms);
    }
    if terms.are_clocks_kept {
        state.linearizable();
    }
    state.violations
}

impl State {
    fn event(&mut self, at: Duration, what: &What, terms: &Terms) {
        match *what {
            What::Invoked { call, actor, op, .. } => {
                let (object, adds) = match op {
                    Op::Read(object) => (object, None),
                    Op::Write(object, adds) => (object, Some(adds)),
                    Op::Other => return,
                };
                let asked = Asked {
                    key: (actor, object),
                    adds,
                    start: at,
                    end: None,
                    seen: None,
                    is_void: false,
                };
                self.calls.insert(call, asked);
            }
            What::Answered { call, seen: Some(seen) } => {
                if let Some(asked) = self.calls.get_mut(&call) {
                    (asked.end, asked.seen) = (Some(at), Some(seen));
                    let key = asked.key;
                    self.sighted(key, seen, at);
                }
            }
            What::Failed { call, effect: Effect::None, .. } => {
                if let Some(asked) = self.calls.get_mut(&call) {
                    asked.is_void = true;
                }
            }
            What::TurnBegan { turn, actor, .. } => {
                let versions = self.committed.get(&actor).cloned().unwrap_or_default();
                self.turns.insert(turn, (actor, versions));
            }
            What::TurnRead { turn, object, seen } => self.read(at, turn, object, seen, terms),
            What::Committed { turn, object, seen } => {
                let Some((actor, _)) = self.turns.get(&turn) else { return };
                let actor = *actor;
                let newest = self.committed.entry(actor).or_default().entry(object).or_default();
                *newest = (*newest).max(seen.version);
                self.sighted((actor, object), seen, at);
            }
            What::TurnEnded { turn } | What::TurnCut { turn } => {
                self.turns.remove(&turn);
            }
            What::Claimed { actor, host, fence } => self.claimed(at, actor, host, fence),
            What::Landed { actor, fence } => {
                if let Some(newest) = self.claimed.get(&actor).filter(|newest| **newest > fence) {
                    let text = format!(
                        "a commit of actor {actor} with fence {fence:?} landed after the claim with {newest:?}"
                    );
                    self.broken(Promise::O3, at, text);
                }
            }
            _ => {}
        }
    }

    fn read(&mut self, at: Duration, turn: Turn, object: Object, seen: Seen, terms: &Terms) {
        let Some((actor, known)) = self.turns.get(&turn) else { return };
        let (actor, known) = (*actor, known.get(&object).copied().unwrap_or_default());
        if seen.version < known && terms.are_clocks_kept {
            let text = format!(
                "a turn of actor {actor} read version {} of its {object:?}; version {known} had been acknowledged to a turn before it began",
                seen.version
            );
            self.broken(Promise::O2, at, text);
        }
        self.sighted((actor, object), seen, at);
    }

    fn claimed(&mut self, at: Duration, actor: Actor, host: Host, fence: Fence) {
        let newest = *self.claimed.entry(actor).or_insert(fence);
        if newest > fence {
            let text = format!(
                "a claim of actor {actor} with fence {fence:?} was recorded for host {host} after {newest:?}"
            );
            self.broken_by(Promise::O3, at, text, &[host]);
        }
        self.claimed.insert(actor, newest.max(fence));
        let first = *self.shown.entry((actor, fence)).or_insert(host);
        if first != host {
            let text = format!(
                "actor {actor} was claimed with fence {fence:?} by host {first} and by host {host}"
            );
            self.broken_by(Promise::O3, at, text, &[first, host]);
        }
    }

    fn sighted(&mut self, key: Key, seen: Seen, at: Duration) {
        match self.sightings.entry(key).or_default().entry(seen.version) {
            Entry::Vacant(entry) => {
                entry.insert(Sighting { seen, at });
            }
            Entry::Occupied(entry) => {
                let first = *entry.get();
                if first.seen != seen {
                    let text = format!(
                        "{:?} of actor {} was seen as {:?} and as {seen:?}",
                        key.1, key.0, first.seen
                    );
                    self.broken(Promise::Linearizable, at, text);
                }
            }
        }
    }

    /// The four conditions of the crate's documentation; the first was looked at on the way.
    fn linearizable(&mut self) {
        let sightings = std::mem::take(&mut self.sightings);
        let calls = std::mem::take(&mut self.calls);
        let mut by_key: BTreeMap<Key, Vec<(Call, Asked)>> = BTreeMap::new();
        for (call, asked) in calls {
            by_key.entry(asked.key).or_default().push((call, asked));
        }
        for (key, versions) in &sightings {
            let calls: BTreeMap<Call, Asked> =
                by_key.remove(key).unwrap_or_default().into_iter().collect();
            let written = self.authors(*key, versions, &calls);
            self.in_order(*key, &calls, &written);
            self.gaps(*key, versions, &calls, &written);
        }
    }

    /// Each version has an author of its own; which version each call wrote.
    fn authors(
        &mut self,
        key: Key,
        versions: &BTreeMap<u64, Sighting>,
        calls: &BTreeMap<Call, Asked>,
    ) -> BTreeMap<Call, u64> {
        let mut written = BTreeMap::new();
        for (version, sighting) in versions.iter().filter(|(version, _)| **version > 0) {
            let by = sighting.seen.by;
            let name = format!("version {version} of {:?} of actor {}", key.1, key.0);
            match calls.get(&by) {
                Some(asked) if asked.adds.is_some() && asked.start <= sighting.at => {}
                _ => self.broken(
                    Promise::Linearizable,
                    sighting.at,
                    format!(
                        "{name} was written by {by}, which is no write that had been asked for"
                    ),
                ),
            }
            if calls.get(&by).is_some_and(|asked| asked.is_void) {
                self.broken(
                    Promise::NoneNeverRan,
                    sighting.at,
                    format!("{name} was written by call {by}, which was answered `none`"),
                );
            }
            if let Some(earlier) = written.insert(by, *version) {
                self.broken(
                    Promise::RanOnce,
                    sighting.at,
                    format!("{name} and version {earlier} were both written by call {by}"),
                );
            }
        }
        for (call, asked) in calls.iter().filter(|(_, asked)| asked.adds.is_some()) {
            let Some((seen, end)) = asked.seen.zip(asked.end) else { continue };
            if seen.by != *call {
                self.broken(
                    Promise::Linearizable,
                    end,
                    format!(
                        "call {call} of actor {} was answered with {seen:?}, which another wrote",
                        key.0
                    ),
                );
            }
        }
        written
    }

    /// What ended before another began does not come after it.
    fn in_order(&mut self, key: Key, calls: &BTreeMap<Call, Asked>, written: &BTreeMap<Call, u64>) {
        let mut starts: Vec<(Duration, u64, bool, Call)> = Vec::new();
        let mut ends: Vec<(Duration, u64, Call)> = Vec::new();
        for (call, asked) in calls {
            let version =
                asked.seen.map(|seen| seen.version).or_else(|| written.get(call).copied());
            let Some(version) = version else { continue };
            starts.push((asked.start, version, asked.adds.is_some(), *call));
            if let Some(end) = asked.end {
                ends.push((end, version, *call));
            }
        }
        starts.sort_unstable();
        ends.sort_unstable();
        let mut ended = ends.into_iter().peekable();
        let mut newest: Option<(u64, Call)> = None;
        for (start, version, is_write, call) in starts {
            while let Some((_, earlier, by)) = ended.next_if(|(end, ..)| *end < start) {
                newest = newest.max(Some((earlier, by)));
            }
            let Some((known, by)) = newest else { continue };
            if version < known || (is_write && version == known) {
                let what = if is_write { "wrote" } else { "read" };
                let text = format!(
                    "call {call} of actor {} {what} version {version} of its {:?}; call {by} had ended before with version {known}",
                    key.0, key.1
                );
                self.broken(Promise::Linearizable, start, text);
            }
        }
    }

    /// Versions that nobody saw can be filled with writes of unknown outcome, and sums add up.
    fn gaps(
        &mut self,
        key: Key,
        versions: &BTreeMap<u64, Sighting>,
        calls: &BTreeMap<Call, Asked>,
        written: &BTreeMap<Call, u64>,
    ) {
        let open: BTreeSet<Call> = calls
            .iter()
            .filter(|(call, asked)| {
                asked.adds.is_some()
                    && asked.seen.is_none()
                    && !asked.is_void
                    && !written.contains_key(call)
            })
            .map(|(call, _)| *call)
            .collect();
        let mut missing = 0;
        let mut before = Seen::default();
        for (version, sighting) in versions {
            missing += version.saturating_sub(before.version).saturating_sub(1);
            let adds = calls.get(&sighting.seen.by).and_then(|asked| asked.adds);
            if *version == before.version + 1
                && sighting.seen.sum != before.sum + adds.unwrap_or_default()
            {
                let text = format!(
                    "{:?} of actor {} went from {before:?} to {:?} by adding {adds:?}",
                    key.1, key.0, sighting.seen
                );
                self.broken(Promise::Linearizable, sighting.at, text);
            }
            before = sighting.seen;
        }
        if missing > open.len() as u64 {
            let text = format!(
                "{missing} versions of {:?} of actor {} were seen by nobody, but only {} writes have an unknown outcome",
                key.1,
                key.0,
                open.len()
            );
            self.broken(Promise::Linearizable, Duration::ZERO, text);
        }
    }

    fn broken(&mut self, promise: Promise, at: Duration, text: String) {
        self.broken_by(promise, at, text, &[]);
    }

    fn broken_by(&mut self, promise: Promise, at: Duration, text: String, hosts: &[Host]) {
        self.violations.push(Violation { promise, at, text, hosts: hosts.to_vec() });
    }
}
