//! Answers to pages of other origins, when that is switched on.
//!
//! Source: http-api.md 1.5. Off by default: then nothing here is reached.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN,
    VARY,
};
use http::{Method, request::Parts};

use super::answer::{self, Answer};
use crate::api::Origins;

const METHODS: [&str; 6] = ["HEAD", "GET", "POST", "PUT", "PATCH", "DELETE"];
const ANY: HeaderValue = HeaderValue::from_static("*");

/// The answer to a preflight, which no route ever sees.
pub(super) fn preflight(origins: &Origins, head: &Parts) -> Option<Answer> {
    if *origins == Origins::Off || head.method != Method::OPTIONS {
        return None;
    }
    let origin = head.headers.get(ORIGIN)?;
    let method = head.headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
    let mut answer = answer::ok();
    let headers = answer.headers_mut();
    for vary in ["Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"] {
        headers.append(VARY, HeaderValue::from_static(vary));
    }
    let Some(allowed) = allowed(origins, origin) else { return Some(answer) };
    if METHODS.iter().any(|one| method.as_bytes().eq_ignore_ascii_case(one.as_bytes())) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, method.clone());
        if let Some(asked) = head.headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
    }
    Some(answer)
}

/// Adds what a page needs to read an answer.
pub(super) fn mark(origins: &Origins, request: &HeaderMap, answer: &mut HeaderMap) {
    if *origins == Origins::Off {
        return;
    }
    let Some(origin) = request.get(ORIGIN) else { return };
    answer.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(allowed) = allowed(origins, origin) {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    }
}

fn allowed(origins: &Origins, origin: &HeaderValue) -> Option<HeaderValue> {
    match origins {
        Origins::Off => None,
        Origins::Any => Some(ANY),
        Origins::List(listed) => listed
            .iter()
            .any(|one| origin.as_bytes().eq_ignore_ascii_case(one.as_bytes()))
            .then(|| origin.clone()),
    }
}
