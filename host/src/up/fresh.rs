//! `--fresh`: removes the data folders of a plan, if nobody uses them.
//!
//! A host's folder may be a data folder itself (one with placement inside), and has one
//! below it for each of its stores; hosts that share stores have only those; and a folder of a
//! plan may lie in another one. The locks of all of them are taken before anything goes, so
//! that a running host never loses its data under its feet. Only what the embedded store made
//! is a data folder: one without its mark is left alone, with all that is around it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use super::plan::BUILDS;

/// Taken by whoever uses a data folder. Invariant: the name is that of `odeon-blocks`.
const LOCK: &str = "LOCK";
/// Says that a folder is a data folder. Invariant: as above.
const MARK: &str = "FORMAT";
/// The mark before it has its name. Invariant: as above.
const DRAFT: &str = "FORMAT.new";
/// The engine's folder in a data folder; others of it have more behind a dot. Invariant: as above.
const ENGINE: &str = "store";

/// Removes data folders, or folders of data folders; what does not exist is fresh already.
/// One that lies in another comes after it.
///
/// # Errors
/// One line that names the folder and says what to do; nothing was removed if one of them is
/// in use, or is none of ours.
pub(super) fn remove(folders: &[&Path]) -> Result<(), String> {
    let (mut outermost, mut held) = (Vec::<&Path>::new(), Vec::new());
    for folder in folders {
        if outermost.iter().any(|outer| folder.starts_with(outer)) {
            continue;
        }
        hold(folder, false, &mut held)?;
        outermost.push(folder);
    }
    for folder in outermost {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(format!(
                    "the data folder {} cannot be removed: {error}",
                    folder.display()
                ));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Takes the locks of this folder and of all data folders below it; refuses what is none,
/// except among what the engine keeps.
fn hold(folder: &Path, is_engines: bool, held: &mut Vec<File>) -> Result<(), String> {
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
            // What was built there can be built again.
            true if path.ends_with(BUILDS) => {}
            true => {
                let is_engine = path.file_stem().is_some_and(|stem| stem == ENGINE);
                hold(&path, is_engines || is_ours && is_engine, held)?;
            }
            false if name == LOCK => held.push(lock(folder)?),
            false if is_engines || is_ours || name == DRAFT => {}
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
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn only_a_data_folder_that_nobody_uses_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("data");
        remove(&[&folder]).unwrap();

        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("thesis.txt"), "years of work").unwrap();
        assert!(remove(&[&folder]).unwrap_err().contains("left alone"));

        std::fs::write(folder.join(MARK), "odeon data format 1").unwrap();
        let held = File::create(folder.join(LOCK)).unwrap();
        held.lock().unwrap();
        assert!(remove(&[&folder]).unwrap_err().contains("in use"));
        assert!(folder.exists());

        drop(held);
        remove(&[&folder]).unwrap();
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
            assert!(remove(&[&folder]).unwrap_err().contains("orders is in use"));
            assert!(store.join(MARK).exists());
        }
        std::fs::remove_file(folder.join(MARK)).unwrap();
        drop(held);

        let notes = folder.join("state/notes.txt");
        std::fs::write(&notes, "years of work").unwrap();
        assert!(remove(&[&folder]).unwrap_err().contains("left alone"));
        std::fs::remove_file(notes).unwrap();
        remove(&[&folder]).unwrap();
        assert!(!folder.exists());
    }

    /// A data folder as a host leaves it.
    fn made(folder: PathBuf) -> PathBuf {
        std::fs::create_dir_all(folder.join("store/blobs")).unwrap();
        for file in [LOCK, MARK, "ID", "store/db", "store/blobs/17"] {
            std::fs::write(folder.join(file), "").unwrap();
        }
        folder
    }

    #[test]
    fn nothing_goes_while_one_of_them_is_used_or_is_somebody_elses() {
        let home = tempfile::tempdir().unwrap();
        let outer = made(home.path().join(".odeon"));
        // As defaults put them, in the data folder of a host.
        let (placement, app) = (made(outer.join(".placement")), made(outer.join("shop")));
        let (first, last) = (made(home.path().join(".first")), made(home.path().join("last")));
        let folders = [&*first, &*outer, &*placement, &*last];
        for used in [&placement, &app, &last] {
            let held = File::create(used.join(LOCK)).unwrap();
            held.lock().unwrap();
            let error = remove(&folders).unwrap_err();
            assert!(error.contains(&format!("{} is in use", used.display())), "{error}");
            assert!([&first, &outer, &placement, &app, &last].iter().all(|one| one.exists()));
        }
        let thesis = outer.join("years/of/work");
        std::fs::create_dir_all(&thesis).unwrap();
        std::fs::write(thesis.join("thesis.txt"), "").unwrap();
        assert!(remove(&folders).unwrap_err().contains("left alone"));
        assert!(thesis.exists() && first.exists());
        std::fs::remove_file(thesis.join("thesis.txt")).unwrap();

        remove(&folders).unwrap();
        assert!(folders.iter().all(|folder| !folder.exists()));
    }

    #[test]
    fn what_was_built_beside_data_does_not_keep_it() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".odeon");
        made(folder.join("state/orders"));
        let built = home.path().join(BUILDS).join("release");
        std::fs::create_dir_all(&built).unwrap();
        std::fs::write(built.join("shop"), "").unwrap();
        remove(&[&folder]).unwrap();
        assert!(!folder.exists());
    }
}
