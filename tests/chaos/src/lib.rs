//! Clusters of real processes that are killed, paused and restarted while clients call.
//!
//! `cluster` starts placement and hosts with a worker each, all hosts on one data folder (one
//! holds the store, the others reach it through the holder). `load` calls actors, never
//! twice, through hosts that are not in trouble; `keepers` is what it calls. `faults` decides
//! from a seed what happens when. `spaces` is a network that can be taken apart.
//!
//! What happened is written down where it did: by the workers (`witness`), by the callers, and
//! by `owners`, which watches placement. `story` makes one history of it, in which `lives`
//! knows who is who, `verdict` holds it against the promises, by the checker of the
//! simulation, and `report` writes it down.

#![expect(clippy::missing_panics_doc, reason = "test support panics where a test would")]

mod clock;
pub mod cluster;
pub mod faults;
pub mod keepers;
pub mod lives;
pub mod load;
pub mod owners;
pub mod report;
pub mod run;
pub mod spaces;
pub mod story;
pub mod trouble;
pub mod verdict;
pub mod witness;

pub use faults::Kind;
pub use run::{Options, Outcome, run};
