//! The money of an order: asked for, paid, too late, given back.
//!
//! The bank is asked once per request of the buyer and may answer late, twice or
//! never. Invariant: at most one payment has succeeded and is not given back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::answer::{Reason, Refusal};
use crate::domain::checks;
use crate::domain::effects::{Effect, Reminder};
use crate::domain::events::{Event, OrderCancelled, OrderRefunded, PaymentAsked};
use crate::domain::ids;
use crate::domain::order::{Order, Phase};
use crate::domain::time::Time;

/// Most payments that are tried for one order.
pub const PAYMENTS_MAX: usize = 20;
/// How long the bank's answer is waited for, each time, once the order is overdue.
pub const ASK_AGAIN: Duration = Duration::from_secs(60);
/// How often it is waited for, then.
pub const OVERDUE_MAX: u8 = 5;

/// One payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// Its id.
    pub payment_id: String,
    /// The buyer's request.
    pub request_id: String,
    /// How much, in cents.
    pub amount_cents: u64,
    /// The last digits of the card, if the buyer said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_tail: Option<String>,
    /// What has become of it.
    pub state: PaymentState,
}

/// What has become of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PaymentState {
    /// The bank has been asked.
    Requested,
    /// Paid.
    Succeeded,
    /// The bank said no.
    Failed,
    /// Paid, and on its way back.
    Refunding,
    /// Paid and given back.
    Refunded,
}

/// Asks to pay.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pay {
    /// The buyer's request.
    pub request_id: String,
    /// The last four digits of the card.
    pub card_tail: Option<String>,
}

/// What the bank answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PaymentResult {
    /// The payment.
    pub payment_id: String,
    /// How much, in cents.
    pub amount_cents: u64,
    /// Whether it was paid.
    pub paid: bool,
}

/// The bank has given money back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefundDone {
    /// The payment.
    pub payment_id: String,
}

/// What a command has made of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Paid {
    /// The payment.
    pub payment_id: String,
    /// How much, in cents.
    pub amount_cents: u64,
    /// What has become of it.
    pub state: PaymentState,
}

impl Payment {
    fn to_answer(&self, state: PaymentState) -> Paid {
        let (payment_id, amount_cents) = (self.payment_id.clone(), self.amount_cents);
        Paid { payment_id, amount_cents, state }
    }

    fn asked(&self, order_id: &str) -> PaymentAsked {
        PaymentAsked {
            payment_id: self.payment_id.clone(),
            order_id: order_id.to_owned(),
            amount_cents: self.amount_cents,
            card_tail: self.card_tail.clone(),
        }
    }
}

