//! The ring that names an actor's owner, and the tables and gate built on it.
//!
//! Pure: no I/O, no clock, no tokio. `ring` is the consistent hash, `table` puts
//! an epoch on it, `chain` decides whether a host may serve an actor while tables
//! follow each other, `change` holds the messages between host and placement.

pub mod chain;
pub mod change;
pub mod moved;
pub mod ring;
pub mod rings;
pub mod table;

pub use chain::{Chain, Gap, Gate};
pub use change::{
    Join, Mark, Marks, Member, News, PINS_MAX, PinChanges, Pins, Policy, Resource, TableData,
    ToHost, ToPlacement, TypeKey, TypeOffer, TypeReport, Update, raise, repin,
};
pub use moved::{MovedRange, diff};
pub use ring::{Positions, Ring};
pub use rings::{Rings, Roll};
pub use table::Table;
