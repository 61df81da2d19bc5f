//! Units of goods that are promised to an order.
//!
//! An order reserves once; then its units are sold (`Commit`) or given back
//! (`Release`), and sold units may come back (`Return`). Sending a command again
//! changes nothing and is answered as before, whatever has happened since; that holds
//! for a refusal for want of units or for their price, too, and is kept for ever.
//! Invariant: `held` is the sum of the counts of all reservations in state `held`.

pub mod commands;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::commands::{Extend, Offer, Reserve, Reserved};
use crate::domain::answer::{Reason, Refusal};
use crate::domain::checks;
use crate::domain::effects::{Effect, Reminder};
use crate::domain::events::{Event, HoldExpired};
use crate::domain::goods::selling::Price;
use crate::domain::goods::{Goods, LOOK_AFTER_HOLDS, Meta, ON_HAND_MAX};
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
    /// The sale that they are part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity_id: Option<String>,
    /// What was offered.
    #[serde(flatten)]
    pub offer: Option<Offer>,
    /// Why it was refused, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
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
    /// Not to be had when they were asked for: no reservation can follow.
    Refused,
}

impl Reservation {
    fn to_answer(&self, order_id: &str, state: State) -> Reserved {
        Reserved {
            order_id: order_id.to_owned(),
            count: self.count,
            unit_price_cents: self.unit_price_cents,
            state,
            offer: None,
        }
    }

    fn to_first_answer(&self, order_id: &str) -> Reserved {
        Reserved { offer: self.offer.clone(), ..self.to_answer(order_id, State::Held) }
    }

    fn new(command: &Reserve, meta: &Meta, price: Price, now: Time) -> Self {
        Self {
            count: command.count,
            unit_price_cents: price.cents,
            buyer_id: command.buyer_id.clone(),
            state: State::Held,
            at: now,
            expires_at: command.until(now),
            activity_id: price.activity_id,
            offer: Some(Offer {
                goods_name: meta.name.clone(),
                goods_image: meta.image.clone(),
                category_name: meta.category_name.clone(),
                original_price_cents: meta.price_cents,
            }),
            refusal: None,
        }
    }

    /// What a refusal leaves behind, so that a repetition does not get what the first
    /// was denied.
    fn refused(command: &Reserve, refusal: Refusal, now: Time) -> Self {
        Self {
            count: command.count,
            buyer_id: command.buyer_id.clone(),
            state: State::Refused,
            refusal: Some(refusal),
            ..Self::tombstone(now)
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
            activity_id: None,
            offer: None,
            refusal: None,
        }
    }

    fn enter(&mut self, state: State, now: Time) {
        self.state = state;
        self.at = now;
    }
}

impl Reserve {
    fn until(&self, now: Time) -> Time {
        self.expires_at.unwrap_or_else(|| now.after(HOLD))
    }
}

/// Each takes the reservation of the order, if there is one, and may replace it.
impl Goods {
    /// Nothing -> Held | Refused. The price is decided here, in the turn that takes the
    /// units; `bought` is what the buyer has of the sale that the goods are in.
    ///
    /// # Errors
    /// `invalid`, `not_found`; `off_shelf`, `price_changed`, `quota_exceeded`,
    /// `per_buyer_limit`, `out_of_stock`, which are kept; `wrong_state` after a release,
    /// also one that came first; `conflict` when the order has reserved another count.
    pub fn reserve(
        &mut self,
        slot: &mut Option<Reservation>,
        bought: &mut u32,
        command: &Reserve,
        now: Time,
    ) -> Result<Reserved, Refusal> {
        checks::id("orderId", &command.order_id)?;
        checks::id("buyerId", &command.buyer_id)?;
        checks::count(command.count)?;
        match slot {
            Some(Reservation { refusal: Some(refusal), .. }) => Err(refusal.clone()),
            Some(known) if known.state == State::Released => Err(wrong_state(known.state)),
            Some(known) if known.count != command.count => {
                let message = format!("the order has reserved {} already", known.count);
                Err(Refusal::new(Reason::Conflict, message))
            }
            Some(known) => Ok(known.to_first_answer(&command.order_id)),
            None if command.until(now) <= now => {
                Err(Refusal::invalid("expiresAt must be in the future").at("expiresAt"))
            }
            None => {
                let taken = self.take(bought, command, now);
                if let Err(refusal) = &taken
                    && is_kept(refusal.reason)
                {
                    *slot = Some(Reservation::refused(command, refusal.clone(), now));
                }
                Ok(slot.insert(taken?).to_first_answer(&command.order_id))
            }
        }
    }

