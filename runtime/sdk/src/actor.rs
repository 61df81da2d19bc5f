//! What an actor is: the traits that `#[actor]` implements.
//!
//! A type, its methods by name, how an instance is made and held, and its
//! settings. How its turns are run is in `turn.rs`; who runs them (the engine, or
//! a worker) is not known here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use odeon_runtime::config::{Pool, Reentrancy, TypeConfig};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ctx::Ctx;
use crate::error::{Result, TurnError};
use crate::handle::Handle;
use crate::hold::Hold;

/// A type of actor. Implemented by [`macro@crate::actor`], not by hand.
pub trait Actor: Sized + Send + 'static {
    /// The name of the type.
    const TYPE: &'static str;
    /// The names of its methods on the wire.
    const METHODS: &'static [&'static str];
    /// How its instances are held between turns.
    #[doc(hidden)]
    type Hold: Hold<Self>;
    /// The typed client.
    type Client: From<Handle>;

    /// Its settings.
    #[must_use]
    fn settings() -> Settings {
        Settings::default()
    }

    /// Runs before the first turn.
    #[doc(hidden)]
    fn activate(_: &mut Self, _: &mut Ctx<'_>) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// Runs after the last turn.
    #[doc(hidden)]
    fn deactivate(_: &mut Held<Self>) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Runs the method of this name.
    #[doc(hidden)]
    fn dispatch(
        actor: &mut Held<Self>,
        ctx: &mut Ctx<'_>,
        method: &str,
        body: Bytes,
    ) -> impl Future<Output = Result<Bytes, TurnError>> + Send;
}

/// An actor that can be made from its id alone: by `fn new(id: &str)`, or by `Default`.
pub trait Make: Actor {
    /// Makes an instance, before its state is read.
    fn make(id: &str) -> Self;
}

/// One method with its arguments.
#[doc(hidden)]
pub trait Method<A: Actor>: Serialize + DeserializeOwned + Send + 'static {
    /// Its name on the wire.
    const NAME: &'static str;
    /// The names of its arguments on the wire.
    const ARGUMENTS: &'static [&'static str];
    /// Whether it takes `&mut self`.
    const CHANGES: bool;
    /// What is inside its `Result`.
    type Output: Serialize + DeserializeOwned + Send + 'static;

    /// Runs it.
    fn run(
        self,
        actor: &mut Held<A>,
        ctx: &mut Ctx<'_>,
    ) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// What a turn of `A` borrows.
#[doc(hidden)]
pub type Held<A> = <<A as Actor>::Hold as Hold<A>>::Held;

/// Settings of an actor type; `None` leaves the host's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// An actor unused for this long is deactivated. Default: 60 min.
    pub idle_timeout: Option<Duration>,
    /// How long a running turn may go on when its actor moves. Default: 60 s.
    pub drain_timeout: Option<Duration>,
    /// A turn that runs longer ends its activation. Default: no limit.
    pub turn_max: Option<Duration>,
    /// Calls that may wait for one actor; a worker's host has a limit of its own.
    /// Default: 10,000.
    pub waiting_max: Option<usize>,
    /// How deep calls of the own chain may join a turn. Default: not at all.
    pub reentrant: Option<u32>,
    /// For how long the answer to a call with an idempotency key is kept. Default: 24 h.
    pub idempotency_ttl: Option<Duration>,
    /// Methods that write no state and run beside each other. Default: none.
    pub read_only: &'static [&'static str],
    /// Methods that run beside any. Default: none.
    pub interleaving: &'static [&'static str],
    /// Runs where it is called, so many turns at once on each host; one more begins when so many
    /// calls wait. Only for a stateless type whose methods take `&self`. Default: no.
    pub pool: Option<(u32, u32)>,
    /// Hosted without a state store.
    pub stateless: bool,
    /// What was read and written stays in memory while the actor is active; in a
    /// worker, keep it in fields.
    pub cache: bool,
}

impl Settings {
    /// As the engine wants them.
    #[must_use]
    pub fn to_config(&self) -> TypeConfig {
        let standard = TypeConfig::default();
        TypeConfig {
            idle_timeout: self.idle_timeout.unwrap_or(standard.idle_timeout),
            drain_timeout: self.drain_timeout.unwrap_or(standard.drain_timeout),
            turn_max: self.turn_max,
            waiting_max: self.waiting_max.unwrap_or(standard.waiting_max),
            reentrancy: self.reentrant.map(|stack_depth_max| Reentrancy { stack_depth_max }),
            read_only: sorted(self.read_only),
            interleaving: sorted(self.interleaving),
            pool: self.pool.map(|(max_per_host, scale_at)| Pool { max_per_host, scale_at }),
            stateless: self.stateless || self.pool.is_some(),
            idempotency_ttl: self.idempotency_ttl.unwrap_or(standard.idempotency_ttl),
            cache: self.cache,
            ..standard
        }
    }
}

fn sorted(methods: &[&str]) -> Arc<[Arc<str>]> {
    let mut methods: Vec<Arc<str>> = methods.iter().copied().map(Into::into).collect();
    methods.sort();
    methods.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_leave_the_defaults_alone() {
        assert_eq!(Settings::default().to_config(), TypeConfig::default());
        let settings = Settings { reentrant: Some(4), ..Settings::default() };
        assert_eq!(settings.to_config().reentrancy, Some(Reentrancy { stack_depth_max: 4 }));
    }
}
