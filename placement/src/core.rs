//! What placement decides, as a function of (state, event, now) to actions.
//!
//! `leader` is the machine itself; `event` its inputs and outputs; `hosts`, `lines`, `marks`,
//! `tables`, `window` and `gathering` each hold one part of its state. Nothing in here does
//! I/O, reads a clock or holds a task; nothing assumes that there is one host only.
//! The specification is `design/ownership.md`.

pub mod event;
mod gathering;
mod hosts;
mod leader;
mod lines;
mod marks;
mod tables;
pub mod view;
mod window;

pub use event::{Action, Connection, Event};
pub use leader::Core;
pub use view::{HostPhase, HostView, Owner, Role, Snapshot, TypeView};

#[cfg(test)]
mod bench;
#[cfg(test)]
mod holder_tests;
#[cfg(test)]
mod tests;
