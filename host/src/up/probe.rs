//! Asks a host or placement on this machine over HTTP: is it healthy, which types does
//! it list.
//!
//! A bare request on a connection of its own: it is asked a few times a second
//! while something starts, and by `--wait`.

use std::time::Duration;

use crate::ask::{Answer, ask};

/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(2);

/// Asks with GET; nothing when no answer came, for whatever reason.
///
/// # Cancel safety
/// Can be dropped at will.
pub async fn get(port: u16, path: &str) -> Option<Answer> {
    ask(&format!("127.0.0.1:{port}"), "GET", path, &[], LIMIT).await.ok()
}

/// Whether the host on a port has started wholly.
pub async fn is_healthy(port: u16) -> bool {
    matches!(get(port, "/v1.0/healthz").await, Some((204, _)))
}

/// Whether hosts can join the placement service with this health port.
pub async fn is_placement(port: u16) -> bool {
    matches!(get(port, "/healthz").await, Some((200, _)))
}

/// Whether an app may use the host on a port.
pub async fn is_outbound(port: u16) -> bool {
    matches!(get(port, "/v1.0/healthz/outbound").await, Some((204, _)))
}

/// The actor types that the host on a port lists; nothing when it did not answer.
pub async fn actor_types(port: u16) -> Option<Vec<String>> {
    let (_, body) = get(port, "/v1.0/metadata").await?;
    let metadata: serde_json::Value = serde_json::from_slice(&body).ok()?;
    let types = metadata.pointer("/actorRuntime/activeActors")?.as_array()?;
    Some(types.iter().filter_map(|one| one.get("type")?.as_str().map(str::to_owned)).collect())
}
