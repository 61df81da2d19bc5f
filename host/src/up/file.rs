//! What may be written in a run file: a superset of Dapr's multi-app run file.
//!
//! Version, `common`, `apps` and their fields are Dapr's; `placement`, `hosts`, `show`,
//! and an app's `host`, `build` and `actorTypes` are ours. A field that is none of
//! these is a mistake. What the fields mean together is decided in `plan`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::config::yaml::{Scalar, Spanned};

/// A run file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct File {
    /// The version of the format: 1.
    pub version: Spanned<u32>,
    /// What the whole is called. Default: the name of the file's folder.
    #[serde(default)]
    pub name: Option<String>,
    /// What holds for every app that does not say otherwise.
    #[serde(default)]
    pub common: Option<App>,
    /// The placement service that the hosts join; without it each has its own.
    #[serde(default, deserialize_with = "written")]
    pub placement: Option<Placement>,
    /// Hosts that apps share.
    #[serde(default)]
    pub hosts: Vec<Host>,
    /// The applications.
    #[serde(default)]
    pub apps: Vec<App>,
    /// Commands to show when all is ready.
    #[serde(default)]
    pub show: Vec<Spanned<String>>,
}

/// A field without anything behind it is there all the same: all of it is default.
fn written<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Placement>, D::Error> {
    Ok(Some(Option::deserialize(from)?.unwrap_or_default()))
}

/// A placement service.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Placement {
    /// Port that hosts join at; a free one by default.
    #[serde(default)]
    pub port: Option<Spanned<u16>>,
    /// Port of its health, state and metrics; a free one by default.
    #[serde(default)]
    pub healthz_port: Option<Spanned<u16>>,
    /// Folder for what must survive a restart, relative to the file. Default: `.odeon/.placement`.
    #[serde(default)]
    pub data_dir: Option<String>,
    /// How long a host may run turns after it renewed. Default: that of `odeon placement`.
    #[serde(default)]
    pub lease: Option<String>,
    /// Which log lines are shown. Default: warn.
    #[serde(default)]
    pub log_level: Option<String>,
    /// Variables of its process.
    #[serde(default)]
    pub env: BTreeMap<String, Scalar>,
}

/// What a shared host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HostKind {
    /// Placement and host in one process.
    Standalone,
    /// One of the hosts that the file's placement knows.
    Host,
}

/// A host that apps share.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Host {
    /// Its name in this file.
    pub name: Spanned<String>,
    /// What it is. Default: a host of the file's placement if there is one, else standalone.
    #[serde(default)]
    pub kind: Option<Spanned<HostKind>>,
    /// How many of it there are, with one data folder between them. Default: 1.
    #[serde(default)]
    pub replicas: Option<Spanned<u16>>,
    /// The id of its application. Default: its name.
    #[serde(default, rename = "appID")]
    pub app_id: Option<String>,
    /// Port of the HTTP API; a free one by default.
    #[serde(default, rename = "daprHTTPPort")]
    pub http_port: Option<Spanned<u16>>,
    /// Port of the gRPC API; a free one by default.
    #[serde(default, rename = "daprGRPCPort")]
    pub grpc_port: Option<Spanned<u16>>,
    /// Port of the metrics; a free one by default.
    #[serde(default)]
    pub metrics_port: Option<Spanned<u16>>,
    /// Folder for what must survive a restart, relative to the file. Default: `.odeon/<name>`.
    #[serde(default)]
    pub data_dir: Option<String>,
    /// Folders with component files, relative to the file.
    #[serde(default)]
    pub resources_paths: Vec<String>,
    /// Which log lines are shown. Default: warn.
    #[serde(default)]
    pub log_level: Option<String>,
    /// Whose behaviour counts; handed on as it is. Default: ours.
    #[serde(default)]
    pub compat: Option<Scalar>,
    /// Whether reminders of types that others host are managed; handed on as it is. Default: no.
    #[serde(default)]
    pub open_reminders: Option<Scalar>,
    /// Variables of its process.
    #[serde(default)]
    pub env: BTreeMap<String, Scalar>,
}

