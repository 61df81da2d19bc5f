//! One turn of an actor: decode, run, encode, commit, in that order.
//!
//! The answer is written before the commit, so that an answer that cannot be
//! written keeps nothing; the commit is durable before the answer leaves (ST-9).
//! Whether the instance survives is decided here: memory and state never differ.

use bytes::Bytes;
use odeon_base::suggest;

use crate::actor::{Actor, Held, Method};
use crate::ctx::Ctx;
use crate::error::{Error, TurnError};
use crate::wire;

/// Runs a method in Rust's own types.
pub(crate) async fn run<A: Actor, M: Method<A>>(
    actor: &mut Held<A>,
    ctx: &mut Ctx<'_>,
    method: M,
) -> Result<M::Output, TurnError> {
    let answer = method.run(actor, ctx).await;
    settle::<A, M, _>(ctx, answer).await
}

/// Runs a method in bytes.
#[doc(hidden)]
pub async fn serve<A: Actor, M: Method<A>>(
    actor: &mut Held<A>,
    ctx: &mut Ctx<'_>,
    body: Bytes,
) -> Result<Bytes, TurnError> {
    let method: M = wire::read_arguments(M::ARGUMENTS, &body)
        .map_err(|reason| TurnError::Refused(Error::Arguments { method: M::NAME, reason }))?;
    let answer = method.run(actor, ctx).await.and_then(|answer| {
        wire::write_answer(&answer)
            .map_err(|error| Error::Answer { method: M::NAME, reason: error.to_string() })
    });
    if let Ok(body) = &answer {
        ctx.will_answer(body);
    }
    settle::<A, M, _>(ctx, answer).await
}

/// Keeps what the turn did, or none of it.
async fn settle<A: Actor, M: Method<A>, T>(
    ctx: &mut Ctx<'_>,
    answer: Result<T, Error>,
) -> Result<T, TurnError> {
    match answer {
        Ok(answer) => {
            ctx.commit().await.map_err(TurnError::Commit)?;
            Ok(answer)
        }
        Err(error) => {
            if M::CHANGES || ctx.is_changed() {
                ctx.forget();
            }
            Err(TurnError::Failed(error))
        }
    }
}

/// The method is not one of the actor's.
#[doc(hidden)]
#[must_use]
pub fn no_method<A: Actor>(method: &str) -> TurnError {
    TurnError::Refused(Error::NoMethod {
        actor_type: A::TYPE,
        method: method.to_owned(),
        nearest: suggest::nearest(method, A::METHODS.iter().copied()),
    })
}
