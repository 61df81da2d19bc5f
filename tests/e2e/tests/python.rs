//! An actor in forty lines of Python with generated stubs and no SDK.
//!
//! The stubs are made from `proto/` into a temporary folder, as a user would make
//! them; `cargo ci --only tools` prepares the interpreter.

use std::path::{Path, PathBuf};
use std::process::Command;

use odeon_test_support::{Process, binaries, tempdir};

use crate::shop::node;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The interpreter that has grpcio: named by the caller, or where `cargo ci` puts it.
fn python() -> PathBuf {
    if let Some(named) = std::env::var_os("ODEON_TEST_PYTHON") {
        return named.into();
    }
    let target = binaries::odeon().parent().and_then(Path::parent).map(Path::to_path_buf);
    let usual = target.unwrap_or_default().join("e2e-python/bin/python3");
    assert!(usual.exists(), "no Python with grpcio: run `cargo ci --only tools` first");
    usual
}

#[tokio::test]
async fn forty_lines_of_python_host_an_actor() {
    let folder = tempdir().unwrap();
    let stubs = folder.path().join("stubs");
    std::fs::create_dir(&stubs).unwrap();
    let protos = root().join("proto");
    let mut generate = Command::new(python());
    generate.args(["-m", "grpc_tools.protoc", "-I"]).arg(&protos);
    generate.arg(format!("--python_out={}", stubs.display()));
    generate.arg(format!("--grpc_python_out={}", stubs.display()));
    for package in ["dapr/proto/runtime/v1", "dapr/proto/common/v1"] {
        for file in std::fs::read_dir(protos.join(package)).unwrap() {
            generate.arg(file.unwrap().path());
        }
    }
    let made = generate.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let node = node(folder.path()).start().await;
    let worker = root().join("tests/e2e/python/counter.py");
    let mut worker = Process::start(
        Command::new(python())
            .arg(worker)
            .arg(format!("127.0.0.1:{}", node.grpc))
            .env("PYTHONPATH", &stubs),
    );
    worker.line("hosting PyCounter").await;
    let client = node.client();
    let add = "/v1.0/actors/PyCounter/c1/method/add";
    for expected in ["2", "4"] {
        let answer = client.put(add, "2").await.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, expected));
    }
    let unknown = client.put("/v1.0/actors/PyCounter/c1/method/sub", "2").await.unwrap();
    assert_eq!(unknown.status, 500);
    assert!(unknown.text().contains("actor method not found"), "{}", unknown.text());
    let state = client.get("/v1.0/actors/PyCounter/c1/state/n").await.unwrap();
    assert_eq!((state.status, state.text().as_str()), (200, "4"));
}
