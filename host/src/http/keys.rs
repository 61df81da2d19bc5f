//! An actor's keys: listed by pages, read by many (ST-6).
//!
//! Beyond Dapr's API, so below `/odeon/v1`. A value that is JSON is shown as it is, any other in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use odeon_runtime::store::Item;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::{self, Answer};
use super::request::Call;
use crate::api::{check_keys, check_page};
use crate::json;
use crate::status::Failure;

/// A key, and what it holds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_expire_time: Option<String>,
}

#[derive(Serialize)]
struct Page {
    keys: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct Read {
    keys: Vec<Shown>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    keys: Vec<String>,
}

impl Shown {
    fn name(key: &str) -> Self {
        Self { key: key.to_owned(), value: None, base64: None, etag: None, ttl_expire_time: None }
    }

    fn with(key: &str, item: &Item) -> Self {
        let json: Option<Box<RawValue>> = serde_json::from_slice(&item.value).ok();
        Self {
            base64: json.is_none().then(|| STANDARD.encode(&item.value)),
            value: json,
            etag: Some(item.etag.to_string()),
            ttl_expire_time: item.expires_at.map(json::timestamp),
            ..Self::name(key)
        }
    }
}

/// `GET /odeon/v1/actors/{type}/{id}/state?prefix=..&after=..&limit=..&values=true`.
pub(super) async fn list(call: Call<'_>) -> Result<Answer, Failure> {
    let actor = call.open_actor()?;
    let limit = check_page(call.number("limit")?).map_err(Failure::bad_request)?;
    let has_values = call.flag("values")?;
    let (prefix, after) = (call.query("prefix").unwrap_or_default(), call.query("after"));
    Failure::check_runnable(call.api.can_run(&actor.actor_type))?;
    let after = after.as_deref().filter(|after| !after.is_empty());
    let engine = call.api.engine();
    let page = engine.list_state(&actor, call.activation()?, &prefix, after, limit).await;
    let page = page.map_err(|error| Failure::state_get(&error))?;
    let keys = page.items.iter().map(|(key, item)| match has_values {
        true => Shown::with(key.name(), item),
        false => Shown::name(key.name()),
    });
    let next = page.next.map(|key| key.name().to_owned());
    Ok(answer::json(&Page { keys: keys.collect(), next }))
}

/// `POST /odeon/v1/actors/{type}/{id}/state/bulk`, with `{"keys":["..."]}`.
pub(super) async fn read(call: Call<'_>) -> Result<Answer, Failure> {
    let (actor, activation) = (call.open_actor()?, call.activation()?);
    let limit = call.api.limits().body_bytes;
    let body = call.body.read(limit).await.map_err(Failure::body_read)?;
    let wanted: Wanted = serde_json::from_slice(&body).map_err(Failure::malformed)?;
    check_keys(&wanted.keys).map_err(Failure::bad_request)?;
    Failure::check_runnable(call.api.can_run(&actor.actor_type))?;
    let keys: Vec<_> = wanted.keys.iter().map(|key| key.as_str().into()).collect();
    let items = call.api.engine().read_states(&actor, activation, &keys).await;
    let items = items.map_err(|error| Failure::state_get(&error))?;
    let shown = wanted.keys.iter().zip(&items).map(|(key, item)| match item {
        Some(item) => Shown::with(key, item),
        None => Shown::name(key),
    });
    Ok(answer::json(&Read { keys: shown.collect() }))
}
