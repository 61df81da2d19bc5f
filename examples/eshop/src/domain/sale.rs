//! A sale, as the goods know it: a lower price for a time, for so many units in all
//! and for so many of each buyer.
//!
//! The time is that of the turn which takes the units: a sale that was attached too
//! early or is detached too late sells nothing outside its time.

use serde::{Deserialize, Serialize};

use crate::domain::answer::{Reason, Refusal};
use crate::domain::checks;
use crate::domain::time::Time;

/// A sale of one kind of goods.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sale {
    /// Its id.
    pub activity_id: String,
    /// The price of one, in cents.
    pub price_cents: u64,
    /// From when on.
    pub start_at: Time,
    /// Until before when.
    pub end_at: Time,
    /// How many units in all; 0 for any number.
    pub quota: u32,
    /// How many units for one buyer; 0 for any number.
    pub per_buyer: u32,
    /// How many are sold or held at this price.
    pub sold: u32,
}

/// Attaches a sale to goods.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AttachSale {
    /// The command's id.
    pub cmd_id: String,
    /// The sale's id.
    pub activity_id: String,
    /// The price of one, in cents.
    pub price_cents: u64,
    /// From when on.
    pub start_at: Time,
    /// Until before when.
    pub end_at: Time,
    /// How many units in all; 0 for any number.
    #[serde(default)]
    pub quota: u32,
    /// How many units for one buyer; 0 for any number.
    #[serde(default)]
    pub per_buyer: u32,
    /// How many of the quota are gone, if the sale was attached before.
    #[serde(default)]
    pub sold: u32,
}

/// Detaches a sale.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DetachSale {
    /// The command's id.
    pub cmd_id: String,
    /// The sale's id.
    pub activity_id: String,
}

/// What has become of a sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SaleStanding {
    /// Its id.
    pub activity_id: String,
    /// How many are sold or held at its price.
    pub sold: u32,
}

impl Sale {
    /// The sale that a command describes.
    ///
    /// # Errors
    /// `invalid`.
    pub fn new(command: &AttachSale) -> Result<Self, Refusal> {
        checks::id("activityId", &command.activity_id)?;
        checks::price(command.price_cents)?;
        if command.start_at >= command.end_at {
            return Err(Refusal::invalid("startAt must be before endAt").at("startAt"));
        }
        Ok(Self {
            activity_id: command.activity_id.clone(),
            price_cents: command.price_cents,
            start_at: command.start_at,
            end_at: command.end_at,
            quota: command.quota,
            per_buyer: command.per_buyer,
            sold: command.sold,
        })
    }

    /// Whether its time has come and is not over.
    #[must_use]
    pub fn is_running(&self, now: Time) -> bool {
        self.start_at <= now && now < self.end_at
    }

    /// Why a buyer who has this many cannot have so many more at its price; nothing
    /// if they can.
    #[must_use]
    pub fn obstacle(&self, count: u32, bought: u32, now: Time) -> Option<Reason> {
        if !self.is_running(now) {
            return Some(Reason::PriceChanged);
        }
        if count > left(self.quota, self.sold) {
            return Some(Reason::QuotaExceeded);
        }
        (count > left(self.per_buyer, bought)).then_some(Reason::PerBuyerLimit)
    }

    /// How many more a buyer who has this many can have at its price.
    #[must_use]
    pub fn left(&self, bought: u32, now: Time) -> u32 {
        if !self.is_running(now) {
            return 0;
        }
        left(self.quota, self.sold).min(left(self.per_buyer, bought))
    }

    /// Where it stands.
    #[must_use]
    pub fn standing(&self) -> SaleStanding {
        SaleStanding { activity_id: self.activity_id.clone(), sold: self.sold }
    }
}

/// What is left of a limit, where 0 is none.
fn left(limit: u32, gone: u32) -> u32 {
    if limit == 0 { u32::MAX } else { limit.saturating_sub(gone) }
}
