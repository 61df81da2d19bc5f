//! Who does something about an event, and what: each event as the calls it leads to.
//!
//! A call may be made more than once and late; whoever is called answers it the same,
//! or refuses what has been overtaken. So a refusal ends the matter, and only technical
//! trouble is tried again; not for ever, where it is the receiver that fails. Units that stay
//! held since then are asked about when their time is over, and sold or given back.

use crate::domain::bank::{Charge, Refund};
use crate::domain::categories::Leave;
use crate::domain::events::{
    Event, GoodsFacts, HoldExpired, LineFacts, OrderStep, PaymentAsked, PaymentTold, PlanFacts,
};
use crate::domain::ids;
use crate::domain::listed::Kind;
use crate::domain::names::Free;
use crate::domain::order::Phase;
use crate::domain::order::payment::{PaymentResult, RefundDone};
use crate::domain::reservation::HOLD;
use crate::domain::reservation::commands::{Extend, OfOrder};
use crate::domain::time::Time;

/// The id of the list of all goods.
pub const CATALOGUE: &str = "goods";
/// The id of the list of all sales.
pub const SALES: &str = "sales";
/// The id of the categories.
pub const CATEGORIES: &str = "all";

/// What the ids of lists of a buyer's orders begin with.
const BUYER: &str = "buyer:";

/// A call of an actor: its id, and the command.
#[derive(Debug, Clone)]
pub enum Call {
    /// `Commit` of these goods.
    Commit(String, OfOrder),
    /// `Release` of these goods.
    Release(String, OfOrder),
    /// `Return` of these goods.
    Return(String, OfOrder),
    /// `Extend` of these goods.
    Extend(String, Extend),
    /// `Charge` of this payment.
    Charge(String, Charge),
    /// `Refund` of this payment.
    Refund(String, Refund),
    /// `PaymentResult` of this order.
    PaymentResult(String, PaymentResult),
    /// `RefundDone` of this order.
    RefundDone(String, RefundDone),
    /// `HoldExpired` of this order.
    HoldExpired(String, HoldExpired),
    /// `Put` of this list of goods.
    ListGoods(String, GoodsFacts),
    /// `Leave` of these categories.
    LeaveCategory(String, Leave),
    /// `Release` of this name.
    FreeName(String, Free),
    /// `Put` of this list of sales.
    ListSale(String, PlanFacts),
    /// `Put` of this list of orders.
    ListOrder(String, OrderStep),
    /// `Step` of this list of a buyer's orders.
    FollowOrder(String, OrderStep),
}

/// The id of the list of a buyer's orders.
#[must_use]
pub fn orders_of(buyer_id: &str) -> String {
    format!("{BUYER}{buyer_id}")
}

/// Whether a list of orders is a buyer's.
#[must_use]
pub fn is_of_buyer(list: &str) -> bool {
    list.starts_with(BUYER)
}

