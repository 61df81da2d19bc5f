//! Proof of durability: `kill -9` at any moment loses nothing that was acknowledged,
//! and leaves nothing half done.
//!
//! A child process (this test again) commits from sixteen writers and prints each
//! acknowledgement; it is killed after a random number of them, the database is
//! opened, and what is there is compared with what was printed. A hundred rounds,
//! ten on each database. What a power cut takes is another matter: `syscalls.rs`.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use odeon_base::clock::ManualClock;
use odeon_base::{Entropy, Epoch, Fence};
use odeon_blocks::embedded::{Config, EmbeddedDb};
use odeon_blocks::state::sled::SledStore;
use odeon_runtime::store::{
    ActorScope, Condition, Error, Expiry, Key, Op, Scan, StateStore, Transaction,
};

const WRITERS: u64 = 16;
const ROUNDS: u64 = 100;
const ROUNDS_EACH: u64 = 10;
const ACKS_MAX: u64 = 300;
/// How many of its commits each writer leaves traces of.
const TRACES: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_loses_nothing_acknowledged_and_leaves_nothing_half() {
    let seed = Entropy::from_os().unwrap().u64();
    let dice = Entropy::seeded(seed);
    let mut folder = tempfile::tempdir().unwrap();
    let mut last = vec![0; usize::try_from(WRITERS).unwrap()];
    let mut total = 0;
    for round in 1..=ROUNDS {
        if round % ROUNDS_EACH == 0 {
            folder = tempfile::tempdir().unwrap();
            last.fill(0);
        }
        let acks = run_and_kill(folder.path(), 1 + dice.u64() % ACKS_MAX);
        total += acks.len();
        for (writer, number) in acks {
            let before = &mut last[usize::try_from(writer).unwrap()];
            assert_eq!(number, *before + 1, "writer {writer} goes on where the disk was");
            *before = number;
        }
        check(folder.path(), &mut last, &format!("seed {seed}, round {round}")).await;
    }
    assert!(total > 1_000, "only {total} commits were tried");
}

/// Acknowledgements (writer, number) that the child printed before it was killed.
fn run_and_kill(folder: &Path, after: u64) -> Vec<(u64, u64)> {
    let mut child = start(folder);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut acks: Vec<_> = Vec::new();
    while acks.len() < usize::try_from(after).unwrap() {
        match lines.next() {
            Some(line) => acks.extend(parse(&line)),
            None => {
                let mut text = String::new();
                child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
                panic!("the child ended by itself: {text}");
            }
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What was still in the pipe was said as well; its last line may be cut.
    acks.extend(lines.filter_map(|line| parse(&line)));
    acks
}

fn start(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "child_that_commits_until_it_is_killed"])
        // One more name of a test that there is not; the child takes it for its folder.
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn parse(line: &str) -> Option<(u64, u64)> {
    let (writer, number) = line.strip_prefix("ack ")?.strip_suffix(" ok")?.split_once(' ')?;
    Some((writer.parse().ok()?, number.parse().ok()?))
}

async fn open(folder: &Path) -> SledStore {
    let db = EmbeddedDb::open_async(Config::new(folder)).await.unwrap();
    assert_eq!(db.set_aside(), None, "a kill breaks no database");
    let clock = Arc::new(ManualClock::at(Duration::from_secs(1)));
    SledStore::new(db, clock, Arc::new(Entropy::from_os().unwrap()))
}

fn scope(writer: u64) -> ActorScope {
    let actor_id = writer.to_string().into();
    ActorScope { prefix: "app".into(), actor_type: "Writer".into(), actor_id }
}

fn key(writer: u64, name: &str) -> Key {
    Key::Actor(scope(writer), name.into())
}

fn fence(term: u64) -> Fence {
    Fence { epoch: Epoch { term, n: 0 }, seq: 0 }
}

/// Of the sizes of values that are kept differently.
fn value(writer: u64, number: u64) -> Bytes {
    let size = match number % 10 {
        0 => 30_000,
        5 => 4_097,
        _ => 200,
    };
    let mut value = format!("{number} of {writer} ").into_bytes();
    value.resize(size, b'a' + u8::try_from(number % 26).unwrap());
    value.into()
}

async fn number(store: &SledStore, writer: u64) -> u64 {
    let count = store.get(&key(writer, "count")).await.unwrap();
    count.map_or(0, |item| std::str::from_utf8(&item.value).unwrap().parse().unwrap())
}

/// What a writer's transactions up to `number` leave behind.
fn expected(writer: u64, number: u64) -> Vec<(String, Bytes)> {
    if number == 0 {
        return Vec::new();
    }
    let first = number.saturating_sub(TRACES - 1).max(1);
    let mut rows = vec![("count".to_owned(), Bytes::from(number.to_string()))];
    rows.extend((first..=number).map(|n| (format!("trace/{n:08}"), value(writer, n))));
    rows
}

async fn check(folder: &Path, last: &mut [u64], context: &str) {
    let store = open(folder).await;
    for (writer, last) in (0..).zip(last) {
        let found = number(&store, writer).await;
        // One more may have reached the disk without its answer reaching us.
        assert!(
            found == *last || found == *last + 1,
            "{context}: writer {writer} was told {last}, there is {found}"
        );
        let scope = scope(writer);
        let scan = Scan { scope: scope.clone(), starts_with: "".into(), after: None, limit: 100 };
        let page = store.scan(scan).await.unwrap();
        let rows = page.items.into_iter().map(|(key, item)| (key.name().to_owned(), item.value));
        assert!(rows.eq(expected(writer, found)), "{context}: writer {writer} at {found} is torn");
        let early = store.claim(scope, fence(0)).await;
        let is_held = matches!(early, Err(Error::Fenced { .. }));
        assert!(found == 0 || is_held, "{context}: writer {writer}: {early:?}");
        *last = found;
    }
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is the child of the test in this file"]
async fn child_that_commits_until_it_is_killed() {
    let folder = std::env::args().next_back().unwrap();
    if !folder.starts_with('/') {
        return;
    }
    let store = open(Path::new(&folder)).await;
    join_all((0..WRITERS).map(|writer| commit_for_ever(&store, writer))).await;
}

async fn commit_for_ever(store: &SledStore, writer: u64) {
    let mut number = number(store, writer).await;
    // Later than any before.
    let mine = fence(number + 1);
    store.claim(scope(writer), mine).await.unwrap();
    let upsert = |name: String, value: Bytes| Op::Upsert {
        key: key(writer, &name),
        value,
        condition: Condition::None,
        expiry: Expiry::Never,
    };
    loop {
        number += 1;
        let mut ops = expected(writer, number);
        ops.drain(1..ops.len() - 1);
        let mut ops: Vec<_> = ops.into_iter().map(|(name, value)| upsert(name, value)).collect();
        if let Some(old) = number.checked_sub(TRACES) {
            let key = key(writer, &format!("trace/{old:08}"));
            ops.push(Op::Delete { key, condition: Condition::None });
        }
        let transaction = Transaction { fence: Some((scope(writer), mine)), ops };
        store.transact(transaction).await.unwrap();
        // One system call, so that a kill leaves whole lines or none.
        let line = format!("ack {writer} {number} ok\n");
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
    }
}
