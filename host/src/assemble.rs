//! Puts a host together: the only file that names the concrete type of every part.
//!
//! The order is that of daprd's start: ports are taken, the data folder is opened,
//! components are opened, placement and engine start, the doors open, an
//! application may use the host (outbound health), the lease is granted, the host
//! is healthy. Swap a part here and nowhere else. Taking it apart is `shutdown`'s.

mod components;
mod error;
mod here;
mod holding;
mod listen;
mod placement;
mod reach;
mod reminders;
mod secrets;
pub mod service;

use std::sync::Arc;

use odeon_base::clock::SystemClock;
use odeon_base::kind::with_causes;
use odeon_base::{Entropy, HostName, TaskKind, Tasks};
use odeon_blocks::embedded::{self, EmbeddedDb};
use odeon_placement::client;
use odeon_placement::wire::Identity;
use odeon_placement::{Client, Embedded, Network, Token};
use odeon_runtime::seams::PlacementLink;
use odeon_runtime::{Engine, Seams, TypeConfig, TypeSpec};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::api::{
    self, Api, AppConnection, AppHealth, Health, Limits, Origins, Owners, ShutdownHandle, Tokens,
};
use crate::channel::http::{App, Parts as AppParts};
use crate::channel::{AppChannel, Hub};
use crate::config::{Config, Environment, Placement, effective};
use crate::http::Protocol;
use crate::shutdown::Running;
use crate::{grpc, http, metrics, peer};

use components::{Opened, Opener};
use holding::Holding;
use listen::Bound;
use placement::{DataLedger, Inside, Nowhere, Outside};

pub use error::Error;
pub use listen::Addresses;

/// What health waits for, by the name that it shows.
const LEASE: &str = "lease";

/// And where the application has a port, by the name that daprd shows.
const APP: &str = "app";

/// A host that runs.
#[derive(Debug)]
pub struct Host {
    addresses: Addresses,
    engine: Engine,
    health: Health,
    shutdown: ShutdownHandle,
    running: Running,
}

impl Host {
    /// Where it can be reached.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Its engine, to call actors without a wire.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Where a request to stop arrives, from whatever side; acting on it is the owner's.
    #[must_use]
    pub fn shutdown(&self) -> &ShutdownHandle {
        &self.shutdown
    }

    /// Waits until it may run actors and says that it is healthy; at once when it
    /// was started without placement and its application has no port.
    ///
    /// # Cancel safety
    /// Can be dropped at will.
    pub async fn ready(&self) {
        self.health.ready().await;
    }

    /// Drains and stops, in order; see [`crate::shutdown`].
    ///
    /// # Errors
    /// [`crate::shutdown::Overrun`] names what had not ended in time. It has been
    /// left behind all the same.
    pub async fn stop(self) -> Result<(), crate::shutdown::Overrun> {
        self.running.stop().await
    }
}

