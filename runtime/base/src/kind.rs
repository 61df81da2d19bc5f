//! What sort of failure an error is, and whether the call may have run.

/// The small closed set of failures that every crate's errors map to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The caller's input is wrong; repeating it changes nothing.
    Invalid,
    /// The thing named does not exist.
    NotFound,
    /// It is in another state than the caller assumed.
    Conflict,
    /// Another host owns the actor now.
    Moved,
    /// A limit is reached; the caller may try later.
    Overloaded,
    /// The host is on its way out.
    Draining,
    /// The time limit passed.
    Timeout,
    /// The application answered with a failure.
    AppFailed,
    /// Something that is needed cannot be reached at the moment.
    Unavailable,
    /// The component or the peer cannot do this.
    Unsupported,
    /// A broken promise inside Odeon.
    Internal,
}

/// Whether the turn of a failed call may have begun (RT-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Execution {
    /// Certainly not started: sending it again is safe.
    None,
    /// It may have run in part or in whole.
    Maybe,
    /// It ran, and this is what it answered.
    Done,
}

impl Execution {
    /// The word that travels with an error.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Maybe => "maybe",
            Self::Done => "done",
        }
    }
}

/// An error with its sources, in one line; the outermost alone often says nothing.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
