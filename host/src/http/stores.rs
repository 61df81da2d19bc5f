//! The state building block: keys read, written and deleted, one, several or all or nothing.
//!
//! Which keys a store has for these is its own matter (`odeon_blocks::state::stores`); actors'
//! state is in `state`. Source: http-api.md 4.

use std::collections::BTreeMap;

use http::HeaderValue;
use http::header::{ETAG, IF_MATCH};
use odeon_blocks::state::stores::{Error, Read, Store};
use odeon_blocks::state::write::{Write, as_json};
use serde::Serialize;
use serde_json::value::RawValue;

use super::answer::{self, Answer};
use super::request::Call;
use super::written::{self, TTL};
use crate::json::{self, Fields};
use crate::status::Failure;
use crate::status::state::StateWork;

/// A key of several that were read.
#[derive(Serialize)]
struct Shown {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// `GET /v1.0/state/{store}/{key}`.
pub(super) async fn get(call: Call<'_>) -> Result<Answer, Failure> {
    let (name, key) = (call.param("store")?, call.param("key")?);
    let item = store(&call, &name)?.get(&key).await;
    let item = item.map_err(|error| Failure::state_work(&error, &name, StateWork::Get(&key)))?;
    let Some(item) = item else { return Ok(answer::empty()) };
    let etag = HeaderValue::from_str(&item.etag).ok();
    let mut answer = answer::item(item);
    if let Some(etag) = etag {
        answer.headers_mut().insert(ETAG, etag);
    }
    Ok(answer)
}

/// `POST|PUT /v1.0/state/{store}`.
pub(super) async fn save(call: Call<'_>) -> Result<Answer, Failure> {
    let name = call.param("store")?.into_owned();
    let store = store(&call, &name)?;
    let ttl = call.metadata().remove(TTL);
    let (_, body) = call.read_body().await?;
    let requests = written::objects(&body).map_err(Failure::malformed)?;
    let writes = requests.iter().map(|request| {
        let write = write(request).map_err(Failure::malformed)?;
        check_key(&write, "ERR_STATE_SAVE")?;
        Ok(Write { ttl: ttl.clone().or(write.ttl), ..write })
    });
    let writes = writes.collect::<Result<_, Failure>>()?;
    let failed = |error: Error| Failure::state_work(&error, &name, StateWork::Save);
    store.write(writes).await.map_err(failed)?;
    Ok(answer::empty())
}

/// `DELETE /v1.0/state/{store}/{key}`.
pub(super) async fn delete(call: Call<'_>) -> Result<Answer, Failure> {
    let (name, key) = (call.param("store")?, call.param("key")?);
    let write = Write {
        key: key.clone().into_owned(),
        etag: call.header(IF_MATCH.as_str()).map(str::to_owned),
        concurrency: call.query("concurrency").unwrap_or_default(),
        consistency: call.query("consistency").unwrap_or_default(),
        ..Write::default()
    };
    let done = store(&call, &name)?.write(vec![write]).await;
    done.map_err(|error| Failure::state_work(&error, &name, StateWork::Delete(&key)))?;
    Ok(answer::empty())
}

/// `POST|PUT /v1.0/state/{store}/bulk`.
pub(super) async fn bulk_get(call: Call<'_>) -> Result<Answer, Failure> {
    let name = call.param("store")?.into_owned();
    let store = store(&call, &name)?;
    let (_, body) = call.read_body().await?;
    let keys = keys(&body).map_err(Failure::malformed)?;
    let read = store.bulk_get(&keys).await;
    let read = read.map_err(|error| Failure::state_work(&error, &name, StateWork::BulkGet))?;
    let shown = keys.into_iter().zip(read).map(|(key, read)| show(key, read));
    Ok(answer::json(&shown.collect::<Vec<_>>()))
}

/// `POST|PUT /v1.0/state/{store}/transaction`.
pub(super) async fn transact(call: Call<'_>) -> Result<Answer, Failure> {
    let name = call.param("store")?.into_owned();
    let failed = |error: Error| Failure::state_work(&error, &name, StateWork::Transact);
    let store = store(&call, &name)?;
    store.check_transactional().map_err(failed)?;
    let ttl = call.metadata().remove(TTL);
    let (_, body) = call.read_body().await?;
    let writes = operations(&body, ttl.as_deref())?;
    store.transact(writes).await.map_err(failed)?;
    Ok(answer::empty())
}

/// `POST|PUT /v1.0-alpha1/state/{store}/query`: no store of this release can be queried.
pub(super) async fn query(call: Call<'_>) -> Result<Answer, Failure> {
    let name = call.param("store")?;
    store(&call, &name)?;
    Err(Failure::state_no_query(&name))
}

fn store<'a>(call: &Call<'a>, name: &str) -> Result<&'a Store, Failure> {
    let found = call.api.stores().find(name);
    found.map_err(|refused| Failure::state_store(&refused, call.api.identity().app.as_str()))
}

