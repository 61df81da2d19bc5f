//! The database in a data folder: who may open it, what is done about a broken one,
//! and the ledger beside the rows.
//!
//! That it is durable is proved by `kill.rs` and `syscalls.rs`; what stores keep in
//! it by `conformance.rs`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use odeon_base::clock::ManualClock;
use odeon_base::{Entropy, Kind};
use odeon_blocks::OpenError;
use odeon_blocks::embedded::{Config, EmbeddedDb, Taken};
use odeon_blocks::state::{Context, Opened, open};
use odeon_runtime::store::{Condition, Error, Expiry, Key, Op, Transaction};

async fn open_db(folder: &Path) -> Result<EmbeddedDb, OpenError> {
    EmbeddedDb::open_async(Config::new(folder)).await
}

async fn open_store(data: &Path, name: &str, given: &[(&str, &str)]) -> Result<Opened, OpenError> {
    let given: Vec<_> = given.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect();
    let context = Context {
        name: name.to_owned(),
        data: data.to_path_buf(),
        clock: Arc::new(ManualClock::at(Duration::from_secs(1))),
        entropy: Arc::new(Entropy::seeded(1)),
        taken: Taken::Refuse,
    };
    open("state.sled", "v1", &given, context).await
}

#[tokio::test]
async fn what_the_ledger_holds_survives_and_is_listed_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let db = open_db(folder.path()).await.unwrap();
    assert_eq!(db.read("placement", b"term").await.unwrap(), None);
    db.put("placement", b"term", b"7").await.unwrap();
    db.put("placement", b"", b"empty key").await.unwrap();
    db.put("placemen", b"tterm", b"another tree").await.unwrap();
    let roster: [(&[u8], Option<&[u8]>); 3] =
        [(b"roster/b", Some(b"2")), (b"roster/a", Some(b"1")), (b"term", None)];
    db.write("placement", &roster).await.unwrap();
    db.close().await.unwrap();
    let refused = db.put("placement", b"term", b"8").await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
    assert!(db.read("placement", b"term").await.is_err());

    let db = open_db(folder.path()).await.unwrap();
    assert_eq!(db.read("placement", b"term").await.unwrap(), None);
    let listed = db.list("placement").await.unwrap();
    let listed: Vec<(&[u8], &[u8])> = listed.iter().map(|(k, v)| (&k[..], &v[..])).collect();
    let expected: [(&[u8], &[u8]); 3] =
        [(b"", b"empty key"), (b"roster/a", b"1"), (b"roster/b", b"2")];
    assert_eq!(listed, expected);
    let refused = db.put("placement", &[0; 2_000], b"").await;
    assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    let refused = db.put("placement", b"k", &[0; 100_000]).await;
    assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_folder_in_use_is_refused_with_the_holders_number() {
    let folder = tempfile::tempdir().unwrap();
    let first = open_db(folder.path()).await.unwrap();
    let error = open_db(folder.path()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    let expected = format!(
        "the data folder {} is in use by process {}; \
         stop that process, or give this one a folder of its own",
        folder.path().display(),
        std::process::id()
    );
    assert_eq!(error.to_string(), expected);
    first.close().await.unwrap();
    open_db(folder.path()).await.unwrap().close().await.unwrap();
}

#[tokio::test]
async fn a_folder_is_free_once_its_last_handle_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..20_u32 {
        let db = tokio::time::timeout(Duration::from_secs(10), async {
            // Dropped and not closed: the committer lets go a moment later.
            loop {
                match open_db(folder.path()).await {
                    Err(OpenError::Locked { .. }) => tokio::task::yield_now().await,
                    other => return other.unwrap(),
                }
            }
        });
        let db = db.await.unwrap();
        let before = db.read("t", b"k").await.unwrap().map(|v| v.to_vec());
        assert_eq!(before, round.checked_sub(1).map(|n| n.to_be_bytes().to_vec()));
        db.put("t", b"k", &round.to_be_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn a_newer_or_strange_format_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    open_db(folder.path()).await.unwrap().close().await.unwrap();
    let record = folder.path().join("FORMAT");
    assert_eq!(fs::read_to_string(&record).unwrap(), "odeon data format 1\n");
    fs::write(&record, "odeon data format 2\n").unwrap();
    let error = open_db(folder.path()).await.unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 2, known: 1, .. }), "{error:?}");
    assert!(error.to_string().contains("start the release that wrote it"), "{error}");
    fs::write(&record, "my notes").unwrap();
    let error = open_db(folder.path()).await.unwrap_err();
    assert!(matches!(error, OpenError::Format { .. }), "{error:?}");
    assert!(error.to_string().contains("my notes"), "{error}");
    fs::write(&record, "odeon data format 1\n").unwrap();
    open_db(folder.path()).await.unwrap();
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_an_error_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = open_db(&file.join("data")).await.unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
    assert!(error.to_string().contains("file/data"), "{error}");
}

