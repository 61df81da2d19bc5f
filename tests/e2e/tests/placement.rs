//! Placement as a process of its own: hosts join it, it ends, comes back, and refuses.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use odeon_test_support::{Client, Node, Placement, Process, binaries, tempdir, until};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::shop::{call, call_until, worker};

/// Far longer than any test: what goes away meanwhile has not merely lapsed.
const LONG: [&str; 2] = ["--lease", "90s"];

fn placement(data: &Path) -> odeon_test_support::PlacementBuilder {
    // Everything in a test is new, and nobody has a lease of an earlier placement.
    Placement::builder(data.join("placement")).words(&["--new-cluster"])
}

/// A host with a store in memory.
fn host(data: &Path, name: &str, placement: &Placement) -> odeon_test_support::NodeBuilder {
    Node::builder(data.join(name))
        .joining(&placement.address(), name)
        .store(&data.join("resources"), "state.in-memory")
}

async fn state(of: &Client) -> Value {
    of.get("/placement/state").await.map(|answer| answer.json()).unwrap_or_default()
}

/// The apps that offer a counter in a namespace, in order of their hosts' names.
fn counting(state: &Value, namespace: &str) -> Vec<String> {
    let hosts = state["tables"][namespace]["hosts"].as_array().cloned().unwrap_or_default();
    let offers = |host: &Value| {
        host["entities"].as_array().is_some_and(|types| types.contains(&json!("Counter")))
    };
    let mut apps: Vec<String> = hosts
        .iter()
        .filter(|host| offers(host))
        .filter_map(|host| host["id"].as_str().map(str::to_owned))
        .collect();
    apps.sort();
    apps
}

/// The name by which placement knows the host of an app.
fn name_of(state: &Value, namespace: &str, app: &str) -> Value {
    let hosts = state["tables"][namespace]["hosts"].as_array().cloned().unwrap_or_default();
    let found = hosts.into_iter().find(|host| host["id"] == json!(app));
    found.map(|host| host["name"].clone()).unwrap_or_default()
}

async fn until_counting(of: &Placement, namespace: &str, apps: &[&str]) -> Value {
    let client = of.client();
    until(&format!("{apps:?} in {namespace}"), || async {
        let state = state(&client).await;
        (counting(&state, namespace) == apps).then_some(state)
    })
    .await
}

/// Who owns counter `c`, as this host hears it from placement.
async fn owner(of: &Node) -> Option<Value> {
    let answer = of.client().get("/odeon/v1/placement/owner?type=Counter&id=c").await.ok()?;
    (answer.status == 200).then(|| answer.json())
}

