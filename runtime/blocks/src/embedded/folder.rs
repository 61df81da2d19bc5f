//! A data folder: who may use it, which format it has, and its database.
//!
//! `LOCK` keeps a second process out and says who is in; `FORMAT` keeps an older
//! release from spoiling what a newer one wrote; `ID` tells this folder from every other
//! one, also after it was copied elsewhere or moved; `store/` is the engine's. A
//! `store/` that the engine cannot read is renamed `store.broken-<n>` and a new
//! one is begun: a start that fails for ever helps nobody, and nothing is deleted.
//! What is in the database is not known here.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use odeon_base::Entropy;

use super::fault::panic_text;
use crate::OpenError;

/// The newest format that this release reads, and the one it writes.
pub const FORMAT: u32 = 1;

/// What stands before the number in the record of the format.
const FORMAT_WORDS: &str = "odeon data format ";

/// What the pages of the tree may take up in memory, unless told otherwise: 16 MiB.
pub const CACHE_BYTES: u64 = 16 << 20;

/// Longest id of a folder, in bytes.
const ID_BYTES_MAX: usize = 200;

/// How a database is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The data folder; made if it is missing.
    pub folder: PathBuf,
    /// Bytes that pages of the tree may take up in memory; default [`CACHE_BYTES`].
    pub cache_bytes: u64,
    /// What to do while another process has the folder; default: refuse.
    pub taken: Taken,
}

/// What to do about a folder that another process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Taken {
    /// Say so at once.
    #[default]
    Refuse,
    /// Wait, however long, until it is let go of; the system says when, in that moment.
    Wait,
}

impl Config {
    /// The defaults, for a folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), cache_bytes: CACHE_BYTES, taken: Taken::Refuse }
    }
}

/// Data that could not be read and was moved out of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Where it is now.
    pub folder: PathBuf,
    /// Why it could not be read.
    pub reason: String,
}

impl fmt::Display for SetAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the database could not be read ({}); it was moved to {} and an EMPTY one was begun; \
             to restore a copy, stop this process and put the copy in its place",
            self.reason,
            self.folder.display()
        )
    }
}

/// A folder that was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) db: sled::Db,
    pub(super) id: String,
    pub(super) files: Files,
    pub(super) set_aside: Option<SetAside>,
}

/// The files that must reach the disk, and the lock on the folder.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    data: File,
    blobs: PathBuf,
    synced: BTreeSet<OsString>,
    _lock: File,
}

impl Files {
    fn open(folder: &Path, store: &Path, lock: File) -> Result<Self, OpenError> {
        let path = store.join("db");
        let data = File::open(&path).map_err(OpenError::io("open", &path))?;
        let blobs = store.join("blobs");
        let mut files = Self {
            folder: folder.to_path_buf(),
            data,
            blobs,
            synced: BTreeSet::new(),
            _lock: lock,
        };
        // The names of new files are safe once their folders are.
        files.sync().map_err(OpenError::io("sync", store))?;
        for path in [store, folder] {
            sync_folder(path).map_err(OpenError::io("sync", path))?;
        }
        Ok(files)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Syncs to disk whatever the engine has written.
    ///
    /// The engine puts a page of more than 128 KiB into a file of its own, which it
    /// never syncs. Rows are cut so that pages stay below, but a few hundred keys of
    /// the greatest length would do it; so new files there are looked for each time.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        let mut present = BTreeSet::new();
        for entry in fs::read_dir(&self.blobs)? {
            present.insert(entry?.file_name());
        }
        if present != self.synced {
            for name in present.difference(&self.synced) {
                match File::open(self.blobs.join(name)) {
                    Ok(file) => file.sync_data()?,
                    // The engine has replaced the page meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            sync_folder(&self.blobs)?;
            self.synced = present;
        }
        self.data.sync_data()
    }
}

/// Takes the folder and opens its database.
pub(super) fn open(config: &Config) -> Result<Opened, OpenError> {
    let folder = &config.folder;
    fs::create_dir_all(folder).map_err(OpenError::io("make the folder", folder))?;
    let lock = lock(folder, config.taken)?;
    check_format(folder)?;
    let id = read_id(folder)?;
    let store = folder.join("store");
    let (db, set_aside) = match open_engine(config, &store) {
        Ok(db) => (db, None),
        Err(Failure::Stopped(reason)) => return Err(engine_error(folder, reason)),
        Err(Failure::Broken(reason)) => {
            let set_aside = set_aside(&store, reason)?;
            let db = open_engine(config, &store)
                .map_err(|failure| engine_error(folder, failure.into_reason()))?;
            (db, Some(set_aside))
        }
    };
    let files = Files::open(folder, &store, lock)?;
    Ok(Opened { db, id, files, set_aside })
}

fn lock(folder: &Path, taken: Taken) -> Result<File, OpenError> {
    loop {
        let file = try_lock(folder, taken)?;
        let path = folder.join("LOCK");
        // Who has waited may hold the lock of a folder that was removed meanwhile, while the
        // one in its place is somebody else's.
        match (file.metadata(), path.metadata()) {
            (Ok(held), Ok(there)) if (held.dev(), held.ino()) == (there.dev(), there.ino()) => {
                return Ok(file);
            }
            (Err(error), _) => return Err(OpenError::io("look at", path)(error)),
            (Ok(_), Err(error)) if error.kind() != io::ErrorKind::NotFound => {
                return Err(OpenError::io("look at", path)(error));
            }
            (Ok(_), _) => {
                fs::create_dir_all(folder).map_err(OpenError::io("make the folder", folder))?;
            }
        }
    }
}

fn try_lock(folder: &Path, taken: Taken) -> Result<File, OpenError> {
    let path = folder.join("LOCK");
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(OpenError::io("open", &path))?;
    let tried = match taken {
        Taken::Refuse => file.try_lock(),
        Taken::Wait => file.lock().map_err(TryLockError::Error),
    };
    match tried {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(OpenError::Locked { folder: folder.to_path_buf(), pid });
        }
        Err(TryLockError::Error(error)) => return Err(OpenError::io("lock", path)(error)),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(OpenError::io("write", &path))?;
    Ok(file)
}

/// Reads the record of the format, or writes it, before anything else is written.
fn check_format(folder: &Path) -> Result<(), OpenError> {
    let path = folder.join("FORMAT");
    let text = match fs::read(&path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return write_format(folder, &path).map_err(OpenError::io("write", path));
        }
        Err(error) => return Err(OpenError::io("read", path)(error)),
    };
    let number = text.trim().strip_prefix(FORMAT_WORDS).and_then(|number| number.parse().ok());
    match number {
        Some(found) if found > FORMAT => {
            Err(OpenError::Newer { folder: folder.to_path_buf(), found, known: FORMAT })
        }
        Some(_) => Ok(()),
        None => {
            let found = text.chars().take(40).collect();
            Err(OpenError::Format { file: path, found })
        }
    }
}

fn write_format(folder: &Path, path: &Path) -> io::Result<()> {
    write_line(folder, path, &format!("{FORMAT_WORDS}{FORMAT}"))
}

/// Reads the folder's own id, or gives it one, which it keeps for ever.
fn read_id(folder: &Path) -> Result<String, OpenError> {
    let path = folder.join("ID");
    match fs::read(&path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let id = text.trim();
            if id.is_empty() || id.len() > ID_BYTES_MAX {
                let found = text.chars().take(40).collect();
                return Err(OpenError::Id { file: path, found });
            }
            Ok(id.to_owned())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let random = Entropy::from_os().map_err(|error| io::Error::other(error.to_string()));
            let id = random.and_then(|random| {
                let id = random.uuid();
                write_line(folder, &path, &id)?;
                Ok(id)
            });
            id.map_err(OpenError::io("write", path))
        }
        Err(error) => Err(OpenError::io("read", path)(error)),
    }
}

