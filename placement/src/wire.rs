//! Placement's wire: what host and placement say, turned into domain messages and back.
//!
//! Pure: four small translators, one for each end of each direction of a stream, which
//! remember no more than how the stream began. `write` says, `read` hears, `wrong` tells
//! what was not understood. Sockets are in `service` and `client`.
//!
//! Where the two sides of the translation differ in shape:
//! - A stream opens with a `Report`. A host that has nothing to report sends one that says
//!   so; here that is no message at all, and its `Join` follows.
//! - The namespace is said once, in that report. All types of the stream are in it.
//! - Of a report's host its names and its network are said only; in joins the network is not,
//!   and what is left as it is by default is not read.

mod read;
mod write;
mod wrong;

pub(crate) use read::{Answered, answered, name};
pub use read::{AtHost, AtPlacement};
pub use write::{FromHost, FromPlacement, Identity};
pub(crate) use write::{epoch_of, member_of};
pub use wrong::{
    ADDRESS_BYTES_MAX, Error, MARKS_MAX, MEMBERS_MAX, MESSAGE_BYTES_MAX, PROTOCOL,
    RESOURCE_BYTES_MAX, RESOURCES_MAX, ROOM_MAX, STEPS_MAX, TABLES_MAX, TIME_MAX, TYPES_MAX, Wrong,
    check_protocol,
};

#[cfg(test)]
mod tests;
