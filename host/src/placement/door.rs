//! The health port: which question a path is, and how it is answered.

use std::convert::Infallible;
use std::future::{Ready, ready};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response};
use http_body_util::Full;
use odeon_placement::{Handle, Role};
use serde::Serialize;

use super::{dapr, odeon};
use crate::http::query_item;
use crate::metrics::Page;
use crate::status::{self, Looked};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Where the paths begin that Dapr does not have.
const OURS: &str = "/odeon/v1/placement/";
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Answers questions about a placement service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Door {
    handle: Handle,
    metrics: Option<Page>,
    is_state_shown: bool,
}

impl Door {
    /// A door with the metrics' page, if that is shown here too, and with or without state.
    #[must_use]
    pub fn new(handle: Handle, metrics: Option<Page>, is_state_shown: bool) -> Self {
        Self { handle, metrics, is_state_shown }
    }

    /// Answers one request.
    #[must_use]
    pub fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if *request.method() != Method::GET {
            return text(Looked::Elsewhere, "only GET is answered here\n".to_owned());
        }
        match (request.uri().path(), &self.metrics) {
            ("/healthz", _) => self.health(),
            ("/metrics", Some(page)) => page.answer(request),
            ("/placement/state", _) if self.is_state_shown => {
                json(&dapr::state(&self.handle.tables()))
            }
            (path, _) if self.is_state_shown && path.starts_with(OURS) => self.ours(request),
            (path, _) => nothing_at(path),
        }
    }

    /// What goes beyond Dapr's.
    fn ours<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let asked = |name: &str| query_item(request.uri(), name);
        let path = request.uri().path();
        match path.strip_prefix(OURS) {
            Some("status") => json(&odeon::status(&self.handle)),
            Some("hosts") => json(&odeon::hosts(&self.handle)),
            Some("tables") => {
                let (actor_type, namespace) = (asked("type"), asked("namespace"));
                let tables = self.handle.tables();
                json(&odeon::tables(&tables, actor_type.as_deref(), namespace.as_deref()))
            }
            Some("owner") => match odeon::owner(&self.handle.tables(), asked) {
                Ok(Some(owner)) => json(&owner),
                Ok(None) => text(Looked::Elsewhere, "no host offers this type\n".to_owned()),
                Err(reason) => text(Looked::Unclear, format!("{reason}\n")),
            },
            Some(_) | None => nothing_at(path),
        }
    }

    /// It listens to hosts, and renews leases, also while it still waits for those of its
    /// predecessor.
    fn health(&self) -> Response<Full<Bytes>> {
        let status = self.handle.status();
        let is_ready = status.is_running && status.role != Role::Follower;
        match is_ready {
            true => text(Looked::Shown, "ok\n".to_owned()),
            false => text(Looked::Unready, "not ready\n".to_owned()),
        }
    }
}

impl<B> hyper::service::Service<Request<B>> for Door {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(&request)))
    }
}

fn nothing_at(path: &str) -> Response<Full<Bytes>> {
    text(Looked::Elsewhere, format!("there is nothing at {path}\n"))
}

fn text(looked: Looked, text: String) -> Response<Full<Bytes>> {
    with(looked, PLAIN, text.into())
}

fn json(value: &impl Serialize) -> Response<Full<Bytes>> {
    // Our own structs of texts and numbers have no reason to fail.
    let body = serde_json::to_vec(value).unwrap_or_else(|_| b"{}".to_vec());
    with(Looked::Shown, JSON, body.into())
}

fn with(looked: Looked, kind: HeaderValue, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status::of_look(looked);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
