//! Faults that can be planted in a life, one at a time: a search that finds nothing proves
//! little until it has found what was put there.
//!
//! Some are lines of the engine or of placement under their feature `defects`, some a store
//! that does not keep its word, some a ledger or a way to placement that does wrong.

/// A fault; each is named after a row of the specification's traps, or the check left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plant {
    /// Turns are not cut at the lease's end.
    TurnsOutliveTheLease,
    /// No seq in the fence.
    NoSeqInTheFence,
    /// An activation outlives a commit of unknown outcome.
    OutlivesUnknownOutcome,
    /// Deletion removes the fence.
    DeletionRemovesFence,
    /// A late grant revives a lapsed host.
    LateGrantRevives,
    /// A host is not told of tables between others.
    TableSkipped,
    /// A mark passes over an actor that was taken and given back.
    MarkPassesOver,
    /// A type opens only when all have released.
    OpensWhenAllReleased,
    /// A drain shuts out running turns' calls.
    DrainShutsOutNestedCalls,
    /// A call let in while its gate is shut takes the newest epoch.
    NestedCallTakesTheNewestEpoch,
    /// Only what the own mark covers is let in.
    OnlyTheOwnMarkLetsIn,
    /// A leaver is in no table, so it is not watched.
    LeaverIsNotWatched,
    /// A new leader does not wait for who may still have a lease.
    NewLeaderDoesNotWait,
    /// An old leader admits hosts, though another has taken its ledger.
    OldLeaderAdmits,
    /// A system actor's turn waits for an application's.
    SystemActorWaits,
    /// The store does not compare fences.
    NoFenceCheck,
    /// The lease is not looked at when a turn starts, commits or answers.
    NoLeaseCheck,
    /// The store answers before the disk has it.
    AckBeforeSync,
    /// A call is sent again though it may have run.
    ResendAfterMaybe,
    /// A call is run by the table that it was routed by, though a newer one is known.
    StaleTableAccepted,
    /// The lease is measured from the answer.
    LeaseFromTheAnswer,
}

impl Plant {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::TurnsOutliveTheLease,
        Self::NoSeqInTheFence,
        Self::OutlivesUnknownOutcome,
        Self::DeletionRemovesFence,
        Self::LateGrantRevives,
        Self::TableSkipped,
        Self::MarkPassesOver,
        Self::OpensWhenAllReleased,
        Self::DrainShutsOutNestedCalls,
        Self::NestedCallTakesTheNewestEpoch,
        Self::OnlyTheOwnMarkLetsIn,
        Self::LeaverIsNotWatched,
        Self::NewLeaderDoesNotWait,
        Self::OldLeaderAdmits,
        Self::SystemActorWaits,
        Self::NoFenceCheck,
        Self::NoLeaseCheck,
        Self::AckBeforeSync,
        Self::ResendAfterMaybe,
        Self::StaleTableAccepted,
        Self::LeaseFromTheAnswer,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> String {
        let mut name = String::new();
        for c in format!("{self:?}").chars() {
            if c.is_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.push(c.to_ascii_lowercase());
        }
        name
    }

    /// The fault of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plant| plant.name() == name)
    }
}

/// Plants what is the engine's or placement's, for this thread.
#[cfg(feature = "defects")]
pub(crate) fn sow(plant: Option<Plant>) {
    use odeon_base::defect::Defect;

    Defect::plant(plant.and_then(|plant| match plant {
        Plant::TurnsOutliveTheLease => Some(Defect::TurnsOutliveTheLease),
        Plant::NoSeqInTheFence => Some(Defect::NoSeqInTheFence),
        Plant::OutlivesUnknownOutcome => Some(Defect::OutlivesUnknownOutcome),
        Plant::LateGrantRevives => Some(Defect::LateGrantRevives),
        Plant::DrainShutsOutNestedCalls => Some(Defect::DrainShutsOutNestedCalls),
        Plant::NestedCallTakesTheNewestEpoch => Some(Defect::NestedCallTakesTheNewestEpoch),
        Plant::OnlyTheOwnMarkLetsIn => Some(Defect::OnlyTheOwnMarkLetsIn),
        Plant::LeaverIsNotWatched => Some(Defect::LeaverIsNotWatched),
        Plant::OldLeaderAdmits => Some(Defect::OldLeaderAdmits),
        Plant::SystemActorWaits => Some(Defect::SystemActorWaits),
        Plant::NoLeaseCheck => Some(Defect::NoLeaseCheck),
        Plant::ResendAfterMaybe => Some(Defect::ResendAfterMaybe),
        Plant::StaleTableAccepted => Some(Defect::StaleTableAccepted),
        Plant::LeaseFromTheAnswer => Some(Defect::LeaseFromTheAnswer),
        Plant::DeletionRemovesFence
        | Plant::TableSkipped
        | Plant::MarkPassesOver
        | Plant::OpensWhenAllReleased
        | Plant::NewLeaderDoesNotWait
        | Plant::NoFenceCheck
        | Plant::AckBeforeSync => None,
    }));
}

/// Without the feature only the simulation's own parts can do wrong.
#[cfg(not(feature = "defects"))]
pub(crate) fn sow(_: Option<Plant>) {}
