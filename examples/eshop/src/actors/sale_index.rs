//! The list of all sales; there is one, whose id is `sales`.
//!
//! State: `sale:{activityId}`, what the sale has last told. All of it is in memory.

use odeon_sdk::{Ctx, Result, actor};

use super::kept;
use crate::domain::answer::Answer;
use crate::domain::events::PlanFacts;
use crate::domain::pages::Pages;
use crate::domain::sales::{Planned, Sales};

const SALES: &str = "sale:";

/// The list of all sales.
#[derive(Debug, Default)]
pub struct SaleIndexActor {
    sales: Sales,
}

#[actor(
    type = "SaleIndexActor",
    methods = "PascalCase",
    idle_timeout = "10m",
    drain_timeout = "30s"
)]
impl SaleIndexActor {
    async fn activate(&mut self, ctx: &mut Ctx) -> Result<()> {
        self.sales = Sales::new(kept::all(ctx, SALES).await?);
        Ok(())
    }

    /// A sale tells about itself. Called late, or again, it does no harm.
    async fn put(&mut self, ctx: &mut Ctx, told: PlanFacts) -> Result<()> {
        if self.sales.put(&told) {
            ctx.set(&format!("{SALES}{}", told.activity_id), &told)?;
        }
        Ok(())
    }

    /// Some of the sales.
    async fn list(&self, ctx: &Ctx, pages: Pages) -> Result<Answer<Planned>> {
        Ok(Answer(self.sales.list(pages, ctx.now().into())))
    }
}
