//! Secrets: one, or all of a store. Source: http-api.md 9.

use std::collections::BTreeMap;

use odeon_blocks::secret::Metadata;

use super::answer::{self, Answer};
use super::request::{Call, query_items};
use crate::status::Failure;

/// What the names of a request's metadata begin with in the query.
const METADATA: &str = "metadata.";

/// `GET /v1.0/secrets/{store}/{key}`.
pub(super) async fn get(call: Call<'_>) -> Result<Answer, Failure> {
    let (store, key) = (call.param("store")?, call.param("key")?);
    let failed = |refused| Failure::secret(&refused, &store, Some(&key));
    let secrets = call.api.secrets().map_err(failed)?;
    let secret = secrets.get(&store, &key, metadata(&call)).await.map_err(failed)?;
    Ok(answer::json(&secret.0))
}

/// `GET /v1.0/secrets/{store}/bulk`.
pub(super) async fn all(call: Call<'_>) -> Result<Answer, Failure> {
    let store = call.param("store")?;
    let failed = |refused| Failure::secret(&refused, &store, None);
    let secrets = call.api.secrets().map_err(failed)?;
    let all = secrets.all(&store, metadata(&call)).await.map_err(failed)?;
    let shown: BTreeMap<_, _> = all.iter().map(|(name, secret)| (name, &secret.0)).collect();
    Ok(answer::json(&shown))
}

fn metadata(call: &Call<'_>) -> Metadata {
    let items = query_items(&call.head.uri);
    let named = items.filter_map(|(name, value)| {
        Some((name.strip_prefix(METADATA)?.to_owned(), value.into_owned()))
    });
    named.collect()
}
