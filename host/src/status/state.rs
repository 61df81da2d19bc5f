//! What goes wrong with the state building block. Source: http-api.md 4; grpc-api.md 2.2, 3.2.

use odeon_base::Execution;
use odeon_blocks::state::prefix::Illegal;
use odeon_blocks::state::stores::{Error, Refused};
use odeon_runtime::store;
use tonic::Code;

use super::Failure;
use super::details::{Details, Link, Resource};

/// Where it is told which store can do what.
const STORES: Link = Link {
    url: "https://docs.dapr.io/reference/components-reference/supported-state-stores/",
    description: "Check the list of state stores and the features they support",
};

/// What was to be done with keys of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateWork<'a> {
    /// Reading this one.
    Get(&'a str),
    /// Reading several.
    BulkGet,
    /// Writing one or several.
    Save,
    /// Deleting this one.
    Delete(&'a str),
    /// Deleting several.
    BulkDelete,
    /// All or nothing.
    Transact,
}

/// How writes went wrong, all in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    /// The stored ETag is another.
    Mismatch,
    /// An ETag is none.
    Malformed,
    /// Anything else.
    Failed,
}

impl Failure {
    /// No store can be asked.
    #[must_use]
    pub fn state_store(refused: &Refused, app: &str) -> Self {
        let text = refused.to_string();
        let (failure, reason) = match refused {
            Refused::NotConfigured(_) => (
                Self::new(500, Code::FailedPrecondition, "ERR_STATE_STORE_NOT_CONFIGURED", text),
                "DAPR_STATE_NOT_CONFIGURED",
            ),
            Refused::NotFound(_) => (
                Self::new(400, Code::InvalidArgument, "ERR_STATE_STORE_NOT_FOUND", text),
                "DAPR_STATE_NOT_FOUND",
            ),
        };
        let metadata = vec![("appID", app.to_owned())];
        failure.telling(Details { metadata, ..Details::rich(reason) })
    }

    /// A store did not do what was asked of it.
    #[must_use]
    pub fn state_work(error: &Error, store: &str, work: StateWork<'_>) -> Self {
        let text = error.to_string();
        match error {
            Error::Key(Illegal(key)) => {
                let details = Details {
                    violation: Some((key.clone(), text.clone())),
                    ..about(store, &text, "DAPR_STATE_ILLEGAL_KEY")
                };
                let code = "ERR_MALFORMED_REQUEST";
                Self::new(400, Code::InvalidArgument, code, text).telling(details)
            }
            Error::NoTransactions => {
                let text = format!("state store {store} doesn't support transactions");
                let details = Details {
                    help: Some(STORES),
                    ..about(store, &text, "DAPR_STATE_TRANSACTIONS_NOT_SUPPORTED")
                };
                Self::new(500, Code::Unimplemented, NOT_SUPPORTED, text).telling(details)
            }
            Error::TooMany { found, limit } => {
                let details = Details {
                    metadata: vec![
                        ("currentOpsTransaction", found.to_string()),
                        ("maxOpsPerTransaction", limit.to_string()),
                    ],
                    ..about(store, &text, "DAPR_STATE_TOO_MANY_TRANSACTIONS")
                };
                let code = "ERR_STATE_STORE_TOO_MANY_TRANSACTIONS";
                Self::new(400, Code::InvalidArgument, code, text).telling(details)
            }
            Error::Store(errors) => Self::of_store(errors, &text, store, work),
        }
    }

    fn of_store(errors: &[store::Error], text: &str, store: &str, work: StateWork<'_>) -> Self {
        let (code, message) = match work {
            StateWork::Get(key) => {
                ("ERR_STATE_GET", format!("fail to get {key} from state store {store}: {text}"))
            }
            StateWork::BulkGet => (
                "ERR_STATE_BULK_GET",
                format!("failed reading keys of state store {store}: {text}"),
            ),
            StateWork::Save => {
                ("ERR_STATE_SAVE", format!("failed saving state in state store {store}: {text}"))
            }
            StateWork::Delete(key) => {
                ("ERR_STATE_DELETE", format!("failed deleting state with key {key}: {text}"))
            }
            StateWork::BulkDelete => (
                "ERR_STATE_BULK_DELETE",
                format!("failed deleting keys of state store {store}: {text}"),
            ),
            StateWork::Transact => (
                "ERR_STATE_TRANSACTION",
                format!("error while executing state transaction: {text}"),
            ),
        };
        // Wire: a transaction and a read know no conflict.
        let wrong = match work {
            StateWork::Save | StateWork::Delete(_) | StateWork::BulkDelete => wrong(errors),
            StateWork::Get(_) | StateWork::BulkGet | StateWork::Transact => Wrong::Failed,
        };
        let (http, grpc) = match wrong {
            Wrong::Mismatch => (409, Code::Aborted),
            Wrong::Malformed => (400, Code::InvalidArgument),
            Wrong::Failed => (500, Code::Internal),
        };
        let is_unknown = errors.iter().any(|error| matches!(error, store::Error::Unknown { .. }));
        let execution = if is_unknown { Execution::Maybe } else { Execution::None };
        Self::new(http, grpc, code, message).telling(Details::reason(code)).with(execution)
    }

