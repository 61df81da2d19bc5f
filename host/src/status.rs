//! The one place that mints an HTTP status, a gRPC code and a Dapr error code.
//!
//! Everything that can go wrong becomes a [`Failure`] here; the doors only dress
//! it (`http/answer.rs`, `grpc/answer.rs`). Matches over the engine's errors have
//! no wildcard, so that a new variant does not compile until somebody has decided.
//! Source: http-api.md 1.8, 8, 21; grpc-api.md 2.1; actor-semantics.md 2.6.

#![deny(clippy::wildcard_enum_match_arm)]

pub mod details;
mod lock;
pub(crate) mod schedules;
pub(crate) mod state;

use http::StatusCode;
use odeon_base::{Execution, Kind};
use odeon_blocks::secret;
use odeon_placement::token::Denied;
use odeon_placement::wire;
use odeon_runtime::peers::{self, PeerError};
use odeon_runtime::{ActorRef, Error, store};
use tonic::{Code, Status};

use crate::api::{Ended, OperationError};

/// How long a refused caller should wait before it tries again, in seconds.
const RETRY_AFTER_SECONDS: u32 = 1;

/// What a worker is told when its stream ends. Source: grpc-api.md 4.
pub(crate) fn of_stream(ended: Ended) -> Status {
    match ended {
        Ended::HostsOverHttp => Status::failed_precondition(
            "the application is reached over HTTP and hosts its actors that way, not over a stream",
        ),
        Ended::NotInitial => {
            Status::invalid_argument("the first message must be an initial_request")
        }
        Ended::InitialAgain => Status::invalid_argument("initial_request may be sent only once"),
        Ended::TooEarly => Status::invalid_argument(
            "nothing may follow the initial_request before it was answered",
        ),
        Ended::Settings(reason) => Status::invalid_argument(reason),
        Ended::NotOffered(reason) => Status::internal(reason),
        Ended::Draining => Status::unavailable("the host is shutting down"),
        Ended::Lost => Status::internal("the stream's task ended without a word"),
        // One that is too large ends the stream in words that clients of Dapr know.
        Ended::Transport(status) => match Failure::of_message_size(status.message()) {
            Some(failure) => Status::new(failure.grpc, failure.message),
            None => status,
        },
    }
}

/// Why the stream of another host ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PeerRefused {
    /// It shows no cluster token, or another one.
    #[error(transparent)]
    Token(#[from] Denied),
    /// It says what cannot be understood.
    #[error(transparent)]
    Wire(#[from] wire::Error),
    /// It does not say who it is.
    #[error("a stream begins with a hello, and none came")]
    Silent,
    /// This host is on its way out.
    #[error("the host is shutting down")]
    Stopping,
}

/// What another host is told when its stream ends.
pub(crate) fn of_peer_stream(refused: &PeerRefused) -> Status {
    let code = match refused {
        PeerRefused::Token(_) => Code::Unauthenticated,
        PeerRefused::Wire(wire::Error::Protocol { .. }) => Code::FailedPrecondition,
        PeerRefused::Wire(wire::Error::Field(_)) => Code::InvalidArgument,
        PeerRefused::Silent => Code::DeadlineExceeded,
        PeerRefused::Stopping => Code::Unavailable,
    };
    Status::new(code, refused.to_string())
}

/// What a failed call is called between hosts: enough for [`Failure::invoke`] to tell the
/// caller's client there what it would have told one here.
pub(crate) fn code_for_peer(error: &Error) -> String {
    if let Error::NoHost { .. } = error {
        // Over HTTP it shares its code with all that is wrapped.
        return NO_ADDRESS.to_owned();
    }
    Failure::invoke(error).code.to_owned()
}

/// Another host sent a call that cannot be understood.
pub(crate) fn wrong_call(wrong: &wire::Wrong) -> peers::Failure {
    refusal(Kind::Invalid, BAD_REQUEST, wrong.to_string())
}

/// Another host sent more calls at a time than are taken.
pub(crate) fn too_many_for_peer(limit: usize) -> peers::Failure {
    let message = format!("{limit} calls of one host wait for an answer here, the limit");
    refusal(Kind::Overloaded, MAILBOX_FULL, message)
}

/// A call is larger than what is sent to other hosts; it never left.
pub(crate) fn too_large_for_peer(what: &str, bytes: usize, limit: usize) -> peers::Failure {
    let message =
        format!("the {what} has {bytes} bytes, and --max-body-size allows {limit} between hosts");
    // An answer that is too large is that of a turn that ran.
    let execution = if what == "answer" { Execution::Done } else { Execution::None };
    peers::Failure { execution, ..refusal(Kind::Invalid, BAD_REQUEST, message) }
}

/// The owner's host said nothing about a call until its time was over.
pub(crate) fn silent_peer(actor: &ActorRef) -> peers::Failure {
    let error = Error::TurnTimeout { actor_type: actor.actor_type.clone(), id: actor.id.clone() };
    let (kind, execution) = (error.kind(), error.execution());
    peers::Failure { kind, code: code_for_peer(&error), message: error.to_string(), execution }
}

fn refusal(kind: Kind, code: &str, message: String) -> peers::Failure {
    peers::Failure { kind, code: code.to_owned(), message, execution: Execution::None }
}

/// How a scrape of the metrics went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scrape {
    /// Here is the page.
    Page,
    /// There is nothing else on this port.
    Elsewhere,
    /// The page could not be written.
    Broken,
}

