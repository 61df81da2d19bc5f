//! The database itself: what components do with it.
//!
//! Reads go to the tree on the caller's thread; what they saw can be passed on once
//! it is on disk. Changes go to the committer. Opening, and the way to the disk,
//! are in `folder` and `committer`; what is kept in the tree is the components'.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use odeon_runtime::store::{Error, Result};

use super::committer::Committer;
use super::fault::{closed, panic_text, unavailable};
use super::folder::{self, Config, SetAside, Taken};
use super::progress::Progress;
use super::view::{Glance, View};
use super::waiting;
use crate::OpenError;

/// An open database; cheap to clone, closed when the last clone is gone.
#[derive(Clone)]
pub struct EmbeddedDb {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    id: String,
    set_aside: Option<SetAside>,
    /// What readers use; empty once closed. Goes before the committer, which holds
    /// the last reference to the database and the folder's lock.
    tree: RwLock<Option<sled::Db>>,
    progress: Arc<Progress>,
    committer: Committer,
}

/// Proof of what a reader has seen; it may be passed on once that is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) struct Seen(u64);

impl EmbeddedDb {
    /// Opens the database of a data folder, or makes one.
    ///
    /// A database that cannot be read is moved out of the way, and a new one is
    /// begun: see [`EmbeddedDb::set_aside`]. Blocks on the disk; from a task, use
    /// [`EmbeddedDb::open_async`].
    ///
    /// # Errors
    /// [`OpenError::Locked`] while another process has the folder, also another
    /// opening in this one; [`OpenError::Newer`], [`OpenError::Format`],
    /// [`OpenError::Io`] or [`OpenError::Engine`] when it cannot be used.
    pub fn open(config: &Config) -> std::result::Result<Self, OpenError> {
        let opened = folder::open(config)?;
        let progress = Arc::new(Progress::new());
        let tree = opened.db.clone();
        let committer = Committer::start(opened.files, opened.db, Arc::clone(&progress))?;
        if let Some(set_aside) = &opened.set_aside {
            tracing::error!("{set_aside}");
        }
        let inner = Inner {
            folder: config.folder.clone(),
            id: opened.id,
            set_aside: opened.set_aside,
            tree: RwLock::new(Some(tree)),
            progress,
            committer,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// As [`EmbeddedDb::open`], on a thread that may block.
    ///
    /// # Errors
    /// As [`EmbeddedDb::open`].
    ///
    /// # Cancel safety
    /// What was opened is closed again if the future is dropped.
    pub async fn open_async(config: Config) -> std::result::Result<Self, OpenError> {
        let folder = config.folder.clone();
        tokio::task::spawn_blocking(move || Self::open(&config))
            .await
            .map_err(|error| OpenError::Engine { folder, reason: error.to_string() })?
    }

    /// As [`EmbeddedDb::open_async`], whatever the settings say about a folder that is taken:
    /// waits for it, on a thread of its own that sleeps until the system wakes it.
    ///
    /// # Errors
    /// As [`EmbeddedDb::open`], but for [`OpenError::Locked`].
    ///
    /// # Cancel safety
    /// If the future is dropped the thread waits on; then it opens and closes again, or ends
    /// with the process.
    pub async fn open_when_free(config: Config) -> std::result::Result<Self, OpenError> {
        let folder = config.folder.clone();
        let config = Config { taken: Taken::Wait, ..config };
        let waited = waiting::on_a_thread(&folder, move || Self::open(&config))?.await;
        waited.unwrap_or_else(|_| {
            Err(OpenError::Engine { folder, reason: "opening it panicked".to_owned() })
        })
    }

    /// The id that is kept in the folder, the same for as long as the folder exists.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// The data folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// What was found broken at opening and moved out of the way, if anything.
    #[must_use]
    pub fn set_aside(&self) -> Option<&SetAside> {
        self.inner.set_aside.as_ref()
    }

    /// Waits until all that was begun is safe, ends the committer and gives the
    /// folder free. Whatever comes later is refused; closing again does nothing.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database had failed before.
    ///
    /// # Cancel safety
    /// The closing goes on if the future is dropped.
    pub async fn close(&self) -> Result<()> {
        let this = self.clone();
        // Taking the tree waits for readers that are in it, which may be on the disk.
        let taken = tokio::task::spawn_blocking(move || {
            drop(this.inner.tree.write().unwrap_or_else(PoisonError::into_inner).take());
        });
        taken.await.map_err(|error| Error::Unknown { reason: error.to_string() })?;
        self.inner.committer.close().await;
        match self.inner.progress.failure() {
            None => Ok(()),
            Some(reason) => Err(Error::Unavailable { reason: reason.to_string() }),
        }
    }

    /// Runs a change on the committer: it looks at the tree as all changes before it
    /// left it and says what to write; its writes are made together, or, if it
    /// answers with an error, not at all. Returns when all of it is on disk, or,
    /// for an error, when what the change has looked at is.
    ///
    /// # Errors
    /// The change's own; [`Error::Unavailable`] when the database is closed or has
    /// failed before; [`Error::Unknown`] when the disk failed at this very write.
    ///
    /// # Cancel safety
    /// The outcome is unknown if the future is dropped.
    pub(crate) async fn commit<F>(&self, bytes: usize, change: F) -> Result<()>
    where
        F: FnOnce(&mut View<'_>) -> Result<()> + Send + 'static,
    {
        self.inner.committer.commit(bytes, Box::new(change)).await
    }

    /// Reads from the tree. What comes out may not be on disk yet: await
    /// [`EmbeddedDb::settle`] before it is passed on.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when closed; the reader's own.
    pub(crate) fn look<T>(&self, reader: impl FnOnce(&sled::Tree) -> Result<T>) -> Result<T> {
        let guard = self.inner.tree.read().unwrap_or_else(PoisonError::into_inner);
        let Some(db) = guard.as_ref() else { return Err(closed()) };
        // A page that cannot be read makes the engine panic; that is one reader's failure.
        catch_unwind(AssertUnwindSafe(|| reader(db))).unwrap_or_else(|panic| {
            let reason = panic_text(panic.as_ref());
            Err(Error::Unavailable { reason: format!("the database cannot be read: {reason}") })
        })
    }

    /// Looks at a key for a change to come. Every microsecond of the committer is paid
    /// by all who wait for it, so what can be read before is.
    pub(crate) fn glance(&self, key: &[u8]) -> Result<Glance> {
        // In this order: a batch that touches the key after this was noted is seen by the
        // change, whether or not the value read here has it.
        let batch = self.inner.progress.still(key);
        let value = match batch {
            Some(_) => self.look(|tree| tree.get(key).map_err(unavailable))?,
            None => None,
        };
        Ok(Glance::new(key.into(), value, batch))
    }

    /// What was seen of one key, or of a group that changes have touched as a whole
    /// ([`View::touch`]); to be taken after reading it.
    pub(crate) fn seen(&self, key: &[u8]) -> Seen {
        Seen(self.inner.progress.touched(key))
    }

    /// What was seen of the whole tree; to be taken after reading.
    pub(crate) fn seen_all(&self) -> Seen {
        Seen(self.inner.progress.begun())
    }

    /// Waits until what was seen is on disk; mostly it is already.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the disk failed before.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub(crate) async fn settle(&self, seen: Seen) -> Result<()> {
        self.inner.progress.settle(seen.0).await
    }
}

impl fmt::Debug for EmbeddedDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedDb").field("folder", &self.inner.folder).finish_non_exhaustive()
    }
}
