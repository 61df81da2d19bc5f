//! Taking a lock and giving it back, as changes of a store.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use odeon_runtime::store::{Condition, Error, Expiry, Key, Op, Result, StateStore, Transaction};

use crate::state::prefix::{self, Illegal, Names};

/// What every key of a lock begins with.
const FIRST: &str = "lock||";

/// A lock component in memory: what a turn of `sys.lock` has in its hands.
#[derive(Debug, Clone)]
pub struct Component {
    /// What keeps the locks, and nothing else. It reads the time for their expiry.
    pub store: Arc<dyn StateStore>,
    /// What is put before the names that callers use ([`prefix_of`]).
    pub prefix: Arc<str>,
}

/// What came of giving a lock back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlocked {
    /// It is free.
    Success,
    /// Nobody held it.
    DoesNotExist,
    /// Another owner holds it, and keeps it.
    BelongsToOthers,
}

impl Unlocked {
    /// As both wires number it.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::Success => 0,
            Self::DoesNotExist => 1,
            Self::BelongsToOthers => 2,
        }
    }

    /// What a number means.
    #[must_use]
    pub fn of_number(number: i32) -> Option<Self> {
        [Self::Success, Self::DoesNotExist, Self::BelongsToOthers]
            .into_iter()
            .find(|one| one.number() == number)
    }
}

/// What is put before each name, separator included, when `keyPrefix` has this value. Unlike
/// with state, `namespace` is a text like any other.
///
/// # Errors
/// [`Illegal`] for a text that contains the separator.
pub fn prefix_of(written: &str, names: Names<'_>) -> std::result::Result<Arc<str>, Illegal> {
    let rest: Arc<str> = match written.trim().to_lowercase().as_str() {
        literal @ "namespace" => format!("{literal}||").into(),
        _ => prefix::of_keys(written, names)?,
    };
    Ok(format!("{FIRST}{rest}").into())
}

impl Component {
    /// Takes a lock for this long, unless anybody holds it, the same owner included.
    ///
    /// # Errors
    /// The store's own, and [`Error::Invalid`] for a name with the separator. After
    /// [`Error::Unknown`] the owner may hold the lock.
    ///
    /// # Cancel safety
    /// Dropping it leaves the outcome unknown.
    pub async fn try_lock(&self, name: &str, owner: &str, lasts: Duration) -> Result<bool> {
        let op = Op::Upsert {
            key: self.key(name)?,
            value: Bytes::copy_from_slice(owner.as_bytes()),
            condition: Condition::Absent,
            expiry: Expiry::After(lasts),
        };
        self.commit(op).await
    }

    /// Gives a lock back, if this owner holds it.
    ///
    /// # Errors
    /// As [`Self::try_lock`]; after [`Error::Unknown`] the lock may be free.
    ///
    /// # Cancel safety
    /// Dropping it leaves the outcome unknown.
    pub async fn unlock(&self, name: &str, owner: &str) -> Result<Unlocked> {
        let key = self.key(name)?;
        let Some(held) = self.store.get(&key).await? else { return Ok(Unlocked::DoesNotExist) };
        if held.value != owner.as_bytes() {
            return Ok(Unlocked::BelongsToOthers);
        }
        let op = Op::Delete { key, condition: Condition::ETag(held.etag) };
        // Where the row is another by now, there was none for a moment: the lock was over.
        Ok(if self.commit(op).await? { Unlocked::Success } else { Unlocked::DoesNotExist })
    }

    /// Whether the one change happened; its condition decides.
    async fn commit(&self, op: Op) -> Result<bool> {
        match self.store.transact(Transaction { fence: None, ops: vec![op] }).await {
            Ok(()) => Ok(true),
            Err(Error::ETagMismatch { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn key(&self, name: &str) -> Result<Key> {
        let invalid = |illegal: Illegal| Error::Invalid { reason: illegal.to_string() };
        prefix::key(&self.prefix, name).map_err(invalid)
    }
}

#[cfg(test)]
#[path = "locks_tests.rs"]
mod tests;
