//! Locks, taken and given back. Source: http-api.md 1.9, 11.

use serde::{Deserialize, Serialize};

use super::answer::{self, Answer};
use super::request::Call;
use crate::api::locks::{Give, Take};
use crate::status::Failure;

/// What both are told; names in either form, `null` and what is left out count as empty.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Asked {
    #[serde(alias = "resource_id")]
    resource_id: Option<String>,
    #[serde(alias = "lock_owner")]
    lock_owner: Option<String>,
    #[serde(alias = "expiry_in_seconds")]
    expiry_in_seconds: Option<Seconds>,
}

/// A number, which may be written as text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(i32),
    Text(String),
}

#[derive(Serialize)]
struct Taken {
    success: bool,
}

#[derive(Serialize)]
struct Given {
    status: i32,
}

/// `POST /v1.0-alpha1/lock/{store}`.
pub(super) async fn try_lock(call: Call<'_>) -> Result<Answer, Failure> {
    let store = call.param("store")?.into_owned();
    let (api, body) = call.read_body().await?;
    let Asked { resource_id, lock_owner, expiry_in_seconds } = read(&body)?;
    let expiry_in_seconds = match expiry_in_seconds {
        None => 0,
        Some(Seconds::Number(number)) => number,
        Some(Seconds::Text(text)) => text.parse().map_err(Failure::malformed)?,
    };
    let (resource_id, lock_owner) =
        (resource_id.unwrap_or_default(), lock_owner.unwrap_or_default());
    let take = Take { resource_id, lock_owner, expiry_in_seconds };
    Ok(answer::json(&Taken { success: api.try_lock(&store, take).await? }))
}

/// `POST /v1.0-alpha1/unlock/{store}`.
pub(super) async fn unlock(call: Call<'_>) -> Result<Answer, Failure> {
    let store = call.param("store")?.into_owned();
    let (api, body) = call.read_body().await?;
    let Asked { resource_id, lock_owner, .. } = read(&body)?;
    let (resource_id, lock_owner) =
        (resource_id.unwrap_or_default(), lock_owner.unwrap_or_default());
    let give = Give { resource_id, lock_owner };
    Ok(answer::json(&Given { status: api.unlock(&store, give).await?.number() }))
}

/// No body is as good as `{}`.
fn read(body: &[u8]) -> Result<Asked, Failure> {
    if body.is_empty() {
        return Ok(Asked::default());
    }
    serde_json::from_slice(body).map_err(Failure::malformed)
}
