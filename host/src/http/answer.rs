//! Answers as HTTP writes them: error bodies, JSON, what an actor said.
//!
//! Which status and code a failure has is decided in `status.rs`; this file only
//! dresses it.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::Full;
use odeon_proto::names;
use odeon_runtime::Reply;
use odeon_runtime::store::Item;
use serde::Serialize;
use serde_json::Value;

use super::headers;
use crate::json;
use crate::status::details::{DOMAIN, Details, Link, Resource};
use crate::status::{Failure, Form};

/// An answer of the HTTP door.
pub type Answer = Response<Full<Bytes>>;

/// Says whether a turn may have begun, on every error (RT-2).
pub(crate) const EXECUTION: HeaderName = HeaderName::from_static(names::ACTOR_EXECUTION);
const REPLAY: HeaderName = HeaderName::from_static(names::IDEMPOTENT_REPLAY);
const APP_ERROR: HeaderName = HeaderName::from_static("x-daprerrorresponseheader");

/// What the names of the types of details begin with.
const TYPES: &str = "type.googleapis.com/google.rpc.";

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody<'a> {
    error_code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Value>,
}

fn with(status: StatusCode, content_type: Option<HeaderValue>, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    if let Some(content_type) = content_type {
        answer.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    answer
}

/// 204, and nothing to read.
pub(super) fn empty() -> Answer {
    with(StatusCode::NO_CONTENT, None, Bytes::new())
}

/// 202, and nothing to read.
pub(super) fn accepted() -> Answer {
    with(StatusCode::ACCEPTED, None, Bytes::new())
}

/// 200 with bytes that are JSON already.
pub(super) fn raw_json(body: Bytes) -> Answer {
    with(StatusCode::OK, Some(JSON), body)
}

/// 200 with a stored value, and when it vanishes.
pub(super) fn item(item: Item) -> Answer {
    let expiry = json::expiry(&item);
    let mut answer = raw_json(item.value);
    if let Some(at) = expiry.and_then(|(_, at)| at.parse().ok()) {
        answer.headers_mut().insert("metadata.ttlexpiretime", at);
    }
    answer
}

/// 200 with a value as JSON.
pub(super) fn json(value: &impl Serialize) -> Answer {
    raw_json(encode(value))
}

/// A preflight's 200.
pub(super) fn ok() -> Answer {
    with(StatusCode::OK, None, Bytes::new())
}

/// A failure.
pub(super) fn failure(failure: &Failure) -> Answer {
    let (content_type, body) = match failure.form {
        Form::Json => {
            let told = failure.details.as_deref().filter(|details| details.is_rich);
            let details = told.map(details).unwrap_or_default();
            let body = ErrorBody { error_code: failure.code, message: &failure.message, details };
            (JSON, encode(&body))
        }
        Form::Text => (TEXT, Bytes::from(format!("{}\n", failure.message))),
    };
    let mut answer = with(failure.http, Some(content_type), body);
    let headers = answer.headers_mut();
    headers.insert(EXECUTION, HeaderValue::from_static(failure.execution.as_str()));
    if let Some(seconds) = failure.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

/// Details as objects, each of which names its type.
fn details(details: &Details) -> Vec<Value> {
    let of = |kind: &str, mut fields: Value| {
        fields["@type"] = format!("{TYPES}{kind}").into();
        fields
    };
    let metadata: BTreeMap<_, _> = details.metadata.iter().cloned().collect();
    let metadata = (!metadata.is_empty()).then_some(metadata);
    let reason =
        serde_json::json!({"reason": details.reason, "domain": DOMAIN, "metadata": metadata});
    let mut told = vec![of("ErrorInfo", reason)];
    if let Some(Resource { kind, name, description }) = &details.resource {
        let resource = serde_json::json!({
            "resource_type": kind, "resource_name": name, "owner": "", "description": description,
        });
        told.push(of("ResourceInfo", resource));
    }
    if let Some((field, description)) = &details.violation {
        let violations = serde_json::json!([{"field": field, "description": description}]);
        told.push(of("BadRequest", serde_json::json!({"field_violations": violations})));
    }
    if let Some(Link { url, description }) = &details.help {
        told.push(of(
            "Help",
            serde_json::json!({"links": [{"description": description, "url": url}]}),
        ));
    }
    told
}

/// What an actor answered: 200, with its headers and body as they are.
pub(super) fn reply(reply: Reply) -> Answer {
    let mut answer = with(StatusCode::OK, None, reply.body);
    headers::from_app(&reply.headers, answer.headers_mut());
    if reply.is_replay {
        answer.headers_mut().insert(REPLAY, HeaderValue::from_static("true"));
    }
    if reply.is_app_error {
        // One that came over HTTP has said it in its own way.
        answer.headers_mut().entry(APP_ERROR).or_insert(HeaderValue::from_static("true"));
    }
    answer
}

fn encode(value: &impl Serialize) -> Bytes {
    // Our own structs of texts and numbers have no reason to fail; if one did, an
    // empty object is still JSON.
    serde_json::to_vec(value).map_or_else(|_| Bytes::from_static(b"{}"), Bytes::from)
}
