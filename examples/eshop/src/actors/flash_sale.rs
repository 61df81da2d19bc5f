//! A sale as the shop plans it; the id of the actor is the id of the sale.
//!
//! State: `activity`, and `commands`, the last answers. `Settle` tells the goods what
//! follows from the plan and the time; the sale calls it of itself after every command
//! that matters to them and when it begins or ends. It does nothing when there is nothing
//! to tell.

use odeon_sdk::{Ctx, Message, Result, actor};

use crate::actors::GoodsActor;
use crate::actors::post::{carry_out, carry_out_reminded};
use crate::domain::answer::{Answer, Reason, Refusal};
use crate::domain::effects::{Effect, Reminder};
use crate::domain::flash_sale::commands::{Create, Delete, Planned, SetShelf, Update};
use crate::domain::flash_sale::{FlashSale, Wanted};
use crate::domain::outcomes::Outcomes;
use crate::domain::time::Time;

/// A sale for a limited time.
#[derive(Debug, Default)]
pub struct FlashSaleActor {
    plan: Option<FlashSale>,
    outcomes: Outcomes,
}

#[actor(
    type = "FlashSaleActor",
    methods = "PascalCase",
    idle_timeout = "10m",
    drain_timeout = "30s"
)]
impl FlashSaleActor {
    async fn activate(&mut self, ctx: &mut Ctx) -> Result<()> {
        let (plan, outcomes) = tokio::try_join!(ctx.get("activity"), ctx.get("commands"))?;
        self.plan = plan;
        self.outcomes = Option::unwrap_or_default(outcomes);
        Ok(())
    }

    /// Plans the sale, off the shelf.
    async fn create(&mut self, ctx: &mut Ctx, command: Create) -> Result<Answer<Planned>> {
        let id = ctx.id().clone();
        self.once(ctx, "Create", &command.cmd_id, |slot, now, _| {
            FlashSale::create(slot, id.as_str(), &command, now)
        })
    }

    /// Changes the plan.
    async fn update(&mut self, ctx: &mut Ctx, command: Update) -> Result<Answer<Planned>> {
        self.once(ctx, "Update", &command.cmd_id, |slot, now, _| {
            planned(slot)?.update(&command, now)
        })
    }

    /// Puts the sale on the shelf, so that it takes place, or takes it off.
    async fn set_shelf(&mut self, ctx: &mut Ctx, command: SetShelf) -> Result<Answer<Planned>> {
        self.once(ctx, "SetShelf", &command.cmd_id, |slot, now, effects| {
            planned(slot)?.set_shelf(&command, now, effects)
        })
    }

    /// Gives the sale up.
    async fn delete(&mut self, ctx: &mut Ctx, command: Delete) -> Result<Answer<Planned>> {
        self.once(ctx, "Delete", &command.cmd_id, |slot, now, effects| {
            planned(slot)?.delete(now, effects)
        })
    }

    /// Tells the goods what they have to know now. Called early, or again, it does no
    /// harm.
    async fn settle(&mut self, ctx: &mut Ctx) -> Result<Answer<Planned>> {
        self.tell(ctx, None).await
    }

    /// The sale begins. Called early, or again, it does no harm.
    async fn start(&mut self, ctx: &mut Ctx) -> Result<Answer<Planned>> {
        self.tell(ctx, Some(Reminder::Start)).await
    }

    /// The sale is over. Called early, or again, it does no harm.
    async fn end(&mut self, ctx: &mut Ctx) -> Result<Answer<Planned>> {
        self.tell(ctx, Some(Reminder::End)).await
    }

    /// The sale.
    async fn get(&self) -> Result<Answer<FlashSale>> {
        let plan = self.plan.clone().filter(|plan| !plan.deleted);
        Ok(Answer(plan.ok_or_else(no_sale)))
    }
}

impl FlashSaleActor {
    /// Tells the goods what they have to know, perhaps because it is time to.
    async fn tell(
        &mut self,
        ctx: &mut Ctx<'_>,
        reminder: Option<Reminder>,
    ) -> Result<Answer<Planned>> {
        let Some(plan) = &mut self.plan else { return Ok(Answer(Err(no_sale()))) };
        let (now, mut effects) = (ctx.now().into(), Vec::new());
        if let Some(reminder) = reminder {
            plan.due(reminder, now, &mut effects);
        }
        let before = plan.version;
        while let Some(wanted) = plan.wanted(now) {
            let goods = ctx.call::<GoodsActor>(&plan.goods_id)?;
            let answer = match &wanted {
                Wanted::Attach(command) => goods.attach_sale(command.clone()).await?,
                Wanted::Detach(command) => goods.detach_sale(command.clone()).await?,
            };
            plan.settled(&wanted, answer.0, now, &mut effects);
            ctx.set("activity", &plan)?;
        }
        if plan.version != before {
            effects.push(plan.told());
        }
        let standing = plan.planned(now);
        match reminder {
            Some(reminder) => carry_out_reminded(ctx, None, reminder, effects)?,
            None => carry_out(ctx, None, &effects)?,
        }
        Ok(Answer(Ok(standing)))
    }

    /// Runs a command unless it has run before.
    fn once(
        &mut self,
        ctx: &mut Ctx<'_>,
        method: &str,
        cmd_id: &str,
        run: impl FnOnce(&mut Option<FlashSale>, Time, &mut Vec<Effect>) -> Result<Planned, Refusal>,
    ) -> Result<Answer<Planned>> {
        let (before, now) = (self.plan.as_ref().map(|plan| plan.version), ctx.now().into());
        let (plan, mut effects) = (&mut self.plan, Vec::new());
        let answer = self.outcomes.once(method, cmd_id, || run(plan, now, &mut effects));
        if self.outcomes.take_changed() {
            ctx.set("commands", &self.outcomes)?;
        }
        // What was put on the shelf, taken off or given up, the goods have to know.
        if !effects.is_empty() {
            ctx.send(Message::to("FlashSaleActor", ctx.id().as_str(), "Settle")?);
        }
        if let Some(plan) = self.plan.as_ref().filter(|plan| Some(plan.version) != before) {
            ctx.set("activity", plan)?;
            effects.push(plan.told());
        }
        carry_out(ctx, None, &effects)?;
        Ok(answer)
    }
}

fn planned(slot: &mut Option<FlashSale>) -> Result<&mut FlashSale, Refusal> {
    slot.as_mut().ok_or_else(no_sale)
}

fn no_sale() -> Refusal {
    Refusal::new(Reason::NotFound, "there is no such sale")
}
