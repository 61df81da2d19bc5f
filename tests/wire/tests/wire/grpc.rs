//! The gRPC door: calls, metadata, tokens, sizes, reflection, RPCs to come
//! (grpc-api.md 1, 3.6, 3.10).

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::{Request as HttpRequest, StatusCode};
use http_body_util::{BodyExt, Full};
use odeon_host::api::Shutdown;
use odeon_proto::dapr::runtime::v1::*;
use odeon_test_wire::{InProcess, Rig};
use serde_json::Value;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1alpha::server_reflection_client::ServerReflectionClient as AlphaClient;

use crate::outbox::TRACE;

fn invoke(method: &str, data: impl Into<Bytes>) -> InvokeActorRequest {
    InvokeActorRequest {
        actor_type: "T".into(),
        actor_id: "a".into(),
        method: method.into(),
        data: data.into(),
        ..InvokeActorRequest::default()
    }
}

fn with(mut request: InvokeActorRequest, metadata: &[(&str, &str)]) -> InvokeActorRequest {
    request.metadata = metadata.iter().map(|&(k, v)| (k.into(), v.into())).collect();
    request
}

#[tokio::test(start_paused = true)]
async fn a_call_passes_its_metadata_as_headers() {
    let rig = Rig::start().await;
    let mut client = rig.client();
    let reply = client.invoke_actor(invoke("echo", "\0x")).await.unwrap().into_inner();
    assert_eq!(reply.data, "\0x");
    let reply = client.invoke_actor(invoke("app-error", "why")).await.unwrap().into_inner();
    assert_eq!(reply.data, "why", "an actor's own error is an ordinary answer");
    let metadata = [
        ("content-type", "a/b"),
        ("X-Mine", "1"),
        ("Dapr-Reentrancy-Id", "r"),
        ("odeon-actor-chain", "00000000000000aa"),
        ("Odeon-Actor-Timeout", "500"),
        ("Dapr-API-Call", "forged"),
    ];
    let mut request = Request::new(with(invoke("//seen/", ""), &metadata));
    request.metadata_mut().insert(
        "traceparent",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap(),
    );
    let reply = client.invoke_actor(request).await.unwrap().into_inner();
    let seen: Value = serde_json::from_slice(&reply.data).unwrap();
    assert_eq!(
        seen["headers"],
        serde_json::json!({"content-type": "a/b", "X-Mine": "1", "Dapr-API-Call": "true",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
    );
    assert_eq!((&seen["hops"], &seen["reentrancy"]), (&Value::from(2), &Value::from("r")));
    assert_eq!(seen["has_deadline"], true);
}

#[tokio::test(start_paused = true)]
async fn bad_names_and_limits_are_invalid_arguments() {
    let rig = Rig::start().await;
    let named = |actor_type: &str, id: &str, method: &str| InvokeActorRequest {
        actor_type: actor_type.into(),
        actor_id: id.into(),
        method: method.into(),
        ..InvokeActorRequest::default()
    };
    let long = "x".repeat(2_049);
    for request in [
        named("", "a", "m"),
        named("T", "", "m"),
        named("T", "a", ""),
        named("a/b", "a", "m"),
        named("T", "..", "m"),
        named("T", "a\\b", "m"),
        named("T", "a\u{7f}", "m"),
        named(&long[..257], "a", "m"),
        named("T", &long, "m"),
        named("T", "a", &long),
        named("T", "a", "a?b"),
        named("T", "a", "../.."),
        with(named("T", "a", "echo"), &[("odeon-actor-timeout", "soon")]),
        with(named("T", "a", "echo"), &[("baggage", "broken")]),
    ] {
        let status = rig.client().invoke_actor(request.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{request:?}");
        assert!(status.message().starts_with("invalid "), "{}", status.message());
    }
    let status = rig.client().invoke_actor(named("Nobody", "1", "m")).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(status.message(), "did not find address for actor 'Nobody||1'");
}

// RT-4: in the request's own metadata, or in the call's.
#[tokio::test(start_paused = true)]
async fn a_call_with_an_idempotency_key_is_answered_again_as_it_was() {
    let rig = Rig::start().await;
    let key = [("odeon-idempotency-key", "k")];
    let first = rig.client().invoke_actor(with(invoke("echo", "first"), &key)).await.unwrap();
    assert!(first.metadata().get("odeon-idempotent-replay").is_none());
    let mut again = Request::new(invoke("echo", "second"));
    again.metadata_mut().insert(key[0].0, key[0].1.parse().unwrap());
    let again = rig.client().invoke_actor(again).await.unwrap();
    assert_eq!(again.metadata().get("odeon-idempotent-replay").unwrap(), "true");
    assert_eq!(again.into_inner().data, "first");
    let wrong = with(invoke("echo", "x"), &[(key[0].0, "a b")]);
    let status = rig.client().invoke_actor(wrong).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains(key[0].0), "{}", status.message());
}

// What is no text is not taken for absent.
#[tokio::test(start_paused = true)]
async fn what_is_not_ascii_is_refused() {
    let rig = Rig::start().await;
    let value = || MetadataValue::try_from(&b"k\xff"[..]).unwrap();
    for name in ["odeon-idempotency-key", "odeon-actor-oneway"] {
        let mut request = Request::new(invoke("echo", "x"));
        request.metadata_mut().insert(name, value());
        let status = rig.client().invoke_actor(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{name}: {status}");
    }
    let key =
        GetActorStateRequest { actor_type: "T".into(), actor_id: "a".into(), key: "k".into() };
    let mut request = Request::new(key);
    request.metadata_mut().insert("odeon-activation", value());
    let status = rig.client().get_actor_state(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("odeon-activation is \"k"), "{}", status.message());
}

// OW-1.
#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_waits_for_is_answered_with_nothing() {
    let rig = Rig::start().await;
    let request = with(invoke("echo", "x"), &[("odeon-actor-oneway", "true")]);
    let answer = rig.client().invoke_actor(request).await.unwrap().into_inner();
    assert_eq!(answer.data, "");
    let wrong = with(invoke("echo", "x"), &[("odeon-actor-oneway", "1")]);
    let status = rig.client().invoke_actor(wrong).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

// OW-1.
#[tokio::test(start_paused = true)]
async fn a_call_may_be_stored_before_it_is_answered() {
    let (rig, mut app) = crate::outbox::start().await;
    let mut request = invoke("take", "x");
    request.actor_type = "W".to_owned();
    let said = [("own", "1"), ("odeon-actor-oneway", "durable"), ("traceparent", TRACE)];
    let request = with(request, &said);
    let answer = rig.client().invoke_actor(request).await.unwrap().into_inner();
    assert_eq!(answer.data, "");
    let asked = app.asked().await;
    assert_eq!((&*asked.line, &*asked.body), ("PUT /actors/W/a/method/take", &b"x"[..]));
    assert_eq!((asked.header("own"), asked.header("traceparent")), ("1", TRACE));
    asked.answer(200, &[], "");
    let bare = Rig::without_store().await;
    let request = with(invoke("echo", "x"), &[("odeon-actor-oneway", "durable")]);
    let status = bare.client().invoke_actor(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("no store for actors' state"), "{}", status.message());
}

#[tokio::test(start_paused = true)]
async fn the_calls_own_time_limit_counts() {
    let rig = Rig::start().await;
    let mut request = Request::new(invoke("slow", "10000"));
    request.set_timeout(Duration::from_millis(100));
    let status = rig.client().invoke_actor(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(status.metadata().get("odeon-actor-execution").unwrap(), "maybe");
}

#[tokio::test(start_paused = true)]
async fn metadata_and_shutdown() {
    let rig = Rig::start().await;
    let mut client = rig.client();
    client.invoke_actor(invoke("echo", "")).await.unwrap();
    let set = |key: &str, value: &str| SetMetadataRequest { key: key.into(), value: value.into() };
    client.set_metadata(set("k", "v")).await.unwrap();
    client.set_metadata(set("", "nothing")).await.unwrap();
    let told = client.get_metadata(GetMetadataRequest {}).await.unwrap().into_inner();
    assert_eq!(told.id, "app");
    assert_eq!(told.extended_metadata.len(), 2);
    assert_eq!(told.extended_metadata["k"], "v");
    let runtime = told.actor_runtime.unwrap();
    assert_eq!(runtime.runtime_status(), actor_runtime::ActorRuntimeStatus::Running);
    assert_eq!(runtime.active_actors, [ActiveActorsCount { r#type: "T".into(), count: 1 }]);
    assert_eq!((runtime.host_ready, runtime.placement.as_str()), (true, "placement: connected"));
    client.shutdown(ShutdownRequest {}).await.unwrap();
    assert_eq!(rig.shutdown.requested().await, Shutdown::Graceful);
    let mut force = Request::new(ShutdownRequest {});
    force.metadata_mut().insert("dapr-force-shutdown", "true".parse().unwrap());
    client.shutdown(force).await.unwrap();
    assert_eq!(rig.shutdown.requested().await, Shutdown::Force);
}

#[tokio::test(start_paused = true)]
async fn the_token_stands_before_every_call() {
    let rig = Rig::with(|parts| parts.tokens.api = Some("s3cret".into())).await;
    let ask = |token: Option<&str>| {
        let mut request = Request::new(GetMetadataRequest {});
        if let Some(token) = token {
            request.metadata_mut().insert("dapr-api-token", token.parse().unwrap());
        }
        request
    };
    assert!(rig.client().get_metadata(ask(Some("s3cret"))).await.is_ok());
    for (token, text) in [
        (None, "missing api token in request metadata"),
        (Some("wrong"), "authentication error: api token mismatch"),
    ] {
        let status = rig.client().get_metadata(ask(token)).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Unauthenticated, text));
        let details = String::from_utf8_lossy(status.details()).into_owned();
        assert!(details.contains("google.rpc.ErrorInfo"), "{details}");
        assert!(details.contains("http.code") && details.contains("401"), "{details}");
    }
    let mut twice = ask(Some("s3cret"));
    twice.metadata_mut().append("dapr-api-token", "s3cret".parse().unwrap());
    assert!(rig.client().get_metadata(twice).await.is_err(), "exactly one value");
    let outside = futures::stream::empty::<SubscribeActorEventsRequestAlpha1>();
    let status = rig.client().subscribe_actor_events_alpha1(outside).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "streams too");
}

#[tokio::test(start_paused = true)]
async fn sizes_are_refused_in_the_words_of_grpc_go() {
    let rig = Rig::with(|parts| parts.limits.body_bytes = Some(1_000)).await;
    let status = rig.client().invoke_actor(invoke("echo", vec![0; 2_000])).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let text = "grpc: received message larger than max (2015 vs. 1000)";
    assert_eq!(status.message(), text);
    let status = rig.client().invoke_actor(invoke("large", "2000")).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.message(), "grpc: trying to send message larger than max (2000 vs. 1000)");
}

#[tokio::test(start_paused = true)]
async fn bad_baggage_is_an_invalid_argument() {
    let rig = Rig::start().await;
    let mut request = Request::new(GetMetadataRequest {});
    request.metadata_mut().insert("baggage", "broken".parse().unwrap());
    let status = rig.client().get_metadata(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().starts_with("invalid baggage header:"));
}

#[tokio::test(start_paused = true)]
async fn rpcs_to_come_say_what_is_missing() {
    let rig = Rig::start().await;
    let mut client = rig.client();
    let says = |status: tonic::Status, what: &str| {
        assert_eq!(status.code(), Code::Unimplemented);
        assert_eq!(status.message(), format!("this API is currently not implemented: {what}"));
    };
    says(
        client.publish_event(PublishEventRequest::default()).await.unwrap_err(),
        "the pub/sub building block",
    );
    says(client.get_job(GetJobRequest::default()).await.unwrap_err(), "the jobs building block");
    let streams = futures::stream::empty::<EncryptRequest>();
    let status = client.encrypt_alpha1(streams).await.unwrap_err();
    says(status, "the cryptography building block");
    let request = SubscribeConfigurationRequest::default();
    let status = client.subscribe_configuration(request).await.unwrap_err();
    says(status, "the configuration building block");
}

#[tokio::test(start_paused = true)]
async fn reflection_describes_daprs_service_in_both_versions() {
    let rig = Rig::start().await;
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(InProcess(rig.grpc.clone()));
    let asked = futures::stream::iter([request]);
    let mut told = client.server_reflection_info(asked).await.unwrap().into_inner();
    let Some(MessageResponse::ListServicesResponse(listed)) =
        told.next().await.unwrap().unwrap().message_response
    else {
        panic!("no list");
    };
    let names: Vec<_> = listed.service.iter().map(|service| service.name.as_str()).collect();
    assert!(names.contains(&"dapr.proto.runtime.v1.Dapr"), "{names:?}");
    let mut client = AlphaClient::new(InProcess(rig.grpc.clone()));
    let told = client.server_reflection_info(futures::stream::empty()).await;
    assert!(told.is_ok());
}

/// Sends what no client library would.
async fn raw(rig: &Rig, request: HttpRequest<Full<Bytes>>) -> (StatusCode, String, String) {
    let response = rig.grpc.answer(request).await;
    let status = response.status();
    let header = |name: &str| {
        let value = response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        value.unwrap_or_default()
    };
    let (code, text) = (header("grpc-status"), header("grpc-message"));
    if !code.is_empty() {
        return (status, code, text);
    }
    let body = response.into_body().collect().await.unwrap();
    let trailer = |name: &str| {
        let value = body.trailers().and_then(|trailers| trailers.get(name));
        value.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    (status, trailer("grpc-status"), trailer("grpc-message"))
}

fn post(path: &str, kind: &str, body: &'static [u8]) -> HttpRequest<Full<Bytes>> {
    let request = HttpRequest::builder().method("POST").uri(path).header("content-type", kind);
    request.body(Full::new(Bytes::from_static(body))).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_not_grpc_or_not_known_is_refused() {
    let rig = Rig::start().await;
    let path = "/dapr.proto.runtime.v1.Dapr/GetMetadata";
    for kind in ["application/json", "text/plain", ""] {
        assert_eq!(raw(&rig, post(path, kind, b"")).await.0, 415, "{kind:?}");
    }
    let mut get = post(path, "application/grpc", b"");
    *get.method_mut() = http::Method::GET;
    assert_eq!(raw(&rig, get).await.0, 415);
    for path in ["/dapr.proto.runtime.v1.Dapr/Nothing", "/some.Other/Method", "/", "/x"] {
        let (status, code, _) = raw(&rig, post(path, "application/grpc", b"")).await;
        assert_eq!((status.as_u16(), code.as_str()), (200, "12"), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn broken_frames_are_answered_with_a_code() {
    let rig = Rig::start().await;
    let path = "/dapr.proto.runtime.v1.Dapr/InvokeActor";
    for body in [
        &b""[..],
        b"\0",
        b"\0\0\0\0",
        b"\0\0\0\0\x05ab",
        b"\x01\0\0\0\0",
        b"\x02\0\0\0\0",
        b"\0\xff\xff\xff\xff",
        b"\0\0\0\0\x02\xff\xff",
        b"\0\0\0\0\x03\x0a\x01\xff",
    ] {
        let (status, code, text) = raw(&rig, post(path, "application/grpc", body)).await;
        assert_eq!(status, 200);
        assert!(!code.is_empty() && code != "0", "{body:?}: {code} {text}");
    }
}
