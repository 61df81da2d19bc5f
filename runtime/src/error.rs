//! What can go wrong with a call, in the engine's words.
//!
//! Wire forms are minted elsewhere (`host/src/status.rs`); this file knows no
//! status. Each error says whether the turn may have begun (RT-2), so whoever
//! retries never has to guess.

use std::time::Duration;

use odeon_base::{ActorId, ActorType, Epoch, Execution, Kind};

use crate::invocation::Invocation;
use crate::peers::{Failure, PeerError};
use crate::store;

/// A call, or an operation on an actor, that did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A name is not acceptable.
    #[error(transparent)]
    Name(#[from] odeon_base::ident::Invalid),
    /// Nobody hosts the type.
    #[error("did not find address for actor '{actor_type}||{id}'")]
    NoHost {
        /// The type.
        actor_type: ActorType,
        /// The id.
        id: ActorId,
    },
    /// The mailbox is full (TURN-6).
    #[error("actor '{actor_type}||{id}' has {waiting} calls waiting, its limit")]
    MailboxFull {
        /// The type.
        actor_type: ActorType,
        /// The id.
        id: ActorId,
        /// How many wait.
        waiting: usize,
    },
    /// The call's time was up before its turn began (TURN-7).
    #[error("the call's time limit passed while it waited for actor '{actor_type}||{id}'")]
    QueueTimeout {
        /// The type.
        actor_type: ActorType,
        /// The id.
        id: ActorId,
    },
    /// The call's time was up while its turn ran; the turn runs on (O7).
    #[error("the call's time limit passed while actor '{actor_type}||{id}' was running it")]
    TurnTimeout {
        /// The type.
        actor_type: ActorType,
        /// The id.
        id: ActorId,
    },
    /// The type's limit for one turn passed; the activation was ended (TURN-5).
    #[error("actor '{actor_type}||{id}' ran longer than its type's limit of {limit:?}")]
    TurnTooLong {
        /// The type.
        actor_type: ActorType,
        /// The id.
        id: ActorId,
        /// `max_turn`.
        limit: Duration,
    },
    /// The same call chain went through this actor already (REE-4).
    #[error("call cycle: actor '{actor_type}||{id}' is waiting, further up, for this very call")]
    CallCycle {
        /// The type.
        actor_type: ActorType,
        /// The id.
        id: ActorId,
    },
    /// A system actor called an application's in its turn; it has to deliver between turns (SYS-2).
    #[error(
        "the turn of a system actor may not wait for actor '{actor_type}||{id}' of an application"
    )]
    SystemWaits {
        /// The type that was called.
        actor_type: ActorType,
        /// The id.
        id: ActorId,
    },
    /// Too many nested calls (REE-1).
    #[error("maximum stack depth exceeded")]
    StackDepth {
        /// The limit.
        limit: u32,
    },
    /// Another host owns the actor; nothing was begun.
    #[error("actor '{actor_type}||{id}' moved; routed by a table older than {epoch}")]
    Moved {
        /// The type.
        actor_type: ActorType,
        /// The id.
        id: ActorId,
        /// The table that moved it.
        epoch: Epoch,
    },
    /// Placement made no table that moves the actor.
    #[error("actor '{actor_type}||{id}' was not moved: the placement service {}", if *.execution == Execution::None { "cannot be reached" } else { "made no table for it in time; it may still do so" })]
    NotMoved {
        /// The type.
        actor_type: ActorType,
        /// The id.
        id: ActorId,
        /// Whether placement was asked, and so may still do it.
        execution: Execution,
    },
    /// The host's right to run turns ended.
    #[error("the lease of this host ended {}", if *.execution == Execution::None { "before the turn began" } else { "during the turn" })]
    LeaseLost {
        /// Whether the turn had begun.
        execution: Execution,
    },
    /// A newer activation claimed the actor (ST-3).
    #[error("a newer activation of actor '{actor_type}||{id}' has taken over its state")]
    Fenced {
        /// The type.
        actor_type: ActorType,
        /// The id.
        id: ActorId,
        /// Whether the turn had begun.
        execution: Execution,
    },
    /// The host is shutting down.
    #[error("the actor runtime is closed")]
    Closed,
    /// The application answered with a failure.
    #[error("{0}")]
    App(AppFailure),
    /// The way to the application broke while it had the call.
    #[error("{reason}")]
    AppLost {
        /// What happened.
        reason: String,
        /// Whether the application may have seen the call.
        execution: Execution,
    },
    /// The application refused the call before it began, and gives it back to be sent
    /// again. Made by [`crate::Turn::refuse`]; whoever calls an actor never sees it.
    #[error("{reason}")]
    Refused {
        /// Why.
        reason: String,
        /// The call, as it came.
        call: Box<Invocation>,
    },
    /// The turn panicked; its activation was ended (TURN-9).
    #[error("the turn of actor '{actor_type}||{id}' panicked: {message}")]
    Panicked {
        /// The type.
        actor_type: ActorType,
        /// The id.
        id: ActorId,
        /// What the panic said.
        message: String,
    },
    /// A call of the same idempotency key has begun to commit; its answer was not kept, and it
    /// is not run again (RT-4).
    #[error(
        "a call of actor '{actor_type}||{id}' with this idempotency key has run before, and its answer was not kept; it is not run again"
    )]
    Repeated {
        /// The type.
        actor_type: ActorType,
        /// The id.
        id: ActorId,
    },
    /// The call has an idempotency key, and its type keeps no state to remember it in; nothing
    /// was begun (RT-4).
    #[error(
        "the call has an idempotency key, and actor type '{actor_type}' keeps no state to remember it in"
    )]
    CannotRemember {
        /// The type.
        actor_type: ActorType,
    },
    /// Activating failed; nothing was begun (ACT-2, ACT-3).
    #[error("activating actor '{actor_type}||{id}' failed: {reason}")]
    Activation {
        /// The type.
        actor_type: ActorType,
        /// The id.
        id: ActorId,
        /// Why.
        reason: String,
    },
    /// A write for an actor that is not active here.
    #[error("actor instance is missing")]
    NotActive,
    /// The type's actors have no store for their state.
    #[error(
        "the state store is not configured to use the actor runtime. Have you set the - name: actorStateStore value: \"true\" in your state store component file?"
    )]
    NoStore,
    /// A turn sends out calls or reminders, and there is nothing to keep them in.
    #[error(
        "calls and reminders cannot be sent out with a commit: this host keeps no outbox, which needs an actor state store"
    )]
    NoOutbox,
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A limit of a state transaction (ST-2).
    #[error("{what} is {found}, more than the limit of {limit}")]
    TooLarge {
        /// What was measured.
        what: &'static str,
        /// How much it was.
        found: usize,
        /// How much it may be.
        limit: usize,
    },
    /// The method is not one of the actor's.
    #[error("actor method not found: actors/{actor_type}/{id}/method/{method}")]
    NoMethod {
        /// The type.
        actor_type: ActorType,
        /// The id.
        id: ActorId,
        /// The method.
        method: String,
    },
    /// The call's arguments do not fit the method.
    #[error("{0}")]
    Arguments(String),
    /// The call was sent to the host that owns the actor, and did not succeed there.
    #[error(transparent)]
    Peer(PeerError),
}

