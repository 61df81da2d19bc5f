//! The turns of a partition about what actors sent out with their commits.
//!
//! Rows of the inbox are written by the commits of actors, and removed here alone. What sets or
//! drops a reminder is carried out and removed in one commit; a call is taken into memory, and
//! removed once it was delivered.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::future::try_join_all;
use odeon_runtime::schedule::ReminderPlan;
use odeon_runtime::store::{Item, Key};
use odeon_runtime::{Change, Error};

use super::forms::{Posted, Posting};
use super::letter::{self, CALLS, REMINDERS, Wish};
use super::name::Name;
use super::partition::Desk;
use super::row::Row;

/// Reminders carried out in one transaction: four keys each, which may be long.
const REMINDERS_AT_ONCE: usize = 100;
/// Bytes of rows from which on a transaction takes no more of them; any one has a mebibyte at
/// most, and a transaction may have four.
const BYTES_AT_ONCE: usize = 2 << 20;
/// Transactions about reminders in one turn: others wait for it.
const ROUNDS_MAX: usize = 4;
/// Rows of one page when the calls of all senders are looked through; each may have a mebibyte.
const PAGE: usize = 100;
/// Senders whose calls are read at the same time, for the same reason.
const READ_AT_ONCE: usize = 4;
/// Rows removed in one transaction.
const REMOVED_AT_ONCE: usize = 500;

/// A reminder as it stood, and as it stands from now on.
struct Staged {
    before: Option<Row>,
    after: Option<(Row, ReminderPlan)>,
}