/// The status of the metrics page.
pub(crate) fn of_scrape(scrape: Scrape) -> StatusCode {
    match scrape {
        Scrape::Page => StatusCode::OK,
        Scrape::Elsewhere => StatusCode::NOT_FOUND,
        Scrape::Broken => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// How a look at placement's health port went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looked {
    /// Here is what was asked for.
    Shown,
    /// It cannot be used now.
    Unready,
    /// There is no such thing.
    Elsewhere,
    /// What is asked for cannot be told from the query.
    Unclear,
}

/// The status of an answer on placement's health port. Source: cli-and-env.md 8.
pub(crate) fn of_look(looked: Looked) -> StatusCode {
    match looked {
        Looked::Shown => StatusCode::OK,
        Looked::Unready => StatusCode::SERVICE_UNAVAILABLE,
        Looked::Elsewhere => StatusCode::NOT_FOUND,
        Looked::Unclear => StatusCode::BAD_REQUEST,
    }
}

/// How the text of a failure is written over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `{"errorCode":…,"message":…}`.
    Json,
    /// The bare text and a newline.
    Text,
}

/// A failure on its way out, in the terms of every wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Status over HTTP.
    pub http: StatusCode,
    /// Code over gRPC.
    pub grpc: Code,
    /// Dapr's error code; over gRPC it is seen only in details.
    pub code: &'static str,
    /// What went wrong.
    pub message: String,
    /// What gRPC says instead of `message`, where the wires differ.
    pub grpc_message: Option<String>,
    /// Whether a turn may have begun (RT-2).
    pub execution: Execution,
    /// When to try again, in seconds.
    pub retry_after: Option<u32>,
    /// How it is written over HTTP.
    pub form: Form,
    /// What is told beside the text, where there is more.
    pub details: Option<Box<details::Details>>,
}

impl Failure {
    fn new(http: u16, grpc: Code, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            // The numbers are this file's own, and all of them are statuses.
            http: StatusCode::from_u16(http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            grpc,
            code,
            message: message.into(),
            grpc_message: None,
            execution: Execution::None,
            retry_after: None,
            form: Form::Json,
            details: None,
        }
    }

    fn text(http: u16, grpc: Code, code: &'static str, message: impl Into<String>) -> Self {
        Self { form: Form::Text, ..Self::new(http, grpc, code, message) }
    }

    fn with(self, execution: Execution) -> Self {
        Self { execution, ..self }
    }

    /// The text that gRPC shows.
    #[must_use]
    pub fn grpc_text(&self) -> &str {
        self.grpc_message.as_deref().unwrap_or(&self.message)
    }

    /// A name, a header or an argument is not acceptable.
    #[must_use]
    pub fn bad_request(reason: impl std::fmt::Display) -> Self {
        Self::new(
            400,
            Code::InvalidArgument,
            "ERR_BAD_REQUEST",
            format!("invalid request: {reason}"),
        )
    }

    /// A body is not what the route expects.
    #[must_use]
    pub fn malformed(reason: impl std::fmt::Display) -> Self {
        let message = format!("failed deserializing HTTP body: {reason}");
        Self::new(400, Code::InvalidArgument, "ERR_MALFORMED_REQUEST", message)
    }

    /// A body could not be read.
    #[must_use]
    pub fn body_read(reason: impl std::fmt::Display) -> Self {
        let message = format!("failed to read request body: {reason}");
        Self::new(400, Code::InvalidArgument, "ERR_BODY_READ", message)
    }