/// Each way of spoiling the files either leaves a database that opens, or has it set
/// aside; never a panic, and never an error for ever.
#[tokio::test]
async fn a_broken_database_is_set_aside_and_a_new_one_begun() {
    let mut set_aside = 0;
    let spoil: [fn(&Path); 6] = [
        |store| fs::write(store.join("db"), vec![0x5a; 3_000_000]).unwrap(),
        |store| {
            let mut bytes = fs::read(store.join("db")).unwrap();
            bytes.iter_mut().skip(100).step_by(977).for_each(|byte| *byte ^= 0xff);
            fs::write(store.join("db"), bytes).unwrap();
        },
        |store| {
            let bytes = fs::read(store.join("db")).unwrap();
            fs::write(store.join("db"), &bytes[bytes.len() / 2..]).unwrap();
        },
        |store| fs::write(store.join("conf"), "segment_size: 1\nnonsense and more of it").unwrap(),
        |store| fs::write(store.join("db"), "").unwrap(),
        |store| {
            for entry in fs::read_dir(store).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    fs::write(path, "not what it was").unwrap();
                }
            }
        },
    ];
    for (index, spoil) in spoil.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let db = open_db(folder.path()).await.unwrap();
        for i in 0..200_u32 {
            db.put("t", &i.to_be_bytes(), &[7; 10_000]).await.unwrap();
        }
        db.close().await.unwrap();
        spoil(&folder.path().join("store"));
        for _ in 0..2 {
            let db = match open_db(folder.path()).await {
                Ok(db) => db,
                Err(error) => panic!("way {index}: {error}"),
            };
            if let Some(found) = db.set_aside() {
                set_aside += 1;
                assert_eq!(found.folder.file_name().unwrap(), "store.broken-1");
                assert!(found.folder.is_dir());
                assert!(found.to_string().contains("EMPTY"), "{found}");
                assert_eq!(db.list("t").await.unwrap(), vec![], "way {index}");
            }
            db.put("t", b"after", b"works").await.unwrap();
            db.close().await.unwrap();
        }
    }
    assert!(set_aside >= 2, "some ways must have been noticed, not {set_aside}");
}

#[tokio::test]
async fn components_of_other_names_never_meet_and_paths_are_taken_as_given() {
    let data = tempfile::tempdir().unwrap();
    let key = Key::Plain("k".into());
    let op = Op::Upsert {
        key: key.clone(),
        value: "v".into(),
        condition: Condition::None,
        expiry: Expiry::Never,
    };
    let one = open_store(data.path(), "one", &[]).await.unwrap().store;
    one.transact(Transaction { fence: None, ops: vec![op] }).await.unwrap();
    let two = open_store(data.path(), "two", &[]).await.unwrap().store;
    assert_eq!(two.get(&key).await.unwrap(), None);
    assert!(data.path().join("state/one/LOCK").is_file());
    let locked = open_store(data.path(), "three", &[("path", "state/one")]).await.unwrap_err();
    assert!(matches!(locked, OpenError::Locked { .. }), "{locked:?}");
    one.close().await.unwrap();
    let elsewhere = data.path().join("state").join("one");
    let path = [("Path", elsewhere.to_str().unwrap()), ("cacheCapacity", "1MiB")];
    let three = open_store(data.path(), "three", &path).await.unwrap().store;
    assert_eq!(three.get(&key).await.unwrap().unwrap().value, "v");
    for name in ["../up", "", "a/b", "/etc", ".."] {
        let error = open_store(data.path(), name, &[]).await.unwrap_err();
        assert!(matches!(error, OpenError::Settings(_)), "{name:?}: {error:?}");
    }
    let error = open_store(data.path(), "x", &[("cachecapcity", "1"), ("cleanupInterval", "1d")]);
    let error = error.await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    let text = error.to_string();
    assert!(text.contains("did you mean 'cacheCapacity'") && text.contains("'1d'"), "{text}");
}

/// A full disk is the failure that a test can have: the outcome of the write under
/// way is unknown, and later ones are refused with the reason.
#[test]
fn a_failing_disk_stops_writing_and_says_so() {
    // In a process of its own, since a limit on the size of files holds for all of it.
    let test = std::env::current_exe().unwrap();
    let script = "ulimit -f 4096; trap '' XFSZ; exec \"$0\" --ignored --exact --nocapture child_on_a_full_disk";
    let output = Command::new("sh").arg("-c").arg(script).arg(test).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}