fn write_line(folder: &Path, path: &Path, line: &str) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut file = File::create(&draft)?;
    writeln!(file, "{line}")?;
    file.sync_all()?;
    fs::rename(draft, path)?;
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Why the engine did not start.
enum Failure {
    /// Its files cannot be read.
    Broken(String),
    /// Something else is wrong, such as a full disk; the files may be sound.
    Stopped(String),
}

impl Failure {
    fn into_reason(self) -> String {
        match self {
            Self::Broken(reason) | Self::Stopped(reason) => reason,
        }
    }
}

fn open_engine(config: &Config, store: &Path) -> Result<sled::Db, Failure> {
    let engine = sled::Config::new()
        .path(store)
        .cache_capacity(config.cache_bytes)
        // Its own flusher would only sync what the committer has synced already.
        .flush_every_ms(None);
    await_earlier(store);
    // The engine panics over some damages that it does not expect.
    match catch_unwind(AssertUnwindSafe(|| engine.open())) {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(error)) => Err(classify(&error)),
        Err(panic) => Err(Failure::Broken(panic_text(panic.as_ref()))),
    }
}

/// Waits for the engine's own lock, which it would not wait for. The folder's is held here, so
/// whoever has it is a database that is just being dropped: the engine's threads end a moment
/// after it does.
fn await_earlier(store: &Path) {
    // Without a file there is no lock; whatever else is wrong with it, the engine will say.
    if let Ok(file) = File::open(store.join("db")) {
        let _ = file.lock().and_then(|()| file.unlock());
    }
}

fn classify(error: &sled::Error) -> Failure {
    let reason = error.to_string();
    match error {
        sled::Error::Corruption { .. }
        | sled::Error::CollectionNotFound(_)
        | sled::Error::ReportableBug(_) => Failure::Broken(reason),
        sled::Error::Io(error)
            if matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData
            ) =>
        {
            Failure::Broken(reason)
        }
        sled::Error::Io(_) | sled::Error::Unsupported(_) => Failure::Stopped(reason),
    }
}

fn set_aside(store: &Path, reason: String) -> Result<SetAside, OpenError> {
    let mut number = 1_u32;
    let folder = loop {
        let candidate = store.with_extension(format!("broken-{number}"));
        match candidate.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => break candidate,
            _ => number += 1,
        }
    };
    fs::rename(store, &folder).map_err(OpenError::io("set aside", store))?;
    Ok(SetAside { folder, reason })
}

fn engine_error(folder: &Path, reason: String) -> OpenError {
    OpenError::Engine { folder: folder.to_path_buf(), reason }
}