    /// A path has an escape that is none.
    #[must_use]
    pub fn bad_escape(escape: &str) -> Self {
        let message = format!("invalid URL escape {escape:?}");
        Self::text(400, Code::InvalidArgument, "ERR_BAD_REQUEST", message)
    }

    /// A baggage header cannot be read.
    #[must_use]
    pub fn bad_baggage(error: &crate::api::TraceError) -> Self {
        Self::text(400, Code::InvalidArgument, "ERR_BAD_REQUEST", error.to_string())
    }

    /// The block of headers is too large.
    #[must_use]
    pub fn headers_too_large() -> Self {
        let message = "request header fields too large";
        Self::text(431, Code::ResourceExhausted, "ERR_BAD_REQUEST", message)
    }

    /// No route has this path and verb, and no application is named.
    #[must_use]
    pub fn no_route() -> Self {
        let message = "failed getting app id either from the URL path or the header dapr-app-id";
        Self::new(404, Code::NotFound, "ERR_DIRECT_INVOKE", message)
    }

    /// The token is missing or wrong; gRPC says which, HTTP does not.
    #[must_use]
    pub fn unauthenticated(grpc: &str) -> Self {
        Self {
            grpc_message: Some(grpc.into()),
            ..Self::text(401, Code::Unauthenticated, "ERR_UNAUTHENTICATED", "invalid api token")
        }
    }

    /// This build does not have it yet.
    #[must_use]
    pub fn unimplemented(what: &str) -> Self {
        let message = format!("this API is currently not implemented: {what}");
        Self::new(501, Code::Unimplemented, "ERR_API_UNIMPLEMENTED", message)
    }

    /// The host is not ready.
    #[must_use]
    pub fn not_ready(awaited: &[&str]) -> Self {
        let message = format!("dapr is not ready: [{}]", awaited.join(" "));
        Self::new(500, Code::Internal, "ERR_HEALTH_NOT_READY", message)
    }

    /// The host cannot be used by its application yet.
    #[must_use]
    pub fn outbound_not_ready() -> Self {
        let message = "dapr outbound is not ready";
        Self::new(500, Code::Internal, "ERR_OUTBOUND_HEALTH_NOT_READY", message)
    }

    /// The host serves another application.
    #[must_use]
    pub fn other_app() -> Self {
        let message = "dapr app-id does not match";
        Self::new(500, Code::Internal, "ERR_HEALTH_APPID_NOT_MATCH", message)
    }

    /// The type belongs to the workflow engine.
    #[must_use]
    pub fn reserved_type(actor_type: &str) -> Self {
        let message = format!("actor type '{actor_type}' is reserved for workflows");
        Self::new(403, Code::PermissionDenied, "ERR_ACTOR_TYPE_RESERVED", message)
    }

    /// Actors are turned off, because no placement is configured.
    #[must_use]
    pub fn actors_disabled() -> Self {
        let message = "actors are turned off: no placement is configured; give this host a --placement-host-address";
        Self::new(400, Code::Unavailable, NO_PLACEMENT, message)
    }

    /// Refuses what needs an actor that cannot run here.
    ///
    /// # Errors
    /// [`Self::actors_disabled`], unless it can run.
    pub fn check_runnable(can_run: bool) -> Result<(), Self> {
        if can_run { Ok(()) } else { Err(Self::actors_disabled()) }
    }

    /// Nobody can say who owns an actor.
    #[must_use]
    pub fn no_placement(reason: &str) -> Self {
        Self::new(503, Code::Unavailable, NO_PLACEMENT, reason)
    }

    /// Nobody hosts the type, asked outside of a call.
    #[must_use]
    pub fn no_owner(actor_type: &str, id: &str) -> Self {
        let message = format!("did not find address for actor '{actor_type}||{id}'");
        Self::new(404, Code::FailedPrecondition, "ERR_ACTOR_NO_ADDRESS", message)
    }

    /// A message is larger than the limit; the text is grpc-go's own.
    #[must_use]
    pub fn message_too_large(what: &str, found: &str, limit: &str) -> Self {
        let message = format!("grpc: {what} message larger than max ({found} vs. {limit})");
        Self::new(400, Code::ResourceExhausted, "ERR_BAD_REQUEST", message)
    }

    /// What tonic says about a message that is too large, in grpc-go's words.
    #[must_use]
    pub fn of_message_size(text: &str) -> Option<Self> {
        let text = text.strip_prefix("Error, decoded message length too large: found ")?;
        let (found, limit) = text.split_once(" bytes, the limit is: ")?;
        Some(Self::message_too_large("received", found, limit.strip_suffix(" bytes")?))
    }

