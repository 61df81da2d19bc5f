//! Reminders: each time at least once, none early, one at a time. Timers: none early, and none
//! for another activation than the one that set it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::event::{Event, Turn, What};
use crate::{Promise, Terms, Violation};

/// How far what is stored may differ from what was said: it is whole milliseconds.
const ROUNDING: Duration = Duration::from_millis(1);

/// A time that came.
#[derive(Debug, Clone, Copy)]
struct Came {
    tick: u32,
    missed: u32,
    due: Duration,
}

#[derive(Debug, Default)]
struct Reminder {
    first: Duration,
    every: Option<Duration>,
    times: Option<u32>,
    /// What the calendar said when it was certainly kept.
    kept: Option<Duration>,
    is_refused: bool,
    /// When it was asked to be dropped, and when it certainly was.
    dropping: Option<Duration>,
    dropped: Option<Duration>,
    came: Vec<Came>,
    running: BTreeSet<Turn>,
}

#[derive(Debug, Default)]
struct Reminders {
    all: BTreeMap<u64, Reminder>,
    of_turn: BTreeMap<Turn, u64>,
    violations: Vec<Violation>,
}

pub(crate) fn check(events: &[Event], terms: &Terms) -> Vec<Violation> {
    let mut reminders = Reminders::default();
    for Event { at, what } in events {
        reminders.event(*at, what, terms);
    }
    reminders.violations
}

impl Reminders {
    fn event(&mut self, at: Duration, what: &What, terms: &Terms) {
        match *what {
            What::Reminding { reminder, first, every, times } => {
                let asked = Reminder { first, every, times, ..Reminder::default() };
                self.all.insert(reminder, asked);
            }
            What::Reminded { reminder, now } => self.of(reminder).kept = Some(now),
            What::NotReminded { reminder, .. } => self.of(reminder).is_refused = true,
            What::Dropping { reminder } => self.of(reminder).dropping = Some(at),
            What::Dropped { reminder } => self.of(reminder).dropped = Some(at),
            What::Ticked { reminder, turn, tick, missed, due, now } => {
                self.ticked(at, (reminder, turn), Came { tick, missed, due }, now, terms);
            }
            What::Timed { timer, since: None, .. } => {
                let text = format!("timer {timer} came to an activation that had not set it");
                self.broken(Promise::EndsWithItsActivation, at, text);
            }
            What::Timed { timer, since: Some(since), due, .. } if since < due => {
                let text = format!("timer {timer} came {since:?} after it was set; due {due:?}");
                self.broken(Promise::NeverEarly, at, text);
            }
            What::TurnEnded { turn } | What::TurnCut { turn } | What::TurnLost { turn } => {
                if let Some(reminder) = self.of_turn.remove(&turn) {
                    self.of(reminder).running.remove(&turn);
                }
            }
            What::Calendar { now } => self.all_came(at, now, terms),
            _ => {}
        }
    }

    fn of(&mut self, reminder: u64) -> &mut Reminder {
        self.all.entry(reminder).or_default()
    }

    fn ticked(
        &mut self,
        at: Duration,
        (number, turn): (u64, Turn),
        came: Came,
        now: Duration,
        terms: &Terms,
    ) {
        let mut broken = Vec::new();
        let reminder = self.of(number);
        let said = format!("reminder {number} came for the {}. time", came.tick);
        if now < came.due || came.due + ROUNDING < reminder.first {
            let text = format!(
                "{said} when the calendar had been {now:?}; due {:?}, first {:?}",
                came.due, reminder.first
            );
            broken.push((Promise::NeverEarly, text));
        }
        if reminder.is_refused {
            broken.push((Promise::NeverEarly, format!("{said}, and it was refused as not kept")));
        }
        // What was on its way to the actor may still arrive.
        if let Some(dropped) = reminder.dropped
            && at > dropped + terms.patience
        {
            broken.push((Promise::NeverEarly, format!("{said} long after it was dropped")));
        }
        if let (Some(other), Some(every)) = (reminder.came.first(), reminder.every) {
            let steps = i64::from(came.tick) - i64::from(other.tick);
            let (low, high) = if steps < 0 { (came, *other) } else { (*other, came) };
            let between = every * u32::try_from(steps.unsigned_abs()).unwrap_or(u32::MAX);
            if low.due + between != high.due {
                let text = format!("{said} off its grid: {:?} against {other:?}", came.due);
                broken.push((Promise::NeverEarly, text));
            }
        }
        if reminder.times.is_some_and(|times| came.tick > times) {
            broken.push((Promise::NeverEarly, format!("{said}, which is one too many")));
        }
        if let Some(other) = reminder.running.first() {
            let text = format!("{said} in turn {turn} while turn {other} of it still ran");
            broken.push((Promise::OneAtATime, text));
        }
        reminder.came.push(came);
        reminder.running.insert(turn);
        self.of_turn.insert(turn, number);
        broken.into_iter().for_each(|(promise, text)| self.broken(promise, at, text));
    }

    /// Everything that was due long enough ago has come.
    fn all_came(&mut self, at: Duration, now: Duration, terms: &Terms) {
        let mut missing = Vec::new();
        for (number, reminder) in &self.all {
            let Some(kept) = reminder.kept.filter(|_| reminder.dropping.is_none()) else {
                continue;
            };
            // What was past when it was kept is due then (REM-4); nobody knows when that was.
            let first = reminder.first.max(kept);
            let until = now.saturating_sub(terms.reminder_late_max);
            let Some(passed) = until.checked_sub(first) else { continue };
            let ticks = match reminder.every {
                None => 1,
                Some(every) => {
                    let grid = u32::try_from(passed.as_nanos() / every.as_nanos().max(1));
                    grid.unwrap_or(u32::MAX).saturating_add(1)
                }
            };
            let ticks = reminder.times.map_or(ticks, |times| ticks.min(times));
            let has_come = |tick: u32| {
                let mut came = reminder.came.iter();
                came.any(|came| (came.tick.saturating_sub(came.missed)..=came.tick).contains(&tick))
            };
            if let Some(tick) = (1..=ticks).find(|tick| !has_come(*tick)) {
                missing.push(format!(
                    "reminder {number} was kept and did not come for the {tick}. of {ticks} times by {now:?}: first {:?}, every {:?}",
                    reminder.first, reminder.every
                ));
            }
        }
        missing.into_iter().for_each(|text| self.broken(Promise::AtLeastOnce, at, text));
    }

    fn broken(&mut self, promise: Promise, at: Duration, text: String) {
        self.violations.push(Violation { promise, at, text, hosts: Vec::new() });
    }
}
