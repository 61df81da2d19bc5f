//! The one thread that writes: group commit.
//!
//! It takes what has gathered in its queue, runs the changes in order, each seen by
//! those after it, hands the engine what all of them write as one atomic batch,
//! flushes, syncs the disk, and only then answers them
//! all; meanwhile the next batch gathers, so nobody waits for
//! company. One batch, because the engine has a cost for each that outweighs that of
//! its keys: it hands its log to the system. It is a thread and not a task because every
//! step blocks. It does not know what changes do. A failed write or sync ends all writing: what reached the
//! disk is unknown then, and only opening anew can tell.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use odeon_runtime::store::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::fault::{closed, panic_text};
use super::folder::Files;
use super::progress::Progress;
use super::view::{Laid, Pending, View};
use crate::OpenError;

/// Most requests of one batch.
const BATCH_MAX: usize = 1_024;
/// A batch that has written this many bytes takes no further request.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// Nor does one that has written this many keys: readers wait while the engine takes it, some
/// microseconds a key.
const BATCH_KEYS_MAX: usize = 1_024;
/// How many written keys one round of freeing makes up for.
const KEYS_PER_FREEING: usize = 32;
/// Room in the queue, in units of 1 KiB: a request takes one and its size on top.
const QUEUE_UNITS: u32 = 64 << 10;

/// What a request asks to be done.
pub(super) type Change = Box<dyn FnOnce(&mut View<'_>) -> Result<()> + Send>;

enum Request {
    Commit { change: Change, reply: oneshot::Sender<Result<()>>, _room: OwnedSemaphorePermit },
    Close,
}

/// The way to the thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Committer {
    requests: mpsc::UnboundedSender<Request>,
    room: Arc<Semaphore>,
    /// Closed by the thread when it has let go of the folder.
    running: watch::Receiver<()>,
}

impl Committer {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`OpenError::Io`] when the system gives no thread.
    pub(super) fn start(
        files: Files,
        db: sled::Db,
        progress: Arc<Progress>,
    ) -> std::result::Result<Self, OpenError> {
        let folder = files.folder().to_path_buf();
        // Bounded by `room`, which counts bytes as well.
        let (requests, queue) = mpsc::unbounded_channel();
        let (alive, running) = watch::channel(());
        let worker = Worker { db, files, progress, alive, is_closing: false };
        std::thread::Builder::new()
            .name("odeon-commit".to_owned())
            .spawn(move || worker.run(queue))
            .map_err(OpenError::io("start the thread that writes to", folder))?;
        Ok(Self { requests, room: Arc::new(Semaphore::new(QUEUE_UNITS as usize)), running })
    }

    /// Queues a change and waits for its outcome.
    pub(super) async fn commit(&self, bytes: usize, change: Change) -> Result<()> {
        let units = u32::try_from(bytes / 1024).unwrap_or(u32::MAX).saturating_add(1);
        let room = Arc::clone(&self.room).acquire_many_owned(units.min(QUEUE_UNITS));
        let room = room.await.map_err(|_| closed())?;
        let (reply, outcome) = oneshot::channel();
        let request = Request::Commit { change, reply, _room: room };
        self.requests.send(request).map_err(|_| closed())?;
        // The thread answers all it takes, unless the engine panics under it.
        outcome.await.unwrap_or_else(|_| {
            Err(Error::Unknown { reason: "the database failed during the write".to_owned() })
        })
    }

    /// Ends the thread after all that is queued, and waits until it has let go of the folder.
    pub(super) async fn close(&self) {
        // No receiver: the thread has ended, or an earlier closing is under way.
        let _ = self.requests.send(Request::Close);
        let mut running = self.running.clone();
        while running.changed().await.is_ok() {}
    }
}

struct Worker {
    db: sled::Db,
    files: Files,
    progress: Arc<Progress>,
    alive: watch::Sender<()>,
    is_closing: bool,
}

/// The batch that is being put together.
#[derive(Default)]
struct Batch {
    /// Given with its first write.
    number: Option<u64>,
    pending: Pending,
    /// Of all that was laid down, also in place of something earlier.
    bytes: usize,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES_MAX || self.pending.len() >= BATCH_KEYS_MAX
    }
}

/// Frees the memory of pages that were replaced.
///
/// The engine puts off freeing until no reader can see a page, and then does it a
/// little each time a thread enters it. A batch of many keys enters once and leaves
/// much: a million rows in batches of 500 held 2 GB.
fn free(keys: usize) {
    for _ in 0..keys.div_ceil(KEYS_PER_FREEING) {
        sled::pin().flush();
    }
}

/// Who waits for a batch, and what it will be told if the batch is written.
type Answers = Vec<(oneshot::Sender<Result<()>>, Result<()>)>;

