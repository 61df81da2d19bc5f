//! `odeon up`: from a file to `ready`, healing what dies, and away again.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use odeon_test_support::process::{children, is_alive, kill, words};
use odeon_test_support::{Client, Process, TempDir, binaries, ports, tempdir, until};

use crate::shop::{WORKER, call, call_until};

/// A run file with one host and one worker, in a folder of its own.
struct Run {
    folder: TempDir,
    http: u16,
    grpc: u16,
}

impl Run {
    fn new() -> Self {
        let folder = tempdir().expect("a folder");
        let run = Self { folder, http: ports::free(), grpc: ports::free() };
        run.write(&format!("[\"{WORKER}\"]"));
        run
    }

    fn write(&self, command: &str) {
        let text = format!(
            "version: 1\nname: counters\nhosts:\n  - name: node\n    daprHTTPPort: {}\n    daprGRPCPort: {}\n    dataDir: data\napps:\n  - appID: worker\n    host: node\n    build: [echo, built]\n    command: {command}\n    actorTypes: [Counter]\nshow:\n  - curl http://${{odeon.node.http}}/v1.0/metadata\n",
            self.http, self.grpc
        );
        std::fs::write(self.folder.path().join("run.yaml"), text).expect("the folder is ours");
    }

    fn start(&self, more: &[&str]) -> Process {
        Process::start(
            Command::new(binaries::odeon())
                .args(["up", "run.yaml"])
                .args(more)
                .current_dir(self.folder.path()),
        )
    }

    async fn ready(&self, more: &[&str]) -> Process {
        let mut up = self.start(more);
        up.line("ready").await;
        until("the last line", || async { up.said().ends_with("\nready").then_some(()) }).await;
        up
    }

    fn client(&self) -> Client {
        Client::new(self.http)
    }
}

/// The child of `up` whose command line has this word.
async fn child(up: &Process, word: &str) -> u32 {
    until(&format!("a child with {word}"), || async {
        let mut all = children(up.id()).into_iter();
        all.find(|id| words(*id).iter().any(|one| one.contains(word)))
    })
    .await
}

#[tokio::test]
async fn it_says_what_to_paste_and_ctrl_c_stops_everything() {
    let run = Run::new();
    let mut up = run.ready(&[]).await;
    let said = up.said();
    let address = format!("http://127.0.0.1:{}", run.http);
    assert!(said.contains("== BUILD - worker == built"), "{said}");
    assert!(said.contains(&format!("HTTP {address}")), "{said}");
    assert!(said.contains(&format!("curl {address}/v1.0/metadata")), "{said}");
    assert_eq!(call(&run.client(), "c", "add", "2").await, Some(2), "ready means ready");
    let started = children(up.id());
    assert_eq!(started.len(), 2);
    up.interrupt();
    assert_eq!(up.code().await, 0);
    assert!(started.iter().all(|id| !is_alive(*id)));
}

#[tokio::test]
async fn a_second_start_finds_the_data_and_a_fresh_one_does_not() {
    let run = Run::new();
    for (more, before) in
        [(vec![], 0), (vec![], 1), (vec!["--fresh"], 0), (vec!["--", "--fresh"], 0)]
    {
        let mut up = run.ready(&more).await;
        assert_eq!(call(&run.client(), "c", "value", "").await, Some(before), "{more:?}");
        assert_eq!(call(&run.client(), "c", "add", "1").await, Some(before + 1));
        up.terminate();
        assert_eq!(up.code().await, 0);
    }
}

