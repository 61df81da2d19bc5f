//! Whatever is sent, the doors answer: no panic, no hang, no 5xx without a code.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use odeon_host::http::Inbound;
use odeon_proto::dapr::runtime::v1::*;
use odeon_test_wire::Rig;
use proptest::prelude::*;
use prost::Message;
use tokio::runtime::Runtime;

/// One engine for all cases: what one of them breaks, the next ones find.
static WORLD: LazyLock<(Runtime, Rig)> = LazyLock::new(|| {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let rig = runtime.block_on(Rig::start());
    (runtime, rig)
});

fn on_world<T>(ask: impl AsyncFnOnce(&Rig) -> T) -> T {
    let (runtime, rig) = &*WORLD;
    let asked = async { tokio::time::timeout(Duration::from_secs(30), ask(rig)).await };
    runtime.block_on(asked).expect("the door hangs")
}

/// Pieces that routes, cleaning and decoding care about, and anything else.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(vec![
            "v1.0", "v1.0-alpha1", "actors", "method", "state", "T", "a", "echo", "metadata",
            "healthz", "outbound", "odeon", "v1", "reminders", "invoke", "deactivate", "raise",
            "..", ".", "", "%2F", "%2e%2e", "%", "%zz", "%00", "+", "||", "%ff%fe", "\u{e4}",
            "dapr.internal.x", "sys.state",
        ]).prop_map(str::to_owned),
        1 => "[!-~]{0,20}",
        1 => "\\PC{0,8}",
    ]
}

fn path() -> impl Strategy<Value = String> {
    (prop::collection::vec(piece(), 0..9), prop::option::of("[!-~]{0,20}")).prop_map(
        |(pieces, query)| {
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            format!("/{}{query}", pieces.join("/"))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn any_path_verb_header_and_body_is_answered(
        verb in prop::sample::select(vec!["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "QUERY"]),
        path in path(),
        header in prop::option::of((
            prop::sample::select(vec![
                "odeon-actor-timeout", "odeon-actor-chain", "dapr-reentrancy-id", "traceparent",
                "tracestate", "connection", "dapr-app-id", "authorization", "content-type",
                "dapr-api-token", "origin",
            ]),
            prop::collection::vec(32_u8..=255, 0..40),
        )),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        // A graceful stop is asked for in its own test; here it would only be noted.
        let mut request = Request::builder().method(verb).uri(path);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        // What cannot be sent at all is refused before the door.
        let Ok(request) = request.body(Inbound::from(Bytes::from(body))) else { return Ok(()) };
        let answer = on_world(async |rig| rig.http.answer(request).await);
        let (head, body) = answer.into_parts();
        if head.status.is_server_error() || head.status.is_client_error() {
            prop_assert!(head.headers.contains_key("odeon-actor-execution"));
        }
        if head.status.is_server_error() {
            let body = on_world(async |_| body.collect().await).unwrap().to_bytes();
            let error: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let code = error["errorCode"].as_str().unwrap_or_default().to_owned();
            prop_assert!(code.starts_with("ERR"), "{error}");
        }
    }

    #[test]
    fn any_state_transaction_is_answered(
        body in prop_oneof![
            "\\PC{0,60}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..60),
            // Shapes near the right one.
            ("[a-z]{0,8}", "\\PC{0,8}", "\\PC{0,8}", "-?[0-9]{0,20}").prop_map(|(operation, key, value, ttl)| {
                serde_json::json!([{"operation": operation, "request": {"key": key, "value": value,
                    "metadata": {"ttlInSeconds": ttl}}}]).to_string().into_bytes()
            }),
        ],
    ) {
        let (status, code) = on_world(async |rig| {
            let told = rig.ask("POST", "/v1.0/actors/T/fuzzed/state").body(body).told().await;
            (told.status, told.error().1)
        });
        prop_assert!(status == 204 || !code.is_empty(), "{status}");
    }

    #[test]
    fn any_frame_is_answered_with_a_code(
        method in prop::sample::select(vec![
            "InvokeActor", "GetActorState", "ExecuteActorStateTransaction", "GetMetadata",
            "SetMetadata", "SubscribeActorEventsAlpha1", "GetState", "Nothing", "",
        ]),
        is_framed in any::<bool>(),
        body in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let mut frame = Vec::new();
        if is_framed {
            frame.push(0);
            frame.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        }
        frame.extend(body);
        let request = Request::post(format!("/dapr.proto.runtime.v1.Dapr/{method}"))
            .header("content-type", "application/grpc")
            .body(Full::new(Bytes::from(frame)))
            .unwrap();
        let code = on_world(async |rig| {
            let response = rig.grpc.answer(request).await;
            let at_once = response.headers().get("grpc-status").cloned();
            let body = response.into_body().collect().await.unwrap();
            at_once.or_else(|| body.trailers().and_then(|all| all.get("grpc-status").cloned()))
        });
        prop_assert!(code.is_some());
    }

    #[test]
    fn any_message_of_a_worker_leaves_the_host_well(
        message in prop::collection::vec(any::<u8>(), 0..80),
        entities in prop::collection::vec("\\PC{0,12}", 0..4),
        seconds in any::<i64>(),
        nanos in any::<i32>(),
    ) {
        // Only what decodes gets past the frame; all of that has to be survived.
        let mut messages = Vec::new();
        let initial = SubscribeActorEventsRequestInitialAlpha1 {
            entities: entities.into_iter().map(|name| format!("fuzz {name}")).collect(),
            actor_idle_timeout: Some(prost_types::Duration { seconds, nanos }),
            ..SubscribeActorEventsRequestInitialAlpha1::default()
        };
        messages.push(SubscribeActorEventsRequestAlpha1 {
            request_type: Some(subscribe_actor_events_request_alpha1::RequestType::InitialRequest(initial)),
        });
        messages.extend(SubscribeActorEventsRequestAlpha1::decode(&*message));
        let is_well = on_world(async |rig| {
            let sent = futures::stream::iter(messages);
            let mut told =
                rig.client().subscribe_actor_events_alpha1(sent).await.unwrap().into_inner();
            while let Ok(Some(_)) = told.message().await {}
            rig.ask("POST", "/v1.0/actors/T/well/method/echo").told().await.status == 200
        });
        prop_assert!(is_well);
    }
}
