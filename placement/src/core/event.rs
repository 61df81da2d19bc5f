//! What the core is told, and what it wants done.
//!
//! The shell translates: streams, timers and the ledger on one side, these on the
//! other. What they lead to is in `leader`.

use std::sync::Arc;
use std::time::Duration;

use odeon_base::Incarnation;
use odeon_ring::{ToHost, ToPlacement};

use crate::record::{Record, Roster};

/// One stream of a host; numbers are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Connection(pub u64);

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// This process leads, with a term that is durably above all before it.
    Elected {
        /// The term.
        term: u64,
        /// Who may have a lease; `None` if nobody can tell.
        roster: Option<Roster>,
    },
    /// This process leads no more.
    Deposed {
        /// Who does, if known.
        leader: Option<String>,
    },
    /// A host said something.
    Message {
        /// Where it came from.
        from: Connection,
        /// What.
        message: ToPlacement,
    },
    /// A stream broke: a hint, no more, as far as leases are concerned.
    Lost(Connection),
    /// The process of this incarnation has ended: as good as its farewell. Only for what is
    /// proved, after [`Action::Doubt`]; said of one whose stream is up it changes nothing.
    Dead(Incarnation),
    /// Time passed.
    Tick,
    /// The record of the latest [`Action::Persist`] is durable.
    Persisted,
}

/// Something to be done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make this record durable, then say [`Event::Persisted`]. Never two at a time.
    Persist(Record),
    /// Send this to a host.
    Send {
        /// On this stream.
        to: Connection,
        /// What.
        message: ToHost,
    },
    /// The only stream of this incarnation broke while it has a lease. Whoever can prove that
    /// its process is gone says [`Event::Dead`]; if nobody can, the lease decides.
    Doubt {
        /// Whose stream it was.
        incarnation: Incarnation,
        /// Where other hosts call it.
        address: Arc<str>,
    },
    /// Say [`Event::Tick`] at this time, or earlier; replaces the wish before.
    Wake(Duration),
}
