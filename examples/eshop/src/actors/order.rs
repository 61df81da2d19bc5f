//! An order; the id of the actor is the id of the order.
//!
//! State: `order` (what it is and where it stands), `items`, `consignee`,
//! `payments`, `logistics`, `log`, and `commands`, the last answers. Lines and
//! consignee are written once; the rest at every step.

use odeon_sdk::{Ctx, Result, actor};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::actors::post::{carry_out, carry_out_reminded, send};
use crate::domain::answer::{Answer, Reason, Refusal};
use crate::domain::effects::{Effect, Reminder};
use crate::domain::events::HoldExpired;
use crate::domain::handlers::of_expired_hold;
use crate::domain::order::delivery::{Deliver, Receive};
use crate::domain::order::payment::{Paid, Pay, PaymentResult, RefundDone};
use crate::domain::order::{Cancel, Create, Head, Order, Placed, Reject, Standing};
use crate::domain::outcomes::Outcomes;
use crate::domain::time::Time;

/// An order, from the moment it is placed to its end.
#[derive(Debug, Default)]
pub struct OrderActor {
    order: Option<Order>,
    outcomes: Outcomes,
}

#[actor(type = "OrderActor", methods = "PascalCase", idle_timeout = "10m", drain_timeout = "30s")]
impl OrderActor {
    async fn activate(&mut self, ctx: &mut Ctx) -> Result<()> {
        let (head, items, consignee, payments, logistics, log, outcomes) = tokio::try_join!(
            ctx.get("order"),
            ctx.get("items"),
            ctx.get("consignee"),
            ctx.get("payments"),
            ctx.get("logistics"),
            ctx.get("log"),
            ctx.get("commands"),
        )?;
        self.order = head.map(|head| Order {
            head,
            items: items.unwrap_or_default(),
            consignee,
            payments: payments.unwrap_or_default(),
            logistics,
            log: log.unwrap_or_default(),
        });
        self.outcomes = outcomes.unwrap_or_default();
        Ok(())
    }

    /// The order with all that happened to it.
    async fn get(&self) -> Result<Answer<Order>> {
        Ok(Answer(self.order.clone().ok_or_else(no_order)))
    }

    /// Places the order.
    async fn create(&mut self, ctx: &mut Ctx, command: Create) -> Result<Answer<Placed>> {
        let (id, now) = (ctx.id().clone(), ctx.now().into());
        self.run(ctx, |slot, _, effects| {
            Answer(Order::create(slot, id.as_str(), &command, now, effects))
        })
    }

    /// Records that the order did not come about.
    async fn reject(&mut self, ctx: &mut Ctx, command: Reject) -> Result<Answer<Standing>> {
        let (id, now) = (ctx.id().clone(), ctx.now().into());
        self.run(ctx, |slot, _, effects| {
            Answer(Order::reject(slot, id.as_str(), &command, now, effects))
        })
    }

    /// Asks to pay the order.
    async fn pay(&mut self, ctx: &mut Ctx, command: Pay) -> Result<Answer<Paid>> {
        let now = ctx.now().into();
        self.once(ctx, "Pay", &command.request_id, |order, effects| {
            order.pay(&command, now, effects)
        })
    }

    /// Takes note of what the bank answered.
    async fn payment_result(
        &mut self,
        ctx: &mut Ctx,
        command: PaymentResult,
    ) -> Result<Answer<Paid>> {
        let now = ctx.now().into();
        self.run(ctx, |slot, _, effects| {
            Answer(placed(slot).and_then(|order| order.payment_result(&command, now, effects)))
        })
    }

    /// Takes note that the bank has given the money back.
    async fn refund_done(&mut self, ctx: &mut Ctx, command: RefundDone) -> Result<Answer<Paid>> {
        let now = ctx.now().into();
        self.run(ctx, |slot, _, effects| {
            Answer(placed(slot).and_then(|order| order.refund_done(&command, now, effects)))
        })
    }

    /// Gives the order up.
    async fn cancel(&mut self, ctx: &mut Ctx, command: Cancel) -> Result<Answer<Standing>> {
        let now = ctx.now().into();
        self.once(ctx, "Cancel", &command.cmd_id, |order, effects| {
            order.cancel(&command, now, effects)
        })
    }

    /// Sends the parcel.
    async fn deliver(&mut self, ctx: &mut Ctx, command: Deliver) -> Result<Answer<Standing>> {
        let now = ctx.now().into();
        self.once(ctx, "Deliver", &command.cmd_id, |order, effects| {
            order.deliver(&command, now, effects)
        })
    }

