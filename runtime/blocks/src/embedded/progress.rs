//! How far the disk has come, for readers.
//!
//! The engine shows a write as soon as it is applied, up to a sync before it is
//! durable; a reader that passed it on could be made a liar by a power cut. So
//! before a batch is applied its number is noted in the slots of its keys, and a
//! reader, having read, waits if its key's slot names a batch that is not on disk.
//! Keys that share a slot only wait a little too often. Nothing here does I/O.

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use odeon_runtime::store::{Error, Result};
use tokio::sync::watch;

use super::fault::closed;

/// Number of slots; 32 KiB of memory.
const SLOTS: usize = 4_096;

/// Numbers of batches: begun, touched by key, applied, and safe.
#[derive(Debug)]
pub(super) struct Progress {
    slots: Box<[AtomicU64]>,
    begun: AtomicU64,
    applied: AtomicU64,
    safe: AtomicU64,
    waiters: watch::Sender<State>,
}

#[derive(Debug, Default)]
struct State {
    safe: u64,
    failure: Option<Arc<str>>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            begun: AtomicU64::new(0),
            applied: AtomicU64::new(0),
            safe: AtomicU64::new(0),
            waiters: watch::Sender::new(State::default()),
        }
    }

    /// A batch is about to be applied; only the committer calls this.
    pub(super) fn begin(&self) -> u64 {
        let batch = self.begun.load(Ordering::Relaxed) + 1;
        self.begun.store(batch, Ordering::Release);
        batch
    }

    /// A batch is about to write a key. The tree's own synchronisation comes after, so
    /// whoever reads what the batch wrote finds its number here.
    pub(super) fn touch(&self, batch: u64, key: &[u8]) {
        self.slot(key).store(batch, Ordering::Release);
    }

    /// Readers see all up to this batch.
    pub(super) fn apply(&self, batch: u64) {
        self.applied.store(batch, Ordering::Release);
    }

    /// All up to this batch is on disk.
    pub(super) fn finish(&self, batch: u64) {
        self.safe.store(batch, Ordering::Release);
        self.waiters.send_modify(|state| state.safe = batch);
    }

    /// The disk failed: what is not safe by now never will be. The first reason stays.
    pub(super) fn fail(&self, reason: &str) {
        self.waiters.send_modify(|state| {
            state.failure.get_or_insert_with(|| reason.into());
        });
    }

    /// Why the disk failed, if it has.
    pub(super) fn failure(&self) -> Option<Arc<str>> {
        self.waiters.borrow().failure.clone()
    }

    /// The newest batch.
    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Acquire)
    }

    /// The newest batch that may have touched a key.
    pub(super) fn touched(&self, key: &[u8]) -> u64 {
        self.slot(key).load(Ordering::Acquire)
    }

    /// The newest batch that may have touched a key, if all of it can be read by now:
    /// as long as the key is touched by no later one, it holds what is read next.
    pub(super) fn still(&self, key: &[u8]) -> Option<u64> {
        let batch = self.touched(key);
        (batch <= self.applied.load(Ordering::Acquire)).then_some(batch)
    }

    /// Waits until a batch is on disk.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it never will be.
    pub(super) async fn settle(&self, batch: u64) -> Result<()> {
        if batch <= self.safe.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut receiver = self.waiters.subscribe();
        let state = receiver
            .wait_for(|state| state.safe >= batch || state.failure.is_some())
            .await
            .map_err(|_| closed())?;
        match &state.failure {
            Some(reason) if state.safe < batch => {
                Err(Error::Unavailable { reason: reason.to_string() })
            }
            _ => Ok(()),
        }
    }

    fn slot(&self, key: &[u8]) -> &AtomicU64 {
        let mut hasher = DefaultHasher::new();
        hasher.write(key);
        let index = usize::try_from(hasher.finish() % SLOTS as u64).unwrap_or_default();
        &self.slots[index]
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn begin(progress: &Progress, key: &[u8]) -> u64 {
        let batch = progress.begin();
        progress.touch(batch, key);
        batch
    }

    #[tokio::test]
    async fn a_reader_waits_for_the_batch_it_has_seen_and_for_no_other() {
        let progress = Progress::new();
        let first = begin(&progress, b"a");
        let seen = progress.touched(b"a");
        assert!(progress.settle(seen).now_or_never().is_none(), "not on disk yet");
        assert!(progress.settle(progress.touched(b"b")).now_or_never().is_some());
        progress.finish(first);
        progress.settle(seen).await.unwrap();
    }

    #[test]
    fn what_a_key_holds_is_still_true_until_a_batch_touches_it() {
        let progress = Progress::new();
        assert_eq!(progress.still(b"a"), Some(0));
        let first = begin(&progress, b"a");
        assert_eq!(progress.still(b"a"), None, "it is being written");
        assert_eq!(progress.still(b"b"), Some(0));
        progress.apply(first);
        assert_eq!(progress.still(b"a"), Some(first));
    }

    #[tokio::test]
    async fn after_a_failure_only_what_was_safe_can_be_read() {
        let progress = Progress::new();
        let first = begin(&progress, b"a");
        progress.finish(first);
        begin(&progress, b"b");
        progress.fail("the disk is gone");
        progress.settle(progress.touched(b"a")).await.unwrap();
        assert!(progress.settle(progress.touched(b"b")).await.is_err());
        assert!(progress.settle(progress.begun()).await.is_err());
    }
}