/// Puts a host together and starts it. `types` are actors that live in this process.
///
/// # Errors
/// [`Error`], in one line that says what to do. Nothing is left running.
///
/// # Cancel safety
/// When dropped, what was begun is dropped too; the data folder is free again soon after.
pub async fn start(
    config: Config,
    environment: &Environment,
    types: Vec<TypeSpec>,
) -> Result<Host, Error> {
    let began = Instant::now();
    announce(&config);
    check_types(&config, &types)?;
    let mut bound = Bound::bind(&config).await?;
    let entropy = Entropy::from_os().map_err(|error| machine("randomness", error))?;
    // With placement inside nobody else is in the cluster, who could hold what is needed here.
    let is_shared = matches!(config.placement, Placement::At(_));
    let clock = Arc::new(SystemClock);
    let opener = Opener { config: &config, environment, clock, entropy: &entropy, is_shared };
    // At the same time: each waits for the disk more than for anything else. What is
    // wrong with the data folder itself is said first.
    let (db, opened) = futures::join!(open_data(&config), opener.open_all());
    let (db, opened) = (db?, opened?);
    warn_without_store(&config, &opened);

    let [core, peers, doors] = ["core", "peers", "doors"].map(Tasks::new);
    let listening = std::mem::take(&mut bound.peers);
    let kept = listen::keep(&listening).map_err(|error| machine("a port of its own", error))?;
    let settings = peer_settings(&config, &bound.addresses, environment)?;
    // Without a port of its own for them, what refuses would be another one.
    let network = if listening.is_empty() { None } else { here::network() };
    let (link, owners) = start_placement(&config, &settings, network, db.clone(), &core).await?;
    let engine = start_engine(&config, &settings, listening, link, &entropy, &core, &peers);
    let health = Health::awaiting(&awaited(&config));
    let holding = Holding::new(&engine, &health, &core, is_shared);
    let stores = holding.offer(opened.stores, opened.for_actors.as_deref()).await?;
    let kept_in = opened.for_actors.as_deref().filter(|_| config.placement.is_on());

    let shutdown = ShutdownHandle::default();
    let api = Api::new(api::Parts {
        tokens: tokens(&config),
        limits: limits(&config),
        origins: Origins::parse(&config.allowed_origins),
        health: health.clone(),
        owners,
        reminders_elsewhere: reminders::elsewhere(&config, &engine)?,
        reminders: reminders::start(&engine, kept_in, &entropy, &core)?,
        stores,
        locks: holding.offer_locks(opened.locks).await?,
        secrets: Some(secrets::offer(&engine, opened.secrets).await?),
        shutdown: shutdown.clone(),
        components: opened.listed,
        app_connection: config.app.as_ref().map(app_connection),
        has_placement: config.placement.is_on(),
        ..api::Parts::new(
            engine.clone(),
            api::Identity::new(config.app_id.clone(), config.namespace.clone()),
        )
    });
    let addresses = open_doors(bound, &config, &api, &doors)?;
    health.set_outbound(true);
    if let Some(app) = start_app(&config, &api, &doors) {
        doors.spawn(TaskKind::Watcher, app.run());
    }

    let watch = BecomeHealthy { engine: engine.clone(), health: health.clone(), began };
    if !types.is_empty() {
        health.hosting_known(types.iter().map(|spec| &spec.actor_type));
        engine.offer(types).await.map_err(Error::Offer)?;
    }
    core.spawn(TaskKind::Watcher, watch.run(core.stopping().clone()));
    let running = Running {
        engine: engine.clone(),
        health: health.clone(),
        doors,
        peers,
        kept,
        core,
        stores: holding.stores,
        db,
        has_placement: config.placement.is_on(),
        limit: config.shutdown_limit,
    };
    Ok(Host { addresses, engine, health, shutdown, running })
}

/// Without placement they would wait for ever to be offered.
fn check_types(config: &Config, types: &[TypeSpec]) -> Result<(), Error> {
    if config.placement.is_on() || types.is_empty() { Ok(()) } else { Err(Error::ActorsDisabled) }
}

/// The first lines of the log: who this is, and what it was told.
fn announce(config: &Config) {
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!("Starting Dapr Runtime -- version {version} -- commit unknown");
    tracing::info!("Log level set to: {}", config.logs.level.name());
    tracing::info!("standalone mode configured");
    tracing::info!("app id: {}", config.app_id);
    tracing::info!("configuration: {}", effective::describe(config));
    if !config.placement.is_on() {
        tracing::info!("Actor runtime disabled: no placement address was given");
    }
}

/// The record of a placement inside needs the data folder; else nothing does but components.
async fn open_data(config: &Config) -> Result<Option<EmbeddedDb>, Error> {
    if config.placement != Placement::Inside {
        return Ok(None);
    }
    let db = EmbeddedDb::open_async(embedded::Config::new(&config.data_dir)).await;
    db.map(Some).map_err(Error::Data)
}