#[tokio::test]
async fn hosts_join_by_address_and_namespaces_are_apart() {
    let data = tempdir().unwrap();
    let placement = placement(data.path()).start().await;
    let (one, two, other) = tokio::join!(
        host(data.path(), "one", &placement).start(),
        host(data.path(), "two", &placement).start(),
        host(data.path(), "other", &placement).env("NAMESPACE", "elsewhere").start(),
    );
    let _workers = [&one, &two, &other].map(|host| worker(host.grpc));
    until_counting(&placement, "default", &["one", "two"]).await;
    until_counting(&placement, "elsewhere", &["other"]).await;
    for host in [&one, &two] {
        let metadata = host.client().get("/v1.0/metadata").await.unwrap().json();
        assert_eq!(metadata["actorRuntime"]["placement"], "placement: connected");
    }
    // Both hear the same, and it is one of them; the third knows itself alone.
    let shown = state(&placement.client()).await;
    let said = until("an owner", || owner(&one)).await;
    assert_eq!(owner(&two).await, Some(said.clone()));
    let names = ["one", "two"].map(|app| name_of(&shown, "default", app));
    assert!(names.contains(&said["host"]), "{said} {names:?}");
    let shown = state(&placement.client()).await;
    assert!(shown["tables"]["default"]["version"].as_u64().unwrap() > 0, "{shown}");
    let alone = until("an owner elsewhere", || owner(&other)).await;
    assert_eq!(alone["host"], name_of(&shown, "elsewhere", "other"));
    let metrics = placement.client().get("/metrics").await.unwrap().text();
    for line in [
        "dapr_placement_runtimes_total{host_namespace=\"default\"} 2",
        "dapr_placement_actor_runtimes_total{host_namespace=\"elsewhere\"} 1",
        "dapr_placement_leader_status 1",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[tokio::test]
async fn a_wrong_token_is_refused_in_words_and_the_right_one_is_not() {
    let data = tempdir().unwrap();
    let file = data.path().join("token");
    std::fs::write(&file, "s3cret\n").unwrap();
    let mut placement = placement(data.path())
        .words(&["--cluster-token-file", &file.display().to_string()])
        .start()
        .await;
    let mut hosts = [("none", None), ("wrong", Some("guess"))].map(|(name, token)| {
        let host = host(data.path(), name, &placement);
        token.into_iter().fold(host, |host, token| host.env("ODEON_CLUSTER_TOKEN", token)).spawn()
    });
    for (host, reason) in hosts.iter_mut().zip([
        "placement wants the cluster token in the metadata odeon-cluster-token",
        "the cluster token in the metadata odeon-cluster-token is not that of this placement",
    ]) {
        let line = host.process.line(reason).await;
        assert!(line.contains("cannot reach the placement service"), "{line}");
    }
    let good = host(data.path(), "good", &placement).env("ODEON_CLUSTER_TOKEN", "s3cret");
    let good = good.start().await;
    placement.process.line("refused a host: the cluster token").await;
    let said = [&placement.process, &hosts[1].process, &good.process].map(|p| p.said()).concat();
    assert!(!said.contains("s3cret") && !said.contains("guess"), "{said}");
}

#[tokio::test]
async fn hosts_keep_their_leases_while_placement_is_killed_and_comes_back() {
    let data = tempdir().unwrap();
    let mut first = placement(data.path()).words(&["--lease", "4s"]).start().await;
    let host = host(data.path(), "one", &first).start().await;
    let _worker = worker(host.grpc);
    until_counting(&first, "default", &["one"]).await;
    let client = host.client();
    assert_eq!(call_until(&client, "c", "value", "").await, 0);
    let before = until("an owner", || owner(&host)).await;

    first.process.kill();
    first.process.ended().await;
    assert_eq!(call(&client, "c", "add", "2").await, Some(2), "placement may be away (O8)");
    let second = placement(data.path()).port(first.port).words(&["--lease", "4s"]).start().await;
    until_counting(&second, "default", &["one"]).await;
    assert_eq!(call(&client, "c", "add", "3").await, Some(5), "no call has failed");
    // Its lease is renewed: it outlives what it was granted before.
    let after = until("the new term", || async {
        owner(&host).await.filter(|after| after["epoch"] != before["epoch"])
    })
    .await;
    assert_eq!(after["incarnation"], before["incarnation"], "nothing lapsed");
    let term = |owner: &Value| {
        let epoch = owner["epoch"].as_str().unwrap();
        epoch.split('.').next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(term(&after), term(&before) + 1);
    assert_eq!(call(&client, "c", "add", "1").await, Some(6));
}

#[tokio::test]
async fn a_host_that_is_told_to_stop_says_farewell() {
    let data = tempdir().unwrap();
    let placement = placement(data.path()).words(&LONG).start().await;
    let mut going = host(data.path(), "going", &placement).start().await;
    let staying = host(data.path(), "staying", &placement).start().await;
    let _workers = [&going, &staying].map(|host| worker(host.grpc));
    until_counting(&placement, "default", &["going", "staying"]).await;
    going.process.terminate();
    assert_eq!(going.process.code().await, 0);
    // Without a farewell it would be there for as long as its lease.
    let state = until_counting(&placement, "default", &["staying"]).await;
    assert_eq!(state["tables"]["default"]["hosts"].as_array().unwrap().len(), 1, "{state}");
    let owner = until("an owner", || owner(&staying)).await;
    assert_eq!(owner["host"], name_of(&state, "default", "staying"));
}

/// The hosts that placement knows, by app, as its health port shows them; `None` if it
/// does not answer.
async fn known(of: &Client) -> Option<BTreeMap<String, Value>> {
    let shown = of.get("/odeon/v1/placement/hosts").await.ok()?.json();
    let named = |host: &Value| Some((host["app"].as_str()?.to_owned(), host.clone()));
    Some(shown["hosts"].as_array()?.iter().filter_map(named).collect())
}

async fn until_known(of: &Client, apps: &[&str]) -> BTreeMap<String, Value> {
    until(&format!("hosts of {apps:?}"), || async {
        let known = known(of).await?;
        known.keys().eq(apps.iter()).then_some(known)
    })
    .await
}

#[tokio::test]
async fn a_killed_host_is_out_at_once_and_a_frozen_one_when_its_lease_is_over() {
    let data = tempdir().unwrap();
    let placement = placement(data.path())
        .words(&["--keepalive-time", "1s", "--keepalive-timeout", "1s"])
        .start()
        .await;
    let names = ["a", "b", "c", "frozen"];
    let mut hosts = Vec::new();
    for name in names {
        hosts.push(host(data.path(), name, &placement).start().await);
    }
    let client = placement.client();
    until_known(&client, &names).await;

    let mut times = Vec::new();
    for (gone, host) in hosts[..3].iter().enumerate() {
        let begun = Instant::now();
        host.process.kill();
        let state = until("its end in Dapr's form, too", || async {
            let state = state(&client).await;
            let left = state["tables"]["default"]["hosts"].as_array().map(Vec::len);
            (left == Some(3 - gone)).then_some(state)
        })
        .await;
        times.push(begun.elapsed());
        assert_eq!(name_of(&state, "default", names[gone]), Value::Null);
    }
    // Other tests run beside this one: the quickest shows what it can, all that it is no lease.
    let quickest = times.iter().min().unwrap();
    assert!(*quickest <= Duration::from_millis(300), "{times:?}");
    assert!(times.iter().all(|time| *time < Duration::from_secs(4)), "{times:?}");
    assert!(placement.process.said().contains("it has died"), "{}", placement.process.said());

    let begun = Instant::now();
    hosts[3].process.pause();
    let left = until("the end of its stream", || async {
        let known = known(&client).await?;
        let frozen = known.get("frozen").expect("its port accepts, so its lease goes on");
        (frozen["isConnected"] == false).then(|| frozen["leaseLeftMs"].clone())
    })
    .await;
    assert!(left.as_u64().is_some_and(|left| left > 0), "{left}");
    until_known(&client, &[]).await;
    // 1.1 leases after the last renewal, which was at most a fifth of one before.
    assert!(begun.elapsed() >= Duration::from_millis(4_400), "{:?}", begun.elapsed());
    hosts[3].process.resume();
    until_known(&client, &["frozen"]).await;
}

#[tokio::test]
async fn its_health_port_tells_all_that_it_knows() {
    let data = tempdir().unwrap();
    let placement = placement(data.path()).start().await;
    let one = host(data.path(), "one", &placement).start().await;
    let _worker = worker(one.grpc);
    let (client, path) = (placement.client(), "/odeon/v1/placement");
    until_counting(&placement, "default", &["one"]).await;
    let at = async |rest: &str| client.get(&format!("{path}/{rest}")).await.unwrap();

    let status = at("status").await.json();
    assert_eq!((&status["role"], &status["hosts"]), (&json!("leading"), &json!(1)), "{status}");
    assert_eq!((&status["isRunning"], &status["joining"]), (&json!(true), &json!(0)));
    let known = until_known(&client, &["one"]).await;
    let host = &known["one"];
    assert_eq!((&host["phase"], &host["isConnected"]), (&json!("live"), &json!(true)), "{host}");
    assert_eq!(host["namespace"], "default");
    let left = host["leaseLeftMs"].as_u64().unwrap();
    assert!((1..=5_500).contains(&left), "{host}");
    let counter = json!({"type": "Counter", "placement": "ring"});
    assert!(host["types"].as_array().unwrap().contains(&counter), "{host}");

    let tables = until("the table of counters", || async {
        let tables = at("tables?type=Counter&namespace=default").await.json();
        (tables["tables"][0]["isCommitted"] == true).then(|| tables["tables"].clone())
    })
    .await;
    assert_eq!(tables.as_array().unwrap().len(), 1, "{tables}");
    let table = &tables[0]["chain"][0];
    assert_eq!(table["members"][0]["incarnation"], host["incarnation"], "{tables}");
    assert_eq!((&table["awaited"], &tables[0]["placement"]), (&json!([]), &json!("ring")));
    assert!(!at("tables").await.json()["tables"].as_array().unwrap().is_empty());
    assert_eq!(at("tables?namespace=other").await.json(), json!({"tables": []}));

    let owner = at("owner?type=Counter&id=c").await.json();
    for field in ["host", "address", "incarnation"] {
        assert_eq!(owner[field], host[field], "{owner}");
    }
    assert_eq!(owner["epoch"], table["epoch"]);
    assert_eq!((&owner["isOpen"], &owner["awaited"]), (&json!(true), &json!([])));
    for (rest, status, text) in [
        ("owner?type=Counter", 400, "no readable item 'id'"),
        ("owner?type=Counter&id=", 400, ""),
        ("owner?type=Counter&id=c&namespace=other", 404, "no host offers this type"),
        ("nothing", 404, "there is nothing at /odeon/v1/placement/nothing"),
    ] {
        let answer = at(rest).await;
        assert_eq!(answer.status, status, "{rest}");
        assert!(answer.text().contains(text), "{rest}: {}", answer.text());
    }
}

#[tokio::test]
async fn two_placements_do_not_share_a_folder_and_one_ends_cleanly() {
    let data = tempdir().unwrap();
    let mut first = placement(data.path()).start().await;
    let mut second = placement(data.path()).spawn();
    assert_eq!(second.process.code().await, 1);
    let said = second.process.said();
    let expected = format!("is in use by process {}", first.process.id());
    assert!(said.contains("odeon: --data-dir: ") && said.contains(&expected), "{said}");

    first.process.terminate();
    assert_eq!(first.process.code().await, 0);
    let said = first.process.said();
    assert!(said.contains("Placement service shut down gracefully"), "{said}");
    let mut third = placement(data.path()).start().await;
    third.process.line("placement takes its term").await;
}

#[tokio::test]
async fn wrong_settings_are_all_named_and_nothing_starts() {
    let data = tempdir().unwrap();
    let mut process = placement(data.path())
        .words(&["--lease", "soon", "--listen-address", "0.0.0.0"])
        .spawn()
        .process;
    assert_eq!(process.code().await, 64);
    let said = process.said();
    assert!(said.contains("--lease: 'soon' is not a time such as 5s or 500ms"), "{said}");
    assert!(said.contains("hosts have to show a cluster token"), "{said}");
    assert!(!data.path().join("placement").exists());
}

#[tokio::test]
async fn under_the_name_of_placement_it_is_daprs() {
    let folder = tempdir().unwrap();
    let link = folder.path().join("placement");
    std::os::unix::fs::symlink(binaries::odeon(), &link).unwrap();
    let mut process = Process::start(
        Command::new(&link)
            .args(["-port", "0", "-healthz-port", "0", "-lease=200ms", "-log-level", "debug"])
            .args([
                "--inmem-store-enabled=true",
                "--initial-cluster",
                "dapr-placement-0=localhost:1",
            ])
            .current_dir(folder.path()),
    );
    for text in [
        "msg=\"Placement service started on port ",
        "msg=\"Node id=dapr-placement-0 has acquired leadership\"",
        "msg=\"placement server leadership acquired\"",
    ] {
        let line = process.line(text).await;
        let has_scope = line.contains(" scope=dapr.placement ") && !line.contains("app_id");
        assert!(line.starts_with("time=\"") && has_scope, "{line}");
    }
    process.interrupt();
    assert_eq!(process.code().await, 0);
    assert!(process.said().contains("Placement service shut down gracefully"));
    let mut wrong = Process::start(Command::new(&link).arg("-prot=1").current_dir(folder.path()));
    assert_eq!(wrong.code().await, 2);
    assert!(wrong.said().contains("'--port'"), "{}", wrong.said());
}
