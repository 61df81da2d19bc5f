//! A bank that only pretends: what becomes of one payment that it is asked for.
//!
//! The last digits of the card say how it behaves, so that a shop's bad days can be
//! had on purpose. Invariant: money is taken at most once, given back at most once, and
//! only what was taken is given back; how often it is asked does not matter.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::answer::{Reason, Refusal};
use crate::domain::checks;
use crate::domain::effects::{Effect, Reminder};
use crate::domain::events::{Event, PaymentTold};
use crate::domain::time::Time;

/// Cards that end so are declined.
pub const DECLINED: &str = "0002";
/// For cards that end so the answer takes a while.
pub const SLOW: &str = "0003";
/// For cards that end so the answer comes twice.
pub const TWICE: &str = "0004";
/// For cards that end so no answer ever comes, and no money is taken.
pub const SILENT: &str = "0005";
/// The bank declines a payment of more than this, in cents.
pub const AMOUNT_CENTS_MAX: u64 = 10_000_000;
/// How long the slow answer takes.
pub const SLOW_ANSWER: Duration = Duration::from_secs(5);

/// One payment, as the bank knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deed {
    /// Its id.
    pub payment_id: String,
    /// The order that is paid.
    pub order_id: String,
    /// How much, in cents.
    pub amount_cents: u64,
    /// What has become of it.
    pub state: DeedState,
    /// When the bank was asked.
    pub at: Time,
}

/// What has become of a payment at the bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeedState {
    /// The bank is slow.
    Pending,
    /// The money is taken.
    Taken,
    /// The bank has said no.
    Declined,
    /// The bank says nothing.
    Silent,
    /// The money was taken and is back.
    Returned,
}

/// Asks the bank for money.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Charge {
    /// The order that is paid.
    pub order_id: String,
    /// How much, in cents.
    pub amount_cents: u64,
    /// The last four digits of the card.
    pub card_tail: Option<String>,
}

/// Asks the bank to give money back.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Refund {
    /// How much, in cents: all of it.
    pub amount_cents: u64,
}

