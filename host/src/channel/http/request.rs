//! Requests to the application, and what its answers mean. Source: http-api.md 8 and 19.
//!
//! Pure: bytes in the application's words on one side, the engine's on the other.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{Method, Request, Version};
use http_body_util::Full;
use odeon_base::Execution;
use odeon_proto::names;
use odeon_runtime::error::AppFailure;
use odeon_runtime::seams::Call;
use odeon_runtime::turn::Turn;
use odeon_runtime::{ActorRef, Error, Headers, Reply, TurnKind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::pool::{Answered, Outgoing, Protocol};
use crate::channel::{marks, tick};

/// What is escaped in one segment of a path. Source: Go's `net/url`.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b':')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');
/// As in one segment, but slashes stay.
const SEGMENTS: &AsciiSet = &SEGMENT.remove(b'/');

/// What the application shows the token of the host by.
const TOKEN: HeaderName = HeaderName::from_static("dapr-api-token");
const APP_ID: HeaderName = HeaderName::from_static("dapr-app-id");
/// The body is an error in the application's own terms.
const APP_ERROR: &str = "x-daprerrorresponseheader";
/// Says to a reminder that it was the last; to nobody else.
const REMINDER_CANCEL: &str = "x-daprremindercancel";

/// Writes requests to one application.
#[derive(Debug)]
pub(super) struct Writer {
    authority: Authority,
    host: HeaderValue,
    protocol: Protocol,
    app_id: HeaderValue,
    token: Option<HeaderValue>,
}

impl Writer {
    /// For the application at an address; `token` is what it is shown. What cannot be in
    /// a request at all is left out.
    pub(super) fn new(
        authority: Authority,
        protocol: Protocol,
        app_id: &str,
        token: Option<&Arc<str>>,
    ) -> Self {
        let text = |text: &str| HeaderValue::from_str(text);
        let mut token = token.and_then(|token| text(token).ok());
        if let Some(token) = &mut token {
            token.set_sensitive(true);
        }
        let empty = HeaderValue::from_static("");
        Self {
            host: text(authority.as_str()).unwrap_or_else(|_| empty.clone()),
            app_id: text(app_id).unwrap_or(empty),
            authority,
            protocol,
            token,
        }
    }

    /// `PUT /actors/{type}/{id}/method/{method}`, with the query of the caller; or
    /// `.../method/timer/{name}`, `.../method/remind/{name}` for what fires.
    pub(super) fn invoke(&self, turn: &Turn, call: &Call) -> Result<Outgoing, String> {
        let mut path = actor_path(turn.actor());
        path.push_str("/method/");
        let (kind, body) = match &call.kind {
            TurnKind::Timer(spec) => (Some("timer/"), tick::timer_body(&call.body, spec)),
            TurnKind::Reminder => (Some("remind/"), tick::reminder_body(&call.body)),
            TurnKind::Method => (None, call.body.clone()),
        };
        path.push_str(kind.unwrap_or_default());
        let escaped = if kind.is_some() { SEGMENT } else { SEGMENTS };
        path.extend(utf8_percent_encode(&call.method, escaped));
        if let Some(query) = call.headers.get(names::QUERY) {
            path.push('?');
            path.push_str(query);
        }
        let mut headers = HeaderMap::with_capacity(16);
        for (name, value) in call.headers.iter().filter(|(name, _)| *name != names::QUERY) {
            add(&mut headers, name, value);
        }
        for (name, value) in marks::of(turn) {
            add(&mut headers, name, &value);
        }
        if kind.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        self.show_token(&mut headers);
        self.request(Method::PUT, &path, headers, body)
    }

    /// `DELETE /actors/{type}/{id}`.
    pub(super) fn deactivate(&self, actor: &ActorRef) -> Result<Outgoing, String> {
        let mut headers = HeaderMap::new();
        // Wire: daprd's, though there is no body.
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        self.show_token(&mut headers);
        self.request(Method::DELETE, &actor_path(actor), headers, Bytes::new())
    }

    /// `GET /dapr/config`.
    pub(super) fn config(&self) -> Result<Outgoing, String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(APP_ID, self.app_id.clone());
        self.show_token(&mut headers);
        self.request(Method::GET, "/dapr/config", headers, Bytes::new())
    }

    /// A probe, which shows no token.
    pub(super) fn probe(&self, path: &str) -> Result<Outgoing, String> {
        self.request(Method::GET, path, HeaderMap::new(), Bytes::new())
    }

    fn show_token(&self, headers: &mut HeaderMap) {
        if let Some(token) = &self.token {
            headers.insert(TOKEN, token.clone());
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Outgoing, String> {
        let mut request = Request::new(Full::new(body));
        let path = PathAndQuery::try_from(path).map_err(|error| {
            let path = path.escape_debug();
            format!("the request to the application has no path: '{path}': {error}")
        })?;
        *request.method_mut() = method;
        *request.headers_mut() = headers;
        *request.uri_mut() = Uri::from(path.clone());
        match self.protocol {
            Protocol::Http => {
                request.headers_mut().insert(HOST, self.host.clone());
            }
            Protocol::H2c => {
                *request.version_mut() = Version::HTTP_2;
                let mut parts = http::uri::Parts::default();
                parts.scheme = Some(Scheme::HTTP);
                parts.authority = Some(self.authority.clone());
                parts.path_and_query = Some(path);
                // All three parts are there.
                if let Ok(uri) = Uri::from_parts(parts) {
                    *request.uri_mut() = uri;
                }
            }
        }
        Ok(request)
    }
}

fn actor_path(actor: &ActorRef) -> String {
    let mut path = String::with_capacity(64);
    path.push_str("/actors/");
    path.extend(utf8_percent_encode(actor.actor_type.as_str(), SEGMENT));
    path.push('/');
    path.extend(utf8_percent_encode(actor.id.as_str(), SEGMENT));
    path
}

/// Adds a header; what cannot be one is left out, the body is what the call is about.
fn add(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) =
        (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
    {
        headers.append(name, value);
    }
}

/// What an answer to a method means, or to a timer or reminder.
pub(super) fn reply(actor: &ActorRef, call: &Call, answered: Answered) -> Result<Reply, Error> {
    let is_tick = call.kind != TurnKind::Method;
    let Answered { head, body } = answered;
    match head.status.as_u16() {
        200 => {}
        404 if !is_tick => {
            let (ActorRef { actor_type, id }, method) = (actor, &call.method);
            // It may well have run: an application's own word for what it did not find.
            return Err(Error::AppLost {
                reason: format!("actor method not found: actors/{actor_type}/{id}/method/{method}"),
                execution: Execution::Done,
            });
        }
        other => {
            let message = format!("({other}) {}", String::from_utf8_lossy(&body));
            return Err(Error::App(AppFailure { message }));
        }
    }
    let is_last = head.headers.get(REMINDER_CANCEL).is_some_and(|value| value == "true");
    if is_last && !is_tick {
        let reason = "the application answered with X-DaprReminderCancel, which only a reminder may be answered with";
        return Err(Error::AppLost { reason: reason.into(), execution: Execution::Done });
    }
    let is_app_error = head.headers.contains_key(APP_ERROR);
    let mut headers = Headers::new();
    for (name, value) in &head.headers {
        headers.push(name.as_str(), String::from_utf8_lossy(value.as_bytes()));
    }
    Ok(Reply { body, headers, is_app_error, is_last, is_replay: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_path_is_refused_by_name() {
        let authority = Authority::from_static("127.0.0.1:1");
        let writer = Writer::new(authority, Protocol::H2c, "app", None);
        assert_eq!(writer.probe("/healthz").unwrap().uri().path(), "/healthz");
        for path in ["/a b", "/a?b c", "a\nb"] {
            let error = writer.probe(path).unwrap_err();
            assert!(error.contains(&path.escape_debug().to_string()), "{error}");
        }
    }

    #[test]
    fn names_stay_in_their_segments() {
        for (actor_type, id, path) in [
            ("T", "a", "/actors/T/a"),
            ("Ä", "a b|@", "/actors/%C3%84/a%20b%7C@"),
            ("T", "100%!*'()", "/actors/T/100%25%21%2A%27%28%29"),
            ("T", "a+b&c=d;e,f:$g~h-i_j.k", "/actors/T/a+b&c=d;e,f:$g~h-i_j.k"),
        ] {
            assert_eq!(actor_path(&ActorRef::parse(actor_type, id).unwrap()), path);
        }
    }
}