    /// Receives the parcel.
    async fn receive(&mut self, ctx: &mut Ctx, command: Receive) -> Result<Answer<Standing>> {
        let now = ctx.now().into();
        self.once(ctx, "Receive", &command.cmd_id, |order, effects| {
            order.receive(&command, now, effects)
        })
    }

    /// The time to pay is over. Called early, or again, it does no harm.
    async fn pay_timeout(&mut self, ctx: &mut Ctx) -> Result<Answer<Standing>> {
        self.reminded(ctx, Reminder::PayTimeout, Order::pay_timeout)
    }

    /// The parcel must be there. Called early, or again, it does no harm.
    async fn auto_receive(&mut self, ctx: &mut Ctx) -> Result<Answer<Standing>> {
        self.reminded(ctx, Reminder::AutoReceive, Order::auto_receive)
    }

    /// Goods hold units for the order for longer than it asked for, and are told whether it
    /// still wants them. An order that is not there does not.
    async fn hold_expired(&mut self, ctx: &mut Ctx, hold: HoldExpired) -> Result<()> {
        let phase = self.order.as_ref().map(|order| order.head.phase);
        send(ctx, &of_expired_hold(&hold, phase, ctx.now().into()))
    }
}

impl OrderActor {
    /// Does what is due, and says where the order stands.
    fn reminded(
        &mut self,
        ctx: &mut Ctx<'_>,
        reminder: Reminder,
        run: impl FnOnce(&mut Order, Time, &mut Vec<Effect>),
    ) -> Result<Answer<Standing>> {
        let now = ctx.now().into();
        let (answer, effects) = self.decide(ctx, |slot, _, effects| {
            Answer(placed(slot).map(|order| {
                run(order, now, effects);
                order.standing()
            }))
        })?;
        carry_out_reminded(ctx, self.version(), reminder, effects)?;
        Ok(answer)
    }

    /// Runs a command on the order unless it has run before.
    fn once<T: Serialize + DeserializeOwned>(
        &mut self,
        ctx: &mut Ctx<'_>,
        method: &str,
        cmd_id: &str,
        run: impl FnOnce(&mut Order, &mut Vec<Effect>) -> Result<T, Refusal>,
    ) -> Result<Answer<T>> {
        self.run(ctx, |slot, outcomes, effects| {
            outcomes.once(method, cmd_id, || placed(slot).and_then(|order| run(order, effects)))
        })
    }

    /// Runs a command and keeps what it has changed.
    fn run<T>(
        &mut self,
        ctx: &mut Ctx<'_>,
        run: impl FnOnce(&mut Option<Order>, &mut Outcomes, &mut Vec<Effect>) -> Answer<T>,
    ) -> Result<Answer<T>> {
        let (answer, effects) = self.decide(ctx, run)?;
        carry_out(ctx, self.version(), &effects)?;
        Ok(answer)
    }

    fn decide<T>(
        &mut self,
        ctx: &mut Ctx<'_>,
        run: impl FnOnce(&mut Option<Order>, &mut Outcomes, &mut Vec<Effect>) -> Answer<T>,
    ) -> Result<(Answer<T>, Vec<Effect>)> {
        let before = self.order.as_ref().map(|order| order.head.clone());
        let mut effects = Vec::new();
        let answer = run(&mut self.order, &mut self.outcomes, &mut effects);
        self.save(ctx, before.as_ref())?;
        Ok((answer, effects))
    }

    /// Counts the steps: each sends what it has to say once.
    fn version(&self) -> Option<u64> {
        self.order.as_ref().map(|order| order.head.version)
    }

    fn save(&mut self, ctx: &mut Ctx<'_>, before: Option<&Head>) -> Result<()> {
        if self.outcomes.take_changed() {
            ctx.set("commands", &self.outcomes)?;
        }
        let Some(order) = &self.order else { return Ok(()) };
        if before == Some(&order.head) {
            return Ok(());
        }
        if before.is_none() {
            ctx.set("items", &order.items)?;
            if let Some(consignee) = &order.consignee {
                ctx.set("consignee", consignee)?;
            }
        }
        if let Some(logistics) = &order.logistics {
            ctx.set("logistics", logistics)?;
        }
        ctx.set("order", &order.head)?;
        ctx.set("payments", &order.payments)?;
        ctx.set("log", &order.log)
    }
}

fn placed(slot: &mut Option<Order>) -> Result<&mut Order, Refusal> {
    slot.as_mut().ok_or_else(no_order)
}

fn no_order() -> Refusal {
    Refusal::new(Reason::NotFound, "there is no such order")
}
