//! What can be asked of a checkout, what it asks of others, and what they answer.
//!
//! The others are the basket, the goods and the order; a command to them is data, so
//! that whoever drives the checkout decides how it gets there.

use serde::{Deserialize, Serialize};

use crate::domain::answer::Refusal;
use crate::domain::checkout::{Begin, Begun, End};
use crate::domain::order::{Consignee, Create, Placed, Reject};
use crate::domain::reservation::commands::{OfOrder, Reserve, Reserved};
use crate::domain::saga::{LineStatus, Outcome, Step};
use crate::domain::time::Time;

/// Where the lines of an order come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// The buyer's basket, as it is when the checkout begins.
    Basket,
    /// The command.
    #[default]
    Direct,
}

/// Starts a checkout.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Start {
    /// The buyer's request.
    pub request_id: String,
    /// Who orders.
    pub buyer_id: String,
    /// The name of who orders.
    pub buyer_name: String,
    /// Where the lines come from.
    pub source: Source,
    /// What to order, if it does not come from the basket.
    #[serde(default)]
    pub items: Vec<StartLine>,
    /// Who gets it.
    pub consignee: Consignee,
    /// Refuse if it costs anything else, in cents.
    pub expect_total_cents: Option<u64>,
    /// Until when it can be paid. Default: `payWithinSeconds` from now.
    pub pay_before: Option<Time>,
    /// How long it can be paid, in seconds. Default: 5 minutes.
    pub pay_within_seconds: Option<u32>,
}

/// One line of what to order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartLine {
    /// The goods.
    pub goods_id: String,
    /// How many.
    pub count: u32,
    /// Refuse if the price of one is another.
    pub expect_price_cents: Option<u64>,
}

/// What a checkout wants to know from somebody else.
#[derive(Debug, Clone)]
pub enum Command {
    /// `BeginCheckout` of the basket of this buyer.
    Begin(String, Begin),
    /// `Reserve` of these goods.
    Reserve(String, Reserve),
    /// `Create` of the order.
    Create(Create),
    /// `CompleteCheckout` of the basket of this buyer.
    Complete(String, End),
    /// `Reject` of the order.
    Reject(Reject),
    /// `Release` of these goods.
    Release(String, OfOrder),
    /// `AbortCheckout` of the basket of this buyer.
    Abort(String, End),
}

/// What the other has answered.
#[derive(Debug, Clone)]
pub enum Reply {
    /// The basket's lines.
    Begun(Begun),
    /// Units are reserved.
    Reserved(Reserved),
    /// The order is placed.
    Placed(Placed),
    /// It is done, and there is nothing to say about it.
    Done,
    /// No.
    Refused(Refusal),
    /// Nothing: it may have been done, be done later, or never.
    Unknown,
}

/// Where a checkout stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The order it is for.
    pub order_id: String,
    /// What it does next.
    pub step: Step,
    /// How it ended, once it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Outcome>,
    /// Why the order did not come about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// What people call the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_no: Option<String>,
    /// What it costs, in cents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_cents: Option<u64>,
    /// It cannot be paid at this time or later.
    pub pay_before: Time,
    /// Its lines.
    pub lines: Vec<StandingLine>,
    /// Who orders.
    pub buyer_id: String,
}

/// Where a line of a checkout stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StandingLine {
    /// The goods.
    pub goods_id: String,
    /// How many.
    pub count: u32,
    /// What has become of them.
    pub status: LineStatus,
    /// The price of one, in cents; 0 while it is not known.
    pub unit_price_cents: u64,
}
