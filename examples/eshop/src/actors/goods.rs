//! One kind of goods; the id of the actor is the id of the goods.
//!
//! State: `meta`, `stock`, `sale`, `days` (units sold by day), `res:{orderId}` for each
//! order that has reserved, `by:{activityId}:{buyerId}` for what a buyer has of a sale,
//! `held:{n}` for which orders units are held, and `commands`, the last answers. Those with
//! an id in their key are read when they are needed: there are as many as orders, and a turn
//! needs one. What is held is kept in parts, so that a turn rewrites one of them.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::try_join_all;
use odeon_sdk::{Ctx, Result, Timer, actor};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::actors::post::carry_out;
use crate::domain::answer::{Answer, Refusal};
use crate::domain::effects::Effect;
use crate::domain::goods::commands::{
    Changed, Classify, Create, Deduct, Delete, Quote, Quoted, SetShelf, SetStock, Sold, SoldSince,
    StockView, UpdateMeta, View,
};
use crate::domain::goods::{Goods, Mark};
use crate::domain::outcomes::Outcomes;
use crate::domain::reservation::commands::{Extend, OfOrder, Reserve, Reserved};
use crate::domain::reservation::{Reservation, State};
use crate::domain::sale::{AttachSale, DetachSale, SaleStanding};

/// In how many parts it is kept for which orders units are held.
const HELD_PARTS: u32 = 64;
/// The timer that runs while few are left, and how often.
const HOT: &str = "hot";
const HOT_EVERY: Duration = Duration::from_secs(10);

/// One kind of goods and the only one who writes its stock.
#[derive(Debug, Default)]
pub struct GoodsActor {
    goods: Goods,
    outcomes: Outcomes,
    is_hot: bool,
}

#[actor(type = "GoodsActor", methods = "PascalCase", idle_timeout = "10m", drain_timeout = "30s")]
impl GoodsActor {
    async fn activate(&mut self, ctx: &mut Ctx) -> Result<()> {
        let (meta, stock, sale, days, outcomes) = tokio::try_join!(
            ctx.get("meta"),
            ctx.get("stock"),
            ctx.get("sale"),
            ctx.get("days"),
            ctx.get("commands"),
        )?;
        self.goods = Goods {
            meta,
            stock: Option::unwrap_or_default(stock),
            sale,
            days: Option::unwrap_or_default(days),
        };
        self.outcomes = outcomes.unwrap_or_default();
        Ok(())
    }

    /// Creates the goods, off the shelf unless the command says otherwise.
    async fn create(&mut self, ctx: &mut Ctx, command: Create) -> Result<Answer<Changed>> {
        let id = ctx.id().clone();
        self.once(ctx, "Create", &command.cmd_id, |goods| goods.create(id.as_str(), &command))
    }

    /// Changes what is said about the goods, and their price.
    async fn update_meta(&mut self, ctx: &mut Ctx, command: UpdateMeta) -> Result<Answer<Changed>> {
        self.once(ctx, "UpdateMeta", &command.cmd_id, |goods| goods.update_meta(&command))
    }

    /// What the category of the goods is called. Called again, it does no harm.
    async fn classify(&mut self, ctx: &mut Ctx, command: Classify) -> Result<Answer<Changed>> {
        let before = self.goods.mark();
        let answer = Answer(self.goods.classify(&command));
        self.save(ctx, before)?;
        Ok(answer)
    }

    /// Puts the goods on the shelf or takes them off.
    async fn set_shelf(&mut self, ctx: &mut Ctx, command: SetShelf) -> Result<Answer<Changed>> {
        self.once(ctx, "SetShelf", &command.cmd_id, |goods| goods.set_shelf(&command))
    }

    /// Says how many are in the house.
    async fn set_stock(&mut self, ctx: &mut Ctx, command: SetStock) -> Result<Answer<StockView>> {
        self.once(ctx, "SetStock", &command.cmd_id, |goods| goods.set_stock(&command))
    }

    /// Takes units out of the house that nobody bought.
    async fn deduct(&mut self, ctx: &mut Ctx, command: Deduct) -> Result<Answer<StockView>> {
        self.once(ctx, "Deduct", &command.cmd_id, |goods| goods.deduct(&command))
    }

    /// Deletes the goods.
    async fn delete(&mut self, ctx: &mut Ctx, command: Delete) -> Result<Answer<Changed>> {
        self.once(ctx, "Delete", &command.cmd_id, Goods::delete)
    }

