//! What the written settings of a host mean together.
//!
//! Takes texts from a [`Source`] and yields a [`Config`], or every mistake at
//! once. It opens nothing: whether a port is free or a folder can be had shows
//! when the host is assembled.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use odeon_base::{AppId, Namespace};
use odeon_runtime::Compat;

use super::app;
use super::mistakes::{Mistake, Mistakes};
use super::reader::{Reader, parse_quantity};
use super::source::{Environment, Source};
use super::{Config, Listener, Placement, Role, Secret, token};
use crate::logs;

/// The application id of a standalone host that was given none.
const STANDALONE_APP: &str = "odeon";
/// Folder for data, below the working directory.
const DATA_FOLDER: &str = ".odeon";
/// Where placement listens unless told otherwise. Source: Dapr.
const PLACEMENT_PORT: u16 = 50005;
/// Largest request body unless told otherwise. Source: daprd, `--max-body-size`.
const BODY_BYTES: usize = 4 << 20;
/// Largest block of headers unless told otherwise. Source: daprd, `--read-buffer-size`.
const HEADER_BYTES: usize = 4 << 10;

impl Config {
    /// Reads what was written for a host in its role.
    ///
    /// # Errors
    /// Every mistake found, each with its place.
    pub fn read(
        role: Role,
        written: &dyn Source,
        environment: &Environment,
    ) -> Result<Self, Mistakes> {
        let mut reader = Reader::new(written);
        reader.refuse_what_is_missing();
        if reader.text("mode") != "standalone" {
            reader.refuse("mode", "this release knows only standalone");
        }
        let app_id = read_app_id(role, &mut reader);
        let mut mistakes = Mistakes::new();
        let body_bytes_max = read_body_limit(&mut reader);
        let config = Self {
            role,
            data_dir: read_data_dir(role, &reader, &app_id),
            app_id,
            compat: read_compat(role, &mut reader),
            has_open_reminders: reader.is_on("open-reminders"),
            namespace: read_namespace(environment, &mut mistakes),
            app: app::read(&mut reader, body_bytes_max),
            http: listener(&mut reader, "dapr-http-port", "dapr-listen-addresses"),
            grpc: listener(&mut reader, "dapr-grpc-port", "dapr-listen-addresses"),
            peers: read_peers(role, &mut reader),
            metrics: read_metrics(&mut reader),
            resources: read_resources(&reader),
            placement: read_placement(role, &mut reader),
            cluster_token: token::read(&mut reader, environment, &mut mistakes),
            body_bytes_max,
            header_bytes_max: read_header_limit(&mut reader),
            allowed_origins: reader.text("allowed-origins"),
            shutdown_limit: reader.seconds("dapr-graceful-shutdown-seconds").unwrap_or_default(),
            logs: read_logs(&mut reader),
            api_token: secret(environment, "DAPR_API_TOKEN"),
            app_token: secret(environment, "APP_API_TOKEN"),
        };
        let peers = config.peers.as_ref();
        let servers = [Some(&config.http), Some(&config.grpc), peers, config.metrics.as_ref()];
        let servers = servers.into_iter().flatten().map(Listener::named);
        let app = config.app.as_ref().map(|app| ("app-port", app.port));
        refuse_shared_ports(&mut reader, app.into_iter().chain(servers));
        refuse_open_peers(&mut reader, &config);
        mistakes.extend(reader.finish());
        mistakes.or(config)
    }
}

fn read_app_id(role: Role, reader: &mut Reader<'_>) -> AppId {
    let fallback = AppId::parse(STANDALONE_APP).expect("the constant is an acceptable id");
    let text = reader.text("app-id");
    if text.is_empty() {
        if role != Role::Standalone {
            reader.refuse("app-id", "a host needs the id of its application: --app-id NAME");
        }
        return fallback;
    }
    if text.contains('.') {
        // Source: daprd in standalone mode; a dot would separate the namespace from the id.
        reader.refuse("app-id", format!("'{text}' contains a dot, which an app id must not"));
        return fallback;
    }
    AppId::parse(&text).unwrap_or_else(|error| {
        reader.refuse("app-id", error.to_string());
        fallback
    })
}