    /// The key of something to be written is missing.
    #[must_use]
    pub fn state_no_key(code: &'static str) -> Self {
        let text = "\"key\" is a required field";
        let failure = Self { grpc_message: Some(text.to_owned()), ..Self::malformed(text) };
        failure.telling(Details::reason(code))
    }

    /// A value that calls itself JSON is none; told as the reader tells it.
    #[must_use]
    pub fn state_no_json(reason: impl std::fmt::Display) -> Self {
        Self::new(500, Code::Unknown, "ERROR", reason.to_string())
    }

    /// An operation of a transaction has no meaning.
    #[must_use]
    pub fn state_operation(kind: &str) -> Self {
        const CODE: &str = "ERR_NOT_SUPPORTED_STATE_OPERATION";
        let message = format!("operation type {} not supported", kind.escape_debug());
        Self::new(400, Code::Unimplemented, CODE, message).telling(Details::reason(CODE))
    }

    /// A store cannot be queried; none of this release can.
    #[must_use]
    pub fn state_no_query(store: &str) -> Self {
        let text = "state store does not support querying";
        let details = about(store, text, "DAPR_STATE_QUERYING_NOT_SUPPORTED");
        Self::new(500, Code::Internal, NOT_SUPPORTED, text).telling(details)
    }

    fn telling(self, details: Details) -> Self {
        Self { details: Some(Box::new(details)), ..self }
    }
}

const NOT_SUPPORTED: &str = "ERR_STATE_STORE_NOT_SUPPORTED";

fn about(store: &str, text: &str, reason: &'static str) -> Details {
    let (name, description) = (store.to_owned(), text.to_owned());
    Details {
        resource: Some(Resource { kind: "state", name, description }),
        ..Details::rich(reason)
    }
}

/// A failure of several writes is one of ETags only if each of them is.
fn wrong(errors: &[store::Error]) -> Wrong {
    errors.iter().fold(Wrong::Mismatch, |all, error| match (all, error) {
        (Wrong::Failed, _) => Wrong::Failed,
        (all, store::Error::ETagMismatch { .. }) => all,
        (_, store::Error::ETagInvalid { .. }) => Wrong::Malformed,
        (
            _,
            store::Error::Fenced { .. }
            | store::Error::Unsupported { .. }
            | store::Error::Unavailable { .. }
            | store::Error::Unknown { .. }
            | store::Error::Corrupt { .. }
            | store::Error::Invalid { .. },
        ) => Wrong::Failed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mismatch() -> store::Error {
        store::Error::ETagMismatch { key: "k".to_owned() }
    }

    fn invalid() -> store::Error {
        store::Error::ETagInvalid { key: "k".to_owned(), etag: "e".to_owned() }
    }

    fn unknown() -> store::Error {
        store::Error::Unknown { reason: "cut off".to_owned() }
    }

    #[test]
    fn writes_fail_by_their_worst_failure() {
        let save = StateWork::Save;
        for (errors, work, status, grpc, execution) in [
            (vec![mismatch()], save, 409, Code::Aborted, Execution::None),
            (vec![mismatch(), mismatch()], save, 409, Code::Aborted, Execution::None),
            (vec![invalid(), mismatch()], save, 400, Code::InvalidArgument, Execution::None),
            (vec![mismatch(), invalid()], save, 400, Code::InvalidArgument, Execution::None),
            (vec![mismatch(), unknown()], save, 500, Code::Internal, Execution::Maybe),
            (vec![unknown(), invalid()], save, 500, Code::Internal, Execution::Maybe),
            (vec![mismatch()], StateWork::Delete("k"), 409, Code::Aborted, Execution::None),
            (vec![invalid()], StateWork::BulkDelete, 400, Code::InvalidArgument, Execution::None),
            (vec![mismatch()], StateWork::Transact, 500, Code::Internal, Execution::None),
        ] {
            let failure = Failure::state_work(&Error::Store(errors.clone()), "s", work);
            let told = (failure.http.as_u16(), failure.grpc, failure.execution);
            assert_eq!(told, (status, grpc, execution), "{work:?} {errors:?}");
        }
    }

    #[test]
    fn what_a_store_cannot_do_is_told_with_details() {
        let failure = Failure::state_work(&Error::NoTransactions, "s", StateWork::Transact);
        assert_eq!((failure.http.as_u16(), failure.grpc), (500, Code::Unimplemented));
        assert_eq!(failure.message, "state store s doesn't support transactions");
        let details = failure.details.unwrap();
        assert_eq!(details.reason, "DAPR_STATE_TRANSACTIONS_NOT_SUPPORTED");
        assert_eq!((details.help, details.is_rich), (Some(STORES), true));
        let error = Error::TooMany { found: 9, limit: 8 };
        let failure = Failure::state_work(&error, "s", StateWork::Transact);
        assert_eq!((failure.http.as_u16(), failure.grpc), (400, Code::InvalidArgument));
        assert_eq!(
            failure.message,
            "the transaction contains 9 operations, which is more than what the state store supports: 8"
        );
        let metadata = failure.details.unwrap().metadata;
        assert_eq!(metadata[0], ("currentOpsTransaction", "9".to_owned()));
        assert_eq!(metadata[1], ("maxOpsPerTransaction", "8".to_owned()));
    }
}
