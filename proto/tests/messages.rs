//! The generated types, encoded and read back, and what they do with what they
//! do not know.

use std::fmt::Debug;

use bytes::Bytes;
use odeon_proto::dapr::common::v1 as common;
use odeon_proto::dapr::runtime::v1 as runtime;
use odeon_proto::odeon::host::v1 as host;
use odeon_proto::odeon::placement::v1 as placement;
use prost::Message;

fn comes_back<M: Message + Default + PartialEq + Debug>(message: &M) {
    let bytes = Bytes::from(message.encode_to_vec());
    assert_eq!(&M::decode(bytes).expect("what was encoded can be decoded"), message);
}

#[test]
fn what_an_app_says_on_the_actor_stream_comes_back() {
    use runtime::subscribe_actor_events_request_alpha1::RequestType;
    let said = [
        RequestType::InitialRequest(runtime::SubscribeActorEventsRequestInitialAlpha1 {
            entities: vec!["cart".to_owned(), "stock".to_owned()],
            actor_idle_timeout: Some(prost_types::Duration { seconds: 3600, nanos: 1 }),
            drain_ongoing_call_timeout: None,
            drain_rebalanced_actors: Some(false),
            reentrancy: Some(runtime::ActorReentrancyConfig {
                enabled: true,
                max_stack_depth: Some(0),
            }),
            entities_config: vec![runtime::ActorEntityConfig {
                entities: vec!["stock".to_owned()],
                ..Default::default()
            }],
        }),
        RequestType::InvokeResponse(runtime::SubscribeActorEventsRequestInvokeResponseAlpha1 {
            id: "1".to_owned(),
            data: Bytes::from_static(b"{}"),
            metadata: [("content-type".to_owned(), "application/json".to_owned())].into(),
            error: true,
        }),
        RequestType::ReminderResponse(reminder_response("2", true)),
        RequestType::TimerResponse(reminder_response("3", false)),
        RequestType::DeactivateResponse(
            runtime::SubscribeActorEventsRequestDeactivateResponseAlpha1 { id: "4".to_owned() },
        ),
        RequestType::RequestFailed(runtime::SubscribeActorEventsRequestFailedAlpha1 {
            id: "5".to_owned(),
            code: 5,
            message: "no such method".to_owned(),
        }),
    ];
    for request_type in said {
        comes_back(&runtime::SubscribeActorEventsRequestAlpha1 {
            request_type: Some(request_type),
        });
    }
}

#[test]
fn what_an_app_hears_on_the_actor_stream_comes_back() {
    use runtime::subscribe_actor_events_response_alpha1::ResponseType;
    let data = Some(prost_types::Any {
        type_url: "type.googleapis.com/google.protobuf.BytesValue".to_owned(),
        value: b"\n\x02{}".to_vec(),
    });
    let (actor_type, actor_id) = ("cart".to_owned(), "7".to_owned());
    let heard = [
        ResponseType::InitialResponse(runtime::SubscribeActorEventsResponseInitialAlpha1 {}),
        ResponseType::InvokeRequest(runtime::SubscribeActorEventsResponseInvokeRequestAlpha1 {
            id: "1".to_owned(),
            actor_type: actor_type.clone(),
            actor_id: actor_id.clone(),
            method: "add".to_owned(),
            data: Bytes::from_static(&[0, 255]),
            metadata: [("dapr-reentrancy-id".to_owned(), "r".to_owned())].into(),
        }),
        ResponseType::ReminderRequest(runtime::SubscribeActorEventsResponseReminderRequestAlpha1 {
            id: "2".to_owned(),
            actor_type: actor_type.clone(),
            actor_id: actor_id.clone(),
            name: "expire".to_owned(),
            due_time: String::new(),
            period: String::new(),
            data: data.clone(),
        }),
        ResponseType::TimerRequest(runtime::SubscribeActorEventsResponseTimerRequestAlpha1 {
            id: "3".to_owned(),
            actor_type: actor_type.clone(),
            actor_id: actor_id.clone(),
            name: "tick".to_owned(),
            due_time: "1s".to_owned(),
            period: "R5/PT10S".to_owned(),
            callback: "tick".to_owned(),
            data,
        }),
        ResponseType::DeactivateRequest(
            runtime::SubscribeActorEventsResponseDeactivateRequestAlpha1 {
                id: "4".to_owned(),
                actor_type,
                actor_id,
            },
        ),
    ];
    for response_type in heard {
        comes_back(&runtime::SubscribeActorEventsResponseAlpha1 {
            response_type: Some(response_type),
        });
    }
}

/// The two have one type; only the number of the field tells them apart.
#[test]
fn a_timers_answer_is_not_a_reminders() {
    use runtime::subscribe_actor_events_request_alpha1::RequestType;
    let first_byte = |request_type| {
        runtime::SubscribeActorEventsRequestAlpha1 { request_type: Some(request_type) }
            .encode_to_vec()[0]
    };
    assert_eq!(first_byte(RequestType::ReminderResponse(reminder_response("1", false))), 0x1a);
    assert_eq!(first_byte(RequestType::TimerResponse(reminder_response("1", false))), 0x22);
}

