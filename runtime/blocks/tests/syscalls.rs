//! Proof that what is acknowledged was synced to disk, by the system calls made.
//!
//! `kill -9` cannot tell: what a dead process wrote is safe with the kernel. So a
//! child process (this test again) commits values and prints each acknowledgement
//! under strace, and the trace must show, for each, the value written to the data
//! file, then an fdatasync of that file, then the acknowledgement.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use odeon_base::Entropy;
use odeon_base::clock::SystemClock;
use odeon_blocks::embedded::{Config, EmbeddedDb};
use odeon_blocks::state::sled::SledStore;
use odeon_runtime::store::{ActorScope, Condition, Expiry, Key, Op, StateStore, Transaction};

const COMMITS: usize = 120;
/// Then as many of the ledger's, whose values may be large in one piece.
const LARGE: usize = 40;

/// A system call in the trace.
struct Call {
    /// Everything between the name's parenthesis and the result.
    text: String,
    name: String,
    /// Lines of the trace on which it began and ended.
    began: usize,
    ended: usize,
}

impl Call {
    /// The file of its first argument, `number<path>`.
    fn path(&self) -> &str {
        let file = self.text.split([',', ')']).next().unwrap_or_default().trim_end_matches('>');
        file.split_once('<').map_or("", |(_, path)| path)
    }

    fn is_on(&self, path: &str) -> bool {
        self.path().ends_with(path)
    }

    fn writes(&self) -> bool {
        matches!(&*self.name, "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2")
    }

    fn syncs(&self) -> bool {
        matches!(&*self.name, "fdatasync" | "fsync")
    }

    fn removes(&self) -> bool {
        matches!(&*self.name, "unlink" | "unlinkat")
    }
}

#[test]
fn every_acknowledgement_comes_after_a_sync_of_what_it_promises() {
    let folder = tempfile::tempdir().unwrap();
    let calls = trace(folder.path());
    let on_data = |call: &&Call| call.is_on("/store/db");
    let writes: Vec<_> = calls.iter().filter(on_data).filter(|call| call.writes()).collect();
    let syncs: Vec<_> = calls.iter().filter(on_data).filter(|call| call.syncs()).collect();
    let mut previous = 0;
    for number in 0..COMMITS {
        let ack = acknowledgement(&calls, number);
        let marker = marker(number);
        let value = writes.iter().find(|call| call.text.contains(&marker));
        let value = value.unwrap_or_else(|| panic!("value {number} never went to the data file"));
        // One commit at a time: all that was written since the last one belongs to it.
        let last = writes.iter().filter(|call| call.began < ack).map(|call| call.ended).max();
        let last = last.unwrap();
        assert!(value.ended <= last && last > previous, "value {number}");
        assert!(
            syncs.iter().any(|sync| sync.began > last && sync.ended < ack),
            "no sync between the last write (line {last}) and acknowledgement {number} (line {ack})"
        );
        previous = ack;
    }
    let blobs: Vec<_> = calls.iter().filter(|call| call.path().contains("/store/blobs/")).collect();
    let early = blobs.iter().filter(|call| call.writes() && call.began < previous);
    assert_eq!(early.count(), 0, "values are cut so that the engine makes no files of its own");
    // Where it does, they are synced.
    let mut made = 0;
    for number in COMMITS..COMMITS + LARGE {
        let ack = acknowledgement(&calls, number);
        let is_now = |call: &&Call| call.began > previous && call.ended < ack;
        let now: Vec<_> = blobs.iter().copied().filter(is_now).collect();
        // A page that the engine replaces in the same commit may have its file removed, at a
        // moment of the engine's choice, before anybody could sync it; what is there no more
        // holds nothing.
        let removed: Vec<_> = calls.iter().filter(is_now).filter(|call| call.removes()).collect();
        for write in now.iter().filter(|call| call.writes()) {
            let is_after = |call: &Call| call.path() == write.path() && call.began > write.ended;
            let is_synced = now.iter().any(|call| call.syncs() && is_after(call));
            let is_gone = removed.iter().any(|call| call.text.contains(write.path()));
            let path = write.path();
            assert!(is_synced || is_gone, "no sync of {path} before acknowledgement {number}");
            made += 1;
        }
        previous = ack;
    }
    assert!(made > 0, "the engine made no such file; how does this test still make sense?");
}

