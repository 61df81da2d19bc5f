//! What goes wrong with locks. Source: http-api.md 11, 21; grpc-api.md 2.1.

use odeon_blocks::lock::Refused;
use tonic::Code;

use super::Failure;
use crate::api::locks::LockError;

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        let text = error.to_string();
        let (http, grpc, code) = match &error {
            LockError::Expiry(_) | LockError::NoResource(_) | LockError::NoOwner(_) => {
                (400, Code::InvalidArgument, "ERR_MALFORMED_REQUEST")
            }
            LockError::Refused(Refused::NotConfigured) => {
                (500, Code::FailedPrecondition, "ERR_LOCK_STORE_NOT_CONFIGURED")
            }
            LockError::Refused(Refused::NotFound(_)) => {
                (400, Code::InvalidArgument, "ERR_LOCK_STORE_NOT_FOUND")
            }
            LockError::TryLock(_) => (500, Code::Internal, "ERR_TRY_LOCK"),
            LockError::Unlock(_) => (500, Code::Internal, "ERR_UNLOCK"),
        };
        let failure = Self::new(http, grpc, code, text);
        match &error {
            LockError::TryLock(cause) | LockError::Unlock(cause) => failure.with(cause.execution()),
            LockError::Expiry(_)
            | LockError::NoResource(_)
            | LockError::NoOwner(_)
            | LockError::Refused(_) => failure,
        }
    }
}
