//! The turns of a partition: what is asked of it, read and written behind its fence.
//!
//! One turn at a time, so what stands in the store and in the book agrees between turns. The
//! store comes first: what was not committed never shows in the book.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use odeon_base::{Entropy, WallClock};
use odeon_runtime::metrics::{OutboxCounters, ReminderCounters};
use odeon_runtime::schedule::ReminderPlan;
use odeon_runtime::{ActorRef, Change, Engine, Error, Turn};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::book::{Book, Limits};
use super::forms::{
    Deleted, Ended, FoundForm, ListForm, Listing, Named, Of, PAGE_MAX, Registered, Registration,
    ReminderForm, Settling,
};
use super::lanes::{self, Lanes};
use super::name::{self, Name, PLACES, from_place, paths_of};
use super::reading::Reached;
use super::row::{Row, millis};
use super::sheet::{Sheet, Written, exchange};
use super::sheets::{self, Sheets};

/// Sheets that are looked through at once, and changed in one transaction: a handful of keys each.
pub(super) const SHEETS_AT_ONCE: usize = 100;

/// What a partition has in memory, as its turns and its deliveries share it.
#[derive(Debug)]
pub(super) struct Shared {
    book: Mutex<Book>,
    /// Told when the book changed.
    pub(super) changed: Notify,
    /// How deliveries ended, to be written down together, as long as somebody does; no more than
    /// may be under way.
    ended: Mutex<Option<Vec<(Name, Settling)>>>,
    /// Told when one has ended.
    pub(super) has_ended: Notify,
    lanes: Mutex<Lanes>,
    /// Told when there is something to do about the lanes.
    pub(super) posted: Notify,
    /// Whether more reminders wait in the inbox than the last turn about them could carry out.
    has_reminders: AtomicBool,
    /// How many calls this activation has stored by themselves.
    pub(super) kept: AtomicU64,
    /// Counts what went out.
    pub(super) sent: Arc<OutboxCounters>,
    /// Counts what became of ticks.
    reminded: Arc<ReminderCounters>,
    /// Calls of one sender in memory.
    pub(super) lane_max: usize,
    began: Instant,
}

impl Drop for Shared {
    fn drop(&mut self) {
        let waiting = self.mail(|lanes| lanes.len()) as u64;
        self.sent.waiting.fetch_sub(waiting, Ordering::Relaxed);
    }
}

impl Shared {
    pub(super) fn new(limits: Limits, mail: lanes::Limits, engine: &Engine) -> Self {
        Self {
            book: Mutex::new(Book::new(limits)),
            changed: Notify::new(),
            ended: Mutex::new(Some(Vec::new())),
            has_ended: Notify::new(),
            lanes: Mutex::new(Lanes::new(mail)),
            posted: Notify::new(),
            has_reminders: AtomicBool::new(true),
            kept: AtomicU64::new(0),
            sent: engine.sent(),
            reminded: engine.reminded(),
            lane_max: mail.lane_max,
            began: Instant::now(),
        }
    }

    /// A short section about the calls in memory.
    pub(super) fn mail<T>(&self, section: impl FnOnce(&mut Lanes) -> T) -> T {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = lanes.len() as u64;
        let done = section(&mut lanes);
        let after = lanes.len() as u64;
        self.sent.waiting.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
        done
    }

    /// The time by which calls are in order, in milliseconds.
    pub(super) fn elapsed(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A delivery has ended so; given back if nobody writes it down here any more.
    pub(super) fn end(&self, name: Name, told: Settling) -> Option<(Name, Settling)> {
        match &mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(ended) => ended.push((name, told)),
            None => return Some((name, told)),
        }
        self.has_ended.notify_one();
        None
    }

    /// How deliveries have ended by now, the first ones; with `is_last` all, and no more are taken.
    pub(super) fn ended(&self, is_last: bool) -> Vec<(Name, Settling)> {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if is_last {
            return ended.take().unwrap_or_default();
        }
        let Some(ended) = &mut *ended else { return Vec::new() };
        let count = ended.len().min(SHEETS_AT_ONCE);
        ended.drain(..count).collect()
    }

    pub(super) fn has_reminders(&self) -> bool {
        self.has_reminders.load(Ordering::Acquire)
    }

