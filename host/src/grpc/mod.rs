//! The gRPC door: Dapr's service, and reflection, on one port.
//!
//! [`door`] checks the token and picks the service, [`service`] implements Dapr's
//! trait with one file per API group, `missing` is the one table of RPCs that
//! are not there yet. It mints no code: see `status.rs`.

pub mod door;
pub mod service;

mod actors;
mod answer;
mod keys;
mod lock;
mod metadata;
mod missing;
mod reminders;
mod scheduled;
mod secrets;
mod stores;
mod timers;

pub use door::Door;
pub use service::Service;
