//! The shop: a process that runs the shop's actors for the host beside it, and listens for
//! those who buy there.
//!
//! It connects to the host's gRPC port, offers the goods, puts the first of them on
//! the shelf, offers all the other actors, and serves until Ctrl-C or SIGTERM. A host
//! that goes away is tried again until it is back. A process of some roles has the actors of
//! those only; whoever has the role `apigateway` listens.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use futures::FutureExt as _;
use odeon_base::Entropy;
use odeon_eshop::http::Services;
use odeon_eshop::seed::{GOODS, seed};
use odeon_eshop::{
    BasketActor, CatalogIndexActor, CategoryActor, CheckoutActor, FlashSaleActor, GoodsActor,
    GoodsNameActor, OrderActor, OrderIndexActor, PaymentActor, SaleIndexActor,
};
use odeon_sdk::{Client, Result, Worker};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

/// Between tries to put the first goods on the shelf.
const SEED_AGAIN: Duration = Duration::from_millis(100);

/// A shop whose baskets, goods and orders are actors.
#[derive(Debug, Parser)]
struct Flags {
    /// What this process does; all of it by default.
    #[arg(long, env = "ESHOP_ROLES", value_delimiter = ',', default_values_t = Role::ALL)]
    role: Vec<Role>,
    /// Port of the services, for the role `apigateway`; 0 for a free one.
    #[arg(long, env = "APP_PORT", default_value_t = 8880)]
    port: u16,
    /// Answer with status 200 whatever the answer is, for clients that look at the body only.
    #[arg(long, env = "ESHOP_HTTP_200", value_parser = clap::builder::FalseyValueParser::new())]
    http_200: bool,
    /// Port of the host's gRPC API.
    #[arg(long, env = "DAPR_GRPC_PORT", default_value_t = 50_001)]
    dapr_grpc_port: u16,
    /// Token that the host wants to see.
    #[arg(long, env = "DAPR_API_TOKEN", hide_env_values = true)]
    dapr_api_token: Option<String>,
}

/// A part of the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "lower")]
enum Role {
    /// The services of all, at one port.
    ApiGateway,
    /// Goods and sales.
    GoodsService,
    /// Baskets.
    BasketService,
    /// Checkouts and orders.
    TradeService,
    /// Payments.
    PaymentService,
}

impl Role {
    const ALL: [Self; 5] = [
        Self::ApiGateway,
        Self::GoodsService,
        Self::BasketService,
        Self::TradeService,
        Self::PaymentService,
    ];
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
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

    /// A worker of the goods, their names and their categories: what the shelf is filled with.
    fn shelf(&self) -> Worker {
        self.worker().actor::<GoodsActor>().actor::<GoodsNameActor>().actor::<CategoryActor>()
    }

    /// A worker of the other actors of these roles.
    fn counter(&self, roles: &BTreeSet<Role>) -> Worker {
        let worker = self.worker();
        roles.iter().fold(worker, |worker, role| match role {
            Role::ApiGateway => worker,
            Role::GoodsService => worker
                .actor::<FlashSaleActor>()
                .actor::<CatalogIndexActor>()
                .actor::<SaleIndexActor>(),
            Role::BasketService => worker.actor::<BasketActor>(),
            Role::TradeService => {
                worker.actor::<CheckoutActor>().actor::<OrderActor>().actor::<OrderIndexActor>()
            }
            Role::PaymentService => worker.actor::<PaymentActor>(),
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let flags = Flags::parse();
    log();
    let roles: BTreeSet<Role> = flags.role.iter().copied().collect();
    let (has_goods, listens) =
        (roles.contains(&Role::GoodsService), roles.contains(&Role::ApiGateway));
    let (client, stop) = (flags.client()?, told_to_stop().shared());
    // Whoever waits until the host lists the actors finds somebody listening.
    let listener = match listens {
        true => Some(listen(flags.port).await?),
        false => None,
    };
    let entropy = Entropy::from_os().map_err(|error| format!("no randomness: {error}"))?;
    let is_open = watch::Sender::new(!has_goods);
    let services = Services::new(client.clone(), entropy)
        .always_200(flags.http_200)
        .opened_by(is_open.subscribe());
    let gateway = async {
        match listener {
            Some(listener) => services.serve(listener, stop.clone()).await.map_err(boxed),
            None => Ok(()),
        }
    };
    let goods = async {
        match has_goods {
            true => flags.shelf().run(stop.clone()).await.map_err(boxed),
            false => Ok(()),
        }
    };
    // Whoever waits until the host lists all types finds the shelf filled.
    let counter = async {
        if has_goods {
            tokio::select! {
                () = open(&client) => drop(is_open.send_replace(true)),
                () = stop.clone() => return Ok(()),
            }
        }
        match roles.iter().all(|role| *role == Role::ApiGateway) {
            true => Ok(()),
            false => flags.counter(&roles).run(stop.clone()).await.map_err(boxed),
        }
    };
    tokio::try_join!(gateway, goods, counter)?;
    Ok(())
}

fn boxed(error: impl std::error::Error + 'static) -> Box<dyn std::error::Error> {
    error.into()
}

/// Listens on this machine only.
async fn listen(port: u16) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
        let text = format!("cannot listen on port {port}: {error}; choose another with --port");
        std::io::Error::new(error.kind(), text)
    })?;
    say(&format!("eshop listens on http://{}", listener.local_addr()?));
    Ok(listener)
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