#[tokio::test]
async fn what_is_killed_comes_back_by_itself() {
    let run = Run::new();
    let mut up = run.ready(&[]).await;
    let client = run.client();
    assert_eq!(call(&client, "c", "add", "1").await, Some(1));

    let worker = child(&up, "counter-worker").await;
    let said = up.lines();
    kill(worker);
    up.line_after(said, "worker was ended by signal 9; it is started again").await;
    up.line_after(said, "worker is ready").await;
    assert_eq!(call_until(&client, "c", "value", "").await, 1);
    assert_eq!(call(&client, "c", "add", "1").await, Some(2));

    let node = child(&up, "standalone").await;
    let said = up.lines();
    kill(node);
    up.line_after(said, "node was ended by signal 9; it is started again").await;
    up.line_after(said, "node is ready").await;
    assert_eq!(call_until(&client, "c", "value", "").await, 2);

    up.interrupt();
    assert_eq!(up.code().await, 0);
}

#[tokio::test]
async fn nothing_outlives_a_killed_up() {
    let run = Run::new();
    let mut up = run.ready(&[]).await;
    let started = children(up.id());
    up.kill();
    up.ended().await;
    until("the children to end", || async {
        started.iter().all(|id| !is_alive(*id)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_app_that_fails_at_once_ends_it_with_its_last_words() {
    let run = Run::new();
    run.write("[sh, -c, \"echo no luck; exit 3\"]");
    let mut up = run.start(&[]);
    assert_eq!(up.code().await, 1);
    let said = up.said();
    assert!(
        said.contains("worker ended with exit code 3: it never became ready\n  no luck"),
        "{said}"
    );
}

#[tokio::test]
async fn a_file_or_port_that_is_wrong_is_named_in_one_line() {
    let run = Run::new();
    let taken = TcpListener::bind(("127.0.0.1", run.grpc)).unwrap();
    let mut up = run.start(&[]);
    assert_eq!(up.code().await, 1);
    let expected = format!(
        "run.yaml:6: daprGRPCPort: port {} is in use by another process; stop that one, or write another port there",
        run.grpc
    );
    assert_eq!(up.said(), expected);
    drop(taken);

    let file = run.folder.path().join("run.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("dataDir", "dataDri")).unwrap();
    let mut up = run.start(&[]);
    assert_eq!(up.code().await, 64);
    assert_eq!(up.said(), "run.yaml:7: unknown field 'dataDri'; did you mean 'dataDir'?");
}

#[tokio::test]
async fn an_installed_program_builds_apps_beside_the_file() {
    let run = Run::new();
    run.write("[\"${odeon.built}/counter-worker\"]");
    let file = run.folder.path().join("run.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    // What cargo would do with these words.
    let build = format!(
        "build: [sh, -c, \"mkdir -p $1/$0; cp {WORKER} $1/$0\", \"${{odeon.profile}}\", \"${{odeon.target}}\"]"
    );
    std::fs::write(&file, text.replace("build: [echo, built]", &build)).unwrap();
    let installed = tempdir().unwrap();
    let odeon = installed.path().join("odeon");
    // Not by this process: while it had the copy open, a fork for another test would too,
    // and what is open for writing cannot be run.
    let copied = Command::new("cp").arg(binaries::odeon()).arg(&odeon).status().unwrap();
    assert!(copied.success());
    let mut up =
        Process::start(Command::new(odeon).args(["up", "run.yaml"]).current_dir(&run.folder));
    up.line("ready").await;
    assert_eq!(call_until(&run.client(), "c", "add", "2").await, 2);
    assert!(run.folder.path().join(".odeon/.build/release/counter-worker").exists());
    up.interrupt();
    assert_eq!(up.code().await, 0);
}

#[tokio::test]
async fn fresh_leaves_a_folder_alone_that_somebody_uses() {
    let run = Run::new();
    let _first = run.ready(&[]).await;
    let second = Run::new();
    let data = run.folder.path().join("data");
    let text = std::fs::read_to_string(second.folder.path().join("run.yaml")).unwrap();
    let text = text.replace("dataDir: data", &format!("dataDir: {}", data.display()));
    std::fs::write(second.folder.path().join("run.yaml"), text).unwrap();
    let mut up = second.start(&["--fresh"]);
    assert_eq!(up.code().await, 1);
    assert!(up.said().contains("is in use by another process"), "{}", up.said());
    assert!(Path::new(&data).join("FORMAT").exists());
}
