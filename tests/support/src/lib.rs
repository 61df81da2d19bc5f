//! What Odeon's tests share: processes, ports, waiting, and a small HTTP client.
//!
//! A test reads as three lines of setting, one of action, one of claim; the rest is
//! here. [`process`] runs a program and keeps what it says, [`node`] a host,
//! [`placement`] a placement service, [`binaries`] finds or builds the programs, [`wait`] awaits a condition
//! with a deadline, which is how tests wait. Nothing here knows what is tested.

pub mod binaries;
pub mod http;
pub mod node;
pub mod placement;
pub mod ports;
pub mod process;
pub mod wait;

pub use http::{Answer, Client};
pub use node::{Node, NodeBuilder};
pub use placement::{Placement, PlacementBuilder};
pub use process::Process;
pub use tempfile::{TempDir, tempdir};
pub use wait::until;
