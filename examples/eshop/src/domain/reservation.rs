//! Units of goods that are promised to an order.
//!
//! An order reserves once; then its units are sold (`Commit`) or given back
//! (`Release`), and sold units may come back (`Return`). Sending a command again
//! changes nothing and is answered as before, whatever has happened since.
//! Invariant: `held` is the sum of the counts of all reservations in state `held`.

pub mod commands;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::commands::{Extend, Reserve, Reserved};
use crate::domain::answer::{Reason, Refusal};
use crate::domain::checks;
use crate::domain::goods::{Goods, ON_HAND_MAX};
use crate::domain::time::Time;

/// How long units are held if the order does not say: 5 minutes to pay and 2 to settle.
pub const HOLD: Duration = Duration::from_secs(7 * 60);

/// Units of one kind of goods promised to one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// How many.
    pub count: u32,
    /// At this price of one, in cents, whatever the price is later.
    pub unit_price_cents: u64,
    /// To whom.
    pub buyer_id: String,
    /// What has become of them.
    pub state: State,
    /// Since when.
    pub at: Time,
    /// Until when, unless the order is asked and still wants them.
    pub expires_at: Time,
}

/// What has become of reserved units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// In the house, promised.
    Held,
    /// Sold.
    Committed,
    /// Given back, or never taken: no reservation can follow.
    Released,
    /// Sold and brought back.
    Returned,
}

impl Reservation {
    fn to_answer(&self, order_id: &str, state: State) -> Reserved {
        Reserved {
            order_id: order_id.to_owned(),
            count: self.count,
            unit_price_cents: self.unit_price_cents,
            state,
        }
    }

    /// What a release leaves behind that has overtaken its reservation.
    fn tombstone(at: Time) -> Self {
        Self {
            count: 0,
            unit_price_cents: 0,
            buyer_id: String::new(),
            state: State::Released,
            at,
            expires_at: at,
        }
    }
}

/// Each takes the reservation of the order, if there is one, and may replace it.
impl Goods {
    /// Nothing -> Held. The price is decided here, in the turn that takes the units.
    ///
    /// # Errors
    /// `invalid`, `not_found`, `off_shelf`, `price_changed`, `out_of_stock`;
    /// `wrong_state` after a release, also one that came first; `conflict` when the
    /// order has reserved another count.
    pub fn reserve(
        &mut self,
        slot: &mut Option<Reservation>,
        command: &Reserve,
        now: Time,
    ) -> Result<Reserved, Refusal> {
        checks::id("orderId", &command.order_id)?;
        checks::id("buyerId", &command.buyer_id)?;
        checks::count(command.count)?;
        let expires_at = command.expires_at.unwrap_or_else(|| now.after(HOLD));
        match slot {
            Some(known) if known.state == State::Released => Err(wrong_state(known.state)),
            Some(known) if known.count != command.count => {
                let message = format!("the order has reserved {} already", known.count);
                Err(Refusal::new(Reason::Conflict, message))
            }
            Some(known) => Ok(known.to_answer(&command.order_id, State::Held)),
            None if expires_at <= now => Err(Refusal::invalid("expiresAt must be in the future")),
            None => {
                let reservation = Reservation {
                    count: command.count,
                    unit_price_cents: self.price_for(command)?,
                    buyer_id: command.buyer_id.clone(),
                    state: State::Held,
                    at: now,
                    expires_at,
                };
                self.stock.held += command.count;
                self.stock.version += 1;
                Ok(slot.insert(reservation).to_answer(&command.order_id, State::Held))
            }
        }
    }

    /// Held -> Committed: the units leave the house.
    ///
    /// # Errors
    /// `not_found`; `wrong_state` after a release.
    pub fn commit(
        &mut self,
        slot: &mut Option<Reservation>,
        order_id: &str,
    ) -> Result<Reserved, Refusal> {
        let known = slot.as_mut().ok_or_else(|| unknown(order_id))?;
        match known.state {
            State::Held => {
                self.stock.on_hand -= known.count;
                self.stock.held -= known.count;
                self.stock.sold_total += u64::from(known.count);
                self.stock.version += 1;
                known.state = State::Committed;
            }
            State::Committed | State::Returned => {}
            State::Released => return Err(wrong_state(known.state)),
        }
        Ok(known.to_answer(order_id, State::Committed))
    }