#[tokio::test]
#[ignore = "run by a_failing_disk_stops_writing_and_says_so, on a disk that is soon full"]
async fn child_on_a_full_disk() {
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    if limits.lines().any(|line| line.starts_with("Max file size") && line.contains("unlimited")) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let db = open_db(folder.path()).await.unwrap();
    let mut acknowledged = 0_u32;
    let failure = loop {
        let value: Vec<u8> = (0..60_000_u32).map(|i| (i ^ acknowledged) as u8).collect();
        match db.put("t", &acknowledged.to_be_bytes(), &value).await {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
        assert!(acknowledged < 1_000, "the limit should have been met");
    };
    assert!(matches!(failure, Error::Unknown { .. }), "{failure:?}");
    let later = db.put("t", b"later", b"x").await.unwrap_err();
    assert!(
        matches!(&later, Error::Unavailable { reason } if reason.contains("failed")),
        "{later:?}"
    );
    // What was acknowledged can still be read.
    assert!(db.read("t", &0_u32.to_be_bytes()).await.unwrap().is_some());
    assert!(db.close().await.is_err(), "a failed database does not close in silence");
}

#[tokio::test]
async fn a_folder_keeps_its_id_and_no_two_have_the_same() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let db = open_db(folder.path()).await.unwrap();
    let id = db.id().to_owned();
    assert_ne!(open_db(other.path()).await.unwrap().id(), id);
    db.close().await.unwrap();
    assert_eq!(open_db(folder.path()).await.unwrap().id(), id);
    // One of an earlier release has none yet, and gets it.
    fs::remove_file(other.path().join("ID")).unwrap();
    let again = open_db(other.path()).await.unwrap();
    assert_eq!(fs::read_to_string(other.path().join("ID")).unwrap().trim(), again.id());
    again.close().await.unwrap();
    fs::write(other.path().join("ID"), "\n").unwrap();
    let error = open_db(other.path()).await.unwrap_err().to_string();
    assert!(error.contains("should hold the id of this data folder"), "{error}");
}

#[tokio::test]
async fn who_waits_for_a_folder_has_it_when_it_is_let_go_of() {
    let folder = tempfile::tempdir().unwrap();
    let config = || Config::new(folder.path());
    let first = open_db(folder.path()).await.unwrap();
    first.put("tree", b"k", b"v").await.unwrap();
    let waiting = EmbeddedDb::open_when_free(config());
    let mut waiting = std::pin::pin!(waiting);
    assert!(futures::poll!(waiting.as_mut()).is_pending());
    // One that gives up leaves nothing behind that holds the folder for good.
    assert!(futures::poll!(Box::pin(EmbeddedDb::open_when_free(config()))).is_pending());
    first.close().await.unwrap();
    let second = waiting.await.unwrap();
    assert_eq!(second.read("tree", b"k").await.unwrap().as_deref(), Some(&b"v"[..]));
    assert_eq!(second.id(), first.id());
}

#[tokio::test]
async fn who_waits_for_a_folder_that_is_replaced_waits_for_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let first = open_db(&path).await.unwrap();
    let mut waiting = std::pin::pin!(EmbeddedDb::open_when_free(Config::new(&path)));
    assert!(futures::poll!(waiting.as_mut()).is_pending());
    // Let it come to the lock before the folder goes.
    until_blocked_on(&path.join("LOCK")).await;
    fs::rename(&path, folder.path().join("gone")).unwrap();
    let second = open_db(&path).await.unwrap();
    first.close().await.unwrap();
    assert!(futures::poll!(waiting.as_mut()).is_pending());
    let id = second.id().to_owned();
    second.close().await.unwrap();
    assert_eq!(waiting.await.unwrap().id(), id);
}

// The engine's threads end a moment after the database, and its lock with them.
#[tokio::test]
async fn an_earlier_database_that_is_still_being_dropped_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let first = open_db(folder.path()).await.unwrap();
    first.put("tree", b"k", b"v").await.unwrap();
    first.close().await.unwrap();
    let path = folder.path().join("store").join("db");
    let held = fs::File::open(&path).unwrap();
    held.lock().unwrap();
    let mut opening = std::pin::pin!(open_db(folder.path()));
    assert!(futures::poll!(opening.as_mut()).is_pending());
    until_blocked_on(&path).await;
    held.unlock().unwrap();
    let second = opening.await.unwrap();
    assert_eq!(second.read("tree", b"k").await.unwrap().as_deref(), Some(&b"v"[..]));
}

/// Waits until the system lists somebody who waits for this lock.
async fn until_blocked_on(lock: &Path) {
    use std::os::unix::fs::MetadataExt;
    let inode = format!(":{} ", fs::metadata(lock).unwrap().ino());
    let is_waiting = || {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        locks.lines().any(|line| line.contains("->") && line.contains(&inode))
    };
    let waiting = async {
        while !is_waiting() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap();
}
