//! What hosts say to each other, turned into the engine's words and back.
//!
//! Pure: no socket, no clock but the moment that is handed in. What cannot be understood is
//! named with its field, its value and what was expected. Bodies are not copied.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use odeon_base::ident::{check_name, clean_routed_method};
use odeon_base::{
    ActorId, ActorType, Epoch, Execution, IdempotencyKey, Incarnation, Kind, Namespace,
};
use odeon_placement::wire::{Error, Wrong, check_protocol};
use odeon_proto::odeon::host::v1 as proto;
use odeon_proto::odeon::placement::v1::Epoch as ProtoEpoch;
use odeon_runtime::invocation::CHAIN_MAX;
use odeon_runtime::peers::Failure;
use odeon_runtime::schedule::TimerSpec;
use odeon_runtime::{
    ActorRef, Awaits, CallChain, CallKind, Error as EngineError, Headers, Invocation, Reply,
};
use proto::peer_reply::Answer as ProtoAnswer;
use proto::peer_request::Request;
use tokio::time::Instant;

pub(super) use odeon_placement::wire::PROTOCOL;

/// Most headers of one message.
const HEADERS_MAX: usize = 1_000;
/// Longest name of a host or an application, in bytes.
const NAME_BYTES_MAX: usize = 512;

/// Who speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hello {
    /// The host's name.
    pub(super) host: Arc<str>,
    /// Its present incarnation, while it has one.
    pub(super) incarnation: Option<Incarnation>,
    /// The namespace of all its actors.
    pub(super) namespace: Namespace,
    /// The application beside it.
    pub(super) app: Arc<str>,
}

/// What a host asks.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    /// Run this call.
    Call(u64, Box<Invocation>),
    /// A call that cannot be run, because it was not understood.
    Wrong(u64, Wrong),
    /// Nobody waits for this call any more.
    Cancel(u64),
}

/// What became of a call.
pub(super) type Answer = Result<Reply, Answered>;

/// What the other host said after its greeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// The answer to the call of this number.
    Answer(u64, Answer),
    /// It is about to go: it answers what it was sent, and takes no more.
    Goodbye,
}

/// An answer that is no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answered {
    /// The host does not own the actor; nothing was begun.
    Moved(Epoch),
    /// It failed.
    Failed(Failure),
}

/// The first message of whoever calls.
pub(super) fn say_hello(hello: &Hello) -> proto::PeerRequest {
    let hello = Some(Request::Hello(write_hello(hello)));
    proto::PeerRequest { protocol: PROTOCOL, request: hello }
}

/// The first message of whoever is called.
pub(super) fn answer_hello(hello: &Hello) -> proto::PeerReply {
    let hello = Some(ProtoAnswer::Hello(write_hello(hello)));
    proto::PeerReply { protocol: PROTOCOL, answer: hello }
}

/// The last message of a host that goes.
pub(super) fn say_goodbye() -> proto::PeerReply {
    proto::PeerReply { protocol: 0, answer: Some(ProtoAnswer::Goodbye(proto::Goodbye {})) }
}

fn write_hello(hello: &Hello) -> proto::Hello {
    proto::Hello {
        host: hello.host.as_ref().to_owned(),
        incarnation: hello.incarnation.map_or(0, |incarnation| incarnation.0),
        namespace: hello.namespace.as_str().to_owned(),
        app: hello.app.as_ref().to_owned(),
    }
}

/// Reads the first message of a host that calls, which must be of the namespace.
///
/// # Errors
/// [`Error::Protocol`] for a distant release, [`Error::Field`] for all else.
pub(super) fn hear_hello(heard: proto::PeerRequest, namespace: &Namespace) -> Result<Hello, Error> {
    check_protocol(heard.protocol)?;
    match heard.request {
        Some(Request::Hello(hello)) => read_hello(&hello, namespace),
        Some(Request::Call(_) | Request::Cancel(_)) | None => Err(no_hello("request")),
    }
}

/// Reads the first message of a host that is called, which must be of the namespace.
///
/// # Errors
/// As [`hear_hello`].
pub(super) fn hear_hello_back(
    heard: proto::PeerReply,
    namespace: &Namespace,
) -> Result<Hello, Error> {
    check_protocol(heard.protocol)?;
    match heard.answer {
        Some(ProtoAnswer::Hello(hello)) => read_hello(&hello, namespace),
        Some(
            ProtoAnswer::Reply(_)
            | ProtoAnswer::Failure(_)
            | ProtoAnswer::Moved(_)
            | ProtoAnswer::Goodbye(_),
        )
        | None => Err(no_hello("answer")),
    }
}

fn no_hello(field: &str) -> Error {
    Wrong::new(field, "something else", "a hello, with which a stream begins").into()
}

