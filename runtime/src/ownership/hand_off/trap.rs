//! Deviations from the specification, planted one at a time: the rows of *Traps* in
//! `design/ownership.md` that concern lease, hand-off, marks and call chains.
//!
//! Those of the gate are written out here against the public tables and marks of a
//! chain; the others are one line each at the place where they would be made.

use odeon_base::{Epoch, Incarnation};
use odeon_ring::{Chain, Gate};

use crate::view::{Route, View};

/// One deviation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Trap {
    /// Turns are not cut at the lease's end.
    TurnsOutliveTheLease,
    /// The fence is the epoch alone.
    NoSeqInTheFence,
    /// A host that came back counts activations anew, under the epoch that it had.
    SameEpochAfterARejoin,
    /// An activation outlives a commit of unknown outcome.
    OutlivesAnUnknownCommit,
    /// Deletion removes the fence record with the state.
    DeletionRemovesTheFence,
    /// A grant that comes late revives the incarnation that lapsed.
    LateGrantRevives,
    /// A host that lags takes the newest table and leaves out those between.
    TableIsSkipped,
    /// Who owned the actor at the base and owns it again opens at once, and releases so.
    MarkPassesOver,
    /// A gate opens only when all hosts have released the type.
    OpensWhenAllHaveReleased,
    /// A drain shuts out the calls of running turns.
    DrainShutsOutItsTurns,
    /// A call let in behind a shut gate takes the newest epoch for its fence.
    LetInUnderTheNewestEpoch,
    /// A call is let in only under tables that the own mark covers.
    LetInByTheOwnMark,
    /// Who leaves stands in no table, so nobody notices that it dies.
    LeaverIsNotWatched,
    /// A new leader begins without waiting for the roster.
    LeaderDoesNotWait,
    /// `Released` is sent while a turn runs behind the shut gate.
    ReleasedTooEarly,
    /// The store takes commits whatever their fence.
    NoFenceCheck,
}

impl Trap {
    /// The rule of the gate as the trap has it; the real one where it is not concerned.
    pub(super) fn route(trap: Option<Self>, view: &View, hash: u64, nested: bool) -> Route {
        let real = |nested| view.route(odeon_ring::Policy::Ring, hash, nested);
        let (Some(trap), Some(chain), Some(me)) = (trap, &view.chain, view.me) else {
            return real(nested);
        };
        match trap {
            Self::MarkPassesOver => passed_over(chain, me, hash).map_or_else(|| real(nested), here),
            Self::OpensWhenAllHaveReleased => match real(false) {
                Route::Here(_) if !have_all_released(chain, me, hash) => Route::Shut,
                _ => real(nested),
            },
            Self::DrainShutsOutItsTurns => real(false),
            Self::LetInUnderTheNewestEpoch => match real(nested) {
                Route::Here(_) => here(chain.newest().epoch()),
                other => other,
            },
            Self::LetInByTheOwnMark => match real(nested) {
                Route::Here(epoch) if is_let_in(chain, me, hash) && view.released < Some(epoch) => {
                    real(false)
                }
                other => other,
            },
            _ => real(nested),
        }
    }
}

fn here(epoch: Epoch) -> Route {
    Route::Here(epoch)
}

/// Open since the base is its own, whoever had the actor in between.
fn passed_over(chain: &Chain, me: Incarnation, hash: u64) -> Option<Epoch> {
    let owns =
        |table: &odeon_ring::Table| table.owner(hash).is_some_and(|owner| owner.incarnation == me);
    (owns(chain.base()) && owns(chain.newest())).then(|| chain.newest().epoch())
}

fn have_all_released(chain: &Chain, me: Incarnation, hash: u64) -> bool {
    let mine = |owner: &std::sync::Arc<odeon_ring::Member>| owner.incarnation == me;
    let tables = chain.tables();
    let is_settled = tables.iter().all(|table| table.owner(hash).is_some_and(mine));
    let everybody = tables.iter().flat_map(|table| table.members());
    is_settled
        || everybody
            .filter(|member| member.incarnation != me)
            .all(|member| chain.has_released(member.incarnation, chain.newest().epoch()))
}

/// Whether only a shorter piece of the chain opens the gate.
fn is_let_in(chain: &Chain, me: Incarnation, hash: u64) -> bool {
    !matches!(chain.gate(me, hash), Gate::Open { .. })
}
