//! A whole cluster from one seed.
//!
//! The product's own placement and engines, unchanged, on a network, a store, clocks and
//! dice that a seed decides; time is tokio's, paused, so that a minute takes milliseconds.
//! A life is a function of its seed, its scenario and the fault planted in it, and of
//! nothing else; what happened in it is held against the promises by `odeon-test-history`.
//!
//! Reading order: [`life`] runs one; `scenario` does things to it; `world` holds `net`,
//! `store`, `office` (placement), `host` and `peers`; `cast` are the actors, `clients` who
//! calls them, `reminders` who has them called at a later time, by the `calendar`; `shop` is
//! an application of its own. [`plant`] lists the faults, [`report`] what membership costs.

pub mod life;
pub mod plant;
pub mod report;
pub mod scenario;

mod calendar;
mod cast;
mod chance;
mod clients;
mod host;
mod log;
mod net;
mod office;
mod peers;
mod reminders;
mod shop;
mod store;
mod timers;
mod world;
