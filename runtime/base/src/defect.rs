//! Defects that the simulation plants, one at a time: a search that finds nothing proves
//! little until it has found what was put there.
//!
//! Only builds under the feature `defects` have this file, and no product is one of them.
//! Each defect is a few lines at the place where it would be made, named after the row of
//! `design/ownership.md`, "Traps", or the check that it leaves out.

use std::cell::Cell;

/// A defect, named after what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Turns are not cut at the lease's end.
    TurnsOutliveTheLease,
    /// No seq in the fence.
    NoSeqInTheFence,
    /// An activation outlives a commit of unknown outcome.
    OutlivesUnknownOutcome,
    /// A late grant revives a lapsed host.
    LateGrantRevives,
    /// A drain shuts out running turns' calls.
    DrainShutsOutNestedCalls,
    /// A call let in while its gate is shut takes the newest epoch.
    NestedCallTakesTheNewestEpoch,
    /// Only what the own mark covers is let in.
    OnlyTheOwnMarkLetsIn,
    /// A leaver is in no table, so it is not watched.
    LeaverIsNotWatched,
    /// An old leader admits hosts, though another has taken its ledger.
    OldLeaderAdmits,
    /// A system actor's turn waits for an application's.
    SystemActorWaits,
    /// The lease is not looked at when a turn starts, commits or answers.
    NoLeaseCheck,
    /// The lease is measured from the answer.
    LeaseFromTheAnswer,
    /// A call is sent again though it may have run.
    ResendAfterMaybe,
    /// A call is run by the table that it was routed by, though a newer one is known.
    StaleTableAccepted,
}

thread_local! {
    // A simulated cluster lives on one thread.
    static PLANTED: Cell<Option<Defect>> = const { Cell::new(None) };
}

impl Defect {
    /// Whether this thread's cluster has it.
    #[must_use]
    pub fn is_planted(self) -> bool {
        PLANTED.get() == Some(self)
    }

    /// Plants it, or nothing, for all that this thread runs.
    pub fn plant(defect: Option<Self>) {
        PLANTED.set(defect);
    }
}
