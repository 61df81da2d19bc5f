//! The money of an order: asked for, paid, too late, given back.
//!
//! The bank is asked once per request of the buyer and may answer late, twice or
//! never. Invariant: at most one payment has succeeded and is not given back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::answer::{Reason, Refusal};
use crate::domain::checks;
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
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pay {
    /// The buyer's request.
    pub request_id: String,
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
}

impl Order {
    /// Unpaid -> Paying, or too late: Unpaid -> Cancelled. The same request is
    /// answered the same for ever.
    ///
    /// # Errors
    /// `invalid`; `expired`, which cancels the order; `conflict` while another
    /// request is being paid; `already_paid`; `wrong_state`.
    pub fn pay(&mut self, command: &Pay, now: Time) -> Result<Paid, Refusal> {
        checks::id("requestId", &command.request_id)?;
        let mut known = self.payments.iter();
        if let Some(known) = known.find(|payment| payment.request_id == command.request_id) {
            return Ok(known.to_answer(PaymentState::Requested));
        }
        match self.head.phase {
            Phase::Unpaid if now >= self.head.pay_before => {
                self.expire(now);
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
                    state: PaymentState::Requested,
                };
                let answer = payment.to_answer(PaymentState::Requested);
                self.payments.push(payment);
                self.enter(Phase::Paying);
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
    pub fn payment_result(&mut self, command: &PaymentResult, now: Time) -> Result<Paid, Refusal> {
        let at = self.find(&command.payment_id)?;
        let payment = &self.payments[at];
        if payment.amount_cents != command.amount_cents {
            let message = format!("the amount is {} cents", payment.amount_cents);
            return Err(Refusal::invalid(message));
        }
        let outcome = if command.paid { PaymentState::Succeeded } else { PaymentState::Failed };
        match (payment.state, self.head.phase, outcome) {
            // The bank says it once more.
            (PaymentState::Failed, _, PaymentState::Failed) => {}
            (state, _, PaymentState::Succeeded) if state.is_paid() => {}
            (PaymentState::Requested, Phase::Paying, PaymentState::Succeeded) => {
                self.payments[at].state = outcome;
                self.enter(Phase::Paid);
                self.note(&self.head.user_name.clone(), "paid", "", now);
            }
            (PaymentState::Requested, Phase::Paying, _) => {
                self.payments[at].state = outcome;
                self.enter(Phase::Unpaid);
                self.note("system", "could not collect the money for", "", now);
                if now >= self.head.pay_before {
                    self.expire(now);
                }
            }
            (PaymentState::Requested, Phase::Cancelled, PaymentState::Succeeded) => {
                self.payments[at].state = PaymentState::Refunding;
                self.enter(Phase::RefundingLate);
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
    pub fn refund_done(&mut self, command: &RefundDone, now: Time) -> Result<Paid, Refusal> {
        let at = self.find(&command.payment_id)?;
        match (self.payments[at].state, self.head.phase) {
            (PaymentState::Refunded, _) => {}
            (PaymentState::Refunding, phase @ (Phase::Refunding | Phase::RefundingLate)) => {
                self.payments[at].state = PaymentState::Refunded;
                let late = phase == Phase::RefundingLate;
                self.enter(if late { Phase::Cancelled } else { Phase::Refunded });
                self.note("system", "refunded", "", now);
            }
            _ => return Err(self.wrong_state()),
        }
        Ok(self.payments[at].to_answer(PaymentState::Refunded))
    }

    /// The time to pay is over: Unpaid -> Cancelled, and Paying -> Cancelled once the
    /// bank has been waited for often enough. Says when to look again, if at all.
    pub fn pay_timeout(&mut self, now: Time) -> Option<Duration> {
        match self.head.phase {
            // A clock that was set back fires early.
            Phase::Unpaid if now < self.head.pay_before => Some(self.head.pay_before.since(now)),
            Phase::Unpaid => {
                self.expire(now);
                None
            }
            Phase::Paying if self.head.overdue < OVERDUE_MAX => {
                self.head.overdue += 1;
                Some(ASK_AGAIN)
            }
            Phase::Paying => {
                self.expire(now);
                None
            }
            Phase::Paid
            | Phase::Shipped
            | Phase::Finished
            | Phase::Cancelled
            | Phase::Refunding
            | Phase::RefundingLate
            | Phase::Refunded
            | Phase::Refused => None,
        }
    }

    fn expire(&mut self, now: Time) {
        self.enter(Phase::Cancelled);
        self.note("system", "cancelled", "it was not paid in time", now);
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