/// Under daprd's name it is implied: who starts that wants what it does.
fn read_compat(role: Role, reader: &mut Reader<'_>) -> Compat {
    let dapr = Compat::Dapr;
    let expected = "dapr, the only value there is";
    let written = reader.parse("compat", expected, |text| (text == dapr.name()).then_some(dapr));
    let implied = if role == Role::Daprd { dapr } else { Compat::default() };
    written.unwrap_or(implied)
}

fn read_data_dir(role: Role, reader: &Reader<'_>, app_id: &AppId) -> PathBuf {
    match (reader.text("data-dir"), role) {
        (text, _) if !text.is_empty() => PathBuf::from(text),
        (_, Role::Standalone) => PathBuf::from(DATA_FOLDER),
        // Sidecars of several applications start in one folder.
        (_, Role::Host | Role::Daprd) => PathBuf::from(DATA_FOLDER).join(app_id.as_str()),
    }
}

pub(super) fn listener(
    reader: &mut Reader<'_>,
    port: &'static str,
    addresses: &'static str,
) -> Listener {
    let number = reader.port(port).unwrap_or_default();
    let mut addresses = reader.addresses(addresses);
    if addresses.is_empty() {
        addresses.push(IpAddr::from([127, 0, 0, 1]));
    }
    let sockets = addresses.into_iter().map(|address| SocketAddr::new(address, number)).collect();
    Listener { flag: port, sockets }
}

/// A standalone host is all of its cluster, and nobody calls it from outside.
fn read_peers(role: Role, reader: &mut Reader<'_>) -> Option<Listener> {
    let wanted = listener(reader, "dapr-internal-grpc-port", "dapr-internal-grpc-listen-address");
    (role != Role::Standalone).then_some(wanted)
}

/// Whoever reaches a host there could call all of its actors.
fn refuse_open_peers(reader: &mut Reader<'_>, config: &Config) {
    let is_open = config.peers.as_ref().is_some_and(|peers| !peers.is_loopback());
    if is_open && config.cluster_token.is_none() {
        reader.refuse(
            "dapr-internal-grpc-listen-address",
            format!(
                "other machines can reach it there, so hosts have to show each other a cluster \
                 token: set {} or give --{}",
                token::VARIABLE,
                token::FILE
            ),
        );
    }
}

fn read_metrics(reader: &mut Reader<'_>) -> Option<Listener> {
    let listener = listener(reader, "metrics-port", "metrics-listen-address");
    reader.is_on("enable-metrics").then_some(listener)
}

fn read_resources(reader: &Reader<'_>) -> Vec<PathBuf> {
    let mut folders = reader.list("resources-path");
    if folders.is_empty() {
        folders = reader.list("components-path");
    }
    folders.into_iter().map(PathBuf::from).collect()
}

/// Source: daprd disables actors when it is given no address of a placement service.
fn read_placement(role: Role, reader: &mut Reader<'_>) -> Placement {
    const FLAG: &str = "placement-host-address";
    let written = reader.list(FLAG);
    if written.is_empty() {
        return match role {
            Role::Standalone | Role::Host if !reader.is_given(FLAG) => Placement::Inside,
            Role::Standalone | Role::Host | Role::Daprd => Placement::Off,
        };
    }
    if role == Role::Standalone {
        let text = "a standalone host has its placement inside; start one that joins others by \
                    their placement's address as 'odeon host'";
        reader.refuse(FLAG, text);
    }
    let mut addresses = Vec::new();
    for text in written {
        match placement_address(&text) {
            Some(address) => addresses.push(address),
            None => {
                reader.refuse(FLAG, format!("'{text}' is not an address such as localhost:50005"));
            }
        }
    }
    Placement::At(addresses)
}

