//! What the shop decides, without any I/O.
//!
//! Goods, sales, baskets, orders, checkouts and payments as plain values: a command and the time go in, an
//! answer or a refusal comes out, and the value has changed or it has not. Nothing
//! here reads a clock, waits or knows that actors exist; the actors in `actors/`
//! keep these values and run one command at a time on each.

pub mod answer;
pub mod bank;
pub mod basket;
pub mod catalogue;
pub mod categories;
pub mod checkout;
pub mod checks;
pub mod days;
pub mod effects;
pub mod events;
pub mod feed;
pub mod flash_sale;
pub mod goods;
pub mod handlers;
pub mod ids;
pub mod listed;
pub mod names;
pub mod newest;
pub mod order;
pub mod outcomes;
pub mod pages;
pub mod reservation;
pub mod saga;
pub mod sale;
pub mod sales;
#[cfg(test)]
pub(crate) mod samples;
pub mod time;