    /// Puts the goods into a sale.
    async fn attach_sale(
        &mut self,
        ctx: &mut Ctx,
        command: AttachSale,
    ) -> Result<Answer<SaleStanding>> {
        let now = ctx.now().into();
        self.once(ctx, "AttachSale", &command.cmd_id, |goods| goods.attach_sale(&command, now))
    }

    /// Takes the goods out of a sale.
    async fn detach_sale(
        &mut self,
        ctx: &mut Ctx,
        command: DetachSale,
    ) -> Result<Answer<SaleStanding>> {
        self.once(ctx, "DetachSale", &command.cmd_id, |goods| goods.detach_sale(&command))
    }

    /// What the goods are and how many there are.
    async fn get(&self, ctx: &Ctx) -> Result<Answer<View>> {
        Ok(Answer(self.goods.view(ctx.now().into())))
    }

    /// How many were sold lately.
    async fn sold(&self, ctx: &Ctx, query: SoldSince) -> Result<Answer<Sold>> {
        Ok(Answer(self.goods.sold(query, ctx.now().into())))
    }

    /// The price, and how many one order may have.
    async fn quote(&self, ctx: &Ctx, query: Quote) -> Result<Answer<Quoted>> {
        let bought = match self.allowance(None, &query.buyer_id) {
            Some(key) => ctx.get(&key).await?.unwrap_or_default(),
            None => 0,
        };
        Ok(Answer(self.goods.quote(&query, bought, ctx.now().into())))
    }

    /// Promises units to an order.
    async fn reserve(&mut self, ctx: &mut Ctx, command: Reserve) -> Result<Answer<Reserved>> {
        let (id, buyer, now) = (&command.order_id, &command.buyer_id, ctx.now().into());
        self.settle(ctx, id, buyer, |goods, book| {
            goods.reserve(&mut book.slot, &mut book.bought, &command, now)
        })
        .await
    }

    /// Sells the units that an order has reserved.
    async fn commit(&mut self, ctx: &mut Ctx, command: OfOrder) -> Result<Answer<Reserved>> {
        let (id, now) = (&command.order_id, ctx.now().into());
        self.settle(ctx, id, "", |goods, book| goods.commit(&mut book.slot, id, now)).await
    }

    /// Gives back the units that an order has reserved, or is about to.
    async fn release(&mut self, ctx: &mut Ctx, command: OfOrder) -> Result<Answer<Reserved>> {
        let (id, now) = (&command.order_id, ctx.now().into());
        self.settle(ctx, id, "", |goods, book| {
            goods.release(&mut book.slot, &mut book.bought, id, now)
        })
        .await
    }

    /// Takes back the units that an order has bought.
    #[actor(name = "Return")]
    async fn take_back(&mut self, ctx: &mut Ctx, command: OfOrder) -> Result<Answer<Reserved>> {
        let (id, now) = (&command.order_id, ctx.now().into());
        self.settle(ctx, id, "", |goods, book| goods.take_back(&mut book.slot, id, now)).await
    }

    /// Holds the units of an order for longer.
    async fn extend(&mut self, ctx: &mut Ctx, command: Extend) -> Result<Answer<Reserved>> {
        let (id, now) = (&command.order_id, ctx.now().into());
        self.settle(ctx, id, "", |goods, book| goods.extend(&mut book.slot, &command, now)).await
    }

    /// Units may be held for too long: their orders are asked. Called again, it does no harm.
    async fn holds(&mut self, ctx: &mut Ctx) -> Result<Answer<StockView>> {
        let parts = (0..HELD_PARTS).map(|part| {
            let ctx = &*ctx;
            async move { ctx.get::<BTreeSet<String>>(&held_key(part)).await }
        });
        let orders: Vec<String> =
            try_join_all(parts).await?.into_iter().flatten().flatten().collect();
        let read = orders.iter().map(|order_id| {
            let ctx = &*ctx;
            async move { ctx.get::<Reservation>(&format!("res:{order_id}")).await }
        });
        let read = try_join_all(read).await?;
        let known = orders.iter().zip(&read);
        let known = known.filter_map(|(order_id, one)| Some((order_id.as_str(), one.as_ref()?)));
        let effects = self.goods.holds(known, ctx.now().into());
        carry_out(ctx, None, &effects)?;
        Ok(Answer(Ok(self.goods.stock.view())))
    }

    /// Few are left, and somebody is asking for them.
    async fn hot(&mut self, ctx: &mut Ctx) -> Result<()> {
        let told = self.goods.hot().map(Effect::Publish);
        carry_out(ctx, None, told.as_slice())
    }
}

