//! What a buyer means to order: at most 50 lines, one per kind of goods.
//!
//! The basket remembers name, picture and price as the buyer saw them, to show and
//! to compare; the price that counts is decided by the goods when they are
//! reserved. How a basket becomes an order is in `checkout.rs`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::answer::{Reason, Refusal};
use crate::domain::checks::{self, COUNT_MAX, LINES_MAX, PRICE_CENTS_MAX, TEXT_CHARS_MAX};
use crate::domain::effects::{Effect, Reminder};
use crate::domain::events::{BasketFacts, Event};
use crate::domain::goods::commands::Quoted;
use crate::domain::time::Time;

/// How long after the last change a basket counts as abandoned.
pub const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// How long after that it is emptied: a week after the last change.
pub const EMPTIED_AFTER: Duration = Duration::from_secs(6 * 24 * 60 * 60);

/// A buyer's basket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Basket {
    /// The lines, in the order in which they were added.
    pub items: Vec<Item>,
    /// Counts the changes.
    pub version: u64,
    /// When it was changed last.
    pub updated_at: Time,
    /// When it was told that nobody touches it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abandoned_at: Option<Time>,
}

/// One line of a basket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Item {
    /// The id of the goods.
    pub goods_id: String,
    /// How many, 1 to 99.
    pub count: u32,
    /// The price of one that the buyer saw, in cents; 0 if none was shown.
    #[serde(default)]
    pub price_seen_cents: u64,
    /// The name that the buyer saw.
    #[serde(default)]
    pub name: String,
    /// The picture that the buyer saw.
    #[serde(default)]
    pub image: String,
    /// When the line was added.
    #[serde(default)]
    pub added_at: Time,
    /// What the goods said about it lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted: Option<LineQuote>,
}

/// A line with what it costs now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PricedLine {
    /// The price of one, in cents: what the goods say, else what the buyer saw.
    pub cents: u64,
    /// The price of all, in cents.
    pub total_cents: u64,
    /// Whether that is another price than the buyer saw.
    pub is_changed: bool,
    /// Units that an order can still have.
    pub available: u32,
    /// Whether they are for sale.
    pub is_on_shelf: bool,
}

impl Item {
    /// What the line costs, by what the goods say; they may be gone.
    #[must_use]
    pub fn priced(&self, quoted: Option<&Quoted>) -> PricedLine {
        let cents = quoted.map_or(self.price_seen_cents, |quoted| quoted.price_cents);
        PricedLine {
            cents,
            total_cents: cents * u64::from(self.count),
            is_changed: cents != self.price_seen_cents,
            available: quoted.map_or(0, |quoted| quoted.available),
            is_on_shelf: quoted.is_some_and(|quoted| !quoted.off_shelf),
        }
    }

    /// What is to be marked about the line once it costs so much: another price, or that it can
    /// be had or cannot. How many are left does not count while there are enough: it changes
    /// with everybody's orders.
    #[must_use]
    pub fn news(&self, now: &PricedLine) -> Option<Requote> {
        let can_be_had = |on_shelf: bool, available: u32| on_shelf && available >= self.count;
        let known = self.quoted.as_ref().map_or((self.price_seen_cents, true), |quoted| {
            (quoted.price_cents, can_be_had(quoted.on_shelf, quoted.available))
        });
        let is_known = known == (now.cents, can_be_had(now.is_on_shelf, now.available));
        (!is_known).then(|| Requote {
            goods_id: self.goods_id.clone(),
            quoted: LineQuote {
                price_cents: now.cents,
                available: now.available,
                on_shelf: now.is_on_shelf,
            },
        })
    }
}

/// What the goods say about a line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LineQuote {
    /// The price of one, in cents.
    pub price_cents: u64,
    /// How many can be had.
    pub available: u32,
    /// Whether they are for sale.
    pub on_shelf: bool,
}

/// Marks lines with what the goods say about them; lines that are gone are left alone. Asked
/// again, it does no harm, so it needs no id.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Touch {
    /// What the goods say.
    pub lines: Vec<Requote>,
}

/// What the goods say about the line with them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Requote {
    /// The id of the goods.
    pub goods_id: String,
    /// What they say.
    pub quoted: LineQuote,
}

/// Where a basket stood before a command, to see what it has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The version.
    pub version: u64,
    /// Whether somebody would miss it.
    pub is_waiting: bool,
}

