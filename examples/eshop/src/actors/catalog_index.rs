//! The list of all goods; there is one, whose id is `goods`.
//!
//! State: `doc:{goodsId}`, what the goods have last told. All of it is in memory: it is what
//! everybody looks at first.

use odeon_sdk::{Ctx, Result, actor};

use super::kept;
use crate::domain::answer::Answer;
use crate::domain::catalogue::{Browse, Browsed, Catalogue};
use crate::domain::events::GoodsFacts;

const DOCUMENTS: &str = "doc:";

/// The list of all goods.
#[derive(Debug, Default)]
pub struct CatalogIndexActor {
    catalogue: Catalogue,
}

#[actor(
    type = "CatalogIndexActor",
    methods = "PascalCase",
    idle_timeout = "10m",
    drain_timeout = "30s"
)]
impl CatalogIndexActor {
    async fn activate(&mut self, ctx: &mut Ctx) -> Result<()> {
        self.catalogue = Catalogue::new(kept::all(ctx, DOCUMENTS).await?);
        Ok(())
    }

    /// Goods tell about themselves. Called late, or again, it does no harm.
    async fn put(&mut self, ctx: &mut Ctx, facts: GoodsFacts) -> Result<()> {
        if self.catalogue.put(&facts) {
            ctx.set(&format!("{DOCUMENTS}{}", facts.id), &facts)?;
        }
        Ok(())
    }

    /// Some of the goods.
    async fn browse(&self, ctx: &Ctx, query: Browse) -> Result<Answer<Browsed>> {
        Ok(Answer(self.catalogue.browse(&query, ctx.now().into())))
    }
}