impl From<PeerError> for Error {
    /// An application's own no stays one, wherever it was said.
    fn from(error: PeerError) -> Self {
        let failure = match error {
            PeerError::Failed(failure) => failure,
            other => return Self::Peer(other),
        };
        let is_the_apps = (failure.kind, failure.execution) == (Kind::AppFailed, Execution::Done);
        match failure.message.strip_prefix(AppFailure::SAYS).filter(|_| is_the_apps) {
            Some(message) => Self::App(AppFailure { message: message.to_owned() }),
            None => Self::Peer(PeerError::Failed(failure)),
        }
    }
}

/// What an application said when it failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", Self::SAYS)]
pub struct AppFailure {
    /// The application's words, with its status in front where it had one: `(500) <body>`.
    pub message: String,
}

impl AppFailure {
    /// What stands before its words.
    const SAYS: &str = "error from actor service: ";
}

impl Error {
    /// The sort of failure.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Name(_)
            | Self::StackDepth { .. }
            | Self::TooLarge { .. }
            | Self::Arguments(_) => Kind::Invalid,
            Self::NoHost { .. } | Self::NoMethod { .. } => Kind::NotFound,
            Self::MailboxFull { .. } => Kind::Overloaded,
            Self::QueueTimeout { .. } | Self::TurnTimeout { .. } | Self::TurnTooLong { .. } => {
                Kind::Timeout
            }
            Self::CallCycle { .. }
            | Self::NotActive
            | Self::Fenced { .. }
            | Self::Repeated { .. } => Kind::Conflict,
            Self::Moved { .. } => Kind::Moved,
            Self::LeaseLost { .. }
            | Self::NotMoved { .. }
            | Self::AppLost { .. }
            | Self::Refused { .. }
            | Self::Activation { .. } => Kind::Unavailable,
            Self::Closed => Kind::Draining,
            Self::App(_) | Self::Panicked { .. } => Kind::AppFailed,
            Self::NoStore
            | Self::NoOutbox
            | Self::CannotRemember { .. }
            | Self::SystemWaits { .. } => Kind::Unsupported,
            Self::Store(error) => error.kind(),
            Self::Peer(error) => error.kind(),
        }
    }

    /// Whether the turn may have begun.
    ///
    /// A store's failure is `maybe`: it is seen from inside a turn.
    #[must_use]
    pub fn execution(&self) -> Execution {
        match self {
            Self::Name(_)
            | Self::NoHost { .. }
            | Self::MailboxFull { .. }
            | Self::QueueTimeout { .. }
            | Self::CallCycle { .. }
            | Self::SystemWaits { .. }
            | Self::StackDepth { .. }
            | Self::Moved { .. }
            | Self::Closed
            | Self::Refused { .. }
            | Self::Activation { .. }
            | Self::NotActive
            | Self::NoStore
            | Self::NoOutbox
            | Self::TooLarge { .. }
            | Self::NoMethod { .. }
            | Self::CannotRemember { .. }
            | Self::Arguments(_) => Execution::None,
            Self::LeaseLost { execution }
            | Self::Fenced { execution, .. }
            | Self::NotMoved { execution, .. }
            | Self::AppLost { execution, .. } => *execution,
            Self::TurnTimeout { .. }
            | Self::TurnTooLong { .. }
            | Self::Panicked { .. }
            | Self::Store(_) => Execution::Maybe,
            Self::App(_) | Self::Repeated { .. } => Execution::Done,
            Self::Peer(error) => error.execution(),
        }
    }

    /// The failure as it is told to another host, with its code on the wire.
    #[must_use]
    pub fn to_failure(&self, code: String) -> Failure {
        Failure { kind: self.kind(), code, message: self.to_string(), execution: self.execution() }
    }

    /// Whether sending the call again can do no harm.
    #[must_use]
    pub fn is_safe_to_retry(&self) -> bool {
        self.execution() == Execution::None
    }
}
