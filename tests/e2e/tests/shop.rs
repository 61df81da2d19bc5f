//! A standalone host and a worker beside it that hosts counters.

use std::path::Path;
use std::process::Command;

use odeon_test_support::{Client, Node, NodeBuilder, Process, until};

/// The worker program.
pub(crate) const WORKER: &str = env!("CARGO_BIN_EXE_counter-worker");

/// Starts a worker for the host on this gRPC port.
pub(crate) fn worker(grpc: u16) -> Process {
    Process::start(Command::new(WORKER).env("DAPR_GRPC_PORT", grpc.to_string()))
}

/// A host with its data in this folder.
pub(crate) fn node(data: &Path) -> NodeBuilder {
    Node::builder(data)
}

/// Calls a method of a counter; the answer, if it is a success.
pub(crate) async fn call(client: &Client, id: &str, method: &str, body: &str) -> Option<i64> {
    let path = format!("/v1.0/actors/Counter/{id}/method/{method}");
    let answer = client.put(&path, body).await.ok()?;
    (answer.status == 200).then(|| answer.text().parse().ok())?
}

/// Calls until it succeeds: for calls that do no harm when repeated, while something heals.
pub(crate) async fn call_until(client: &Client, id: &str, method: &str, body: &str) -> i64 {
    until(&format!("{method} of {id}"), || call(client, id, method, body)).await
}
