//! The settings of a placement service: their table, and what they mean together.
//!
//! Names and defaults are those of Dapr's placement where it has the setting; ours stand
//! beside them. As with a host's, every mistake comes out at once and nothing is opened.
//! What the times mean is in `odeon_placement::Config`.

use std::path::PathBuf;
use std::time::Duration;

use odeon_placement::KeepAlive;

use super::meaning::{listener, read_logs};
use super::mistakes::Mistakes;
use super::reader::Reader;
use super::settings::{
    ADDRESS, NUMBER, PORT, SWITCH, Setting, Shape, TEXT, honoured, ignored, refused,
};
use super::source::{Environment, Source};
use super::{Listener, Secret, token};
use crate::logs;

/// Folder for data, below the working directory: an application id has no dot, so that no
/// host has its data there by default.
const DATA_FOLDER: &str = ".odeon/.placement";
/// Says, as the flag `--metadata-enabled`, whether state may be read. Source: Dapr.
const METADATA: &str = "DAPR_PLACEMENT_METADATA_ENABLED";
/// Shorter leases than this would be renewed faster than a busy machine can.
const LEASE_MIN: Duration = Duration::from_millis(100);
const TIME: Shape = Shape::Value("TIME");
const FILE: Shape = Shape::Value("FILE");

/// All settings, in the order in which help and documentation show them.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    honoured("port", PORT, "50005", "Port that hosts join at; 0 takes any free one"),
    honoured("listen-address", ADDRESS, "127.0.0.1", "Address of that port (Dapr's default is all); beyond loopback a cluster token is needed"),
    honoured("healthz-port", PORT, "8080", "Port of health, state and metrics; 0 takes any free one"),
    honoured("healthz-listen-address", ADDRESS, "127.0.0.1", "Address of that port (Dapr's default is all)"),
    honoured("data-dir", Shape::Value("DIR"), DATA_FOLDER, "Folder for what must survive a restart"),
    honoured(token::FILE, FILE, "", "File with the token that hosts must show; else the variable ODEON_CLUSTER_TOKEN"),
    honoured("id", TEXT, "dapr-placement-0", "Its name in logs"),
    honoured("lease", TIME, "5s", "How long a host may run turns after it renewed; a crash is noticed after 1.1 of it"),
    honoured("drain-limit", TIME, "60s", "When a turn whose actor has to move is cut at the latest"),
    honoured("window", TIME, "50ms", "How long a change of membership waits for others, so that one table tells them all"),
    honoured("window-max", TIME, "500ms", "How long it waits at most while others keep coming"),
    honoured("expiry-window", TIME, "50ms", "How long the end of a host waits at most"),
    honoured("new-cluster", SWITCH, "false", "With a new data folder, begin at once: no host has a lease of a placement whose folder was lost"),
    honoured("disseminate-coalesce-window", TIME, "", "As --window, which wins; Dapr's name"),
    honoured("keepalive-time", TIME, "2s", "How often a silent host is asked whether it is there, 1s to 10s"),
    honoured("keepalive-timeout", TIME, "3s", "How long its answer may take, 1s to 10s"),
    honoured("metadata-enabled", SWITCH, "", "Show state on the health port; by default only on a loopback address"),
    honoured("enable-metrics", SWITCH, "true", "Serve metrics in Prometheus' text form"),
    honoured("metrics-port", PORT, "", "Port of the metrics, 0 for any free one; by default they are on the health port"),
    honoured("metrics-listen-address", ADDRESS, "127.0.0.1", "Address of the metrics' own port (Dapr's default is all)"),
    honoured("log-level", TEXT, "info", "debug, info, warn, error or fatal"),
    honoured("log-as-json", SWITCH, "false", "Write logs as JSON"),
    honoured("log-style", TEXT, "", "text (Dapr's form), json, or plain (for people; the default on a terminal)"),
    honoured("mode", TEXT, "standalone", "Only standalone"),
    ignored("inmem-store-enabled", SWITCH, "Term and roster are always kept in the data folder"),
    ignored("raft-logstore-path", Shape::Value("DIR"), "Term and roster are kept in the data folder"),
    ignored("disseminate-timeout", TIME, "No host waits for another to acknowledge; see --drain-limit"),
    ignored("trust-domain", TEXT, "There is no certificate authority"),
    ignored("trust-anchors-file", FILE, "There is no certificate authority"),
    ignored("sentry-address", ADDRESS, "There is no certificate authority"),
    ignored("max-api-level", NUMBER, "Tolerated, as Dapr does"),
    ignored("min-api-level", NUMBER, "Tolerated, as Dapr does"),
    ignored("initial-cluster", Shape::List("ID=ADDRESS"), "One placement process is a cluster; several are refused"),
    refused("tls-enabled", SWITCH, &["false"], "listen on loopback, or give a cluster token and a network that nobody else hears: leave it out"),
    refused("replicationFactor", NUMBER, &["100"], "each host has 100 places on a ring: leave it out"),
    refused("log-file", FILE, &[], "send standard output to the file"),
];

