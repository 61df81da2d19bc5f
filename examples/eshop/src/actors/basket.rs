//! A buyer's basket; the id of the actor is the id of the buyer's account.
//!
//! State: `basket`, `checkout` while one goes on, and `commands`, the last answers.
//! Prices are what the buyer saw; nobody is asked for them here.

use odeon_sdk::{Ctx, Result, actor};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::actors::post::{carry_out, carry_out_reminded};
use crate::domain::answer::{Answer, Refusal};
use crate::domain::basket::{Basket, Clear, Mark, Merge, Put, Receipt, Touch, View};
use crate::domain::checkout::{ABORT, Begin, Begun, COMPLETE, Checkout, End};
use crate::domain::effects::Reminder;
use crate::domain::outcomes::Outcomes;

/// A buyer's basket.
#[derive(Debug, Default)]
pub struct BasketActor {
    basket: Basket,
    checkout: Option<Checkout>,
    outcomes: Outcomes,
}

#[actor(type = "BasketActor", methods = "PascalCase", idle_timeout = "10m", drain_timeout = "30s")]
impl BasketActor {
    async fn activate(&mut self, ctx: &mut Ctx) -> Result<()> {
        let (basket, checkout, outcomes) =
            tokio::try_join!(ctx.get("basket"), ctx.get("checkout"), ctx.get("commands"))?;
        self.basket = basket.unwrap_or_default();
        self.checkout = checkout;
        self.outcomes = outcomes.unwrap_or_default();
        Ok(())
    }

    /// What is in the basket.
    async fn get(&self) -> Result<Answer<View>> {
        Ok(Answer(Ok(self.basket.view())))
    }

    /// Sets the count of a line; 0 removes it.
    async fn set_item(&mut self, ctx: &mut Ctx, command: Put) -> Result<Answer<Receipt>> {
        let now = ctx.now().into();
        self.once(ctx, "SetItem", &command.cmd_id, |basket| basket.set_item(&command, now))
    }

    /// Adds to the count of a line.
    async fn add(&mut self, ctx: &mut Ctx, command: Put) -> Result<Answer<Receipt>> {
        let now = ctx.now().into();
        self.once(ctx, "Add", &command.cmd_id, |basket| basket.add(&command, now))
    }

    /// Empties the basket.
    async fn clear(&mut self, ctx: &mut Ctx, command: Clear) -> Result<Answer<Receipt>> {
        let now = ctx.now().into();
        self.once(ctx, "Clear", &command.cmd_id, |basket| basket.clear(&command, now))
    }

    /// Adds the lines of a guest's basket.
    async fn merge(&mut self, ctx: &mut Ctx, command: Merge) -> Result<Answer<Receipt>> {
        let now = ctx.now().into();
        self.once(ctx, "Merge", &command.cmd_id, |basket| basket.merge(&command, now))
    }

    /// Marks the lines with what their goods say.
    async fn touch(&mut self, ctx: &mut Ctx, command: Touch) -> Result<Answer<Receipt>> {
        let before = self.basket.clone();
        let answer = Answer(self.basket.touch(&command));
        if self.basket != before {
            ctx.set("basket", &self.basket)?;
        }
        Ok(answer)
    }

    /// Nobody has touched the basket. Called early, or again, it does no harm.
    async fn abandon(&mut self, ctx: &mut Ctx) -> Result<Answer<Receipt>> {
        let (id, now, mut effects) = (ctx.id().clone(), ctx.now().into(), Vec::new());
        let before = self.basket.clone();
        self.basket.abandon(id.as_str(), now, &mut effects);
        if self.basket != before {
            ctx.set("basket", &self.basket)?;
        }
        carry_out_reminded(ctx, None, Reminder::Abandon, effects)?;
        Ok(Answer(Ok(self.basket.receipt())))
    }

    /// Begins a checkout: the lines as they are now are to become an order.
    async fn begin_checkout(&mut self, ctx: &mut Ctx, command: Begin) -> Result<Answer<Begun>> {
        let (buyer, now) = (ctx.id().clone(), ctx.now().into());
        let before = self.checkout.is_some();
        let Self { basket, checkout, outcomes } = self;
        let begun = basket.begin_checkout(checkout, outcomes, buyer.as_str(), &command, now);
        if self.checkout.is_some() != before {
            ctx.set("checkout", &self.checkout)?;
        }
        Ok(Answer(begun))
    }

    /// Ends a checkout: the ordered units leave the basket.
    async fn complete_checkout(&mut self, ctx: &mut Ctx, command: End) -> Result<Answer<Receipt>> {
        let now = ctx.now().into();
        self.end(ctx, COMPLETE, &command.order_id, |basket, slot| {
            basket.complete_checkout(slot, &command, now)
        })
    }

    /// Ends a checkout: the basket stays as it is.
    async fn abort_checkout(&mut self, ctx: &mut Ctx, command: End) -> Result<Answer<Receipt>> {
        self.end(ctx, ABORT, &command.order_id, |basket, slot| {
            basket.abort_checkout(slot, &command)
        })
    }
}

impl BasketActor {
    /// Runs a command on the basket unless it has run before.
    fn once<T: Serialize + DeserializeOwned>(
        &mut self,
        ctx: &mut Ctx<'_>,
        method: &str,
        cmd_id: &str,
        run: impl FnOnce(&mut Basket) -> Result<T, Refusal>,
    ) -> Result<Answer<T>> {
        let before = self.basket.mark();
        let answer = self.outcomes.once(method, cmd_id, || run(&mut self.basket));
        self.save(ctx, before)?;
        Ok(answer)
    }

    /// Ends a checkout unless that has been done before.
    fn end(
        &mut self,
        ctx: &mut Ctx<'_>,
        method: &str,
        order_id: &str,
        run: impl FnOnce(&mut Basket, &mut Option<Checkout>) -> Result<Receipt, Refusal>,
    ) -> Result<Answer<Receipt>> {
        let (before, had) = (self.basket.mark(), self.checkout.is_some());
        let Self { basket, checkout, outcomes } = self;
        let answer = outcomes.once(method, order_id, || run(basket, checkout));
        if had && self.checkout.is_none() {
            ctx.remove("checkout");
        }
        self.save(ctx, before)?;
        Ok(answer)
    }

    fn save(&mut self, ctx: &mut Ctx<'_>, before: Mark) -> Result<()> {
        if self.basket.version != before.version {
            ctx.set("basket", &self.basket)?;
        }
        carry_out(ctx, None, self.basket.effects(before).as_slice())?;
        if self.outcomes.take_changed() {
            ctx.set("commands", &self.outcomes)?;
        }
        Ok(())
    }
}
