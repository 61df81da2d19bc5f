//! The way to a host over gRPC, in Dapr's own API.
//!
//! Calls an actor, reads and commits an actor's state, opens the stream on which a
//! worker is given its turns. Translates between wire and domain types and knows
//! nothing of Rust types of actors. Bodies are not copied on their way in.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use odeon_base::{Execution, IdempotencyKey};
use odeon_proto::dapr::runtime::v1 as proto;
use odeon_proto::names;
use odeon_proto::odeon::actors::v1 as beyond;
use odeon_proto::odeon::actors::v1::actors_client::ActorsClient;
use odeon_runtime::schedule::TimerSpec;
use odeon_runtime::store::Expiry;
use odeon_runtime::turn::{Caller, Change, Commit};
use odeon_runtime::{ActorRef, Awaits, CallChain, Headers, Invocation};
use proto::dapr_client::DaprClient;
use tokio::time::Instant;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, ConnectError, Request, Status, Streaming};

use crate::effects;
use crate::error::{Cause, Error, Result};
use crate::page::Page;
use crate::timer::Wish;
use crate::wire;

/// Largest message in either direction, in bytes; a host's own limit is usually lower.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a silent connection is asked whether it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Bytes in flight before the sender waits: a few large bodies at full speed.
const WINDOW_BYTES: u32 = 4 << 20;

/// The stream of turns that a host hands to a worker.
pub(crate) type Turns = Streaming<proto::SubscribeActorEventsResponseAlpha1>;

/// The host's name for the activation for which a turn runs; only echoed.
pub(crate) type Activation = MetadataValue<Ascii>;

/// The activation of a turn, from the headers that the host sent with it; none from a
/// host that does not name it.
pub(crate) fn activation(headers: &Headers) -> Option<Activation> {
    headers.get(names::ACTIVATION)?.parse().ok()
}

/// A host, reached over gRPC. Cheap to clone; connects when first used, and again when the
/// connection was lost.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    endpoint: Arc<Endpoint>,
    channel: Channel,
    token: Option<MetadataValue<Ascii>>,
}

