//! One actor, and the way to it: what every typed client holds.
//!
//! The way is the engine in this process or a host across the network. Time limit
//! and call chain travel with each call. Knows no Rust type of an actor; typed
//! calls are added in `client.rs`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use odeon_base::{IdempotencyKey, ident};
use odeon_runtime::engine::Target;
use odeon_runtime::turn::Caller;
use odeon_runtime::{ActorRef, Awaits, CallKind, Engine, Headers, Invocation, Reply};
use tokio::time::Instant;

use crate::error::{Cause, Error, Result};
use crate::remote::{self, Remote};

/// Where calls go.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    /// The engine in this process, which knows the way to other hosts.
    Engine(Engine),
    /// A host.
    Remote(Remote),
}

/// An actor that can be called. Cheap to clone.
///
/// Typed clients, which `#[actor]` writes, wrap one; it is seldom used by itself.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(crate) way: Way,
    /// The way looked up once, if it is the engine.
    pub(crate) target: Option<Target>,
    pub(crate) actor: ActorRef,
    caller: Caller,
    limit: Option<Duration>,
    pub(crate) once: Option<IdempotencyKey>,
    /// Whether calls that are posted are stored first.
    is_durable: bool,
}

impl Handle {
    pub(crate) fn new(way: Way, actor: ActorRef, caller: Caller, limit: Option<Duration>) -> Self {
        let target = match &way {
            Way::Engine(engine) => Some(engine.target(&actor)),
            Way::Remote(_) => None,
        };
        Self { way, target, actor, caller, limit, once: None, is_durable: false }
    }

    /// The actor.
    #[must_use]
    pub fn actor(&self) -> &ActorRef {
        &self.actor
    }

    /// The same actor, asked with this time limit for each call.
    #[must_use]
    pub fn with_timeout(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The same actor, where calls carry this key: the first of them runs, and the others are
    /// answered as it was, so that sending one again can do no harm. A key is for one call, its
    /// arguments included; its answer is kept for the type's `idempotency_ttl`.
    ///
    /// # Errors
    /// [`Error::Name`] unless it is 1 to 256 bytes of visible ASCII.
    pub fn idempotency_key(mut self, key: &str) -> Result<Self> {
        self.once = Some(IdempotencyKey::parse(key)?);
        Ok(self)
    }

    /// Calls a method in bytes.
    ///
    /// # Errors
    /// As [`crate::Client::invoke`].
    ///
    /// # Cancel safety
    /// A call that waits is taken out of its queue; a turn that began runs on.
    pub async fn invoke(&self, method: &str, body: impl Into<Bytes>) -> Result<Bytes> {
        let method = ident::clean_method(method)?;
        self.send(method.into(), body.into()).await
    }

    /// The same actor, where calls that are posted are stored before they are taken, and then made
    /// at least once, whichever host dies; an idempotency key makes that once.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.is_durable = true;
        self
    }

    /// Calls a method in bytes, and does not wait for its turn: the call is taken once it is in
    /// the actor's mailbox, wherever that lives, or stored, if the handle is durable. What becomes of it is in its host's log and metrics.
    ///
    /// # Errors
    /// As [`crate::Client::invoke`], for what stands in its way until then.
    ///
    /// # Cancel safety
    /// Dropped, the call may have been taken.
    pub async fn post(&self, method: &str, body: impl Into<Bytes>) -> Result<()> {
        let method = ident::clean_method(method)?;
        self.posted(method.into(), body.into()).await
    }

    /// As [`Self::post`], for a method whose name is clean.
    pub(crate) async fn posted(&self, method: Arc<str>, body: Bytes) -> Result<()> {
        let awaits = if self.is_durable { Awaits::Stored } else { Awaits::Place };
        self.sent(method, body, awaits).await.map(drop)
    }

    /// Calls a method whose name is clean.
    pub(crate) async fn send(&self, method: Arc<str>, body: Bytes) -> Result<Bytes> {
        self.sent(method, body, Awaits::Answer).await
    }

    async fn sent(&self, method: Arc<str>, body: Bytes, awaits: Awaits) -> Result<Bytes> {
        let Caller { deadline, chain } = self.caller();
        let actor = self.actor.clone();
        let invocation = Invocation {
            actor,
            kind: CallKind::Method,
            method,
            body,
            headers: Headers::new(),
            deadline,
            chain,
            routed_by: None,
            once: self.once.clone(),
            awaits,
        };
        let reply = match &self.way {
            Way::Engine(engine) => engine.call(invocation).await,
            Way::Remote(host) => return host.invoke(invocation).await.map_err(remote::refusal),
        };
        match reply.map_err(Cause::Engine)? {
            Reply { body, is_app_error: false, .. } => Ok(body),
            Reply { body, .. } => Err(Error::failed(String::from_utf8_lossy(&body))),
        }
    }

    /// The caller of a call that begins now.
    pub(crate) fn caller(&self) -> Caller {
        let Caller { deadline, chain } = self.caller.clone();
        let own = self.limit.and_then(|limit| Instant::now().checked_add(limit));
        let deadline = match (deadline, own) {
            (Some(outer), Some(own)) => Some(outer.min(own)),
            (outer, own) => outer.or(own),
        };
        Caller { deadline, chain }
    }
}