fn read_hello(hello: &proto::Hello, expected: &Namespace) -> Result<Hello, Error> {
    let namespace = Namespace::parse(&hello.namespace)
        .map_err(|error| Wrong::text("hello.namespace", &hello.namespace, error))?;
    if namespace != *expected {
        let found = &hello.namespace;
        return Err(Wrong::text("hello.namespace", found, format_args!("{expected}")).into());
    }
    for (field, text) in [("hello.host", &hello.host), ("hello.app", &hello.app)] {
        if text.is_empty() || text.len() > NAME_BYTES_MAX {
            let expected = format_args!("1 to {NAME_BYTES_MAX} bytes");
            return Err(Wrong::text(field, text, expected).into());
        }
    }
    Ok(Hello {
        host: hello.host.as_str().into(),
        incarnation: (hello.incarnation != 0).then_some(Incarnation(hello.incarnation)),
        namespace,
        app: hello.app.as_str().into(),
    })
}

/// A call as it goes out; `left` is what the caller still has of its time.
pub(super) fn write_call(
    id: u64,
    namespace: &Namespace,
    call: &Invocation,
    left: Option<Duration>,
) -> proto::Call {
    let Invocation {
        actor,
        kind,
        method,
        body,
        headers,
        chain,
        routed_by,
        once,
        awaits,
        deadline: _,
    } = call;
    let (kind, timer) = write_kind_of_call(kind);
    proto::Call {
        call_id: id,
        namespace: namespace.as_str().to_owned(),
        actor_type: actor.actor_type.as_str().to_owned(),
        actor_id: actor.id.as_str().to_owned(),
        kind: kind.into(),
        method: method.as_ref().to_owned(),
        body: body.clone(),
        headers: write_headers(headers),
        // Rounded up, since a caller must not be told that its time is over before it is.
        deadline_ms: left
            .map(|left| u64::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)),
        call_chain: chain.hops().to_vec(),
        reentrancy_id: chain.reentrancy.as_deref().unwrap_or_default().to_owned(),
        epoch: routed_by.map(|epoch| ProtoEpoch { term: epoch.term, n: epoch.n }),
        timer,
        // What is to be stored is asked of a partition, which answers.
        one_way: *awaits == Awaits::Place,
        idempotency_key: once.as_ref().map(|key| key.as_str().to_owned()).unwrap_or_default(),
    }
}

fn write_kind_of_call(kind: &CallKind) -> (proto::CallKind, Option<proto::TimerSpec>) {
    match kind {
        CallKind::Reminder => (proto::CallKind::Reminder, None),
        CallKind::SetTimer(spec) => {
            let TimerSpec { due_time, period, ttl, callback, keep_alive } = (**spec).clone();
            let timer = proto::TimerSpec { due_time, period, ttl, callback, keep_alive };
            (proto::CallKind::SetTimer, Some(timer))
        }
        CallKind::DropTimer => (proto::CallKind::DropTimer, None),
        CallKind::Method => (proto::CallKind::Method, None),
    }
}

fn read_kind_of_call(kind: i32, timer: Option<proto::TimerSpec>) -> Result<CallKind, Wrong> {
    let expected = "0 (method), 1 (reminder), 2 (set timer) or 3 (drop timer)";
    match proto::CallKind::try_from(kind).map_err(|_| Wrong::new("kind", kind, expected))? {
        proto::CallKind::Method => Ok(CallKind::Method),
        proto::CallKind::Reminder => Ok(CallKind::Reminder),
        proto::CallKind::SetTimer => {
            let proto::TimerSpec { due_time, period, ttl, callback, keep_alive } =
                timer.ok_or_else(|| Wrong::missing("timer", "what is said of the timer"))?;
            let spec = TimerSpec { due_time, period, ttl, callback, keep_alive };
            Ok(CallKind::SetTimer(Arc::new(spec)))
        }
        proto::CallKind::DropTimer => Ok(CallKind::DropTimer),
    }
}

/// Wraps a call for its stream.
pub(super) fn say_call(call: proto::Call) -> proto::PeerRequest {
    proto::PeerRequest { protocol: 0, request: Some(Request::Call(call)) }
}

/// Says that nobody waits for a call any more.
pub(super) fn say_cancel(call_id: u64) -> proto::PeerRequest {
    let cancel = Request::Cancel(proto::Cancel { call_id });
    proto::PeerRequest { protocol: 0, request: Some(cancel) }
}

