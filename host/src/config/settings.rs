//! The one table of a host's settings: name, shape, default, and what this
//! release does with each.
//!
//! The command line is made from it, values are read by it, and a test holds
//! `host/docs/cli.md` against it. The names and defaults are daprd's (Dapr's
//! reference of its arguments); where a default differs, the help says so.

/// How a setting is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `--name`, or `--name=false`; a following word is not taken.
    Switch,
    /// `--name VALUE`; the text says what kind of value.
    Value(&'static str),
    /// As a value, but repeated or with commas.
    List(&'static str),
}

/// What this release does with a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It works as the help says.
    Honoured,
    /// Accepted, so that command lines made for daprd work; it changes nothing.
    Ignored,
    /// Only values that ask for nothing are accepted; others stop the start, with this advice.
    Refused {
        /// Values that ask for nothing, besides the empty one.
        harmless: &'static [&'static str],
        /// What to do instead.
        instead: &'static str,
    },
}

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name: the flag without dashes.
    pub name: &'static str,
    /// How it is written.
    pub shape: Shape,
    /// The text that stands for it when it is not given; empty: nothing.
    pub default: &'static str,
    /// What this release does with it.
    pub usage: Use,
    /// What it does, in one sentence.
    pub help: &'static str,
}

pub(super) const fn honoured(
    name: &'static str,
    shape: Shape,
    default: &'static str,
    help: &'static str,
) -> Setting {
    Setting { name, shape, default, usage: Use::Honoured, help }
}

pub(super) const fn ignored(name: &'static str, shape: Shape, help: &'static str) -> Setting {
    Setting { name, shape, default: "", usage: Use::Ignored, help }
}

pub(super) const fn refused(
    name: &'static str,
    shape: Shape,
    harmless: &'static [&'static str],
    instead: &'static str,
) -> Setting {
    Setting { name, shape, default: "", usage: Use::Refused { harmless, instead }, help: instead }
}

pub(super) const SWITCH: Shape = Shape::Switch;
pub(super) const PORT: Shape = Shape::Value("PORT");
pub(super) const TEXT: Shape = Shape::Value("TEXT");
pub(super) const NUMBER: Shape = Shape::Value("NUMBER");
const SIZE: Shape = Shape::Value("SIZE");
const SECONDS: Shape = Shape::Value("SECONDS");
pub(super) const ADDRESS: Shape = Shape::Value("ADDRESS");
const ADDRESSES: Shape = Shape::List("ADDRESS");
const FOLDERS: Shape = Shape::List("DIR");

