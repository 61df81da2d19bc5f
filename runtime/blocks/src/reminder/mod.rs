//! Reminders: what an actor is to be called for at a later time, kept in its store.
//!
//! Reading order: [`forms`] is what is asked and answered; [`actor`] the system actor, one of
//! many partitions, of whose number `count` keeps record; `partition` its turns; [`book`] what it has in memory, [`reading`] how far it has
//! read (both pure); [`sheet`], [`row`] and [`name`] what is stored, `sheets` what a turn has open
//! of it; `courier` delivers between turns; `watch` wakes partitions that have
//! become this host's; [`handle`] is how the doors reach them, `gather` has those who register
//! at the same time share a turn, and `told` is what hosts of other applications are answered
//! (REM-9). How times are written, and what
//! follows from them, is `odeon_runtime::schedule`'s. Source: actor-semantics.md 9.
//!
//! A partition also has delivered what the turns of its actors send out (ST-7, DX-2): [`outbox`]
//! puts it into their commits, `keep` stores a call by itself (OW-1), `letter` is what is stored, `inbox` the partition's turns about it,
//! [`lanes`] what is in memory (pure), and `post` delivers between turns. `rounds` is what both
//! who deliver have in common; `look` says when the inbox is looked through untold, and `calendar`
//! that somebody has set the clock; a `bell` tells all who deliver on a host.

pub mod actor;
pub mod book;
pub mod forms;
pub mod handle;
pub mod lanes;
pub mod letter;
pub mod name;
pub mod outbox;
pub mod reading;
pub mod row;
pub mod sheet;

mod bell;
mod calendar;
mod count;
mod courier;
mod gather;
mod inbox;
mod keep;
mod look;
mod partition;
mod post;
mod rounds;
mod sheets;
pub(crate) mod told;
mod watch;

pub use actor::{PARTITIONS, Parts, ReminderActor};
pub use handle::Reminders;
pub use outbox::Outbox;