    /// The request is not a gRPC call.
    #[must_use]
    pub fn not_grpc() -> Self {
        let message = "this port speaks gRPC: POST with a content-type of application/grpc";
        Self::text(415, Code::InvalidArgument, "ERR_BAD_REQUEST", message)
    }

    /// A call of an actor's method failed.
    #[must_use]
    pub fn invoke(error: &Error) -> Self {
        let wrapped = || {
            let message = format!("error invoke actor method: {error}");
            Self::new(500, Code::Internal, "ERR_ACTOR_INVOKE_METHOD", message)
        };
        let failure = match error {
            Error::NoHost { .. } => Self::no_address(&error.to_string()),
            Error::Peer(peer) => Self::of_peer(peer, wrapped),
            Error::App(_)
            | Error::AppLost { .. }
            | Error::Refused { .. }
            | Error::Panicked { .. }
            | Error::Activation { .. }
            | Error::NoMethod { .. }
            | Error::Store(
                store::Error::ETagMismatch { .. }
                | store::Error::ETagInvalid { .. }
                | store::Error::Unsupported { .. }
                | store::Error::Unavailable { .. }
                | store::Error::Unknown { .. }
                | store::Error::Corrupt { .. }
                | store::Error::Invalid { .. },
            ) => wrapped(),
            Error::Name(_)
            | Error::MailboxFull { .. }
            | Error::QueueTimeout { .. }
            | Error::TurnTimeout { .. }
            | Error::TurnTooLong { .. }
            | Error::CallCycle { .. }
            | Error::Repeated { .. }
            | Error::SystemWaits { .. }
            | Error::StackDepth { .. }
            | Error::Moved { .. }
            | Error::NotMoved { .. }
            | Error::LeaseLost { .. }
            | Error::Fenced { .. }
            | Error::Closed
            | Error::NotActive
            | Error::NoStore
            | Error::NoOutbox
            | Error::Store(store::Error::Fenced { .. })
            | Error::TooLarge { .. }
            | Error::CannotRemember { .. }
            | Error::Arguments(_) => Self::common(error),
        };
        failure.with(error.execution())
    }

    /// Reading an actor's state failed.
    #[must_use]
    pub fn state_get(error: &Error) -> Self {
        let message = format!("error getting actor state: {error}");
        Self::state(error, "ERR_ACTOR_STATE_GET", message)
    }

    /// Writing an actor's state failed.
    #[must_use]
    pub fn state_write(error: &Error) -> Self {
        let message = format!("error saving actor transaction state: {error}");
        Self::state(error, "ERR_ACTOR_STATE_TRANSACTION_SAVE", message)
    }

    /// A secret, or with no `key` all of a store, cannot be had. Source: http-api.md 9.
    #[must_use]
    pub fn secret(refused: &secret::Refused, store: &str, key: Option<&str>) -> Self {
        use secret::Refused;
        let text = refused.to_string();
        match refused {
            Refused::NoStores => {
                Self::new(500, Code::FailedPrecondition, "ERR_SECRET_STORES_NOT_CONFIGURED", text)
            }
            Refused::NoStore(_) => {
                Self::new(401, Code::InvalidArgument, "ERR_SECRET_STORE_NOT_FOUND", text)
            }
            Refused::Store(_) | Refused::Engine(_) => {
                let what = match key {
                    Some(key) => {
                        format!("failed getting secret with key {key} from secret store {store}")
                    }
                    None => format!("failed getting secrets from secret store {store}"),
                };
                Self::new(500, Code::Internal, "ERR_SECRET_GET", format!("{what}: {text}"))
            }
        }
    }

    /// An operation of a state transaction has no meaning; nothing was written.
    #[must_use]
    pub fn operation(error: &OperationError) -> Self {
        const CODE: &str = "ERR_ACTOR_STATE_TRANSACTION_SAVE";
        let wrapped = format!("error saving actor transaction state: {error}");
        match error {
            OperationError::Unsupported(_) => Self {
                grpc_message: Some(error.to_string()),
                ..Self::new(500, Code::Unimplemented, CODE, wrapped)
            },
            OperationError::TtlDisabled => Self::new(500, Code::Internal, CODE, wrapped),
            OperationError::Key(_) | OperationError::Ttl(_) | OperationError::Effect(_) => {
                Self::bad_request(error)
            }
        }
    }

