//! One history of all that was written down: by callers, by workers, by whoever watched
//! placement, and by the run itself.
//!
//! # When a turn is lost
//! A host that stands still, or is alone, loses its lease without a word, and its worker,
//! which stands still with nobody, may write down the end of a turn long after that. From
//! outside only bounds are known. The lease was renewed last before the silence began, at
//! most a renewal's time before it; so it cannot have ended before 0.7 L from then, and has
//! ended at 0.9 L. A turn that is there in between counts as live no longer than to the first
//! of these, and after the second one that begins is somebody's mistake again: but for those
//! which were on their way to the worker when the host stood still, and arrive when it goes on.
//! These are known by their call, which was made before that and has no answer: a host without a
//! lease passes none on.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use odeon_test_history::{Call as Number, Event, Host, Turn, What, lines};

use crate::lives::Lives;
use crate::load::{Call, Fate, PATIENCE};
use crate::owners::Owned;
use crate::trouble::{Silence, Trouble};

/// Lateness of a renewal on a machine with much to do.
const LATE: Duration = Duration::from_millis(250);
/// How long what is on its way between processes of one machine may take.
const ON_THE_WAY: Duration = Duration::from_secs(1);

/// What was written down in a run.
#[derive(Debug)]
pub struct Notes<'a> {
    /// By the callers.
    pub calls: &'a [Call],
    /// By the workers, with the machine's times and a place for a host.
    pub turns: Vec<Event>,
    /// By whoever watched placement.
    pub owners: &'a [Owned],
    /// By the run.
    pub troubles: &'a [Trouble],
    /// Who is who.
    pub lives: &'a Lives,
    /// When the run began, by the machine's clock.
    pub began: Duration,
    /// L.
    pub lease: Duration,
}

/// What workers wrote into the files of a folder.
///
/// # Errors
/// The file and line that cannot be read.
pub fn turns(folder: &Path) -> Result<Vec<Event>, String> {
    let of = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut events = Vec::new();
    for file in std::fs::read_dir(folder).map_err(of)? {
        let path = file.map_err(of)?.path();
        let text = std::fs::read_to_string(&path).map_err(of)?;
        for line in text.lines() {
            let event = lines::read(line);
            events.push(event.ok_or_else(|| format!("{}: '{line}'", path.display()))?);
        }
    }
    Ok(events)
}

/// The history of what callers saw and what was done to the cluster; `life` tells which life
/// of a host ran when a call entered there.
pub fn of_calls(
    calls: &[Call],
    troubles: &[Trouble],
    life: impl Fn(usize, Duration) -> Host,
) -> Vec<Event> {
    let mut events = Vec::new();
    for (id, mark) in (0..).zip(troubles.iter().flat_map(|trouble| &trouble.marks)) {
        events.push(Event { at: mark.began, what: What::Troubled { id, trouble: mark.trouble } });
        events.push(Event { at: mark.ended, what: What::Calmed { id } });
    }
    for call in calls {
        let actor = u32::try_from(call.actor).unwrap_or(u32::MAX);
        let (via, deadline) = (life(call.via, call.began), call.began + PATIENCE);
        let (call, at, fate) = (call, call.ended, call.fate.clone());
        let (op, call, began) = (call.op, call.number, call.began);
        let invoked = What::Invoked { call, parent: None, actor, via, op, deadline };
        let ended = match fate {
            Fate::Answered(seen) => What::Answered { call, seen },
            Fate::Failed(effect, why) => What::Failed { call, effect, why },
            Fate::HungUp => What::HungUp { call },
        };
        events.extend([Event { at: began, what: invoked }, Event { at, what: ended }]);
    }
    events.sort_by_key(|event| event.at);
    events
}

impl Notes<'_> {
    /// All of it, in order.
    #[must_use]
    pub fn tell(self) -> Vec<Event> {
        let since = |at: Duration| at.saturating_sub(self.began);
        let mut events: Vec<Event> = Vec::new();
        events.extend(of_owners(self.owners, self.lives, since));
        let lives = |place: usize, at: Duration| self.lives.at(place, at + self.began);
        events.extend(of_calls(self.calls, self.troubles, lives));
        for Event { at, mut what } in self.turns {
            if let What::TurnBegan { host, .. } = &mut what {
                let place = usize::try_from(*host).unwrap_or(usize::MAX);
                *host = self.lives.at(place, at);
            }
            events.push(Event { at: since(at), what });
        }
        events.sort_by_key(|event| event.at);
        let lost = lost(&events, self.troubles, self.lease);
        events.extend(lost);
        // Stable: what is lost at its beginning comes after that.
        events.sort_by_key(|event| event.at);
        events
    }
}

/// Who owned what. One who owns an actor anew, or perhaps never ceased to, is told of as a
/// change, too: whoever calls meanwhile may have to wait.
fn of_owners(owners: &[Owned], lives: &Lives, since: impl Fn(Duration) -> Duration) -> Vec<Event> {
    let mut events = Vec::new();
    let mut known: BTreeMap<u32, Option<Host>> = BTreeMap::new();
    for Owned { at, actor, owner } in owners {
        let actor = u32::try_from(*actor).unwrap_or(u32::MAX);
        let host = lives.place(owner).map(|place| lives.at(place, *at));
        let mut tell =
            |host| events.push(Event { at: since(*at), what: What::Owner { actor, host } });
        if known.insert(actor, host) == Some(host) {
            tell(None);
        }
        tell(host);
    }
    events
}

