//! What the shop tells about itself: a topic and its data.
//!
//! An event says what has happened, never what is to be done; who does something
//! about it is told in `handlers.rs`. The data are plain fields, so that this file
//! knows none of those that it is written for.

use serde::{Deserialize, Serialize};

use crate::domain::time::Time;

/// Something that has happened.
///
/// Wire: `{"topic":"PayOrderSucc","data":{...}}`; some topics are spelt oddly, and
/// subscribers rely on that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "topic", content = "data")]
pub enum Event {
    /// An order was placed.
    CreateOrderSucc(OrderFacts),
    /// An order was paid.
    PayOrderSucc(OrderFacts),
    /// An order was given up before it was paid.
    OrderCancelled(OrderCancelled),
    /// An order was given up after it was paid, and the money is back.
    OrderRefunded(OrderRefunded),
    /// An order has made a step.
    OrderStateChanged(OrderStep),
    /// A buyer wants to pay.
    PaymentRequested(PaymentAsked),
    /// Money is to go back.
    RefundRequested(PaymentAsked),
    /// The bank has taken the money.
    PaymentSucceeded(PaymentTold),
    /// The bank has taken nothing.
    PaymentFailed(PaymentTold),
    /// The bank has given the money back.
    RefundDone(PaymentTold),
    /// A parcel was sent.
    LogisticsDeliverSucc(ParcelFacts),
    /// A parcel was received.
    LogisticsReceiveSucc(ParcelFacts),
    /// Goods are described, priced or stocked otherwise than before, or gone.
    GoodsChanged(GoodsFacts),
    /// Few are left.
    GoodsStockLow(StockLow),
    /// Units are held for an order for longer than it asked for.
    StockHoldExpired(HoldExpired),
    /// A sale is planned otherwise than before, or has come to know how many it has sold.
    LimitedTimeActivitieChanged(PlanFacts),
    /// A sale has begun.
    LimitedTimeActivitieStarted(SaleFacts),
    /// A sale is over.
    LimitedTimeActivitieEnded(SaleFacts),
    /// Nobody has touched a basket for a day.
    BasketAbandoned(BasketFacts),
}

/// So many of these goods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LineFacts {
    /// The goods.
    pub goods_id: String,
    /// How many.
    pub count: u32,
}

/// An order in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderFacts {
    /// The order.
    pub order_id: String,
    /// Who ordered.
    pub user_id: String,
    /// The name of who ordered.
    pub user_name: String,
    /// What people call the order.
    pub order_no: String,
    /// What it costs, in cents.
    pub total_cents: u64,
    /// What is in it.
    pub lines: Vec<LineFacts>,
}

/// An order that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderCancelled {
    /// The order.
    pub order_id: String,
    /// Why.
    pub reason: String,
    /// By whom.
    pub by: String,
    /// What was in it.
    pub lines: Vec<LineFacts>,
}

/// An order whose money is back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRefunded {
    /// The order.
    pub order_id: String,
    /// What was in it.
    pub lines: Vec<LineFacts>,
}

/// A step of an order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderStep {
    /// The order.
    pub order_id: String,
    /// What people call it.
    pub order_no: String,
    /// Who ordered.
    pub user_id: String,
    /// The name of the phase that it has come to.
    pub phase: String,
    /// The number of that phase.
    pub state: i8,
    /// Counts the steps.
    pub version: u64,
    /// When.
    pub at: Time,
}

/// Money that is asked for, or is to go back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentAsked {
    /// The payment.
    pub payment_id: String,
    /// The order.
    pub order_id: String,
    /// How much, in cents.
    pub amount_cents: u64,
    /// The last digits of the card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_tail: Option<String>,
}

/// What the bank says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentTold {
    /// The payment.
    pub payment_id: String,
    /// The order.
    pub order_id: String,
    /// How much, in cents.
    pub amount_cents: u64,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A parcel in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParcelFacts {
    /// The parcel.
    pub logistics_id: String,
    /// The order in it.
    pub order_id: String,
    /// Who ordered.
    pub user_id: String,
    /// The name of who ordered.
    pub user_name: String,
}

/// Goods as a catalogue shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GoodsFacts {
    /// The goods.
    pub id: String,
    /// Whether they are gone for good.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// Their category.
    pub category_id: String,
    /// What they are called.
    pub name: String,
    /// Where their picture is.
    pub image: String,
    /// What there is to say about them.
    pub description: String,
    /// Whether they are for sale.
    pub shelf: bool,
    /// The price of one now, in cents.
    pub price_cents: u64,
    /// The price of one without the sale that runs, in cents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_price_cents: Option<u64>,
    /// When that sale ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale_ends_at: Option<Time>,
    /// How many can be had.
    pub available: u32,
    /// How many were sold within a month.
    pub sell_count: u32,
    /// Grows with each such event of the goods: an older one is to be ignored.
    pub version: u64,
}

/// Goods of which few are left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StockLow {
    /// The goods.
    pub goods_id: String,
    /// How many can be had.
    pub available: u32,
}

/// Units that are held for too long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldExpired {
    /// The goods.
    pub goods_id: String,
    /// For which order.
    pub order_id: String,
    /// Until when it asked for them.
    pub expires_at: Time,
}

/// A sale in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SaleFacts {
    /// The sale.
    pub activity_id: String,
    /// Its goods.
    pub goods_id: String,
    /// Its price of one, in cents.
    pub price_cents: u64,
    /// When it ends.
    pub end_at: Time,
}

/// A sale as the shop plans it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanFacts {
    /// The sale.
    pub activity_id: String,
    /// Whether it was given up for good.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// What it is called.
    pub name: String,
    /// Its goods.
    pub goods_id: String,
    /// Its price of one, in cents.
    pub price_cents: u64,
    /// The price of one without it, in cents, when it was planned.
    pub original_cents: u64,
    /// When it begins.
    pub start_at: Time,
    /// When it ends.
    pub end_at: Time,
    /// How many units in all; 0 for any number.
    pub quota: u32,
    /// How many units for one buyer; 0 for any number.
    pub per_buyer: u32,
    /// Whether it takes place.
    pub shelf: bool,
    /// How many of the quota were gone when its goods last knew of it.
    pub sold: u32,
    /// Grows with each such event of the sale: an older one is to be ignored.
    pub version: u64,
}

/// A basket in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BasketFacts {
    /// Whose it is.
    pub account_id: String,
    /// The number of its lines.
    pub lines: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_its_topic_and_its_data() {
        let event = Event::PaymentRequested(PaymentAsked {
            payment_id: "p1".into(),
            order_id: "o1".into(),
            amount_cents: 2_800,
            card_tail: None,
        });
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"topic":"PaymentRequested","data":{"paymentId":"p1","orderId":"o1","amountCents":2800}}"#
        );
    }
}
