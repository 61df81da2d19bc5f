//! The memory of the embedded database stays near what its cache may take, though
//! it is written in large transactions.
//!
//! In a process of its own, since what is measured is the process.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use odeon_blocks::embedded::{Config, EmbeddedDb};

const ROWS: u64 = 200_000;
const ROWS_EACH: u64 = 500;
const GROWTH_MAX_KIB: u64 = 120 * 1024;

#[tokio::test]
async fn large_transactions_do_not_fill_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let db = EmbeddedDb::open_async(Config::new(folder.path())).await.unwrap();
    let opened = resident_kib();
    let value = [7; 256];
    for first in (0..ROWS).step_by(usize::try_from(ROWS_EACH).unwrap()) {
        // All over the tree, so that pages come and go.
        let scatter = |row: u64| row.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        let keys: Vec<_> = (first..first + ROWS_EACH).map(scatter).collect();
        let entries: Vec<(&[u8], Option<&[u8]>)> =
            keys.iter().map(|key| (key.as_slice(), Some(value.as_slice()))).collect();
        db.write("t", &entries).await.unwrap();
    }
    let grown = resident_kib().saturating_sub(opened);
    assert!(grown < GROWTH_MAX_KIB, "51 MB of rows made the process grow by {grown} KiB");
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