/// A turn as far as it is told.
#[derive(Debug, Clone, Copy)]
struct Told {
    turn: Turn,
    host: Host,
    /// When its call was made, if it was not answered.
    unanswered: Option<Duration>,
    began: Duration,
    ended: Duration,
}

/// The turns that may not commit or answer any more, and from when.
fn lost(events: &[Event], troubles: &[Trouble], lease: Duration) -> Vec<Event> {
    let told = told(events);
    let mut lost = Vec::new();
    for trouble in troubles {
        let Some(silence) = trouble.silences else { continue };
        let from = trouble.began;
        for turn in told.iter().filter(|turn| turn.host == silence.host()) {
            let at = match silence {
                // Whatever arrived at its worker after it.
                Silence::Dead(_) => (turn.ended >= from).then(|| turn.began.max(from)),
                Silence::Still(_) => still(turn, from, trouble.calm(), lease),
            };
            lost.extend(at.map(|at| Event { at, what: What::TurnLost { turn: turn.turn } }));
        }
    }
    lost
}

/// When a turn of a host that was silent from then to then was lost, if it was.
fn still(turn: &Told, from: Duration, to: Duration, lease: Duration) -> Option<Duration> {
    let first = from + lease.mul_f64(0.7).saturating_sub(LATE);
    let sure = from + lease.mul_f64(0.9) + LATE;
    if to < first || turn.ended < first {
        return None;
    }
    if turn.began < sure {
        return Some(turn.began.max(first));
    }
    let asked = turn.unanswered?;
    let arrives =
        |end: Duration| asked <= end && turn.began >= end && turn.began <= end + ON_THE_WAY;
    (arrives(sure) || arrives(to)).then_some(turn.began)
}

fn told(events: &[Event]) -> Vec<Told> {
    let mut turns: BTreeMap<Turn, (Told, Number)> = BTreeMap::new();
    let mut unanswered: BTreeMap<Number, Duration> = BTreeMap::new();
    for Event { at, what } in events {
        match *what {
            What::Invoked { call, .. } => {
                unanswered.insert(call, *at);
            }
            What::Answered { call, .. } => {
                unanswered.remove(&call);
            }
            What::TurnBegan { turn, call, host, .. } => {
                let (began, ended) = (*at, Duration::MAX);
                turns.insert(turn, (Told { turn, host, unanswered: None, began, ended }, call));
            }
            What::TurnEnded { turn } | What::TurnCut { turn } => {
                if let Some((told, _)) = turns.get_mut(&turn) {
                    told.ended = *at;
                }
            }
            _ => {}
        }
    }
    let told = turns.into_values().map(|(told, call)| {
        let unanswered = unanswered.get(&call).copied();
        Told { unanswered, ..told }
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lives::Life;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn an_owner_that_comes_again_is_a_change() {
        let mut lives = Lives::default();
        let (name, began) = ("a:1".to_owned(), Duration::ZERO);
        lives.push(Life { place: 0, name: name.clone(), process: 7, began });
        let owned = |at| Owned { at: ms(at), actor: 5, owner: name.clone() };
        let told = of_owners(&[owned(1), owned(9)], &lives, |at| at);
        let told = told.into_iter().map(|event| match event.what {
            What::Owner { actor: 5, host } => (event.at, host),
            other => unreachable!("{other:?}"),
        });
        let told: Vec<_> = told.collect();
        assert_eq!(told, [(ms(1), Some(1)), (ms(9), None), (ms(9), Some(1))]);
    }

    /// Silent from 10 s to `to`, with a lease of 3 s: it ends between 12.1 and 12.7 s,
    /// give or take [`LATE`].
    fn lost_at(began: u64, ended: u64, to: u64, unanswered: Option<u64>) -> Option<u64> {
        let (unanswered, began, ended) = (unanswered.map(ms), ms(began), ms(ended));
        let turn = Told { turn: 1, host: 1, unanswered, began, ended };
        let at = still(&turn, ms(10_000), ms(to), ms(3_000))?;
        u64::try_from(at.as_millis()).ok()
    }

    #[test]
    fn a_turn_is_lost_with_its_hosts_lease() {
        let asked = Some(8_999);
        assert_eq!(lost_at(9_000, 11_000, 16_000, asked), None, "it was over before");
        assert_eq!(lost_at(9_000, 16_100, 16_000, asked), Some(11_850));
        assert_eq!(lost_at(12_500, 12_600, 16_000, asked), Some(12_500));
        assert_eq!(lost_at(9_000, 16_100, 11_500, asked), None, "it went on in time");
    }

    #[test]
    fn what_arrives_late_is_lost_unless_it_was_answered() {
        let before = Some(9_999);
        assert_eq!(lost_at(16_001, 16_002, 16_000, before), Some(16_001));
        assert_eq!(lost_at(16_001, 16_002, 16_000, None), None);
        assert_eq!(lost_at(16_002, 16_003, 16_000, Some(16_001)), None, "it was called after");
        assert_eq!(
            lost_at(14_500, 14_600, 16_000, before),
            None,
            "a host without a lease began it"
        );
        assert_eq!(lost_at(17_500, 17_600, 16_000, before), None, "it has a new lease");
    }
}
