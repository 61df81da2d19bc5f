//! What a partition has in memory: the reminders of the next window, and which of them are being
//! delivered.
//!
//! Pure: no store, no clock, no task. All rows whose place in the order of times is not behind
//! the horizon are here; what is behind it is read when its time comes near (REM-12). Changes
//! are written to the store first and told to the book afterwards. One delivery at a time is
//! under way for an actor, so none overlaps itself, and an actor that hangs holds up its own
//! reminders only (REM-1, REM-13).

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use odeon_runtime::schedule::{Look, Outcome, Progress, ReminderPlan};

use super::name::{Name, ORDER};
use super::row::{Row, millis};

/// How much a partition has in memory and under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How far ahead reminders are in memory. Default: 60 s (REM-12).
    pub window: Duration,
    /// Reminders in memory before no more are read; twice as many before some are let go of.
    /// Default: 10,000.
    pub loaded_max: usize,
    /// Deliveries under way at once, each to another actor. Default: 256.
    pub deliveries_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { window: Duration::from_secs(60), loaded_max: 10_000, deliveries_max: 256 }
    }
}

/// A tick that is to be delivered now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    /// Whose, and which.
    pub name: Name,
    /// Of which registration of the name.
    pub generation: u64,
    /// Which tick.
    pub at: Progress,
    /// What it carries.
    pub data: Bytes,
}

/// What is to be done about a reminder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// It is delivered.
    Fire(Firing),
    /// It has come to its end and is removed.
    Over(Name, u64),
}

/// Up to where all rows are in memory: a time in milliseconds, with all rows of that time or
/// those up to a name.
type Horizon = (u64, Option<Name>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Until this time, in the order.
    Waiting(u64),
    /// Until the delivery to its actor is over.
    Held,
    /// It is being delivered or removed.
    UnderWay,
}

#[derive(Debug)]
struct Entry {
    /// As it is stored.
    row: Row,
    plan: ReminderPlan,
    /// Where it stands by now: ticks that were passed over are not written down.
    at: Progress,
    state: State,
    /// How often its delivery came to nothing in a row.
    returned: u32,
}

/// The reminders of a partition that are in memory.
#[derive(Debug)]
pub struct Book {
    limits: Limits,
    live: HashMap<Name, Entry>,
    order: BTreeSet<(u64, Name)>,
    /// Actors with a delivery under way.
    busy: HashSet<Arc<str>>,
    /// What is due and waits for that.
    held: HashMap<Arc<str>, VecDeque<Name>>,
    horizon: Option<Horizon>,
}

