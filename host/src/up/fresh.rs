//! `--fresh`: removes the data folders of a plan, if nobody uses them.
//!
//! A host's folder may be a data folder itself (one with placement inside), and has one
//! below it for each of its stores; hosts that share stores have only those. The locks of
//! all of them are taken before anything goes, so that a running host never loses its data
//! under its feet. Only what the embedded store made is a data folder: one without its mark
//! is left alone, with all that is around it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// Taken by whoever uses a data folder. Invariant: the name is that of `odeon-blocks`.
const LOCK: &str = "LOCK";
/// Says that a folder is a data folder. Invariant: as above.
const MARK: &str = "FORMAT";
/// The mark before it has its name. Invariant: as above.
const DRAFT: &str = "FORMAT.new";
/// Where stores have their folders, in a host's. Invariant: as above.
const STORES: &str = "state";

/// Removes a data folder, or one of data folders; what does not exist is fresh already.
///
/// # Errors
/// One line that names the folder and says what to do.
pub(super) fn remove(folder: &Path) -> Result<(), String> {
    let mut held = Vec::new();
    hold(folder, &mut held)?;
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(format!("the data folder {} cannot be removed: {error}", folder.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Takes the locks of this folder and of all data folders below it; refuses what is none.
fn hold(folder: &Path, held: &mut Vec<File>) -> Result<(), String> {
    let unread = |error| format!("the data folder {} cannot be read: {error}", folder.display());
    let entries = match folder.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unread(error)),
    };
    let is_ours = folder.join(MARK).is_file();
    for entry in entries {
        let entry = entry.map_err(unread)?;
        let (path, name) = (entry.path(), entry.file_name());
        let is_folder = entry.file_type().map_err(unread)?.is_dir();
        match is_folder {
            false if name == LOCK => held.push(lock(folder)?),
            false if is_ours || name == DRAFT => {}
            // What is beside the stores' folder in one of ours is the engine's.
            true if is_ours && name != STORES => {}
            true => hold(&path, held)?,
            false => {
                return Err(format!(
                    "the folder {} is not a data folder of odeon (it has no file {MARK}); it was \
                     left alone: remove it by hand if that is meant",
                    folder.display()
                ));
            }
        }
    }
    Ok(())
}

/// The lock of a data folder; the system gives it back when it is dropped.
fn lock(folder: &Path) -> Result<File, String> {
    let shown = folder.display();
    let unlocked = |error| format!("the data folder {shown} cannot be locked: {error}");
    let lock = File::options().write(true).open(folder.join(LOCK)).map_err(unlocked)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(format!(
            "the data folder {shown} is in use by another process; stop that one first"
        )),
        Err(TryLockError::Error(error)) => Err(unlocked(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_data_folder_that_nobody_uses_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("data");
        remove(&folder).unwrap();

        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("thesis.txt"), "years of work").unwrap();
        assert!(remove(&folder).unwrap_err().contains("left alone"));

        std::fs::write(folder.join(MARK), "odeon data format 1").unwrap();
        let held = File::create(folder.join(LOCK)).unwrap();
        held.lock().unwrap();
        assert!(remove(&folder).unwrap_err().contains("in use"));
        assert!(folder.exists());

        drop(held);
        remove(&folder).unwrap();
        assert!(!folder.exists());
    }
    #[test]
    fn a_folder_of_data_folders_goes_with_them_and_stays_with_anything_else() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("shared");
        let [store, other] = ["orders", "goods"].map(|name| folder.join("state").join(name));
        for made in [&store, &other] {
            std::fs::create_dir_all(made).unwrap();
            std::fs::write(made.join(LOCK), "").unwrap();
        }
        std::fs::write(store.join(MARK), "odeon data format 1").unwrap();
        // Its host was killed before it had written more.
        std::fs::write(other.join(DRAFT), "").unwrap();

        let held = File::create(store.join(LOCK)).unwrap();
        held.lock().unwrap();
        // With placement inside it, or without.
        for mark in [false, true] {
            if mark {
                std::fs::write(folder.join(MARK), "odeon data format 1").unwrap();
            }
            assert!(remove(&folder).unwrap_err().contains("orders is in use"));
            assert!(store.join(MARK).exists());
        }
        std::fs::remove_file(folder.join(MARK)).unwrap();
        drop(held);

        let notes = folder.join("state/notes.txt");
        std::fs::write(&notes, "years of work").unwrap();
        assert!(remove(&folder).unwrap_err().contains("left alone"));
        std::fs::remove_file(notes).unwrap();
        remove(&folder).unwrap();
        assert!(!folder.exists());
    }
}
