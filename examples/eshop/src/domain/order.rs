//! An order, from the moment it is placed to its end.
//!
//! Prices, names and pictures are copied when it is placed; later changes of the
//! goods do not touch it. What can happen to it is told by subject: `placing.rs` has
//! its beginning and cancelling, `payment.rs` the money, `delivery.rs` the parcel;
//! the phases are in `phase.rs`. Invariants: the total is the sum of the lines and is never
//! edited; every step adds one entry to the log, except asking the bank.

pub mod delivery;
pub mod payment;
pub mod phase;
pub mod placing;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::delivery::Logistics;
use self::payment::Payment;
pub use self::phase::Phase;
use crate::domain::time::Time;

/// How long an order waits to be paid if it does not say.
pub const PAY_WITHIN: Duration = Duration::from_secs(5 * 60);
/// Longest name of a person, in characters.
pub const PERSON_CHARS_MAX: usize = 40;

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What it is and where it stands.
    #[serde(flatten)]
    pub head: Head,
    /// Its lines.
    pub items: Vec<Line>,
    /// Who gets it; nobody if it was refused.
    pub consignee: Option<Consignee>,
    /// What was asked of the bank, oldest first.
    pub payments: Vec<Payment>,
    /// Its parcel.
    pub logistics: Option<Logistics>,
    /// What happened, oldest first.
    pub log: Vec<LogEntry>,
}

/// What an order is and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// Its id.
    pub order_id: String,
    /// What people call it.
    pub order_no: String,
    /// Who ordered.
    pub user_id: String,
    /// The name of who ordered.
    pub user_name: String,
    /// What it costs, in cents.
    pub total_cents: u64,
    /// Where it stands.
    #[serde(flatten)]
    pub phase: Phase,
    /// When it was placed.
    pub create_time: Time,
    /// It cannot be paid at this time or later.
    pub pay_before: Time,
    /// How often the bank's answer has been waited for beyond that.
    pub overdue: u8,
    /// Counts the steps.
    pub version: u64,
}

/// One line of an order, as it was when the order was placed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Line {
    /// The id of the goods.
    pub goods_id: String,
    /// What they were called.
    pub goods_name: String,
    /// Where their picture was.
    #[serde(default)]
    pub goods_image: String,
    /// What their category was called.
    #[serde(default)]
    pub category_name: String,
    /// The price of one without any sale, in cents; 0 if there was none.
    #[serde(default)]
    pub original_price_cents: u64,
    /// The price of one, in cents.
    pub price_cents: u64,
    /// How many.
    pub count: u32,
}

/// Who gets an order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consignee {
    /// The name.
    pub name: String,
    /// The address.
    pub address: String,
    /// The telephone number.
    pub tel: String,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogEntry {
    /// When.
    pub trade_date: Time,
    /// What, in a sentence.
    pub trade_log_value: String,
}

/// Places an order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Create {
    /// Who orders.
    pub user_id: String,
    /// The name of who orders.
    pub user_name: String,
    /// The lines, each of other goods.
    pub items: Vec<Line>,
    /// Who gets it.
    pub consignee: Consignee,
    /// Until when it can be paid. Default: 5 minutes from now.
    pub pay_before: Option<Time>,
}

/// Records that an order did not come about.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reject {
    /// Who ordered.
    pub user_id: String,
    /// The name of who ordered.
    pub user_name: String,
    /// Why not.
    pub reason: String,
}

/// Gives an order up.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cancel {
    /// The command's id.
    pub cmd_id: String,
    /// The name of who cancels.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// The order as it was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placed {
    /// Its id.
    pub order_id: String,
    /// What people call it.
    pub order_no: String,
    /// What it costs, in cents.
    pub total_cents: u64,
    /// It cannot be paid at this time or later.
    pub pay_before: Time,
}

/// Where a command has brought the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// Its id.
    pub order_id: String,
    /// The phase.
    #[serde(flatten)]
    pub phase: Phase,
    /// The number of steps so far.
    pub version: u64,
}

#[cfg(test)]
mod tests;