/// The way to placement, wherever it is, and who answers who owns what.
async fn start_placement(
    config: &Config,
    known: &peer::Config,
    network: Option<Network>,
    db: Option<EmbeddedDb>,
    tasks: &Tasks,
) -> Result<(Arc<dyn PlacementLink>, Option<Arc<dyn Owners>>), Error> {
    if let Placement::At(addresses) = &config.placement {
        let identity = Identity {
            host: known.host.clone(),
            address: known.host.as_str().into(),
            app: known.app.clone(),
            namespace: known.namespace.clone(),
            network,
        };
        let settings = client::Config {
            addresses: addresses.clone(),
            token: known.token.clone(),
            identity,
            queue: odeon_placement::Config::default().queue,
        };
        let outside = Arc::new(Outside(Client::new(settings, tasks.child("placement"))));
        return Ok((Arc::clone(&outside) as _, Some(outside)));
    }
    let Some(db) = db else { return Ok((Arc::new(Nowhere), None)) };
    let settings = odeon_placement::Config {
        // The lock of the data folder, which is held, proves it: its only host is this process.
        former_hosts_gone: true,
        ..odeon_placement::Config::default()
    };
    let ledger = Arc::new(DataLedger(db));
    let handle = Embedded::start(settings, ledger, Arc::new(SystemClock), tasks).await;
    let inside = Arc::new(Inside(handle.map_err(Error::Placement)?));
    Ok((Arc::clone(&inside) as _, Some(inside)))
}

/// What other hosts know of this one. Its name is the address at which they reach it, as
/// in Dapr: nobody else has it, and it is the same after a restart on the same port.
fn peer_settings(
    config: &Config,
    addresses: &Addresses,
    environment: &Environment,
) -> Result<peer::Config, Error> {
    let bound = addresses.peers.first().or(addresses.grpc.first()).copied();
    let bound = bound.ok_or_else(|| machine("an address", "nothing listens"))?;
    let address = reach::published(bound, environment)?;
    if let Placement::At(services) = &config.placement {
        reach::warn_if_alone(address, services);
    }
    let address = address.to_string();
    let name = HostName::parse(&address).map_err(|error| machine("an address", error))?;
    let token = config.cluster_token.as_ref().map(|token| Token::parse(token.reveal()));
    let defaults = peer::Config::new(name, config.app_id.clone());
    Ok(peer::Config {
        namespace: config.namespace.clone(),
        token: token.transpose().map_err(|error| machine("the cluster token", error))?,
        // Without a limit of its own, that of the wire.
        body_bytes_max: config.body_bytes_max.unwrap_or(1 << 30).min(1 << 30),
        ..defaults
    })
}

/// Starts the engine, with the way to other hosts and from them if this one can be reached.
fn start_engine(
    config: &Config,
    peers: &peer::Config,
    listening: Vec<TcpListener>,
    placement: Arc<dyn PlacementLink>,
    entropy: &Entropy,
    tasks: &Tasks,
    peer_tasks: &Tasks,
) -> Engine {
    let settings = odeon_runtime::Config {
        namespace: config.namespace.clone(),
        compat: config.compat,
        ..odeon_runtime::Config::new(config.app_id.clone(), peers.host.clone())
    };
    let is_reached = !listening.is_empty();
    let client = peer::Client::new(peers.clone(), entropy.child(), peer_tasks.clone());
    let seams = Seams {
        placement,
        peers: is_reached.then(|| Arc::new(client.clone()) as _),
        lease: Arc::new(SystemClock),
        wall: Arc::new(SystemClock),
        entropy: entropy.child(),
        tasks: tasks.child("engine"),
    };
    let engine = Engine::start(settings, seams);
    client.introduce(engine.downgrade());
    for listener in listening {
        let server = peer::Server::new(peers.clone(), engine.clone(), peer_tasks.clone());
        peer_tasks.spawn(TaskKind::Listener, async move {
            if let Err(error) = server.serve(listener).await {
                let error = with_causes(&error);
                tracing::error!("calls of other hosts cannot be served any more: {error}");
            }
        });
    }
    engine
}

