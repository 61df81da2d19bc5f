//! Secrets: one, or all of a store. Source: http-api.md 9.

use std::collections::BTreeMap;

use super::answer::{self, Answer};
use super::request::Call;
use crate::status::Failure;

/// `GET /v1.0/secrets/{store}/{key}`.
pub(super) async fn get(call: Call<'_>) -> Result<Answer, Failure> {
    let (store, key) = (call.param("store")?, call.param("key")?);
    let failed = |refused| Failure::secret(&refused, &store, Some(&key));
    let secrets = call.api.secrets().map_err(failed)?;
    let secret = secrets.get(&store, &key, call.metadata()).await.map_err(failed)?;
    Ok(answer::json(&secret.0))
}

/// `GET /v1.0/secrets/{store}/bulk`.
pub(super) async fn all(call: Call<'_>) -> Result<Answer, Failure> {
    let store = call.param("store")?;
    let failed = |refused| Failure::secret(&refused, &store, None);
    let secrets = call.api.secrets().map_err(failed)?;
    let all = secrets.all(&store, call.metadata()).await.map_err(failed)?;
    let shown: BTreeMap<_, _> = all.iter().map(|(name, secret)| (name, &secret.0)).collect();
    Ok(answer::json(&shown))
}