/// What is to be done about an event; nothing about those that are only to be shown.
#[must_use]
pub fn calls(event: &Event) -> Vec<Call> {
    match event {
        Event::PayOrderSucc(facts) => of_lines(&facts.lines, &facts.order_id, Call::Commit),
        Event::OrderCancelled(facts) => of_lines(&facts.lines, &facts.order_id, Call::Release),
        Event::OrderRefunded(facts) => of_lines(&facts.lines, &facts.order_id, Call::Return),
        Event::PaymentRequested(asked) => vec![charge(asked)],
        Event::RefundRequested(asked) => {
            let refund = Refund { amount_cents: asked.amount_cents };
            vec![Call::Refund(asked.payment_id.clone(), refund)]
        }
        Event::PaymentSucceeded(told) => vec![result(told, true)],
        Event::PaymentFailed(told) => vec![result(told, false)],
        Event::RefundDone(told) => {
            let done = RefundDone { payment_id: told.payment_id.clone() };
            vec![Call::RefundDone(told.order_id.clone(), done)]
        }
        // Only the order knows what is to become of them.
        Event::StockHoldExpired(hold) => {
            vec![Call::HoldExpired(hold.order_id.clone(), hold.clone())]
        }
        Event::GoodsChanged(facts) => {
            let mut calls = vec![Call::ListGoods(CATALOGUE.to_owned(), facts.clone())];
            if facts.deleted {
                let goods_id = facts.id.clone();
                let leave = Leave { goods_id: goods_id.clone() };
                calls.push(Call::LeaveCategory(CATEGORIES.to_owned(), leave));
                calls.push(Call::FreeName(ids::name(&facts.name), Free { goods_id }));
            }
            calls
        }
        Event::LimitedTimeActivitieChanged(sale) => {
            vec![Call::ListSale(SALES.to_owned(), sale.clone())]
        }
        // Where it stands later is asked of the order itself.
        Event::OrderStateChanged(step) if step.version == 1 => {
            [orders_of(&step.user_id), Kind::Placed.day(step.at)]
                .map(|list| Call::ListOrder(list, step.clone()))
                .into()
        }
        Event::OrderStateChanged(step) => {
            let mut calls = vec![Call::FollowOrder(orders_of(&step.user_id), step.clone())];
            if step.phase == Phase::Paid.name() {
                calls.push(Call::ListOrder(Kind::Paid.day(step.at), step.clone()));
            }
            calls
        }
        Event::CreateOrderSucc(_)
        | Event::LogisticsDeliverSucc(_)
        | Event::LogisticsReceiveSucc(_)
        | Event::GoodsStockLow(_)
        | Event::LimitedTimeActivitieStarted(_)
        | Event::LimitedTimeActivitieEnded(_)
        | Event::BasketAbandoned(_) => Vec::new(),
    }
}

/// What is to be done about units that are held for too long, once it is known where
/// their order stands, or that there is none.
#[must_use]
pub fn of_expired_hold(hold: &HoldExpired, order: Option<Phase>, now: Time) -> Call {
    let (goods_id, order_id) = (hold.goods_id.clone(), hold.order_id.clone());
    match order {
        // An order that is not there is not placed any more: its time to pay is over. What is
        // held of one that has its money back was never sold: the commit was given up.
        None | Some(Phase::Cancelled | Phase::RefundingLate | Phase::Refused | Phase::Refunded) => {
            Call::Release(goods_id, OfOrder { order_id })
        }
        // The commit is on its way, or was given up; a second one does nothing.
        Some(Phase::Paid | Phase::Shipped | Phase::Finished) => {
            Call::Commit(goods_id, OfOrder { order_id })
        }
        Some(Phase::Unpaid | Phase::Paying | Phase::Refunding) => {
            Call::Extend(goods_id, Extend { order_id, until: now.after(HOLD) })
        }
    }
}

fn of_lines(lines: &[LineFacts], order_id: &str, call: fn(String, OfOrder) -> Call) -> Vec<Call> {
    let order = OfOrder { order_id: order_id.to_owned() };
    lines.iter().map(|line| call(line.goods_id.clone(), order.clone())).collect()
}

fn charge(asked: &PaymentAsked) -> Call {
    let command = Charge {
        order_id: asked.order_id.clone(),
        amount_cents: asked.amount_cents,
        card_tail: asked.card_tail.clone(),
    };
    Call::Charge(asked.payment_id.clone(), command)
}

fn result(told: &PaymentTold, paid: bool) -> Call {
    let (payment_id, amount_cents) = (told.payment_id.clone(), told.amount_cents);
    Call::PaymentResult(told.order_id.clone(), PaymentResult { payment_id, amount_cents, paid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expired_units_go_back_unless_the_order_still_wants_them() {
        let hold = HoldExpired {
            goods_id: "g1".into(),
            order_id: "o1".into(),
            expires_at: Time::default(),
        };
        for (order, expected) in [
            (None, "Release"),
            (Some(Phase::Refused), "Release"),
            (Some(Phase::Cancelled), "Release"),
            (Some(Phase::RefundingLate), "Release"),
            (Some(Phase::Refunded), "Release"),
            (Some(Phase::Unpaid), "Extend"),
            (Some(Phase::Paying), "Extend"),
            (Some(Phase::Refunding), "Extend"),
            (Some(Phase::Paid), "Commit"),
            (Some(Phase::Shipped), "Commit"),
            (Some(Phase::Finished), "Commit"),
        ] {
            let call = format!("{:?}", of_expired_hold(&hold, order, Time::default()));
            assert!(call.starts_with(expected), "{order:?}: {call}");
        }
    }
}
