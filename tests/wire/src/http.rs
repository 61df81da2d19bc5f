//! Requests to the HTTP door and what it answered, in few words.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use odeon_host::http::{Door, Inbound};
use serde_json::Value;

use crate::Rig;

/// A request, being written.
#[derive(Debug)]
pub struct Ask<'a> {
    door: &'a Door,
    request: http::request::Builder,
    body: Bytes,
}

/// An answer, read.
#[derive(Debug)]
pub struct Told {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Rig {
    /// Begins a request to the HTTP door.
    #[must_use]
    pub fn ask(&self, method: &str, path: &str) -> Ask<'_> {
        Ask::new(&self.http, method, path)
    }
}

impl<'a> Ask<'a> {
    /// Begins a request to a door.
    ///
    /// # Panics
    /// When the method is none.
    #[must_use]
    pub fn new(door: &'a Door, method: &str, path: &str) -> Self {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        Self { door, request: Request::builder().method(method).uri(path), body: Bytes::new() }
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value.as_bytes());
        self
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The answer.
    ///
    /// # Panics
    /// When the path or a header cannot be sent at all.
    pub async fn told(self) -> Told {
        let request = self.request.body(Inbound::from(self.body)).expect("a request");
        let (head, body) = self.door.answer(request).await.into_parts();
        let body = body.collect().await.expect("a body in memory").to_bytes();
        Told { status: head.status, headers: head.headers, body }
    }
}

impl Told {
    /// A header's first value; empty when it is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or("<not UTF-8>")
    }

    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Status, error code and message of an error body.
    #[must_use]
    pub fn error(&self) -> (u16, String, String) {
        let body = self.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        (self.status.as_u16(), text("errorCode"), text("message"))
    }
}
