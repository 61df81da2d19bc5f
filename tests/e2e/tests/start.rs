//! Starting: health, metadata, and what a second start finds.

use odeon_test_support::{Client, Process, binaries, tempdir, until};

use crate::shop::{call, call_until, node, worker};

#[tokio::test]
async fn standalone_is_healthy_and_tells_what_it_is() {
    let data = tempdir().unwrap();
    let node = node(data.path()).start().await;
    let client = node.client();
    let wrong = client.get("/v1.0/healthz?appid=other").await.unwrap();
    assert_eq!(wrong.status, 500, "{}", wrong.text());
    let metadata = client.get("/v1.0/metadata").await.unwrap().json();
    assert_eq!(metadata["id"], "odeon");
    assert_eq!(metadata["actorRuntime"]["hostReady"], true);
    assert_eq!(metadata["components"][0]["name"], "statestore");
    assert_eq!(metadata["components"][0]["type"], "state.sled");
    let metrics = Client::new(node.metrics).get("/metrics").await.unwrap();
    assert_eq!(metrics.status, 200);
}

#[tokio::test]
async fn the_log_says_what_tools_wait_for() {
    let data = tempdir().unwrap();
    let mut node = node(data.path()).words(&["--app-id", "shop"]).start().await;
    for text in [
        "msg=\"Starting Dapr Runtime -- version ",
        "msg=\"app id: shop\"",
        "Component loaded: statestore (state.sled/v1)",
        &format!("API gRPC server is running on port {}", node.grpc),
        &format!("HTTP server is running on port {}", node.http),
        "dapr initialized. Status: Running. Init Elapsed ",
    ] {
        let line = node.process.line(text).await;
        assert!(line.starts_with("time=\"") && line.contains(" app_id=shop "), "{line}");
    }
}

#[tokio::test]
async fn a_second_start_finds_all_data() {
    let data = tempdir().unwrap();
    let mut first = node(data.path()).start().await;
    let (http, grpc) = (first.http, first.grpc);
    let _worker = worker(grpc);
    assert_eq!(call_until(&first.client(), "c", "value", "").await, 0);
    assert_eq!(call(&first.client(), "c", "add", "7").await, Some(7));
    first.process.terminate();
    assert_eq!(first.process.code().await, 0);

    // The worker comes back by itself.
    let second = node(data.path()).http_port(http).grpc_port(grpc).start().await;
    assert_eq!(call_until(&second.client(), "c", "value", "").await, 7);
}

#[tokio::test]
async fn under_the_name_of_daprd_it_is_the_sidecar() {
    let folder = tempdir().unwrap();
    let daprd = folder.path().join("daprd");
    std::os::unix::fs::symlink(binaries::odeon(), &daprd).unwrap();
    let mut process = Process::start(
        std::process::Command::new(&daprd)
            .args(["-app-id", "shop", "-dapr-http-port", "0", "-dapr-grpc-port", "0"])
            .args(["-placement-host-address", "", "-metrics-port", "0", "-log-as-json"])
            .current_dir(folder.path()),
    );
    let line = process.line("HTTP server is running on port ").await;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let port = line["msg"].as_str().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    let client = Client::new(port);
    until("health", || async {
        (client.get("/v1.0/healthz").await.ok()?.status == 204).then_some(())
    })
    .await;
    let metadata = client.get("/v1.0/metadata").await.unwrap().json();
    assert_eq!(metadata["actorRuntime"]["runtimeStatus"], "DISABLED");
    process.interrupt();
    assert_eq!(process.code().await, 0);
}