/// An application, or what all applications share.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct App {
    /// Its id. Default: the last part of its folder.
    #[serde(default, rename = "appID")]
    pub app_id: Option<Spanned<String>>,
    /// Working directory, relative to the file.
    #[serde(default)]
    pub app_dir_path: Option<Spanned<String>>,
    /// The program and its arguments; without it only a sidecar is started.
    #[serde(default)]
    pub command: Option<Vec<Spanned<String>>>,
    /// A program that is run, to its end, before anything starts.
    #[serde(default)]
    pub build: Option<Vec<Spanned<String>>>,
    /// The shared host it uses, with one process of it for each replica of that; without
    /// it the app gets a sidecar of its own, as with Dapr.
    #[serde(default)]
    pub host: Option<Spanned<String>>,
    /// Actor types that it registers; it is ready when its host lists them all.
    #[serde(default)]
    pub actor_types: Vec<String>,
    /// Variables of its process.
    #[serde(default)]
    pub env: BTreeMap<String, Scalar>,
    /// Folder for what its own sidecar must keep, relative to the file. Default: `.odeon/<appID>`.
    #[serde(default)]
    pub data_dir: Option<String>,
    /// Folders with component files for its own sidecar.
    #[serde(default)]
    pub resources_paths: Option<Vec<String>>,
    /// One such folder; deprecated by Dapr.
    #[serde(default)]
    pub resources_path: Option<String>,
    /// Which log lines of its own sidecar are shown. Default: warn.
    #[serde(default)]
    pub log_level: Option<String>,
    /// Where the sidecar listens; a free port by default.
    #[serde(default, rename = "daprHTTPPort")]
    pub http_port: Option<Spanned<u16>>,
    /// Where the sidecar listens; a free port by default.
    #[serde(default, rename = "daprGRPCPort")]
    pub grpc_port: Option<Spanned<u16>>,
    /// Where the sidecar shows its metrics; a free port by default.
    #[serde(default)]
    pub metrics_port: Option<Spanned<u16>>,
    /// Where the app listens. Processes beside the replicas of a shared host have this port
    /// and the next ones; 0 there: free ones.
    #[serde(default)]
    pub app_port: Option<Spanned<u16>>,
    /// Further settings of the sidecar, handed on as flags.
    #[serde(default)]
    pub app_channel_address: Option<Scalar>,
    #[serde(default)]
    app_protocol: Option<Scalar>,
    #[serde(default, rename = "daprInternalGRPCPort")]
    internal_grpc_port: Option<Scalar>,
    #[serde(default)]
    api_listen_addresses: Option<Scalar>,
    #[serde(default)]
    app_max_concurrency: Option<Scalar>,
    #[serde(default)]
    placement_host_address: Option<Scalar>,
    #[serde(default)]
    scheduler_host_address: Option<Scalar>,
    #[serde(default)]
    config_file_path: Option<Scalar>,
    #[serde(default)]
    unix_domain_socket: Option<Scalar>,
    #[serde(default)]
    enable_profiling: Option<Scalar>,
    #[serde(default)]
    profile_port: Option<Scalar>,
    #[serde(default, rename = "appSSL")]
    app_ssl: Option<Scalar>,
    #[serde(default)]
    max_body_size: Option<Scalar>,
    #[serde(default)]
    read_buffer_size: Option<Scalar>,
    #[serde(default)]
    enable_app_health_check: Option<Scalar>,
    #[serde(default)]
    app_health_check_path: Option<Scalar>,
    #[serde(default)]
    app_health_probe_interval: Option<Scalar>,
    #[serde(default)]
    app_health_probe_timeout: Option<Scalar>,
    #[serde(default)]
    app_health_threshold: Option<Scalar>,
    #[serde(default)]
    enable_api_logging: Option<Scalar>,
    #[serde(default)]
    compat: Option<Scalar>,
    #[serde(default)]
    open_reminders: Option<Scalar>,
    /// Dapr's, without meaning here: output goes to the console.
    #[serde(default, rename = "daprdLogDestination")]
    _daprd_log_destination: Option<Scalar>,
    #[serde(default, rename = "appLogDestination")]
    _app_log_destination: Option<Scalar>,
    #[serde(default, rename = "runtimePath")]
    _runtime_path: Option<Scalar>,
    /// Dapr's, for Kubernetes only.
    #[serde(default, rename = "containerImage")]
    _container_image: Option<Scalar>,
    #[serde(default, rename = "containerImagePullPolicy")]
    _container_image_pull_policy: Option<Scalar>,
    #[serde(default, rename = "createService")]
    _create_service: Option<Scalar>,
}

impl App {
    /// Settings that go to the app's own sidecar as they are: flag and value. What
    /// `common` says stands where the app says nothing.
    #[must_use]
    pub fn sidecar_flags(&self, common: &Self) -> Vec<(&'static str, String)> {
        let flags = self.handed_on().into_iter().zip(common.handed_on());
        flags
            .filter_map(|((flag, own), (_, shared))| Some((flag, own.or(shared)?.0.clone())))
            .collect()
    }

    /// Where the sidecar takes calls of other hosts, if that was written as a number.
    #[must_use]
    pub fn peer_port(&self) -> Option<u16> {
        self.internal_grpc_port.as_ref()?.0.parse().ok()
    }

    fn handed_on(&self) -> [(&'static str, Option<&Scalar>); 22] {
        [
            ("app-channel-address", self.app_channel_address.as_ref()),
            ("app-protocol", self.app_protocol.as_ref()),
            ("dapr-internal-grpc-port", self.internal_grpc_port.as_ref()),
            ("dapr-listen-addresses", self.api_listen_addresses.as_ref()),
            ("app-max-concurrency", self.app_max_concurrency.as_ref()),
            ("placement-host-address", self.placement_host_address.as_ref()),
            ("scheduler-host-address", self.scheduler_host_address.as_ref()),
            ("config", self.config_file_path.as_ref()),
            ("unix-domain-socket", self.unix_domain_socket.as_ref()),
            ("enable-profiling", self.enable_profiling.as_ref()),
            ("profile-port", self.profile_port.as_ref()),
            ("app-ssl", self.app_ssl.as_ref()),
            ("max-body-size", self.max_body_size.as_ref()),
            ("read-buffer-size", self.read_buffer_size.as_ref()),
            ("enable-app-health-check", self.enable_app_health_check.as_ref()),
            ("app-health-check-path", self.app_health_check_path.as_ref()),
            ("app-health-probe-interval", self.app_health_probe_interval.as_ref()),
            ("app-health-probe-timeout", self.app_health_probe_timeout.as_ref()),
            ("app-health-threshold", self.app_health_threshold.as_ref()),
            ("enable-api-logging", self.enable_api_logging.as_ref()),
            ("compat", self.compat.as_ref()),
            ("open-reminders", self.open_reminders.as_ref()),
        ]
    }
}
