//! Secrets, as messages. Source: grpc-api.md 3.5.

use odeon_blocks::secret::Secret;
use odeon_proto::dapr::runtime::v1::{
    GetBulkSecretRequest, GetBulkSecretResponse, GetSecretRequest, GetSecretResponse,
    SecretResponse,
};

use crate::api::Api;
use crate::status::Failure;

/// `GetSecret`.
pub(super) async fn get(
    api: &Api,
    request: GetSecretRequest,
) -> Result<GetSecretResponse, Failure> {
    let GetSecretRequest { store_name, key, metadata } = request;
    let failed = |refused| Failure::secret(&refused, &store_name, Some(&key));
    let secrets = api.secrets().map_err(failed)?;
    let metadata = metadata.into_iter().collect();
    let Secret(data) = secrets.get(&store_name, &key, metadata).await.map_err(failed)?;
    Ok(GetSecretResponse { data: data.into_iter().collect() })
}

/// `GetBulkSecret`.
pub(super) async fn all(
    api: &Api,
    request: GetBulkSecretRequest,
) -> Result<GetBulkSecretResponse, Failure> {
    let GetBulkSecretRequest { store_name, metadata } = request;
    let failed = |refused| Failure::secret(&refused, &store_name, None);
    let secrets = api.secrets().map_err(failed)?;
    let all = secrets.all(&store_name, metadata.into_iter().collect()).await.map_err(failed)?;
    let told = all.into_iter().map(|(name, Secret(values))| {
        (name, SecretResponse { secrets: values.into_iter().collect() })
    });
    Ok(GetBulkSecretResponse { data: told.collect() })
}
