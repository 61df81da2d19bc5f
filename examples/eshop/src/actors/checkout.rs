//! A checkout; the id of the actor is the id of the order that it is for.
//!
//! State: `saga`. `Start` only stores what is wanted, so that nothing is asked of
//! anybody before it is known what to undo; `Drive` asks, as far as it gets in one turn,
//! and is called by a reminder until there is a result, whoever else calls it. What a turn that failed has done is done
//! again: all who are asked answer a repetition the same.

use futures::future::join_all;
use odeon_sdk::{Ctx, Result, actor};

use crate::actors::post::{carry_out, carry_out_reminded};
use crate::actors::{BasketActor, GoodsActor, OrderActor};
use crate::domain::answer::{Answer, Reason, Refusal};
use crate::domain::effects::Reminder;
use crate::domain::saga::commands::{Command, Reply, Standing, Start};
use crate::domain::saga::{Saga, Step};

/// The way from a basket, or a list of goods, to an order.
#[derive(Debug, Default)]
pub struct CheckoutActor {
    saga: Option<Saga>,
}

#[actor(
    type = "CheckoutActor",
    methods = "PascalCase",
    idle_timeout = "10m",
    drain_timeout = "30s"
)]
impl CheckoutActor {
    async fn activate(&mut self, ctx: &mut Ctx) -> Result<()> {
        self.saga = ctx.get("saga").await?;
        Ok(())
    }

    /// Starts the checkout. It goes on when it is driven.
    async fn start(&mut self, ctx: &mut Ctx, command: Start) -> Result<Answer<Standing>> {
        let (id, now, mut effects) = (ctx.id().clone(), ctx.now().into(), Vec::new());
        let had = self.saga.is_some();
        let started = Saga::start(&mut self.saga, id.as_str(), &command, now, &mut effects);
        if !had && started.is_ok() {
            ctx.set("saga", &self.saga)?;
        }
        carry_out(ctx, None, &effects)?;
        Ok(Answer(started))
    }

    /// Drives the checkout as far as it gets now; to be called until it has a result.
    async fn drive(&mut self, ctx: &mut Ctx) -> Result<Answer<Standing>> {
        let Some(saga) = &mut self.saga else {
            carry_out_reminded(ctx, None, Reminder::Drive, Vec::new())?;
            return Ok(Answer(Err(no_checkout())));
        };
        if saga.step == Step::Done {
            return Ok(Answer(Ok(saga.standing())));
        }
        let (before, mut effects) = (saga.clone(), Vec::new());
        loop {
            let (step, commands) = (saga.step, saga.next());
            let replies = join_all(commands.iter().map(|command| ask(ctx, command))).await;
            // The lines of a basket are stored before any of them is reserved.
            let mut is_over = commands.is_empty() || step == Step::Begin;
            for (command, reply) in commands.iter().zip(replies) {
                is_over |= matches!(reply, Reply::Unknown);
                saga.take(command, reply, ctx.now().into(), &mut effects);
            }
            if is_over {
                break;
            }
        }
        if *saga != before {
            ctx.set("saga", &saga)?;
        }
        let standing = saga.standing();
        carry_out(ctx, None, &effects)?;
        Ok(Answer(Ok(standing)))
    }

    /// Where the checkout stands.
    async fn get(&self) -> Result<Answer<Standing>> {
        Ok(Answer(self.saga.as_ref().map(Saga::standing).ok_or_else(no_checkout)))
    }
}

/// Asks somebody, and says what came back; trouble says nothing about what was done.
async fn ask(ctx: &Ctx<'_>, command: &Command) -> Reply {
    asked(ctx, command).await.unwrap_or_else(|error| {
        tracing::debug!(order = %ctx.id(), ?command, "no answer: {}", error.report());
        Reply::Unknown
    })
}

async fn asked(ctx: &Ctx<'_>, command: &Command) -> Result<Reply> {
    let order = ctx.id().as_str();
    Ok(match command {
        Command::Begin(buyer, begin) => {
            let begun = ctx.call::<BasketActor>(buyer)?.begin_checkout(begin.clone()).await?;
            reply(begun, Reply::Begun)
        }
        Command::Reserve(goods, reserve) => {
            let reserved = ctx.call::<GoodsActor>(goods)?.reserve(reserve.clone()).await?;
            reply(reserved, Reply::Reserved)
        }
        Command::Create(create) => {
            let placed = ctx.call::<OrderActor>(order)?.create(create.clone()).await?;
            reply(placed, Reply::Placed)
        }
        Command::Complete(buyer, end) => {
            let ended = ctx.call::<BasketActor>(buyer)?.complete_checkout(end.clone()).await?;
            reply(ended, |_| Reply::Done)
        }
        Command::Reject(reject) => {
            let rejected = ctx.call::<OrderActor>(order)?.reject(reject.clone()).await?;
            reply(rejected, |_| Reply::Done)
        }
        Command::Release(goods, of_order) => {
            let released = ctx.call::<GoodsActor>(goods)?.release(of_order.clone()).await?;
            reply(released, |_| Reply::Done)
        }
        Command::Abort(buyer, end) => {
            let ended = ctx.call::<BasketActor>(buyer)?.abort_checkout(end.clone()).await?;
            reply(ended, |_| Reply::Done)
        }
    })
}

fn reply<T>(answer: Answer<T>, yes: impl FnOnce(T) -> Reply) -> Reply {
    answer.0.map_or_else(Reply::Refused, yes)
}

fn no_checkout() -> Refusal {
    Refusal::new(Reason::NotFound, "there is no such checkout")
}