impl Order {
    /// Unpaid -> Paying, or too late: Unpaid -> Cancelled. The same request is
    /// answered the same for ever.
    ///
    /// # Errors
    /// `invalid`; `expired`, which cancels the order; `conflict` while another
    /// request is being paid; `already_paid`; `wrong_state`.
    pub fn pay(
        &mut self,
        command: &Pay,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<Paid, Refusal> {
        checks::id("requestId", &command.request_id)?;
        if let Some(tail) = &command.card_tail {
            checks::card_tail(tail)?;
        }
        let mut known = self.payments.iter();
        if let Some(known) = known.find(|payment| payment.request_id == command.request_id) {
            return Ok(known.to_answer(PaymentState::Requested));
        }
        match self.head.phase {
            Phase::Unpaid if now >= self.head.pay_before => {
                self.expire(now, effects);
                let message = format!("the order could be paid before {}", self.head.pay_before);
                Err(Refusal::new(Reason::Expired, message))
            }
            Phase::Unpaid if self.payments.len() == PAYMENTS_MAX => {
                let message = format!("{PAYMENTS_MAX} payments have failed");
                Err(Refusal::new(Reason::Conflict, message))
            }
            Phase::Unpaid => {
                let payment = Payment {
                    payment_id: ids::payment(&self.head.order_id, &command.request_id),
                    request_id: command.request_id.clone(),
                    amount_cents: self.head.total_cents,
                    card_tail: command.card_tail.clone(),
                    state: PaymentState::Requested,
                };
                let answer = payment.to_answer(PaymentState::Requested);
                let asked = payment.asked(&self.head.order_id);
                effects.push(Effect::Publish(Event::PaymentRequested(asked)));
                self.payments.push(payment);
                self.enter(Phase::Paying, now, effects);
                Ok(answer)
            }
            Phase::Paying => Err(Refusal::new(Reason::Conflict, "another request is being paid")),
            Phase::Paid | Phase::Shipped | Phase::Finished => {
                Err(Refusal::new(Reason::AlreadyPaid, "the order is paid"))
            }
            Phase::Cancelled
            | Phase::Refunding
            | Phase::RefundingLate
            | Phase::Refunded
            | Phase::Refused => Err(self.wrong_state()),
        }
    }

    /// Paying -> Paid | Unpaid, and Cancelled -> RefundingLate: money that comes
    /// after the end goes back, it does not revive the order.
    ///
    /// # Errors
    /// `not_found`; `invalid` when the amount is another; `wrong_state` when the bank
    /// contradicts itself or the order has ended otherwise.
    pub fn payment_result(
        &mut self,
        command: &PaymentResult,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<Paid, Refusal> {
        let at = self.find(&command.payment_id)?;
        let payment = &self.payments[at];
        if payment.amount_cents != command.amount_cents {
            let message = format!("the amount is {} cents", payment.amount_cents);
            return Err(Refusal::invalid(message).at("amountCents"));
        }
        let outcome = if command.paid { PaymentState::Succeeded } else { PaymentState::Failed };
        match (payment.state, self.head.phase, outcome) {
            // The bank says it once more.
            (PaymentState::Failed, _, PaymentState::Failed) => {}
            (state, _, PaymentState::Succeeded) if state.is_paid() => {}
            (PaymentState::Requested, Phase::Paying, PaymentState::Succeeded) => {
                self.payments[at].state = outcome;
                effects.push(Effect::Forget(Reminder::PayTimeout));
                effects.push(Effect::Publish(Event::PayOrderSucc(self.facts())));
                self.enter(Phase::Paid, now, effects);
                self.note(&self.head.user_name.clone(), "paid", "", now);
            }
            (PaymentState::Requested, Phase::Paying, _) => {
                self.payments[at].state = outcome;
                self.enter(Phase::Unpaid, now, effects);
                self.note("system", "could not collect the money for", "", now);
                if now >= self.head.pay_before {
                    self.expire(now, effects);
                } else if self.head.overdue > 0 {
                    // The clock was set back: the time to pay is not over any more.
                    self.head.overdue = 0;
                    let at = self.head.pay_before;
                    effects.push(Effect::Remind(Reminder::PayTimeout, at));
                }
            }
            (PaymentState::Requested, Phase::Cancelled, PaymentState::Succeeded) => {
                self.refund(at, effects);
                self.enter(Phase::RefundingLate, now, effects);
                self.note("system", "sends back the money for", "it came too late", now);
            }
            _ => return Err(self.wrong_state()),
        }
        Ok(self.payments[at].to_answer(outcome))
    }

    /// Refunding -> Refunded, RefundingLate -> Cancelled.
    ///
    /// # Errors
    /// `not_found`; `wrong_state` when the payment was not to be given back.
    pub fn refund_done(
        &mut self,
        command: &RefundDone,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<Paid, Refusal> {
        let at = self.find(&command.payment_id)?;
        match (self.payments[at].state, self.head.phase) {
            (PaymentState::Refunded, _) => {}
            (PaymentState::Refunding, phase @ (Phase::Refunding | Phase::RefundingLate)) => {
                self.payments[at].state = PaymentState::Refunded;
                if phase == Phase::RefundingLate {
                    self.enter(Phase::Cancelled, now, effects);
                } else {
                    let (order_id, lines) = (self.head.order_id.clone(), self.line_facts());
                    let event = Event::OrderRefunded(OrderRefunded { order_id, lines });
                    effects.push(Effect::Publish(event));
                    self.enter(Phase::Refunded, now, effects);
                }
                self.note("system", "refunded", "", now);
            }
            _ => return Err(self.wrong_state()),
        }
        Ok(self.payments[at].to_answer(PaymentState::Refunded))
    }

    /// The time to pay is over: Unpaid -> Cancelled, and Paying -> Cancelled once the
    /// bank has been waited for often enough. Called early, or twice, it changes nothing
    /// but asks to be called again at the right time.
    pub fn pay_timeout(&mut self, now: Time, effects: &mut Vec<Effect>) {
        match self.head.phase {
            Phase::Unpaid | Phase::Paying if now < self.look_at() => {}
            Phase::Paying if self.head.overdue < OVERDUE_MAX => self.head.overdue += 1,
            Phase::Unpaid | Phase::Paying => return self.expire(now, effects),
            Phase::Paid
            | Phase::Shipped
            | Phase::Finished
            | Phase::Cancelled
            | Phase::Refunding
            | Phase::RefundingLate
            | Phase::Refunded
            | Phase::Refused => return effects.push(Effect::Forget(Reminder::PayTimeout)),
        }
        effects.push(Effect::Remind(Reminder::PayTimeout, self.look_at()));
    }

    /// When it is to be looked next whether the order is paid.
    fn look_at(&self) -> Time {
        self.head.pay_before.after(ASK_AGAIN * u32::from(self.head.overdue))
    }

    /// Unpaid | Paying -> Cancelled: too late.
    fn expire(&mut self, now: Time, effects: &mut Vec<Effect>) {
        self.give_up("system", "it was not paid in time", now, effects);
    }

    /// Unpaid | Paying -> Cancelled.
    pub(super) fn give_up(&mut self, by: &str, reason: &str, now: Time, effects: &mut Vec<Effect>) {
        effects.push(Effect::Forget(Reminder::PayTimeout));
        effects.push(Effect::Publish(Event::OrderCancelled(OrderCancelled {
            order_id: self.head.order_id.clone(),
            reason: reason.to_owned(),
            by: by.to_owned(),
            lines: self.line_facts(),
        })));
        self.enter(Phase::Cancelled, now, effects);
        self.note(by, "cancelled", reason, now);
    }

    /// Asks the bank to give a payment back.
    pub(super) fn refund(&mut self, at: usize, effects: &mut Vec<Effect>) {
        let payment = &mut self.payments[at];
        payment.state = PaymentState::Refunding;
        let asked = payment.asked(&self.head.order_id);
        effects.push(Effect::Publish(Event::RefundRequested(asked)));
    }

    fn find(&self, payment_id: &str) -> Result<usize, Refusal> {
        let at = self.payments.iter().position(|payment| payment.payment_id == payment_id);
        at.ok_or_else(|| {
            Refusal::new(Reason::NotFound, format!("there is no payment {payment_id}"))
        })
    }
}

impl PaymentState {
    /// Whether the bank has taken the money, wherever it is now.
    #[must_use]
    pub fn is_paid(self) -> bool {
        matches!(self, Self::Succeeded | Self::Refunding | Self::Refunded)
    }
}
