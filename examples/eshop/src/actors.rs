//! The shop's actors: the values of `domain`, each with a place to live.
//!
//! All read their state when they are activated, let the domain decide, and set what
//! has changed; the runtime keeps it in one transaction before the answer leaves. Only
//! checkouts and sales call others, and none of those calls anybody, so no two wait for
//! each other.

mod basket;
mod checkout;
mod flash_sale;
mod goods;
mod order;
mod payment;

use odeon_sdk::Ctx;

use crate::domain::effects::Effect;

pub use basket::{BasketActor, BasketActorClient};
pub use checkout::{CheckoutActor, CheckoutActorClient};
pub use flash_sale::{FlashSaleActor, FlashSaleActorClient};
pub use goods::{GoodsActor, GoodsActorClient};
pub use order::{OrderActor, OrderActorClient};
pub use payment::{PaymentActor, PaymentActorClient};

/// What is to be done beside the answer. The runtime has neither reminders nor an
/// outbox to hand it to, so whoever runs the shop reads it in the log, and calls the
/// methods named for it (`PayTimeout`, `Commit` and so on) themselves.
fn carry_out(ctx: &Ctx<'_>, effects: &[Effect]) {
    for effect in effects {
        tracing::debug!(actor = %ctx.actor_type(), id = %ctx.id(), ?effect, "to be done");
    }
}
