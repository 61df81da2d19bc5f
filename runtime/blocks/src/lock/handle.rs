//! The lock components of a host as its doors reach them: by turns of `sys.lock`, wherever the
//! component is open.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use odeon_base::ident::Invalid;
use odeon_runtime::{ActorRef, Engine, Error, Invocation, WeakEngine};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::actor::{self, Give, Given, TRY_LOCK, TYPE, Take, Taken, UNLOCK};
use super::locks::Unlocked;
use crate::json;

/// The lock components of a host, by name. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Locks(Arc<BTreeMap<String, LockHandle>>);

/// One of them.
#[derive(Debug)]
pub struct LockHandle {
    engine: WeakEngine,
    actor: ActorRef,
    /// How long a call may wait for whoever holds the component.
    limit: Duration,
}

/// Why no component can be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is none at all.
    #[error("lock store is not configured")]
    NotConfigured,
    /// There is none of this name.
    #[error("lock store {0} not found")]
    NotFound(String),
}

impl FromIterator<(String, LockHandle)> for Locks {
    fn from_iter<T: IntoIterator<Item = (String, LockHandle)>>(handles: T) -> Self {
        Self(Arc::new(handles.into_iter().collect()))
    }
}

impl Locks {
    /// Whether there is any.
    ///
    /// # Errors
    /// [`Refused::NotConfigured`].
    pub fn check(&self) -> Result<(), Refused> {
        if self.0.is_empty() { Err(Refused::NotConfigured) } else { Ok(()) }
    }

    /// The one of this name.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn find(&self, name: &str) -> Result<&LockHandle, Refused> {
        self.check()?;
        self.0.get(name).ok_or_else(|| Refused::NotFound(name.to_owned()))
    }
}

impl LockHandle {
    /// A handle on the component of this name; calls of it wait for whoever holds it.
    ///
    /// # Errors
    /// The name's own when it cannot be an actor id.
    pub fn new(engine: &Engine, name: &str) -> Result<Self, Invalid> {
        engine.expect(&actor::resource(&engine.config().app, name)?);
        let (actor, limit) = (ActorRef::parse(TYPE, name)?, engine.config().holder_wait);
        Ok(Self { engine: engine.downgrade(), actor, limit })
    }

    /// Takes a lock for so many seconds, unless anybody holds it.
    ///
    /// # Errors
    /// Those of the call, and of the component. Where its execution is not ruled out, the owner
    /// may hold the lock.
    ///
    /// # Cancel safety
    /// Dropping it leaves the outcome unknown.
    pub async fn try_lock(
        &self,
        resource_id: &str,
        lock_owner: &str,
        expiry_in_seconds: u32,
    ) -> Result<bool, Error> {
        let (resource_id, lock_owner) = (resource_id.to_owned(), lock_owner.to_owned());
        let form = Take { resource_id, lock_owner, expiry_in_seconds };
        let Taken { success } = self.ask(TRY_LOCK, &form).await?;
        Ok(success)
    }

    /// Gives a lock back, if this owner holds it.
    ///
    /// # Errors
    /// As [`Self::try_lock`].
    ///
    /// # Cancel safety
    /// Dropping it leaves the outcome unknown.
    pub async fn unlock(&self, resource_id: &str, lock_owner: &str) -> Result<Unlocked, Error> {
        let (resource_id, lock_owner) = (resource_id.to_owned(), lock_owner.to_owned());
        let Given { status } = self.ask(UNLOCK, &Give { resource_id, lock_owner }).await?;
        Unlocked::of_number(status).ok_or_else(|| {
            Error::Arguments(format!("{TYPE} answered with status {status}, which is none"))
        })
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        form: &impl Serialize,
    ) -> Result<T, Error> {
        let engine = self.engine.upgrade().ok_or(Error::Closed)?;
        let mut call = Invocation::new(self.actor.clone(), method, json::bytes(form)?);
        call.deadline = Some(Instant::now() + self.limit);
        json::answer(&engine.call(call).await?.body)
    }
}
