//! What can go wrong with an actor's call, as its caller and its author see it.
//!
//! One type for both, so that `?` works in a method that calls another actor. It
//! says what went wrong in words and whether the call may have run. How errors
//! travel is decided elsewhere: to the engine in `native.rs`, to a host in
//! `worker/answer.rs`.

use odeon_base::{Execution, Kind};

/// The result of an actor's method, and of calling one.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A call, or something inside a method, that did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The method said no, in its own words. Make one with [`Error::failed`].
    #[error("{message}")]
    Failed {
        /// The words.
        message: String,
    },
    /// The actor has no such method.
    #[error("actor type '{actor_type}' has no method '{method}'{}", hint(*.nearest))]
    NoMethod {
        /// The type.
        actor_type: &'static str,
        /// What was called.
        method: String,
        /// A method that it may have been meant for.
        nearest: Option<&'static str>,
    },
    /// The arguments do not fit the method, or cannot be written as JSON.
    #[error("the arguments of method '{method}' do not fit: {reason}")]
    Arguments {
        /// The method.
        method: &'static str,
        /// What does not fit, with its place in the JSON text.
        reason: String,
    },
    /// The answer is not what this caller expects, or cannot be written as JSON.
    #[error("the answer of method '{method}' does not fit: {reason}")]
    Answer {
        /// The method.
        method: &'static str,
        /// What does not fit.
        reason: String,
    },
    /// A value of the actor's state is of another shape than asked for.
    #[error("the value of state key '{key}' does not fit: {reason}")]
    Value {
        /// The key.
        key: String,
        /// What does not fit.
        reason: String,
    },
    /// A name is not acceptable.
    #[error(transparent)]
    Name(#[from] odeon_base::ident::Invalid),
    /// The state of the actor whose turn this is could not be read or written.
    #[error("the actor's state is out of reach")]
    State(#[source] Cause),
    /// The call did not come back with an answer.
    #[error(transparent)]
    Call(Cause),
    /// A client, a worker or a reminder was set up with something that cannot be used.
    #[error("{what} '{value}' cannot be used: {reason}")]
    Setup {
        /// What was set.
        what: &'static str,
        /// To which value.
        value: String,
        /// Why that will not do.
        reason: String,
    },
}

/// Who says so: the engine in this process, or a host across the network.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Cause {
    /// The engine.
    #[error(transparent)]
    Engine(#[from] odeon_runtime::Error),
    /// A host, or the way to it.
    #[error("{message}")]
    Host {
        /// The gRPC code.
        code: tonic::Code,
        /// The host's words.
        message: String,
        /// Whether the turn may have begun.
        execution: Execution,
    },
}

/// How a turn ended without an answer: the step that failed decides what is known.
///
/// A method's own error, whatever it says, means that the turn has run: an error of
/// a call to another actor that `?` passed on must not look as if nothing had begun.
#[doc(hidden)]
#[derive(Debug, Clone)]
pub enum TurnError {
    /// Nothing was begun: no such method, or its arguments do not fit.
    Refused(Error),
    /// The method returned an error.
    Failed(Error),
    /// The method returned `Ok`, but what it set could not be kept.
    Commit(Cause),
}

fn hint(nearest: Option<&'static str>) -> String {
    nearest.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default()
}

impl Error {
    /// The method's own no. Nothing it changed is kept.
    ///
    /// ```
    /// # use odeon_sdk::{Error, Result};
    /// fn take(stock: u32, wanted: u32) -> Result<u32> {
    ///     stock.checked_sub(wanted).ok_or_else(|| Error::failed(format!("only {stock} left")))
    /// }
    /// assert_eq!(take(1, 2).unwrap_err().to_string(), "only 1 left");
    /// ```
    #[must_use]
    pub fn failed(message: impl std::fmt::Display) -> Self {
        Self::Failed { message: message.to_string() }
    }

    /// What is kept under a key, or handed over by that name, is of another shape.
    pub(crate) fn unfit(key: &str, error: &serde_json::Error) -> Self {
        Self::Value { key: key.to_owned(), reason: error.to_string() }
    }

    /// The sort of failure.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Failed { .. } => Kind::AppFailed,
            Self::NoMethod { .. } => Kind::NotFound,
            Self::Arguments { .. } | Self::Name(_) | Self::Setup { .. } => Kind::Invalid,
            Self::Answer { .. } | Self::Value { .. } => Kind::Internal,
            Self::State(cause) | Self::Call(cause) => cause.kind(),
        }
    }

    /// Whether the call may have run.
    #[must_use]
    pub fn execution(&self) -> Execution {
        match self {
            Self::Failed { .. } | Self::Answer { .. } | Self::Value { .. } => Execution::Done,
            Self::NoMethod { .. } | Self::Arguments { .. } | Self::Name(_) | Self::Setup { .. } => {
                Execution::None
            }
            Self::State(cause) | Self::Call(cause) => cause.execution(),
        }
    }

    /// Whether calling again can do no harm, because nothing has begun.
    #[must_use]
    pub fn is_safe_to_retry(&self) -> bool {
        self.execution() == Execution::None
    }

    /// The whole story in one line: this error and what caused it.
    #[must_use]
    pub fn report(&self) -> String {
        match self {
            Self::State(cause) => format!("{self}: {cause}"),
            other => other.to_string(),
        }
    }
}

impl Cause {
    /// The sort of failure.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Engine(error) => error.kind(),
            Self::Host { code, .. } => kind_of(*code),
        }
    }

    /// Whether the turn may have begun.
    #[must_use]
    pub fn execution(&self) -> Execution {
        match self {
            Self::Engine(error) => error.execution(),
            Self::Host { execution, .. } => *execution,
        }
    }
}

/// What a call to another actor came back with: the other's own no stays one.
impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Engine(odeon_runtime::Error::App(failure)) => {
                Self::Failed { message: failure.message }
            }
            other => Self::Call(other),
        }
    }
}

fn kind_of(code: tonic::Code) -> Kind {
    use tonic::Code;
    match code {
        Code::InvalidArgument
        | Code::OutOfRange
        | Code::PermissionDenied
        | Code::Unauthenticated => Kind::Invalid,
        Code::NotFound | Code::FailedPrecondition => Kind::NotFound,
        Code::AlreadyExists | Code::Aborted => Kind::Conflict,
        Code::ResourceExhausted => Kind::Overloaded,
        Code::DeadlineExceeded | Code::Cancelled => Kind::Timeout,
        Code::Unavailable => Kind::Unavailable,
        Code::Unimplemented => Kind::Unsupported,
        Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => Kind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_name_who_and_what_and_the_likely_slip() {
        let error =
            Error::NoMethod { actor_type: "Counter", method: "ad".into(), nearest: Some("add") };
        assert_eq!(
            error.to_string(),
            "actor type 'Counter' has no method 'ad'; did you mean 'add'?"
        );
        assert!(error.is_safe_to_retry());
        let error = Error::State(Cause::Engine(odeon_runtime::Error::NotActive));
        assert_eq!(error.report(), "the actor's state is out of reach: actor instance is missing");
    }

    #[test]
    fn the_other_actors_no_stays_a_no() {
        let failure = odeon_runtime::error::AppFailure { message: "sold out".into() };
        let error = Error::from(Cause::Engine(odeon_runtime::Error::App(failure)));
        assert!(matches!(&error, Error::Failed { message } if message == "sold out"));
        assert_eq!((error.kind(), error.execution()), (Kind::AppFailed, Execution::Done));
    }
}
