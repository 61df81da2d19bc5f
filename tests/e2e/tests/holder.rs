//! Two hosts of one application with one data folder between them: one holds the store,
//! the other reaches it through the holder, and takes it over.

use std::path::Path;
use std::time::Duration;

use futures::future;
use odeon_test_support::{Client, Node, NodeBuilder, Placement, Process, binaries, tempdir, until};
use serde_json::json;
use tokio::time::Instant;

use crate::shop::{call, call_until, worker};

/// Long enough that a busy machine renews in time.
const LEASE: Duration = Duration::from_secs(3);
const COUNTERS: usize = 24;
/// What becomes of a holder has shown within this time, on any machine.
const LONG: Duration = Duration::from_secs(30);

async fn placement(data: &Path) -> Placement {
    let lease = format!("{}s", LEASE.as_secs());
    let placement = Placement::builder(data.join("placement"));
    placement.words(&["--new-cluster", "--lease", &lease]).start().await
}

/// A host of the one application, whose data folder all its hosts share.
fn host(data: &Path, placement: &Placement) -> NodeBuilder {
    Node::builder(data.join("shared"))
        .joining(&placement.address(), "shop")
        .store(&data.join("resources"), "state.sled")
}

/// A host with a worker beside it.
struct Pair {
    host: Node,
    _worker: Process,
}

impl Pair {
    async fn start(host: NodeBuilder) -> Self {
        let host = host.start().await;
        let worker = worker(host.grpc);
        Self { host, _worker: worker }
    }

    fn client(&self) -> Client {
        self.host.client()
    }
}

fn ids() -> impl Iterator<Item = String> {
    (0..COUNTERS).map(|number| format!("c{number}"))
}

/// Waits until each host runs some of the counters.
async fn until_shared(hosts: [&Pair; 2]) {
    until("both hosts have their share", || async {
        for id in ids() {
            call(&hosts[0].client(), &id, "value", "").await?;
        }
        let mut shares = 0;
        for host in hosts {
            let metadata = host.client().get("/v1.0/metadata").await.ok()?.json();
            let types = metadata["actorRuntime"]["activeActors"].as_array()?.clone();
            let is_some = |of: &serde_json::Value| {
                of["type"] == json!("Counter") && of["count"].as_u64().unwrap_or_default() > 0
            };
            shares += usize::from(types.iter().any(is_some));
        }
        (shares == 2).then_some(())
    })
    .await;
}

/// Two hosts with their share each; the first holds the store.
async fn two(data: &Path) -> (Placement, Pair, Pair) {
    let placement = placement(data).await;
    let first = Pair::start(host(data, &placement)).await;
    let mut second = Pair::start(host(data, &placement)).await;
    second.host.process.line("is open in another process").await;
    until_shared([&first, &second]).await;
    (placement, first, second)
}

/// Adds one to a counter until told otherwise; how often that was tried and acknowledged.
async fn write(client: Client, id: String, is_over: &std::cell::Cell<bool>) -> (i64, i64) {
    let (mut tried, mut acknowledged) = (0, 0);
    while !is_over.get() {
        tried += 1;
        acknowledged += i64::from(call(&client, &id, "add", "1").await.is_some());
    }
    (tried, acknowledged)
}

async fn check(client: &Client, written: &[(i64, i64)]) {
    for (id, (tried, acknowledged)) in ids().zip(written) {
        let found = call_until(client, &id, "value", "").await;
        assert!(
            (*acknowledged..=*tried).contains(&found),
            "{id}: {acknowledged} acknowledged of {tried}, found {found}"
        );
    }
}

async fn metadata_of_store(client: &Client) -> serde_json::Value {
    let metadata = client.get("/v1.0/metadata").await.expect("an answer").json();
    metadata["components"][0].clone()
}