/// Where metrics are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Metrics {
    /// Nowhere.
    Off,
    /// On the health port.
    WithHealth,
    /// On a port of their own.
    Own(Listener),
}

/// The settings of a placement service, valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Its name in logs. Default: `dapr-placement-0`.
    pub id: String,
    /// Where hosts join. Default: 127.0.0.1:50005.
    pub grpc: Listener,
    /// Health, state and, unless they have a port of their own, metrics. Default: 127.0.0.1:8080.
    pub health: Listener,
    /// Default: on the health port.
    pub metrics: Metrics,
    /// Whether the health port shows who is there and who owns what. Default: on loopback.
    pub is_state_shown: bool,
    /// For what must survive a restart. Default: `.odeon/.placement`.
    pub data_dir: PathBuf,
    /// What hosts have to show. Default: nothing.
    pub token: Option<Secret>,
    /// Lease, limits and windows.
    pub service: odeon_placement::Config,
    /// How it is noticed that a host's machine is gone.
    pub keep_alive: KeepAlive,
    /// Level and form of the logs.
    pub logs: logs::Config,
}

impl Config {
    /// Reads what was written for a placement service.
    ///
    /// # Errors
    /// Every mistake found, each with its place.
    pub fn read(written: &dyn Source, environment: &Environment) -> Result<Self, Mistakes> {
        let mut reader = Reader::of(SETTINGS, written);
        reader.refuse_what_is_missing();
        if reader.text("mode") != "standalone" {
            reader.refuse("mode", "this release knows only standalone");
        }
        if reader.list("initial-cluster").len() > 1 {
            let text = "several placement processes are named, and this release runs one: name one, or none";
            reader.refuse("initial-cluster", text);
        }
        let mut mistakes = Mistakes::new();
        let health = listener(&mut reader, "healthz-port", "healthz-listen-address");
        let config = Self {
            id: reader.text("id"),
            grpc: listener(&mut reader, "port", "listen-address"),
            metrics: read_metrics(&mut reader),
            is_state_shown: is_state_shown(&mut reader, environment, &health),
            health,
            data_dir: PathBuf::from(reader.filled("data-dir")),
            token: token::read(&mut reader, environment, &mut mistakes),
            service: read_service(&mut reader),
            keep_alive: read_keep_alive(&mut reader),
            logs: read_logs(&mut reader),
        };
        refuse_open_door(&mut reader, &config);
        refuse_shared_ports(&mut reader, &config);
        mistakes.extend(reader.finish());
        mistakes.or(config)
    }

    /// The settings in force as one line, in the words of the flags; secrets masked.
    #[must_use]
    pub fn describe(&self) -> String {
        let odeon_placement::Config { lease, drain_limit, window, window_max, .. } = self.service;
        let metrics = match &self.metrics {
            Metrics::Off => "off".to_owned(),
            Metrics::WithHealth => "healthz".to_owned(),
            Metrics::Own(listener) => listener.to_string(),
        };
        let token =
            self.token.as_ref().map_or_else(String::new, |t| format!(" cluster-token={t:?}"));
        format!(
            "id={} port={} healthz={} metrics={metrics} data-dir={} lease={lease:?} \
             drain-limit={drain_limit:?} window={window:?} window-max={window_max:?}{token}",
            self.id,
            self.grpc,
            self.health,
            self.data_dir.display(),
        )
    }
}

