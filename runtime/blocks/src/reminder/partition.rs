//! The turns of a partition: what is asked of it, read and written behind its fence.
//!
//! One turn at a time, so what stands in the store and in the book agrees between turns. The
//! store comes first: what was not committed never shows in the book.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use odeon_base::{Entropy, WallClock};
use odeon_runtime::metrics::{OutboxCounters, ReminderCounters};
use odeon_runtime::schedule::ReminderPlan;
use odeon_runtime::{ActorRef, Change, Engine, Error, Turn};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::book::{Book, Limits, Stale};
use super::forms::{
    Deleted, Ended, FoundForm, ListForm, Listing, Named, Of, PAGE_MAX, Registered, Registration,
    ReminderForm, Settling,
};
use super::lanes::{self, Lanes};
use super::name::{Name, ORDER, ROWS, rows_of};
use super::row::{Row, millis};

/// Reminders deleted in one transaction: two keys each, at most 1,000 in all.
const DELETED_AT_ONCE: usize = 450;

/// What a partition has in memory, as its turns and its deliveries share it.
#[derive(Debug)]
pub(super) struct Shared {
    book: Mutex<Book>,
    /// Told when the book changed.
    pub(super) changed: Notify,
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
        let name = named(&asked.r#type, &asked.id, &asked.name)?;
        self.catch_up(&asked.r#type, Some(&asked.id)).await?;
        let now = self.now()?;
        let (spec, data) = (asked.spec()?, asked.data());
        let plan =
            ReminderPlan::new(&spec, now).map_err(|error| Error::Arguments(error.to_string()))?;
        let stands = self.stored(&name).await?;
        if stands.is_some() && !asked.overwrite {
            return Ok(Registered { registered: false });
        }
        let generation = self.entropy.u64();
        let begun = plan.begin().map(|at| Row {
            generation,
            registered: now.as_millisecond(),
            at,
            delivered: 0,
            lost: 0,
            spec,
            error: None,
            data,
        });
        self.replace(&name, stands.as_ref(), begun.map(|row| (row, plan))).await?;
        Ok(Registered { registered: true })
    }

    /// What is stored of a reminder. A row that cannot be read is as good as none: it has no
    /// place in the order any more, or is about to lose it.
    async fn stored(&self, name: &Name) -> Result<Option<Row>, Error> {
        if let Some(row) = self.shared.book().row(name) {
            return Ok(Some(row.clone()));
        }
        let item = self.turn.get(&name.row()).await?;
        Ok(item.and_then(|item| Row::decode(&item.value).ok()))
    }

    /// Writes what stands from now on in place of what stood, in the store and in the book.
    async fn replace(
        &self,
        name: &Name,
        before: Option<&Row>,
        after: Option<(Row, ReminderPlan)>,
    ) -> Result<(), Error> {
        let mut changes = Vec::with_capacity(3);
        exchange(name, before, after.as_ref().map(|(row, _)| row), &mut changes);
        self.turn.commit(changes).await?;
        enter(&mut self.shared.book(), name.clone(), after);
        self.shared.changed.notify_one();
        Ok(())
    }

    pub(super) async fn get(&self, asked: Named) -> Result<FoundForm, Error> {
        let name = named(&asked.r#type, &asked.id, &asked.name)?;
        self.catch_up(&asked.r#type, Some(&asked.id)).await?;
        let item = self.turn.get(&name.row()).await?;
        Ok(FoundForm { reminder: item.map(|item| ReminderForm::new(&name, &item.value)) })
    }

    pub(super) async fn delete(&self, asked: Named) -> Result<Deleted, Error> {
        let name = named(&asked.r#type, &asked.id, &asked.name)?;
        self.catch_up(&asked.r#type, Some(&asked.id)).await?;
        let Some(item) = self.turn.get(&name.row()).await? else {
            return Ok(Deleted { deleted: 0 });
        };
        let row = Row::decode(&item.value).ok();
        self.replace(&name, row.as_ref(), None).await?;
        Ok(Deleted { deleted: 1 })
    }

    pub(super) async fn delete_all(&self, of: Of) -> Result<Deleted, Error> {
        let prefix = prefix_of(&of.r#type, of.id.as_deref())?;
        self.catch_up(&of.r#type, of.id.as_deref()).await?;
        let mut deleted = 0;
        loop {
            let page = self.turn.scan(&prefix, None, DELETED_AT_ONCE).await?;
            let (mut changes, mut names) = (Vec::new(), Vec::new());
            for (key, item) in &page.items {
                changes.push(Change::remove(key.name()));
                let Some(name) = Name::from_row(key.name()) else { continue };
                if let Ok(row) = Row::decode(&item.value) {
                    changes.push(Change::remove(&name.order(row.next())));
                }
                names.push(name);
            }
            if !changes.is_empty() {
                self.turn.commit(changes).await?;
            }
            deleted += u64::try_from(page.items.len()).unwrap_or_default();
            let mut book = self.shared.book();
            names.iter().for_each(|name| book.remove(name));
            if page.next.is_none() {
                return Ok(Deleted { deleted });
            }
        }
    }

    pub(super) async fn list(&self, asked: Listing) -> Result<ListForm, Error> {
        let prefix = prefix_of(&asked.r#type, asked.id.as_deref())?;
        self.catch_up(&asked.r#type, asked.id.as_deref()).await?;
        let after = asked.after.map(|after| format!("{ROWS}{after}"));
        let limit = asked.limit.clamp(1, PAGE_MAX);
        let page = self.turn.scan(&prefix, after.as_deref(), limit).await?;
        let shown = page.items.iter().filter_map(|(key, item)| {
            Some(ReminderForm::new(&Name::from_row(key.name())?, &item.value))
        });
        let last = page.items.last().and_then(|(key, _)| key.name().strip_prefix(ROWS));
        let next = last.filter(|_| page.next.is_some()).map(str::to_owned);
        Ok(ListForm { reminders: shown.collect(), next })
    }

    /// Writes down how a delivery ended.
    pub(super) async fn settle(&self, told: Settling) -> Result<(), Error> {
        let name = named(&told.r#type, &told.id, &told.name)?;
        let Some(row) = self.stored(&name).await? else { return Ok(()) };
        let Ok(plan) = row.plan() else { return Ok(()) };
        let (now, shown) = (self.now()?, (told.generation, &told.at()));
        let error = told.error.as_deref();
        match row.after(&plan, shown, told.ended.outcome(), error, now) {
            // Another registration, or somebody else has told it.
            Err(Stale) => Ok(()),
            Ok(next) => {
                let is_lost = told.ended == Ended::Failed
                    && next.as_ref().is_none_or(|next| next.at.tick > told.tick);
                if is_lost {
                    let (actor_type, actor_id, reminder) = name.parts();
                    tracing::warn!(
                        actor_type,
                        actor_id,
                        reminder,
                        tick = told.tick,
                        error,
                        "a tick of a reminder failed for good"
                    );
                }
                self.replace(&name, Some(&row), next.map(|row| (row, plan))).await?;
                let ReminderCounters { delivered, failed, lost } = &*self.shared.reminded;
                match told.ended {
                    Ended::Done | Ended::Cancelled => {
                        delivered.fetch_add(1, Ordering::Relaxed);
                    }
                    Ended::Failed => {
                        failed.fetch_add(1, Ordering::Relaxed);
                        lost.fetch_add(u64::from(is_lost), Ordering::Relaxed);
                    }
                    Ended::Over => {}
                }
                Ok(())
            }
        }
    }

    /// Reads the next of the reminders in the order of their times, a page of them.
    pub(super) async fn read_on(&self) -> Result<(), Error> {
        let now = self.now()?;
        let (after, until) = {
            let book = self.shared.book();
            if !book.wants(now) {
                return Ok(());
            }
            (book.read_to(), book.read_until(now))
        };
        let page = self.turn.scan(ORDER, after.as_deref(), PAGE_MAX).await?;
        let (mut places, mut horizon) = (Vec::new(), None);
        for (key, _) in &page.items {
            let place = Name::from_order(key.name());
            if place.as_ref().is_some_and(|(time, _)| *time > until) {
                horizon = Some((until, None));
                break;
            }
            places.push((key.name(), place));
        }
        let last = places.iter().rev().find_map(|(_, place)| place.clone());
        let horizon = horizon.unwrap_or_else(|| match last.filter(|_| page.next.is_some()) {
            Some((time, name)) => (time, Some(name)),
            None => (until, None),
        });
        let rows = self.rows(&places).await?;
        self.shared.book().read(rows, horizon);
        self.shared.changed.notify_one();
        Ok(())
    }

    /// The rows of places in the order. What has none, or one that cannot be read or that
    /// stands elsewhere, loses its place: the row stays to be looked at (REM-13).
    async fn rows(
        &self,
        places: &[(&str, Option<(u64, Name)>)],
    ) -> Result<Vec<(Name, Row, ReminderPlan)>, Error> {
        let sought: Vec<(&str, u64, &Name)> = places
            .iter()
            .filter_map(|(key, place)| place.as_ref().map(|(time, name)| (*key, *time, name)))
            .collect();
        let strange = places.iter().filter(|(_, place)| place.is_none()).map(|(key, _)| *key);
        let mut lost: Vec<Change> = strange.map(Change::remove).collect();
        let keys: Vec<Arc<str>> = sought.iter().map(|(.., name)| name.row().into()).collect();
        let items = if keys.is_empty() { Vec::new() } else { self.turn.get_many(&keys).await? };
        let mut rows = Vec::with_capacity(items.len());
        for ((key, time, name), item) in sought.into_iter().zip(items) {
            let row = item.ok_or_else(|| "it has no row".to_owned());
            let row = row.and_then(|item| Row::decode(&item.value));
            let planned = row.and_then(|row| {
                let plan = row.plan().map_err(|error| error.to_string())?;
                Ok((row, plan))
            });
            match planned {
                Ok((row, plan)) if row.next() == time => rows.push((name.clone(), row, plan)),
                Ok(_) => lost.push(Change::remove(key)),
                Err(reason) => {
                    let (actor_type, actor_id, reminder) = name.parts();
                    tracing::error!(
                        actor_type,
                        actor_id,
                        reminder,
                        reason,
                        "a reminder cannot be read and is left out"
                    );
                    lost.push(Change::remove(key));
                }
            }
        }
        if !lost.is_empty() {
            self.turn.commit(lost).await?;
        }
        Ok(rows)
    }
}

/// Adds what writes this in place of what stood: its row, and its place in the order of times.
pub(super) fn exchange(
    name: &Name,
    before: Option<&Row>,
    after: Option<&Row>,
    changes: &mut Vec<Change>,
) {
    let next = after.map(Row::next);
    if let Some(before) = before
        && next != Some(before.next())
    {
        changes.push(Change::remove(&name.order(before.next())));
    }
    match after {
        Some(row) => {
            changes.push(Change::set(&name.row(), row.encode()));
            changes.push(Change::set(&name.order(row.next()), Bytes::new()));
        }
        None => changes.push(Change::remove(&name.row())),
    }
}

/// Has the book show what the store has from now on.
pub(super) fn enter(book: &mut Book, name: Name, after: Option<(Row, ReminderPlan)>) {
    match after {
        Some((row, plan)) => book.put(name, row, plan),
        None => book.remove(&name),
    }
}

fn named(actor_type: &str, id: &str, name: &str) -> Result<Name, Error> {
    Ok(Name::new(&ActorRef::parse(actor_type, id)?, name)?)
}

fn prefix_of(actor_type: &str, id: Option<&str>) -> Result<String, Error> {
    let actor = ActorRef::parse(actor_type, id.unwrap_or("any"))?;
    Ok(rows_of(actor.actor_type.as_str(), id))
}

/// When something is to be done again, from now.
pub(super) fn pause(next: Option<u64>, now: Timestamp) -> Option<std::time::Duration> {
    next.map(|next| std::time::Duration::from_millis(next.saturating_sub(millis(now))))
}