// O2, O6.
#[tokio::test]
async fn the_other_host_takes_over_when_the_holder_is_killed() {
    let data = tempdir().unwrap();
    let (placement, first, second) = two(data.path()).await;
    // Every host answers for the store, and lists it.
    let of_store = "/v1.0/actors/sys.state/store/method";
    let client = second.client();
    let answer = client.put(&format!("{of_store}/set"), r#"[{"key":"k","value":7}]"#).await;
    assert_eq!(answer.unwrap().status, 200);
    let answer = first.client().put(&format!("{of_store}/get"), r#"{"key":"k"}"#).await.unwrap();
    assert_eq!(answer.text(), "7");
    assert_eq!(
        metadata_of_store(&client).await["capabilities"],
        metadata_of_store(&first.client()).await["capabilities"]
    );
    // What may write behind fences is no method for callers from outside.
    let answer = client.put(&format!("{of_store}/%23store"), "").await.unwrap();
    assert_eq!(answer.status, 400, "{}", answer.text());

    let is_over = std::cell::Cell::new(false);
    let writers = ids().map(|id| write(client.clone(), id, &is_over));
    let killing = async {
        until("some writes", || async {
            call(&client, "c0", "value", "").await.filter(|count| *count >= 5)
        })
        .await;
        first.host.process.kill();
        let killed = Instant::now();
        for id in ids() {
            call_until(&client, &id, "value", "").await;
        }
        let back = killed.elapsed();
        is_over.set(true);
        back
    };
    let (written, back) = future::join(future::join_all(writers), killing).await;
    // The bound is 1.1 leases and half a second; the rest is for a machine with much to do.
    assert!(back < LEASE.mul_f64(1.1) + Duration::from_millis(500) + LEASE, "{back:?}");
    check(&client, &written).await;

    // Started again it is the one that waits.
    let again = host(data.path(), &placement).http_port(first.host.http);
    let mut again = Pair::start(again.grpc_port(first.host.grpc)).await;
    again.host.process.line("is open in another process").await;
    check(&again.client(), &written).await;
}

// O5.
#[tokio::test]
async fn a_rolling_restart_of_both_hosts_fails_no_call() {
    let data = tempdir().unwrap();
    let (placement, first, second) = two(data.path()).await;
    let mut hosts = [first, second];
    for leaving in [0, 1, 0] {
        // Who calls enters through the host that stays.
        let client = hosts[1 - leaving].client();
        let is_over = std::cell::Cell::new(false);
        let before = future::join_all(ids().map(|id| {
            let client = client.clone();
            async move { call_until(&client, &id, "value", "").await }
        }))
        .await;
        let writers = ids().map(|id| write(client.clone(), id, &is_over));
        let (http, grpc) = (hosts[leaving].host.http, hosts[leaving].host.grpc);
        let restarting = async {
            hosts[leaving].host.process.terminate();
            assert_eq!(hosts[leaving].host.process.code().await, 0);
            let again = host(data.path(), &placement).http_port(http).grpc_port(grpc);
            let again = Pair::start(again).await;
            is_over.set(true);
            again
        };
        let (written, again) = future::join(future::join_all(writers), restarting).await;
        hosts[leaving] = again;
        for (id, (tried, acknowledged)) in ids().zip(&written) {
            assert_eq!(tried, acknowledged, "{id}: every call was answered");
        }
        let sums: Vec<_> = before
            .iter()
            .zip(written)
            .map(|(before, (tried, _))| (before + tried, before + tried))
            .collect();
        check(&client, &sums).await;
        until_shared([&hosts[0], &hosts[1]]).await;
    }
}

// O3.
#[tokio::test]
async fn a_holder_that_stood_still_goes_on() {
    let data = tempdir().unwrap();
    let (_placement, first, second) = two(data.path()).await;
    let client = second.client();
    let before = future::join_all(ids().map(|id| {
        let client = client.clone();
        async move { call(&client, &id, "add", "1").await.expect("both are well") }
    }))
    .await;
    first.host.process.pause();
    // Nobody else can open the store, so what needs it waits, or fails in the end.
    let waiting = tokio::time::timeout(LEASE * 2, call(&client, "c0", "add", "1")).await;
    assert!(!matches!(waiting, Ok(Some(_))), "{waiting:?}");
    first.host.process.resume();
    let served = async {
        for (id, count) in ids().zip(&before) {
            let found = call_until(&client, &id, "value", "").await;
            assert!((*count..=count + 1).contains(&found), "{id}: {count}, found {found}");
        }
    };
    tokio::time::timeout(LONG, served).await.expect("it serves again");
}

/// The name of the host that owns an actor.
async fn owner(client: &Client, actor_type: &str, id: &str) -> String {
    let path = format!("/odeon/v1/actors/{actor_type}/{id}/explain");
    let told = client.get(&path).await.expect("an answer");
    assert_eq!(told.status, 200, "{}", told.text());
    told.json()["owner"].as_str().expect("an owner").to_owned()
}

// PL-5.
#[tokio::test]
async fn an_actor_moves_with_its_state_while_calls_go_on() {
    let data = tempdir().unwrap();
    let (_placement, first, second) = two(data.path()).await;
    let (one, two) = (first.client(), second.client());
    let home = owner(&one, "Counter", "c0").await;
    let hosts = one.get("/odeon/v1/hosts").await.unwrap().json();
    let names = hosts["hosts"].as_array().unwrap().iter().filter_map(|row| row["name"].as_str());
    let away = names.map(str::to_owned).find(|name| *name != home).expect("two hosts");
    let is_over = std::cell::Cell::new(false);
    let writers = [(&one, "c0"), (&two, "c0"), (&one, "c1"), (&two, "c1")];
    let writers = writers.map(|(client, id)| write(client.clone(), id.to_owned(), &is_over));
    let moving = async {
        for _ in 0..3 {
            for (query, expected) in
                [(format!("to={away}"), &away), ("back=true".to_owned(), &home)]
            {
                let path = format!("/odeon/v1/actors/Counter/c0/move?{query}");
                let told = two.post(&path, "").await.unwrap();
                assert_eq!(told.status, 200, "{}", told.text());
                assert_eq!(told.json()["state"], "moved", "{}", told.text());
                assert_eq!(owner(&one, "Counter", "c0").await, *expected);
            }
        }
        // As an operator does it.
        let api = format!("127.0.0.1:{}", first.host.http);
        let words = ["actors", "move", "Counter", "c0", "--to", &away, "--api", &api];
        let mut command = tokio::process::Command::new(binaries::odeon());
        let output = command.args(words).output().await.expect("the program");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            said.contains(&format!("went from {home} to {away}; it stays there")),
            "{output:?}"
        );
        is_over.set(true);
    };
    let (written, ()) = future::join(future::join_all(writers), moving).await;
    assert!(written.iter().all(|(tried, done)| tried == done && *done > 0), "{written:?}");
    for (id, of) in [("c0", &written[..2]), ("c1", &written[2..])] {
        let sum: i64 = of.iter().map(|(_, done)| done).sum();
        assert_eq!(call(&one, id, "value", "").await, Some(sum), "{id}");
    }
    // What holds a store is where its lock is, and says so.
    let path = format!("/odeon/v1/actors/sys.state/store/move?to={away}");
    let refused = one.post(&path, "").await.unwrap();
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.text().contains("cannot be moved"), "{}", refused.text());
    let told = two.get("/odeon/v1/actors/sys.state/store/explain").await.unwrap().json();
    assert_eq!(told["toldBy"], told["owner"], "its holder was asked: {told}");
    assert_eq!(told["activation"]["phase"], "active", "{told}");
}
