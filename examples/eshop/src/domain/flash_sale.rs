//! A sale as the shop plans it: announced, put on the shelf, begun, over.
//!
//! What it costs at which second the goods decide themselves (`sale.rs`); here is when
//! they are to know about it. That follows from the plan and the time, so after every
//! command, reminder or lost answer it is asked anew what is wanted of the goods.
//! Invariant: the goods are told of at most one plan, and a plan they know is not edited.

pub mod commands;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::commands::{Create, Planned, SetShelf, Update};
use crate::domain::answer::{Reason, Refusal};
use crate::domain::checks;
use crate::domain::effects::{Effect, Reminder};
use crate::domain::events::{Event, PlanFacts, SaleFacts};
use crate::domain::ids;
use crate::domain::sale::{AttachSale, DetachSale, SaleStanding};
use crate::domain::time::Time;

/// Longest name of a sale, in characters.
pub const NAME_CHARS_MAX: usize = 40;
/// How far ahead a sale may end.
pub const AHEAD_MAX: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// A sale.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlashSale {
    /// Its id.
    pub activity_id: String,
    /// What it is called.
    pub name: String,
    /// Its goods.
    pub goods_id: String,
    /// The price of one, in cents.
    pub price_cents: u64,
    /// The price of one without it, in cents, when it was planned.
    pub original_cents: u64,
    /// From when on.
    pub start_at: Time,
    /// Until before when.
    pub end_at: Time,
    /// How many units in all; 0 for any number.
    pub quota: u32,
    /// How many units for one buyer; 0 for any number.
    pub per_buyer: u32,
    /// Whether it takes place.
    pub shelf: bool,
    /// Whether the goods may know of it: true before they are asked, so that they are
    /// asked to forget it though their answer got lost.
    pub touched: bool,
    /// Whether the goods have said that they know of it.
    pub attached: bool,
    /// Whether they are to forget it before anything else: it was taken off the shelf,
    /// and what it sold is known only once they have answered.
    pub leaving: bool,
    /// Counts how often they have forgotten it.
    pub rounds: u64,
    /// How many of the quota were gone when they last knew of it.
    pub sold: u32,
    /// Whether it was given up for good.
    pub deleted: bool,
    /// Why the goods did not want it, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Refusal>,
    /// Counts the changes.
    pub version: u64,
}

/// Where a sale stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SalePhase {
    /// Its time has not come.
    NotBegun,
    /// It takes place, if it is on the shelf.
    Running,
    /// Its time is over.
    Over,
}

/// What is wanted of the goods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// `AttachSale`.
    Attach(AttachSale),
    /// `DetachSale`.
    Detach(DetachSale),
}

impl SalePhase {
    /// Where a sale of this time stands now.
    #[must_use]
    pub fn at(now: Time, start: Time, end: Time) -> Self {
        if now < start {
            Self::NotBegun
        } else if now < end {
            Self::Running
        } else {
            Self::Over
        }
    }
}

impl FlashSale {
    /// Plans a sale, off the shelf.
    ///
    /// # Errors
    /// `invalid`; `duplicate` when the id is or was in use.
    pub fn create(
        slot: &mut Option<Self>,
        activity_id: &str,
        command: &Create,
        now: Time,
    ) -> Result<Planned, Refusal> {
        checks::id("activityId", activity_id)?;
        checks::id("goodsId", &command.goods_id)?;
        if slot.is_some() {
            let message = format!("the sale {activity_id} exists already");
            return Err(Refusal::new(Reason::Duplicate, message));
        }
        let plan = Self {
            activity_id: activity_id.to_owned(),
            name: command.name.clone(),
            goods_id: command.goods_id.clone(),
            price_cents: command.price_cents,
            original_cents: command.original_cents,
            start_at: command.start_at,
            end_at: command.end_at,
            quota: command.quota,
            per_buyer: command.per_buyer,
            version: 1,
            ..Self::default()
        };
        plan.check(now)?;
        Ok(slot.insert(plan).planned(now))
    }

    /// Changes the plan; what is left out stays.
    ///
    /// # Errors
    /// `invalid`, `not_found`; `wrong_state` while it is on the shelf.
    pub fn update(&mut self, command: &Update, now: Time) -> Result<Planned, Refusal> {
        self.is_there()?;
        if self.shelf || self.touched {
            let message = "take the sale off the shelf before you change it";
            return Err(Refusal::new(Reason::WrongState, message));
        }
        let plan = Self {
            name: command.name.clone().unwrap_or_else(|| self.name.clone()),
            price_cents: command.price_cents.unwrap_or(self.price_cents),
            original_cents: command.original_cents.unwrap_or(self.original_cents),
            start_at: command.start_at.unwrap_or(self.start_at),
            end_at: command.end_at.unwrap_or(self.end_at),
            quota: command.quota.unwrap_or(self.quota),
            per_buyer: command.per_buyer.unwrap_or(self.per_buyer),
            version: self.version + 1,
            ..self.clone()
        };
        plan.check(now)?;
        *self = plan;
        Ok(self.planned(now))
    }

