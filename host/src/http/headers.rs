//! Which headers pass between a caller and an actor, in both directions.
//!
//! Source: http-api.md 3.3 and 8.2. Headers that are Odeon's or Dapr's own words
//! to the host are read elsewhere (`request.rs`) and never reach the application.

use http::HeaderMap;
use http::header::{CONNECTION, HeaderName, HeaderValue};
use odeon_runtime::Headers;

use crate::api::is_to_the_host;

/// Marks a call that came through the public API.
const API_CALL: &str = "Dapr-API-Call";

/// Copies what an application may see of a caller's headers. `has_token` tells
/// that the host checks tokens itself, so that the caller's is not the application's.
pub(super) fn to_app(from: &HeaderMap, has_token: bool) -> Headers {
    let named_by_connection = from.get(CONNECTION).and_then(|value| value.to_str().ok());
    let mut headers = Headers::new();
    for (name, value) in from {
        let name = name.as_str();
        let dropped = is_host_matter(name)
            || (has_token && name == "dapr-api-token")
            || named_by_connection.is_some_and(|listed| is_listed(listed, name));
        if dropped {
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        match name.strip_prefix("grpc-") {
            Some(_) => headers.push(format!("dapr-{name}"), value),
            None => headers.push(name, value),
        }
    }
    headers.push(API_CALL, "true");
    headers
}

/// Copies what a caller may see of an application's headers.
pub(super) fn from_app(from: &Headers, to: &mut HeaderMap) {
    for (name, value) in from.iter() {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { continue };
        if is_hop_by_hop(name.as_str()) || name.as_str() == "content-length" {
            continue;
        }
        // What cannot be a header is left out; the body is what was asked for.
        if let Ok(value) = HeaderValue::from_str(value) {
            to.append(name, value);
        }
    }
}

fn is_listed(listed: &str, name: &str) -> bool {
    listed.split(',').any(|one| one.trim().eq_ignore_ascii_case(name))
}

fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
            | "te"
            | "trailer"
            | "proxy-authorization"
            | "proxy-authenticate"
    )
}

/// Headers that end at this host: of the connection, of addressing, and what is said to the
/// host itself, the trace among it (a checked one is added again).
fn is_host_matter(name: &str) -> bool {
    is_hop_by_hop(name)
        || is_to_the_host(name)
        || matches!(
            name,
            "host"
                | "content-length"
                | "dapr-app-id"
                | "destination-app-id"
                | "dapr-caller-app-id"
                | "dapr-caller-namespace"
                | "dapr-callee-app-id"
        )
        || name.ends_with("-bin")
}
