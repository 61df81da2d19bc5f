//! What the written settings of the application's port mean together.
//!
//! Names and defaults are daprd's, and so is what counts as a default: zero and less.
//! Source: cli-and-env.md 1.

use std::time::Duration;

use super::reader::Reader;
use crate::channel::http::{Config, Probe, Protocol};

/// What daprd speaks with applications besides what is spoken here.
const OTHER_PROTOCOLS: [&str; 3] = ["https", "grpc", "grpcs"];

/// How the application is called; `None` when it has no port.
pub(super) fn read(reader: &mut Reader<'_>, body_bytes_max: Option<usize>) -> Option<Config> {
    let port = reader.parse("app-port", "a port, 1 to 65535, or -1 for none", |text| match text {
        "-1" => Some(0),
        _ => text.parse::<u16>().ok(),
    });
    let protocol = protocol(reader);
    let requests_max = number(reader, "app-max-concurrency");
    let probe = probe(reader);
    let asks_config = asks_config(reader);
    let port = port.filter(|port| *port > 0)?;
    let protocol = protocol.unwrap_or_else(|other| {
        let instead = "use http or h2c, or no --app-port: over the stream SubscribeActorEventsAlpha1 of the gRPC API an application hosts actors without one";
        let text = format!("'{other}' asks for what this release does not do; {instead}");
        reader.refuse("app-protocol", text);
        Protocol::default()
    });
    let address = Some(reader.text("app-channel-address")).filter(|text| !text.is_empty());
    let default = Config::new(port);
    Some(Config {
        address: address.unwrap_or(default.address),
        port,
        protocol,
        requests_max,
        probe,
        asks_config,
        body_bytes_max,
    })
}

/// The protocol, or the name of one that is not spoken here.
fn protocol(reader: &mut Reader<'_>) -> Result<Protocol, String> {
    let written = reader.parse("app-protocol", "http or h2c", |text| {
        let text = text.to_ascii_lowercase();
        match text.as_str() {
            "http" => Some(Ok(Protocol::Http)),
            "h2c" => Some(Ok(Protocol::H2c)),
            other if OTHER_PROTOCOLS.contains(&other) => Some(Err(text)),
            _ => None,
        }
    });
    written.unwrap_or(Ok(Protocol::Http))
}

/// A whole number above zero; all others ask for the default.
fn number(reader: &mut Reader<'_>, name: &'static str) -> Option<u32> {
    let number = reader.parse(name, "a whole number", |text| text.parse::<i64>().ok())?;
    u32::try_from(number).ok().filter(|number| *number > 0)
}

fn probe(reader: &mut Reader<'_>) -> Option<Probe> {
    let default = Probe::default();
    let path = reader.text("app-health-check-path");
    let interval = number(reader, "app-health-probe-interval").map(u64::from);
    let timeout = number(reader, "app-health-probe-timeout").map(u64::from);
    let threshold = number(reader, "app-health-threshold");
    let is_wanted = reader.is_on("enable-app-health-check");
    let probe = Probe {
        path: match path.strip_prefix('/') {
            _ if path.is_empty() => default.path,
            Some(_) => path,
            None => format!("/{path}"),
        },
        interval: interval.map_or(default.interval, Duration::from_secs),
        timeout: timeout.map_or(default.timeout, Duration::from_millis),
        threshold: threshold.unwrap_or(default.threshold),
    };
    if is_wanted && probe.timeout > probe.interval {
        reader.refuse(
            "app-health-probe-timeout",
            format!(
                "{} ms is longer than the interval between probes, {} s; expected at most that",
                probe.timeout.as_millis(),
                probe.interval.as_secs()
            ),
        );
    }
    is_wanted.then_some(probe)
}

fn asks_config(reader: &mut Reader<'_>) -> bool {
    let mut asks_config = true;
    for name in reader.list("disable-init-endpoints") {
        match name.as_str() {
            "config" => asks_config = false,
            "subscribe" => {}
            other => {
                let text = format!("'{other}' is not config or subscribe");
                reader.refuse("disable-init-endpoints", text);
            }
        }
    }
    asks_config
}
