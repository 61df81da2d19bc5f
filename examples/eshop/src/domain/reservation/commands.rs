//! What can be asked about reservations, and what comes back.
//!
//! The order's id is the command's id: an order reserves once, and what is done to
//! its reservation is done once.

use serde::{Deserialize, Serialize};

use crate::domain::reservation::State;
use crate::domain::time::Time;

/// Promises units to an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reserve {
    /// The order.
    pub order_id: String,
    /// Who orders.
    pub buyer_id: String,
    /// How many, 1 to 99.
    pub count: u32,
    /// Refuse if the price of one is another.
    pub expect_price_cents: Option<u64>,
    /// Until when. Default: 7 minutes from now.
    pub expires_at: Option<Time>,
}

/// Names the order whose reservation is meant.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OfOrder {
    /// The order.
    pub order_id: String,
}

/// Holds the units of an order for longer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Extend {
    /// The order.
    pub order_id: String,
    /// Until when.
    pub until: Time,
}

/// What a command did to a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reserved {
    /// The order.
    pub order_id: String,
    /// How many units.
    pub count: u32,
    /// The price of one, in cents.
    pub unit_price_cents: u64,
    /// What the command has made of them.
    pub state: State,
    /// What was reserved, in the answer to `Reserve`.
    #[serde(flatten)]
    pub offer: Option<Offer>,
}

/// Goods as they were offered when they were reserved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// What they were called.
    pub goods_name: String,
    /// Where their picture was.
    pub goods_image: String,
    /// What their category was called, if that was known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub category_name: String,
    /// The price of one without any sale, in cents.
    pub original_price_cents: u64,
}
