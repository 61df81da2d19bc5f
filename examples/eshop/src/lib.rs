//! A shop whose baskets, goods, sales, checkouts, orders and payments are actors.
//!
//! `domain` decides, without any I/O; `actors` keeps what was decided, one turn at
//! a time; `seed` puts the first goods on the shelf. The program that runs it all
//! as a worker of a host is `main.rs`; how to try it is told in the README.

pub mod actors;
pub mod domain;
pub mod seed;

pub use actors::{
    BasketActor, CheckoutActor, FlashSaleActor, GoodsActor, OrderActor, PaymentActor,
};
