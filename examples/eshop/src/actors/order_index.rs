//! A list of orders; the id of the actor says of which.
//!
//! `buyer:` and the id of an account: the buyer's. `day:20260301`: those of all buyers that
//! were placed, or refused, on that day; `paid:20260301`: those that were paid then. `day` and
//! `paid` list those days.
//!
//! State: `order:{time}:{orderId}`, so that the newest order comes first, and `count`. Where
//! an order stands is the order's to say; here is only that there is one. A buyer's list keeps
//! the last steps of the orders, too, for who follows them: `step:{slot}`, a slot each.

use odeon_sdk::{Ctx, Message, Result, actor};

use super::kept;
use crate::domain::answer::Answer;
use crate::domain::events::OrderStep;
use crate::domain::feed::{After, Feed, News};
use crate::domain::handlers::is_of_buyer;
use crate::domain::listed::{Listed, Part, first_of_day, place};

const ORDERS: &str = "order:";
const STEPS: &str = "step:";

/// A list of orders.
#[derive(Debug, Default)]
pub struct OrderIndexActor {
    count: u64,
    feed: Feed,
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
        self.feed = Feed::new(kept::all(ctx, STEPS).await?);
        Ok(())
    }

    /// There is an order. Called late, or again, it does no harm.
    async fn put(&mut self, ctx: &mut Ctx, first: OrderStep) -> Result<()> {
        let key = format!("{ORDERS}{}", place(&first));
        if ctx.get::<String>(&key).await?.is_none() {
            if self.count == 0
                && let Some((days, day)) = first_of_day(ctx.id().as_str(), &first)
            {
                ctx.send(Message::to("OrderIndexActor", days, "Put")?.with(&day)?);
            }
            self.count += 1;
            ctx.set(&key, &first.order_id)?;
            ctx.set("count", &self.count)?;
            if is_of_buyer(ctx.id().as_str()) {
                self.follow(ctx, &first)?;
            }
        }
        Ok(())
    }

    /// An order has made a further step. Called again, it does no harm.
    async fn step(&mut self, ctx: &mut Ctx, step: OrderStep) -> Result<()> {
        self.follow(ctx, &step)
    }

    /// The steps since one that is known.
    async fn news(&self, after: After) -> Result<Answer<News>> {
        Ok(Answer(Ok(self.feed.after(after))))
    }

    /// Some of the orders, newest first.
    async fn list(&self, ctx: &Ctx, part: Part) -> Result<Answer<Listed>> {
        let range = match part.range() {
            Ok(range) => range,
            Err(refusal) => return Ok(Answer(Err(refusal))),
        };
        let (mut ids, mut after) = (Vec::new(), None);
        let end = if range.is_empty() { 0 } else { range.end };
        while ids.len() < end {
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

impl OrderIndexActor {
    fn follow(&mut self, ctx: &mut Ctx<'_>, step: &OrderStep) -> Result<()> {
        if let Some(entry) = self.feed.put(step) {
            ctx.set(&format!("{STEPS}{}", Feed::slot(entry.number)), entry)?;
        }
        Ok(())
    }
}
