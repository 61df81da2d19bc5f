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

// OW-1: what was answered with 202 is made, though the host is killed before it could be.
#[tokio::test]
async fn a_stored_call_is_made_although_the_host_that_took_it_is_killed() {
    let data = tempdir().unwrap();
    let mut before = node(data.path()).start().await;
    let (http, grpc) = (before.http, before.grpc);
    let client = before.client().with_header("odeon-actor-oneway", "durable");
    let path = "/v1.0/actors/Counter/c1/method/add";
    // Nobody hosts the type yet.
    for _ in 0..20 {
        let answer = client.put(path, "1").await.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (202, ""));
    }
    before.process.kill();
    before.process.ended().await;
    let mut during = node(data.path()).http_port(http).grpc_port(grpc).start().await;
    let _worker = worker(grpc);
    for _ in 0..20 {
        assert_eq!(client.put(path, "1").await.unwrap().status, 202);
    }
    // Some of them are under way, or made and not yet removed.
    during.process.kill();
    during.process.ended().await;
    let after = node(data.path()).http_port(http).grpc_port(grpc).start().await;
    until("all are made", || async {
        call(&after.client(), "c1", "value", "").await.filter(|count| *count == 40)
    })
    .await;
    // What comes after them in their order comes after a repeat of any of them, too.
    assert_eq!(client.put(path, "100").await.unwrap().status, 202);
    until("the last is made", || async {
        call(&after.client(), "c1", "value", "").await.filter(|count| *count >= 140)
    })
    .await;
    assert_eq!(call_until(&after.client(), "c1", "value", "").await, 140, "each had one effect");
}
