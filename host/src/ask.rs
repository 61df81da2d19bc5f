//! One request over HTTP to a host, on a connection of its own.
//!
//! For what is asked seldom: health while something starts, and the questions of operators.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper_util::rt::TokioIo;
use odeon_base::kind::with_causes;
use tokio::net::TcpStream;

/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// An answer: status and body.
pub(crate) type Answer = (u16, Bytes);

/// Asks `address` (`name:port`) for a path, with these headers.
///
/// # Errors
/// Why no answer came within `limit`.
///
/// # Cancel safety
/// Can be dropped at will; the other side may have acted on the request.
pub(crate) async fn ask(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    limit: Duration,
) -> Result<Answer, String> {
    let asking = exchange(address, method, path, headers);
    let answered = tokio::time::timeout(limit, asking).await;
    answered.unwrap_or_else(|_| Err(format!("no answer within {limit:?}")))
}

async fn exchange(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<Answer, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| with_causes(&error))?;
    let mut request = Request::builder().method(method).uri(path).header("host", address);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(|error| with_causes(&error))?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
    };
    tokio::select! {
        biased;
        answer = exchange => answer,
        // The connection can end first only by failing.
        ended = connection => Err(match ended {
            Ok(()) => "the connection ended before an answer came".to_owned(),
            Err(error) => with_causes(&error),
        }),
    }
}