/// The line of the trace on which a commit is acknowledged.
fn acknowledgement(calls: &[Call], number: usize) -> usize {
    let said = format!("\"ack {number} ok");
    let ack = calls.iter().find(|call| call.name == "write" && call.text.contains(&said));
    ack.unwrap_or_else(|| panic!("no acknowledgement of {number} in the trace")).began
}

/// Long enough to be no accident, short enough to lie in one piece.
fn marker(number: usize) -> String {
    format!("<value {number} of the trace>")
}

fn trace(folder: &Path) -> Vec<Call> {
    let file = folder.join("trace");
    let output = Command::new("strace")
        .args(["-f", "-y", "-s", "2000000", "-o"])
        .arg(&file)
        .args([
            "-e",
            "trace=write,writev,pwrite64,pwritev,pwritev2,fdatasync,fsync,unlink,unlinkat",
        ])
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "child_that_commits_one_by_one"])
        // One more name of a test that there is not; the child takes it for its folder.
        .arg(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| {
            panic!("cannot start strace ({error}): install the package strace")
        });
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "strace or the child in it failed: {text}");
    parse(&String::from_utf8_lossy(&fs::read(file).unwrap()))
}

/// Lines are `pid name(arguments) = result`; a call during which another thread's
/// is shown stands on two lines.
fn parse(trace: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut unfinished = HashMap::new();
    for (line, text) in trace.lines().enumerate() {
        let (pid, text) = text.split_once(' ').unwrap();
        let text = text.trim_start();
        if let Some(rest) = text.strip_prefix("<... ") {
            let (_, rest) = rest.split_once(" resumed>").unwrap();
            if let Some((name, began, first)) = unfinished.remove(pid) {
                calls.push(Call { text: format!("{first}{rest}"), name, began, ended: line });
            }
        } else if let Some((name, arguments)) = text.split_once('(') {
            let name = name.to_owned();
            match arguments.strip_suffix(" <unfinished ...>") {
                Some(first) => {
                    unfinished.insert(pid, (name, line, first.to_owned()));
                }
                None => {
                    calls.push(Call { text: arguments.to_owned(), name, began: line, ended: line });
                }
            }
        }
    }
    calls
}

#[test]
fn calls_on_two_lines_are_put_together() {
    let calls = parse(
        "7 pwrite64(5</d/store/db>, \"abc\", 3, 0 <unfinished ...>\n\
         8 write(1<pipe:[1]>, \"ack 0 ok\\n\", 9) = 9\n\
         7 <... pwrite64 resumed>) = 3\n\
         7 fdatasync(9</d/store/db>) = 0\n",
    );
    let lines: Vec<_> = calls.iter().map(|call| (&*call.name, call.began, call.ended)).collect();
    assert_eq!(lines, [("write", 1, 1), ("pwrite64", 0, 2), ("fdatasync", 3, 3)]);
    assert!(calls[1].is_on("/store/db") && calls[2].is_on("/store/db") && !calls[0].is_on("db"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is the child of the test in this file"]
async fn child_that_commits_one_by_one() {
    let folder = std::env::args().next_back().unwrap();
    if !folder.starts_with('/') {
        return;
    }
    let db = EmbeddedDb::open_async(Config::new(folder)).await.unwrap();
    let store = SledStore::new(db.clone(), Arc::new(SystemClock), Arc::new(Entropy::seeded(1)));
    for number in 0..COMMITS {
        let scope = ActorScope {
            prefix: "app".into(),
            actor_type: "Cart".into(),
            actor_id: (number % 7).to_string().into(),
        };
        let mut value = marker(number).into_bytes();
        // From one row to a few segments of the engine's log.
        value.resize([100, 5_000, 300_000, 1_500_000][[0, 0, 0, 1, 0, 2, 0, 3][number % 8]], b'.');
        let op = Op::Upsert {
            key: Key::Actor(scope, (number % 11).to_string().into()),
            value: value.into(),
            condition: Condition::None,
            expiry: Expiry::Never,
        };
        store.transact(Transaction { fence: None, ops: vec![op] }).await.unwrap();
        acknowledge(number);
    }
    for number in COMMITS..COMMITS + LARGE {
        let value = vec![u8::try_from(number).unwrap(); 60_000];
        db.put("large", &(number % 8).to_be_bytes(), &value).await.unwrap();
        acknowledge(number);
    }
    store.close().await.unwrap();
}

fn acknowledge(number: usize) {
    std::io::stdout().lock().write_all(format!("ack {number} ok\n").as_bytes()).unwrap();
}
