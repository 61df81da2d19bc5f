//! The effective configuration as text, for the log at the start; secrets masked.
//!
//! One line of `key=value`, in the words of the flags, so that what a person reads
//! there can be written on a command line.

use std::fmt::Write as _;

use super::{Config, Listener, Placement};

/// All settings that are in force, with their flags' names.
#[must_use]
pub fn describe(config: &Config) -> String {
    let mut line = String::new();
    let mut add = |key: &str, value: &str| {
        let separator = if line.is_empty() { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = write!(line, "{separator}{key}={value}");
    };
    add("app-id", config.app_id.as_str());
    add("namespace", config.namespace.as_str());
    add("compat", config.compat.name());
    if config.has_open_reminders {
        add("open-reminders", "true");
    }
    if let Some(app) = &config.app {
        add("app", &format!("{}://{}:{}", app.protocol.name(), app.address, app.port));
    }
    add("http", &config.http.to_string());
    add("grpc", &config.grpc.to_string());
    let or_off = |listener: &Option<Listener>| {
        listener.as_ref().map_or_else(|| "off".to_owned(), Listener::to_string)
    };
    add("peers", &or_off(&config.peers));
    add("metrics", &or_off(&config.metrics));
    add("data-dir", &config.data_dir.display().to_string());
    let folders: Vec<_> = config.resources.iter().map(|path| path.display().to_string()).collect();
    if !folders.is_empty() {
        add("resources-path", &folders.join(","));
    }
    add(
        "placement-host-address",
        &match &config.placement {
            Placement::Off => "off".to_owned(),
            Placement::Inside => "inside".to_owned(),
            Placement::At(addresses) => addresses.join(","),
        },
    );
    let limit = config.body_bytes_max;
    add("max-body-size", &limit.map_or_else(|| "none".to_owned(), |bytes| bytes.to_string()));
    add("dapr-graceful-shutdown-seconds", &config.shutdown_limit.as_secs().to_string());
    for (key, secret) in [
        ("api-token", &config.api_token),
        ("app-token", &config.app_token),
        ("cluster-token", &config.cluster_token),
    ] {
        if let Some(secret) = secret {
            add(key, &format!("{secret:?}"));
        }
    }
    line
}
