//! How an order begins, and how it ends before its time.
//!
//! Nothing -> Unpaid | Refused, and Unpaid -> Cancelled, Paid -> Refunding. The
//! order is created by its own id, so creating it again finds it.

use crate::domain::answer::{Reason, Refusal};
use crate::domain::checks::{self, LINES_MAX, PRICE_CENTS_MAX, TEXT_CHARS_MAX};
use crate::domain::effects::{Effect, Reminder};
use crate::domain::events::{Event, LineFacts, OrderFacts, OrderStep};
use crate::domain::ids;
use crate::domain::order::payment::PaymentState;
use crate::domain::order::{
    Cancel, Consignee, Create, Head, Line, LogEntry, Order, PAY_WITHIN, PERSON_CHARS_MAX, Phase,
    Placed, Reject, Standing,
};
use crate::domain::time::Time;

impl Order {
    /// Nothing -> Unpaid.
    ///
    /// # Errors
    /// `invalid`; `conflict` when the order is there with other lines or of another
    /// buyer; `wrong_state` when it was refused.
    pub fn create(
        slot: &mut Option<Self>,
        order_id: &str,
        command: &Create,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<Placed, Refusal> {
        if let Some(order) = slot {
            return order.placed_before(command);
        }
        check_ids(order_id, &command.user_id, &command.user_name)?;
        check_lines(&command.items)?;
        check_consignee(&command.consignee)?;
        let pay_before = command.pay_before.unwrap_or_else(|| now.after(PAY_WITHIN));
        if pay_before <= now {
            return Err(Refusal::invalid("payBefore must be in the future").at("payBefore"));
        }
        let mut order = Self::new(order_id, &command.user_id, &command.user_name, now);
        order.head.pay_before = pay_before;
        order.head.total_cents = total_cents(&command.items);
        order.items.clone_from(&command.items);
        order.consignee = Some(command.consignee.clone());
        effects.push(Effect::Remind(Reminder::PayTimeout, pay_before));
        effects.push(Effect::Publish(Event::CreateOrderSucc(order.facts())));
        order.enter(Phase::Unpaid, now, effects);
        order.note(&command.user_name, "placed", "", now);
        Ok(slot.insert(order).placed())
    }

    /// Nothing -> Refused: what did not come about leaves a trace, too.
    ///
    /// # Errors
    /// `invalid`; `wrong_state` when the order was placed.
    pub fn reject(
        slot: &mut Option<Self>,
        order_id: &str,
        command: &Reject,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<Standing, Refusal> {
        match slot {
            Some(order) if order.head.phase == Phase::Refused => Ok(order.standing()),
            Some(order) => Err(order.wrong_state()),
            None => {
                check_ids(order_id, &command.user_id, &command.user_name)?;
                checks::name("reason", &command.reason, TEXT_CHARS_MAX)?;
                let mut order = Self::new(order_id, &command.user_id, &command.user_name, now);
                order.enter(Phase::Refused, now, effects);
                order.note("system", "refused", &command.reason, now);
                Ok(slot.insert(order).standing())
            }
        }
    }

    /// Unpaid -> Cancelled, Paid -> Refunding.
    ///
    /// # Errors
    /// `invalid`; `wrong_state` in all other phases.
    pub fn cancel(
        &mut self,
        command: &Cancel,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<Standing, Refusal> {
        checks::name("by", &command.by, PERSON_CHARS_MAX)?;
        checks::name("reason", &command.reason, TEXT_CHARS_MAX)?;
        match self.head.phase {
            Phase::Unpaid => self.give_up(&command.by, &command.reason, now, effects),
            Phase::Paid => {
                for at in 0..self.payments.len() {
                    if self.payments[at].state == PaymentState::Succeeded {
                        self.refund(at, effects);
                    }
                }
                self.enter(Phase::Refunding, now, effects);
                self.note(&command.by, "cancelled", &command.reason, now);
            }
            Phase::Paying
            | Phase::Shipped
            | Phase::Finished
            | Phase::Cancelled
            | Phase::Refunding
            | Phase::RefundingLate
            | Phase::Refunded
            | Phase::Refused => return Err(self.wrong_state()),
        }
        Ok(self.standing())
    }

    fn new(order_id: &str, user_id: &str, user_name: &str, now: Time) -> Self {
        let head = Head {
            order_id: order_id.to_owned(),
            order_no: ids::order_no(order_id, now),
            user_id: user_id.to_owned(),
            user_name: user_name.to_owned(),
            total_cents: 0,
            phase: Phase::Refused,
            create_time: now,
            pay_before: now,
            overdue: 0,
            version: 0,
        };
        Self {
            head,
            items: Vec::new(),
            consignee: None,
            payments: Vec::new(),
            logistics: None,
            log: Vec::new(),
        }
    }

    fn placed(&self) -> Placed {
        Placed {
            order_id: self.head.order_id.clone(),
            order_no: self.head.order_no.clone(),
            total_cents: self.head.total_cents,
            pay_before: self.head.pay_before,
        }
    }

    fn placed_before(&self, command: &Create) -> Result<Placed, Refusal> {
        if self.head.phase == Phase::Refused {
            return Err(self.wrong_state());
        }
        if self.head.user_id != command.user_id || self.items != command.items {
            let message = "the order was placed with other lines or by another buyer";
            return Err(Refusal::new(Reason::Conflict, message));
        }
        Ok(self.placed())
    }

    /// A step.
    pub(super) fn enter(&mut self, phase: Phase, now: Time, effects: &mut Vec<Effect>) {
        self.head.phase = phase;
        self.head.version += 1;
        effects.push(Effect::Publish(Event::OrderStateChanged(OrderStep {
            order_id: self.head.order_id.clone(),
            order_no: self.head.order_no.clone(),
            user_id: self.head.user_id.clone(),
            phase: phase.name().to_owned(),
            state: phase.state(),
            version: self.head.version,
            at: now,
        })));
    }

    /// The order in short, as the interested hear of it.
    pub(super) fn facts(&self) -> OrderFacts {
        OrderFacts {
            order_id: self.head.order_id.clone(),
            user_id: self.head.user_id.clone(),
            user_name: self.head.user_name.clone(),
            order_no: self.head.order_no.clone(),
            total_cents: self.head.total_cents,
            lines: self.line_facts(),
        }
    }

    /// How many of what.
    pub(super) fn line_facts(&self) -> Vec<LineFacts> {
        let facts = |line: &Line| LineFacts { goods_id: line.goods_id.clone(), count: line.count };
        self.items.iter().map(facts).collect()
    }

    /// The entry that belongs to a step: who did what to which order when, and why or how.
    pub(super) fn note(&mut self, by: &str, did: &str, detail: &str, now: Time) {
        let mut sentence = format!("{by} {did} order {} at {now}", self.head.order_no);
        if !detail.is_empty() {
            sentence.push_str(": ");
            sentence.push_str(detail);
        }
        self.log.push(LogEntry { trade_date: now, trade_log_value: sentence });
    }

    /// Where it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            order_id: self.head.order_id.clone(),
            phase: self.head.phase,
            version: self.head.version,
        }
    }

    pub(super) fn wrong_state(&self) -> Refusal {
        Refusal::new(Reason::WrongState, format!("the order is {}", self.head.phase.name()))
    }
}

/// What lines cost, in cents.
#[must_use]
pub fn total_cents(items: &[Line]) -> u64 {
    items.iter().map(|line| line.price_cents * u64::from(line.count)).sum()
}

fn check_ids(order_id: &str, user_id: &str, user_name: &str) -> Result<(), Refusal> {
    checks::id("orderId", order_id)?;
    checks::id("userId", user_id)?;
    checks::name("userName", user_name, PERSON_CHARS_MAX)
}

fn check_lines(items: &[Line]) -> Result<(), Refusal> {
    if items.is_empty() || items.len() > LINES_MAX {
        let lines = items.len();
        let message = format!("an order has 1 to {LINES_MAX} lines, not {lines}");
        return Err(Refusal::invalid(message).at("items"));
    }
    for (at, line) in items.iter().enumerate() {
        checks::id("goodsId", &line.goods_id)?;
        checks::count(line.count)?;
        checks::price(line.price_cents)?;
        checks::name("goodsName", &line.goods_name, TEXT_CHARS_MAX)?;
        checks::text("goodsImage", &line.goods_image, TEXT_CHARS_MAX)?;
        checks::text("categoryName", &line.category_name, TEXT_CHARS_MAX)?;
        if line.original_price_cents > PRICE_CENTS_MAX {
            let message = format!("originalPriceCents must be at most {PRICE_CENTS_MAX}");
            return Err(Refusal::invalid(message).at("originalPriceCents"));
        }
        if items[..at].iter().any(|other| other.goods_id == line.goods_id) {
            let message = format!("goods {} are in two lines", line.goods_id);
            return Err(Refusal::invalid(message).at("items"));
        }
    }
    Ok(())
}

/// Who gets an order: all of it must be said.
///
/// # Errors
/// `invalid`.
pub fn check_consignee(consignee: &Consignee) -> Result<(), Refusal> {
    checks::name("consignee.name", &consignee.name, PERSON_CHARS_MAX)?;
    checks::name("consignee.address", &consignee.address, TEXT_CHARS_MAX)?;
    checks::tel("consignee.tel", &consignee.tel)
}