    /// Puts it on the shelf, so that it takes place when its time comes, or takes it off.
    ///
    /// # Errors
    /// `not_found`; `expired` when its time is over.
    pub fn set_shelf(
        &mut self,
        command: &SetShelf,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<Planned, Refusal> {
        self.is_there()?;
        if command.shelf && now >= self.end_at {
            let message = format!("the sale ended at {}", self.end_at);
            return Err(Refusal::new(Reason::Expired, message));
        }
        if command.shelf != self.shelf {
            self.trouble = None;
            self.shelve(command.shelf, effects);
        }
        Ok(self.planned(now))
    }

    /// Gives it up for good.
    ///
    /// # Errors
    /// `not_found`.
    pub fn delete(&mut self, now: Time, effects: &mut Vec<Effect>) -> Result<Planned, Refusal> {
        self.is_there()?;
        self.deleted = true;
        self.shelve(false, effects);
        Ok(self.planned(now))
    }

    /// A reminder has fired. Called early, it asks to be called again at the right time.
    pub fn due(&self, reminder: Reminder, now: Time, effects: &mut Vec<Effect>) {
        let at = match reminder {
            Reminder::Start => self.start_at,
            _ => self.end_at,
        };
        if self.shelf && now < at {
            effects.push(Effect::Remind(reminder, at));
        }
    }

    /// What is wanted of the goods now, if anything.
    #[must_use]
    pub fn wanted(&self, now: Time) -> Option<Wanted> {
        // The same in a round, however often it is asked: the answer is the same, too.
        let cmd_id = ids::sale_round(&self.activity_id, self.rounds);
        let activity_id = self.activity_id.clone();
        let is_over = self.touched && self.phase(now) == SalePhase::Over;
        if self.leaving || is_over {
            return Some(Wanted::Detach(DetachSale { cmd_id, activity_id }));
        }
        match (self.shelf, self.phase(now)) {
            (true, SalePhase::Running) if !self.attached => Some(Wanted::Attach(AttachSale {
                cmd_id,
                activity_id,
                price_cents: self.price_cents,
                start_at: self.start_at,
                end_at: self.end_at,
                quota: self.quota,
                per_buyer: self.per_buyer,
                sold: self.sold,
            })),
            (_, _) => None,
        }
    }

    /// The goods have answered what was wanted of them.
    pub fn settled(
        &mut self,
        wanted: &Wanted,
        answer: Result<SaleStanding, Refusal>,
        now: Time,
        effects: &mut Vec<Effect>,
    ) {
        self.version += 1;
        match (wanted, answer) {
            (Wanted::Attach(_), Ok(standing)) => {
                (self.attached, self.sold) = (true, standing.sold);
                let event = Event::LimitedTimeActivitieStarted(self.facts());
                effects.push(Effect::Publish(event));
            }
            (Wanted::Attach(_), Err(refusal)) => {
                self.trouble = Some(refusal);
                self.shelve(false, effects);
            }
            // Refused: the goods are gone, and the sale with them.
            (Wanted::Detach(_), answer) => {
                self.sold = answer.map_or(self.sold, |standing| standing.sold.max(self.sold));
                if self.attached {
                    let event = Event::LimitedTimeActivitieEnded(self.facts());
                    effects.push(Effect::Publish(event));
                }
                (self.attached, self.leaving, self.touched) = (false, false, self.shelf);
                self.rounds += 1;
                if now >= self.end_at {
                    (self.shelf, self.touched) = (false, false);
                }
            }
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn phase(&self, now: Time) -> SalePhase {
        SalePhase::at(now, self.start_at, self.end_at)
    }

    fn shelve(&mut self, shelf: bool, effects: &mut Vec<Effect>) {
        (self.shelf, self.version) = (shelf, self.version + 1);
        self.leaving |= self.touched && !shelf;
        self.touched |= shelf;
        for (reminder, at) in [(Reminder::Start, self.start_at), (Reminder::End, self.end_at)] {
            effects.push(match shelf {
                true => Effect::Remind(reminder, at),
                false => Effect::Forget(reminder),
            });
        }
    }

    /// Where it stands, in short.
    #[must_use]
    pub fn planned(&self, now: Time) -> Planned {
        Planned {
            activity_id: self.activity_id.clone(),
            shelf: self.shelf,
            phase: self.phase(now),
            version: self.version,
        }
    }

    /// What the list of all sales is told after a change.
    #[must_use]
    pub fn told(&self) -> Effect {
        Effect::Publish(Event::LimitedTimeActivitieChanged(PlanFacts {
            activity_id: self.activity_id.clone(),
            deleted: self.deleted,
            name: self.name.clone(),
            goods_id: self.goods_id.clone(),
            price_cents: self.price_cents,
            original_cents: self.original_cents,
            start_at: self.start_at,
            end_at: self.end_at,
            quota: self.quota,
            per_buyer: self.per_buyer,
            shelf: self.shelf,
            sold: self.sold,
            version: self.version,
        }))
    }

    fn facts(&self) -> SaleFacts {
        SaleFacts {
            activity_id: self.activity_id.clone(),
            goods_id: self.goods_id.clone(),
            price_cents: self.price_cents,
            end_at: self.end_at,
        }
    }

    fn is_there(&self) -> Result<(), Refusal> {
        if self.deleted {
            return Err(Refusal::new(Reason::NotFound, "there is no such sale"));
        }
        Ok(())
    }

    fn check(&self, now: Time) -> Result<(), Refusal> {
        checks::name("name", &self.name, NAME_CHARS_MAX)?;
        checks::price(self.price_cents)?;
        if self.price_cents >= self.original_cents {
            let message = format!("priceCents must be below {}", self.original_cents);
            return Err(Refusal::invalid(message).at("priceCents"));
        }
        if self.start_at >= self.end_at {
            return Err(Refusal::invalid("startTime must be before endTime").at("startTime"));
        }
        if self.end_at <= now || self.end_at > now.after(AHEAD_MAX) {
            let message = "endTime must be in the future, and not more than 31 days ahead";
            return Err(Refusal::invalid(message).at("endTime"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
