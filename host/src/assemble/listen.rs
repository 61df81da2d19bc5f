//! Ports: bound before anything else is begun, served when all is there.
//!
//! Binding first makes a port that is in use the first thing that is said, and
//! lets a caller who is early wait instead of being refused.

use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};

use odeon_base::{TaskKind, Tasks};
use tokio::net::TcpListener;

use super::Error;
use crate::config::{Config, Listener};
use crate::http::Protocol;

/// Where a host can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addresses {
    /// The HTTP API.
    pub http: Vec<SocketAddr>,
    /// The gRPC API.
    pub grpc: Vec<SocketAddr>,
    /// Calls of other hosts; empty when there can be none.
    pub peers: Vec<SocketAddr>,
    /// Metrics; empty when they are off.
    pub metrics: Vec<SocketAddr>,
}

/// Sockets that listen and are not served yet.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) http: Vec<TcpListener>,
    pub(super) grpc: Vec<TcpListener>,
    pub(super) peers: Vec<TcpListener>,
    pub(super) metrics: Vec<TcpListener>,
    pub(super) addresses: Addresses,
}

impl Bound {
    /// Binds all ports of a configuration.
    ///
    /// # Errors
    /// [`Error::Listen`] for the first that cannot be had.
    pub(super) async fn bind(config: &Config) -> Result<Self, Error> {
        let (http, http_at) = bind(&config.http).await?;
        let (grpc, grpc_at) = bind(&config.grpc).await?;
        let (peers, peers_at) = match &config.peers {
            Some(listener) if config.placement.is_on() => bind_peers(listener, config).await?,
            Some(_) | None => Default::default(),
        };
        let (metrics, metrics_at) = match &config.metrics {
            Some(listener) => bind(listener).await?,
            None => Default::default(),
        };
        let addresses =
            Addresses { http: http_at, grpc: grpc_at, peers: peers_at, metrics: metrics_at };
        Ok(Self { http, grpc, peers, metrics, addresses })
    }
}

/// Other hosts know this one by this address: where none is asked for, the one that it had
/// before is tried first, so that the host owns again what it owned before a restart.
async fn bind_peers(
    wanted: &Listener,
    config: &Config,
) -> Result<(Vec<TcpListener>, Vec<SocketAddr>), Error> {
    if wanted.port() == 0 {
        let mut usual = wanted.clone();
        let port = usual_port(config);
        usual.sockets.iter_mut().for_each(|socket| socket.set_port(port));
        if let Ok(bound) = bind(&usual).await {
            return Ok(bound);
        }
    }
    bind(wanted).await
}

/// Second handles on sockets, so that the kernel listens on for as long as these are kept,
/// whatever becomes of those who accept: a port that refuses proves that the host has ended.
pub(super) fn keep(listeners: &[TcpListener]) -> std::io::Result<Vec<OwnedFd>> {
    listeners.iter().map(|listener| listener.as_fd().try_clone_to_owned()).collect()
}

/// The same port for the same application and data folder on the same machine, from the range
/// that daprd uses. Source: cli-and-env.md 4; it hashes other things, which nobody can see.
fn usual_port(config: &Config) -> u16 {
    const FIRST: u16 = 47_300;
    let data = config.data_dir.canonicalize().unwrap_or_else(|_| config.data_dir.clone());
    let system = rustix::system::uname();
    let parts = [
        config.app_id.as_str().as_bytes(),
        data.as_os_str().as_encoded_bytes(),
        system.nodename().to_bytes(),
    ];
    // FNV-1a.
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in parts.join(&b'|') {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let offset = hash % u64::from(u16::MAX - FIRST);
    FIRST + u16::try_from(offset).unwrap_or_default()
}

pub(super) async fn bind(wanted: &Listener) -> Result<(Vec<TcpListener>, Vec<SocketAddr>), Error> {
    let mut listeners = Vec::new();
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in &wanted.sockets {
        // With any free port, the other addresses take the one that the first was given.
        let mut address = *address;
        if let Some(first) = addresses.first().filter(|_| address.port() == 0) {
            address.set_port(first.port());
        }
        let refused = |source| Error::Listen { flag: wanted.flag, address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        addresses.push(listener.local_addr().map_err(refused)?);
        listeners.push(listener);
    }
    Ok((listeners, addresses))
}

/// Serves each listener in a task of its own.
pub(super) fn serve<S, B>(
    listeners: Vec<TcpListener>,
    protocol: Protocol,
    service: &S,
    tasks: &Tasks,
) where
    S: hyper::service::Service<
            http::Request<hyper::body::Incoming>,
            Response = http::Response<B>,
            Error = std::convert::Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + 'static,
    B: http_body::Body<Data = bytes::Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static,
{
    for listener in listeners {
        let serving = crate::http::serve(listener, protocol, service.clone(), tasks.clone());
        tasks.spawn(TaskKind::Listener, serving);
    }
}