fn read_metrics(reader: &mut Reader<'_>) -> Metrics {
    let is_on = reader.is_on("enable-metrics");
    let listener = listener(reader, "metrics-port", "metrics-listen-address");
    match (is_on, reader.text("metrics-port").is_empty()) {
        (false, _) => Metrics::Off,
        (true, true) => Metrics::WithHealth,
        (true, false) => Metrics::Own(listener),
    }
}

/// Hosts' addresses are nobody's business beyond this machine, unless the operator says so.
fn is_state_shown(reader: &mut Reader<'_>, environment: &Environment, health: &Listener) -> bool {
    const FLAG: &str = "metadata-enabled";
    if !reader.text(FLAG).is_empty() {
        return reader.is_on(FLAG);
    }
    match environment.get(METADATA).filter(|text| !text.is_empty()) {
        // Source: Dapr takes these words for true, and all others for false.
        Some(text) => {
            ["y", "yes", "true", "t", "on", "1"].contains(&text.to_ascii_lowercase().as_str())
        }
        None => health.is_loopback(),
    }
}

fn read_service(reader: &mut Reader<'_>) -> odeon_placement::Config {
    let default = odeon_placement::Config::default();
    let coalesce = reader.duration("disseminate-coalesce-window").filter(|time| !time.is_zero());
    let window = reader.duration("window").unwrap_or(default.window);
    let window = match coalesce {
        Some(time) if !reader.is_given("window") => time,
        _ => window,
    };
    // Whoever asks for a longer window alone wants it to be waited for.
    let window_max = reader.duration("window-max").unwrap_or(default.window_max);
    let window_max =
        if reader.is_given("window-max") { window_max } else { window_max.max(window) };
    if window > window_max {
        let text = format!("{window:?} is more than the {window_max:?} of --window-max");
        reader.refuse("window", text);
    }
    let lease = reader.duration("lease").unwrap_or(default.lease);
    if lease < LEASE_MIN {
        reader.refuse("lease", format!("{lease:?} is less than {LEASE_MIN:?}"));
    }
    odeon_placement::Config {
        lease,
        drain_limit: reader.duration("drain-limit").unwrap_or(default.drain_limit),
        window,
        window_max,
        expiry_window: reader.duration("expiry-window").unwrap_or(default.expiry_window),
        is_new_cluster: reader.is_on("new-cluster"),
        ..default
    }
}

fn read_keep_alive(reader: &mut Reader<'_>) -> KeepAlive {
    let mut time = |name| {
        let time = reader.duration(name).unwrap_or_default();
        // Source: Dapr's placement refuses others.
        if !(Duration::from_secs(1)..=Duration::from_secs(10)).contains(&time) {
            reader.refuse(name, format!("{time:?} is not a time from 1s to 10s"));
        }
        time
    };
    KeepAlive { interval: time("keepalive-time"), timeout: time("keepalive-timeout") }
}

/// Source: decisions.md, "Open doors, closed by default".
fn refuse_open_door(reader: &mut Reader<'_>, config: &Config) {
    if config.token.is_none() && !config.grpc.is_loopback() {
        let text = format!(
            "{} can be reached from other machines, so hosts have to show a cluster token: set \
             {} or give --{}, or listen on 127.0.0.1",
            config.grpc,
            token::VARIABLE,
            token::FILE
        );
        reader.refuse("listen-address", text);
    }
}

fn refuse_shared_ports(reader: &mut Reader<'_>, config: &Config) {
    let metrics = match &config.metrics {
        Metrics::Own(listener) => Some(listener),
        Metrics::Off | Metrics::WithHealth => None,
    };
    let servers = [Some(&config.grpc), Some(&config.health), metrics];
    super::meaning::refuse_shared_ports(reader, servers.into_iter().flatten().map(Listener::named));
}

#[cfg(test)]
#[path = "placement_tests.rs"]
mod tests;
