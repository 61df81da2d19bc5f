//! What a partition has in memory: the reminders of the next window, and which of them are being
//! delivered.
//!
//! Pure: no store, no clock, no task. What is to be done until some time is here; the rest is
//! read when its time comes near (REM-12), as `reading` says. Changes
//! are written to the store first and told to the book afterwards. One delivery at a time is
//! under way for an actor, so none overlaps itself, and an actor that hangs holds up its own
//! reminders only (REM-1, REM-13).

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use odeon_runtime::schedule::{Look, Outcome, Progress, ReminderPlan};

use super::name::Name;
use super::reading::{Ahead, Position, Reached, Reading};
use super::row::{Row, millis};
use super::sheet::{Entry as Stored, Written};

/// Sheets that are read at once.
pub const SHEETS_AT_ONCE: usize = 100;

/// How much a partition has in memory and under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How far ahead reminders are in memory. Default: 60 s (REM-12).
    pub window: Duration,
    /// Reminders in memory before no more are read; twice as many before some are let go of.
    /// Default: 1,000.
    pub loaded_max: usize,
    /// Deliveries under way at once, each to another actor. Default: 256.
    pub deliveries_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { window: Duration::from_secs(60), loaded_max: 1_000, deliveries_max: 256 }
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
    generation: u64,
    /// Where it is stored that something is to be done.
    next: u64,
    /// What it carries; a copy, for what was read with it is not held.
    data: Bytes,
    plan: ReminderPlan,
    /// Where it stands by now: ticks that were passed over are not written down.
    at: Progress,
    state: State,
    /// How often its delivery came to nothing in a row.
    returned: u32,
    /// In which sheet it lies.
    sheet: Arc<str>,
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
    /// Up to where places were read.
    position: Option<Position>,
    /// What is to be done until then in sheets that were read is in memory; in milliseconds.
    loaded_to: u64,
    /// What was passed over in them.
    ahead: Ahead,
}

impl Book {
    /// An empty one, that has read nothing.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let (live, order) = (HashMap::new(), BTreeSet::new());
        let (busy, held, ahead) = (HashSet::new(), HashMap::new(), Ahead::default());
        Self { limits, live, order, busy, held, position: None, loaded_to: 0, ahead }
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

    /// Up to when what is to be done is in memory, in milliseconds.
    #[must_use]
    pub fn loaded_to(&self) -> u64 {
        self.loaded_to
    }

    /// What is to be read, if it is time to read on.
    #[must_use]
    pub fn reading(&self, now: Timestamp) -> Option<Reading> {
        if !self.wants(now) {
            return None;
        }
        let until = millis(now).saturating_add(length(self.limits.window));
        let (position, limit) = (self.position.clone(), SHEETS_AT_ONCE);
        Some(Reading { position, until, ahead: self.ahead.until(until, limit), limit })
    }

    /// Whether it is time to read on.
    #[must_use]
    pub fn wants(&self, now: Timestamp) -> bool {
        self.live.len() < self.limits.loaded_max && self.reads_at() <= millis(now)
    }

    fn reads_at(&self) -> u64 {
        let Some((position, _)) = &self.position else { return 0 };
        let next = self.ahead.first().map_or(*position, |ahead| ahead.min(*position));
        next.saturating_sub(length(self.limits.window) / 2)
    }

    /// Takes what was read, as it stands by now; which of it cannot be read, and why.
    pub fn read(&mut self, reached: &Reached, sheets: &[Written]) -> Vec<(Name, String)> {
        self.position.clone_from(&reached.position);
        self.loaded_to = reached.loaded_to;
        sheets.iter().flat_map(|sheet| self.look_at(sheet)).collect()
    }

    /// Takes what was written, and under which names.
    pub fn wrote<'a>(&mut self, names: impl IntoIterator<Item = &'a Name>, sheets: &[Written]) {
        for name in names {
            self.remove(name);
        }
        for sheet in sheets {
            // It was readable a moment ago, or is none of those that were written.
            drop(self.look_at(sheet));
        }
        self.let_go();
    }

    fn look_at(&mut self, Written { key, sheet }: &Written) -> Vec<(Name, String)> {
        let is_read = match &self.position {
            None => false,
            Some((time, None)) => sheet.placed() <= *time,
            Some((time, Some(last))) => (sheet.placed(), key) <= (*time, last),
        };
        let (mut ahead, mut torn) = (None, Vec::new());
        for (name, stored) in &sheet.entries {
            // What is here is as new as the store, and may be under way.
            if let Some(entry) = self.live.get_mut(name) {
                entry.sheet = Arc::clone(key);
            } else if is_read && stored.next <= self.loaded_to {
                match planned(stored) {
                    Ok((row, plan)) => self.keep(name.clone(), key, &row, plan),
                    Err(reason) => torn.push((name.clone(), reason)),
                }
            } else if is_read {
                ahead = Some(ahead.map_or(stored.next, |ahead: u64| ahead.min(stored.next)));
            }
        }
        self.ahead.set(key, ahead);
        torn
    }

    fn remove(&mut self, name: &Name) -> Option<Entry> {
        let entry = self.live.remove(name)?;
        if let State::Waiting(until) = entry.state {
            self.order.remove(&(until, name.clone()));
            // It may be the one for which the actor's others wait.
            if !self.busy.contains(name.actor()) {
                self.release(&name.actor().into(), 0);
            }
        }
        Some(entry)
    }

    fn keep(&mut self, name: Name, sheet: &Arc<str>, row: &Row, plan: ReminderPlan) {
        let (next, state) = (row.next(), State::Waiting(row.next()));
        self.order.insert((next, name.clone()));
        let entry = Entry {
            generation: row.generation,
            next,
            data: Bytes::copy_from_slice(&row.data),
            plan,
            at: row.at,
            state,
            returned: 0,
            sheet: Arc::clone(sheet),
        };
        self.live.insert(name, entry);
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
            let is_stored =
                |name: &Name| self.live.get(name).is_some_and(|entry| entry.next == until);
            let latest: Vec<_> = self
                .order
                .range((until, Name::default())..)
                .map(|(_, name)| name.clone())
                .collect();
            if !latest.iter().all(is_stored) {
                return;
            }
            for name in latest {
                if let Some(entry) = self.remove(&name) {
                    self.ahead.add(&entry.sheet, until);
                }
            }
            self.loaded_to = until.saturating_sub(1);
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
                self.release(&actor, millis(now));
                return None;
            }
            Look::Fire(at) => {
                entry.at = at;
                let (generation, data) = (entry.generation, entry.data.clone());
                Due::Fire(Firing { name: name.clone(), generation, at, data })
            }
            Look::Over => Due::Over(name.clone(), entry.generation),
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
        if entry.generation == generation && entry.state == State::UnderWay {
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
        self.release(&actor, millis(now));
    }

    /// Lets the next of an actor's reminders be looked at, at its own time or this one: before what
    /// has become due since, or it might never have its turn.
    fn release(&mut self, actor: &Arc<str>, latest: u64) {
        let Some(waiting) = self.held.get_mut(actor) else { return };
        while let Some(name) = waiting.pop_front() {
            let Some(entry) = self.live.get_mut(&name) else { continue };
            if entry.state == State::Held {
                let since = millis(entry.at.next()).min(latest);
                entry.state = State::Waiting(since);
                self.order.insert((since, name));
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
        let reads = can_read.then(|| self.reads_at());
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

fn planned(stored: &Stored) -> Result<(Row, ReminderPlan), String> {
    let row = Row::decode(&stored.row)?;
    let plan = row.plan().map_err(|error| error.to_string())?;
    Ok((row, plan))
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
