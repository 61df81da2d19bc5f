//! What the mailbox is built on: std's lock and tokio's tasks, or those of the model
//! checker under the `model` feature, which then decides who goes next.
//!
//! A std mutex with a short section is the normal lock here; no guard lives
//! across an await. A poisoned lock is entered all the same: every section leaves
//! sound data behind at each step.

use odeon_base::{TaskKind, Tasks};

#[cfg(not(feature = "model"))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic::AtomicU8};
#[cfg(not(feature = "model"))]
pub(crate) use tokio::task::JoinHandle;

#[cfg(feature = "model")]
pub(crate) use shuttle::future::JoinHandle;
#[cfg(feature = "model")]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, atomic::AtomicU8};

/// Enters a lock whether or not somebody panicked inside.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Starts what must go on although its caller has left: a turn, a goodbye.
#[cfg(not(feature = "model"))]
pub(crate) fn spawn<F>(tasks: &Tasks, kind: TaskKind, work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    tasks.spawn(kind, work)
}

/// The same as a task of the model checker.
#[cfg(feature = "model")]
pub(crate) fn spawn<F>(_: &Tasks, _: TaskKind, work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    shuttle::future::spawn(work)
}
