//! An application on a port: the README's forty lines of Python, as a process beside `odeon`.
//!
//! The program is taken out of the README as it stands there; nothing but Python itself
//! is needed to run it.

use std::path::{Path, PathBuf};
use std::process::Command;

use odeon_test_support::{
    Client, Node, NodeBuilder, Process, TempDir, binaries, ports, tempdir, until,
};

use crate::readme::{check, steps};
use crate::shop::{call, call_until, node};

/// The README's application, in a folder of its own.
struct Counter {
    folder: TempDir,
    port: u16,
}

impl Counter {
    fn new() -> Self {
        let folder = tempdir().expect("a folder");
        std::fs::write(folder.path().join("counter.py"), program()).expect("the folder is ours");
        Self { folder, port: ports::free() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("counter.py")
    }

    /// A host that calls it.
    fn host(&self) -> NodeBuilder {
        node(&self.folder.path().join("data")).words(&["--app-port", &self.port.to_string()])
    }

    fn start(&self, http: u16) -> Process {
        Process::start(
            Command::new("python3")
                .arg(self.path())
                .env("APP_PORT", self.port.to_string())
                .env("DAPR_HTTP_PORT", http.to_string()),
        )
    }

    /// Both, once the actors can be called.
    async fn with_host(&self, words: &[&str]) -> (Node, Process) {
        let mut node = self.host().words(words).spawn();
        let app = self.start(node.http);
        node.healthy().await;
        until_hosted(&node.client(), true).await;
        (node, app)
    }
}

fn program() -> String {
    let text = std::fs::read_to_string(binaries::workspace().join("README.md")).expect("a README");
    let (_, after) = text.split_once("```python\n").expect("a program");
    let (program, _) = after.split_once("```").expect("its end");
    assert_eq!(program.lines().count(), 40, "forty lines, as the README says");
    program.to_owned()
}

async fn until_hosted(client: &Client, is_hosted: bool) {
    until("the application's actors", || async {
        let metadata = client.get("/v1.0/metadata").await.ok()?.text();
        (metadata.contains("\"Counter\"") == is_hosted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_readmes_python_is_run_as_it_says() {
    let counter = Counter::new();
    let [http, grpc, metrics] = [(); 3].map(|()| ports::free().to_string());
    let data = counter.folder.path().join("data");
    let mut run = Process::start(
        Command::new(binaries::odeon())
            .args(["run", "--app-port", &counter.port.to_string()])
            .args(["--dapr-http-port", &http, "--dapr-grpc-port", &grpc])
            .args(["--metrics-port", &metrics, "--data-dir", &data.display().to_string()])
            .args(["--", "python3", "counter.py"])
            .current_dir(counter.folder.path()),
    );
    run.line("ready").await;
    let text = std::fs::read_to_string(binaries::workspace().join("README.md")).expect("a README");
    let steps = steps(&text, "```console python");
    assert_eq!(steps.len(), 4, "{steps:?}");
    for step in &steps {
        check(step, &step.command.replace(":3500/", &format!(":{http}/")));
    }
    run.interrupt();
    assert_eq!(run.code().await, 0);
}

#[tokio::test]
async fn run_ends_with_its_application() {
    for (script, code) in [("exit 0", 0), ("exit 3", 1)] {
        let folder = tempdir().unwrap();
        let [http, grpc, metrics] = [(); 3].map(|()| ports::free().to_string());
        let mut run = Process::start(
            Command::new(binaries::odeon())
                .args(["run", "--dapr-http-port", &http, "--dapr-grpc-port", &grpc])
                .args(["--metrics-port", &metrics, "--", "sh", "-c", script])
                .current_dir(folder.path()),
        );
        assert_eq!(run.code().await, code, "{script}");
    }
}

#[tokio::test]
async fn an_application_that_is_killed_and_started_again_goes_on() {
    let counter = Counter::new();
    let (node, mut app) = counter.with_host(&[]).await;
    let client = node.client();
    assert_eq!(call(&client, "c", "add", "2").await, Some(2));
    app.kill();
    app.ended().await;
    // Nothing of it ran, so it is sent again, and waits.
    let path = "/v1.0/actors/Counter/c/method/add";
    let waiting = client.put(path, "3");
    let back = async {
        until_hosted(&client, false).await;
        counter.start(node.http)
    };
    let (answer, _app) = futures::join!(waiting, back);
    let answer = answer.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "5"), "{answer:?}");
}

#[tokio::test]
async fn a_frozen_application_is_unhealthy_and_its_turn_is_not_doubled() {
    let counter = Counter::new();
    let words = ["--enable-app-health-check", "--app-health-probe-interval", "1"];
    let (mut node, app) = counter.with_host(&words).await;
    let client = node.client();
    assert_eq!(call(&client, "c", "add", "2").await, Some(2));
    app.pause();
    node.process.line("App entered un-healthy status").await;
    until_hosted(&client, false).await;
    app.resume();
    node.process.line("App entered healthy status").await;
    until_hosted(&client, true).await;
    assert_eq!(call_until(&client, "c", "add", "0").await, 2);
    assert_eq!(call(&client, "c", "add", "3").await, Some(5));
}

#[tokio::test]
async fn a_run_file_with_an_app_port_starts_both() {
    let counter = Counter::new();
    let file = counter.folder.path().join("dapr.yaml");
    let http = ports::free();
    let text = format!(
        "version: 1\napps:\n  - appID: counters\n    appDirPath: .\n    appPort: {}\n    daprHTTPPort: {http}\n    actorTypes: [Counter]\n    resourcesPaths: [resources]\n    command: [python3, counter.py]\n",
        counter.port
    );
    std::fs::write(&file, text).unwrap();
    let resources = counter.folder.path().join("resources");
    std::fs::create_dir(&resources).unwrap();
    std::fs::write(resources.join("store.yaml"), STORE).unwrap();
    let mut up = Process::start(
        Command::new(binaries::odeon()).arg("up").arg(&file).current_dir(Path::new("/")),
    );
    up.line("ready").await;
    assert_eq!(call_until(&Client::new(http), "c", "add", "2").await, 2);
    up.interrupt();
    assert_eq!(up.code().await, 0);
}

const STORE: &str = "apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: statestore
spec:
  type: state.sled
  version: v1
  metadata:
    - name: actorStateStore
      value: \"true\"
";

#[tokio::test]
async fn metadata_shows_how_the_application_is_called() {
    let counter = Counter::new();
    let mut node =
        counter.host().words(&["--app-protocol", "H2C", "--app-max-concurrency", "7"]).spawn();
    node.process.line("application protocol: h2c. waiting on port").await;
    let client = node.client();
    let metadata =
        until("metadata", || async { Some(client.get("/v1.0/metadata").await.ok()?.json()) }).await;
    let shown = &metadata["appConnectionProperties"];
    let port = counter.port;
    let expected = format!(
        r#"{{"port":{port},"protocol":"h2c","channelAddress":"127.0.0.1","maxConcurrency":7}}"#
    );
    assert_eq!(*shown, serde_json::from_str::<serde_json::Value>(&expected).unwrap());
    assert_eq!(client.get("/v1.0/healthz").await.unwrap().status, 500);
    assert_eq!(client.get("/v1.0/healthz/outbound").await.unwrap().status, 204);
    node.process.interrupt();
    assert_eq!(node.process.code().await, 0, "waiting for an application is no reason to stay");
}