#[test]
fn absent_and_empty_stay_apart() {
    let reminder = |overwrite| runtime::RegisterActorReminderRequest {
        overwrite,
        failure_policy: Some(common::JobFailurePolicy {
            policy: Some(common::job_failure_policy::Policy::Drop(common::JobFailurePolicyDrop {})),
        }),
        ..Default::default()
    };
    comes_back(&reminder(None));
    comes_back(&reminder(Some(false)));
    comes_back(&common::StateItem {
        key: "k".to_owned(),
        value: Bytes::from_static(b"v"),
        etag: Some(common::Etag { value: String::new() }),
        ..Default::default()
    });
    comes_back(&common::StateItem { etag: None, ..Default::default() });
}

#[test]
fn a_call_between_hosts_comes_back() {
    use host::{peer_reply::Answer, peer_request::Request};
    let epoch = Some(placement::Epoch { term: 3, n: 41 });
    let request = Request::Call(host::Call {
        call_id: 9,
        namespace: "default".to_owned(),
        actor_type: "cart".to_owned(),
        actor_id: "7".to_owned(),
        kind: host::CallKind::Method.into(),
        method: "add".to_owned(),
        body: Bytes::from_static(&[0, 1, 255]),
        headers: vec![host::Header { name: "a".to_owned(), value: Bytes::from_static(&[200]) }],
        deadline_ms: Some(0),
        call_chain: vec![u64::MAX, 0, 1],
        reentrancy_id: String::new(),
        epoch,
        idempotency_key: "k".to_owned(),
        one_way: true,
        timer: Some(host::TimerSpec { keep_alive: true, ..Default::default() }),
    });
    comes_back(&host::PeerRequest { protocol: 1, request: Some(request) });
    comes_back(&host::PeerReply {
        protocol: 0,
        answer: Some(Answer::Moved(host::Moved { call_id: 9, epoch })),
    });
}

/// A failure from a host that says less than it should must not be sent again.
#[test]
fn a_failure_that_says_nothing_may_have_run() {
    let failure = host::Failure::decode(&b""[..]).expect("empty is a message");
    assert_eq!(failure.execution(), host::Execution::Maybe);
    assert_eq!(failure.kind(), host::FailureKind::Internal);
    let unknown = host::Failure { kind: 99, execution: 99, ..Default::default() };
    assert_eq!(unknown.execution(), host::Execution::Maybe);
    assert_eq!(unknown.kind(), host::FailureKind::Internal);
}

#[test]
fn a_change_of_membership_comes_back() {
    use placement::{mark::Reached, prepare::News, to_host, to_placement};
    let member = |incarnation| placement::Member {
        incarnation,
        host: "a".to_owned(),
        address: "127.0.0.1:50002".to_owned(),
    };
    let epoch = |n| Some(placement::Epoch { term: 1, n });
    let pin = placement::Pin { actor: 9, incarnation: 5 };
    let step = placement::Step {
        epoch: epoch(2),
        previous: epoch(1),
        delta: Some(placement::Delta {
            joined: vec![member(u64::MAX)],
            left: vec![5],
            pins: vec![pin],
        }),
        hash: 77,
    };
    let marks = vec![
        placement::Mark { incarnation: 5, reached: Some(Reached::Gone(())) },
        placement::Mark { incarnation: 6, reached: epoch(2).map(Reached::Released) },
    ];
    let chain = placement::Chain {
        base: Some(placement::Table {
            epoch: epoch(1),
            members: vec![member(5)],
            hash: 1,
            pins: vec![pin],
        }),
        steps: vec![step.clone()],
    };
    for news in [News::Step(step), News::Chain(chain.clone())] {
        comes_back(&placement::ToHost {
            protocol: 0,
            message: Some(to_host::Message::Prepare(placement::Prepare {
                actor_type: "cart".to_owned(),
                news: Some(news),
                marks: marks.clone(),
            })),
        });
    }
    let report = placement::Report {
        host: Some(placement::Host {
            member: Some(member(6)),
            network: Some("boot/1".to_owned()),
            ..Default::default()
        }),
        standing: placement::Standing::Leaving.into(),
        term: 1,
        types: vec![placement::TypeReport {
            actor_type: "cart".to_owned(),
            chain: Some(chain),
            marks,
        }],
    };
    comes_back(&placement::ToPlacement {
        protocol: 1,
        message: Some(to_placement::Message::Report(report)),
    });
}

#[test]
fn services_answer_under_the_names_that_sdks_call() {
    assert_eq!(runtime::dapr_server::SERVICE_NAME, "dapr.proto.runtime.v1.Dapr");
    assert_eq!(runtime::app_callback_server::SERVICE_NAME, "dapr.proto.runtime.v1.AppCallback");
    assert_eq!(
        runtime::app_callback_health_check_server::SERVICE_NAME,
        "dapr.proto.runtime.v1.AppCallbackHealthCheck"
    );
    assert_eq!(
        runtime::app_callback_alpha_server::SERVICE_NAME,
        "dapr.proto.runtime.v1.AppCallbackAlpha"
    );
    assert_eq!(placement::placement_server::SERVICE_NAME, "odeon.placement.v1.Placement");
    assert_eq!(host::peer_server::SERVICE_NAME, "odeon.host.v1.Peer");
}

fn reminder_response(
    id: &str,
    cancel: bool,
) -> runtime::SubscribeActorEventsRequestReminderResponseAlpha1 {
    runtime::SubscribeActorEventsRequestReminderResponseAlpha1 { id: id.to_owned(), cancel }
}
