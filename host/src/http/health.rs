//! Whether the host is up. Source: http-api.md 17.

use super::answer::{self, Answer};
use super::request::Call;
use crate::status::Failure;

/// `GET /v1.0/healthz`, also with `?appid=`.
pub(super) async fn healthz(call: Call<'_>) -> Result<Answer, Failure> {
    let awaited = call.api.health().awaited();
    if !awaited.is_empty() {
        return Err(Failure::not_ready(&awaited));
    }
    match call.query("appid") {
        Some(app) if app != call.api.identity().app.as_str() => Err(Failure::other_app()),
        Some(_) | None => Ok(answer::empty()),
    }
}

/// `GET /v1.0/healthz/outbound`.
pub(super) async fn outbound(call: Call<'_>) -> Result<Answer, Failure> {
    if call.api.health().is_outbound() {
        Ok(answer::empty())
    } else {
        Err(Failure::outbound_not_ready())
    }
}
