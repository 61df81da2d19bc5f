//! The shop as a worker: a process without a port that runs the shop's actors for
//! the host beside it.
//!
//! It connects to the host's gRPC port, offers the goods, puts the first of them on
//! the shelf, offers all the others, and serves until Ctrl-C or SIGTERM. A host
//! that goes away is tried again until it is back.

use std::io::IsTerminal as _;
use std::time::Duration;

use clap::Parser;
use futures::FutureExt as _;
use odeon_eshop::seed::{GOODS, seed};
use odeon_eshop::{
    BasketActor, CheckoutActor, FlashSaleActor, GoodsActor, OrderActor, PaymentActor,
};
use odeon_sdk::{Client, Result, Worker};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Between tries to put the first goods on the shelf.
const SEED_AGAIN: Duration = Duration::from_millis(100);

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

impl Flags {
    fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.dapr_grpc_port)
    }

    fn client(&self) -> Result<Client> {
        let client = Client::connect(&self.address())?;
        match &self.dapr_api_token {
            Some(token) => client.with_api_token(token),
            None => Ok(client),
        }
    }

    fn worker(&self) -> Worker {
        let worker = Worker::connect(self.address());
        match &self.dapr_api_token {
            Some(token) => worker.api_token(token),
            None => worker,
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let flags = Flags::parse();
    log();
    let (client, stop) = (flags.client()?, told_to_stop().shared());
    let goods = flags.worker().actor::<GoodsActor>().run(stop.clone());
    let counter = flags
        .worker()
        .actor::<BasketActor>()
        .actor::<CheckoutActor>()
        .actor::<FlashSaleActor>()
        .actor::<OrderActor>()
        .actor::<PaymentActor>();
    // Whoever waits until the host lists all types finds the shelf filled.
    let counter = async {
        tokio::select! {
            () = open(&client) => counter.run(stop.clone()).await,
            () = stop.clone() => Ok(()),
        }
    };
    tokio::try_join!(goods, counter)?;
    Ok(())
}

/// Fills the shelf, however long that takes: the host may not be there yet.
async fn open(client: &Client) {
    while let Err(error) = seed(client).await {
        tracing::debug!("the shelf is not filled yet: {}; trying again", error.report());
        tokio::time::sleep(SEED_AGAIN).await;
    }
    say(&format!("eshop is open: {} kinds of goods on the shelf", GOODS.len()));
}

/// Completes when the process is to end.
async fn told_to_stop() {
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate => {}
    }
}

/// `RUST_LOG=debug` shows more than warnings.
fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}

#[expect(clippy::print_stdout, reason = "the one line that whoever started this waits for")]
fn say(line: &str) {
    println!("{line}");
}