/// Sets the count of a line, or adds to it. What is left out stays as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Put {
    /// The command's id.
    pub cmd_id: String,
    /// The id of the goods.
    pub goods_id: String,
    /// How many.
    pub count: u32,
    /// The price of one that the buyer saw, in cents.
    pub price_seen_cents: Option<u64>,
    /// The name that the buyer saw.
    pub name: Option<String>,
    /// The picture that the buyer saw.
    pub image: Option<String>,
    /// Refuse if the basket has another version.
    pub version: Option<u64>,
}

/// Empties the basket.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Clear {
    /// The command's id.
    pub cmd_id: String,
    /// Refuse if the basket has another version.
    pub version: Option<u64>,
}

/// Adds the lines of a guest's basket, when the guest logs in.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Merge {
    /// The command's id.
    pub cmd_id: String,
    /// The guest's lines.
    pub items: Vec<Item>,
}

/// What a command has made of the basket, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The version now.
    pub version: u64,
    /// The number of lines.
    pub lines: usize,
    /// What they would cost at the prices the buyer saw, in cents.
    pub total_cents: u64,
}

/// The basket, as the outside sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// The basket.
    #[serde(flatten)]
    pub basket: Basket,
    /// What it would cost at the prices the buyer saw, in cents.
    pub total_cents: u64,
}

impl Basket {
    /// Sets the count of a line; 0 removes it.
    ///
    /// # Errors
    /// `invalid`, also for a 51st line; `conflict` when the basket has another version.
    pub fn set_item(&mut self, command: &Put, now: Time) -> Result<Receipt, Refusal> {
        self.is_version(command.version)?;
        if command.count == 0 {
            checks::id("goodsId", &command.goods_id)?;
            self.items.retain(|item| item.goods_id != command.goods_id);
            return Ok(self.changed(now));
        }
        self.put(command, command.count, now)
    }

    /// Adds to the count of a line.
    ///
    /// # Errors
    /// `invalid`, also for a 51st line or more than 99 units in a line; `conflict`
    /// when the basket has another version.
    pub fn add(&mut self, command: &Put, now: Time) -> Result<Receipt, Refusal> {
        self.is_version(command.version)?;
        checks::count(command.count)?;
        let before = self.line(&command.goods_id).map_or(0, |item| item.count);
        self.put(command, before + command.count, now)
    }

    /// Empties it.
    ///
    /// # Errors
    /// `conflict` when the basket has another version.
    pub fn clear(&mut self, command: &Clear, now: Time) -> Result<Receipt, Refusal> {
        self.is_version(command.version)?;
        self.items.clear();
        Ok(self.changed(now))
    }

    /// Adds a guest's lines as far as there is room: the buyer has just logged in
    /// and should not be told off for having filled a basket before.
    ///
    /// # Errors
    /// `invalid`.
    pub fn merge(&mut self, command: &Merge, now: Time) -> Result<Receipt, Refusal> {
        for item in &command.items {
            check(item)?;
        }
        for item in &command.items {
            let known = self.items.iter_mut().find(|own| own.goods_id == item.goods_id);
            if let Some(own) = known {
                own.count = (own.count + item.count).min(COUNT_MAX);
            } else if self.items.len() < LINES_MAX {
                self.items.push(Item { added_at: now, quoted: None, ..item.clone() });
            }
        }
        Ok(self.changed(now))
    }

    /// Marks lines with what the goods say. The buyer has changed nothing, so the
    /// version stays.
    ///
    /// # Errors
    /// `invalid`.
    pub fn touch(&mut self, command: &Touch) -> Result<Receipt, Refusal> {
        if command.lines.len() > LINES_MAX {
            return Err(Refusal::invalid(format!("a basket has at most {LINES_MAX} lines")));
        }
        for line in &command.lines {
            let own = self.items.iter_mut().find(|own| own.goods_id == line.goods_id);
            if let Some(own) = own {
                own.quoted = Some(line.quoted.clone());
            }
        }
        Ok(self.receipt())
    }

