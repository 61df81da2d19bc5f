//! Runs the turn of a call that carries an idempotency key: once, however often it comes (RT-4).
//!
//! The record of an earlier one is read before the actor sees anything of the call. What the
//! turn commits carries the record, so that neither can be without the other; what it
//! commits by name, before its answer is known, carries that it has begun. The record's form is
//! `once.rs`'s, where it is written is `state.rs`'s.

use std::sync::Arc;

use odeon_base::IdempotencyKey;

use crate::activation::Activation;
use crate::error::Error;
use crate::invocation::{Call, Reply};
use crate::once::{Once, Record, Stored};
use crate::seams::Instance;
use crate::store;
use crate::turn::Turn;

/// Runs a call under its key, or answers what an earlier one of that key was answered.
pub(crate) async fn run(
    activation: &Activation,
    key: IdempotencyKey,
    instance: &mut Instance,
    turn: &Turn,
    call: Call,
) -> Result<Reply, Error> {
    let hosting = &activation.hosting;
    if turn.is_read_only() {
        // It has no effect that a second one could double.
        return hosting.spec.behaviour.invoke(instance, turn, call).await;
    }
    let actor_type = &activation.actor.actor_type;
    if !hosting.spec.config.needs_store() {
        return Err(Error::CannotRemember { actor_type: actor_type.clone() });
    }
    let once = Arc::new(Once::new(&key, hosting.spec.config.idempotency_ttl));
    if turn.is_inside_itself() && hosting.keyed.is_under_way(&activation.actor.id, &once) {
        return Err(Error::Arguments(format!(
            "the call has the idempotency key of a call of actor type '{actor_type}' that waits for it"
        )));
    }
    let _seat = hosting.keyed.enter(&activation.actor.id, Arc::clone(&once)).await;
    if let Some(item) = turn.read_own(once.name()).await? {
        return match Record::read(item.value) {
            Ok(Record::Answered(reply)) => Ok(Reply { is_replay: true, ..reply }),
            Ok(Record::Begun) => {
                let id = activation.actor.id.clone();
                Err(Error::Repeated { actor_type: actor_type.clone(), id })
            }
            Err(reason) => {
                let (key, reason) = (once.name().to_string(), reason.to_owned());
                Err(Error::Store(store::Error::Corrupt { key, reason }))
            }
        };
    }
    let turn = turn.only_once(&once);
    let reply = hosting.spec.behaviour.invoke(instance, &turn, call).await?;
    if once.stored() < Stored::Answered {
        once.will_answer(reply.clone());
        if let Err(error) = turn.commit(Vec::new()).await {
            if once.stored() == Stored::Nothing {
                // A repeat would run again, so the caller must not take it for done.
                return Err(error);
            }
            tracing::warn!(
                %actor_type, actor_id = %activation.actor.id, %error,
                "the answer of a call with an idempotency key was not kept; a repeat will be refused"
            );
        }
    }
    Ok(reply)
}
