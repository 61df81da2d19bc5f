//! One kind of goods; the id of the actor is the id of the goods.
//!
//! State: `meta`, `stock`, `res:{orderId}` for each order that has reserved, and
//! `commands`, the last answers. Reservations are read when they are needed: there
//! are as many as orders, and a turn needs one.

use odeon_sdk::{Ctx, Result, actor};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::answer::{Answer, Reason, Refusal};
use crate::domain::goods::Goods;
use crate::domain::goods::commands::{
    Changed, Create, Delete, Quote, Quoted, SetShelf, SetStock, StockView, UpdateMeta, View,
};
use crate::domain::outcomes::Outcomes;
use crate::domain::reservation::Reservation;
use crate::domain::reservation::commands::{Extend, OfOrder, Reserve, Reserved};

/// One kind of goods and the only one who writes its stock.
#[derive(Debug, Default)]
pub struct GoodsActor {
    goods: Goods,
    outcomes: Outcomes,
}

#[actor(type = "GoodsActor", methods = "PascalCase", idle_timeout = "10m", drain_timeout = "30s")]
impl GoodsActor {
    async fn activate(&mut self, ctx: &mut Ctx) -> Result<()> {
        let (meta, stock, outcomes) =
            tokio::try_join!(ctx.get("meta"), ctx.get("stock"), ctx.get("commands"))?;
        self.goods = Goods { meta, stock: stock.unwrap_or_default() };
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

    /// Puts the goods on the shelf or takes them off.
    async fn set_shelf(&mut self, ctx: &mut Ctx, command: SetShelf) -> Result<Answer<Changed>> {
        self.once(ctx, "SetShelf", &command.cmd_id, |goods| goods.set_shelf(&command))
    }

    /// Says how many are in the house.
    async fn set_stock(&mut self, ctx: &mut Ctx, command: SetStock) -> Result<Answer<StockView>> {
        self.once(ctx, "SetStock", &command.cmd_id, |goods| goods.set_stock(&command))
    }

    /// Deletes the goods.
    async fn delete(&mut self, ctx: &mut Ctx, command: Delete) -> Result<Answer<Changed>> {
        self.once(ctx, "Delete", &command.cmd_id, Goods::delete)
    }

    /// What the goods are and how many there are.
    async fn get(&self) -> Result<Answer<View>> {
        Ok(Answer(self.goods.view()))
    }

    /// The price, and how many one order may have.
    async fn quote(&self, query: Quote) -> Result<Answer<Quoted>> {
        Ok(Answer(self.goods.quote(&query)))
    }

    /// Promises units to an order.
    async fn reserve(&mut self, ctx: &mut Ctx, command: Reserve) -> Result<Answer<Reserved>> {
        let (id, now) = (&command.order_id, ctx.now().into());
        if let Some(refused) = self.outcomes.answer("Reserve", id) {
            return Ok(refused);
        }
        let answer = self.settle(ctx, id, |goods, slot| goods.reserve(slot, &command, now)).await?;
        // A reservation is its own record. A refusal has none, and what it says may be
        // otherwise in a moment: a repetition must not get what the first was denied.
        if let Err(Refusal {
            reason: Reason::OffShelf | Reason::OutOfStock | Reason::PriceChanged,
            ..
        }) = &answer.0
        {
            self.outcomes.keep("Reserve", id, &answer);
        }
        self.save_outcomes(ctx)?;
        Ok(answer)
    }

    /// Sells the units that an order has reserved.
    async fn commit(&mut self, ctx: &mut Ctx, command: OfOrder) -> Result<Answer<Reserved>> {
        let id = &command.order_id;
        self.settle(ctx, id, |goods, slot| goods.commit(slot, id)).await
    }

    /// Gives back the units that an order has reserved, or is about to.
    async fn release(&mut self, ctx: &mut Ctx, command: OfOrder) -> Result<Answer<Reserved>> {
        let (id, now) = (&command.order_id, ctx.now().into());
        self.settle(ctx, id, |goods, slot| goods.release(slot, id, now)).await
    }

    /// Takes back the units that an order has bought.
    #[actor(name = "Return")]
    async fn take_back(&mut self, ctx: &mut Ctx, command: OfOrder) -> Result<Answer<Reserved>> {
        let id = &command.order_id;
        self.settle(ctx, id, |goods, slot| goods.take_back(slot, id)).await
    }

    /// Holds the units of an order for longer.
    async fn extend(&mut self, ctx: &mut Ctx, command: Extend) -> Result<Answer<Reserved>> {
        let (id, now) = (&command.order_id, ctx.now().into());
        self.settle(ctx, id, |goods, slot| goods.extend(slot, &command, now)).await
    }
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
        let before = self.goods.versions();
        let answer = self.outcomes.once(method, cmd_id, || run(&mut self.goods));
        self.save_goods(ctx, before)?;
        self.save_outcomes(ctx)?;
        Ok(answer)
    }

    /// Runs a command on the reservation of an order.
    async fn settle(
        &mut self,
        ctx: &mut Ctx<'_>,
        order_id: &str,
        run: impl FnOnce(&mut Goods, &mut Option<Reservation>) -> Result<Reserved, Refusal>,
    ) -> Result<Answer<Reserved>> {
        let key = format!("res:{order_id}");
        let mut slot = ctx.get(&key).await?;
        let before = (self.goods.versions(), slot.clone());
        let answer = Answer(run(&mut self.goods, &mut slot));
        if slot != before.1 {
            ctx.set(&key, &slot)?;
        }
        self.save_goods(ctx, before.0)?;
        Ok(answer)
    }

    fn save_goods(&self, ctx: &mut Ctx<'_>, before: (u64, u64)) -> Result<()> {
        let now = self.goods.versions();
        if now.0 != before.0 {
            ctx.set("meta", &self.goods.meta)?;
        }
        if now.1 != before.1 {
            ctx.set("stock", &self.goods.stock)?;
        }
        Ok(())
    }

    fn save_outcomes(&mut self, ctx: &mut Ctx<'_>) -> Result<()> {
        if self.outcomes.take_changed() {
            ctx.set("commands", &self.outcomes)?;
        }
        Ok(())
    }
}
