//! Every error that a call can end with, on both wires: a row each.

use odeon_base::{Epoch, Execution, Kind};
use odeon_host::status::Failure;
use odeon_proto::dapr::runtime::v1::InvokeActorRequest;
use odeon_runtime::peers::{self, PeerError};
use odeon_runtime::{ActorRef, Error};
use odeon_test_wire::{Rig, raise};
use tonic::Code;

/// Number of the error, HTTP status, error code, gRPC code, execution, text over
/// HTTP, text over gRPC where it is another.
type Row = (usize, u16, &'static str, Code, &'static str, &'static str, Option<&'static str>);

const INVOKE: &str = "ERR_ACTOR_INVOKE_METHOD";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    (0, 500, INVOKE, Code::Internal, "done", "error invoke actor method: error from actor service: (500) boom <&>", None),
    (1, 500, INVOKE, Code::Internal, "maybe", "error invoke actor method: actor host disconnected before responding", None),
    (2, 500, INVOKE, Code::Internal, "none", "error invoke actor method: actor method not found: actors/T/a/method/m", None),
    (3, 500, "ERR_ACTOR_STACK_DEPTH", Code::ResourceExhausted, "none", "maximum stack depth exceeded", None),
    (4, 409, "ERR_ACTOR_CALL_CYCLE", Code::FailedPrecondition, "none", "call cycle: actor 'T||a' is waiting, further up, for this very call", None),
    (5, 503, "ERR_ACTOR_FENCED", Code::Aborted, "maybe", "a newer activation of actor 'T||a' has taken over its state", None),
    (6, 503, "ERR_ACTOR_LEASE_LOST", Code::Unavailable, "maybe", "the lease of this host ended during the turn", None),
    (7, 503, "ERR_ACTOR_RUNTIME_CLOSED", Code::Unavailable, "none", "the actor runtime is closed", None),
    (8, 400, "ERR_ACTOR_INSTANCE_MISSING", Code::Internal, "none", "actor instance is missing", None),
    (9, 500, "ERR_ACTOR_RUNTIME_NOT_FOUND", Code::Internal, "none", "the state store is not configured to use the actor runtime. Have you set the - name: actorStateStore value: \"true\" in your state store component file?", None),
    (10, 400, "ERR_BAD_REQUEST", Code::InvalidArgument, "none", "invalid request: two arguments are missing", None),
    (11, 413, "ERR_ACTOR_STATE_TRANSACTION_SAVE", Code::ResourceExhausted, "none", "the transaction is 9, more than the limit of 8", None),
    (12, 500, INVOKE, Code::Internal, "maybe", "error invoke actor method: possible etag mismatch for key 'k'", None),
    (13, 500, INVOKE, Code::Internal, "maybe", "error invoke actor method: the state store is unavailable: no route", None),
    (14, 500, INVOKE, Code::Internal, "maybe", "error invoke actor method: the outcome of the write is unknown: cut off", None),
    (15, 500, INVOKE, Code::FailedPrecondition, "none", "error invoke actor method: failed to lookup actor: api error: code = FailedPrecondition desc = did not find address for actor 'T||a'", Some("did not find address for actor 'T||a'")),
    (16, 503, "ERR_ACTOR_MOVED", Code::Unavailable, "none", "actor 'T||a' moved; routed by a table older than 1.2", None),
    (17, 504, "ERR_ACTOR_TURN_TOO_LONG", Code::DeadlineExceeded, "maybe", "actor 'T||a' ran longer than its type's limit of 1s", None),
    (18, 504, "ERR_ACTOR_TURN_TIMEOUT", Code::DeadlineExceeded, "maybe", "the call's time limit passed while actor 'T||a' was running it", None),
    (19, 504, "ERR_ACTOR_QUEUE_TIMEOUT", Code::DeadlineExceeded, "none", "the call's time limit passed while it waited for actor 'T||a'", None),
    (20, 429, "ERR_ACTOR_MAILBOX_FULL", Code::ResourceExhausted, "none", "actor 'T||a' has 7 calls waiting, its limit", None),
    (21, 500, INVOKE, Code::Internal, "none", "error invoke actor method: activating actor 'T||a' failed: no memory", None),
    (22, 500, INVOKE, Code::Internal, "maybe", "error invoke actor method: the turn of actor 'T||a' panicked: ouch", None),
    (23, 409, "ERR_ACTOR_ANSWER_NOT_KEPT", Code::AlreadyExists, "done", "a call of actor 'T||a' with this idempotency key has run before, and its answer was not kept; it is not run again", None),
    (24, 400, "ERR_BAD_REQUEST", Code::InvalidArgument, "none", "invalid request: the call has an idempotency key, and actor type 'T' keeps no state to remember it in", None),
];

