//! The ring: hosts to virtual nodes to the owner of an actor. Pure, no I/O.

pub mod change;

pub use change::{Mark, Member, Policy, TableData, ToHost, ToPlacement, TypeKey, TypeOffer};