/// Reads what a host asks after its greeting.
///
/// # Errors
/// [`Wrong`] for what concerns no call in particular: the stream cannot go on. A call that is
/// not understood is [`Asked::Wrong`], and the stream goes on.
pub(super) fn hear(
    heard: proto::PeerRequest,
    namespace: &Namespace,
    now: Instant,
) -> Result<Asked, Wrong> {
    match heard.request {
        Some(Request::Call(call)) => {
            let id = call.call_id;
            Ok(match read_call(call, namespace, now) {
                Ok(call) => Asked::Call(id, Box::new(call)),
                Err(wrong) => Asked::Wrong(id, wrong.inside("call")),
            })
        }
        Some(Request::Cancel(cancel)) => Ok(Asked::Cancel(cancel.call_id)),
        Some(Request::Hello(_)) => {
            Err(Wrong::new("request", "hello", "a call or a cancel, after the first message"))
        }
        None => Err(Wrong::missing("request", "one that this release knows")),
    }
}

fn read_call(call: proto::Call, namespace: &Namespace, now: Instant) -> Result<Invocation, Wrong> {
    if call.namespace != namespace.as_str() {
        return Err(Wrong::text("namespace", &call.namespace, format_args!("{namespace}")));
    }
    let kind = read_kind_of_call(call.kind, call.timer)?;
    let actor = ActorRef {
        actor_type: ActorType::parse(&call.actor_type)
            .map_err(|error| Wrong::text("actor_type", &call.actor_type, error))?,
        id: ActorId::parse(&call.actor_id)
            .map_err(|error| Wrong::text("actor_id", &call.actor_id, error))?,
    };
    let method = match kind {
        CallKind::Method => clean_routed_method(&call.method)
            .map_err(|error| Wrong::text("method", &call.method, error))?,
        CallKind::Reminder | CallKind::SetTimer(_) | CallKind::DropTimer => {
            let name = check_name("name", &call.method);
            name.map_err(|error| Wrong::text("method", &call.method, error))?;
            call.method
        }
    };
    let once = match call.idempotency_key.as_str() {
        "" => None,
        key => Some(
            IdempotencyKey::parse(key)
                .map_err(|error| Wrong::text("idempotency_key", key, error))?,
        ),
    };
    if call.call_chain.len() > CHAIN_MAX {
        let expected = format_args!("at most {CHAIN_MAX} hops");
        return Err(Wrong::new("call_chain", call.call_chain.len(), expected));
    }
    let epoch = call.epoch.ok_or_else(|| Wrong::missing("epoch", "the table it was sent by"))?;
    let reentrancy = (!call.reentrancy_id.is_empty()).then(|| Arc::from(call.reentrancy_id));
    Ok(Invocation {
        actor,
        kind,
        method: method.into(),
        body: call.body,
        headers: read_headers(call.headers)?,
        // So far away that it cannot be written is as good as none.
        deadline: call.deadline_ms.and_then(|ms| now.checked_add(Duration::from_millis(ms))),
        chain: CallChain::new(&call.call_chain, reentrancy),
        routed_by: Some(Epoch { term: epoch.term, n: epoch.n }),
        once,
        awaits: if call.one_way { Awaits::Place } else { Awaits::Answer },
    })
}

/// What became of a call, for its stream. `code` is what `status.rs` calls a failure.
pub(super) fn write_answer(
    call_id: u64,
    answer: Result<Reply, EngineError>,
    code: impl FnOnce(&EngineError) -> String,
) -> proto::PeerReply {
    let answer = match answer {
        Ok(Reply { body, headers, is_app_error, is_last, is_replay }) => {
            ProtoAnswer::Reply(proto::Reply {
                call_id,
                is_replay,
                headers: write_headers(&headers),
                body,
                is_actor_error: is_app_error,
                ends_reminder: is_last,
            })
        }
        Err(EngineError::Moved { epoch, .. }) => ProtoAnswer::Moved(proto::Moved {
            call_id,
            epoch: Some(ProtoEpoch { term: epoch.term, n: epoch.n }),
        }),
        Err(error) => {
            return write_failure(call_id, error.to_failure(code(&error)));
        }
    };
    proto::PeerReply { protocol: 0, answer: Some(answer) }
}

/// A failure of a call, for its stream.
pub(super) fn write_failure(call_id: u64, failure: Failure) -> proto::PeerReply {
    let Failure { kind, code, message, execution } = failure;
    let failure = ProtoAnswer::Failure(proto::Failure {
        call_id,
        kind: write_kind(kind).into(),
        code,
        message,
        execution: write_execution(execution).into(),
    });
    proto::PeerReply { protocol: 0, answer: Some(failure) }
}

