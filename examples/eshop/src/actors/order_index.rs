//! The orders of a buyer; the id of the actor is `buyer:` and the id of the buyer's account.
//!
//! State: `order:{time}:{orderId}`, so that the newest order comes first, and `count`. Where
//! an order stands is the order's to say; here is only that there is one.

use odeon_sdk::{Ctx, Result, actor};

use crate::domain::answer::Answer;
use crate::domain::events::OrderStep;
use crate::domain::listed::{Listed, place};
use crate::domain::pages::Pages;

const ORDERS: &str = "order:";

/// The orders of a buyer.
#[derive(Debug, Default)]
pub struct OrderIndexActor {
    count: u64,
}

#[actor(
    type = "OrderIndexActor",
    methods = "PascalCase",
    idle_timeout = "10m",
    drain_timeout = "30s"
)]
impl OrderIndexActor {
    async fn activate(&mut self, ctx: &mut Ctx) -> Result<()> {
        self.count = ctx.get("count").await?.unwrap_or_default();
        Ok(())
    }

    /// There is an order. Called late, or again, it does no harm.
    async fn put(&mut self, ctx: &mut Ctx, first: OrderStep) -> Result<()> {
        let key = format!("{ORDERS}{}", place(&first));
        if ctx.get::<String>(&key).await?.is_none() {
            self.count += 1;
            ctx.set(&key, &first.order_id)?;
            ctx.set("count", &self.count)?;
        }
        Ok(())
    }

    /// Some of the orders, newest first.
    async fn list(&self, ctx: &Ctx, pages: Pages) -> Result<Answer<Listed>> {
        let range = match pages.range() {
            Ok(range) => range,
            Err(refusal) => return Ok(Answer(Err(refusal))),
        };
        let (mut ids, mut after) = (Vec::new(), None);
        while ids.len() < range.end {
            let page = ctx.range::<String>(ORDERS, after.as_deref()).await?;
            ids.extend(page.items.into_iter().map(|(_, id)| id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let order_ids = ids.into_iter().skip(range.start).take(range.len()).collect();
        Ok(Answer(Ok(Listed { order_ids, total: self.count })))
    }
}
