//! The thread that waits for a folder which another process has.
//!
//! Waiting for a lock blocks, and may take days: on a thread that the runtime counts, the
//! process could not end before it. What is done once the lock is there is `db`'s.

use std::path::Path;
use std::thread;

use tokio::sync::oneshot;

use crate::OpenError;

/// Does `work` on a thread of its own; what it returns is dropped there if nobody waits.
///
/// # Errors
/// [`OpenError::Io`] when the system gives no thread.
pub(super) fn on_a_thread<T: Send + 'static>(
    folder: &Path,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<oneshot::Receiver<T>, OpenError> {
    let (told, done) = oneshot::channel();
    let run = move || drop(told.send(work()));
    let spawned = thread::Builder::new().name("odeon-waiter".to_owned()).spawn(run);
    spawned.map_err(OpenError::io("start a thread for", folder))?;
    Ok(done)
}
