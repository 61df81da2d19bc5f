//! `GET /metrics`, on a port of its own.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response};
use http_body_util::Full;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

use crate::status::{self, Scrape};

const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Answers scrapes. Cheap to clone; served with `http::serve`.
#[derive(Debug, Clone)]
pub struct Page(Arc<Registry>);

impl Page {
    /// A page over a registry that is complete.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        Self(Arc::new(registry))
    }

    /// Answers one request.
    #[must_use]
    pub fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let is_page = request.uri().path() == "/metrics" && *request.method() == Method::GET;
        let mut page = String::new();
        let (scrape, kind) = if !is_page {
            page.push_str("this port answers GET /metrics\n");
            (Scrape::Elsewhere, PLAIN)
        } else if text::encode(&mut page, &self.0).is_ok() {
            (Scrape::Page, OPEN_METRICS)
        } else {
            page = "a number could not be written\n".into();
            (Scrape::Broken, PLAIN)
        };
        let mut response = Response::new(Full::new(Bytes::from(page)));
        *response.status_mut() = status::of_scrape(scrape);
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}

impl<B> hyper::service::Service<Request<B>> for Page {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(&request)))
    }
}
