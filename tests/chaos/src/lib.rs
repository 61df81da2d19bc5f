//! Clusters of real processes that are killed, paused and restarted while clients call.
//!
//! `cluster` starts placement and hosts with a worker each, all hosts on one data folder (one
//! holds the store, the others reach it through the holder). `load` calls counters, never
//! twice, through hosts that are not in trouble. `faults` decides from a seed what happens
//! when. `spaces` is a network that can be taken apart.
//! `verdict` holds what the clients saw against the promises, `report` writes it down.

#![expect(clippy::missing_panics_doc, reason = "test support panics where a test would")]

pub mod cluster;
pub mod faults;
pub mod load;
pub mod report;
pub mod run;
pub mod spaces;
pub mod verdict;

pub use faults::Kind;
pub use run::{Options, Outcome, run};
