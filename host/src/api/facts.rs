//! What the host tells about itself, as plain values.
//!
//! Both wires show the same facts (`http/metadata.rs` as JSON, `grpc/metadata.rs`
//! as messages); only their dress differs, so none of it is here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use odeon_runtime::store::Capabilities;

use super::Parts;

/// A component as metadata lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Its type, such as `state.redis`.
    pub kind: String,
    /// The version of its type, such as `v1`.
    pub version: String,
    /// What it can do, by Dapr's words.
    pub capabilities: Vec<String>,
}

impl Component {
    /// A component of which there is nothing to say but what it is.
    #[must_use]
    pub fn plain(name: &str, kind: &str, version: &str) -> Self {
        Self {
            name: name.into(),
            kind: kind.into(),
            version: version.into(),
            capabilities: Vec::new(),
        }
    }

    /// A state store; its abilities in Dapr's words, `ACTOR` last when actors may use it.
    #[must_use]
    pub fn state(name: &str, kind: &str, version: &str, can: Capabilities) -> Self {
        let words = [
            (can.etag, "ETAG"),
            (can.transactional, "TRANSACTIONAL"),
            (can.ttl, "TTL"),
            (can.scan, "KEYS_LIKE"),
            (can.etag && can.transactional, "ACTOR"),
        ];
        let has = words.into_iter().filter(|(has, _)| *has);
        let capabilities = has.map(|(_, word)| word.into()).collect();
        Self { capabilities, ..Self::plain(name, kind, version) }
    }
}

/// How the application is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppConnection {
    /// Its port.
    pub port: u16,
    /// `http`, `https`, `h2c`, `grpc` or `grpcs`.
    pub protocol: String,
    /// Its address. Default: `127.0.0.1`.
    pub address: String,
    /// How many requests it takes at once; 0 for no limit.
    pub max_concurrency: u32,
    /// How its health is asked, if it is.
    pub health: Option<AppHealth>,
}

/// How the application's health is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppHealth {
    /// Where; empty for an application that speaks gRPC.
    pub path: String,
    /// How often.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How many misses in a row make it unhealthy.
    pub threshold: u32,
}

/// Whether this host runs actors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostingStatus {
    /// It is not known yet which types the application hosts.
    Initializing,
    /// No placement service is configured.
    Disabled,
    /// Actors can be called, and hosted if the application has any.
    Running,
}

/// A hosted type and how many of its actors are in memory here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorCount {
    /// The type.
    pub actor_type: String,
    /// Activations in memory.
    pub active: usize,
    /// Why it cannot be called although it was offered.
    pub blocked: Option<&'static str>,
}

/// Everything that the metadata endpoint tells, at one moment.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The application's id.
    pub id: String,
    /// `X.Y.Z`.
    pub version: Arc<str>,
    /// Features switched on.
    pub features: Vec<String>,
    /// Hosted types, by name.
    pub actors: Vec<ActorCount>,
    /// Components, in the order in which they were loaded.
    pub components: Vec<Component>,
    /// Texts that were set from outside.
    pub extended: BTreeMap<String, String>,
    /// How the application is reached.
    pub app_connection: Option<AppConnection>,
    /// Whether this host runs actors.
    pub hosting: HostingStatus,
    /// Whether it holds a lease.
    pub is_ready: bool,
    /// Whether a stream to placement is open.
    pub is_connected: bool,
}

impl Facts {
    pub(super) fn collect(parts: &Parts, extended: BTreeMap<String, String>) -> Self {
        let status = parts.engine.status();
        let hosting = match (parts.has_placement, parts.health.is_hosting_known()) {
            (false, _) => HostingStatus::Disabled,
            (true, false) => HostingStatus::Initializing,
            (true, true) => HostingStatus::Running,
        };
        // Callers know the resources of a system type by the type alone.
        let mut by_type: BTreeMap<&str, ActorCount> = BTreeMap::new();
        for one in status.types.iter().filter(|one| one.is_hosted) {
            let name = one.actor_type.public();
            let count = by_type.entry(name).or_insert_with(|| ActorCount {
                actor_type: name.to_owned(),
                active: 0,
                blocked: None,
            });
            count.active += one.active;
            count.blocked = count.blocked.or(one.blocked);
        }
        let actors = by_type.into_values().collect();
        Self {
            id: parts.identity.app.to_string(),
            version: Arc::clone(&parts.identity.version),
            features: parts.features.clone(),
            actors,
            components: parts.components.clone(),
            extended,
            app_connection: parts.app_connection.clone(),
            hosting,
            is_ready: parts.has_placement && !status.lease_left.is_zero(),
            is_connected: parts.has_placement && status.is_placement_connected,
        }
    }

    /// The line about placement, absent until hosting is known.
    #[must_use]
    pub fn placement(&self) -> Option<&'static str> {
        match (self.hosting, self.is_connected) {
            (HostingStatus::Initializing, _) => None,
            (_, true) => Some("placement: connected"),
            (_, false) => Some("placement: disconnected"),
        }
    }
}
