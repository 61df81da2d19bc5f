//! The categories of the shop; there is one such actor, whose id is `all`.
//!
//! State: `category:{id}` for each, with its goods, and `commands`, the last answers.

use odeon_sdk::{Ctx, Result, actor};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::kept;
use crate::domain::answer::{Answer, Refusal};
use crate::domain::categories::{Categories, Create, Delete, Join, Leave, List, Shown, Update};
use crate::domain::outcomes::Outcomes;

const CATEGORIES: &str = "category:";

/// The categories of the shop.
#[derive(Debug, Default)]
pub struct CategoryActor {
    categories: Categories,
    outcomes: Outcomes,
}

#[actor(
    type = "CategoryActor",
    methods = "PascalCase",
    idle_timeout = "10m",
    drain_timeout = "30s"
)]
impl CategoryActor {
    async fn activate(&mut self, ctx: &mut Ctx) -> Result<()> {
        self.categories = Categories::new(kept::all(ctx, CATEGORIES).await?);
        self.outcomes = ctx.get("commands").await?.unwrap_or_default();
        Ok(())
    }

    /// Creates a category.
    async fn create(&mut self, ctx: &mut Ctx, command: Create) -> Result<Answer<Shown>> {
        self.once(ctx, "Create", &command.cmd_id, |all| all.create(&command))
    }

    /// Changes a category.
    async fn update(&mut self, ctx: &mut Ctx, command: Update) -> Result<Answer<Shown>> {
        self.once(ctx, "Update", &command.cmd_id, |all| all.update(&command))
    }

    /// Deletes a category that no goods belong to.
    async fn delete(&mut self, ctx: &mut Ctx, command: Delete) -> Result<Answer<Shown>> {
        self.once(ctx, "Delete", &command.cmd_id, |all| all.delete(&command))
    }

    /// Goods are to belong to a category. Asked again, it does no harm.
    async fn join(&mut self, ctx: &mut Ctx, command: Join) -> Result<Answer<Shown>> {
        self.keep(ctx, |all| Answer(all.join(&command)))
    }

    /// Goods belong to no category any more. Asked again, it does no harm.
    async fn leave(&mut self, ctx: &mut Ctx, command: Leave) -> Result<Answer<List>> {
        self.keep(ctx, |all| Answer(Ok(all.leave(&command))))
    }

    /// All of them, in the order in which they are shown.
    async fn list(&self) -> Result<Answer<List>> {
        Ok(Answer(Ok(self.categories.list())))
    }
}

impl CategoryActor {
    /// Runs a command unless it has run before.
    fn once<T: Serialize + DeserializeOwned>(
        &mut self,
        ctx: &mut Ctx<'_>,
        method: &str,
        cmd_id: &str,
        run: impl FnOnce(&mut Categories) -> Result<T, Refusal>,
    ) -> Result<Answer<T>> {
        let mut outcomes = std::mem::take(&mut self.outcomes);
        let answer = self.keep(ctx, |all| outcomes.once(method, cmd_id, || run(all)));
        self.outcomes = outcomes;
        if self.outcomes.take_changed() {
            ctx.set("commands", &self.outcomes)?;
        }
        answer
    }

    /// Runs a command and keeps what it has changed.
    fn keep<T>(
        &mut self,
        ctx: &mut Ctx<'_>,
        run: impl FnOnce(&mut Categories) -> Answer<T>,
    ) -> Result<Answer<T>> {
        let before = self.categories.clone();
        let answer = run(&mut self.categories);
        for (id, category) in self.categories.all() {
            if before.all().get(id) != Some(category) {
                ctx.set(&format!("{CATEGORIES}{id}"), category)?;
            }
        }
        for id in before.all().keys().filter(|id| !self.categories.all().contains_key(*id)) {
            ctx.remove(&format!("{CATEGORIES}{id}"));
        }
        Ok(answer)
    }
}