    /// Nobody has touched it: after a day that is told, after a week it is emptied.
    /// Called early, it asks to be called again at the right time.
    pub fn abandon(&mut self, account_id: &str, now: Time, effects: &mut Vec<Effect>) {
        let due_at = match self.abandoned_at {
            None => self.updated_at.after(ABANDONED_AFTER),
            Some(told_at) => told_at.after(EMPTIED_AFTER),
        };
        if self.items.is_empty() {
            effects.push(Effect::Forget(Reminder::Abandon));
        } else if now < due_at {
            effects.push(Effect::Remind(Reminder::Abandon, due_at));
        } else if self.abandoned_at.is_none() {
            self.abandoned_at = Some(now);
            let (account_id, lines) = (account_id.to_owned(), self.items.len());
            let event = Event::BasketAbandoned(BasketFacts { account_id, lines });
            effects.push(Effect::Publish(event));
            effects.push(Effect::Remind(Reminder::Abandon, now.after(EMPTIED_AFTER)));
        } else {
            self.items.clear();
            self.changed(now);
            effects.push(Effect::Forget(Reminder::Abandon));
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn mark(&self) -> Mark {
        let is_waiting = !self.items.is_empty() && self.abandoned_at.is_none();
        Mark { version: self.version, is_waiting }
    }

    /// What is to be done about what a command has changed since then.
    #[must_use]
    pub fn effects(&self, since: Mark) -> Option<Effect> {
        if self.version == since.version {
            return None;
        }
        match (since.is_waiting, self.mark().is_waiting) {
            // That it waits longer is found out when the reminder fires.
            (true, true) => None,
            (false, true) => {
                let due_at = self.updated_at.after(ABANDONED_AFTER);
                Some(Effect::Remind(Reminder::Abandon, due_at))
            }
            (_, false) => Some(Effect::Forget(Reminder::Abandon)),
        }
    }

    /// Takes lines out as far as they are still in, because they have been ordered.
    pub fn take_out(&mut self, ordered: &[Item], now: Time) -> Receipt {
        for line in ordered {
            if let Some(own) = self.items.iter_mut().find(|own| own.goods_id == line.goods_id) {
                own.count = own.count.saturating_sub(line.count);
            }
        }
        self.items.retain(|item| item.count > 0);
        self.changed(now)
    }

    /// The basket, as the outside sees it.
    #[must_use]
    pub fn view(&self) -> View {
        View { basket: self.clone(), total_cents: total_cents(&self.items) }
    }

    fn line(&self, goods_id: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.goods_id == goods_id)
    }

    fn is_version(&self, expected: Option<u64>) -> Result<(), Refusal> {
        if expected.is_some_and(|expected| expected != self.version) {
            let message = format!("the basket has version {} now", self.version);
            return Err(Refusal::new(Reason::Conflict, message));
        }
        Ok(())
    }

    fn put(&mut self, command: &Put, count: u32, now: Time) -> Result<Receipt, Refusal> {
        let old = self.items.iter().position(|item| item.goods_id == command.goods_id);
        if old.is_none() && self.items.len() == LINES_MAX {
            return Err(Refusal::invalid(format!("a basket has at most {LINES_MAX} lines")));
        }
        let mut item = match old {
            Some(at) => self.items[at].clone(),
            None => Item { goods_id: command.goods_id.clone(), added_at: now, ..Item::default() },
        };
        item.count = count;
        item.price_seen_cents = command.price_seen_cents.unwrap_or(item.price_seen_cents);
        if let Some(name) = &command.name {
            item.name.clone_from(name);
        }
        if let Some(image) = &command.image {
            item.image.clone_from(image);
        }
        check(&item)?;
        match old {
            Some(at) => self.items[at] = item,
            None => self.items.push(item),
        }
        Ok(self.changed(now))
    }

    fn changed(&mut self, now: Time) -> Receipt {
        self.version += 1;
        self.updated_at = now;
        self.abandoned_at = None;
        self.receipt()
    }

    /// The basket in short.
    #[must_use]
    pub fn receipt(&self) -> Receipt {
        let (lines, total_cents) = (self.items.len(), total_cents(&self.items));
        Receipt { version: self.version, lines, total_cents }
    }
}

/// What lines cost at the prices the buyer saw, in cents.
#[must_use]
pub fn total_cents(items: &[Item]) -> u64 {
    items.iter().map(|item| item.price_seen_cents * u64::from(item.count)).sum()
}

fn check(item: &Item) -> Result<(), Refusal> {
    checks::id("goodsId", &item.goods_id)?;
    checks::count(item.count)?;
    checks::text("name", &item.name, TEXT_CHARS_MAX)?;
    checks::text("image", &item.image, TEXT_CHARS_MAX)?;
    if item.price_seen_cents > PRICE_CENTS_MAX {
        let message = format!("priceSeenCents must be at most {PRICE_CENTS_MAX}");
        return Err(Refusal::invalid(message).at("priceSeenCents"));
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
