//! Who may run which actor type: leases, epochs and tables.
//!
//! `core` decides and does nothing else; `embedded` is the shell that runs it in one
//! process with one ledger, `handle` how the process speaks to it. `record` and `ledger` are what may not be forgotten.
//! What hosts make of the tables is theirs: they share `odeon_ring`'s chain, not this.

pub mod config;
pub mod core;
pub mod embedded;
pub mod error;
pub mod handle;
pub mod ledger;
pub mod record;

pub use self::core::{Core, HostPhase, HostView, Owner, Role, Snapshot, TypeView};
pub use config::Config;
pub use embedded::Embedded;
pub use error::Error;
pub use handle::{Handle, Status};
pub use ledger::{Ledger, LedgerError, MemoryLedger};
pub use record::{Entry, Profile, Record, Roster};

#[cfg(test)]
mod model;
