//! Stopping: in order, within a limit, at once when asked twice.

use odeon_test_support::{Node, tempdir, until};

use crate::shop::{call, call_until, node, worker};

#[tokio::test]
async fn signals_and_the_api_stop_it_with_code_0() {
    for how in ["SIGTERM", "SIGINT", "POST /v1.0/shutdown"] {
        let data = tempdir().unwrap();
        let mut node = node(data.path()).start().await;
        match how {
            "SIGTERM" => node.process.terminate(),
            "SIGINT" => node.process.interrupt(),
            _ => assert_eq!(node.client().post("/v1.0/shutdown", "").await.unwrap().status, 204),
        }
        assert_eq!(node.process.code().await, 0, "{how}");
        assert!(node.process.said().contains("Daprd shutdown gracefully"), "{how}");
    }
}

#[tokio::test]
async fn a_hangup_reads_the_files_again_in_the_same_process() {
    let (data, files) = (tempdir().unwrap(), tempdir().unwrap());
    let write = |name: &str| {
        let text = format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: {name}\nspec:\n  type: state.sled\n  version: v1\n  metadata:\n  - name: actorStateStore\n    value: \"true\"\n"
        );
        std::fs::write(files.path().join("store.yaml"), text).unwrap();
    };
    write("first");
    let folder = files.path().display().to_string();
    let mut node = node(data.path()).words(&["--resources-path", &folder]).start().await;
    let _worker = worker(node.grpc);
    assert_eq!(call_until(&node.client(), "c", "value", "").await, 0);

    let said = node.process.lines();
    write("second");
    node.process.hang_up();
    node.process.line_after(said, "Received signal 'hangup'; restarting").await;
    node.process.line_after(said, "dapr initialized. Status: Running.").await;
    let metadata = node.client().get("/v1.0/metadata").await.unwrap().text();
    assert!(metadata.contains("second") && !metadata.contains("first"), "{metadata}");
    // The worker comes back by itself.
    assert_eq!(call_until(&node.client(), "c", "value", "").await, 0);

    let file = files.path().join("store.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("spec:", "sepc:")).unwrap();
    node.process.hang_up();
    assert_eq!(node.process.code().await, 64, "wrong files are as wrong as at the start");
    assert!(node.process.said().contains("did you mean 'spec'?"), "{}", node.process.said());
}

#[tokio::test]
async fn a_forced_stop_ends_with_code_1() {
    let data = tempdir().unwrap();
    let mut node = node(data.path()).start().await;
    let client = node.client().with_header("dapr-force-shutdown", "true");
    assert_eq!(client.post("/v1.0/shutdown", "").await.unwrap().status, 204);
    assert_eq!(node.process.code().await, 1);
}

#[tokio::test]
async fn a_running_turn_ends_before_the_host_does() {
    let data = tempdir().unwrap();
    let (http, grpc) = {
        let mut node =
            node(data.path()).words(&["--dapr-graceful-shutdown-seconds", "30"]).start().await;
        let _worker = worker(node.grpc);
        call_until(&node.client(), "c", "value", "").await;
        let gate = data.path().join("gate");
        let (client, path) = (node.client(), format!("\"{}\"", gate.display()));
        let held = call(&client, "c", "hold", &path);
        let stopping = async {
            let begun = data.path().join("gate.begun");
            until("the turn to begin", || async { begun.exists().then_some(()) }).await;
            node.process.terminate();
            node.process.line("Dapr is shutting down").await;
            std::fs::write(&gate, "").unwrap();
            assert_eq!(node.process.code().await, 0);
        };
        let (answer, ()) = futures::future::join(held, stopping).await;
        assert_eq!(answer, Some(1), "the caller of the running turn is answered");
        (node.http, node.grpc)
    };
    let again = node(data.path()).http_port(http).grpc_port(grpc).start().await;
    let _worker = worker(grpc);
    assert_eq!(call_until(&again.client(), "c", "value", "").await, 1);
}

/// A node with this long to stop, asked to while a turn runs that never ends; what it is
/// like afterwards is for `then` to say.
async fn stopped_in_a_turn(seconds: &str, then: impl AsyncFnOnce(&mut Node)) {
    let data = tempdir().expect("a folder");
    let words = ["--dapr-graceful-shutdown-seconds", seconds];
    let mut node = node(data.path()).words(&words).start().await;
    let _worker = worker(node.grpc);
    call_until(&node.client(), "c", "value", "").await;
    let never = format!("\"{}\"", data.path().join("never").display());
    let client = node.client();
    let held = call(&client, "c", "hold", &never);
    let stopping = async {
        let begun = data.path().join("never.begun");
        until("the turn to begin", || async { begun.exists().then_some(()) }).await;
        node.process.terminate();
        then(&mut node).await;
    };
    futures::future::join(held, stopping).await;
}

#[tokio::test]
async fn what_does_not_end_in_time_is_named() {
    stopped_in_a_turn("1", async |node| {
        assert_eq!(node.process.code().await, 1);
        let said = node.process.said();
        assert!(
            said.contains("Graceful shutdown timeout exceeded") && said.contains("1 of Counter"),
            "{said}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    stopped_in_a_turn("3600", async |node| {
        node.process.line("Dapr is shutting down").await;
        node.process.terminate();
        assert_eq!(node.process.code().await, 1);
    })
    .await;
}
