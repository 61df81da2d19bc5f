//! Puts a placement service together, as a process of its own, and takes it apart.
//!
//! Ports first, then the data folder, whose lock keeps a second one out; the term is on
//! disk before a host is listened to. What it decides is in `odeon_placement`, what its
//! health port shows in `crate::placement`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use odeon_base::clock::{SystemClock, WallClock as _};
use odeon_base::{TaskKind, Tasks};
use odeon_blocks::embedded::{self, EmbeddedDb};
use odeon_placement::{Embedded, Handle, Role, TcpProbe, Token};
use tokio::net::TcpListener;

use super::error::Error;
use super::here;
use super::listen::{bind, serve};
use super::placement::DataLedger;
use crate::config::placement::{Config, Metrics};
use crate::http::Protocol;
use crate::metrics;
use crate::placement::Door;
use crate::shutdown::Overrun;

/// How long a stop may take before it is forced; nothing has to be waited for.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// Largest block of request headers on the health port, in bytes.
const HEADER_BYTES: usize = 4 << 10;

/// A placement service that runs.
#[derive(Debug)]
pub struct Service {
    addresses: Addresses,
    handle: Handle,
    doors: Tasks,
    core: Tasks,
    db: EmbeddedDb,
}

/// Where a placement service can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addresses {
    /// Where hosts join.
    pub grpc: Vec<SocketAddr>,
    /// Health and state.
    pub health: Vec<SocketAddr>,
    /// Metrics, if they have a port of their own.
    pub metrics: Vec<SocketAddr>,
}

impl Service {
    /// Where it can be reached.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What it decides, to be looked at.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends all streams and gives the data folder free. Leases run on without it.
    ///
    /// # Errors
    /// [`Overrun`] names what had not ended in time. It has been left behind all the same.
    pub async fn stop(self) -> Result<(), Overrun> {
        let mut left = Vec::new();
        for (what, tasks) in [("doors", &self.doors), ("placement", &self.core)] {
            if let Err(running) = tasks.stop(STOP_LIMIT).await {
                left.push(format!("{what}: {running}"));
            }
        }
        match tokio::time::timeout(STOP_LIMIT, self.db.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => left.push(format!("the data folder did not close: {error}")),
            Err(_) => left.push("the data folder did not close".to_owned()),
        }
        if left.is_empty() { Ok(()) } else { Err(Overrun { limit: STOP_LIMIT, left }) }
    }
}

/// Starts a placement service. Hosts can join when this returns.
///
/// # Errors
/// [`Error`], in one line that says what to do. Nothing is left running.
///
/// # Cancel safety
/// When dropped, what was begun is dropped too; the data folder is free again soon after.
pub async fn start(config: Config) -> Result<Service, Error> {
    tracing::info!("Starting placement service -- version {}", env!("CARGO_PKG_VERSION"));
    tracing::info!("configuration: {}", config.describe());
    let bound = Bound::bind(&config).await?;
    let token = config.token.as_ref().map(|secret| Token::parse(secret.reveal()));
    let token = token.transpose().map_err(|error| super::machine("a cluster token", error))?;
    let db = EmbeddedDb::open_async(embedded::Config::new(&config.data_dir)).await;
    let db = db.map_err(Error::Data)?;
    let core = Tasks::new("placement");
    let settings = odeon_placement::Config { first_term: seconds(), ..config.service.clone() };
    let ledger = Arc::new(DataLedger(db.clone()));
    let clock = Arc::new(SystemClock);
    let handle = match here::network() {
        Some(network) => {
            let probe = Arc::new(TcpProbe::new(network));
            Embedded::start_probing(settings, ledger, clock, probe, &core).await
        }
        None => Embedded::start(settings, ledger, clock, &core).await,
    };
    let handle = handle.map_err(Error::Placement)?;

    let doors = Tasks::new("doors");
    let addresses = bound.addresses.clone();
    open_doors(bound, &config, &handle, token.as_ref(), &doors);
    core.spawn(TaskKind::Watcher, tell_of_leading(handle.clone(), config.id));
    Ok(Service { addresses, handle, doors, core, db })
}

/// A placement whose data folder was lost begins above all terms that it ever had.
fn seconds() -> u64 {
    let since = SystemClock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().max(1)
}

fn open_doors(
    bound: Bound,
    config: &Config,
    handle: &Handle,
    token: Option<&Token>,
    tasks: &Tasks,
) {
    for (listener, address) in bound.grpc.into_iter().zip(&bound.addresses.grpc) {
        let service = odeon_placement::Service::new(handle.clone(), token.cloned(), tasks.clone())
            .with_keep_alive(config.keep_alive);
        tasks.spawn(TaskKind::Listener, async move {
            if let Err(error) = service.serve(listener).await {
                tracing::error!("no host can join any more: {error}");
            }
        });
        tracing::info!("Running Placement gRPC server on {address}");
    }
    let page = || metrics::Page::new(metrics::of_placement(handle.clone(), &SystemClock));
    let shown = (config.metrics == Metrics::WithHealth).then(page);
    let door = Door::new(handle.clone(), shown, config.is_state_shown);
    serve(bound.health, Protocol::Http(HEADER_BYTES), &door, tasks);
    for address in &bound.addresses.health {
        tracing::info!("Healthz server is running on {address}");
    }
    if !bound.metrics.is_empty() {
        serve(bound.metrics, Protocol::Http(HEADER_BYTES), &page(), tasks);
        for address in &bound.addresses.metrics {
            tracing::info!("metrics server is running on port {}", address.port());
        }
    }
    let port = bound.addresses.grpc.first().map_or(0, SocketAddr::port);
    tracing::info!("Placement service started on port {port}");
}

/// Says, in the words that tools wait for, that hosts are taken in from now on.
async fn tell_of_leading(handle: Handle, id: String) {
    if handle.wait_for(|snapshot| snapshot.role == Role::Leading).await.is_some() {
        tracing::info!("Node id={id} has acquired leadership");
        // Source: what Dapr said up to 1.17, and harnesses still wait for.
        tracing::info!("placement server leadership acquired");
    }
}

/// Sockets that listen and are not served yet.
#[derive(Debug)]
struct Bound {
    grpc: Vec<TcpListener>,
    health: Vec<TcpListener>,
    metrics: Vec<TcpListener>,
    addresses: Addresses,
}

impl Bound {
    async fn bind(config: &Config) -> Result<Self, Error> {
        let (grpc, grpc_at) = bind(&config.grpc).await?;
        let (health, health_at) = bind(&config.health).await?;
        let (metrics, metrics_at) = match &config.metrics {
            Metrics::Own(listener) => bind(listener).await?,
            Metrics::Off | Metrics::WithHealth => Default::default(),
        };
        let addresses = Addresses { grpc: grpc_at, health: health_at, metrics: metrics_at };
        Ok(Self { grpc, health, metrics, addresses })
    }
}