/// A client cannot tell whether its call crossed hosts: an error that went over the wire
/// between two hosts has the very row that it has at home.
#[test]
fn every_error_keeps_its_row_between_hosts() {
    let actor = ActorRef::parse("T", "a").unwrap();
    for &(number, _, code, ..) in ROWS {
        if code == "ERR_ACTOR_MOVED" {
            // Between hosts it says only by which table, and its receiver sends the call again.
            continue;
        }
        let error = raise(&actor, number);
        let at_home = Failure::invoke(&error);
        let crossed = odeon_host::peer::crossed(error);
        assert_eq!(Failure::invoke(&crossed), at_home, "error {number}");
    }
}

#[test]
fn what_the_way_to_another_host_does_has_rows_of_its_own() {
    let (host, address) = ("b:1".to_owned(), "10.0.0.2:1".to_owned());
    let reason = "refused".to_owned();
    let moved = PeerError::Moved(Epoch { term: 1, n: 2 });
    let unreachable = PeerError::Unreachable {
        host: host.clone(),
        address: address.clone(),
        reason: reason.clone(),
    };
    let lost = PeerError::Lost { host, address, reason };
    let strange = |kind| {
        let (code, message) = ("ERR_OF_A_LATER_RELEASE".to_owned(), "why".to_owned());
        PeerError::Failed(peers::Failure { kind, code, message, execution: Execution::Maybe })
    };
    for (error, status, code, grpc, execution) in [
        (moved, 503, "ERR_ACTOR_MOVED", Code::Unavailable, "none"),
        (unreachable, 503, "ERR_ACTOR_HOST_UNREACHABLE", Code::Unavailable, "none"),
        (lost, 503, "ERR_ACTOR_HOST_LOST", Code::Unavailable, "maybe"),
        (strange(Kind::Timeout), 504, "ERR_ACTOR_TURN_TIMEOUT", Code::DeadlineExceeded, "maybe"),
        (
            strange(Kind::Overloaded),
            429,
            "ERR_ACTOR_MAILBOX_FULL",
            Code::ResourceExhausted,
            "maybe",
        ),
        (strange(Kind::Internal), 500, INVOKE, Code::Internal, "maybe"),
    ] {
        let failure = Failure::invoke(&Error::Peer(error));
        assert_eq!((failure.http.as_u16(), failure.code), (status, code));
        assert_eq!((failure.grpc, failure.execution.as_str()), (grpc, execution), "{code}");
    }
}

/// Errors that the engine itself tells of a call. From inside a turn they are about
/// another call, and the engine makes them the actor's own failure; their way out is
/// tested where they happen (`invoke.rs`, `stream.rs`).
const OF_THE_ENGINE: [usize; 9] = [3, 4, 7, 15, 16, 18, 19, 20, 21];

#[test]
fn every_error_has_its_row() {
    let actor = ActorRef::parse("T", "a").unwrap();
    for &(number, status, code, grpc, execution, text, grpc_text) in ROWS {
        let failure = Failure::invoke(&raise(&actor, number));
        assert_eq!((failure.http.as_u16(), failure.code), (status, code), "error {number}");
        assert_eq!(failure.message, text, "error {number}");
        assert_eq!(failure.grpc, grpc, "error {number}");
        assert_eq!(failure.grpc_text(), grpc_text.unwrap_or(text), "error {number}");
        assert_eq!(failure.execution.as_str(), execution, "error {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_error_of_a_turn_comes_out_of_the_http_door() {
    let rig = Rig::start().await;
    for &(number, status, code, _, execution, text, _) in ROWS {
        if OF_THE_ENGINE.contains(&number) {
            continue;
        }
        let path = "/v1.0/actors/T/a/method/raise";
        let told = rig.ask("POST", path).body(number.to_string()).told().await;
        assert_eq!(told.error(), (status, code.into(), text.into()), "error {number}");
        assert_eq!(told.header("content-type"), "application/json", "error {number}");
        assert_eq!(told.header("odeon-actor-execution"), execution, "error {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_error_of_a_turn_comes_out_of_the_grpc_door() {
    let rig = Rig::start().await;
    for &(number, _, _, code, execution, text, grpc_text) in ROWS {
        if OF_THE_ENGINE.contains(&number) {
            continue;
        }
        let request = InvokeActorRequest {
            actor_type: "T".into(),
            actor_id: "a".into(),
            method: "raise".into(),
            data: number.to_string().into(),
            ..InvokeActorRequest::default()
        };
        let status = rig.client().invoke_actor(request).await.unwrap_err();
        assert_eq!(status.code(), code, "error {number}");
        assert_eq!(status.message(), grpc_text.unwrap_or(text), "error {number}");
        let word = status.metadata().get("odeon-actor-execution").unwrap();
        assert_eq!(word, execution, "error {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_body_has_two_fields_in_daprs_order() {
    let rig = Rig::start().await;
    let told = rig.ask("GET", "/nowhere").told().await;
    let text = "failed getting app id either from the URL path or the header dapr-app-id";
    assert_eq!(told.text(), format!(r#"{{"errorCode":"ERR_DIRECT_INVOKE","message":"{text}"}}"#));
}
