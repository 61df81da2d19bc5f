//! `sys.host`: what operators ask of hosts, as an actor of every host.
//!
//! Its ids are hosts' names. Each host answers for itself; asked for another one, it passes
//! the question on. What concerns one actor goes to the host that owns it. [`forms`] is what
//! goes in and out, in JSON; `actor` is how it is answered. `reminding` answers
//! what the hosts of other applications ask about reminders (REM-9).

pub mod forms;

mod actor;
mod reminding;

pub use actor::HostActor;
pub use forms::TYPE;
