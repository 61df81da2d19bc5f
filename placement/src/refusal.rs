//! Why placement refuses a caller, and the gRPC status that says so.
//!
//! The one file of this crate that makes a status: a refused host or tool reads why in
//! it. What is understood is in `wire`; who refuses is `service`.

use tonic::{Code, Status};

use crate::token::{Denied, TOKEN};
use crate::wire::{Error, Wrong};

/// Why a call or a stream ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("placement wants the cluster token in the metadata {TOKEN}, and the call has none")]
    NoToken,
    #[error("the cluster token in the metadata {TOKEN} is not that of this placement")]
    WrongToken,
    #[error(transparent)]
    Wire(#[from] Error),
    #[error("report is missing, but expected is one within {0:?} of the begin of the stream")]
    Silent(std::time::Duration),
    #[error("placement closed the stream: it stops, has too many streams, or was not read from")]
    Closed,
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Missing => Self::NoToken,
            Denied::Wrong => Self::WrongToken,
        }
    }
}

impl From<Wrong> for Refusal {
    fn from(wrong: Wrong) -> Self {
        Self::Wire(wrong.into())
    }
}

impl Refusal {
    fn status(&self) -> Status {
        let code = match self {
            Self::NoToken | Self::WrongToken => Code::Unauthenticated,
            Self::Wire(Error::Protocol { .. }) => Code::FailedPrecondition,
            Self::Wire(Error::Field(_)) => Code::InvalidArgument,
            Self::Silent(_) => Code::DeadlineExceeded,
            Self::Closed => Code::Unavailable,
        };
        Status::new(code, self.to_string())
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        refusal.status()
    }
}