    /// Takes the units, if they are there to be had.
    fn take(
        &mut self,
        bought: &mut u32,
        command: &Reserve,
        now: Time,
    ) -> Result<Reservation, Refusal> {
        let off_shelf = |message| Err(Refusal::new(Reason::OffShelf, message));
        let meta = match &self.meta {
            Some(meta) if meta.deleted => return off_shelf("the goods are gone".to_owned()),
            Some(meta) if !meta.shelf => {
                return off_shelf(format!("{} is not for sale now", meta.name));
            }
            _ => self.meta()?,
        };
        let price = self.price(command.count, command.expect_price_cents, *bought, now)?;
        let available = self.stock.available();
        if command.count > available {
            return Err(Refusal::out_of_stock(available));
        }
        let reservation = Reservation::new(command, meta, price, now);
        if let (Some(sale), Some(_)) = (&mut self.sale, &reservation.activity_id) {
            sale.sold += command.count;
            *bought += command.count;
        }
        self.stock.held += command.count;
        self.stock.version += 1;
        Ok(reservation)
    }

    /// Held -> Committed: the units leave the house.
    ///
    /// # Errors
    /// `not_found`; `wrong_state` after a release or a refusal.
    pub fn commit(
        &mut self,
        slot: &mut Option<Reservation>,
        order_id: &str,
        now: Time,
    ) -> Result<Reserved, Refusal> {
        let known = slot.as_mut().ok_or_else(|| unknown(order_id))?;
        match known.state {
            State::Held => {
                self.stock.on_hand -= known.count;
                self.stock.held -= known.count;
                self.stock.sold_total += u64::from(known.count);
                self.stock.version += 1;
                self.days.add(known.count, now);
                known.enter(State::Committed, now);
            }
            State::Committed | State::Returned => {}
            State::Released | State::Refused => return Err(wrong_state(known.state)),
        }
        Ok(known.to_answer(order_id, State::Committed))
    }

    /// Held -> Released, and nothing -> Released: a compensation may overtake the
    /// reservation that it undoes, which then must come to nothing. `bought` is what the
    /// buyer has of the sale that the units are part of; they go back there, too.
    ///
    /// # Errors
    /// `invalid`; `wrong_state` once the units are sold.
    pub fn release(
        &mut self,
        slot: &mut Option<Reservation>,
        bought: &mut u32,
        order_id: &str,
        now: Time,
    ) -> Result<Reserved, Refusal> {
        checks::id("orderId", order_id)?;
        let known = slot.get_or_insert_with(|| Reservation::tombstone(now));
        match known.state {
            State::Held => {
                self.stock.held -= known.count;
                self.stock.version += 1;
                if let Some(activity_id) = &known.activity_id {
                    *bought = bought.saturating_sub(known.count);
                    let sale = self.sale.as_mut();
                    if let Some(sale) = sale.filter(|sale| sale.activity_id == *activity_id) {
                        sale.sold = sale.sold.saturating_sub(known.count);
                    }
                }
                known.enter(State::Released, now);
            }
            State::Released | State::Refused => {}
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
        now: Time,
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
                self.days.take_back(known.count, known.at);
                known.enter(State::Returned, now);
            }
            State::Returned => {}
            State::Held | State::Released | State::Refused => return Err(wrong_state(known.state)),
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
            return Err(Refusal::invalid("until must be in the future").at("until"));
        }
        known.expires_at = known.expires_at.max(command.until);
        Ok(known.to_answer(&command.order_id, State::Held))
    }

    /// What is to be told of units that are held for longer than was asked for; and
    /// when to look again, if any are held.
    #[must_use]
    pub fn holds<'a>(
        &self,
        reservations: impl IntoIterator<Item = (&'a str, &'a Reservation)>,
        now: Time,
    ) -> Vec<Effect> {
        let Some(meta) = self.meta.as_ref().filter(|_| self.stock.held > 0) else {
            return vec![Effect::Forget(Reminder::Holds)];
        };
        let over = reservations
            .into_iter()
            .filter(|(_, one)| one.state == State::Held && one.expires_at <= now)
            .map(|(order_id, one)| HoldExpired {
                goods_id: meta.goods_id.clone(),
                order_id: order_id.to_owned(),
                expires_at: one.expires_at,
            });
        let mut effects: Vec<_> = over.map(Event::StockHoldExpired).map(Effect::Publish).collect();
        effects.push(Effect::Remind(Reminder::Holds, now.after(LOOK_AFTER_HOLDS)));
        effects
    }
}

/// Whether a refusal to reserve is kept, and so is the answer for ever. What breaks a
/// rule, or asks for what was never there, is not: anybody can send that, and as often
/// as they like.
#[must_use]
pub fn is_kept(reason: Reason) -> bool {
    match reason {
        Reason::OffShelf
        | Reason::OutOfStock
        | Reason::PriceChanged
        | Reason::QuotaExceeded
        | Reason::PerBuyerLimit => true,
        Reason::Invalid
        | Reason::NotFound
        | Reason::WrongState
        | Reason::AlreadyPaid
        | Reason::Conflict
        | Reason::Duplicate
        | Reason::Expired => false,
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
        State::Refused => "refused",
    };
    Refusal::new(Reason::WrongState, format!("the reservation is {word}"))
}

#[cfg(test)]
mod tests;
