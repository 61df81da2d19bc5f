//! What follows from a turn, handed to the runtime with the turn's commit.
//!
//! Reminders are set and dropped, and whoever has to do something about an event is sent a
//! call, in the same transaction as the state: either all of it is kept, or nothing. A call
//! is made at least once and has an id, which is the same each time.

use std::time::Duration;

use odeon_sdk::{Ctx, Message, Reminder, Result};
use serde::Serialize;

use crate::domain::effects::{self, Effect};
use crate::domain::handlers::{Call, calls};

/// How often a reminder comes again until what it is about is done. Whoever is reminded drops
/// it then; until that, no failure ends it.
const AGAIN: Duration = Duration::from_secs(60);
/// The same for a checkout, which somebody waits for.
const DRIVE_AGAIN: Duration = Duration::from_secs(5);

/// Carries out what a command wants done beside its answer. With the version that the command
/// has brought the actor to, the ids of calls tell what they are about; else they only differ.
pub(super) fn carry_out(ctx: &mut Ctx<'_>, version: Option<u64>, effects: &[Effect]) -> Result<()> {
    let mut sent = 0;
    for effect in effects {
        match effect {
            Effect::Remind(reminder, at) => {
                let again = match reminder {
                    effects::Reminder::Drive => DRIVE_AGAIN,
                    _ => AGAIN,
                };
                ctx.set_reminder(reminder.method(), Reminder::at((*at).into()).every(again))?;
            }
            Effect::Forget(reminder) => ctx.drop_reminder(reminder.method()),
            Effect::Publish(event) => {
                tracing::debug!(actor = %ctx.actor_type(), id = %ctx.id(), ?event, "it happened");
                for call in calls(event) {
                    let message = message(&call)?;
                    ctx.send(match version {
                        Some(version) => message.id(format!("{}:{version}:{sent}", ctx.id())),
                        None => message,
                    });
                    sent += 1;
                }
            }
        }
    }
    Ok(())
}

/// As [`carry_out`], for a turn that this reminder has begun: it ends unless it was set anew.
pub(super) fn carry_out_reminded(
    ctx: &mut Ctx<'_>,
    version: Option<u64>,
    reminder: effects::Reminder,
    mut effects: Vec<Effect>,
) -> Result<()> {
    let is_said = effects.iter().any(|effect| match effect {
        Effect::Remind(one, _) | Effect::Forget(one) => *one == reminder,
        Effect::Publish(_) => false,
    });
    if !is_said {
        effects.push(Effect::Forget(reminder));
    }
    carry_out(ctx, version, &effects)
}

/// Sends one call, of which nothing else of this turn has to be told apart.
pub(super) fn send(ctx: &mut Ctx<'_>, call: &Call) -> Result<()> {
    ctx.send(message(call)?);
    Ok(())
}

fn message(call: &Call) -> Result<Message> {
    match call {
        Call::Commit(id, command) => to("GoodsActor", id, "Commit", command),
        Call::Release(id, command) => to("GoodsActor", id, "Release", command),
        Call::Return(id, command) => to("GoodsActor", id, "Return", command),
        Call::Extend(id, command) => to("GoodsActor", id, "Extend", command),
        Call::HoldExpired(id, command) => to("OrderActor", id, "HoldExpired", command),
        Call::Charge(id, command) => to("PaymentActor", id, "Charge", command),
        Call::Refund(id, command) => to("PaymentActor", id, "Refund", command),
        Call::PaymentResult(id, command) => to("OrderActor", id, "PaymentResult", command),
        Call::RefundDone(id, command) => to("OrderActor", id, "RefundDone", command),
        Call::ListGoods(id, facts) => to("CatalogIndexActor", id, "Put", facts),
        Call::LeaveCategory(id, leave) => to("CategoryActor", id, "Leave", leave),
        Call::FreeName(id, free) => to("GoodsNameActor", id, "Release", free),
        Call::ListSale(id, sale) => to("SaleIndexActor", id, "Put", sale),
        Call::FollowOrder(id, step) => to("OrderIndexActor", id, "Step", step),
        Call::ListOrder(id, step) => to("OrderIndexActor", id, "Put", step),
    }
}

fn to(actor_type: &str, id: &str, method: &str, command: &impl Serialize) -> Result<Message> {
    Message::to(actor_type, id, method)?.with(command)
}