/// What the goods remember of one order and its buyer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Book {
    slot: Option<Reservation>,
    bought: u32,
}

impl GoodsActor {
    /// Runs a command unless it has run before.
    fn once<T: Serialize + DeserializeOwned>(
        &mut self,
        ctx: &mut Ctx<'_>,
        method: &str,
        cmd_id: &str,
        run: impl FnOnce(&mut Goods) -> Result<T, Refusal>,
    ) -> Result<Answer<T>> {
        let before = self.goods.mark();
        let answer = self.outcomes.once(method, cmd_id, || run(&mut self.goods));
        if self.outcomes.take_changed() {
            ctx.set("commands", &self.outcomes)?;
        }
        self.save(ctx, before)?;
        Ok(answer)
    }

    /// Runs a command on the reservation of an order.
    async fn settle(
        &mut self,
        ctx: &mut Ctx<'_>,
        order_id: &str,
        buyer_id: &str,
        run: impl FnOnce(&mut Goods, &mut Book) -> Result<Reserved, Refusal>,
    ) -> Result<Answer<Reserved>> {
        let key = format!("res:{order_id}");
        let slot: Option<Reservation> = ctx.get(&key).await?;
        let allowance = self.allowance(slot.as_ref(), buyer_id);
        let bought = match &allowance {
            Some(key) => ctx.get(key).await?.unwrap_or_default(),
            None => 0,
        };
        let mut book = Book { slot, bought };
        let before = (self.goods.mark(), book.clone());
        let answer = Answer(run(&mut self.goods, &mut book));
        if book.slot != before.1.slot {
            ctx.set(&key, &book.slot)?;
        }
        let is_held = |slot: &Option<Reservation>| {
            slot.as_ref().is_some_and(|slot| slot.state == State::Held)
        };
        if is_held(&book.slot) != is_held(&before.1.slot) {
            let key = held_key(part_of(order_id));
            let mut part: BTreeSet<String> = ctx.get(&key).await?.unwrap_or_default();
            match is_held(&book.slot) {
                true => part.insert(order_id.to_owned()),
                false => part.remove(order_id),
            };
            match part.is_empty() {
                true => ctx.remove(&key),
                false => ctx.set(&key, &part)?,
            }
        }
        if let Some(key) = allowance
            && book.bought != before.1.bought
        {
            match book.bought {
                0 => ctx.remove(&key),
                bought => ctx.set(&key, &bought)?,
            }
        }
        self.save(ctx, before.0)?;
        Ok(answer)
    }

    /// Where it is kept how many units a buyer has of a sale: the one that a
    /// reservation is part of, else the one that the goods are in.
    fn allowance(&self, slot: Option<&Reservation>, buyer_id: &str) -> Option<String> {
        let (activity_id, buyer_id) = match (slot, &self.goods.sale) {
            (Some(known), _) => (known.activity_id.as_ref()?, known.buyer_id.as_str()),
            (None, Some(sale)) if !buyer_id.is_empty() => (&sale.activity_id, buyer_id),
            (None, _) => return None,
        };
        Some(format!("by:{activity_id}:{buyer_id}"))
    }

    fn save(&mut self, ctx: &mut Ctx<'_>, before: Mark) -> Result<()> {
        let now = self.goods.mark();
        if now.meta != before.meta {
            ctx.set("meta", &self.goods.meta)?;
        }
        if now.stock != before.stock {
            ctx.set("stock", &self.goods.stock)?;
        }
        match &self.goods.sale {
            Some(sale) if now.meta != before.meta || now.in_sale != before.in_sale => {
                ctx.set("sale", sale)?;
            }
            None if before.in_sale.is_some() => ctx.remove("sale"),
            Some(_) | None => {}
        }
        if now.sold_total != before.sold_total {
            ctx.set("days", &self.goods.days)?;
        }
        let is_hot = self.goods.is_hot();
        if is_hot != self.is_hot {
            match is_hot {
                true => {
                    let every = Timer::after(HOT_EVERY).every(HOT_EVERY).without_keeping_alive();
                    ctx.set_timer(HOT, every.calls("Hot"));
                }
                false => ctx.drop_timer(HOT),
            }
            self.is_hot = is_hot;
        }
        let effects: Vec<Effect> = self.goods.effects(before, ctx.now().into());
        carry_out(ctx, None, &effects)
    }
}

fn held_key(part: u32) -> String {
    format!("held:{part}")
}

/// In which part it is kept that units are held for an order.
fn part_of(order_id: &str) -> u32 {
    let sum =
        order_id.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    sum % HELD_PARTS
}
