//! Reminders on the wires: how they are registered, shown and deleted, and what an application
//! is told when they fire, to the byte. Rows of http-api.md 8.5, 8.6, 8.8; grpc-api.md 3.6, 4.

use std::time::Duration;

use odeon_host::channel::http::Config;
use odeon_proto::dapr::common::v1::job_failure_policy::Policy;
use odeon_proto::dapr::common::v1::{
    JobFailurePolicy, JobFailurePolicyConstant, JobFailurePolicyDrop,
};
use odeon_proto::dapr::runtime::v1::subscribe_actor_events_request_alpha1::RequestType;
use odeon_proto::dapr::runtime::v1::subscribe_actor_events_response_alpha1::ResponseType;
use odeon_proto::dapr::runtime::v1::{
    GetActorReminderRequest, ListActorRemindersRequest, RegisterActorReminderRequest,
    SubscribeActorEventsRequestReminderResponseAlpha1, UnregisterActorReminderRequest,
    UnregisterActorRemindersByTypeRequest,
};
use odeon_test_wire::app::Played;
use odeon_test_wire::{Rig, Told};
use tokio::time::sleep;
use tonic::Code;

use crate::worker::Worker;

const REMINDER: &str = "/v1.0/actors/W/a/reminders/r";

async fn start() -> (Rig, Played) {
    let rig = Rig::with_reminders().await;
    let mut app = Played::beside(&rig, Config::new(6000), |_| {});
    app.says(r#"{"entities":["W"]}"#).await;
    rig.health.ready().await;
    (rig, app)
}

async fn register(rig: &Rig, path: &str, body: &str) -> Told {
    rig.ask("POST", path).body(body.to_owned()).told().await
}

#[tokio::test(start_paused = true)]
async fn an_application_is_told_to_the_byte() {
    let (rig, mut app) = start().await;
    for (body, told) in [
        (r#"{"dueTime":"0s"}"#, r#"{"dueTime":"","period":""}"#),
        (r#"{"dueTime":"0h0m1s0ms","data":"eA=="}"#, r#"{"data":"eA==","dueTime":"","period":""}"#),
        (
            r#"{"data": { "a" : [1, true] },"dueTime":"PT1S","period":"R5/PT10S","ttl":"1h"}"#,
            r#"{"data":{"a":[1,true]},"dueTime":"","period":""}"#,
        ),
        (r#"{"data":null,"dueTime":"0s"}"#, r#"{"data":null,"dueTime":"","period":""}"#),
        (r#"{"data":false,"dueTime":"0s"}"#, r#"{"data":false,"dueTime":"","period":""}"#),
        (r#"{"data":7.50,"period":"1s"}"#, r#"{"data":7.50,"dueTime":"","period":""}"#),
        (r#"{"data":[ ],"period":"@every 1s"}"#, r#"{"data":[],"dueTime":"","period":""}"#),
    ] {
        let answer = register(&rig, REMINDER, body).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (204, ""), "{body}");
        let asked = app.asked().await;
        assert_eq!(asked.line, "PUT /actors/W/a/method/remind/r");
        assert_eq!(asked.header("content-type"), "application/json");
        assert_eq!(asked.header("odeon-reminder-tick"), "1");
        assert_eq!(asked.header("odeon-reminder-attempt"), "1");
        assert_eq!(asked.header("odeon-reminder-missed"), "0");
        assert!(asked.header("odeon-reminder-scheduled").ends_with('Z'));
        assert_eq!(asked.body, told);
        asked.answer(200, &[], "");
        assert_eq!(rig.ask("DELETE", REMINDER).told().await.status, 204);
    }
    sleep(Duration::from_secs(60)).await;
    assert!(app.is_idle(), "what was deleted fires no more");
}

#[tokio::test(start_paused = true)]
async fn what_an_application_answers_to_a_reminder() {
    let (rig, mut app) = start().await;
    assert_eq!(register(&rig, REMINDER, r#"{"period":"10s"}"#).await.status, 204);
    // REM-6: one try and three more, and then the next tick.
    for (tick, attempt, status) in
        [("1", "1", 500), ("1", "2", 404), ("1", "3", 201), ("1", "4", 500), ("2", "1", 200)]
    {
        let asked = app.asked().await;
        assert_eq!(asked.header("odeon-reminder-tick"), tick);
        assert_eq!(asked.header("odeon-reminder-attempt"), attempt);
        asked.answer(status, &[], "no");
    }
    // REM-8.
    app.asked().await.answer(200, &[("X-DaprReminderCancel", "true")], "");
    sleep(Duration::from_secs(60)).await;
    assert!(app.is_idle(), "it was ended");
    assert_eq!(rig.ask("GET", REMINDER).told().await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_reminder_is_shown_as_it_was_registered() {
    let (rig, _app) = start().await;
    for (body, shown) in [
        (
            r#"{"dueTime":"1m","period":"PT1S","data":{"a": 1}}"#,
            r#"{"actorID":"a","actorType":"W","data":{"a":1},"dueTime":"1m","period":"@every 1s"}"#,
        ),
        (r#"{"dueTime":"1h"}"#, r#"{"actorID":"a","actorType":"W","dueTime":"1h"}"#),
        (
            r#"{"period":"R4/PT1M30S","ttl":"2030-01-31T12:00:00+02:00"}"#,
            r#"{"actorID":"a","actorType":"W","period":"@every 1m30s","ttl":"2030-01-31T10:00:00Z"}"#,
        ),
    ] {
        assert_eq!(register(&rig, REMINDER, body).await.status, 204);
        let told = rig.ask("GET", REMINDER).told().await;
        assert_eq!((told.status.as_u16(), told.text()), (200, shown));
    }
    let put = rig.ask("PUT", REMINDER).body(r#"{"dueTime":"2h"}"#).told().await;
    assert_eq!(put.status, 204);
    let told = rig.ask("GET", REMINDER).told().await;
    assert_eq!(told.json()["dueTime"], "2h");
}

#[tokio::test(start_paused = true)]
async fn a_reminder_waits_for_its_turn_and_counts_as_use() {
    let rig = Rig::with_reminders().await;
    let mut app = Played::beside(&rig, Config::new(6000), |_| {});
    app.says(r#"{"entities":["W"],"actorIdleTimeout":"15s"}"#).await;
    rig.health.ready().await;
    assert_eq!(register(&rig, REMINDER, r#"{"period":"10s"}"#).await.status, 204);
    let call = rig.ask("PUT", "/v1.0/actors/W/a/method/m").told();
    let (told, ()) = tokio::join!(call, async {
        let turn = app.asked().await;
        assert_eq!(turn.line, "PUT /actors/W/a/method/m");
        sleep(Duration::from_secs(12)).await;
        assert!(app.is_idle(), "the reminder is due, and the turn runs");
        turn.answer(200, &[], "");
    });
    assert_eq!(told.status, 200);
    for _ in 0..6 {
        let asked = app.asked().await;
        assert_eq!(asked.line, "PUT /actors/W/a/method/remind/r");
        asked.answer(200, &[], "");
    }
    assert_eq!(rig.ask("DELETE", REMINDER).told().await.status, 204);
    assert_eq!(app.asked().await.line, "DELETE /actors/W/a");
}

#[tokio::test(start_paused = true)]
async fn what_a_reminder_carries_from_grpc_is_told_as_base64_and_its_policy_is_kept() {
    let (rig, mut app) = start().await;
    let policy = JobFailurePolicy { policy: Some(Policy::Drop(JobFailurePolicyDrop {})) };
    let dropped = RegisterActorReminderRequest {
        failure_policy: Some(policy),
        period: String::new(),
        ..reminder("a", "r")
    };
    rig.client().register_actor_reminder(dropped).await.unwrap();
    let asked = app.asked().await;
    assert_eq!(asked.body, r#"{"data":"eA==","dueTime":"","period":""}"#);
    asked.answer(500, &[], "no");
    sleep(Duration::from_secs(60)).await;
    assert!(app.is_idle(), "a failed one is dropped, as was asked for");
    // Without a policy it is tried again when the application breaks the connection.
    rig.client().register_actor_reminder(reminder("b", "r")).await.unwrap();
    let broken = app.asked().await;
    app.port.die().await;
    drop(broken);
    app.port.live();
    let again = loop {
        let asked = app.asked().await;
        match &*asked.line {
            "GET /dapr/config" => asked.answer(200, &[], r#"{"entities":["W"]}"#),
            _ => break asked,
        }
    };
    assert_eq!(again.line, "PUT /actors/W/b/method/remind/r");
    assert_eq!(
        (again.header("odeon-reminder-tick"), again.header("odeon-reminder-attempt")),
        ("1", "2")
    );
}

// REM-14.
#[tokio::test(start_paused = true)]
async fn those_of_a_type_are_listed_in_pages() {
    let (rig, mut app) = start().await;
    for (id, name) in [("a", "r"), ("a", "s"), ("ab", "r"), ("b", "r")] {
        let path = format!("/v1.0/actors/W/{id}/reminders/{name}");
        assert_eq!(register(&rig, &path, r#"{"period":"PT10S"}"#).await.status, 204);
    }
    let list =
        async |query: &str| rig.ask("GET", &format!("/odeon/v1/reminders/W?{query}")).told().await;
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = list(&format!("limit=3&after={after}")).await.json();
        for one in page["reminders"].as_array().unwrap() {
            seen.push(format!("{}/{}", one["id"].as_str().unwrap(), one["name"].as_str().unwrap()));
        }
        let Some(next) = page["next"].as_str() else { break };
        after = next.replace('/', "%2F");
    }
    seen.sort();
    assert_eq!(seen, ["a/r", "a/s", "ab/r", "b/r"]);
    for _ in 0..4 {
        app.asked().await.answer(200, &[], "");
    }
    sleep(Duration::from_secs(1)).await;
    let of_one = list("id=ab").await.json();
    let [one] = &of_one["reminders"].as_array().unwrap()[..] else { panic!("{of_one}") };
    assert_eq!((&one["id"], &one["period"]), (&"ab".into(), &"PT10S".into()));
    assert_eq!((&one["tick"], &one["delivered"], &one["lost"]), (&2.into(), &1.into(), &0.into()));
    assert!(one["next"].as_str().unwrap().ends_with('Z'));
    assert_eq!(list("id=none").await.text(), r#"{"reminders":[]}"#);
    for (query, named) in
        [("limit=x", "limit"), ("after=x", "after is 'x'"), ("id=a%2Fb", "actorId")]
    {
        let (status, code, text) = list(query).await.error();
        assert_eq!((status, code.as_str()), (400, "ERR_BAD_REQUEST"), "{query}: {text}");
        assert!(text.contains(named), "{text}");
    }
    let told = rig.ask("GET", "/odeon/v1/reminders/a%2Fb").told().await;
    assert_eq!(told.error().0, 400, "{}", told.text());
    // Nothing on a page would be paging for ever.
    let page = list("limit=0").await.json();
    assert_eq!(page["reminders"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn bad_reminders_are_refused_in_their_order() {
    let (rig, _app) = start().await;
    let create = "ERR_ACTOR_REMINDER_CREATE";
    let foreign = "ERR_ACTOR_REMINDER_NON_HOSTED";
    let only_hosted = "operations on actor reminders are only possible on hosted actor types";
    for (path, body, status, code, words) in [
        (
            "/v1.0/actors/dapr.internal.x/a/reminders/r",
            "",
            403,
            "ERR_ACTOR_TYPE_RESERVED",
            "reserved",
        ),
        ("/v1.0/actors/sys.state/a/reminders/r", "", 403, "ERR_ACTOR_TYPE_RESERVED", "the runtime"),
        ("/v1.0/actors/W/a/reminders/x%23", "{}", 400, "ERR_BAD_REQUEST", "name"),
        (REMINDER, "{", 400, "ERR_MALFORMED_REQUEST", "EOF"),
        ("/v1.0/actors/W/a/reminders/x%23", "{", 400, "ERR_MALFORMED_REQUEST", "EOF"),
        ("/v1.0/actors/Nobody/a/reminders/x%23", "{}", 400, "ERR_BAD_REQUEST", "name"),
        ("/v1.0/actors/Nobody/a/reminders/r", r#"{"dueTime":"1s"}"#, 403, foreign, only_hosted),
        (REMINDER, "{}", 500, create, "job must have either a due time or a schedule"),
        (REMINDER, r#"{"dueTime":"-1s"}"#, 500, create, "dueTime is '-1s'"),
        (REMINDER, r#"{"period":"0s"}"#, 500, create, "period is '0s'"),
        (REMINDER, r#"{"period":"1s","ttl":"x"}"#, 500, create, "ttl is 'x'"),
    ] {
        let told = register(&rig, path, body).await;
        let (found, found_code, text) = told.error();
        assert_eq!((found, found_code.as_str()), (status, code), "{path} {body}: {text}");
        assert!(text.contains(words), "{text}");
        assert_eq!(told.header("odeon-actor-execution"), "none", "{path} {body}");
    }
    for verb in ["GET", "DELETE"] {
        let told = rig.ask(verb, "/v1.0/actors/Nobody/a/reminders/r").told().await;
        assert_eq!(told.error(), (403, foreign.to_owned(), only_hosted.to_owned()));
    }
    let told = rig.ask("GET", REMINDER).told().await;
    let absent = (404, "ERR_ACTOR_REMINDER_NOT_FOUND".into(), "actor reminder not found: r".into());
    assert_eq!(told.error(), absent);
    assert_eq!(rig.ask("DELETE", REMINDER).told().await.status, 204);
    assert_eq!(register(&rig, REMINDER, r#"{"dueTime":"1h"}"#).await.status, 204);
    let told = register(&rig, REMINDER, r#"{"dueTime":"1h","overwrite":false}"#).await;
    let exists = (
        409,
        "ERR_ACTOR_REMINDER_ALREADY_EXISTS".into(),
        "actor reminder already exists: r".into(),
    );
    assert_eq!(told.error(), exists);
}

#[tokio::test(start_paused = true)]
async fn without_a_store_there_are_no_reminders() {
    let rig = Rig::start().await;
    let told = register(&rig, "/v1.0/actors/T/a/reminders/r", r#"{"dueTime":"1s"}"#).await;
    let (status, code, text) = told.error();
    assert_eq!((status, &*code), (500, "ERR_ACTOR_RUNTIME_NOT_FOUND"));
    assert!(text.starts_with("the state store is not configured to use the actor runtime"));
}

fn reminder(id: &str, name: &str) -> RegisterActorReminderRequest {
    RegisterActorReminderRequest {
        actor_type: "W".into(),
        actor_id: id.into(),
        name: name.into(),
        due_time: "1s".into(),
        period: "PT1S".into(),
        data: "x".into(),
        ..RegisterActorReminderRequest::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_is_told_on_its_stream_and_answers_in_the_reminder_s_field() {
    let rig = Rig::with_reminders().await;
    let mut worker = Worker::start(&rig, &["W"]).await;
    rig.client().register_actor_reminder(reminder("a", "r")).await.unwrap();
    for cancel in [false, true] {
        let asked = match worker.next().await {
            ResponseType::ReminderRequest(asked) => asked,
            other => panic!("not a reminder: {other:?}"),
        };
        assert_eq!((&*asked.actor_type, &*asked.actor_id, &*asked.name), ("W", "a", "r"));
        assert_eq!((&*asked.due_time, &*asked.period), ("", ""));
        let data = asked.data.unwrap();
        assert_eq!(data.type_url, "type.googleapis.com/google.protobuf.BytesValue");
        assert_eq!(data.value, b"\x0a\x06\"eA==\"");
        let id = asked.id;
        let answer = SubscribeActorEventsRequestReminderResponseAlpha1 { id, cancel };
        worker.say(RequestType::ReminderResponse(answer)).await;
    }
    sleep(Duration::from_secs(10)).await;
    let gone =
        GetActorReminderRequest { actor_type: "W".into(), actor_id: "a".into(), name: "r".into() };
    let status = rig.client().get_actor_reminder(gone).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "actor reminder not found: r"));
}

#[tokio::test(start_paused = true)]
async fn the_five_rpcs() {
    let rig = Rig::with_reminders().await;
    let _worker = Worker::start(&rig, &["W"]).await;
    let later = |id: &str, name: &str| RegisterActorReminderRequest {
        due_time: "1h".into(),
        ..reminder(id, name)
    };
    for id in ["a", "ab"] {
        rig.client().register_actor_reminder(later(id, "r")).await.unwrap();
    }
    let policy = JobFailurePolicyConstant { interval: None, max_retries: Some(1) };
    let with_policy = RegisterActorReminderRequest {
        failure_policy: Some(JobFailurePolicy { policy: Some(Policy::Constant(policy)) }),
        ..later("a", "s")
    };
    rig.client().register_actor_reminder(with_policy).await.unwrap();
    // Unless it is told not to, one takes the place of another.
    rig.client().register_actor_reminder(later("a", "r")).await.unwrap();
    let again = RegisterActorReminderRequest { overwrite: Some(false), ..later("a", "r") };
    let status = rig.client().register_actor_reminder(again).await.unwrap_err();
    let exists = (Code::AlreadyExists, "actor reminder already exists: r");
    assert_eq!((status.code(), status.message()), exists);
    let get =
        GetActorReminderRequest { actor_type: "W".into(), actor_id: "a".into(), name: "r".into() };
    let found = rig.client().get_actor_reminder(get).await.unwrap().into_inner();
    assert_eq!((&*found.actor_type, &*found.actor_id), ("W", "a"));
    assert_eq!(
        (found.due_time.as_deref(), found.period.as_deref()),
        (Some("1h"), Some("@every 1s"))
    );
    assert_eq!(found.data.unwrap().value, b"\x0a\x06\"eA==\"");
    let listed = async |actor_id: Option<&str>| {
        let of = ListActorRemindersRequest {
            actor_type: "W".into(),
            actor_id: actor_id.map(str::to_owned),
        };
        let listed = rig.client().list_actor_reminders(of).await.unwrap().into_inner();
        let names = listed.reminders.into_iter();
        let mut names: Vec<_> =
            names.map(|one| format!("{}/{}", one.reminder.unwrap().actor_id, one.name)).collect();
        names.sort();
        names
    };
    assert_eq!(listed(None).await, ["a/r", "a/s", "ab/r"]);
    assert_eq!(listed(Some("a")).await, ["a/r", "a/s"]);
    let one = UnregisterActorReminderRequest {
        actor_type: "W".into(),
        actor_id: "a".into(),
        name: "s".into(),
    };
    for _ in 0..2 {
        rig.client().unregister_actor_reminder(one.clone()).await.unwrap();
    }
    assert_eq!(listed(None).await, ["a/r", "ab/r"]);
    for (actor_id, left) in [(Some("a"), &["ab/r"][..]), (None, &[])] {
        let of = UnregisterActorRemindersByTypeRequest {
            actor_type: "W".into(),
            actor_id: actor_id.map(str::to_owned),
        };
        rig.client().unregister_actor_reminders_by_type(of).await.unwrap();
        assert_eq!(listed(None).await, left);
    }
}

#[tokio::test(start_paused = true)]
async fn bad_reminders_are_refused_over_grpc() {
    let rig = Rig::with_reminders().await;
    let _worker = Worker::start(&rig, &["W"]).await;
    let of = |actor_type: &str, name: &str, period: &str| RegisterActorReminderRequest {
        actor_type: actor_type.into(),
        period: period.into(),
        ..reminder("a", name)
    };
    for (request, code, words) in [
        (of("Nobody", "r", "1s"), Code::PermissionDenied, "only possible on hosted actor types"),
        (of("dapr.internal.x", "r", "1s"), Code::PermissionDenied, "reserved"),
        (
            of("W", "", "1s"),
            Code::InvalidArgument,
            "invalid request: reminder name cannot be empty",
        ),
        (of("W", "a/b", "1s"), Code::InvalidArgument, "name"),
        (of("W", "r", "often"), Code::Internal, "period is 'often'"),
    ] {
        let status = rig.client().register_actor_reminder(request).await.unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().contains(words), "{status}");
    }
}
