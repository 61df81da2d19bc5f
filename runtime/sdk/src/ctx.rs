//! What a method is handed beside its arguments: state, identity, time.
//!
//! Reads go to the actor's state through the turn; writes are kept until the
//! method has returned `Ok`, then committed at once, and only then the answer
//! leaves (ST-9). `Ctx::call`, which needs the typed clients, is in `client.rs`.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use odeon_base::ident::check_name;
use odeon_base::{ActorId, ActorType};
use odeon_runtime::store::{Condition, Expiry};
use odeon_runtime::turn::{Change, Commit};
use odeon_runtime::{Effect, Headers};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::changes::{Changes, Own};
use crate::error::{Cause, Error, Result};
use crate::message::Message;
use crate::page::{self, Page};
use crate::place::{After, Place};
use crate::reminder::Reminder;
use crate::timer::{Timer, Wish};
use crate::wire;

/// The turn, as the actor's code sees it.
///
/// In an `#[actor]` block it is written `ctx: &mut Ctx`, or `ctx: &Ctx` where the
/// method only reads.
///
/// ```
/// # use odeon_sdk::{Ctx, Result};
/// async fn rename(ctx: &mut Ctx<'_>, name: String) -> Result<Option<String>> {
///     let before = ctx.get("name").await?;
///     ctx.set("name", &name)?;
///     assert_eq!(ctx.get::<String>("name").await?, Some(name)); // its own write
///     Ok(before)
/// }
/// ```
#[derive(Debug)]
pub struct Ctx<'a> {
    pub(crate) place: Place<'a>,
    changes: Changes,
    wishes: Vec<Wish>,
    effects: Vec<Effect>,
    headers: Option<&'a Headers>,
}

impl<'a> Ctx<'a> {
    pub(crate) fn new(place: Place<'a>, headers: Option<&'a Headers>) -> Self {
        let changes = Changes::default();
        Self { place, changes, wishes: Vec::new(), effects: Vec::new(), headers }
    }

    /// The actor's id.
    #[must_use]
    pub fn id(&self) -> &ActorId {
        &self.place.actor().id
    }

    /// The actor's type.
    #[must_use]
    pub fn actor_type(&self) -> &ActorType {
        &self.place.actor().actor_type
    }