/// `name:port`; the port is placement's own where none is written, as with `dapr run`.
fn placement_address(text: &str) -> Option<String> {
    let is_name = |name: &str| {
        !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || "/?#@".contains(c))
    };
    let bare = text.starts_with('[') && text.ends_with(']');
    match text.rsplit_once(':').filter(|_| !bare) {
        Some((name, port)) => {
            let has_port = port.parse::<u16>().is_ok_and(|port| port > 0);
            // The colons of an IPv6 address belong between brackets.
            let is_one = !name.contains(':') || (name.starts_with('[') && name.ends_with(']'));
            (has_port && is_one && is_name(name)).then(|| text.to_owned())
        }
        None => is_name(text).then(|| format!("{text}:{PLACEMENT_PORT}")),
    }
}

fn read_body_limit(reader: &mut Reader<'_>) -> Option<usize> {
    let new = ("max-body-size", "a size such as 16Mi");
    let old = ("dapr-http-max-request-size", "a number of MiB", 1 << 20);
    match read_size(reader, new, old) {
        Some(0) => None,
        Some(bytes) => Some(bytes),
        None => Some(BODY_BYTES),
    }
}

fn read_header_limit(reader: &mut Reader<'_>) -> usize {
    let new = ("read-buffer-size", "a size such as 8Ki");
    let old = ("dapr-http-read-buffer-size", "a number of KiB", 1 << 10);
    read_size(reader, new, old).filter(|bytes| *bytes > 0).unwrap_or(HEADER_BYTES)
}

/// A size in bytes by its flag, or by the deprecated one that counts in a unit;
/// nothing for -1, which asks for the default.
fn read_size(
    reader: &mut Reader<'_>,
    (new, a_size): (&'static str, &str),
    (old, a_number, unit): (&'static str, &str, u64),
) -> Option<usize> {
    let size = reader.parse(new, a_size, |text| match text {
        "-1" => Some(None),
        _ => parse_quantity(text).map(Some),
    });
    let number = reader.parse(old, a_number, |text| match text {
        "-1" => Some(None),
        _ => text.parse::<u64>().ok()?.checked_mul(unit).map(Some),
    });
    let written = if reader.is_given(new) { size } else { number.or(size) };
    written.flatten().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
}

pub(super) fn read_logs(reader: &mut Reader<'_>) -> logs::Config {
    let level = reader.parse("log-level", "debug, info, warn, error or fatal", logs::Level::parse);
    let style = reader.parse("log-style", "text, json or plain", logs::Style::parse);
    let style = if reader.is_on("log-as-json") { Some(logs::Style::Json) } else { style };
    logs::Config { level: level.unwrap_or_default(), style }
}

fn read_namespace(environment: &Environment, mistakes: &mut Mistakes) -> Namespace {
    let text = environment.get("NAMESPACE").filter(|text| !text.is_empty());
    let Some(text) = text else { return Namespace::default() };
    Namespace::parse(text).unwrap_or_else(|error| {
        mistakes.push(Mistake::new(environment.place("NAMESPACE"), error.to_string()));
        Namespace::default()
    })
}

fn secret(environment: &Environment, name: &str) -> Option<Secret> {
    environment.get(name).filter(|text| !text.is_empty()).map(Secret::new)
}

/// Two servers cannot share a port; said here, because the system's own words for
/// it would accuse another process.
pub(super) fn refuse_shared_ports(
    reader: &mut Reader<'_>,
    ports: impl IntoIterator<Item = (&'static str, u16)>,
) {
    let mut taken: Vec<(&'static str, u16)> = Vec::new();
    for (flag, port) in ports.into_iter().filter(|(_, port)| *port != 0) {
        match taken.iter().find(|(_, other)| *other == port) {
            Some((first, _)) => {
                reader.refuse(
                    flag,
                    format!("{port} is also the port of --{first}; give one another"),
                );
            }
            None => taken.push((flag, port)),
        }
    }
}