    pub(super) fn set_has_reminders(&self, are_there: bool) {
        self.has_reminders.store(are_there, Ordering::Release);
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        // Each section leaves it whole.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One turn of a partition.
#[derive(Debug)]
pub(super) struct Desk<'a> {
    pub(super) turn: &'a Turn,
    pub(super) shared: &'a Shared,
    pub(super) entropy: &'a Entropy,
    pub(super) wall: &'a dyn WallClock,
}

impl Desk<'_> {
    pub(super) fn now(&self) -> Result<Timestamp, Error> {
        let now = Timestamp::try_from(self.wall.now())
            .map_err(|error| Error::Arguments(format!("the clock of this host: {error}")))?;
        // As it is stored, so that what follows from it is the same when it is read again.
        Ok(Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now))
    }

    pub(super) async fn register(&self, asked: Registration) -> Result<Registered, Error> {
        match self.register_all(&[asked]).await?.pop() {
            Some(Ok(registered)) => Ok(Registered { registered }),
            Some(Err(reason)) => Err(Error::Arguments(reason)),
            None => Ok(Registered { registered: false }),
        }
    }

    /// Registers the first of these, one at least, in one commit; whether each was, or why it
    /// cannot be.
    pub(super) async fn register_all(
        &self,
        all: &[Registration],
    ) -> Result<Vec<Result<bool, String>>, Error> {
        match all {
            [one] => self.catch_up(&one.r#type, Some(&one.id)).await?,
            // One look, in place of one for each actor.
            _ => self.catch_up_all().await?,
        }
        let now = self.now()?;
        let (mut sheets, mut names) = (Sheets::new(self.turn), Vec::new());
        let mut answers = Vec::with_capacity(all.len());
        for asked in all.iter().take(SHEETS_AT_ONCE) {
            if sheets.is_full() {
                break;
            }
            let (name, row) = match self.begun(asked, now) {
                Ok(begun) => begun,
                Err(error) => {
                    answers.push(Err(error.to_string()));
                    continue;
                }
            };
            sheets.open(&name).await?;
            let is_kept = sheets.row(&name).is_some() && !asked.overwrite;
            if !is_kept {
                sheets.set(&name, row.as_ref());
                names.push(name);
            }
            answers.push(Ok(!is_kept));
        }
        self.write(sheets, &names).await?;
        Ok(answers)
    }

    /// How a reminder begins, if any of its ticks is still to come.
    fn begun(&self, asked: &Registration, now: Timestamp) -> Result<(Name, Option<Row>), Error> {
        let name = named(&asked.r#type, &asked.id, &asked.name)?;
        let (spec, data) = (asked.spec()?, asked.data());
        let plan =
            ReminderPlan::new(&spec, now).map_err(|error| Error::Arguments(error.to_string()))?;
        let row = plan.begin().map(|at| Row {
            generation: self.entropy.u64(),
            registered: now.as_millisecond(),
            at,
            delivered: 0,
            lost: 0,
            spec,
            error: None,
            data,
        });
        Ok((name, row))
    }

    /// Writes what was changed under these names, in the store and then in the book.
    async fn write(&self, sheets: Sheets<'_>, names: &[Name]) -> Result<(), Error> {
        let (changes, written) = sheets.close(self.loaded_to());
        if changes.is_empty() {
            return Ok(());
        }
        self.turn.commit(changes).await?;
        self.wrote(names, &written);
        Ok(())
    }

    /// Up to when what is to be done is in memory.
    pub(super) fn loaded_to(&self) -> u64 {
        self.shared.book().loaded_to()
    }

    /// Has the book show what the store has from now on.
    pub(super) fn wrote(&self, names: &[Name], written: &[Written]) {
        self.shared.book().wrote(names, written);
        self.shared.changed.notify_one();
    }

    pub(super) async fn get(&self, asked: Named) -> Result<FoundForm, Error> {
        let name = named(&asked.r#type, &asked.id, &asked.name)?;
        self.catch_up(&asked.r#type, Some(&asked.id)).await?;
        let mut sheets = Sheets::new(self.turn);
        sheets.open(&name).await?;
        let entry = sheets.get(&name);
        Ok(FoundForm { reminder: entry.map(|entry| ReminderForm::new(&name, &entry.row)) })
    }

    pub(super) async fn delete(&self, asked: Named) -> Result<Deleted, Error> {
        let name = named(&asked.r#type, &asked.id, &asked.name)?;
        self.catch_up(&asked.r#type, Some(&asked.id)).await?;
        let mut sheets = Sheets::new(self.turn);
        sheets.open(&name).await?;
        if sheets.get(&name).is_none() {
            return Ok(Deleted { deleted: 0 });
        }
        sheets.set(&name, None);
        self.write(sheets, &[name]).await?;
        Ok(Deleted { deleted: 1 })
    }

    pub(super) async fn delete_all(&self, of: Of) -> Result<Deleted, Error> {
        let paths = paths_of_actors(&of.r#type, of.id.as_deref())?;
        self.catch_up(&of.r#type, of.id.as_deref()).await?;
        let (mut deleted, mut next) = (0, Some(sheets::begin(&paths, None)));
        while let Some(after) = next {
            let page = sheets::walk(self.turn, &paths, &after, SHEETS_AT_ONCE).await?;
            let entries = page.sheets.into_iter().flat_map(|sheet| sheet.entries.into_keys());
            let names: Vec<Name> =
                entries.filter(|name| name.as_str().starts_with(&paths)).collect();
            let mut sheets = Sheets::new(self.turn);
            for name in &names {
                sheets.open(name).await?;
                sheets.set(name, None);
            }
            self.write(sheets, &names).await?;
            deleted += u64::try_from(names.len()).unwrap_or_default();
            next = page.next;
        }
        Ok(Deleted { deleted })
    }

    pub(super) async fn list(&self, asked: Listing) -> Result<ListForm, Error> {
        let paths = paths_of_actors(&asked.r#type, asked.id.as_deref())?;
        self.catch_up(&asked.r#type, asked.id.as_deref()).await?;
        let limit = asked.limit.clamp(1, PAGE_MAX);
        let is_wanted = |name: &Name| {
            let path = name.as_str();
            path.starts_with(&paths) && asked.after.as_deref().is_none_or(|after| path > after)
        };
        let (mut found, mut next) =
            (Vec::new(), Some(sheets::begin(&paths, asked.after.as_deref())));
        // One more than is shown: whether there are any.
        while let Some(after) = next.filter(|_| found.len() <= limit) {
            let page = sheets::walk(self.turn, &paths, &after, SHEETS_AT_ONCE).await?;
            let entries = page.sheets.into_iter().flat_map(|sheet| sheet.entries);
            found.extend(entries.filter(|(name, _)| is_wanted(name)));
            next = page.next;
        }
        let has_more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| has_more);
        let next = last.map(|(name, _)| name.as_str().to_owned());
        let shown = found.iter().map(|(name, entry)| ReminderForm::new(name, &entry.row));
        Ok(ListForm { reminders: shown.collect(), next })
    }

    /// Writes down how deliveries ended.
    pub(super) async fn settle(&self, all: Vec<Settling>) -> Result<(), Error> {
        let mut left = all.into_iter().peekable();
        while left.peek().is_some() {
            let (mut sheets, mut names) = (Sheets::new(self.turn), Vec::new());
            let mut settled = Vec::new();
            while !sheets.is_full()
                && let Some(told) = left.next()
            {
                let name = named(&told.r#type, &told.id, &told.name)?;
                sheets.open(&name).await?;
                if let Some(is_lost) = stage(&mut sheets, &name, &told, self.now()?) {
                    names.push(name);
                    settled.push((told, is_lost));
                }
            }
            self.write(sheets, &names).await?;
            for (told, is_lost) in &settled {
                self.count(told, *is_lost);
            }
        }
        Ok(())
    }

    /// Counts how a delivery ended that was written down.
    fn count(&self, told: &Settling, is_lost: bool) {
        let ReminderCounters { delivered, failed, lost } = &*self.shared.reminded;
        match told.ended {
            Ended::Done | Ended::Cancelled => drop(delivered.fetch_add(1, Ordering::Relaxed)),
            Ended::Failed => {
                failed.fetch_add(1, Ordering::Relaxed);
                lost.fetch_add(u64::from(is_lost), Ordering::Relaxed);
            }
            Ended::Over => {}
        }
        if is_lost {
            let Settling { r#type, id, name, tick, error, .. } = told;
            tracing::warn!(
                actor_type = r#type,
                actor_id = id,
                reminder = name,
                tick,
                error,
                "a tick of a reminder failed for good"
            );
        }
    }

    /// Reads what is to be done next, in the order of times: the places of a number of sheets,
    /// and these.
    pub(super) async fn read_on(&self) -> Result<(), Error> {
        let Some(reading) = self.shared.book().reading(self.now()?) else { return Ok(()) };
        let page = self.turn.scan(PLACES, reading.after().as_deref(), SHEETS_AT_ONCE).await?;
        let (mut places, mut lost) = (Vec::with_capacity(page.items.len()), Vec::new());
        for (key, _) in &page.items {
            match from_place(key.name()) {
                Some((time, sheet)) => places.push((time, sheet.into())),
                None => lost.push(Change::remove(key.name())),
            }
        }
        let reached = reading.reached(places, page.next.is_some());
        let written = self.read_sheets(&reached, &mut lost).await?;
        if !lost.is_empty() {
            self.turn.commit(lost).await?;
        }
        for (name, reason) in self.shared.book().read(&reached, &written) {
            let (actor_type, actor_id, reminder) = name.parts();
            tracing::error!(
                actor_type,
                actor_id,
                reminder,
                reason,
                "a reminder cannot be read and is left out"
            );
        }
        self.shared.changed.notify_one();
        Ok(())
    }

    /// Reads sheets that were found; adds what moves those that have nothing to be done yet to
    /// their places, and what removes places that are nobody's (REM-13).
    async fn read_sheets(
        &self,
        reached: &Reached,
        changes: &mut Vec<Change>,
    ) -> Result<Vec<Written>, Error> {
        let keys: Vec<Arc<str>> = reached.sheets.iter().map(|(key, _)| Arc::clone(key)).collect();
        let items = if keys.is_empty() { Vec::new() } else { self.turn.get_many(&keys).await? };
        let mut written = Vec::with_capacity(items.len());
        for ((key, place), item) in reached.sheets.iter().zip(items) {
            let sheet = item.ok_or_else(|| "there is none".to_owned());
            let sheet = sheet.and_then(|item| Sheet::decode(&item.value));
            let is_placed = |sheet: &Sheet| place.is_none_or(|place| place == sheet.placed());
            match sheet {
                Ok(sheet) if is_placed(&sheet) => {
                    let (before, to) = (sheet.clone(), reached.loaded_to);
                    written.extend(exchange(key, Some(&before), sheet, to, changes));
                }
                Ok(_) => changes.extend(place.map(|place| lose(place, key))),
                Err(reason) => {
                    tracing::error!(sheet = &**key, reason, "a sheet of reminders cannot be read");
                    changes.extend(place.map(|place| lose(place, key)));
                }
            }
        }
        Ok(written)
    }
}

/// Has a reminder stand in its sheet as after this delivery; whether the tick is lost. Nothing
/// when it was of another registration, or somebody else has told it.
fn stage(sheets: &mut Sheets<'_>, name: &Name, told: &Settling, now: Timestamp) -> Option<bool> {
    let row = sheets.row(name)?;
    let (plan, shown) = (row.plan().ok()?, (told.generation, &told.at()));
    let error = told.error.as_deref();
    let next = row.after(&plan, shown, told.ended.outcome(), error, now).ok()?;
    sheets.set(name, next.as_ref());
    let is_over = next.is_none_or(|next| next.at.tick > told.tick);
    Some(told.ended == Ended::Failed && is_over)
}

fn lose(place: u64, sheet: &str) -> Change {
    Change::remove(&name::place(place, sheet))
}

fn named(actor_type: &str, id: &str, name: &str) -> Result<Name, Error> {
    Ok(Name::new(&ActorRef::parse(actor_type, id)?, name)?)
}

fn paths_of_actors(actor_type: &str, id: Option<&str>) -> Result<String, Error> {
    let actor = ActorRef::parse(actor_type, id.unwrap_or("any"))?;
    Ok(paths_of(actor.actor_type.as_str(), id))
}

/// When something is to be done again, from now.
pub(super) fn pause(next: Option<u64>, now: Timestamp) -> Option<std::time::Duration> {
    next.map(|next| std::time::Duration::from_millis(next.saturating_sub(millis(now))))
}
