//! The turns of a partition about what actors sent out with their commits.
//!
//! Rows of the inbox are written by the commits of actors, and removed here alone. What sets or
//! drops a reminder is carried out and removed in one commit; a call is taken into memory, and
//! removed once it was delivered.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::future::try_join_all;
use odeon_runtime::store::{Item, Key};
use odeon_runtime::{Change, Error};

use super::forms::{Posted, Posting};
use super::letter::{self, CALLS, REMINDERS, Wish};
use super::name::Name;
use super::partition::Desk;
use super::row::Row;
use super::sheets::Sheets;

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

/// How many of these go into one transaction; one at least.
fn fitting(items: &[(Key, Item)]) -> usize {
    let mut bytes = 0;
    let fits = |item: &&(Key, Item)| {
        bytes += item.1.value.len();
        bytes <= BYTES_AT_ONCE
    };
    items.iter().take_while(fits).count().max(1)
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
            let is_done = self.carry_out(REMINDERS, ROUNDS_MAX).await?;
            self.shared.set_has_reminders(!is_done);
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

    /// Carries out what turns of a type, or of one of its actors, have committed about their
    /// reminders: whoever asks after them now came later.
    pub(super) async fn catch_up(&self, actor_type: &str, id: Option<&str>) -> Result<(), Error> {
        self.carry_out(&letter::reminders_of(actor_type, id), usize::MAX).await.map(drop)
    }

    /// The same for all types.
    pub(super) async fn catch_up_all(&self) -> Result<(), Error> {
        self.carry_out(REMINDERS, usize::MAX).await.map(drop)
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
        let (held_up, torn) = self.take_in(&page.items);
        let has_more = page.next.is_some() || !held_up.is_empty();
        self.shared.mail(|lanes| lanes.was_read(sender, has_more));
        Ok(torn)
    }

    /// Reads a page of the calls of all senders; behind which key the next one begins, and what
    /// cannot be read.
    async fn look_through(&self, behind: &str) -> Result<(Option<String>, Vec<String>), Error> {
        let after = Some(behind).filter(|behind| !behind.is_empty());
        let page = self.turn.scan(CALLS, after, PAGE).await?;
        let (held_up, torn) = self.take_in(&page.items);
        let last = page.items.last().filter(|_| page.next.is_some());
        let next = last.map(|(key, _)| match letter::sender_of(key.name()) {
            // Past all that one sender has: there was no room for what comes before it.
            Some(sender) if held_up.contains(sender) => format!("{CALLS}{sender}0"),
            _ => key.name().to_owned(),
        });
        Ok((next, torn))
    }

    /// Takes calls into memory as long as there is room; the senders for which there was not
    /// enough, and what cannot be read.
    fn take_in(&self, items: &[(Key, Item)]) -> (BTreeSet<Arc<str>>, Vec<String>) {
        let (mut letters, mut torn) = (Vec::new(), Vec::new());
        for (key, item) in items {
            let key = key.name();
            let read = match letter::sender_of(key) {
                Some(_) => letter::call(&item.value),
                None => Err("its key names no actor".to_owned()),
            };
            match read {
                Ok(letter) => letters.push((key, letter)),
                Err(reason) => torn.push(self.left_out(key, &reason)),
            }
        }
        let now = self.shared.elapsed();
        // In one section: room that comes in between would let a later call in before an earlier.
        (self.shared.mail(|lanes| lanes.take_in_all(letters, now)), torn)
    }

    fn left_out(&self, key: &str, reason: &str) -> String {
        tracing::error!(key, reason, "what a turn sent out cannot be read and is left out");
        self.shared.sent.given_up.fetch_add(1, Ordering::Relaxed);
        key.to_owned()
    }

    /// Sets and drops the reminders that wait for that under such keys; whether that is all.
    async fn carry_out(&self, starts_with: &str, rounds_max: usize) -> Result<bool, Error> {
        let mut rounds = 0;
        loop {
            let page = self.turn.scan(starts_with, None, REMINDERS_AT_ONCE).await?;
            let mut rest = &page.items[..];
            while !rest.is_empty() {
                if rounds == rounds_max {
                    return Ok(false);
                }
                let (some, others) = rest.split_at(fitting(rest));
                self.carry_out_all(some).await?;
                (rest, rounds) = (others, rounds + 1);
            }
            if page.next.is_none() {
                return Ok(true);
            }
        }
    }

    async fn carry_out_all(&self, items: &[(Key, Item)]) -> Result<(), Error> {
        let mut left = items.iter().peekable();
        while left.peek().is_some() {
            let (mut sheets, mut names) = (Sheets::new(self.turn), Vec::new());
            let (mut changes, mut count) = (Vec::new(), 0);
            // Sheets may hold much beside what is set in them.
            while !sheets.is_full()
                && let Some((key, item)) = left.next()
            {
                changes.push(Change::remove(key.name()));
                match letter::reminder(key.name(), &item.value) {
                    Ok((name, wish)) => {
                        count += 1;
                        sheets.open(&name).await?;
                        if self.stage(&mut sheets, &name, wish) {
                            names.push(name);
                        }
                    }
                    Err(reason) => drop(self.left_out(key.name(), &reason)),
                }
            }
            let (written, sheets) = sheets.close(self.loaded_to());
            changes.extend(written);
            self.turn.commit(changes).await?;
            self.shared.sent.delivered.fetch_add(count, Ordering::Relaxed);
            self.wrote(&names, &sheets);
        }
        Ok(())
    }

    /// Has a wish come true in its sheet; whether that changed anything. What nobody touched is
    /// not written anew, or a try that failed would be forgotten.
    fn stage(&self, sheets: &mut Sheets<'_>, name: &Name, wish: Wish) -> bool {
        match wish {
            Wish::Drop => sheets.set(name, None),
            Wish::Set { should_replace: false, .. } if sheets.row(name).is_some() => return false,
            Wish::Set { row, .. } => {
                let row = Row { generation: self.entropy.u64(), ..*row };
                sheets.set(name, Some(&row));
            }
        }
        true
    }
}
