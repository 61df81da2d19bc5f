//! What the services answer: one envelope for all of them, and a status that tells the truth.
//!
//! Wire: `{"code":0,"message":"ok","data":...}`, or `{"code":-1,"message":"...","reason":"..."}`
//! with the field that is wrong, or the number or price that holds, where there is one.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use odeon_base::Kind;
use odeon_sdk::Error;
use serde::Serialize;
use serde_json::{Value, json};

use crate::domain::answer::{Reason, Refusal};

/// What a service does with a request.
pub(super) type Outcome = Result<Reply, No>;

/// A yes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    /// It is done, and here are the data.
    Done(Value),
    /// It goes on; the data tell where to ask.
    Accepted(Value),
}

/// A no.
#[derive(Debug, Clone)]
pub(super) enum No {
    /// Somebody decided so.
    Refused(Refusal),
    /// Nobody knows who asks.
    Unauthorised,
    /// It is known who asks, and they may not.
    Forbidden,
    /// Nothing answers under this path.
    Nowhere(String),
    /// The paths of the services are posted to.
    Unposted,
    /// The shop is not ready to be asked; why.
    Unready(&'static str),
    /// No more can be taken in now; what of.
    Full(&'static str),
    /// The body is too long.
    TooLong(usize),
    /// The call of an actor came to nothing.
    Failed(Error),
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for No {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Reply {
    /// The data of an answer.
    pub(super) fn of(data: impl Serialize) -> Self {
        Self::Done(json!(data))
    }
}

/// A page of a list, and how many there are on all.
pub(super) fn page(data: impl IntoIterator<Item = Value>, total: u64) -> Value {
    json!({"pageData": data.into_iter().collect::<Vec<_>>(), "pageTotal": total})
}

/// The answer as HTTP's; `always_200` for clients that look at the envelope only.
pub(super) fn answer(outcome: Outcome, always_200: bool) -> Response<Body> {
    let (status, envelope) = match outcome {
        Ok(Reply::Done(data)) => (StatusCode::OK, yes(&data)),
        Ok(Reply::Accepted(data)) => (StatusCode::ACCEPTED, yes(&data)),
        Err(no) => envelope(&no),
    };
    let status = if always_200 { StatusCode::OK } else { status };
    let mut response = Response::new(Body::from(envelope.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn yes(data: &Value) -> Value {
    json!({"code": 0, "message": "ok", "data": data})
}

fn envelope(no: &No) -> (StatusCode, Value) {
    let (status, reason, message) = match no {
        No::Refused(refusal) => {
            let mut envelope = json!(refusal);
            envelope["code"] = json!(-1);
            return (status_of(refusal.reason), envelope);
        }
        No::Unauthorised => (
            StatusCode::UNAUTHORIZED,
            "unauthorised",
            "say who you are: Authentication: ACCOUNT".to_owned(),
        ),
        No::Forbidden => {
            (StatusCode::FORBIDDEN, "forbidden", "this is not yours to see or do".to_owned())
        }
        No::Nowhere(path) => {
            (StatusCode::NOT_FOUND, "not_found", format!("nothing answers under '{path}'"))
        }
        No::Unposted => {
            (StatusCode::METHOD_NOT_ALLOWED, "invalid", "requests are posted: use POST".to_owned())
        }
        No::Unready(why) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", (*why).to_owned()),
        No::Full(why) => (StatusCode::TOO_MANY_REQUESTS, "rate_limited", (*why).to_owned()),
        No::TooLong(limit) => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "invalid",
            format!("the body is longer than {limit} bytes"),
        ),
        No::Failed(error) => {
            let (status, reason) = status_of_failure(error);
            (status, reason, error.report())
        }
    };
    (status, json!({"code": -1, "message": message, "reason": reason}))
}

fn status_of(reason: Reason) -> StatusCode {
    match reason {
        Reason::Invalid => StatusCode::BAD_REQUEST,
        Reason::NotFound => StatusCode::NOT_FOUND,
        Reason::OutOfStock
        | Reason::OffShelf
        | Reason::PriceChanged
        | Reason::QuotaExceeded
        | Reason::PerBuyerLimit
        | Reason::WrongState
        | Reason::AlreadyPaid
        | Reason::Conflict
        | Reason::Duplicate => StatusCode::CONFLICT,
        Reason::Expired => StatusCode::GONE,
    }
}

/// Technical trouble: whoever asks may ask again with the same ids.
fn status_of_failure(error: &Error) -> (StatusCode, &'static str) {
    match error.kind() {
        Kind::Overloaded => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
        Kind::Invalid => (StatusCode::BAD_REQUEST, "invalid"),
        Kind::Timeout | Kind::Unavailable | Kind::NotFound | Kind::Conflict => {
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        }
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_no_is_a_reason_for_programs_and_a_status_for_everybody() {
        for (no, status, envelope_expected) in [
            (
                No::from(Refusal::out_of_stock(1)),
                409,
                r#"{"available":1,"code":-1,"message":"only 1 available","reason":"out_of_stock"}"#,
            ),
            (
                No::from(Refusal::invalid("count must be 1 to 99, not 0").at("count")),
                400,
                r#"{"code":-1,"field":"count","message":"count must be 1 to 99, not 0","reason":"invalid"}"#,
            ),
            (
                No::Forbidden,
                403,
                r#"{"code":-1,"message":"this is not yours to see or do","reason":"forbidden"}"#,
            ),
            (No::from(Error::failed("no")), 500, r#"{"code":-1,"message":"no","reason":"failed"}"#),
        ] {
            let (found, envelope) = envelope(&no);
            let told: Value = serde_json::from_str(envelope_expected).unwrap();
            assert_eq!((found.as_u16(), envelope), (status, told));
            assert_eq!(answer(Err(no), true).status(), StatusCode::OK);
        }
    }
}