impl Remote {
    /// The host at an address such as `http://127.0.0.1:50001`.
    pub(crate) fn new(address: &str) -> Result<Self> {
        let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|error| Error::Setup {
            what: "the host's address",
            value: address.to_owned(),
            reason: format!("{error}; write for example http://127.0.0.1:50001"),
        })?;
        let endpoint = endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES);
        Ok(Self { channel: endpoint.connect_lazy(), endpoint: Arc::new(endpoint), token: None })
    }

    /// The same host over a connection of its own, which knows nothing of failures before.
    pub(crate) fn anew(&self) -> Self {
        let channel = self.endpoint.connect_lazy();
        Self { endpoint: Arc::clone(&self.endpoint), channel, token: self.token.clone() }
    }

    /// The same host, shown this token with every request.
    pub(crate) fn with_token(mut self, token: &str) -> Result<Self> {
        let token = MetadataValue::try_from(token).map_err(|error| Error::Setup {
            what: "the API token",
            value: "(hidden)".to_owned(),
            reason: error.to_string(),
        })?;
        self.token = Some(token);
        Ok(self)
    }

    fn client(&self) -> DaprClient<Channel> {
        DaprClient::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            request.metadata_mut().insert(wire::API_TOKEN, token.clone());
        }
        request
    }

    /// A request of a turn, which names its activation if its host does.
    fn request_of<T>(&self, activation: Option<&Activation>, message: T) -> Request<T> {
        let mut request = self.request(message);
        if let Some(activation) = activation {
            request.metadata_mut().insert(names::ACTIVATION, activation.clone());
        }
        request
    }

    /// Calls an actor.
    ///
    /// # Cancel safety
    /// Dropped, the host is told that nobody waits; the turn may run.
    pub(crate) async fn invoke(&self, invocation: Invocation) -> Result<Bytes, Cause> {
        let mut is_again = false;
        loop {
            let mut request = self.request(invoke_request(&invocation));
            if let Some(deadline) = invocation.deadline {
                request.set_timeout(deadline.saturating_duration_since(Instant::now()));
            }
            match self.client().invoke_actor(request).await {
                Ok(answer) => return Ok(answer.into_inner().data),
                // A caller that gives up while it connects leaves how that ended to the next
                // one, however much later: only a second failure is of this moment.
                Err(status) if !is_again && is_unconnected(&status) => is_again = true,
                Err(status) => return Err(cause(&status)),
            }
        }
    }

    /// Reads a key of an actor's state, for a turn of this activation; what is empty is
    /// not there.
    pub(crate) async fn get_state(
        &self,
        actor: &ActorRef,
        activation: Option<&Activation>,
        key: &str,
    ) -> Result<Option<Bytes>, Cause> {
        let message = proto::GetActorStateRequest {
            actor_type: actor.actor_type.as_str().to_owned(),
            actor_id: actor.id.as_str().to_owned(),
            key: key.to_owned(),
        };
        let request = self.request_of(activation, message);
        let answer =
            self.client().get_actor_state(request).await.map_err(|status| cause(&status))?;
        let data = answer.into_inner().data;
        Ok((!data.is_empty()).then_some(data))
    }

    /// Reads a page of an actor's keys, for a turn of this activation; without values these
    /// are empty.
    pub(crate) async fn list_state(
        &self,
        actor: &ActorRef,
        activation: Option<&Activation>,
        (prefix, after): (&str, Option<&str>),
        has_values: bool,
    ) -> Result<Page<(String, Bytes)>, Cause> {
        let message = beyond::ListStateRequest {
            actor_type: actor.actor_type.as_str().to_owned(),
            actor_id: actor.id.as_str().to_owned(),
            prefix: prefix.to_owned(),
            after: after.unwrap_or_default().to_owned(),
            limit: 0,
            values: has_values,
        };
        let mut client =
            ActorsClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let answer = client.list_state(self.request_of(activation, message)).await;
        let beyond::ListStateResponse { entries, next } =
            answer.map_err(|status| cause(&status))?.into_inner();
        let items = entries.into_iter().map(|entry| (entry.key, entry.value.unwrap_or_default()));
        Ok(Page { items: items.collect(), next: Some(next).filter(|next| !next.is_empty()) })
    }

    /// Commits changes of an actor that is active at this host, for a turn of this
    /// activation.
    ///
    /// # Cancel safety
    /// Dropped, the outcome is unknown.
    pub(crate) async fn commit(
        &self,
        actor: &ActorRef,
        activation: Option<&Activation>,
        commit: Commit,
    ) -> Result<(), Cause> {
        let Commit { changes, effects } = commit;
        let mut operations: Vec<_> = changes.into_iter().map(operation).collect();
        for effect in effects {
            operations.push(effects::operation(&effect)?);
        }
        let message = proto::ExecuteActorStateTransactionRequest {
            actor_type: actor.actor_type.as_str().to_owned(),
            actor_id: actor.id.as_str().to_owned(),
            operations,
        };
        let request = self.request_of(activation, message);
        self.client()
            .execute_actor_state_transaction(request)
            .await
            .map_err(|status| cause(&status))?;
        Ok(())
    }

    /// Sets or drops a timer of an actor.
    pub(crate) async fn wish(&self, actor: &ActorRef, wish: Wish) -> Result<(), Cause> {
        let (actor_type, actor_id) =
            (actor.actor_type.as_str().to_owned(), actor.id.as_str().to_owned());
        let mut client = self.client();
        let done = match wish {
            Wish::Set { name, spec, data } => {
                let TimerSpec { due_time, period, ttl, callback, .. } = (*spec).clone();
                let name = name.as_ref().to_owned();
                let mut request = self.request(proto::RegisterActorTimerRequest {
                    actor_type,
                    actor_id,
                    name,
                    due_time,
                    period,
                    callback,
                    data,
                    ttl,
                });
                let yes = MetadataValue::from_static("true");
                request.metadata_mut().insert(names::DATA_IS_JSON, yes);
                client.register_actor_timer(request).await
            }
            Wish::Drop { name } => {
                let name = name.as_ref().to_owned();
                let message = proto::UnregisterActorTimerRequest { actor_type, actor_id, name };
                client.unregister_actor_timer(self.request(message)).await
            }
        };
        done.map_err(|status| cause(&status))?;
        Ok(())
    }

    /// Opens the stream of turns; answers go out by `answers`, and `refusals` are the
    /// codes that mean there that a turn has not begun.
    /// `own` are settings of its types that the first message has no place for.
    pub(crate) async fn turns<S>(
        &self,
        refusals: &'static str,
        own: Option<&str>,
        answers: S,
    ) -> Result<Turns, Cause>
    where
        S: tokio_stream::Stream<Item = proto::SubscribeActorEventsRequestAlpha1> + Send + 'static,
    {
        let mut request = self.request(answers);
        let refusals = MetadataValue::from_static(refusals);
        request.metadata_mut().insert(names::REFUSAL_CODES, refusals);
        if let Some(own) = own.and_then(|own| own.parse().ok()) {
            request.metadata_mut().insert(names::ENTITIES_CONFIG, own);
        }
        let stream = self
            .client()
            .subscribe_actor_events_alpha1(request)
            .await
            .map_err(|status| cause(&status))?;
        Ok(stream.into_inner())
    }
}

