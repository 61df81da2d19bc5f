//! End to end: the `odeon` program as a person or a supervisor meets it.
//!
//! One file a subject; `shop` is what they share: a host with a worker that counts.

mod app;
mod demo;
mod durable;
mod embedded;
mod eshop;
mod holder;
mod lock;
mod mistakes;
mod placement;
mod python;
mod readme;
mod reminders;
mod secrets;
mod shop;
mod start;
mod state;
mod stop;
mod up;
