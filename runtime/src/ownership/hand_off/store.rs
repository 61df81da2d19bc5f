//! The store: linearizable, durable, fenced; and what is on its way to it.
//!
//! A record is the fence of who claimed last. Requests arrive in any order and as late
//! as they like, also when their sender is long gone.

use odeon_base::Fence;

use super::host::{Actor, Who};
use super::trap::Trap;

/// No two activations of an actor share a fence.
pub(super) const UNIQUE: &str = "fences are unique";
/// No live turn of the owner is refused.
pub(super) const NOT_REFUSED: &str = "the owner is not refused";

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Ask {
    /// Refuse if the record is higher, else write the own fence; then read.
    Claim,
    /// Refuse unless the record equals the fence; then write all of the state.
    Commit { state: u8, bit: u8 },
}

/// A request on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Request {
    pub(super) actor: Actor,
    pub(super) host: usize,
    pub(super) who: Who,
    pub(super) fence: Fence,
    pub(super) ask: Ask,
}

/// What the store has of one actor, and what only the model knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Row {
    record: Option<Fence>,
    pub(super) state: u8,
    /// The commits that were acknowledged.
    pub(super) acknowledged: u8,
    /// Who claimed last.
    claimer: Option<Who>,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// As asked; what is stored now.
    Done(u8),
    /// The record was another's.
    Refused,
    /// As asked, and it should not have been.
    Broken(&'static str),
}

impl Row {
    pub(super) fn take(&mut self, request: &Request, trap: Option<Trap>) -> Outcome {
        let is_free = trap == Some(Trap::DeletionRemovesTheFence) && self.record.is_none();
        match request.ask {
            Ask::Claim => {
                if self.record > Some(request.fence) {
                    return Outcome::Refused;
                }
                let is_shared = self.record == Some(request.fence)
                    && self.claimer.is_some_and(|claimer| claimer != request.who);
                self.record = Some(request.fence);
                self.claimer = Some(request.who);
                // Two traps are just this; there the harm it leads to is looked for.
                let is_trap = [Trap::NoSeqInTheFence, Trap::SameEpochAfterARejoin];
                if is_shared && !trap.is_some_and(|trap| is_trap.contains(&trap)) {
                    return Outcome::Broken(UNIQUE);
                }
            }
            Ask::Commit { state, .. } => {
                let is_equal = self.record == Some(request.fence);
                if !is_equal && !is_free && trap != Some(Trap::NoFenceCheck) {
                    return Outcome::Refused;
                }
                self.state = state;
                if self.claimer != Some(request.who) {
                    return Outcome::Broken("O3");
                }
            }
        }
        Outcome::Done(self.state)
    }

    /// The actor's state is deleted by the activation that claimed it; the record stays.
    pub(super) fn delete(&mut self, fence: Fence, trap: Option<Trap>) -> bool {
        if self.record != Some(fence) {
            return false;
        }
        if trap == Some(Trap::DeletionRemovesTheFence) {
            self.record = None;
        }
        (self.state, self.acknowledged) = (0, 0);
        true
    }
}
