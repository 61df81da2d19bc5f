//! Who may run which actor type: leases, epochs and tables.
//!
//! `core` decides and does nothing else; `embedded` is the shell that runs it in one
//! process with one ledger, `handle` how the process speaks to it, `outbound` what waits for
//! hosts, `probe` how their end is proved. `record` and `ledger` are what may not be forgotten.
//! `wire` translates for those outside the process; `service` listens to them and `client`
//! is their end, each with the same pair of channels as a [`Handle`] gives within it.
//! What hosts make of the tables is theirs: they share `odeon_ring`'s chain, not this.

pub mod client;
pub mod config;
pub mod core;
pub mod embedded;
pub mod error;
pub mod handle;
pub mod ledger;
mod outbound;
pub mod probe;
pub mod record;
mod refusal;
pub mod service;
pub mod token;
pub mod wire;

pub use self::core::{Core, HostPhase, HostView, Owner, Role, Snapshot, TypeView};
pub use client::Client;
pub use config::Config;
pub use embedded::Embedded;
pub use error::Error;
pub use handle::{Handle, Status};
pub use ledger::{Ledger, LedgerError, MemoryLedger};
pub use probe::{Network, Probe, TcpProbe};
pub use record::{Entry, Profile, Record, Roster};
pub use service::{KeepAlive, Service};
pub use token::Token;

#[cfg(test)]
mod model;
