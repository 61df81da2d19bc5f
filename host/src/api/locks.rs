//! Taking a lock and giving it back, with the checks that both wires share.
//!
//! Source: http-api.md 11, which has their order.

use odeon_blocks::lock::{Refused, Unlocked};
use odeon_runtime::Error;

use super::Api;

/// Which lock, for whom, and for how long.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Take {
    /// The lock's name.
    pub resource_id: String,
    /// Who wants it.
    pub lock_owner: String,
    /// In how many seconds it is free by itself.
    pub expiry_in_seconds: i32,
}

/// Which lock, and whose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Give {
    /// The lock's name.
    pub resource_id: String,
    /// Who had it.
    pub lock_owner: String,
}

/// Why a lock was neither taken nor refused, or neither given back nor kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LockError {
    /// A lock has to end some day.
    #[error("ExpiryInSeconds is not positive in lock store {0}")]
    Expiry(String),
    /// It is not said which lock.
    #[error("ResourceId is empty in lock store {0}")]
    NoResource(String),
    /// It is not said for whom.
    #[error("LockOwner is empty in lock store {0}")]
    NoOwner(String),
    /// No component can be asked.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The component did not take it.
    #[error("failed to try acquiring lock: {0}")]
    TryLock(Error),
    /// The component did not give it back.
    #[error("failed to release lock: {0}")]
    Unlock(Error),
}

impl Api {
    /// Takes a lock; `false` when somebody holds it.
    ///
    /// # Errors
    /// [`LockError`].
    ///
    /// # Cancel safety
    /// Dropping it leaves the outcome unknown.
    pub async fn try_lock(&self, store: &str, take: Take) -> Result<bool, LockError> {
        let Take { resource_id, lock_owner, expiry_in_seconds } = take;
        let seconds = u32::try_from(expiry_in_seconds).ok().filter(|seconds| *seconds > 0);
        let seconds = seconds.ok_or_else(|| LockError::Expiry(store.to_owned()))?;
        self.check_lock(store, &resource_id, &lock_owner)?;
        let locks = self.locks().find(store)?;
        locks.try_lock(&resource_id, &lock_owner, seconds).await.map_err(LockError::TryLock)
    }

    /// Gives a lock back.
    ///
    /// # Errors
    /// [`LockError`].
    ///
    /// # Cancel safety
    /// Dropping it leaves the outcome unknown.
    pub async fn unlock(&self, store: &str, give: Give) -> Result<Unlocked, LockError> {
        let Give { resource_id, lock_owner } = give;
        self.check_lock(store, &resource_id, &lock_owner)?;
        let locks = self.locks().find(store)?;
        locks.unlock(&resource_id, &lock_owner).await.map_err(LockError::Unlock)
    }

    fn check_lock(&self, store: &str, resource_id: &str, owner: &str) -> Result<(), LockError> {
        self.locks().check()?;
        match () {
            () if resource_id.is_empty() => Err(LockError::NoResource(store.to_owned())),
            () if owner.is_empty() => Err(LockError::NoOwner(store.to_owned())),
            () => Ok(()),
        }
    }
}
