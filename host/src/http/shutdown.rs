//! A request to stop. Source: http-api.md 18. What stopping means is the assembly's.

use super::answer::{self, Answer};
use super::request::Call;
use crate::api::Shutdown;
use crate::status::Failure;

/// `POST /v1.0/shutdown`; the body is not read.
pub(super) async fn shutdown(call: Call<'_>) -> Result<Answer, Failure> {
    let is_forced =
        call.header("dapr-force-shutdown").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let how = if is_forced { Shutdown::Force } else { Shutdown::Graceful };
    call.api.shutdown().request(how);
    Ok(answer::empty())
}
