//! What happened in a cluster, held against what was promised.
//!
//! In goes a list of events in the order of their times, out come the promises that it
//! breaks, by name. Who made the list is not known here: the simulation and the chaos test
//! with real processes use the same checks. Nothing is asked of the product but what its
//! callers, its actors and its store saw. `act` is what those callers ask and those actors
//! do, `lines` keeps events as text.
//!
//! | promise | checked in |
//! |---|---|
//! | O1, O7, ran once, `none` never ran | `turns.rs` |
//! | O2, O3, register and counter linearizable | `state.rs` |
//! | O4, O5, O6, O8, nothing hangs | `service.rs` |
//! | reminders: at least once, never early, one at a time; timers: never early, with their activation | `reminders.rs` |
//! | messages: at least once, to whom they were sent, in order of their sender; the books close | `messages.rs` |
//!
//! # Why versions decide linearizability
//! Each object keeps, beside its value, how often it was written and by which call, and each
//! answer tells all three. So the order of writes is not searched for but read: an order by
//! version, reads behind the write that they saw, is a linearization if (1) no version was
//! seen with two contents, (2) each call wrote at most one version, and the one it was
//! answered, (3) nothing that ended before another began has a higher version, a write not
//! even an equal one, and (4) versions that nobody saw can be filled with writes of unknown
//! outcome. If one of these fails, no order exists. That takes a sort and a sweep, where the
//! general problem is NP-complete.

pub mod act;
pub mod event;
pub mod lines;
mod messages;
mod reminders;
mod service;
mod state;
mod turns;

use std::time::Duration;

pub use act::Act;
pub use event::{Actor, Call, Effect, Event, Fence, Host, Object, Op, Seen, Trouble, Turn, What};

/// A promise of the specification of ownership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// One owner: at any moment at most one host has a live turn of an actor.
    O1,
    /// No lost update: a commit acknowledged to a turn is visible to every later turn of
    /// that actor, wherever it runs.
    O2,
    /// Fenced: once another activation has claimed the actor, an earlier one can never
    /// commit again.
    O3,
    /// Only movers wait: a change of membership delays calls only to the actors whose owner
    /// changes.
    O4,
    /// Callers see no move: a join, a graceful leave or a rolling restart fails no call.
    O5,
    /// A crash is bounded: after `kill -9` of a host its actors answer again elsewhere after
    /// at most 1.1 leases plus 0.5 s.
    O6,
    /// Turns finish: a turn that began runs to its end though its caller hangs up.
    O7,
    /// Placement may be away: calls go on for as long as leases last.
    O8,
    /// Each actor's register and counter is linearizable.
    Linearizable,
    /// No call that was answered `none` ran.
    NoneNeverRan,
    /// No call ran twice.
    RanOnce,
    /// No call hangs past its deadline.
    InTime,
    /// Each time of a reminder that is kept comes to its actor at least once, by itself or among
    /// those passed over that a later one tells of (REM-1, REM-7).
    AtLeastOnce,
    /// None comes before it is due, and none of a reminder that is not kept (REM-1, REM-15); nor
    /// does a timer's (TIM-2).
    NeverEarly,
    /// A timer ends with the activation that set it (TIM-1).
    EndsWithItsActivation,
    /// A reminder never overlaps itself (REM-1).
    OneAtATime,
    /// What a turn sent out with its commit comes to its receiver at least once, and nothing
    /// else does (DX-2).
    Delivered,
    /// What an actor sent out comes in the order in which it was sent (DX-2).
    SentInOrder,
    /// What the application keeps adds up.
    BooksClose,
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// When it showed.
    pub at: Duration,
    /// How.
    pub text: String,
    /// The hosts that the text speaks of by their numbers, so that who gave them these can
    /// say their names.
    pub hosts: Vec<Host>,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} at {:.3} s: {}", self.promise, self.at.as_secs_f64(), self.text)
    }
}

/// The numbers behind the promises, as they were where the events come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Whether the clocks kept to what leases need. Where they did not, only what trusts no
    /// clock is asked for: that no commit passes a newer claim (O3), and what calls are told.
    pub are_clocks_kept: bool,
    /// Within which a call must have begun its turn when nothing holds it up: the ways there,
    /// a resend and a claim included.
    pub pause_max: Duration,
    /// Within which the actors of a host that crashed answer again: 1.1 leases, as placement's
    /// clock measured them, plus 0.5 s.
    pub takeover: Duration,
    /// After the end of any other trouble: within which all is as if it had not been.
    pub recovery: Duration,
    /// For how long after placement went away every lease still lets turns start.
    pub alone: Duration,
    /// For how long placement has to be there until every host has renewed its lease.
    pub renewal: Duration,
    /// After how long a draining turn may be cut.
    pub drain: Duration,
    /// A call whose caller waits less than this may run out of its time without anybody's
    /// fault.
    pub patience: Duration,
    /// How much later than its deadline a call may be answered.
    pub late_max: Duration,
    /// How late a reminder may be when nothing has been done to anybody for a while.
    pub reminder_late_max: Duration,
}

/// Checks a history; no violation if it keeps every promise.
///
/// `events` are in the order in which they happened.
#[must_use]
pub fn check(events: &[Event], terms: &Terms) -> Vec<Violation> {
    let mut violations = turns::check(events, terms);
    violations.extend(state::check(events, terms));
    violations.extend(service::check(events, terms));
    violations.extend(reminders::check(events, terms));
    violations.extend(messages::check(events));
    violations.sort_by_key(|violation| (violation.at, violation.promise));
    violations
}

#[cfg(test)]
mod tests;
