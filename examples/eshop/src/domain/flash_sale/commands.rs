//! What can be asked of a sale, and what comes back.
//!
//! Who plans a sale tells the normal price, as they see it; the goods check it against
//! their own when the sale begins.

use serde::{Deserialize, Serialize};

use crate::domain::flash_sale::SalePhase;
use crate::domain::time::Time;

/// Plans a sale.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Create {
    /// The command's id.
    pub cmd_id: String,
    /// What it is called.
    pub name: String,
    /// Its goods.
    pub goods_id: String,
    /// The price of one, in cents.
    pub price_cents: u64,
    /// The price of one without it, in cents.
    pub original_cents: u64,
    /// From when on.
    #[serde(rename = "startTime")]
    pub start_at: Time,
    /// Until before when.
    #[serde(rename = "endTime")]
    pub end_at: Time,
    /// How many units in all; 0 for any number.
    #[serde(default)]
    pub quota: u32,
    /// How many units for one buyer; 0 for any number.
    #[serde(default)]
    pub per_buyer: u32,
}

/// Changes the plan; what is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Update {
    /// The command's id.
    pub cmd_id: String,
    /// What it is called.
    pub name: Option<String>,
    /// The price of one, in cents.
    pub price_cents: Option<u64>,
    /// The price of one without it, in cents.
    pub original_cents: Option<u64>,
    /// From when on.
    #[serde(rename = "startTime")]
    pub start_at: Option<Time>,
    /// Until before when.
    #[serde(rename = "endTime")]
    pub end_at: Option<Time>,
    /// How many units in all; 0 for any number.
    pub quota: Option<u32>,
    /// How many units for one buyer; 0 for any number.
    pub per_buyer: Option<u32>,
}

/// Puts a sale on the shelf or takes it off.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetShelf {
    /// The command's id.
    pub cmd_id: String,
    /// Whether it takes place.
    pub shelf: bool,
}

/// Gives a sale up for good.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Delete {
    /// The command's id.
    pub cmd_id: String,
}

/// What a command has made of a sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// Its id.
    pub activity_id: String,
    /// Whether it takes place.
    pub shelf: bool,
    /// Where it stands.
    pub phase: SalePhase,
    /// Counts the changes.
    pub version: u64,
}