fn invoke_request(invocation: &Invocation) -> proto::InvokeActorRequest {
    let Invocation { actor, method, body, headers, chain, once, awaits, .. } = invocation;
    let mut metadata: std::collections::HashMap<String, String> =
        headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    if let Some(id) = &chain.reentrancy {
        metadata.insert(wire::REENTRANCY_ID.to_owned(), id.as_ref().to_owned());
    }
    if let Some(key) = once {
        metadata.insert(IdempotencyKey::NAME.to_owned(), key.as_str().to_owned());
    }
    let one_way = match awaits {
        Awaits::Answer => None,
        Awaits::Place => Some("true"),
        Awaits::Stored => Some("durable"),
    };
    if let Some(one_way) = one_way {
        metadata.insert(names::ACTOR_ONE_WAY.to_owned(), one_way.to_owned());
    }
    if !chain.hops().is_empty() {
        metadata.insert(names::ACTOR_CHAIN.to_owned(), chain.to_header());
    }
    proto::InvokeActorRequest {
        actor_type: actor.actor_type.as_str().to_owned(),
        actor_id: actor.id.as_str().to_owned(),
        method: method.as_ref().to_owned(),
        data: body.clone(),
        metadata,
    }
}

fn operation(change: Change) -> proto::TransactionalActorStateOperation {
    let mut operation = proto::TransactionalActorStateOperation::default();
    match change {
        Change::Set { name, value, expiry, .. } => {
            "upsert".clone_into(&mut operation.operation_type);
            name.as_ref().clone_into(&mut operation.key);
            // The host keeps the bytes and ignores the type.
            operation.value =
                Some(prost_types::Any { type_url: String::new(), value: value.into() });
            if let Expiry::After(time) = expiry {
                let seconds = whole_seconds(time).to_string();
                operation.metadata.insert("ttlInSeconds".to_owned(), seconds);
            }
        }
        Change::Remove { name, .. } => {
            "delete".clone_into(&mut operation.operation_type);
            name.as_ref().clone_into(&mut operation.key);
        }
    }
    operation
}

/// The wire has whole seconds, at least one: a value must not vanish before its time.
fn whole_seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}

