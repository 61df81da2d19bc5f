//! The order in which a request is processed: clean, trace, CORS, token, route.
//!
//! Branches instead of layers: nothing is boxed, wrapped or logged on the way.
//! Source: http-api.md 1.2. Actor calls, the hot path, are in `actors.rs`.

use base64::Engine as _;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderName as Name, Request};

use super::answer::{self, Answer};
use super::cors;
use super::inbound::Inbound;
use super::path;
use super::request::Call;
use super::routes::{self, Access};
use crate::api::{Api, TraceContext, TraceError};
use crate::status::Failure;

const TRACEPARENT: Name = HeaderName::from_static("traceparent");
const TRACESTATE: Name = HeaderName::from_static("tracestate");
const BAGGAGE: Name = HeaderName::from_static("baggage");
const TOKEN: Name = HeaderName::from_static("dapr-api-token");
const APP_ID: Name = HeaderName::from_static("dapr-app-id");

/// As Dapr's server does, this much more than the set limit is let through.
const HEADER_SLACK: usize = 4 << 10;

/// Whom a port serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The application: every route, behind the token.
    App,
    /// Anybody: health and metadata only, without token and CORS.
    Public,
}

/// Answers requests of one port. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Door {
    api: Api,
    audience: Audience,
}

impl Door {
    /// A door for the application.
    #[must_use]
    pub fn new(api: Api) -> Self {
        Self { api, audience: Audience::App }
    }

    /// A door for health and metadata only.
    #[must_use]
    pub fn public(api: Api) -> Self {
        Self { api, audience: Audience::Public }
    }

    /// Answers one request.
    ///
    /// # Cancel safety
    /// When dropped, a call that waits is taken out of its queue; a turn that began
    /// runs on (O7).
    pub async fn answer(&self, request: Request<Inbound>) -> Answer {
        let (head, body) = request.into_parts();
        let trace = match trace(&head.headers) {
            Ok(trace) => trace,
            Err(error) => return answer::failure(&Failure::bad_baggage(&error)),
        };
        let path = path::clean(head.uri.path());
        let matched = routes::find(&head.method, &path)
            .filter(|(route, _)| self.audience == Audience::App || route.access() != Access::Api);
        let access = matched.as_ref().map_or(Access::Api, |(route, _)| route.access());
        let result = match self.refuse(&head, access) {
            Some(Refusal::Answered(answer)) => return answer,
            Some(Refusal::Failed(failure)) => Err(failure),
            None => match matched {
                Some((route, params)) => {
                    let call = Call { api: &self.api, head: &head, params, trace: &trace, body };
                    route.run(call).await
                }
                None => Err(fallback(&head)),
            },
        };
        let mut answer = result.unwrap_or_else(|failure| answer::failure(&failure));
        if access != Access::Health {
            echo(&trace, answer.headers_mut());
        }
        if self.audience == Audience::App {
            cors::mark(self.api.origins(), &head.headers, answer.headers_mut());
        }
        answer
    }

    /// What stands before the routes: the size of the headers, CORS, the token.
    fn refuse(&self, head: &Parts, access: Access) -> Option<Refusal> {
        if head_bytes(&head.headers) > self.api.limits().header_bytes.saturating_add(HEADER_SLACK) {
            return Some(Refusal::Failed(Failure::headers_too_large()));
        }
        if self.audience == Audience::Public {
            return None;
        }
        if let Some(answer) = cors::preflight(self.api.origins(), head) {
            return Some(Refusal::Answered(answer));
        }
        let tokens = self.api.tokens();
        let is_checked = tokens.api.is_some() && access != Access::Health;
        if is_checked && !tokens.admits(head.headers.get(TOKEN).map(HeaderValue::as_bytes)) {
            return Some(Refusal::Failed(Failure::unauthenticated("invalid api token")));
        }
        None
    }
}

enum Refusal {
    Answered(Answer),
    Failed(Failure),
}

/// The size of the headers as HTTP/1.1 would write them.
fn head_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

fn trace(headers: &HeaderMap) -> Result<TraceContext, TraceError> {
    let text = |name: Name| headers.get(name).and_then(|value| value.to_str().ok());
    // What is not ASCII is not baggage either: it is checked as it reads then.
    let baggage = headers.get_all(BAGGAGE).iter().map(|value| value.to_str().unwrap_or("\u{fffd}"));
    TraceContext::parse(text(TRACEPARENT), text(TRACESTATE), baggage)
}

/// Gives the caller's trace back; what the application set itself stays.
fn echo(trace: &TraceContext, answer: &mut HeaderMap) {
    for (name, value) in trace.headers() {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.entry(name).or_insert(value);
        }
    }
}

/// No route: service invocation if an application is named, else 404.
fn fallback(head: &Parts) -> Failure {
    let is_addressed = head.headers.contains_key(APP_ID)
        || head.headers.get(AUTHORIZATION).is_some_and(names_an_app);
    if is_addressed { routes::invocation_is_missing() } else { Failure::no_route() }
}

/// Basic credentials whose user is `dapr-app-id` name an application (http-api.md 3.1).
fn names_an_app(credentials: &HeaderValue) -> bool {
    let encoded = credentials.to_str().ok().and_then(|text| text.split_once(' '));
    let Some((scheme, encoded)) = encoded else { return false };
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim());
    let Ok(decoded) = decoded else { return false };
    let user = decoded.split(|&byte| byte == b':').next().unwrap_or_default();
    scheme.eq_ignore_ascii_case("basic") && user.eq_ignore_ascii_case(b"dapr-app-id")
}
