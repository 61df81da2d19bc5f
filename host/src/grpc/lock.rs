//! Locks, as messages. Source: grpc-api.md 3.8.

use odeon_proto::dapr::runtime::v1::{
    TryLockRequest, TryLockResponse, UnlockRequest, UnlockResponse,
};

use crate::api::Api;
use crate::api::locks::{Give, Take};
use crate::status::Failure;

/// `TryLockAlpha1`.
pub(super) async fn try_lock(
    api: &Api,
    request: TryLockRequest,
) -> Result<TryLockResponse, Failure> {
    let TryLockRequest { store_name, resource_id, lock_owner, expiry_in_seconds } = request;
    let take = Take { resource_id, lock_owner, expiry_in_seconds };
    Ok(TryLockResponse { success: api.try_lock(&store_name, take).await? })
}

/// `UnlockAlpha1`.
pub(super) async fn unlock(api: &Api, request: UnlockRequest) -> Result<UnlockResponse, Failure> {
    let UnlockRequest { store_name, resource_id, lock_owner } = request;
    let unlocked = api.unlock(&store_name, Give { resource_id, lock_owner }).await?;
    Ok(UnlockResponse { status: unlocked.number() })
}
