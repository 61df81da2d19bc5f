//! What goods cost: their price, or that of the sale they are in.
//!
//! The sale's price holds within its time, for as many units as it has left in all and
//! for this buyer; an order that wants more than that pays the normal price for all.

use crate::domain::answer::{Reason, Refusal};
use crate::domain::checks::{self, COUNT_MAX};
use crate::domain::goods::commands::{Quote, Quoted};
use crate::domain::goods::{Goods, Meta};
use crate::domain::sale::{AttachSale, DetachSale, Sale, SaleStanding};
use crate::domain::time::Time;

/// What one costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// How much, in cents.
    pub cents: u64,
    /// The sale whose price it is.
    pub activity_id: Option<String>,
}

impl Goods {
    /// Puts them into a sale.
    ///
    /// # Errors
    /// `invalid`, also when the sale is not cheaper; `not_found`; `conflict` while
    /// they are in another sale whose time is not over.
    pub fn attach_sale(
        &mut self,
        command: &AttachSale,
        now: Time,
    ) -> Result<SaleStanding, Refusal> {
        let meta = self.meta()?.clone();
        let mut sale = Sale::new(command)?;
        if sale.price_cents >= meta.price_cents {
            let message = format!("the price is {} cents without any sale", meta.price_cents);
            return Err(Refusal::invalid(message));
        }
        match &self.sale {
            Some(known) if known.activity_id == sale.activity_id => {
                sale.sold = sale.sold.max(known.sold);
            }
            Some(known) if now < known.end_at => {
                let message = format!("the goods are in the sale {}", known.activity_id);
                return Err(Refusal::new(Reason::Conflict, message));
            }
            Some(_) | None => {}
        }
        let standing = self.sale.insert(sale).standing();
        self.meta = Some(Meta { version: meta.version + 1, ..meta });
        Ok(standing)
    }

    /// Takes them out of a sale; what is held at its price stays held at that price.
    ///
    /// # Errors
    /// `invalid`, `not_found`.
    pub fn detach_sale(&mut self, command: &DetachSale) -> Result<SaleStanding, Refusal> {
        checks::id("activityId", &command.activity_id)?;
        let meta = self.meta()?.clone();
        match self.sale.take_if(|sale| sale.activity_id == command.activity_id) {
            Some(sale) => {
                self.meta = Some(Meta { version: meta.version + 1, ..meta });
                Ok(sale.standing())
            }
            None => Ok(SaleStanding { activity_id: command.activity_id.clone(), sold: 0 }),
        }
    }

    /// The price for a buyer who has this many of the sale, and how many one order
    /// may have at that price.
    ///
    /// # Errors
    /// `invalid`, `not_found`.
    pub fn quote(&self, command: &Quote, bought: u32, now: Time) -> Result<Quoted, Refusal> {
        checks::id("buyerId", &command.buyer_id)?;
        let meta = self.meta()?;
        let available = self.stock.available();
        let sale = self.sale_at(now).filter(|sale| sale.left(bought, now) > 0);
        let left = sale.map_or(COUNT_MAX, |sale| sale.left(bought, now));
        Ok(Quoted {
            goods_id: meta.goods_id.clone(),
            price_cents: sale.map_or(meta.price_cents, |sale| sale.price_cents),
            available,
            count_max: if meta.shelf { available.min(COUNT_MAX).min(left) } else { 0 },
            off_shelf: !meta.shelf,
            original_price_cents: sale.map(|_| meta.price_cents),
            sale_ends_at: sale.map(|sale| sale.end_at),
        })
    }

    /// The price of one for a buyer who has `bought` of the sale and wants `count`.
    ///
    /// # Errors
    /// `not_found`; when another price was expected `quota_exceeded` or
    /// `per_buyer_limit` if that is why, else `price_changed`.
    pub fn price(
        &self,
        count: u32,
        expected: Option<u64>,
        bought: u32,
        now: Time,
    ) -> Result<Price, Refusal> {
        let meta = self.meta()?;
        let sale = self.sale.as_ref().filter(|sale| sale.price_cents < meta.price_cents);
        let obstacle = sale.map(|sale| sale.obstacle(count, bought, now));
        let price = match (sale, obstacle) {
            (Some(sale), Some(None)) => {
                Price { cents: sale.price_cents, activity_id: Some(sale.activity_id.clone()) }
            }
            _ => Price { cents: meta.price_cents, activity_id: None },
        };
        match (expected, sale, obstacle.flatten()) {
            (None, _, _) => Ok(price),
            (Some(expected), _, _) if expected == price.cents => Ok(price),
            (Some(expected), Some(sale), Some(why)) if expected == sale.price_cents => {
                Err(Refusal::other_price(why, price.cents))
            }
            (Some(_), _, _) => Err(Refusal::other_price(Reason::PriceChanged, price.cents)),
        }
    }

    /// The sale whose price holds now for whoever it has something left for.
    pub(super) fn sale_at(&self, now: Time) -> Option<&Sale> {
        let normal = self.meta.as_ref()?.price_cents;
        self.sale.as_ref().filter(|sale| sale.is_running(now) && sale.price_cents < normal)
    }
}

#[cfg(test)]
mod tests;
