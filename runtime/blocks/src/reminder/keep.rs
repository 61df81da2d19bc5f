//! Storing a call by itself, before its caller is told (OW-1): from the host that was asked to
//! the partition of the actor that is called, and into its inbox.
//!
//! It lies there as what turns send out, in a lane of the actor that is called, and is delivered
//! in the same way. The partition is the caller's application's own: whoever hosts the type need
//! not know the store.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use odeon_base::ActorType;
use odeon_runtime::{Change, Engine, Error, Invocation};

use super::actor::{partition_of, partition_ref};
use super::forms::KEEP;
use super::letter::{self, Letter};
use super::partition::Desk;

/// Has a call stored by its partition, wherever that is; waits as long as the call may.
pub(super) async fn ask(
    engine: &Engine,
    actor_type: &ActorType,
    partitions: u32,
    call: Invocation,
) -> Result<(), Error> {
    let Invocation { actor, method, body, headers, once, deadline, chain, .. } = call;
    let partition = partition_ref(actor_type, partition_of(&actor.id, partitions))?;
    let id = once.map(|key| key.as_str().into()).unwrap_or_default();
    let letter = Letter { actor, method, id, headers: Some(headers), body };
    let asked = Invocation::new(partition, KEEP, letter::kept(&letter));
    engine.call(Invocation { deadline, chain, ..asked }).await.map(drop)
}

impl Desk<'_> {
    /// Stores a call, and has it delivered.
    pub(super) async fn keep(&self, call: &Bytes) -> Result<(), Error> {
        let letter = letter::call(call)
            .map_err(|reason| Error::Arguments(format!("the call cannot be stored: {reason}")))?;
        let lane = letter::lane_to(&letter.actor);
        let number = self.shared.kept.fetch_add(1, Ordering::Relaxed);
        let (key, value) = letter::keep(letter, self.turn.actor(), self.turn.activation(), number);
        self.turn.commit(vec![Change::set(&key, value)]).await?;
        self.shared.sent.stored.fetch_add(1, Ordering::Relaxed);
        // Read from the store in its order: there may be earlier ones that are not in memory.
        self.shared.mail(|lanes| lanes.has_come(lane));
        self.shared.posted.notify_one();
        Ok(())
    }
}
