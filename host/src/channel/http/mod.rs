//! An application that is called on its port: Dapr's app channel, HTTP/1.1 or h2c.
//!
//! `life` waits for the port, asks which types the application hosts and offers them for
//! as long as it is there, or healthy (`health`); `actors` is the engine's `Behaviour` of
//! all of them. `request` writes requests and reads answers, `config` reads what the
//! application hosts, `pool` keeps connections and knows what went out, `late` what was
//! left behind there, `dial` is the way to the port. Source: http-api.md 8.8 and 19.

mod actors;
mod config;
mod dial;
mod health;
mod late;
mod life;
mod pool;
mod request;

use std::sync::Arc;
use std::time::Duration;

use ::http::uri::Authority;
use odeon_base::Tasks;
use odeon_runtime::{Engine, TypeConfig};
use tokio::sync::{Notify, Semaphore};

use crate::api::Health;

pub use dial::{Dial, Io};
pub use pool::Protocol;

/// How an application is called on its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Its machine. Default: `127.0.0.1`. Source: `--app-channel-address`.
    pub address: String,
    /// Its port. Source: `--app-port`.
    pub port: u16,
    /// What it speaks. Default: HTTP/1.1. Source: `--app-protocol`.
    pub protocol: Protocol,
    /// How many requests it is sent at once; default: no limit. Beyond it turns wait.
    /// Source: `--app-max-concurrency`.
    pub requests_max: Option<u32>,
    /// How its health is asked; default: not. Source: `--enable-app-health-check`.
    pub probe: Option<Probe>,
    /// Whether it is asked which types it hosts. Default: yes.
    /// Source: `--disable-init-endpoints`.
    pub asks_config: bool,
    /// Largest answer that is read, in bytes; `None` for no limit. Source: `--max-body-size`.
    pub body_bytes_max: Option<usize>,
}

impl Config {
    /// An application on a port of this machine, with defaults for all else.
    #[must_use]
    pub fn new(port: u16) -> Self {
        Self {
            address: "127.0.0.1".to_owned(),
            port,
            protocol: Protocol::default(),
            requests_max: None,
            probe: None,
            asks_config: true,
            body_bytes_max: Some(4 << 20),
        }
    }
}

/// How the health of an application is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Default: `/healthz`. Source: `--app-health-check-path`.
    pub path: String,
    /// Default: 5 s. Source: `--app-health-probe-interval`.
    pub interval: Duration,
    /// Default: 500 ms. Source: `--app-health-probe-timeout`.
    pub timeout: Duration,
    /// Misses in a row that make it unhealthy. Default: 3. Source: `--app-health-threshold`.
    pub threshold: u32,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            path: "/healthz".to_owned(),
            interval: Duration::from_secs(5),
            timeout: Duration::from_millis(500),
            threshold: 3,
        }
    }
}

/// What an application's channel stands on; filled in by the assembly.
#[derive(Debug)]
pub struct Parts {
    /// Runs the actors.
    pub engine: Engine,
    /// Told when the application has said what it hosts.
    pub health: Health,
    /// What of `health` waits for the application.
    pub awaited: &'static str,
    /// Owner of everything that is started.
    pub tasks: Tasks,
    /// What a type gets that sets nothing.
    pub defaults: TypeConfig,
    /// Whether types are offered at all: not without placement.
    pub has_placement: bool,
    /// The application's id.
    pub app_id: String,
    /// What it is shown as `dapr-api-token`.
    pub token: Option<Arc<str>>,
}

/// An application on a port. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    parts: Parts,
    pool: Arc<pool::Pool>,
    writer: request::Writer,
    late: Arc<late::Late>,
    slots: Option<Arc<Semaphore>>,
    /// Told when the application could not be reached.
    trouble: Notify,
}

impl App {
    /// The application that the settings name.
    #[must_use]
    pub fn new(config: Config, parts: Parts) -> Self {
        let tcp = dial::Tcp { address: config.address.clone(), port: config.port };
        Self::over(Arc::new(tcp), config, parts)
    }

    /// The same, reached in another way.
    #[must_use]
    pub fn over(dial: Arc<dyn Dial>, config: Config, parts: Parts) -> Self {
        let (address, port) = (&config.address, config.port);
        let authority = match address.contains(':') {
            true => format!("[{address}]:{port}"),
            false => format!("{address}:{port}"),
        };
        // An address that cannot be in a URL shows when it is dialled.
        let authority =
            Authority::try_from(authority).unwrap_or_else(|_| Authority::from_static("localhost"));
        let token = parts.token.as_ref();
        let writer = request::Writer::new(authority, config.protocol, &parts.app_id, token);
        let pool = Arc::new(pool::Pool::new(dial, config.protocol, parts.tasks.clone()));
        let slots = config.requests_max.map(|max| Arc::new(Semaphore::new(max as usize)));
        let late = Arc::default();
        Self(Arc::new(Inner { config, parts, pool, writer, late, slots, trouble: Notify::new() }))
    }
}
