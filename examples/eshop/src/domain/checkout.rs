//! How a basket becomes an order: begin, then complete or abort.
//!
//! Between the two the basket may change; the order is made from the lines as they
//! were when the checkout began. One checkout at a time, named by the buyer's
//! request: the same request is the same order, however often it is sent. Once it has
//! ended, or was ended before it began, it does not begin any more: a beginning that
//! comes late would be a checkout that nobody ends.

use serde::{Deserialize, Serialize};

use crate::domain::answer::{Reason, Refusal};
use crate::domain::basket::{Basket, Item, Receipt, total_cents};
use crate::domain::checks;
use crate::domain::ids;
use crate::domain::outcomes::Outcomes;
use crate::domain::time::Time;

/// A checkout that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkout {
    /// The buyer's request.
    pub request_id: String,
    /// The order it is to become.
    pub order_id: String,
    /// When it began.
    pub at: Time,
    /// The lines at that time.
    pub items: Vec<Item>,
}

/// Begins a checkout.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Begin {
    /// The buyer's request.
    pub request_id: String,
}

/// Ends the checkout of an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct End {
    /// The order.
    pub order_id: String,
}

/// What is to be ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Begun {
    /// The id of the order.
    pub order_id: String,
    /// Its lines.
    pub items: Vec<Item>,
    /// What they cost at the prices the buyer saw, in cents.
    pub total_cents: u64,
}

/// The two ways to end, as the outcomes know them.
pub const COMPLETE: &str = "CompleteCheckout";
/// The other way.
pub const ABORT: &str = "AbortCheckout";

/// Each takes the checkout, if one has begun.
impl Basket {
    /// None -> begun. The same request is answered the same while it goes on. The
    /// outcomes tell of those that have ended.
    ///
    /// # Errors
    /// `invalid`, also for an empty basket; `conflict` while another request is
    /// being checked out; `wrong_state` when this one has ended.
    pub fn begin_checkout(
        &self,
        slot: &mut Option<Checkout>,
        ended: &Outcomes,
        buyer_id: &str,
        command: &Begin,
        now: Time,
    ) -> Result<Begun, Refusal> {
        checks::id("requestId", &command.request_id)?;
        let order_id = ids::order(buyer_id, &command.request_id);
        if [COMPLETE, ABORT].into_iter().any(|way| ended.has(way, &order_id)) {
            return Err(Refusal::new(Reason::WrongState, "this request has been checked out"));
        }
        let checkout = match slot {
            Some(begun) if begun.request_id == command.request_id => begun,
            Some(_) => {
                let message = "another request is being checked out";
                return Err(Refusal::new(Reason::Conflict, message));
            }
            None if self.items.is_empty() => return Err(Refusal::invalid("the basket is empty")),
            None => slot.insert(Checkout {
                request_id: command.request_id.clone(),
                order_id,
                at: now,
                items: self.items.clone(),
            }),
        };
        Ok(Begun {
            order_id: checkout.order_id.clone(),
            items: checkout.items.clone(),
            total_cents: total_cents(&checkout.items),
        })
    }

    /// Begun -> none: the ordered units leave the basket, later ones stay.
    ///
    /// # Errors
    /// `wrong_state` when this order is not being checked out.
    pub fn complete_checkout(
        &mut self,
        slot: &mut Option<Checkout>,
        command: &End,
        now: Time,
    ) -> Result<Receipt, Refusal> {
        let checkout = end(slot, &command.order_id)?;
        Ok(self.take_out(&checkout.items, now))
    }

    /// Begun -> none: the basket stays as it is.
    ///
    /// # Errors
    /// `wrong_state` when this order is not being checked out.
    pub fn abort_checkout(
        &self,
        slot: &mut Option<Checkout>,
        command: &End,
    ) -> Result<Receipt, Refusal> {
        end(slot, &command.order_id)?;
        Ok(self.receipt())
    }
}

fn end(slot: &mut Option<Checkout>, order_id: &str) -> Result<Checkout, Refusal> {
    slot.take_if(|checkout| checkout.order_id == order_id).ok_or_else(|| {
        let message = format!("order {order_id} is not being checked out");
        Refusal::new(Reason::WrongState, message)
    })
}

#[cfg(test)]
mod tests;
