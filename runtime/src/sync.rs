//! The lock of a mailbox: std's, or the model checker's under the `model` feature.
//!
//! A std mutex with a short section is the normal lock here; no guard lives
//! across an await. A poisoned lock is entered all the same: every section leaves
//! sound data behind at each step.

#[cfg(not(feature = "model"))]
pub(crate) use std::sync::{Mutex, MutexGuard};

#[cfg(feature = "model")]
pub(crate) use shuttle::sync::{Mutex, MutexGuard};

/// Enters a lock whether or not somebody panicked inside.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
