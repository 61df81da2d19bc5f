//! Asks a host on this machine over HTTP: is it healthy, which types does it list.
//!
//! A bare request on a connection of its own: it is asked a few times a second
//! while something starts, and by `--wait`.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(2);
/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// An answer: status and body.
pub type Answer = (u16, Bytes);

/// Asks with GET; nothing when no answer came, for whatever reason.
///
/// # Cancel safety
/// Can be dropped at will.
pub async fn get(port: u16, path: &str) -> Option<Answer> {
    tokio::time::timeout(LIMIT, ask(port, path)).await.ok()?
}

async fn ask(port: u16, path: &str) -> Option<Answer> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = Request::get(path).header("host", address.to_string());
    let request = request.body(Empty::<Bytes>::new()).ok()?;
    let exchange = async {
        let answer = sender.send_request(request).await.ok()?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.ok()?;
        Some((status, body.to_bytes()))
    };
    tokio::select! {
        answer = exchange => answer,
        // The connection can end first only by failing.
        _ = connection => None,
    }
}

/// Whether the host on a port has started wholly.
pub async fn is_healthy(port: u16) -> bool {
    matches!(get(port, "/v1.0/healthz").await, Some((204, _)))
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
