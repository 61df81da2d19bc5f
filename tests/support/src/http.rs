//! A small HTTP client: one connection a request, nothing hidden.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::HeaderMap;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use odeon_base::kind::with_causes;
use tokio::net::TcpStream;

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(30);

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Speaks to one port, of this machine unless told otherwise.
#[derive(Debug, Clone)]
pub struct Client {
    address: SocketAddr,
    headers: Vec<(String, String)>,
}

impl Client {
    /// A client of a port.
    #[must_use]
    pub fn new(port: u16) -> Self {
        Self::at((Ipv4Addr::LOCALHOST, port).into())
    }

    /// A client of a port of another address.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self { address, headers: Vec::new() }
    }

    /// Sends this header with every request.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// GET; the reason when there was no answer.
    ///
    /// # Errors
    /// What went wrong on the way.
    pub async fn get(&self, path: &str) -> Result<Answer, String> {
        self.send(Method::GET, path, "").await
    }

    /// PUT with a body.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn put(&self, path: &str, body: &str) -> Result<Answer, String> {
        self.send(Method::PUT, path, body).await
    }

    /// POST with a body.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post(&self, path: &str, body: &str) -> Result<Answer, String> {
        self.send(Method::POST, path, body).await
    }

    /// DELETE.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn delete(&self, path: &str) -> Result<Answer, String> {
        self.send(Method::DELETE, path, "").await
    }

    /// Any request.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn send(&self, method: Method, path: &str, body: &str) -> Result<Answer, String> {
        let exchange = tokio::time::timeout(LIMIT, self.exchange(method, path, body.to_owned()));
        exchange.await.map_err(|_| format!("no answer within {LIMIT:?}"))?
    }

    async fn exchange(&self, method: Method, path: &str, body: String) -> Result<Answer, String> {
        let stream = TcpStream::connect(self.address).await.map_err(in_words)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(in_words)?;
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("host", self.address.to_string());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(in_words)?;
        let exchange = async {
            let answer = sender.send_request(request).await.map_err(in_words)?;
            let (head, body) = answer.into_parts();
            let body = body.collect().await.map_err(in_words)?.to_bytes();
            Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
        };
        let mut connection = std::pin::pin!(connection);
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            biased;
            answer = &mut exchange => answer,
            // A server may close the connection with the answer on its way.
            ended = &mut connection => match ended {
                Ok(()) => exchange.await,
                Err(error) => Err(in_words(error)),
            },
        }
    }
}

fn in_words(error: impl std::error::Error) -> String {
    with_causes(&error)
}