/// All settings, in the order in which help and documentation show them.
pub const SETTINGS: &[Setting] = &[
    honoured("app-id", TEXT, "", "Id of the application; its actors' state is kept under it"),
    honoured("app-port", PORT, "", "Port on which the application is called; none by default"),
    honoured("app-protocol", TEXT, "http", "What it speaks there: http or h2c"),
    honoured(
        "app-channel-address",
        Shape::Value("HOST"),
        "127.0.0.1",
        "Machine on which the application is called",
    ),
    honoured(
        "app-max-concurrency",
        NUMBER,
        "-1",
        "Requests that the application is sent at once; -1 for no limit",
    ),
    honoured("enable-app-health-check", SWITCH, "false", "Probe the application on its port"),
    honoured("app-health-check-path", TEXT, "/healthz", "Where it is probed"),
    honoured("app-health-probe-interval", SECONDS, "5", "How often it is probed"),
    honoured(
        "app-health-probe-timeout",
        Shape::Value("MILLIS"),
        "500",
        "How long the answer to a probe may take",
    ),
    honoured("app-health-threshold", NUMBER, "3", "Misses in a row that make it unhealthy"),
    honoured(
        "disable-init-endpoints",
        Shape::List("NAME"),
        "",
        "config: do not ask the application which actor types it hosts; subscribe: no effect yet",
    ),
    honoured(
        "compat",
        Shape::Value("NAME"),
        "",
        "dapr: Dapr's behaviour where ours differs on purpose, unless it would be unsafe; under daprd's name always",
    ),
    honoured(
        "open-reminders",
        SWITCH,
        "false",
        "Manage reminders of types that other hosts of the namespace host, too; else that is refused, as by daprd",
    ),
    honoured("dapr-http-port", PORT, "3500", "Port of the HTTP API; 0 takes any free one"),
    honoured("dapr-grpc-port", PORT, "50001", "Port of the gRPC API; 0 takes any free one"),
    honoured(
        "dapr-listen-addresses",
        ADDRESSES,
        "127.0.0.1",
        "Addresses of both APIs (daprd's default is all)",
    ),
    honoured("data-dir", Shape::Value("DIR"), "", "Folder for what must survive a restart"),
    honoured("resources-path", FOLDERS, "", "Folder with component files; may be repeated"),
    honoured(
        "placement-host-address",
        ADDRESSES,
        "",
        "Where placement services are, such as localhost:50005; without it placement is inside; empty: no actors",
    ),
    honoured(
        "cluster-token-file",
        Shape::Value("FILE"),
        "",
        "File with the token that placement wants to be shown; else the variable ODEON_CLUSTER_TOKEN",
    ),
    honoured(
        "dapr-internal-grpc-port",
        PORT,
        "0",
        "Port for calls of other hosts; 0 takes one that a restart takes again, or else any free one",
    ),
    honoured(
        "dapr-internal-grpc-listen-address",
        ADDRESSES,
        "127.0.0.1",
        "Addresses for calls of other hosts (daprd's default is all); beyond this machine only with the variable ODEON_CLUSTER_TOKEN",
    ),
    honoured("enable-metrics", SWITCH, "true", "Serve metrics in Prometheus' text form"),
    honoured("metrics-port", PORT, "9090", "Port of the metrics; 0 takes any free one"),
    honoured(
        "metrics-listen-address",
        ADDRESS,
        "127.0.0.1",
        "Address of the metrics (daprd's default is all)",
    ),
    honoured("max-body-size", SIZE, "4Mi", "Largest request body, such as 16Mi; 0 for no limit"),
    honoured("read-buffer-size", SIZE, "4Ki", "Largest block of request headers, such as 8Ki"),
    honoured(
        "allowed-origins",
        TEXT,
        "",
        "Web pages that may call the HTTP API: empty for none, * for all, or a list",
    ),
    honoured(
        "dapr-graceful-shutdown-seconds",
        SECONDS,
        "5",
        "How long a stop may take before it is forced",
    ),
    honoured("log-level", TEXT, "info", "debug, info, warn, error or fatal"),
    honoured("log-as-json", SWITCH, "false", "Write logs as JSON"),
    honoured(
        "log-style",
        TEXT,
        "",
        "text (daprd's form), json, or plain (for people; the default on a terminal)",
    ),
    honoured("mode", TEXT, "standalone", "Only standalone"),
    honoured(
        "components-path",
        Shape::Value("DIR"),
        "",
        "As --resources-path, which wins; deprecated by Dapr",
    ),
    honoured(
        "dapr-http-max-request-size",
        NUMBER,
        "",
        "MiB; as --max-body-size, which wins; deprecated by Dapr",
    ),
    honoured(
        "dapr-http-read-buffer-size",
        NUMBER,
        "",
        "KiB; as --read-buffer-size, which wins; deprecated by Dapr",
    ),
    ignored("scheduler-host-address", ADDRESSES, "There is no scheduler service to reach"),
    ignored("scheduler-job-streams", NUMBER, "There is no scheduler service to reach"),
    ignored("actors-disseminate-timeout", TEXT, "Membership changes do not stop calls"),
    ignored("hot-reload-reconcile-interval", TEXT, "Files are read at the start"),
    ignored("control-plane-address", ADDRESS, "There is no control plane"),
    ignored("control-plane-namespace", TEXT, "There is no control plane"),
    ignored("control-plane-trust-domain", TEXT, "There is no control plane"),
    ignored("sentry-address", ADDRESS, "There is no certificate authority"),
    ignored("sentry-request-jwt-audiences", ADDRESSES, "There is no certificate authority"),
    ignored("disable-builtin-k8s-secret-store", SWITCH, "There is none"),
    ignored("app-binding-options-timeout", TEXT, "There are no input bindings"),
    ignored("profile-port", PORT, "See --enable-profiling"),
    ignored("reminders-service", TEXT, "Tolerated, as daprd does"),
    ignored("actors-service", TEXT, "Tolerated, as daprd does"),
    refused(
        "config",
        Shape::List("FILE"),
        &[],
        "Configuration files are not read in this release, and one could hold access rules: leave it out",
    ),
    refused(
        "app-ssl",
        SWITCH,
        &["false"],
        "the application is called in clear text, http or h2c: leave it out",
    ),
    refused(
        "enable-api-logging",
        SWITCH,
        &["false"],
        "use --log-level debug, which shows each call",
    ),
    refused(
        "enable-profiling",
        SWITCH,
        &["false"],
        "use perf, which needs nothing from this program",
    ),
    refused(
        "enable-mtls",
        SWITCH,
        &["false"],
        "hosts show each other the cluster token instead, and do not encrypt in this release: leave it out",
    ),
    refused(
        "unix-domain-socket",
        Shape::Value("DIR"),
        &[],
        "use --dapr-http-port and --dapr-grpc-port",
    ),
    refused(
        "dapr-public-port",
        PORT,
        &["0"],
        "use --dapr-http-port, which serves health and metadata too",
    ),
    refused("dapr-public-listen-address", ADDRESS, &[], "use --dapr-listen-addresses"),
    refused(
        "dapr-block-shutdown-duration",
        TEXT,
        &["0", "0s"],
        "use --dapr-graceful-shutdown-seconds; running turns keep their APIs meanwhile",
    ),
    refused("log-file", Shape::Value("FILE"), &[], "send standard output to the file"),
];

/// Finds a setting of a host.
#[must_use]
pub fn find(name: &str) -> Option<&'static Setting> {
    find_in(SETTINGS, name)
}

/// Finds a setting in a table.
#[must_use]
pub fn find_in(table: &'static [Setting], name: &str) -> Option<&'static Setting> {
    table.iter().find(|setting| setting.name == name)
}
