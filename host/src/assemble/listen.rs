//! Ports: bound before anything else is begun, served when all is there.
//!
//! Binding first makes a port that is in use the first thing that is said, and
//! lets a caller who is early wait instead of being refused.

use std::net::SocketAddr;

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
    /// Metrics; empty when they are off.
    pub metrics: Vec<SocketAddr>,
}

/// Sockets that listen and are not served yet.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) http: Vec<TcpListener>,
    pub(super) grpc: Vec<TcpListener>,
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
        let (metrics, metrics_at) = match &config.metrics {
            Some(listener) => bind(listener).await?,
            None => Default::default(),
        };
        let addresses = Addresses { http: http_at, grpc: grpc_at, metrics: metrics_at };
        Ok(Self { http, grpc, metrics, addresses })
    }
}

async fn bind(wanted: &Listener) -> Result<(Vec<TcpListener>, Vec<SocketAddr>), Error> {
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