impl Desk<'_> {
    /// Does what there is to do about the inbox; what is left to do.
    pub(super) async fn post(&self, asked: Posting) -> Result<Posted, Error> {
        let Posting { reminders, senders, over, behind } = asked;
        if !over.is_empty() {
            self.remove(over).await?;
        }
        let mut posted = Posted::default();
        if reminders {
            posted.has_reminders = self.carry_out().await?;
        }
        let mut torn = Vec::new();
        if !senders.is_empty() {
            torn.extend(self.read_senders(&senders).await?);
        }
        if let Some(behind) = behind {
            let (next, more) = self.look_through(&behind).await?;
            posted.behind = next;
            torn.extend(more);
        }
        if !torn.is_empty() {
            self.remove(torn).await?;
        }
        Ok(posted)
    }

    /// Removes rows of calls that are over.
    async fn remove(&self, keys: Vec<String>) -> Result<(), Error> {
        for keys in keys.chunks(REMOVED_AT_ONCE) {
            let changes: Vec<_> = keys.iter().map(|key| Change::remove(key)).collect();
            self.turn.commit(changes).await?;
            self.shared.mail(|lanes| keys.iter().for_each(|key| lanes.was_removed(key)));
        }
        Ok(())
    }

    /// Reads the calls of senders into their lanes; what cannot be read.
    async fn read_senders(&self, senders: &[String]) -> Result<Vec<String>, Error> {
        let mut torn = Vec::new();
        for some in senders.chunks(READ_AT_ONCE) {
            let reads = some.iter().map(|sender| self.read_sender(sender));
            torn.extend(try_join_all(reads).await?.concat());
        }
        Ok(torn)
    }

    async fn read_sender(&self, sender: &str) -> Result<Vec<String>, Error> {
        if self.shared.mail(|lanes| lanes.is_full(sender)) {
            return Ok(Vec::new());
        }
        // What is known already may stand before what is not.
        let limit = self.shared.lane_max * 2;
        let page = self.turn.scan(&format!("{CALLS}{sender}/"), None, limit).await?;
        let (all_in, torn) = self.take_in(&page.items);
        let has_more = page.next.is_some() || !all_in;
        self.shared.mail(|lanes| lanes.was_read(sender, has_more));
        Ok(torn)
    }

    /// Reads a page of the calls of all senders; behind which key the next one begins, and what
    /// cannot be read.
    async fn look_through(&self, behind: &str) -> Result<(Option<String>, Vec<String>), Error> {
        let after = Some(behind).filter(|behind| !behind.is_empty());
        let page = self.turn.scan(CALLS, after, PAGE).await?;
        let (_, torn) = self.take_in(&page.items);
        let last = page.items.last().filter(|_| page.next.is_some());
        let next = last.map(|(key, _)| match letter::sender_of(key.name()) {
            // Past all that one sender has, when there is no room for any of it.
            Some(sender) if self.shared.mail(|lanes| lanes.is_full(sender)) => {
                format!("{CALLS}{sender}0")
            }
            _ => key.name().to_owned(),
        });
        Ok((next, torn))
    }

    /// Takes calls into memory as long as there is room; whether there was for all, and what
    /// cannot be read.
    fn take_in(&self, items: &[(Key, Item)]) -> (bool, Vec<String>) {
        let (mut all_in, mut torn, now) = (true, Vec::new(), self.shared.elapsed());
        for (key, item) in items {
            let key = key.name();
            let read = match letter::sender_of(key) {
                Some(_) => letter::call(&item.value),
                None => Err("its key names no actor".to_owned()),
            };
            match read {
                Ok(letter) => {
                    all_in &= self.shared.mail(|lanes| lanes.take_in(key, || letter, now));
                }
                Err(reason) => torn.push(self.left_out(key, &reason)),
            }
        }
        (all_in, torn)
    }

    fn left_out(&self, key: &str, reason: &str) -> String {
        tracing::error!(key, reason, "what a turn sent out cannot be read and is left out");
        self.shared.sent.given_up.fetch_add(1, Ordering::Relaxed);
        key.to_owned()
    }

    /// Sets and drops the reminders that wait for that; whether there are more.
    async fn carry_out(&self) -> Result<bool, Error> {
        for _ in 0..ROUNDS_MAX {
            let page = self.turn.scan(REMINDERS, None, REMINDERS_AT_ONCE).await?;
            let mut bytes = 0;
            let fits = |item: &&(Key, Item)| {
                let is_first = bytes == 0;
                bytes += item.1.value.len();
                is_first || bytes <= BYTES_AT_ONCE
            };
            let items: Vec<_> = page.items.iter().take_while(fits).collect();
            let is_all = items.len() == page.items.len() && page.next.is_none();
            if !items.is_empty() {
                self.carry_out_all(&items).await?;
            }
            if is_all {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn carry_out_all(&self, items: &[&(Key, Item)]) -> Result<(), Error> {
        let (mut changes, mut wishes) = (Vec::with_capacity(items.len() * 4), Vec::new());
        for (key, item) in items {
            changes.push(Change::remove(key.name()));
            match letter::reminder(key.name(), &item.value) {
                Ok(wish) => wishes.push(wish),
                Err(reason) => drop(self.left_out(key.name(), &reason)),
            }
        }
        let count = wishes.len() as u64;
        let staged = self.stage(wishes).await?;
        for (name, Staged { before, after }) in &staged {
            let next = after.as_ref().map(|(row, _)| row.next());
            if let Some(before) = before
                && next != Some(before.next())
            {
                changes.push(Change::remove(&name.order(before.next())));
            }
            match after {
                Some((row, _)) => {
                    changes.push(Change::set(&name.row(), row.encode()));
                    changes.push(Change::set(&name.order(row.next()), Bytes::new()));
                }
                None => changes.push(Change::remove(&name.row())),
            }
        }
        self.turn.commit(changes).await?;
        self.shared.sent.delivered.fetch_add(count, Ordering::Relaxed);
        let mut book = self.shared.book();
        for (name, Staged { after, .. }) in staged {
            match after {
                Some((row, plan)) => book.put(name, row, plan),
                None => book.remove(&name),
            }
        }
        drop(book);
        self.shared.changed.notify_one();
        Ok(())
    }

    /// What is to stand after all of these, in their order.
    async fn stage(&self, wishes: Vec<(Name, Wish)>) -> Result<BTreeMap<Name, Staged>, Error> {
        let names: Vec<&Name> = wishes.iter().map(|(name, _)| name).collect();
        let mut staged = self.standing(&names).await?;
        for (name, wish) in wishes {
            let Some(stands) = staged.get_mut(&name) else { continue };
            match wish {
                Wish::Drop => stands.after = None,
                Wish::Set { should_replace: false, .. } if stands.after.is_some() => {}
                Wish::Set { row, .. } => {
                    let row = Row { generation: self.entropy.u64(), ..*row };
                    // It had one when it was sent; what an older release cannot plan is as good
                    // as none.
                    stands.after = row.plan().ok().map(|plan| (row, plan));
                }
            }
        }
        Ok(staged)
    }

    /// How these stand now.
    async fn standing(&self, names: &[&Name]) -> Result<BTreeMap<Name, Staged>, Error> {
        let mut rows: BTreeMap<Name, Option<Row>> = {
            let book = self.shared.book();
            names.iter().map(|&name| (name.clone(), book.row(name).cloned())).collect()
        };
        let unknown: Vec<Name> =
            rows.iter().filter(|(_, row)| row.is_none()).map(|(name, _)| name.clone()).collect();
        if !unknown.is_empty() {
            let keys: Vec<_> = unknown.iter().map(|name| name.row().into()).collect();
            let items = self.turn.get_many(&keys).await?;
            for (name, item) in unknown.into_iter().zip(items) {
                rows.insert(name, item.and_then(|item| Row::decode(&item.value).ok()));
            }
        }
        let staged = rows.into_iter().map(|(name, before)| {
            let after = before.clone().and_then(|row| row.plan().ok().map(|plan| (row, plan)));
            (name, Staged { before, after })
        });
        Ok(staged.collect())
    }
}
