//! The shop as a worker: a process without a port that runs the shop's actors for
//! the host beside it.
//!
//! It connects to the host's gRPC port, offers the three actor types, puts the
//! first goods on the shelf and serves until Ctrl-C or SIGTERM. A host that goes
//! away is tried again until it is back.

use std::time::Duration;

use clap::Parser;
use odeon_eshop::seed::{GOODS, seed};
use odeon_eshop::{BasketActor, GoodsActor, OrderActor};
use odeon_sdk::{Client, Result, Worker};
use tracing_subscriber::EnvFilter;

/// Between tries to put the first goods on the shelf.
const SEED_AGAIN: Duration = Duration::from_millis(500);

/// A shop whose baskets, goods and orders are actors.
#[derive(Debug, Parser)]
struct Flags {
    /// Port of the host's gRPC API.
    #[arg(long, env = "DAPR_GRPC_PORT", default_value_t = 50_001)]
    dapr_grpc_port: u16,
    /// Token that the host wants to see.
    #[arg(long, env = "DAPR_API_TOKEN", hide_env_values = true)]
    dapr_api_token: Option<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let flags = Flags::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();

    let host = format!("http://127.0.0.1:{}", flags.dapr_grpc_port);
    let mut client = Client::connect(&host)?;
    let mut worker =
        Worker::connect(&host).actor::<BasketActor>().actor::<GoodsActor>().actor::<OrderActor>();
    if let Some(token) = flags.dapr_api_token {
        client = client.with_api_token(&token)?;
        worker = worker.api_token(token);
    }
    tokio::select! {
        ended = worker.run(told_to_stop()) => ended,
        never = open(&client) => never,
    }
}

/// Opens the shop, however long that takes, and then leaves it open.
async fn open(client: &Client) -> Result<()> {
    while let Err(error) = seed(client).await {
        tracing::info!("the shelf is not filled yet: {}; trying again", error.report());
        tokio::time::sleep(SEED_AGAIN).await;
    }
    say(&format!("eshop is open: {} kinds of goods on the shelf", GOODS.len()));
    std::future::pending().await
}

/// Completes when the process is to end.
async fn told_to_stop() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate => {}
    }
}

#[expect(clippy::print_stdout, reason = "the one line that whoever started this waits for")]
fn say(line: &str) {
    println!("{line}");
}
