//! `sys.host`: what operators ask of hosts, as an actor of every host.
//!
//! Its ids are hosts' names. Each host answers for itself; asked for another one, it passes
//! the question on. What concerns one actor goes to the host that owns it. [`forms`] is what
//! goes in and out, in JSON; `actor` is how it is answered.

pub mod forms;

mod actor;

pub use actor::{HostActor, TYPE};