    fn state(error: &Error, code: &'static str, message: String) -> Self {
        let wrapped = || Self::new(500, Code::Internal, code, message.clone());
        let failure = match error {
            Error::Store(store::Error::Invalid { .. }) => Self::bad_request(error),
            Error::TooLarge { .. } => Self::new(413, Code::ResourceExhausted, code, message),
            Error::Peer(peer) => Self::of_peer(peer, wrapped),
            Error::NoHost { .. }
            | Error::App(_)
            | Error::AppLost { .. }
            | Error::Refused { .. }
            | Error::Panicked { .. }
            | Error::Activation { .. }
            | Error::NoMethod { .. }
            | Error::Store(
                store::Error::ETagMismatch { .. }
                | store::Error::ETagInvalid { .. }
                | store::Error::Unsupported { .. }
                | store::Error::Unavailable { .. }
                | store::Error::Unknown { .. }
                | store::Error::Corrupt { .. },
            ) => wrapped(),
            Error::Name(_)
            | Error::MailboxFull { .. }
            | Error::QueueTimeout { .. }
            | Error::TurnTimeout { .. }
            | Error::TurnTooLong { .. }
            | Error::CallCycle { .. }
            | Error::Repeated { .. }
            | Error::SystemWaits { .. }
            | Error::StackDepth { .. }
            | Error::Moved { .. }
            | Error::NotMoved { .. }
            | Error::LeaseLost { .. }
            | Error::Fenced { .. }
            | Error::Closed
            | Error::NotActive
            | Error::NoStore
            | Error::NoOutbox
            | Error::Store(store::Error::Fenced { .. })
            | Error::CannotRemember { .. }
            | Error::Arguments(_) => Self::common(error),
        };
        failure.with(error.execution())
    }

    /// What is told in the same way whatever was being done.
    fn common(error: &Error) -> Self {
        let code = match error {
            Error::Name(_) | Error::Arguments(_) | Error::CannotRemember { .. } => BAD_REQUEST,
            Error::MailboxFull { .. } => MAILBOX_FULL,
            Error::QueueTimeout { .. } => QUEUE_TIMEOUT,
            Error::TurnTimeout { .. } => TURN_TIMEOUT,
            Error::TurnTooLong { .. } => TURN_TOO_LONG,
            Error::CallCycle { .. } => CALL_CYCLE,
            Error::Repeated { .. } => REPEATED,
            Error::StackDepth { .. } => STACK_DEPTH,
            Error::Moved { .. } => MOVED,
            Error::NotMoved { .. } => NO_PLACEMENT,
            Error::LeaseLost { .. } => LEASE_LOST,
            Error::Fenced { .. } | Error::Store(store::Error::Fenced { .. }) => FENCED,
            Error::Closed => CLOSED,
            Error::NotActive => NOT_ACTIVE,
            Error::NoStore | Error::NoOutbox => NO_STORE,
            Error::TooLarge { .. } => TRANSACTION,
            Error::NoHost { .. }
            | Error::SystemWaits { .. }
            | Error::App(_)
            | Error::AppLost { .. }
            | Error::Refused { .. }
            | Error::Panicked { .. }
            | Error::Activation { .. }
            | Error::NoMethod { .. }
            | Error::Peer(_)
            | Error::Store(_) => "ERROR",
        };
        let text = error.to_string();
        Self::row(code, &text).unwrap_or_else(|| Self::new(500, Code::Internal, code, text))
    }

    /// The row of a code that is told in one way wherever it comes from.
    fn row(code: &str, text: &str) -> Option<Self> {
        let (code, http, grpc) = ROWS.iter().find(|row| row.0 == code)?;
        Some(match *code {
            BAD_REQUEST => Self::bad_request(text),
            MAILBOX_FULL => Self {
                retry_after: Some(RETRY_AFTER_SECONDS),
                ..Self::new(*http, *grpc, code, text)
            },
            code => Self::new(*http, *grpc, code, text),
        })
    }

    /// What the owner's host would have told a client of its own about a call.
    fn of_peer(error: &PeerError, wrapped: impl FnOnce() -> Self) -> Self {
        let text = error.to_string();
        let (code, kind) = match error {
            PeerError::Moved(_) => (MOVED, Kind::Moved),
            PeerError::Unreachable { .. } => (UNREACHABLE, Kind::Unavailable),
            PeerError::Lost { .. } => (LOST, Kind::Unavailable),
            PeerError::Failed(failure) => (failure.code.as_str(), failure.kind),
        };
        match code {
            NO_ADDRESS => Self::no_address(&text),
            INVOKE => wrapped(),
            // A newer release may have codes that this one does not know; it has no new kinds.
            code => Self::row(code, &text)
                .or_else(|| Self::row(code_of(kind), &text))
                .unwrap_or_else(wrapped),
        }
    }

