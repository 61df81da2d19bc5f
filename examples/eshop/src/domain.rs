//! What the shop decides, without any I/O.
//!
//! Goods, baskets and orders as plain values: a command and the time go in, an
//! answer or a refusal comes out, and the value has changed or it has not. Nothing
//! here reads a clock, waits or knows that actors exist; the actors in `actors/`
//! keep these values and run one command at a time on each.

pub mod answer;
pub mod basket;
pub mod checkout;
pub mod checks;
pub mod days;
pub mod effects;
pub mod events;
pub mod goods;
pub mod ids;
pub mod order;
pub mod outcomes;
pub mod reservation;
pub mod sale;
pub mod time;