impl Deed {
    /// Nothing -> Pending | Taken | Declined | Silent. Asked again, it says what it
    /// knows and does nothing.
    ///
    /// # Errors
    /// `invalid`; `conflict` when the payment was asked for with another order or sum.
    pub fn charge(
        slot: &mut Option<Self>,
        payment_id: &str,
        command: &Charge,
        limit_cents: u64,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<Self, Refusal> {
        if let Some(known) = slot {
            if (&known.order_id, known.amount_cents) != (&command.order_id, command.amount_cents) {
                let message = "the payment was asked for with another order or sum";
                return Err(Refusal::new(Reason::Conflict, message));
            }
            return Ok(known.clone());
        }
        checks::id("paymentId", payment_id)?;
        checks::id("orderId", &command.order_id)?;
        if command.amount_cents == 0 {
            return Err(Refusal::invalid("amountCents must be more than 0").at("amountCents"));
        }
        let tail = command.card_tail.as_deref().unwrap_or_default();
        if !tail.is_empty() {
            checks::card_tail(tail)?;
        }
        let state = match tail {
            _ if command.amount_cents > limit_cents => DeedState::Declined,
            DECLINED => DeedState::Declined,
            SLOW => DeedState::Pending,
            SILENT => DeedState::Silent,
            _ => DeedState::Taken,
        };
        let deed = slot.insert(Self {
            payment_id: payment_id.to_owned(),
            order_id: command.order_id.clone(),
            amount_cents: command.amount_cents,
            state,
            at: now,
        });
        match state {
            DeedState::Taken => effects.push(deed.tell(Event::PaymentSucceeded, None)),
            DeedState::Declined => effects.push(deed.tell(Event::PaymentFailed, Some("declined"))),
            DeedState::Pending => effects.push(Effect::Remind(Reminder::Answer, deed.due_at())),
            DeedState::Silent | DeedState::Returned => {}
        }
        if tail == TWICE
            && let Some(first) = effects.last().cloned()
        {
            effects.push(first);
        }
        Ok(deed.clone())
    }

    /// Pending -> Taken: the slow bank has made up its mind. Called early, it asks to
    /// be called again at the right time.
    pub fn answer(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if self.state != DeedState::Pending {
            return;
        }
        if now < self.due_at() {
            effects.push(Effect::Remind(Reminder::Answer, self.due_at()));
            return;
        }
        self.state = DeedState::Taken;
        effects.push(self.tell(Event::PaymentSucceeded, None));
    }

    /// Taken -> Returned.
    ///
    /// # Errors
    /// `invalid` when the sum is another; `wrong_state` when nothing was taken.
    pub fn refund(&mut self, command: &Refund, effects: &mut Vec<Effect>) -> Result<Self, Refusal> {
        if command.amount_cents != self.amount_cents {
            let message = format!("the amount is {} cents", self.amount_cents);
            return Err(Refusal::invalid(message).at("amountCents"));
        }
        match self.state {
            DeedState::Taken => {
                self.state = DeedState::Returned;
                effects.push(self.tell(Event::RefundDone, None));
            }
            DeedState::Returned => {}
            DeedState::Pending | DeedState::Declined | DeedState::Silent => {
                return Err(Refusal::new(Reason::WrongState, "no money was taken"));
            }
        }
        Ok(self.clone())
    }

    fn due_at(&self) -> Time {
        self.at.after(SLOW_ANSWER)
    }

    fn tell(&self, event: fn(PaymentTold) -> Event, reason: Option<&str>) -> Effect {
        Effect::Publish(event(PaymentTold {
            payment_id: self.payment_id.clone(),
            order_id: self.order_id.clone(),
            amount_cents: self.amount_cents,
            reason: reason.map(str::to_owned),
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples::at;

    const LIMIT: u64 = 1_000;

    fn charge(amount_cents: u64, tail: &str) -> Charge {
        let card_tail = (!tail.is_empty()).then(|| tail.to_owned());
        Charge { order_id: "o1".into(), amount_cents, card_tail }
    }

    #[test]
    fn a_card_says_how_the_bank_behaves() {
        for (amount, tail, state, told) in [
            (900, "", DeedState::Taken, 1),
            (900, "1234", DeedState::Taken, 1),
            (1_001, "1234", DeedState::Declined, 1),
            (900, DECLINED, DeedState::Declined, 1),
            (900, SLOW, DeedState::Pending, 0),
            (900, TWICE, DeedState::Taken, 2),
            (1_001, TWICE, DeedState::Declined, 2),
            (900, SILENT, DeedState::Silent, 0),
        ] {
            let (mut slot, mut effects) = (None, Vec::new());
            let deed =
                Deed::charge(&mut slot, "p1", &charge(amount, tail), LIMIT, at(0), &mut effects);
            assert_eq!(deed.unwrap().state, state, "{amount} from {tail}");
            let published = |one: &&Effect| matches!(one, Effect::Publish(_));
            assert_eq!(effects.iter().filter(published).count(), told, "{amount} from {tail}");
        }
        for command in [charge(0, ""), charge(1, "12"), Charge::default()] {
            let refused = Deed::charge(&mut None, "p1", &command, LIMIT, at(0), &mut Vec::new());
            assert_eq!(refused.unwrap_err().reason, Reason::Invalid);
        }
    }

    #[test]
    fn the_slow_bank_answers_when_it_is_due() {
        let (mut slot, mut effects) = (None, Vec::new());
        Deed::charge(&mut slot, "p1", &charge(9, SLOW), LIMIT, at(0), &mut effects).unwrap();
        let due = Effect::Remind(Reminder::Answer, at(5));
        assert_eq!(effects, std::slice::from_ref(&due));
        let mut deed = slot.unwrap();
        deed.answer(at(4), &mut effects);
        assert_eq!((&effects[1], deed.state), (&due, DeedState::Pending));
        let refused = deed.refund(&Refund { amount_cents: 9 }, &mut effects).unwrap_err();
        assert_eq!(refused.reason, Reason::WrongState);
        deed.answer(at(5), &mut effects);
        deed.answer(at(6), &mut effects);
        assert_eq!((effects.len(), deed.state), (3, DeedState::Taken));
    }

    proptest! {
        #[test]
        fn money_is_taken_once_and_given_back_once(
            tail in prop::sample::select(vec!["", DECLINED, SLOW, TWICE, SILENT]),
            steps in prop::collection::vec((0..4_u8, 0_i64..4), 1..30),
        ) {
            let (mut slot, mut now, mut told) = (None, 0, Vec::new());
            let mut states = Vec::new();
            for (step, passed) in steps {
                now += passed;
                let mut effects = Vec::new();
                match (step, &mut slot) {
                    (0, slot) => {
                        let asked = charge(9, tail);
                        Deed::charge(slot, "p1", &asked, LIMIT, at(now), &mut effects).unwrap();
                    }
                    (1, slot) => {
                        let other = charge(8, tail);
                        let had = slot.clone();
                        let refused = Deed::charge(slot, "p1", &other, LIMIT, at(now), &mut effects);
                        if had.is_some() {
                            prop_assert!(refused.is_err() && *slot == had);
                        } else {
                            // The wrong sum was first: the right one is refused from now on.
                            *slot = None;
                            effects.clear();
                        }
                    }
                    (2, Some(deed)) => deed.answer(at(now), &mut effects),
                    (3, Some(deed)) => drop(deed.refund(&Refund { amount_cents: 9 }, &mut effects)),
                    (_, _) => {}
                }
                told.extend(effects);
                states.extend(slot.as_ref().map(|deed: &Deed| deed.state));
            }
            states.dedup();
            let at_most_once = |state| states.iter().filter(|one| **one == state).count() <= 1;
            prop_assert!(at_most_once(DeedState::Taken) && at_most_once(DeedState::Returned));
            let said = |is_it: fn(&Event) -> bool| {
                told.iter().filter(|one| matches!(one, Effect::Publish(event) if is_it(event))).count()
            };
            let succeeded = said(|event| matches!(event, Event::PaymentSucceeded(_)));
            let failed = said(|event| matches!(event, Event::PaymentFailed(_)));
            let returned = said(|event| matches!(event, Event::RefundDone(_)));
            prop_assert!(succeeded == 0 || failed == 0);
            prop_assert!(succeeded <= 1 + usize::from(tail == TWICE));
            prop_assert!(returned <= succeeded.min(1));
            prop_assert_eq!(returned == 1, states.last() == Some(&DeedState::Returned));
        }
    }
}
