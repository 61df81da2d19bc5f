//! The state building block, as messages. Source: grpc-api.md 2.2, 3.2.

use std::collections::HashMap;

use odeon_blocks::state::stores::{Error, Store};
use odeon_blocks::state::write::Write;
use odeon_proto::dapr::common::v1::state_options::{StateConcurrency, StateConsistency};
use odeon_proto::dapr::common::v1::{StateItem, StateOptions};
use odeon_proto::dapr::runtime::v1::{
    BulkStateItem, DeleteBulkStateRequest, DeleteStateRequest, ExecuteStateTransactionRequest,
    GetBulkStateRequest, GetBulkStateResponse, GetStateRequest, GetStateResponse,
    QueryStateRequest, QueryStateResponse, SaveStateRequest, TransactionalStateOperation,
};
use odeon_runtime::store::Item;
use serde::de::IgnoredAny;

use crate::api::Api;
use crate::json;
use crate::status::Failure;
use crate::status::state::StateWork;

/// `GetState`: a missing key is an empty reply.
pub(super) async fn get(api: &Api, request: GetStateRequest) -> Result<GetStateResponse, Failure> {
    let GetStateRequest { store_name, key, .. } = request;
    let item = store(api, &store_name)?.get(&key).await;
    let work = StateWork::Get(&key);
    let item = item.map_err(|error| Failure::state_work(&error, &store_name, work))?;
    Ok(item.map_or_else(GetStateResponse::default, |item| GetStateResponse {
        metadata: metadata(&item),
        etag: item.etag.to_string(),
        data: item.value,
    }))
}

/// `GetBulkState`.
pub(super) async fn bulk_get(
    api: &Api,
    request: GetBulkStateRequest,
) -> Result<GetBulkStateResponse, Failure> {
    let GetBulkStateRequest { store_name, keys, .. } = request;
    let read = store(api, &store_name)?.bulk_get(&keys).await;
    let work = StateWork::BulkGet;
    let read = read.map_err(|error| Failure::state_work(&error, &store_name, work))?;
    let items = keys.into_iter().zip(read).map(|(key, read)| match read {
        Ok(Some(item)) => BulkStateItem {
            key,
            metadata: metadata(&item),
            etag: item.etag.to_string(),
            data: item.value,
            error: String::new(),
        },
        Ok(None) => BulkStateItem { key, ..BulkStateItem::default() },
        Err(error) => BulkStateItem { key, error: error.to_string(), ..BulkStateItem::default() },
    });
    Ok(GetBulkStateResponse { items: items.collect() })
}

/// `SaveState`.
pub(super) async fn save(api: &Api, request: SaveStateRequest) -> Result<(), Failure> {
    let SaveStateRequest { store_name, states } = request;
    let store = store(api, &store_name)?;
    let writes = states.into_iter().map(|state| upsert(state, "ERR_STATE_SAVE"));
    let done = store.write(writes.collect::<Result<_, _>>()?).await;
    done.map_err(|error| Failure::state_work(&error, &store_name, StateWork::Save))
}

/// `DeleteState`.
pub(super) async fn delete(api: &Api, request: DeleteStateRequest) -> Result<(), Failure> {
    let DeleteStateRequest { store_name, key, etag, options, .. } = request;
    let state = StateItem { key: key.clone(), etag, options, ..StateItem::default() };
    let done = store(api, &store_name)?.write(vec![removal(state)]).await;
    done.map_err(|error| Failure::state_work(&error, &store_name, StateWork::Delete(&key)))
}

/// `DeleteBulkState`.
pub(super) async fn bulk_delete(api: &Api, request: DeleteBulkStateRequest) -> Result<(), Failure> {
    let DeleteBulkStateRequest { store_name, states } = request;
    let removals = states.into_iter().map(removal).collect();
    let done = store(api, &store_name)?.write(removals).await;
    done.map_err(|error| Failure::state_work(&error, &store_name, StateWork::BulkDelete))
}

/// `ExecuteStateTransaction`.
pub(super) async fn transact(
    api: &Api,
    request: ExecuteStateTransactionRequest,
) -> Result<(), Failure> {
    let ExecuteStateTransactionRequest { store_name, operations, .. } = request;
    let failed = |error: Error| Failure::state_work(&error, &store_name, StateWork::Transact);
    let store = store(api, &store_name)?;
    store.check_transactional().map_err(failed)?;
    let writes = operations.into_iter().map(operation);
    store.transact(writes.collect::<Result<_, _>>()?).await.map_err(failed)
}

/// `QueryStateAlpha1`: no store of this release can be queried.
pub(super) fn query(api: &Api, request: &QueryStateRequest) -> Result<QueryStateResponse, Failure> {
    store(api, &request.store_name)?;
    Err(Failure::state_no_query(&request.store_name))
}

/// What is told of a stored value beside it.
pub(super) fn metadata(item: &Item) -> HashMap<String, String> {
    json::expiry(item).map(|(name, at)| (name.to_owned(), at)).into_iter().collect()
}

fn store<'a>(api: &'a Api, name: &str) -> Result<&'a Store, Failure> {
    let found = api.stores().find(name);
    found.map_err(|refused| Failure::state_store(&refused, api.identity().app.as_str()))
}

fn operation(operation: TransactionalStateOperation) -> Result<Write, Failure> {
    const CODE: &str = "ERR_STATE_TRANSACTION";
    let TransactionalStateOperation { operation_type, request } = operation;
    let state = request.unwrap_or_default();
    match operation_type.as_str() {
        "upsert" => upsert(state, CODE),
        "delete" if state.key.is_empty() => Err(Failure::state_no_key(CODE)),
        "delete" => Ok(removal(state)),
        other => Err(Failure::state_operation(other)),
    }
}

fn upsert(mut state: StateItem, code: &'static str) -> Result<Write, Failure> {
    if state.key.is_empty() {
        return Err(Failure::state_no_key(code));
    }
    let named = |name: &str| {
        let mut metadata = state.metadata.iter();
        metadata.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    };
    if named("contentType").is_some_and(|kind| is_json(kind)) {
        let read = serde_json::from_slice::<IgnoredAny>(&state.value);
        read.map_err(Failure::state_no_json)?;
    }
    let ttl = named("ttlInSeconds").cloned();
    let value = std::mem::take(&mut state.value);
    Ok(Write { value: Some(value), ttl, ..removal(state) })
}

fn removal(state: StateItem) -> Write {
    let StateItem { key, etag, options, .. } = state;
    let options: StateOptions = options.unwrap_or_default();
    let concurrency = match options.concurrency() {
        StateConcurrency::ConcurrencyUnspecified => "",
        StateConcurrency::ConcurrencyFirstWrite => "first-write",
        StateConcurrency::ConcurrencyLastWrite => "last-write",
    };
    let consistency = match options.consistency() {
        StateConsistency::ConsistencyUnspecified => "",
        StateConsistency::ConsistencyEventual => "eventual",
        StateConsistency::ConsistencyStrong => "strong",
    };
    Write {
        key,
        value: None,
        etag: etag.map(|etag| etag.value),
        concurrency: concurrency.to_owned(),
        consistency: consistency.to_owned(),
        ttl: None,
    }
}

/// Whether a content type says JSON, with or without parameters.
fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}
