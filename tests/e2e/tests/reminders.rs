//! Reminders outlive the host that has them: two hosts of one application, one of them killed.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use odeon_test_support::{Node, NodeBuilder, Placement, Process, ports, tempdir, until};

/// Long enough that a busy machine renews in time.
const LEASE: &str = "3s";
const ALARMS: usize = 16;

/// An application that hosts alarms, and writes down which of them rang.
const APP: &str = r#"
import http.server, sys

class Alarms(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body=b""):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "/method/remind/" in self.path:
            with open(sys.argv[2], "a") as rang:
                rang.write(self.path.split("/")[3] + "\n")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(b'{"entities": ["Alarm"]}' if self.path == "/dapr/config" else b"")

    do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Alarms).serve_forever()
"#;

fn app(folder: &Path, port: u16) -> Process {
    let (program, rang) = (folder.join("alarms.py"), folder.join("rang"));
    std::fs::write(&program, APP).expect("the folder is ours");
    std::fs::write(&rang, "").expect("the folder is ours");
    Process::start(Command::new("python3").arg(program).arg(port.to_string()).arg(rang))
}

fn host(folder: &Path, placement: &Placement, port: u16) -> NodeBuilder {
    Node::builder(folder.join("shared"))
        .joining(&placement.address(), "alarms")
        .store(&folder.join("resources"), "state.sled")
        .words(&["--app-port", &port.to_string()])
}

/// How many actors of a type are in memory of a host.
async fn active(node: &Node, actor_type: &str) -> u64 {
    let metadata = node.client().get("/v1.0/metadata").await.expect("an answer").json();
    let types = metadata["actorRuntime"]["activeActors"].as_array().cloned().unwrap_or_default();
    let found = types.iter().find(|of| of["type"] == actor_type);
    found.and_then(|of| of["count"].as_u64()).unwrap_or_default()
}

// REM-1, REM-12: nobody calls the partitions that the other host takes over.
#[tokio::test]
async fn a_reminder_fires_although_the_host_that_has_it_is_killed() {
    let data = tempdir().unwrap();
    let placement = Placement::builder(data.path().join("placement"));
    let placement = placement.words(&["--new-cluster", "--lease", LEASE]).start().await;
    let port = ports::free();
    let _app = app(data.path(), port);
    let first = host(data.path(), &placement, port).start().await;
    let second = host(data.path(), &placement, port).start().await;
    until("both hosts have partitions", || async {
        let shares = [active(&first, "sys.reminder").await, active(&second, "sys.reminder").await];
        (shares.iter().all(|share| *share > 0) && shares.iter().sum::<u64>() >= 64).then_some(())
    })
    .await;
    let client = second.client();
    for number in 0..ALARMS {
        let path = format!("/v1.0/actors/Alarm/a{number}/reminders/ring");
        let body = r#"{"dueTime":"6s","data":{"loud":true}}"#;
        let answer = client.post(&path, body).await.expect("an answer");
        assert_eq!(answer.status, 204, "{answer:?}");
    }
    let before = std::fs::read_to_string(data.path().join("rang")).unwrap();
    assert_eq!(before, "", "none is early");
    // It has the store, half of the partitions and half of the actors.
    first.process.kill();
    let all = until("all alarms ring", || async {
        let rang = std::fs::read_to_string(data.path().join("rang")).ok()?;
        let mut rang: Vec<String> = rang.lines().map(str::to_owned).collect();
        rang.sort();
        rang.dedup();
        (rang.len() == ALARMS).then_some(rang)
    });
    tokio::time::timeout(Duration::from_secs(60), all).await.unwrap();
    until("the other host has all partitions", || async {
        (active(&second, "sys.reminder").await == 64).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_reminder_is_on_disk_when_it_is_answered() {
    let data = tempdir().unwrap();
    let port = ports::free();
    let _app = app(data.path(), port);
    let host = || {
        let builder = Node::builder(data.path().join("data"));
        builder.words(&["--app-port", &port.to_string()])
    };
    let first = host().start().await;
    until("the application hosts alarms", || async {
        let body = r#"{"dueTime":"3s"}"#;
        let path = "/v1.0/actors/Alarm/a/reminders/ring";
        let answer = first.client().post(path, body).await.ok()?;
        (answer.status == 204).then_some(())
    })
    .await;
    first.process.kill();
    drop(first);
    let _second = host().start().await;
    until("the alarm rings", || async {
        let rang = std::fs::read_to_string(data.path().join("rang")).ok()?;
        (rang == "a\n").then_some(())
    })
    .await;
}

// REM-9: between two real hosts of different applications; strict is the default.
#[tokio::test]
async fn another_application_manages_reminders_where_they_are_open() {
    let data = tempdir().unwrap();
    let placement = Placement::builder(data.path().join("placement"));
    let placement = placement.words(&["--new-cluster", "--lease", LEASE]).start().await;
    let port = ports::free();
    let _app = app(data.path(), port);
    let beside =
        |name: &str| Node::builder(data.path().join(name)).joining(&placement.address(), name);
    let (_alarms, open, strict, apart) = tokio::join!(
        host(data.path(), &placement, port).start(),
        beside("open").words(&["--open-reminders"]).start(),
        beside("strict").start(),
        beside("apart").words(&["--open-reminders"]).env("NAMESPACE", "elsewhere").start(),
    );
    let (client, path) = (open.client(), "/v1.0/actors/Alarm/a/reminders/ring");
    until("the reminder is taken", || async {
        let answer = client.post(path, r#"{"dueTime":"2s","data":1}"#).await.ok()?;
        (answer.status == 204).then_some(())
    })
    .await;
    let later = "/v1.0/actors/Alarm/a/reminders/later";
    let answer = client.post(later, r#"{"dueTime":"1h","data":{"a":1}}"#).await.unwrap();
    assert_eq!(answer.status, 204, "{answer:?}");
    let shown = client.get(later).await.unwrap();
    assert_eq!((shown.status, &shown.json()["data"]["a"]), (200, &1.into()), "{shown:?}");
    let listed = client.get("/odeon/v1/reminders/Alarm?id=a").await.unwrap().json();
    let names = listed["reminders"].as_array().unwrap().iter().map(|one| one["name"].clone());
    assert!(names.collect::<Vec<_>>().contains(&"later".into()), "{listed}");
    for (host, status, code) in [
        (&strict, 403, "ERR_ACTOR_REMINDER_NON_HOSTED"),
        // Another namespace, where nobody hosts it: as a call.
        (&apart, 500, "ERR_ACTOR_INVOKE_METHOD"),
    ] {
        let answer = host.client().get(later).await.unwrap();
        assert_eq!(
            (answer.status, &answer.json()["errorCode"]),
            (status, &code.into()),
            "{answer:?}"
        );
    }
    until("the alarm rings", || async {
        let rang = std::fs::read_to_string(data.path().join("rang")).ok()?;
        (rang == "a\n").then_some(())
    })
    .await;
    assert_eq!(client.delete(later).await.unwrap().status, 204);
    assert_eq!(client.get(later).await.unwrap().status, 404);
}
