//! A shop whose baskets, goods, sales, checkouts, orders, payments and lists are actors.
//!
//! `domain` decides, without any I/O; `actors` keeps what was decided, one turn at
//! a time; `http` has the services in front of them; `register` keeps names and categories in
//! step with the goods; `seed` puts the first of those on the shelf. The program that runs it all beside a host is `main.rs`; how to try it
//! is told in the README.

pub mod actors;
pub mod domain;
pub mod http;
mod register;
pub mod seed;

pub use actors::{
    BasketActor, CatalogIndexActor, CategoryActor, CheckoutActor, FlashSaleActor, GoodsActor,
    GoodsNameActor, OrderActor, OrderIndexActor, PaymentActor, SaleIndexActor,
};
