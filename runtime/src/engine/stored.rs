//! Calls that are stored before their caller is told, and made afterwards (OW-1).
//!
//! Here they are checked; how they are kept and delivered is the business of the outbox.

use std::sync::Arc;

use super::Engine;
use crate::effect::{EFFECT_BYTES_MAX, STORED_HEADERS_BYTES_MAX, check_receiver};
use crate::error::Error;
use crate::invocation::{CallKind, Headers, Invocation, Reply};

impl Engine {
    /// Has a call stored; the answer says nothing but that it is.
    ///
    /// # Errors
    /// [`Error::Arguments`] for what cannot be stored; what stood in its way to the store.
    ///
    /// # Cancel safety
    /// The call may have been stored.
    pub(super) async fn stored(&self, call: Invocation) -> Result<Reply, Error> {
        check(&call)?;
        let actor_type = &call.actor.actor_type;
        let hosting = self.inner.types.get(actor_type.as_str()).and_then(|entry| entry.hosting());
        if hosting.is_some_and(|hosting| !hosting.spec.config.needs_store()) {
            return Err(refused(&format!(
                "actor type '{actor_type}' keeps no state to remember it in"
            )));
        }
        let Some(outbox) = self.inner.core.outbox() else {
            return Err(refused("this host has no store for actors' state to keep the call in"));
        };
        Arc::clone(outbox).keep(call).await?;
        Ok(Reply::default())
    }
}

/// Whether a call can be stored, as far as it can be told from the call.
fn check(call: &Invocation) -> Result<(), Error> {
    check_receiver(&call.actor)?;
    if call.kind != CallKind::Method {
        return Err(refused("only calls of methods are stored"));
    }
    let (body, headers) = (call.body.len(), bytes_of(&call.headers));
    if body > EFFECT_BYTES_MAX {
        return Err(refused(&format!(
            "the body has {body} bytes, more than the limit of {EFFECT_BYTES_MAX} for a stored call"
        )));
    }
    if headers > STORED_HEADERS_BYTES_MAX {
        return Err(refused(&format!(
            "the headers have {headers} bytes, more than the limit of {STORED_HEADERS_BYTES_MAX} for a stored call"
        )));
    }
    Ok(())
}

fn refused(reason: &str) -> Error {
    Error::Arguments(format!("the call cannot be stored before it is made: {reason}"))
}

fn bytes_of(headers: &Headers) -> usize {
    headers.iter().map(|(name, value)| name.len() + value.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::ActorRef;

    fn call(actor_type: &str, body: usize, header: usize) -> Invocation {
        let mut headers = Headers::new();
        headers.push("n", "x".repeat(header - 1));
        let actor = ActorRef::parse(actor_type, "1").unwrap();
        Invocation { headers, ..Invocation::new(actor, "m", vec![0; body]) }
    }

    // OW-1.
    #[test]
    fn what_cannot_be_stored_is_refused_by_name() {
        let most = call("Goods", EFFECT_BYTES_MAX, STORED_HEADERS_BYTES_MAX);
        check(&most).unwrap();
        for (call, words) in [
            (call("sys.state", 1, 1), "actorType is 'sys.state'"),
            (call("Goods", EFFECT_BYTES_MAX + 1, 1), "the body has 1048577 bytes"),
            (call("Goods", 1, STORED_HEADERS_BYTES_MAX + 1), "the headers have 16385 bytes"),
            (Invocation { kind: CallKind::Reminder, ..most }, "only calls of methods"),
        ] {
            let error = check(&call).unwrap_err();
            assert!(matches!(error, Error::Arguments(_)), "{error:?}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
