//! What was acknowledged survives the death of the process.

use std::time::Duration;

use futures::future;
use odeon_test_support::{tempdir, until};
use tokio::time::Instant;

use crate::shop::{call, call_until, node, worker};

const WRITERS: usize = 16;

/// How often the host is killed: as often as fits into the time, within these bounds.
const ROUNDS_MIN: usize = 10;
const ROUNDS_MAX: usize = 100;
const ROUNDS_TIME: Duration = Duration::from_secs(60);

/// Adds one until the host is gone; how often it was tried and acknowledged.
async fn write(client: odeon_test_support::Client, id: String) -> (i64, i64) {
    let (mut tried, mut acknowledged) = (0, 0);
    loop {
        tried += 1;
        match call(&client, &id, "add", "1").await {
            Some(_) => acknowledged += 1,
            None => return (tried, acknowledged),
        }
    }
}

#[tokio::test]
async fn kill_during_writes_loses_nothing_that_was_acknowledged() {
    let data = tempdir().unwrap();
    let mut node_now = node(data.path()).start().await;
    let (http, grpc) = (node_now.http, node_now.grpc);
    let _worker = worker(grpc);
    call_until(&node_now.client(), "c0", "value", "").await;
    let began = Instant::now();
    for round in 0..ROUNDS_MAX {
        if round >= ROUNDS_MIN && began.elapsed() >= ROUNDS_TIME {
            break;
        }
        let ids: Vec<String> = (0..WRITERS).map(|n| format!("r{round}-{n}")).collect();
        let client = node_now.client();
        let writers = ids.iter().map(|id| write(client.clone(), id.clone()));
        let killing = async {
            until("some writes", || async {
                call(&client, &ids[0], "value", "").await.filter(|count| *count >= 20)
            })
            .await;
            node_now.process.kill();
            node_now.process.ended().await;
        };
        let (written, ()) = future::join(future::join_all(writers), killing).await;

        node_now = node(data.path()).http_port(http).grpc_port(grpc).start().await;
        for (id, (tried, acknowledged)) in ids.iter().zip(written) {
            let found = call_until(&node_now.client(), id, "value", "").await;
            assert!(
                (acknowledged..=tried).contains(&found),
                "{id}: {acknowledged} acknowledged of {tried}, found {found}"
            );
        }
    }
}
