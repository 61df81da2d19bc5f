//! A name that goods bear; the id of the actor is the name in lower case (`ids::name`).
//!
//! State: `owner`, while goods bear it.

use odeon_sdk::{Ctx, Result, actor};

use crate::domain::answer::{Answer, Reason, Refusal};
use crate::domain::names::{self, Claim, Free, Freed, Owner};

/// A name that goods bear.
#[derive(Debug, Default)]
pub struct GoodsNameActor {
    owner: Option<Owner>,
}

#[actor(
    type = "GoodsNameActor",
    methods = "PascalCase",
    idle_timeout = "10m",
    drain_timeout = "30s"
)]
impl GoodsNameActor {
    async fn activate(&mut self, ctx: &mut Ctx) -> Result<()> {
        self.owner = ctx.get("owner").await?;
        Ok(())
    }

    /// Claims it.
    async fn claim(&mut self, ctx: &mut Ctx, command: Claim) -> Result<Answer<Owner>> {
        let answer = names::claim(&mut self.owner, &command, ctx.now().into());
        if answer.is_ok() {
            ctx.set("owner", &self.owner)?;
        }
        Ok(Answer(answer))
    }

    /// Gives it up. Asked again, it does no harm.
    async fn release(&mut self, ctx: &mut Ctx, command: Free) -> Result<Answer<Freed>> {
        let had = self.owner.is_some();
        let freed = names::free(&mut self.owner, &command);
        if had && freed.free {
            ctx.remove("owner");
        }
        Ok(Answer(Ok(freed)))
    }

    /// Who bears it.
    async fn get(&self) -> Result<Answer<Owner>> {
        let nobody = || Refusal::new(Reason::NotFound, "no goods are called so");
        Ok(Answer(self.owner.clone().ok_or_else(nobody)))
    }
}
