//! Timers on the wires: how they are set, and what an application is told when they fire, to
//! the byte. Rows of http-api.md 8.5, 8.7, 8.8; grpc-api.md 3.6 and 4.

use std::time::Duration;

use odeon_proto::dapr::runtime::v1::subscribe_actor_events_request_alpha1::RequestType;
use odeon_proto::dapr::runtime::v1::subscribe_actor_events_response_alpha1::ResponseType;
use odeon_proto::dapr::runtime::v1::{
    RegisterActorTimerRequest, SubscribeActorEventsRequestReminderResponseAlpha1,
    UnregisterActorTimerRequest,
};
use odeon_test_wire::{Rig, Told};
use tokio::time::sleep;
use tonic::Code;

use crate::app::start;
use crate::worker::Worker;

const TIMER: &str = "/v1.0/actors/W/a/timers/t";

async fn set(rig: &Rig, path: &str, body: &str) -> Told {
    rig.ask("POST", path).body(body.to_owned()).told().await
}

#[tokio::test(start_paused = true)]
async fn an_application_is_told_to_the_byte() {
    let (rig, mut app) = start().await;
    for (body, told) in [
        (r#"{"dueTime":"0s","period":"10s"}"#, r#"{"callback":"","dueTime":"0s","period":"10s"}"#),
        (
            r#"{"callback":"Tick","data":"eA==","dueTime":"0h0m1s0ms","period":""}"#,
            r#"{"data":"eA==","callback":"Tick","dueTime":"0h0m1s0ms","period":""}"#,
        ),
        (
            r#"{"data": { "a" : [1, true] },"period":"R5/PT10S","ttl":"1h"}"#,
            r#"{"data":{"a":[1,true]},"callback":"","dueTime":"","period":"R5/PT10S"}"#,
        ),
        (r#"{"data":null}"#, r#"{"data":null,"callback":"","dueTime":"","period":""}"#),
        (r#"{"data":false}"#, r#"{"data":false,"callback":"","dueTime":"","period":""}"#),
        (r#"{"data":7.50}"#, r#"{"data":7.50,"callback":"","dueTime":"","period":""}"#),
        (r#"{"data":[ ]}"#, r#"{"data":[],"callback":"","dueTime":"","period":""}"#),
    ] {
        let answer = set(&rig, TIMER, body).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (204, ""));
        let asked = app.asked().await;
        assert_eq!(asked.line, "PUT /actors/W/a/method/timer/t");
        assert_eq!(asked.header("content-type"), "application/json");
        assert_eq!(asked.header("odeon-activation").split('.').count(), 3);
        assert_eq!(asked.body, told);
        asked.answer(200, &[], "");
        assert_eq!(rig.ask("DELETE", TIMER).told().await.status, 204);
    }
    sleep(Duration::from_secs(60)).await;
    assert!(app.is_idle(), "what was deleted fires no more");
    // Bytes from gRPC are told as base64; and the other verb does the same.
    let timer = RegisterActorTimerRequest {
        actor_type: "W".into(),
        actor_id: "a".into(),
        name: "t".into(),
        due_time: "0h0m1s0ms0\u{3bc}s".into(),
        data: "x".into(),
        ..RegisterActorTimerRequest::default()
    };
    rig.client().register_actor_timer(timer).await.unwrap();
    let asked = app.asked().await;
    let told =
        "{\"data\":\"eA==\",\"callback\":\"\",\"dueTime\":\"0h0m1s0ms0\u{3bc}s\",\"period\":\"\"}";
    assert_eq!(asked.body, told);
    asked.answer(200, &[], "");
    assert_eq!(rig.ask("PUT", TIMER).body("{}").told().await.status, 204);
    app.asked().await.answer(200, &[], "");
}

#[tokio::test(start_paused = true)]
async fn what_an_application_answers_to_a_tick() {
    let (rig, mut app) = start().await;
    assert_eq!(set(&rig, TIMER, r#"{"dueTime":"1s","period":"1s"}"#).await.status, 204);
    // TIM-4: what fails is counted, and the schedule goes on.
    for status in [500, 404, 201] {
        app.asked().await.answer(status, &[], "no");
    }
    app.asked().await.answer(200, &[("X-DaprReminderCancel", "true")], "");
    sleep(Duration::from_secs(60)).await;
    assert!(app.is_idle(), "it was ended");
    // A name stays in its segment.
    let path = "/v1.0/actors/W/a%20b/timers/x%7C%20y";
    assert_eq!(set(&rig, path, "{}").await.status, 204);
    let asked = app.asked().await;
    assert_eq!(asked.line, "PUT /actors/W/a%20b/method/timer/x%7C%20y");
    asked.answer(200, &[], "");
}

#[tokio::test(start_paused = true)]
async fn bad_timers_are_refused_in_their_order() {
    let (rig, mut app) = start().await;
    let create = "ERR_ACTOR_TIMER_CREATE";
    for (path, body, status, code, words) in [
        ("/v1.0/actors/dapr.internal.x/a/timers/t", "", 403, "ERR_ACTOR_TYPE_RESERVED", "reserved"),
        ("/v1.0/actors/sys.state/a/timers/t", "", 403, "ERR_ACTOR_TYPE_RESERVED", "the runtime"),
        (TIMER, "{", 400, "ERR_MALFORMED_REQUEST", "EOF"),
        ("/v1.0/actors/W/a/timers/x%23", "[", 400, "ERR_MALFORMED_REQUEST", "expected an object"),
        ("/v1.0/actors/W/a/timers/x%23", "{}", 400, "ERR_BAD_REQUEST", "name"),
        (TIMER, r#"{"dueTime":"-1s"}"#, 400, create, "dueTime is '-1s'"),
        (TIMER, r#"{"period":"0s"}"#, 400, create, "period is '0s'"),
        (TIMER, r#"{"period":"R0/PT1S"}"#, 400, create, "period is 'R0/PT1S'"),
        (TIMER, r#"{"ttl":"2000-01-01T00:00:00Z"}"#, 400, create, "has already expired"),
        ("/v1.0/actors/Nobody/a/timers/t", "{}", 500, create, "actor type not registered"),
    ] {
        let told = set(&rig, path, body).await;
        let (found, found_code, text) = told.error();
        assert_eq!((found, found_code.as_str()), (status, code), "{path} {body}: {text}");
        assert!(text.contains(words), "{text}");
        assert_eq!(told.header("odeon-actor-execution"), "none", "{path} {body}");
    }
    sleep(Duration::from_secs(60)).await;
    assert!(app.is_idle());
    assert_eq!(rig.ask("DELETE", "/v1.0/actors/W/nobody/timers/t").told().await.status, 204);
}

#[tokio::test(start_paused = true)]
async fn a_worker_is_told_on_its_stream_and_answers_in_the_timer_s_field() {
    let rig = Rig::start().await;
    let mut worker = Worker::start(&rig, &["W"]).await;
    let timer = RegisterActorTimerRequest {
        actor_type: "W".into(),
        actor_id: "a".into(),
        name: "t".into(),
        due_time: "0h0m1s0ms".into(),
        period: "PT1S".into(),
        callback: "Tick".into(),
        data: "x".into(),
        ttl: String::new(),
    };
    rig.client().register_actor_timer(timer.clone()).await.unwrap();
    for cancel in [false, true] {
        let asked = match worker.next().await {
            ResponseType::TimerRequest(asked) => asked,
            other => panic!("not a timer: {other:?}"),
        };
        assert_eq!((&*asked.actor_type, &*asked.actor_id, &*asked.name), ("W", "a", "t"));
        assert_eq!((&*asked.due_time, &*asked.period), ("0h0m1s0ms", "PT1S"));
        assert_eq!(asked.callback, "Tick");
        let data = asked.data.unwrap();
        assert_eq!(data.type_url, "type.googleapis.com/google.protobuf.BytesValue");
        assert_eq!(data.value, b"\x0a\x06\"eA==\"");
        let id = asked.id;
        let answer = SubscribeActorEventsRequestReminderResponseAlpha1 { id, cancel };
        worker.say(RequestType::TimerResponse(answer)).await;
    }
    sleep(Duration::from_secs(60)).await;
    rig.client().register_actor_timer(timer.clone()).await.unwrap();
    let none = UnregisterActorTimerRequest {
        actor_type: "W".into(),
        actor_id: "a".into(),
        name: "t".into(),
    };
    for _ in 0..2 {
        rig.client().unregister_actor_timer(none.clone()).await.unwrap();
    }
    let early = tokio::time::timeout(Duration::from_secs(60), worker.next()).await;
    assert!(early.is_err(), "it was ended, and then deleted: {early:?}");
    for (timer, code) in [
        (RegisterActorTimerRequest { name: "a/b".into(), ..timer.clone() }, Code::InvalidArgument),
        (RegisterActorTimerRequest { ttl: "soon".into(), ..timer.clone() }, Code::InvalidArgument),
        (
            RegisterActorTimerRequest { actor_type: "sys.state".into(), ..timer.clone() },
            Code::PermissionDenied,
        ),
        (RegisterActorTimerRequest { actor_type: "Nobody".into(), ..timer }, Code::Internal),
    ] {
        assert_eq!(rig.client().register_actor_timer(timer).await.unwrap_err().code(), code);
    }
}
