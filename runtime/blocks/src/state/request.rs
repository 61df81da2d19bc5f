//! What `sys.state` understands when it is called in bytes: method names and JSON.
//!
//! Bodies are read strictly: an unknown field is an error that names it. Keys of
//! actors can be read here and listed, never written: their state is the actor's
//! own turns' to write, behind its fence (O3). `host/docs/system-actors.md` lists
//! every method with its body.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use odeon_runtime::seams::Call;
use odeon_runtime::state::{check_name, visible};
use odeon_runtime::store::{ActorScope, Condition, Expiry, Key, Op, Scan, StateStore, Transaction};
use odeon_runtime::{ActorRef, Error, Headers, Reply};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::prefix::{self, Prefixes};
use super::write::{self, as_json};

/// A key, plain or an actor's.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Get {
    key: String,
    #[serde(default)]
    actor_type: Option<String>,
    #[serde(default)]
    actor_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BulkGet {
    keys: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Options {
    #[serde(default)]
    concurrency: Option<String>,
    #[serde(default)]
    consistency: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Metadata {
    #[serde(default, rename = "ttlInSeconds")]
    ttl: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Write<'a> {
    key: String,
    #[serde(default, borrow)]
    value: Option<&'a RawValue>,
    #[serde(default)]
    etag: Option<String>,
    #[serde(default)]
    options: Options,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Operation<'a> {
    operation: String,
    #[serde(borrow)]
    request: Write<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Operations<'a> {
    #[serde(borrow)]
    operations: Vec<Operation<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Keys {
    actor_type: String,
    actor_id: String,
    #[serde(default)]
    starts_with: String,
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Listed {
    keys: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Serialize)]
struct BulkItem {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
}

/// The methods, for the error that lists them.
const METHODS: [&str; 6] = ["get", "bulkGet", "set", "delete", "transaction", "keys"];

/// Runs one method against a component.
pub(super) async fn run(
    store: &dyn StateStore,
    prefixes: &Prefixes,
    actor: &ActorRef,
    call: &Call,
) -> Result<Reply, Error> {
    match &*call.method {
        "get" => get(store, prefixes, parse(&call.body)?).await,
        "bulkGet" => bulk_get(store, prefixes, parse(&call.body)?).await,
        "set" => {
            let writes: Vec<Write<'_>> = parse(&call.body)?;
            let ops = writes
                .into_iter()
                .map(|write| upsert(prefixes, &write))
                .collect::<Result<_, _>>()?;
            commit(store, ops).await
        }
        "delete" => commit(store, vec![delete(prefixes, &parse(&call.body)?)?]).await,
        "transaction" => {
            let request: Operations<'_> = parse(&call.body)?;
            let ops = request.operations.into_iter().map(|one| match one.operation.as_str() {
                "upsert" => upsert(prefixes, &one.request),
                "delete" => delete(prefixes, &one.request),
                other => Err(Error::Arguments(format!(
                    "operation '{other}' is not one of upsert, delete"
                ))),
            });
            commit(store, ops.collect::<Result<_, _>>()?).await
        }
        "keys" => keys(store, prefixes, parse(&call.body)?).await,
        other => {
            let hint = odeon_base::suggest::nearest(other, METHODS)
                .map(|method| format!("{other} (did you mean {method}?)"));
            Err(Error::NoMethod {
                actor_type: actor.actor_type.clone(),
                id: actor.id.clone(),
                method: hint.unwrap_or_else(|| other.to_owned()),
            })
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| {
        Error::Arguments(format!("the body is not what the method takes: {error}"))
    })
}

fn plain(prefixes: &Prefixes, key: &str) -> Result<Key, Error> {
    if key.is_empty() {
        return Err(Error::Arguments("key cannot be empty".to_owned()));
    }
    prefix::key(&prefixes.plain, key).map_err(|illegal| Error::Arguments(illegal.to_string()))
}

fn scope(prefixes: &Prefixes, actor_type: &str, actor_id: &str) -> Result<ActorScope, Error> {
    let actor = ActorRef::parse(actor_type, actor_id)?;
    Ok(ActorScope {
        prefix: Arc::clone(&prefixes.actors),
        actor_type: actor.actor_type.as_str().into(),
        actor_id: actor.id.as_str().into(),
    })
}

async fn get(store: &dyn StateStore, prefixes: &Prefixes, request: Get) -> Result<Reply, Error> {
    let key = match (&request.actor_type, &request.actor_id) {
        (None, None) => plain(prefixes, &request.key)?,
        (Some(actor_type), Some(id)) => {
            check_name(&request.key)?;
            Key::Actor(scope(prefixes, actor_type, id)?, request.key.as_str().into())
        }
        _ => return Err(Error::Arguments("actorType and actorId go together".to_owned())),
    };
    let mut headers = Headers::new();
    let Some(item) = store.get(&key).await? else {
        headers.push("odeon-found", "false");
        return Ok(Reply { headers, ..Reply::default() });
    };
    headers.push("odeon-found", "true");
    headers.push("content-type", "application/json");
    headers.push("etag", &*item.etag);
    if let Some(at) = item.expires_at {
        headers.push("metadata.ttlExpireTime", rfc3339(at));
    }
    Ok(Reply { body: item.value, headers, ..Reply::default() })
}

async fn bulk_get(
    store: &dyn StateStore,
    prefixes: &Prefixes,
    request: BulkGet,
) -> Result<Reply, Error> {
    let keys =
        request.keys.iter().map(|key| plain(prefixes, key)).collect::<Result<Vec<_>, _>>()?;
    let items = store.bulk_get(&keys).await?;
    let answers = request.keys.into_iter().zip(items).map(|(key, item)| match item {
        None => BulkItem { key, data: None, etag: None },
        Some(item) => {
            BulkItem { key, etag: Some(item.etag.to_string()), data: Some(as_json(&item.value)) }
        }
    });
    json(&answers.collect::<Vec<_>>())
}

fn condition(write: &Write<'_>) -> Result<Condition, Error> {
    let Options { concurrency, consistency } = &write.options;
    let options = write::Options {
        concurrency: concurrency.as_deref().unwrap_or_default(),
        consistency: consistency.as_deref().unwrap_or_default(),
    };
    options.condition(write.etag.as_deref()).map_err(Error::Arguments)
}

fn upsert(prefixes: &Prefixes, write: &Write<'_>) -> Result<Op, Error> {
    let expiry = match write.metadata.ttl.as_deref() {
        None | Some("-1") => Expiry::Never,
        Some(text) => match text.parse::<u64>() {
            Ok(seconds) if seconds > 0 => Expiry::After(Duration::from_secs(seconds)),
            _ => {
                return Err(Error::Arguments(format!(
                    "metadata.ttlInSeconds '{text}' is not -1 or a number of seconds above 0"
                )));
            }
        },
    };
    let value = write.value.map_or("null", RawValue::get);
    Ok(Op::Upsert {
        key: plain(prefixes, &write.key)?,
        value: Bytes::copy_from_slice(value.as_bytes()),
        condition: condition(write)?,
        expiry,
    })
}

fn delete(prefixes: &Prefixes, write: &Write<'_>) -> Result<Op, Error> {
    Ok(Op::Delete { key: plain(prefixes, &write.key)?, condition: condition(write)? })
}

async fn commit(store: &dyn StateStore, ops: Vec<Op>) -> Result<Reply, Error> {
    if !ops.is_empty() {
        store.transact(Transaction { fence: None, ops }).await?;
    }
    Ok(Reply::default())
}

async fn keys(store: &dyn StateStore, prefixes: &Prefixes, request: Keys) -> Result<Reply, Error> {
    let scope = scope(prefixes, &request.actor_type, &request.actor_id)?;
    let limit = request.limit.unwrap_or(100);
    if !(1..=1_000).contains(&limit) {
        return Err(Error::Arguments(format!("limit {limit} is not a number from 1 to 1000")));
    }
    let after = request.after.map(|after| Key::Actor(scope.clone(), after.into()));
    let scan = Scan { scope, starts_with: request.starts_with.into(), after, limit };
    let page = visible(store, scan).await?;
    json(&Listed {
        keys: page.items.iter().map(|(key, _)| key.name().to_owned()).collect(),
        next: page.next.map(|key| key.name().to_owned()),
    })
}

fn json(value: &impl Serialize) -> Result<Reply, Error> {
    let body = serde_json::to_vec(value)
        .map_err(|error| Error::Arguments(format!("the answer cannot be written: {error}")))?;
    let mut headers = Headers::new();
    headers.push("content-type", "application/json");
    Ok(Reply { body: body.into(), headers, ..Reply::default() })
}

/// To the second, as Dapr's stores tell it; a time that no calendar has is left empty.
fn rfc3339(at: SystemTime) -> String {
    let seconds = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let at =
        i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    at.map(|at| at.to_string()).unwrap_or_default()
}