impl Worker {
    fn run(mut self, mut queue: mpsc::UnboundedReceiver<Request>) {
        let mut requests = Vec::with_capacity(BATCH_MAX);
        while queue.blocking_recv_many(&mut requests, BATCH_MAX) > 0 {
            let mut left = requests.drain(..).peekable();
            while left.peek().is_some() {
                // Whoever is in a batch that panics finds its answer's sender dropped.
                let batch = catch_unwind(AssertUnwindSafe(|| self.run_batch(&mut left)));
                if let Err(panic) = batch {
                    self.fail(&panic_text(panic.as_ref()));
                }
            }
            drop(left);
            if self.is_closing {
                queue.close();
            }
        }
        let Self { db, files, progress, alive, .. } = self;
        // The database first: it flushes as it goes, and until then the folder is ours.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(db))) {
            progress.fail(&panic_text(panic.as_ref()));
        }
        drop(files);
        drop(alive);
    }

    fn run_batch(&mut self, requests: &mut impl Iterator<Item = Request>) {
        let mut batch = Batch::default();
        let mut answers = Answers::new();
        while !batch.is_full()
            && let Some(request) = requests.next()
        {
            match request {
                Request::Close => self.is_closing = true,
                Request::Commit { change, reply, _room } => {
                    let answer = self.run_change(change, &batch.pending);
                    answers.push((reply, answer.map(|laid| self.gather(&mut batch, laid))));
                }
            }
        }
        let keys = batch.pending.len();
        // A batch of refusals alone looked at nothing that is not on disk already.
        let written = match batch.number {
            Some(number) => self.write(batch.pending).and_then(|()| self.sync(number)),
            None => Ok(()),
        };
        if let Err(reason) = &written {
            self.fail(reason);
        }
        for (reply, answer) in answers {
            let answer = match (&written, answer) {
                (Ok(()), answer) => answer,
                (Err(reason), Ok(())) => Err(Error::Unknown { reason: reason.clone() }),
                // It wrote nothing, but what it was refused for may not last.
                (Err(reason), Err(_)) => Err(Error::Unavailable { reason: reason.clone() }),
            };
            // A caller that has left does not mind.
            let _ = reply.send(answer);
        }
        free(keys);
    }

    fn run_change(&self, change: Change, pending: &Pending) -> Result<Laid> {
        if let Some(reason) = self.progress.failure() {
            return Err(Error::Unavailable { reason: reason.to_string() });
        }
        let mut view = View::new(&self.db, pending, &self.progress);
        change(&mut view)?;
        Ok(view.into_laid())
    }

    /// Adds the writes of one change to the batch, where the changes after it find them.
    fn gather(&self, batch: &mut Batch, laid: Laid) {
        let Laid { writes, touched } = laid;
        if writes.is_empty() {
            return;
        }
        let number = *batch.number.get_or_insert_with(|| self.progress.begin());
        touched.iter().for_each(|group| self.progress.touch(number, group));
        for (key, value) in &writes {
            self.progress.touch(number, key);
            batch.bytes += key.len() + value.as_ref().map_or(0, |value| value.len());
        }
        batch.pending.take(writes);
    }

    /// Hands the engine all of a batch or nothing. Its log keeps the order of batches: a
    /// crash leaves a beginning of it.
    fn write(&self, pending: Pending) -> std::result::Result<(), String> {
        let mut writes = pending.into_writes();
        let written = match writes.pop_first() {
            // Atomic by itself, and readers need not wait for it.
            Some((key, Some(value))) if writes.is_empty() => self.db.insert(key, value).map(drop),
            Some((key, None)) if writes.is_empty() => self.db.remove(key).map(drop),
            first => {
                let mut together = sled::Batch::default();
                for (key, value) in first.into_iter().chain(writes) {
                    match value {
                        Some(value) => together.insert(key, value),
                        None => together.remove(key),
                    }
                }
                self.db.apply_batch(together)
            }
        };
        written.map_err(|error| error.to_string())
    }

    fn sync(&mut self, batch: u64) -> std::result::Result<(), String> {
        self.progress.apply(batch);
        // `flush` hands everything to the system but syncs nothing (its `sync_file_range`
        // neither flushes the disk's cache nor saves the file's length): that is our part.
        self.db.flush().map_err(|error| error.to_string())?;
        self.files.sync().map_err(|error| error.to_string())?;
        self.progress.finish(batch);
        Ok(())
    }

    fn fail(&self, reason: &str) {
        let folder = self.files.folder().display();
        tracing::error!(%folder, reason, "the database failed and takes no more writes");
        self.progress.fail(&format!(
            "writing to the database in {folder} failed and was stopped, start again: {reason}"
        ));
    }
}