/// Reads what became of a call, after the greeting.
///
/// # Errors
/// [`Wrong`] when it cannot be told which call is meant, or what became of it.
pub(super) fn hear_answer(heard: proto::PeerReply) -> Result<Heard, Wrong> {
    let answer = heard.answer.ok_or_else(|| Wrong::missing("answer", "one of this release"))?;
    match answer {
        ProtoAnswer::Reply(reply) => {
            let headers = read_headers(reply.headers).map_err(|wrong| wrong.inside("reply"))?;
            let (is_app_error, is_last) = (reply.is_actor_error, reply.ends_reminder);
            let (reply_to, body, is_replay) = (reply.call_id, reply.body, reply.is_replay);
            let reply = Reply { body, headers, is_app_error, is_last, is_replay };
            Ok(Heard::Answer(reply_to, Ok(reply)))
        }
        ProtoAnswer::Failure(failure) => {
            let kind = read_kind(failure.kind());
            let execution = read_execution(failure.execution());
            let proto::Failure { call_id, code, message, .. } = failure;
            let failure = Failure { kind, code, message, execution };
            Ok(Heard::Answer(call_id, Err(Answered::Failed(failure))))
        }
        ProtoAnswer::Moved(moved) => {
            let epoch = moved.epoch.ok_or_else(|| Wrong::missing("moved.epoch", "a table"))?;
            let epoch = Epoch { term: epoch.term, n: epoch.n };
            Ok(Heard::Answer(moved.call_id, Err(Answered::Moved(epoch))))
        }
        ProtoAnswer::Goodbye(_) => Ok(Heard::Goodbye),
        ProtoAnswer::Hello(_) => {
            Err(Wrong::new("answer", "hello", "a reply, after the first message"))
        }
    }
}

fn write_headers(headers: &Headers) -> Vec<proto::Header> {
    let header = |(name, value): (&str, &str)| proto::Header {
        name: name.to_owned(),
        value: Bytes::copy_from_slice(value.as_bytes()),
    };
    headers.iter().map(header).collect()
}

fn read_headers(read: Vec<proto::Header>) -> Result<Headers, Wrong> {
    if read.len() > HEADERS_MAX {
        let expected = format_args!("at most {HEADERS_MAX}");
        return Err(Wrong::new("headers", read.len(), expected));
    }
    let mut headers = Headers::new();
    for (i, proto::Header { name, value }) in read.into_iter().enumerate() {
        if name.is_empty() {
            return Err(Wrong::missing("name", "a name").inside(format_args!("headers[{i}]")));
        }
        let value = String::from_utf8(value.into()).map_err(|error| {
            let found = String::from_utf8_lossy(error.as_bytes()).into_owned();
            Wrong::text("value", &found, "UTF-8").inside(format_args!("headers[{i}]"))
        })?;
        headers.push(name, value);
    }
    Ok(headers)
}

fn write_kind(kind: Kind) -> proto::FailureKind {
    match kind {
        Kind::Invalid => proto::FailureKind::Invalid,
        Kind::NotFound => proto::FailureKind::NotFound,
        Kind::Conflict => proto::FailureKind::Conflict,
        Kind::Moved => proto::FailureKind::Moved,
        Kind::Overloaded => proto::FailureKind::Overloaded,
        Kind::Draining => proto::FailureKind::Draining,
        Kind::Timeout => proto::FailureKind::Timeout,
        Kind::AppFailed => proto::FailureKind::AppFailed,
        Kind::Unavailable => proto::FailureKind::Unavailable,
        Kind::Unsupported => proto::FailureKind::Unsupported,
        Kind::Internal => proto::FailureKind::Internal,
    }
}

fn read_kind(kind: proto::FailureKind) -> Kind {
    match kind {
        proto::FailureKind::Invalid => Kind::Invalid,
        proto::FailureKind::NotFound => Kind::NotFound,
        proto::FailureKind::Conflict => Kind::Conflict,
        proto::FailureKind::Moved => Kind::Moved,
        proto::FailureKind::Overloaded => Kind::Overloaded,
        proto::FailureKind::Draining => Kind::Draining,
        proto::FailureKind::Timeout => Kind::Timeout,
        proto::FailureKind::AppFailed => Kind::AppFailed,
        proto::FailureKind::Unavailable => Kind::Unavailable,
        proto::FailureKind::Unsupported => Kind::Unsupported,
        proto::FailureKind::Internal => Kind::Internal,
    }
}

fn write_execution(execution: Execution) -> proto::Execution {
    match execution {
        Execution::None => proto::Execution::None,
        Execution::Maybe => proto::Execution::Maybe,
        Execution::Done => proto::Execution::Done,
    }
}

fn read_execution(execution: proto::Execution) -> Execution {
    match execution {
        proto::Execution::None => Execution::None,
        proto::Execution::Maybe => Execution::Maybe,
        proto::Execution::Done => Execution::Done,
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
