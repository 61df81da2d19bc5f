//! What a host tells one of another application of reminders: the answer, or why there is none.
//!
//! A failure is part of the answer. The turn of the host that passes it on would otherwise speak
//! of itself, as one that has run.

use bytes::Bytes;
use odeon_base::{Execution, Kind};
use odeon_runtime::peers::{Failure, PeerError};
use odeon_runtime::{Error, Reply};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::json;

/// An answer, as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Told {
    /// What a partition answers.
    Done(Box<RawValue>),
    /// What it failed with.
    Failed {
        #[serde(with = "KindForm")]
        kind: Kind,
        #[serde(with = "ExecutionForm")]
        execution: Execution,
        message: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Kind", rename_all = "camelCase")]
enum KindForm {
    Invalid,
    NotFound,
    Conflict,
    Moved,
    Overloaded,
    Draining,
    Timeout,
    AppFailed,
    Unavailable,
    Unsupported,
    Internal,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Execution", rename_all = "camelCase")]
enum ExecutionForm {
    None,
    Maybe,
    Done,
}

/// Tells an answer.
pub(crate) fn tell(answer: Result<impl Serialize, Error>) -> Result<Reply, Error> {
    let wrong = |error: serde_json::Error| Error::Arguments(error.to_string());
    json::reply(&match answer {
        Ok(form) => Told::Done(serde_json::value::to_raw_value(&form).map_err(wrong)?),
        Err(error) => Told::Failed {
            kind: error.kind(),
            execution: error.execution(),
            message: error.to_string(),
        },
    })
}

/// What was told: the answer as a partition gives it, or the failure.
pub(super) fn hear(told: &Bytes) -> Result<Bytes, Error> {
    let told = serde_json::from_slice(told);
    match told
        .map_err(|error| Error::Arguments(format!("the host said what cannot be read: {error}")))?
    {
        Told::Done(form) => Ok(String::from(Box::<str>::from(form)).into()),
        Told::Failed { kind, execution, message } => {
            let failure = Failure { kind, code: String::new(), message, execution };
            Err(PeerError::Failed(failure).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reminder::forms::Registered;

    #[test]
    fn what_is_told_is_heard() {
        let reply = tell(Ok(Registered { registered: true })).unwrap();
        assert_eq!(reply.body, r#"{"done":{"registered":true}}"#);
        assert_eq!(hear(&reply.body).unwrap(), r#"{"registered":true}"#);
        for error in [
            Error::Arguments("dueTime".to_owned()),
            Error::Closed,
            Error::NoStore,
            Error::LeaseLost { execution: Execution::Maybe },
        ] {
            let told = tell(Err::<(), _>(error.clone())).unwrap();
            let heard = hear(&told.body).unwrap_err();
            assert_eq!(heard.to_string(), error.to_string());
            assert_eq!((heard.kind(), heard.execution()), (error.kind(), error.execution()));
        }
        assert!(hear(&Bytes::from_static(b"{}")).is_err());
    }
}