/// Reads `{"key", "value", "etag", "metadata", "options": {"concurrency", "consistency"}}`.
fn write(request: &Fields<'_>) -> Result<Write, String> {
    let options: Fields<'_> = request.read("options")?.unwrap_or_default();
    Ok(Write {
        concurrency: options.read("concurrency")?.unwrap_or_default(),
        consistency: options.read("consistency")?.unwrap_or_default(),
        ..written::write(request)?
    })
}

fn check_key(write: &Write, code: &'static str) -> Result<(), Failure> {
    if write.key.is_empty() { Err(Failure::state_no_key(code)) } else { Ok(()) }
}

/// Reads `{"keys", "parallelism", "metadata"}`. A store reads all keys at once, so the last
/// two change nothing.
fn keys(body: &[u8]) -> Result<Vec<String>, String> {
    let request: Fields<'_> = json::first::<Option<_>>(body)?.unwrap_or_default();
    let _: Option<i64> = request.read("parallelism")?;
    let _: Option<BTreeMap<String, String>> = request.read("metadata")?;
    Ok(request.read("keys")?.unwrap_or_default())
}

/// Reads `{"operations": [{"operation", "request"}], "metadata"}`.
fn operations(body: &[u8], ttl: Option<&str>) -> Result<Vec<Write>, Failure> {
    let read = || {
        let request: Fields<'_> = json::first::<Option<_>>(body)?.unwrap_or_default();
        let _: Option<BTreeMap<String, String>> = request.read("metadata")?;
        let listed = request.raw("operations").map_or("null", RawValue::get);
        let operations = written::objects(listed.as_bytes())?.into_iter().map(|operation| {
            let request: Fields<'_> = operation.read("request")?.unwrap_or_default();
            Ok((operation.read("operation")?.unwrap_or_default(), write(&request)?))
        });
        operations.collect::<Result<Vec<(String, Write)>, String>>()
    };
    let operations = read().map_err(Failure::malformed)?.into_iter().map(|(kind, write)| {
        let value = match kind.as_str() {
            "upsert" => write.value.clone(),
            "delete" => None,
            other => return Err(Failure::state_operation(other)),
        };
        check_key(&write, "ERR_STATE_TRANSACTION")?;
        Ok(Write { value, ttl: ttl.map(str::to_owned).or(write.ttl), ..write })
    });
    operations.collect()
}

fn show(key: String, read: Read) -> Shown {
    let (item, error) = match read {
        Ok(item) => (item, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let metadata = item.as_ref().and_then(json::expiry).into_iter().collect();
    let etag = item.as_ref().map(|item| item.etag.to_string());
    let data = item.map(|item| compact(&item.value));
    Shown { key, data, etag, metadata, error }
}

fn compact(value: &[u8]) -> Box<RawValue> {
    let shown = as_json(value);
    let text = String::from_utf8_lossy(&json::compact(&shown)).into_owned();
    RawValue::from_string(text).unwrap_or(shown)
}
