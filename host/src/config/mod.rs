//! The configuration of a host: written texts in, a valid [`Config`] out.
//!
//! Read twice: what was written (`settings`, `source`), then what it means
//! (`reader`, `meaning`). All mistakes come out together. Component files are
//! read by `components`, with `yaml` for exact places. Nobody else in the host
//! reads flags, files or the environment.

pub mod components;
pub mod effective;
pub mod mistakes;
pub mod placement;
pub mod reader;
pub mod settings;
pub mod source;
pub mod token;
pub mod yaml;

mod app;
mod meaning;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use odeon_base::{AppId, Namespace};
use odeon_runtime::Compat;

use crate::channel::http as app_channel;
use crate::logs;

pub use mistakes::{Mistake, Mistakes};
pub use source::{Environment, Given, Source};

/// What a process was started as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `odeon standalone`: placement and host, with a default store.
    Standalone,
    /// `odeon host`: the sidecar of one application.
    Host,
    /// The sidecar, under daprd's name and with its defaults.
    Daprd,
}

/// Where a host's lease and tables come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// From nowhere: there are no actors.
    Off,
    /// From a placement in this very process: the host is a cluster of its own.
    Inside,
    /// From a placement service at one of these addresses, each `name:port`.
    At(Vec<String>),
}

impl Placement {
    /// Whether there are actors.
    #[must_use]
    pub fn is_on(&self) -> bool {
        *self != Self::Off
    }
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The flag that names the port, for messages.
    pub flag: &'static str,
    /// All addresses, with one port.
    pub sockets: Vec<SocketAddr>,
}

impl Listener {
    /// The port; 0 is any free one.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.sockets.first().map_or(0, SocketAddr::port)
    }

    /// The flag that gives the port, and the port.
    pub(crate) fn named(&self) -> (&'static str, u16) {
        (self.flag, self.port())
    }

    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.sockets.iter().all(|socket| socket.ip().to_canonical().is_loopback())
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sockets: Vec<_> = self.sockets.iter().map(ToString::to_string).collect();
        f.write_str(&sockets.join(","))
    }
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for whoever must compare or send it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The settings of a host, valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What the process was started as.
    pub role: Role,
    /// The application's id. Default: `odeon` for standalone, else required.
    pub app_id: AppId,
    /// Whose behaviour counts where ours differs from Dapr's on purpose. Default: ours; for daprd
    /// Dapr's.
    pub compat: Compat,
    /// Whether reminders of types that are hosted elsewhere are managed from here (REM-9).
    /// Default: they are not, as with daprd.
    pub has_open_reminders: bool,
    /// From `NAMESPACE`. Default: `default`.
    pub namespace: Namespace,
    /// How the application is called on its port, if it has one.
    pub app: Option<app_channel::Config>,
    /// The HTTP API. Default: 127.0.0.1:3500.
    pub http: Listener,
    /// The gRPC API. Default: 127.0.0.1:50001.
    pub grpc: Listener,
    /// For calls of other hosts; a standalone host has none. Default: 127.0.0.1, a port that a
    /// restart takes again.
    pub peers: Option<Listener>,
    /// Metrics, unless switched off. Default: 127.0.0.1:9090.
    pub metrics: Option<Listener>,
    /// Folders with component files.
    pub resources: Vec<PathBuf>,
    /// For what must survive a restart. Default: `.odeon`, for a sidecar with the app id below.
    pub data_dir: PathBuf,
    /// Where this host's lease comes from. Default: from inside, for daprd from nowhere.
    pub placement: Placement,
    /// Largest request body in bytes; `None` for no limit. Default: 4 MiB.
    pub body_bytes_max: Option<usize>,
    /// Largest block of request headers in bytes. Default: 4 KiB.
    pub header_bytes_max: usize,
    /// Web pages that may call: empty for none, `*` for all, or a list with commas.
    pub allowed_origins: String,
    /// How long a stop may take before it is forced. Default: 5 s.
    pub shutdown_limit: Duration,
    /// Level and form of the logs.
    pub logs: logs::Config,
    /// From `DAPR_API_TOKEN`: what callers must show.
    pub api_token: Option<Secret>,
    /// From `APP_API_TOKEN`: what the application is shown.
    pub app_token: Option<Secret>,
    /// From a file or `ODEON_CLUSTER_TOKEN`: what placement and hosts are shown. Default: nothing.
    pub cluster_token: Option<Secret>,
}

#[cfg(test)]
mod tests;
