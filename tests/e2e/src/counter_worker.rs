//! Hosts [`Counter`] beside a host on this machine, until SIGTERM or Ctrl-C.

use odeon_sdk::{Result, Worker};
use odeon_test_e2e::Counter;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<()> {
    let mut variables = std::env::vars();
    let port = variables.find(|(name, _)| name == "DAPR_GRPC_PORT").map(|(_, port)| port);
    let host = format!("http://127.0.0.1:{}", port.as_deref().unwrap_or("50001"));
    Worker::connect(&host).actor::<Counter>().run(told_to_stop()).await
}

async fn told_to_stop() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