/// Answers on all ports; tells where.
fn open_doors(bound: Bound, config: &Config, api: &Api, tasks: &Tasks) -> Result<Addresses, Error> {
    let limits = api.limits();
    let hub = Hub::new(
        api.engine().clone(),
        tasks.clone(),
        api.health().clone(),
        TypeConfig::under(config.compat),
        if config.app.is_some() { AppChannel::Http } else { AppChannel::NotHttp },
        limits.stream_queue,
    );
    let sources = metrics::Sources {
        app: api.identity().app.clone(),
        engine: api.engine().clone(),
        hub: Some(hub.clone()),
        clock: Arc::new(SystemClock),
    };
    let grpc = grpc::Door::new(api.clone(), hub).map_err(|error| machine("descriptors", error))?;
    listen::serve(bound.grpc, Protocol::Grpc(limits.header_bytes), &grpc, tasks);
    for address in &bound.addresses.grpc {
        tracing::info!("API gRPC server is running on port {}", address.port());
    }
    let http = http::Door::new(api.clone());
    listen::serve(bound.http, Protocol::Http(limits.header_bytes), &http, tasks);
    for address in &bound.addresses.http {
        tracing::info!("HTTP server is running on port {}", address.port());
    }
    let page = metrics::Page::new(metrics::registry(sources));
    listen::serve(bound.metrics, Protocol::Http(limits.header_bytes), &page, tasks);
    for address in &bound.addresses.metrics {
        tracing::info!("metrics server is running on port {}", address.port());
    }
    Ok(bound.addresses)
}

fn awaited(config: &Config) -> Vec<&'static str> {
    let lease = config.placement.is_on().then_some(LEASE);
    let app = config.app.is_some().then_some(APP);
    lease.into_iter().chain(app).collect()
}

/// The application's port, if it has one; nothing is called before it is looked after.
fn start_app(config: &Config, api: &Api, tasks: &Tasks) -> Option<App> {
    let parts = AppParts {
        engine: api.engine().clone(),
        health: api.health().clone(),
        awaited: APP,
        tasks: tasks.clone(),
        defaults: TypeConfig::under(config.compat),
        has_placement: config.placement.is_on(),
        app_id: config.app_id.to_string(),
        token: api.tokens().app.clone(),
    };
    Some(App::new(config.app.clone()?, parts))
}

/// The application's port, as metadata shows it.
fn app_connection(app: &crate::channel::http::Config) -> AppConnection {
    AppConnection {
        port: app.port,
        protocol: app.protocol.name().to_owned(),
        address: app.address.clone(),
        max_concurrency: app.requests_max.unwrap_or_default(),
        health: app.probe.as_ref().map(|probe| AppHealth {
            path: probe.path.clone(),
            interval: probe.interval,
            timeout: probe.timeout,
            threshold: probe.threshold,
        }),
    }
}

fn warn_without_store(config: &Config, opened: &Opened) {
    if config.placement.is_on() && opened.for_actors.is_none() {
        tracing::warn!(
            "actors: state store is not configured - actor state and workflow operations will be \
             unavailable until an actor state store component is loaded"
        );
    }
}

fn tokens(config: &Config) -> Tokens {
    let text = |secret: &Option<crate::config::Secret>| {
        secret.as_ref().map(|secret| Arc::from(secret.reveal()))
    };
    Tokens { api: text(&config.api_token), app: text(&config.app_token) }
}

fn limits(config: &Config) -> Limits {
    Limits {
        body_bytes: config.body_bytes_max,
        header_bytes: config.header_bytes_max,
        ..Limits::default()
    }
}

fn machine(what: &'static str, error: impl std::fmt::Display) -> Error {
    Error::Machine { what, reason: error.to_string() }
}

/// Waits for the lease and the application, and says that the host is healthy.
struct BecomeHealthy {
    engine: Engine,
    health: Health,
    began: Instant,
}

impl BecomeHealthy {
    async fn run(self, stopping: tokio_util::sync::CancellationToken) {
        if self.health.awaited().contains(&LEASE) {
            tokio::select! {
                biased;
                () = stopping.cancelled() => return,
                () = self.engine.ready() => self.health.up(LEASE),
            }
        }
        tokio::select! {
            biased;
            () = stopping.cancelled() => return,
            () = self.health.ready() => {}
        }
        let elapsed = self.began.elapsed().as_millis();
        tracing::info!("dapr initialized. Status: Running. Init Elapsed {elapsed}ms");
    }
}