impl Book {
    /// An empty one, that has read nothing.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let (live, order) = (HashMap::new(), BTreeSet::new());
        let (busy, held) = (HashSet::new(), HashMap::new());
        Self { limits, live, order, busy, held, horizon: None }
    }

    /// What is stored of a reminder, if it is in memory.
    #[must_use]
    pub fn row(&self, name: &Name) -> Option<&Row> {
        self.live.get(name).map(|entry| &entry.row)
    }

    /// How many are in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Behind which key of the order of times to read on.
    #[must_use]
    pub fn read_to(&self) -> Option<String> {
        self.horizon.as_ref().map(|(time, name)| match name {
            Some(name) => name.order(*time),
            // Behind all keys of that time, which go on with a slash.
            None => format!("{ORDER}{time:016x}0"),
        })
    }

    /// Up to when to read, in milliseconds.
    #[must_use]
    pub fn read_until(&self, now: Timestamp) -> u64 {
        millis(now).saturating_add(length(self.limits.window))
    }

    /// Whether it is time to read on.
    #[must_use]
    pub fn wants(&self, now: Timestamp) -> bool {
        self.live.len() < self.limits.loaded_max
            && self.reads_at().is_none_or(|at| at <= millis(now))
    }

    fn reads_at(&self) -> Option<u64> {
        let (time, _) = self.horizon.as_ref()?;
        Some(time.saturating_sub(length(self.limits.window) / 2))
    }

    /// Takes what was read: all rows up to that time, or up to the last of them.
    pub fn read(&mut self, rows: Vec<(Name, Row, ReminderPlan)>, horizon: (u64, Option<Name>)) {
        if self.horizon.as_ref().is_none_or(|known| is_before(known, &horizon)) {
            self.horizon = Some(horizon);
        }
        for (name, row, plan) in rows {
            // What is here is as new as the store, and may be under way.
            if !self.live.contains_key(&name) {
                self.keep(name, row, plan);
            }
        }
    }

    /// Takes what was written in place of what was there.
    pub fn put(&mut self, name: Name, row: Row, plan: ReminderPlan) {
        self.remove(&name);
        if self.covers(row.next(), &name) {
            self.keep(name, row, plan);
            self.let_go();
        }
    }

    /// It is stored no more.
    pub fn remove(&mut self, name: &Name) {
        if let Some(entry) = self.live.remove(name)
            && let State::Waiting(until) = entry.state
        {
            self.order.remove(&(until, name.clone()));
        }
    }

    fn keep(&mut self, name: Name, row: Row, plan: ReminderPlan) {
        let (at, next) = (row.at, row.next());
        self.order.insert((next, name.clone()));
        self.live.insert(name, Entry { row, plan, at, state: State::Waiting(next), returned: 0 });
    }

    fn covers(&self, next: u64, name: &Name) -> bool {
        match &self.horizon {
            None => false,
            Some((time, None)) => next <= *time,
            Some((time, Some(last))) => (next, name) <= (*time, last),
        }
    }

    /// Forgets the latest while there are too many: they are read again in time.
    fn let_go(&mut self) {
        if self.live.len() <= self.limits.loaded_max.saturating_mul(2) {
            return;
        }
        while self.live.len() > self.limits.loaded_max {
            let Some((until, _)) = self.order.last() else { return };
            let until = *until;
            // What waits for another reason is stored under another time.
            let is_stored = |name: &Name| self.row(name).is_some_and(|row| row.next() == until);
            let latest: Vec<_> = self
                .order
                .range((until, Name::default())..)
                .map(|(_, name)| name.clone())
                .collect();
            if !latest.iter().all(is_stored) {
                return;
            }
            for name in latest {
                self.remove(&name);
            }
            self.horizon = Some((until.saturating_sub(1), None));
        }
    }

    /// What is to be done now; each of them is under way from then on.
    pub fn due(&mut self, now: Timestamp) -> Vec<Due> {
        let mut due = Vec::new();
        while self.busy.len() < self.limits.deliveries_max {
            let Some((until, name)) = self.order.first().cloned() else { break };
            if until > millis(now) {
                break;
            }
            self.order.pop_first();
            due.extend(self.look(name, now));
        }
        due
    }

    fn look(&mut self, name: Name, now: Timestamp) -> Option<Due> {
        let entry = self.live.get_mut(&name)?;
        if self.busy.contains(name.actor()) {
            entry.state = State::Held;
            self.held.entry(name.actor().into()).or_default().push_back(name);
            return None;
        }
        let found = match entry.plan.look(&entry.at, now) {
            Look::Wait(later) => {
                let until = millis(later.next()).max(millis(now) + 1);
                (entry.at, entry.state) = (later, State::Waiting(until));
                let actor: Arc<str> = name.actor().into();
                self.order.insert((until, name));
                self.release(&actor, now);
                return None;
            }
            Look::Fire(at) => {
                entry.at = at;
                let (generation, data) = (entry.row.generation, entry.row.data.clone());
                Due::Fire(Firing { name: name.clone(), generation, at, data })
            }
            Look::Over => Due::Over(name.clone(), entry.row.generation),
        };
        entry.state = State::UnderWay;
        self.busy.insert(name.actor().into());
        Some(found)
    }

    /// The delivery came to nothing, and is tried again after a wait that follows from how often
    /// it did in a row.
    pub fn returned(
        &mut self,
        name: &Name,
        generation: u64,
        now: Timestamp,
        wait: impl FnOnce(u32) -> Duration,
    ) {
        let Some(entry) = self.live.get_mut(name) else { return };
        if entry.row.generation == generation && entry.state == State::UnderWay {
            let until = millis(now).saturating_add(length(wait(entry.returned)).max(1));
            entry.state = State::Waiting(until);
            entry.returned = entry.returned.saturating_add(1);
            self.order.insert((until, name.clone()));
        }
    }

    /// Nothing is under way for its actor any more.
    pub fn landed(&mut self, name: &Name, now: Timestamp) {
        let actor: Arc<str> = name.actor().into();
        self.busy.remove(&actor);
        self.release(&actor, now);
    }

    /// Lets the next of an actor's reminders be looked at.
    fn release(&mut self, actor: &Arc<str>, now: Timestamp) {
        let Some(waiting) = self.held.get_mut(actor) else { return };
        while let Some(name) = waiting.pop_front() {
            let Some(entry) = self.live.get_mut(&name) else { continue };
            if entry.state == State::Held {
                let at_once = millis(now);
                entry.state = State::Waiting(at_once);
                self.order.insert((at_once, name));
                return;
            }
        }
        self.held.remove(actor);
    }

    /// When something is to be done next, in milliseconds; `None` if that depends on what is
    /// under way.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        let is_full = self.busy.len() >= self.limits.deliveries_max;
        let due = self.order.first().map(|(until, _)| *until).filter(|_| !is_full);
        let can_read = self.live.len() < self.limits.loaded_max;
        let reads = can_read.then(|| self.reads_at().unwrap_or_default());
        due.into_iter().chain(reads).min()
    }
}

impl Row {
    /// The row after the delivery of the tick at `at`, or that there is none any more; `Err` when
    /// the delivery was of another registration, or of a tick that is over (REM-5).
    ///
    /// # Errors
    /// [`Stale`].
    pub fn after(
        &self,
        plan: &ReminderPlan,
        (generation, at): (u64, &Progress),
        outcome: Outcome,
        error: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Self>, Stale> {
        let is_older = (at.tick, at.failures) < (self.at.tick, self.at.failures);
        if generation != self.generation || is_older {
            return Err(Stale);
        }
        let next = plan.after(at, outcome, now);
        let is_lost = outcome == Outcome::Failed && next.is_none_or(|next| next.tick > at.tick);
        let Some(next) = next else { return Ok(None) };
        let mut row = Self { at: next, ..self.clone() };
        row.delivered = row.delivered.saturating_add(u32::from(outcome == Outcome::Done));
        row.lost = row.lost.saturating_add(u32::from(is_lost));
        if let Some(error) = error {
            row.blame(error);
        }
        Ok(Some(row))
    }
}

/// What was delivered is not what stands in the row any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale;

fn length(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn is_before(one: &Horizon, two: &Horizon) -> bool {
    // All of a time is behind any name of that time.
    (one.0, one.1.is_none(), &one.1) < (two.0, two.1.is_none(), &two.1)
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
