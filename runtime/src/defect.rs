//! Defects, those of other runtimes above all, planted one at a time so that the model checker has to
//! find them: a checker that finds nothing proves little.
//!
//! Only the tests under the `model` feature have this file. Each defect is one line at
//! the place where it would be made; what finds it is in `shuttle_tests.rs`.

use std::cell::Cell;

/// A defect, named after what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    /// A waiting call that leaves takes the running turn's entry with it
    /// (actor-semantics 5, defect a; TURN-3).
    LeavingPopsTheHead,
    /// A turn is given up with its caller, while the application goes on with it
    /// (actor-semantics 5; TURN-4).
    TurnEndsWithItsCaller,
    /// Waiting calls are taken in without end (actor-semantics 5; TURN-6).
    WaitingHasNoBound,
    /// A call that is refused for its depth counts as one more turn
    /// (actor-semantics 6, defect b; REE-2).
    DepthIsKeptByRefusals,
    /// The id under which a root turn runs is not the one that its calls carry
    /// (actor-semantics 6; REE-3).
    RootIdIsNotPassedOn,
    /// The goodbye does not wait for the running turn (actor-semantics 4; DEA-2).
    GoodbyeDoesNotWait,
    /// A turn that was given to a call is forgotten when the call leaves before it asks.
    TurnIsLostWithItsWaiter,
    /// A call that found an activation before its end enters it afterwards.
    ClosedActivationLetsIn,
    /// A call that was let in does not look whether the gate has shut since it looked.
    GateIsNotLookedAtAgain,
}

thread_local! {
    // All tasks of one check run on the thread of its test.
    static PLANTED: Cell<Option<Defect>> = const { Cell::new(None) };
}

impl Defect {
    /// Whether this thread's check has it.
    pub(crate) fn is_planted(self) -> bool {
        PLANTED.get() == Some(self)
    }

    /// Plants it, or nothing, for all checks of this thread.
    pub(crate) fn plant(defect: Option<Self>) {
        PLANTED.set(defect);
    }
}
