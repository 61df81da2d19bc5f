//! A payment at a bank that only pretends; the id of the actor is that of the payment.
//!
//! State: `payment`. What the bank is asked for more than once it does once.

use odeon_sdk::{Ctx, Result, actor};

use crate::actors::post::{carry_out, carry_out_reminded};
use crate::domain::answer::{Answer, Reason, Refusal};
use crate::domain::bank::{AMOUNT_CENTS_MAX, Charge, Deed, Refund};
use crate::domain::effects::{Effect, Reminder};

/// A payment at the bank.
#[derive(Debug, Default)]
pub struct PaymentActor {
    deed: Option<Deed>,
}

#[actor(type = "PaymentActor", methods = "PascalCase", idle_timeout = "10m", drain_timeout = "30s")]
impl PaymentActor {
    async fn activate(&mut self, ctx: &mut Ctx) -> Result<()> {
        self.deed = ctx.get("payment").await?;
        Ok(())
    }

    /// Asks for the money.
    async fn charge(&mut self, ctx: &mut Ctx, command: Charge) -> Result<Answer<Deed>> {
        let (id, now) = (ctx.id().clone(), ctx.now().into());
        self.run(ctx, |slot, effects| {
            Deed::charge(slot, id.as_str(), &command, AMOUNT_CENTS_MAX, now, effects)
        })
    }

    /// The slow bank makes up its mind. Called early, or again, it does no harm.
    #[actor(name = "Answer")]
    async fn answer_now(&mut self, ctx: &mut Ctx) -> Result<Answer<Deed>> {
        let now = ctx.now().into();
        let (answer, effects) = self.decide(ctx, |slot, effects| {
            let deed = slot.as_mut().ok_or_else(no_payment)?;
            deed.answer(now, effects);
            Ok(deed.clone())
        })?;
        carry_out_reminded(ctx, self.version(), Reminder::Answer, effects)?;
        Ok(answer)
    }

    /// Asks for the money back.
    async fn refund(&mut self, ctx: &mut Ctx, command: Refund) -> Result<Answer<Deed>> {
        self.run(ctx, |slot, effects| {
            slot.as_mut().ok_or_else(no_payment)?.refund(&command, effects)
        })
    }

    /// The payment.
    async fn get(&self) -> Result<Answer<Deed>> {
        Ok(Answer(self.deed.clone().ok_or_else(no_payment)))
    }
}

impl PaymentActor {
    fn run(
        &mut self,
        ctx: &mut Ctx<'_>,
        run: impl FnOnce(&mut Option<Deed>, &mut Vec<Effect>) -> Result<Deed, Refusal>,
    ) -> Result<Answer<Deed>> {
        let (answer, effects) = self.decide(ctx, run)?;
        carry_out(ctx, self.version(), &effects)?;
        Ok(answer)
    }

    fn decide(
        &mut self,
        ctx: &mut Ctx<'_>,
        run: impl FnOnce(&mut Option<Deed>, &mut Vec<Effect>) -> Result<Deed, Refusal>,
    ) -> Result<(Answer<Deed>, Vec<Effect>)> {
        let (before, mut effects) = (self.deed.clone(), Vec::new());
        let answer = run(&mut self.deed, &mut effects);
        if self.deed != before {
            ctx.set("payment", &self.deed)?;
        }
        Ok((Answer(answer), effects))
    }

    /// A payment has each of its states once.
    fn version(&self) -> Option<u64> {
        self.deed.as_ref().map(|deed| deed.state as u64)
    }
}

fn no_payment() -> Refusal {
    Refusal::new(Reason::NotFound, "there is no such payment")
}