    /// Held -> Released, and nothing -> Released: a compensation may overtake the
    /// reservation that it undoes, which then must come to nothing.
    ///
    /// # Errors
    /// `invalid`; `wrong_state` once the units are sold.
    pub fn release(
        &mut self,
        slot: &mut Option<Reservation>,
        order_id: &str,
        now: Time,
    ) -> Result<Reserved, Refusal> {
        checks::id("orderId", order_id)?;
        let known = slot.get_or_insert_with(|| Reservation::tombstone(now));
        match known.state {
            State::Held => {
                self.stock.held -= known.count;
                self.stock.version += 1;
                known.state = State::Released;
            }
            State::Released => {}
            State::Committed | State::Returned => return Err(wrong_state(known.state)),
        }
        Ok(known.to_answer(order_id, State::Released))
    }

    /// Committed -> Returned: the units are in the house again.
    ///
    /// # Errors
    /// `not_found`; `wrong_state` when they are not sold; `conflict` when the house
    /// is full.
    pub fn take_back(
        &mut self,
        slot: &mut Option<Reservation>,
        order_id: &str,
    ) -> Result<Reserved, Refusal> {
        let known = slot.as_mut().ok_or_else(|| unknown(order_id))?;
        match known.state {
            State::Committed => {
                let on_hand = self.stock.on_hand + known.count;
                if on_hand > ON_HAND_MAX {
                    let message = format!("at most {ON_HAND_MAX} fit into the house");
                    return Err(Refusal::new(Reason::Conflict, message));
                }
                self.stock.on_hand = on_hand;
                self.stock.sold_total -= u64::from(known.count);
                self.stock.version += 1;
                known.state = State::Returned;
            }
            State::Returned => {}
            State::Held | State::Released => return Err(wrong_state(known.state)),
        }
        Ok(known.to_answer(order_id, State::Returned))
    }

    /// Held -> Held, until later.
    ///
    /// # Errors
    /// `invalid`, `not_found`; `wrong_state` when the units are not held any more.
    pub fn extend(
        &mut self,
        slot: &mut Option<Reservation>,
        command: &Extend,
        now: Time,
    ) -> Result<Reserved, Refusal> {
        let known = slot.as_mut().ok_or_else(|| unknown(&command.order_id))?;
        if known.state != State::Held {
            return Err(wrong_state(known.state));
        }
        if command.until <= now {
            return Err(Refusal::invalid("until must be in the future"));
        }
        known.expires_at = known.expires_at.max(command.until);
        Ok(known.to_answer(&command.order_id, State::Held))
    }

    /// The price of one, if the goods are there to be had.
    fn price_for(&self, command: &Reserve) -> Result<u64, Refusal> {
        let meta = self.meta()?;
        if !meta.shelf {
            let message = format!("{} is not for sale now", meta.name);
            return Err(Refusal::new(Reason::OffShelf, message));
        }
        if command.expect_price_cents.is_some_and(|expected| expected != meta.price_cents) {
            return Err(Refusal::price_changed(meta.price_cents));
        }
        let available = self.stock.available();
        if command.count > available {
            return Err(Refusal::out_of_stock(available));
        }
        Ok(meta.price_cents)
    }
}

fn unknown(order_id: &str) -> Refusal {
    Refusal::new(Reason::NotFound, format!("order {order_id} has reserved nothing here"))
}

fn wrong_state(state: State) -> Refusal {
    let word = match state {
        State::Held => "held",
        State::Committed => "sold",
        State::Released => "released",
        State::Returned => "returned",
    };
    Refusal::new(Reason::WrongState, format!("the reservation is {word}"))
}

#[cfg(test)]
mod tests;
