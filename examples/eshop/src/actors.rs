//! The shop's actors: the values of `domain`, each with a place to live.
//!
//! All three read their state when they are activated, let the domain decide, and
//! set what has changed; the runtime keeps it in one transaction before the answer
//! leaves. None of them calls another actor, so no two can wait for each other.

mod basket;
mod goods;
mod order;

pub use basket::{BasketActor, BasketActorClient};
pub use goods::{GoodsActor, GoodsActorClient};
pub use order::{OrderActor, OrderActorClient};
