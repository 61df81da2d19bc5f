//! Calls of other actors that a turn sends out with its commit.
//!
//! Nobody waits for the answer. The call is stored with what its turn set, and made afterwards:
//! at least once, in the order in which the actor sent its messages, with an id by which the
//! receiver tells a repeat.

use std::sync::Arc;

use bytes::Bytes;
use odeon_base::ident;
use odeon_runtime::{ActorRef, Effect};
use serde::Serialize;

use crate::error::Result;
use crate::wire;

/// A call of an actor, for [`Ctx::send`](crate::Ctx::send).
///
/// ```
/// # use odeon_sdk::{Ctx, Message, Result};
/// async fn paid(ctx: &mut Ctx<'_>, order: String) -> Result<()> {
///     ctx.set("state", "paid")?;
///     ctx.send(Message::to("Goods", "soup", "commit")?.with(&order)?.id(format!("{order}:paid")));
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "it is sent by `Ctx::send`"]
pub struct Message {
    actor: ActorRef,
    method: Arc<str>,
    body: Bytes,
    id: Option<Arc<str>>,
}

impl Message {
    /// Calls a method of an actor, without an argument.
    ///
    /// # Errors
    /// [`Error::Name`](crate::Error::Name) for a name that is not acceptable.
    pub fn to(actor_type: &str, id: &str, method: &str) -> Result<Self> {
        let actor = ActorRef::parse(actor_type, id)?;
        let method = ident::clean_method(method)?.into();
        Ok(Self { actor, method, body: Bytes::new(), id: None })
    }

    /// Calls it with this argument; with an object, if it takes several.
    ///
    /// # Errors
    /// [`Error::Value`](crate::Error::Value) when it cannot be written as JSON.
    pub fn with<T: Serialize + ?Sized>(self, argument: &T) -> Result<Self> {
        let body = wire::argument(&format!("the argument of '{}'", self.method), argument)?;
        Ok(Self { body, ..self })
    }

    /// By what the receiver tells a repeat, across turns of the sender too: 1 to 256 visible
    /// ASCII characters. By default each message has an id of its own.
    pub fn id(self, id: impl AsRef<str>) -> Self {
        Self { id: Some(id.as_ref().into()), ..self }
    }

    /// What a turn sends out.
    pub(crate) fn effect(self) -> Effect {
        let Self { actor, method, body, id } = self;
        Effect::Call { actor, method, body, id }
    }
}