/// What a host's status says.
pub(crate) fn cause(status: &Status) -> Cause {
    let stated =
        status.metadata().get(names::ACTOR_EXECUTION).and_then(|value| value.to_str().ok());
    let execution = match stated {
        Some("none") => Execution::None,
        Some("maybe") => Execution::Maybe,
        Some("done") => Execution::Done,
        _ if is_unconnected(status) => Execution::None,
        _ => likely_execution(status.code()),
    };
    Cause::Host { code: status.code(), message: status.message().to_owned(), execution }
}

/// Whether a request was never sent, because there was no connection to send it on.
fn is_unconnected(status: &Status) -> bool {
    let first = std::error::Error::source(status);
    let mut causes = std::iter::successors(first, |cause| cause.source());
    causes.any(|cause| cause.is::<ConnectError>())
}

/// What a host that does not say so has probably done: these codes are given before a turn.
fn likely_execution(code: Code) -> Execution {
    match code {
        Code::InvalidArgument
        | Code::FailedPrecondition
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::Unimplemented
        | Code::ResourceExhausted => Execution::None,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::Aborted
        | Code::OutOfRange
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => Execution::Maybe,
    }
}

/// The actor's own no, if that is what a failed call came back with.
///
/// Wire: Dapr's texts; a call that crossed hosts is wrapped once more.
pub(crate) fn refusal(cause: Cause) -> Error {
    const MARK: &str = "error from actor service: ";
    match &cause {
        Cause::Host { message, .. } => match message.rsplit_once(MARK) {
            Some((_, words)) => Error::Failed { message: words.to_owned() },
            None => cause.into(),
        },
        Cause::Engine(_) => cause.into(),
    }
}

/// The caller of a turn, from the headers that the host sent with it.
pub(crate) fn caller(headers: &Headers, now: Instant) -> Caller {
    let reentrancy: Option<Arc<str>> = headers.get(wire::REENTRANCY_ID).map(Into::into);
    let chain = match headers.get(names::ACTOR_CHAIN) {
        Some(text) => CallChain::from_header(text, reentrancy),
        None => CallChain::new(&[], reentrancy),
    };
    let millis = headers.get(names::ACTOR_TIMEOUT).and_then(|text| text.parse().ok());
    let deadline = millis.and_then(|millis| now.checked_add(Duration::from_millis(millis)));
    Caller { deadline, chain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_become_operations() {
        let set = operation(Change::set("n", "1"));
        assert_eq!((set.operation_type.as_str(), set.key.as_str()), ("upsert", "n"));
        assert_eq!(set.value.unwrap().value, b"1");
        assert!(set.metadata.is_empty());
        let removed = operation(Change::remove("n"));
        assert_eq!((removed.operation_type.as_str(), removed.value), ("delete", None));
        assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
        assert_eq!(whole_seconds(Duration::from_millis(1_500)), 2);
    }

    #[test]
    fn a_status_says_whether_the_call_may_have_run() {
        let mut status = Status::internal("broken");
        assert_eq!(cause(&status).execution(), Execution::Maybe);
        status.metadata_mut().insert(names::ACTOR_EXECUTION, MetadataValue::from_static("none"));
        assert_eq!(cause(&status).execution(), Execution::None);
        let text = "error invoke actor method: error from actor service: sold out";
        assert_eq!(refusal(cause(&Status::internal(text))).to_string(), "sold out");
    }

    #[test]
    fn the_caller_is_read_from_headers() {
        let now = Instant::now();
        let mut headers = Headers::new();
        headers.push("dapr-reentrancy-id", "abc");
        headers.push(names::ACTOR_CHAIN, "0000000000000007");
        headers.push(names::ACTOR_TIMEOUT, "1500");
        let caller = caller(&headers, now);
        assert_eq!(caller.chain.hops(), [7]);
        assert_eq!(caller.chain.reentrancy.as_deref(), Some("abc"));
        assert_eq!(caller.deadline, Some(now + Duration::from_millis(1_500)));
    }
}