    /// Nobody hosts the type of an actor that was called.
    fn no_address(text: &str) -> Self {
        // Wire: over HTTP the look-up's own error shows through the call's.
        let message = format!(
            "error invoke actor method: failed to lookup actor: api error: code = FailedPrecondition desc = {text}"
        );
        Self {
            grpc_message: Some(text.to_owned()),
            ..Self::new(500, Code::FailedPrecondition, INVOKE, message)
        }
    }
}

/// Wrapped errors of calls, which all share it.
const INVOKE: &str = "ERR_ACTOR_INVOKE_METHOD";
const NO_ADDRESS: &str = "ERR_ACTOR_NO_ADDRESS";
const BAD_REQUEST: &str = "ERR_BAD_REQUEST";
const MAILBOX_FULL: &str = "ERR_ACTOR_MAILBOX_FULL";
const QUEUE_TIMEOUT: &str = "ERR_ACTOR_QUEUE_TIMEOUT";
const TURN_TIMEOUT: &str = "ERR_ACTOR_TURN_TIMEOUT";
const TURN_TOO_LONG: &str = "ERR_ACTOR_TURN_TOO_LONG";
const CALL_CYCLE: &str = "ERR_ACTOR_CALL_CYCLE";
const REPEATED: &str = "ERR_ACTOR_ANSWER_NOT_KEPT";
const STACK_DEPTH: &str = "ERR_ACTOR_STACK_DEPTH";
const MOVED: &str = "ERR_ACTOR_MOVED";
const NO_PLACEMENT: &str = "ERR_ACTOR_NO_PLACEMENT";
const LEASE_LOST: &str = "ERR_ACTOR_LEASE_LOST";
const FENCED: &str = "ERR_ACTOR_FENCED";
const CLOSED: &str = "ERR_ACTOR_RUNTIME_CLOSED";
const NOT_ACTIVE: &str = "ERR_ACTOR_INSTANCE_MISSING";
const NO_STORE: &str = "ERR_ACTOR_RUNTIME_NOT_FOUND";
const TRANSACTION: &str = "ERR_ACTOR_STATE_TRANSACTION_SAVE";
const UNREACHABLE: &str = "ERR_ACTOR_HOST_UNREACHABLE";
const LOST: &str = "ERR_ACTOR_HOST_LOST";

/// Codes of failed calls that are told in one way, here or by another host.
const ROWS: &[(&str, u16, Code)] = &[
    (BAD_REQUEST, 400, Code::InvalidArgument),
    (MAILBOX_FULL, 429, Code::ResourceExhausted),
    (QUEUE_TIMEOUT, 504, Code::DeadlineExceeded),
    (TURN_TIMEOUT, 504, Code::DeadlineExceeded),
    (TURN_TOO_LONG, 504, Code::DeadlineExceeded),
    // Not Aborted: sent again, it would fail in the same way.
    (CALL_CYCLE, 409, Code::FailedPrecondition),
    (REPEATED, 409, Code::AlreadyExists),
    (STACK_DEPTH, 500, Code::ResourceExhausted),
    (MOVED, 503, Code::Unavailable),
    (NO_PLACEMENT, 503, Code::Unavailable),
    (LEASE_LOST, 503, Code::Unavailable),
    (FENCED, 503, Code::Aborted),
    (CLOSED, 503, Code::Unavailable),
    (NOT_ACTIVE, 400, Code::Internal),
    (NO_STORE, 500, Code::Internal),
    (TRANSACTION, 413, Code::ResourceExhausted),
    (UNREACHABLE, 503, Code::Unavailable),
    (LOST, 503, Code::Unavailable),
];

/// The nearest code of a kind, for a failure whose own code is not known.
fn code_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Invalid => BAD_REQUEST,
        Kind::Moved => MOVED,
        Kind::Overloaded => MAILBOX_FULL,
        Kind::Draining => CLOSED,
        Kind::Timeout => TURN_TIMEOUT,
        Kind::Conflict
        | Kind::NotFound
        | Kind::AppFailed
        | Kind::Unavailable
        | Kind::Unsupported
        | Kind::Internal => INVOKE,
    }
}
