//! `--fresh`: removes the data folders of a plan, if nobody uses them.
//!
//! The folder's own lock is taken before anything goes, so that a running host
//! never loses its data under its feet. Only what the embedded store made is a
//! data folder: one without its mark is left alone.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// Taken by whoever uses a data folder. Invariant: the name is that of `odeon-blocks`.
const LOCK: &str = "LOCK";
/// Says that a folder is a data folder. Invariant: as above.
const MARK: &str = "FORMAT";

/// Removes a data folder; a folder that does not exist is fresh already.
///
/// # Errors
/// One line that names the folder and says what to do.
pub(super) fn remove(folder: &Path) -> Result<(), String> {
    let shown = folder.display();
    match folder.read_dir().map(|mut entries| entries.next().is_none()) {
        Ok(false) => {}
        Ok(true) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("the data folder {shown} cannot be read: {error}")),
    }
    if !folder.join(MARK).is_file() {
        return Err(format!(
            "the folder {shown} is not a data folder of odeon (it has no file {MARK}); \
             it was left alone: remove it by hand if that is meant"
        ));
    }
    let lock = File::options().write(true).open(folder.join(LOCK));
    if let Ok(lock) = &lock {
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(format!(
                    "the data folder {shown} is in use by another process; stop that one first"
                ));
            }
            Err(TryLockError::Error(error)) => {
                return Err(format!("the data folder {shown} cannot be locked: {error}"));
            }
        }
    }
    std::fs::remove_dir_all(folder)
        .map_err(|error| format!("the data folder {shown} cannot be removed: {error}"))
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
}