    /// The time of the calendar; in a test, that of the test kit.
    ///
    /// In a worker it is the time when the turn began.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.place.now()
    }

    /// A header that the caller sent; typed calls within a process send none.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers?.get(name)
    }

    /// A value of the actor's state; `None` if there is none, or it has expired.
    ///
    /// # Errors
    /// [`Error::Value`] when it is of another shape, [`Error::State`] when it is out
    /// of reach: then let the method fail with it.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let Some(bytes) = self.get_raw(key).await? else { return Ok(None) };
        wire::read(&bytes).map(Some).map_err(|error| Error::unfit(key, &error))
    }

    /// The bytes of a value of the actor's state.
    ///
    /// # Errors
    /// [`Error::State`] when it is out of reach.
    pub async fn get_raw(&self, key: &str) -> Result<Option<Bytes>> {
        match self.changes.of(key) {
            Own::Set(value) => Ok(Some(value.clone())),
            Own::Removed => Ok(None),
            Own::Untouched => self.place.get(key).await.map_err(Error::State),
        }
    }

    /// The keys of the actor's state that begin with `prefix`, those behind the key `after`: a page of
    /// at most 1,000, in byte order, with what this turn has set or removed.
    ///
    /// ```
    /// # use odeon_sdk::{Ctx, Result};
    /// async fn count(ctx: &Ctx<'_>) -> Result<usize> {
    ///     let (mut count, mut after) = (0, None);
    ///     loop {
    ///         let page = ctx.keys("item/", after.as_deref()).await?;
    ///         count += page.items.len();
    ///         after = page.next;
    ///         if after.is_none() {
    ///             return Ok(count);
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::State`] when the state is out of reach.
    pub async fn keys(&self, prefix: &str, after: Option<&str>) -> Result<Page<String>> {
        let page = self.page(prefix, after, false).await?;
        Ok(page.map(|(key, _)| key))
    }

    /// As [`Self::keys`], with the values.
    ///
    /// # Errors
    /// [`Error::Value`] when one is of another shape, [`Error::State`] when the state is out of reach.
    pub async fn range<T: DeserializeOwned>(
        &self,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<Page<(String, T)>> {
        let Page { items, next } = self.page(prefix, after, true).await?;
        let read = items.into_iter().map(|(key, bytes)| {
            let value = wire::read(&bytes).map_err(|error| Error::unfit(&key, &error))?;
            Ok((key, value))
        });
        Ok(Page { items: read.collect::<Result<_>>()?, next })
    }

    async fn page(
        &self,
        prefix: &str,
        after: Option<&str>,
        has_values: bool,
    ) -> Result<Page<(String, Bytes)>> {
        let stored = self.place.page(prefix, after, has_values).await.map_err(Error::State)?;
        Ok(page::with_own(stored, self.changes.iter(), (prefix, after)))
    }

    /// Keeps a value, once the method has returned `Ok`.
    ///
    /// # Errors
    /// [`Error::Value`] when it cannot be written as JSON.
    pub fn set<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<()> {
        self.set_raw(key, wire::write(value).map_err(|error| Error::unfit(key, &error))?);
        Ok(())
    }

    /// Keeps a value that vanishes this long after the commit; in a worker, in whole
    /// seconds, rounded up.
    ///
    /// # Errors
    /// [`Error::Value`] when it cannot be written as JSON.
    pub fn set_with_ttl<T: Serialize + ?Sized>(
        &mut self,
        key: &str,
        value: &T,
        ttl: Duration,
    ) -> Result<()> {
        let value = wire::write(value).map_err(|error| Error::unfit(key, &error))?;
        self.put(key, value, Expiry::After(ttl));
        Ok(())
    }

    /// Keeps bytes. Not empty ones: a worker's host cannot tell them from nothing.
    pub fn set_raw(&mut self, key: &str, value: impl Into<Bytes>) {
        self.put(key, value.into(), Expiry::Never);
    }

    /// Removes a value, once the method has returned `Ok`.
    pub fn remove(&mut self, key: &str) {
        self.changes.put(Change::remove(key));
    }

    /// Sets a timer in place of the one of this name, once the method has returned `Ok` and what
    /// it set is kept. There may be a thousand of an actor.
    pub fn set_timer(&mut self, name: &str, timer: Timer) {
        let Timer { spec, data } = timer;
        self.wishes.push(Wish::Set { name: name.into(), spec: Arc::new(spec), data });
    }

    /// Drops the timer of this name, once the method has returned `Ok`.
    pub fn drop_timer(&mut self, name: &str) {
        self.wishes.push(Wish::Drop { name: name.into() });
    }

    /// Sets a reminder in place of the one of this name, in the same commit as what the method
    /// set: once it has returned `Ok`, and only then.
    ///
    /// # Errors
    /// [`Error::Name`] for a name that is not acceptable; [`Error::Setup`] when the reminder
    /// says no time, contradicts itself, or carries more than a mebibyte.
    pub fn set_reminder(&mut self, name: &str, reminder: Reminder) -> Result<()> {
        check_name("name", name)?;
        let wrong = |reason| Error::Setup { what: "the reminder", value: name.to_owned(), reason };
        let effect = reminder.effect(name).map_err(wrong)?;
        effect.check(self.now()).map_err(|error| wrong(error.to_string()))?;
        self.effects.push(effect);
        Ok(())
    }

    /// Deletes the reminder of this name, if there is one, in the same commit as what the
    /// method set. A name that no reminder can have fails that commit.
    pub fn drop_reminder(&mut self, name: &str) {
        self.effects.push(Effect::DropReminder { name: name.into() });
    }

    /// Sends a message with the commit of what the method set: once it has returned `Ok`, and
    /// only then. An id that is not acceptable, or more than a mebibyte, fails that commit.
    pub fn send(&mut self, message: Message) {
        self.effects.push(message.effect());
    }

    /// Asks that the actor leaves memory after this turn, as if it had been idle.
    pub fn deactivate(&self) {
        self.place.after(After::Deactivate);
    }

    fn put(&mut self, key: &str, value: Bytes, expiry: Expiry) {
        let condition = Condition::None;
        self.changes.put(Change::Set { name: key.into(), value, condition, expiry });
    }

    /// The turn is about to commit, and to answer this.
    pub(crate) fn will_answer(&self, body: &Bytes) {
        self.place.will_answer(body);
    }

    /// Whether anything waits to be committed.
    pub(crate) fn is_changed(&self) -> bool {
        !self.changes.is_empty() || !self.effects.is_empty()
    }

    /// Commits what the method set and sends out. Afterwards memory and state agree, or the
    /// activation ends.
    ///
    /// # Cancel safety
    /// Dropped, the outcome is unknown; the turn is dropped only with its activation.
    pub(crate) async fn commit(&mut self) -> Result<(), Cause> {
        if self.is_changed() {
            let effects = std::mem::take(&mut self.effects);
            let commit = Commit { changes: self.changes.take(), effects };
            let committed = self.place.commit(commit).await;
            if committed.is_err() {
                self.place.after(After::Forget);
                return committed;
            }
        }
        for wish in std::mem::take(&mut self.wishes) {
            self.place.wish(wish).await?;
        }
        Ok(())
    }

    /// The memory may hold what the state does not: it is dropped after the turn.
    pub(crate) fn forget(&self) {
        self.place.after(After::Forget);
    }
}
