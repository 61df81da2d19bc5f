//! What the host says to an application about a turn, beside what the caller said.
//!
//! An application that shows these with its own calls has them tied to the turn: its
//! state calls to the activation, its calls of other actors to the chain that waits.

use odeon_proto::names;
use odeon_runtime::turn::Turn;
use tokio::time::Instant;

/// Names and texts, in no order that matters.
pub(super) fn of(turn: &Turn) -> impl Iterator<Item = (&'static str, String)> {
    let chain = turn.chain();
    let left = turn.deadline().map(|deadline| {
        let left = deadline.saturating_duration_since(Instant::now());
        (names::ACTOR_TIMEOUT, left.as_millis().to_string())
    });
    let reentrancy = chain.reentrancy.as_ref().map(|id| ("Dapr-Reentrancy-Id", id.to_string()));
    [(names::ACTOR_CHAIN, chain.to_header()), (names::ACTIVATION, turn.activation().to_string())]
        .into_iter()
        .chain(reentrancy)
        .chain(left)
}
