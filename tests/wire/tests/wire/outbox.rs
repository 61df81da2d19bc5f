//! What turns send out, on both wires: how it is asked for, and what arrives, to the byte
//! (`host/docs/outbox.md`).

use std::time::Duration;

use odeon_host::channel::http::Config;
use odeon_proto::dapr::runtime::v1::{
    ExecuteActorStateTransactionRequest, TransactionalActorStateOperation,
};
use odeon_test_wire::app::{Asked, Played};
use odeon_test_wire::{Rig, Told};
use tokio::time::sleep;
use tonic::Code;

const STATE: &str = "/v1.0/actors/W/a/state";

/// An application with one active actor.
pub(crate) async fn start() -> (Rig, Played) {
    let rig = Rig::with_reminders().await;
    let mut app = Played::beside(&rig, Config::new(6000), |_| {});
    app.says(r#"{"entities":["W"]}"#).await;
    rig.health.ready().await;
    let call = rig.ask("POST", "/v1.0/actors/W/a/method/m").told();
    let (told, ()) = futures::join!(call, async { app.asked().await.answer(200, &[], "") });
    assert_eq!(told.status, 200);
    (rig, app)
}

/// The trace of a caller.
pub(crate) const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

// OW-1.
#[tokio::test(start_paused = true)]
async fn a_call_may_be_stored_before_it_is_answered() {
    let (rig, mut app) = start().await;
    let ask = || rig.ask("POST", "/v1.0/actors/W/b/method/take?q=1");
    let durable = || ask().header("odeon-actor-oneway", "durable");
    let told = durable()
        .header("odeon-idempotency-key", "k1")
        .header("content-type", "text/plain")
        .header("x-own", "1")
        .header("traceparent", TRACE)
        .body("7")
        .told()
        .await;
    assert_eq!((told.status.as_u16(), told.text()), (202, ""));
    let asked = app.asked().await;
    assert_eq!((&*asked.line, &*asked.body), ("PUT /actors/W/b/method/take?q=1", &b"7"[..]));
    for (name, value) in [
        ("odeon-idempotency-key", "k1"),
        ("content-type", "text/plain"),
        ("x-own", "1"),
        ("traceparent", TRACE),
    ] {
        assert_eq!(asked.header(name), value, "{name}");
    }
    asked.answer(200, &[], "");
    // A repeat of the request is the same call.
    let told = durable().header("odeon-idempotency-key", "k1").body("7").told().await;
    assert_eq!(told.status.as_u16(), 202);
    sleep(Duration::from_secs(60)).await;
    assert!(app.is_idle());
    let large = "x".repeat((1 << 20) + 1);
    let (status, code, text) = durable().body(large).told().await.error();
    assert_eq!((status, code.as_str()), (400, "ERR_BAD_REQUEST"));
    assert!(text.contains("the body has 1048577 bytes"), "{text}");
    let system = rig.ask("POST", "/v1.0/actors/sys.host/a/method/status");
    let (status, _, text) = system.header("odeon-actor-oneway", "durable").told().await.error();
    assert!(status == 400 && text.contains("actorType is 'sys.host'"), "{status}: {text}");
    let bare = Rig::without_store().await;
    let told = bare.ask("POST", "/v1.0/actors/T/a/method/echo");
    let (status, code, text) = told.header("odeon-actor-oneway", "durable").told().await.error();
    assert_eq!((status, code.as_str()), (400, "ERR_BAD_REQUEST"));
    assert!(text.contains("no store for actors' state"), "{text}");
}

fn told_to_take(asked: &Asked, body: &str) {
    assert_eq!(asked.line, "PUT /actors/W/b/method/take");
    assert_eq!(asked.body, body);
}

async fn write(rig: &Rig, body: &str) -> Told {
    rig.ask("POST", STATE).body(body.to_owned()).told().await
}

#[tokio::test(start_paused = true)]
async fn calls_and_reminders_are_committed_with_the_state() {
    let (rig, mut app) = start().await;
    let told = write(
        &rig,
        r#"[{"operation":"upsert","request":{"key":"k","value":1}},
            {"operation":"call","request":{"actorType":"W","actorId":"b","method":"take","data":{"n": [1]},"id":"a:1"}},
            {"operation":"setReminder","request":{"name":"r","dueTime":"20s","data":{"x": 1}}},
            {"operation":"call","request":{"actorType":"W","actorId":"b","method":"take"}}]"#,
    )
    .await;
    assert_eq!((told.status.as_u16(), told.text()), (204, ""));
    assert_eq!(rig.ask("GET", &format!("{STATE}/k")).told().await.text(), "1");
    let asked = app.asked().await;
    told_to_take(&asked, r#"{"n":[1]}"#);
    assert_eq!(asked.header("odeon-idempotency-key"), "a:1");
    assert_eq!(asked.header("content-type"), "application/json");
    asked.answer(200, &[], "");
    let asked = app.asked().await;
    told_to_take(&asked, "");
    let made = asked.header("odeon-idempotency-key").to_owned();
    assert!(made.len() > 40 && made.is_ascii(), "{made}");
    asked.answer(500, &[], "not now");
    let asked = app.asked().await;
    assert_eq!(asked.header("odeon-idempotency-key"), made, "a repeat has the same");
    asked.answer(200, &[], "");
    let asked = app.asked().await;
    assert_eq!(asked.line, "PUT /actors/W/a/method/remind/r");
    assert_eq!(asked.body, r#"{"data":{"x":1},"dueTime":"","period":""}"#);
    asked.answer(200, &[], "");
    let set = r#"[{"operation":"setReminder","request":{"name":"s","dueTime":"20s"}}]"#;
    assert_eq!(write(&rig, set).await.status, 204);
    let dropped = r#"[{"operation":"deleteReminder","request":{"name":"s"}}]"#;
    assert_eq!(write(&rig, dropped).await.status, 204);
    sleep(Duration::from_secs(60)).await;
    assert!(app.is_idle());
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_refused_by_name_and_nothing_is_written() {
    let (rig, mut app) = start().await;
    for (operation, words) in [
        (r#""setReminder","request":{"dueTime":"5s"}"#, "operation setReminder: name is missing"),
        (r#""setReminder","request":{"name":"r","dueTime":5}"#, "operation setReminder: dueTime: "),
        (r#""setReminder","request":{"name":"r","due":"5s"}"#, "there is no field 'due'"),
        (r#""setReminder","request":{"name":"r","dueTime":"soon"}"#, "dueTime is 'soon'"),
        (r#""setReminder","request":{"name":"a/b","dueTime":"5s"}"#, "name"),
        (r#""deleteReminder","request":{}"#, "operation deleteReminder: name is missing"),
        (
            r#""call","request":{"actorId":"b","method":"m"}"#,
            "operation call: actorType is missing",
        ),
        (r#""call","request":{"actorType":"W","actorId":"b","method":"m","id":""}"#, "id is ''"),
        (r#""call","request":{"actorType":"sys.state","actorId":"b","method":"m"}"#, "sys.state"),
        (r#""call","request":[]"#, "operation call: request: "),
    ] {
        let body = format!(
            r#"[{{"operation":"upsert","request":{{"key":"k","value":1}}}},{{"operation":{operation}}}]"#
        );
        let (status, code, text) = write(&rig, &body).await.error();
        assert_eq!((status, &*code), (400, "ERR_BAD_REQUEST"), "{operation}: {text}");
        assert!(text.contains(words), "{operation}: {text}");
    }
    assert_eq!(rig.ask("GET", &format!("{STATE}/k")).told().await.status, 204);
    sleep(Duration::from_secs(60)).await;
    assert!(app.is_idle());
}

fn transaction(operations: &[(&str, &str, &str)]) -> ExecuteActorStateTransactionRequest {
    let operations = operations.iter().map(|(kind, key, value)| TransactionalActorStateOperation {
        operation_type: (*kind).to_owned(),
        key: (*key).to_owned(),
        value: Some(prost_types::Any { value: value.as_bytes().to_vec(), ..Default::default() }),
        ..TransactionalActorStateOperation::default()
    });
    ExecuteActorStateTransactionRequest {
        actor_type: "W".to_owned(),
        actor_id: "a".to_owned(),
        operations: operations.collect(),
    }
}

#[tokio::test(start_paused = true)]
async fn grpc_says_the_same() {
    let (rig, mut app) = start().await;
    let mut client = rig.client();
    let call = r#"{"actorType":"W","actorId":"b","method":"take","data":7,"id":"a:1"}"#;
    let good = transaction(&[
        ("upsert", "k", "1"),
        ("setReminder", "r", r#"{"dueTime":"5s"}"#),
        ("call", "", call),
    ]);
    client.execute_actor_state_transaction(good).await.unwrap();
    let asked = app.asked().await;
    told_to_take(&asked, "7");
    asked.answer(200, &[], "");
    let asked = app.asked().await;
    assert_eq!(asked.line, "PUT /actors/W/a/method/remind/r");
    asked.answer(200, &[], "");
    for (kind, key, value, words) in [
        ("deleteReminder", "", "", "name is missing"),
        ("deleteReminder", "x", r#"{"name":"y"}"#, "expected the same"),
        ("call", "", "{", "operation call: request: "),
        ("call", "", r#"{"actorType":"W","actorId":"b","method":"m","x":1}"#, "no field 'x'"),
        ("call", "k", call, "operation call: key is 'k'"),
    ] {
        let wrong = transaction(&[("upsert", "never", "1"), (kind, key, value)]);
        let status = client.execute_actor_state_transaction(wrong).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        assert!(status.message().contains(words), "{status:?}");
    }
    for (name, value) in [("etag", "7"), ("ttlInSeconds", "9")] {
        let mut wrong = transaction(&[("upsert", "never", "1"), ("call", "", call)]);
        wrong.operations[1].metadata.insert(name.to_owned(), value.to_owned());
        let status = client.execute_actor_state_transaction(wrong).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        let words = format!("operation call: {name} is '{value}'");
        assert!(status.message().contains(&words), "{status:?}");
    }
    assert_eq!(rig.ask("GET", &format!("{STATE}/never")).told().await.status, 204);
}

#[tokio::test(start_paused = true)]
async fn without_an_outbox_it_is_refused() {
    let rig = Rig::start().await;
    assert_eq!(rig.ask("POST", "/v1.0/actors/T/a/method/echo").told().await.status, 200);
    let body = r#"[{"operation":"call","request":{"actorType":"T","actorId":"b","method":"m"}}]"#;
    let told = rig.ask("POST", "/v1.0/actors/T/a/state").body(body).told().await;
    let (status, code, text) = told.error();
    assert_eq!((status, &*code), (500, "ERR_ACTOR_RUNTIME_NOT_FOUND"), "{text}");
    assert!(text.contains("this host keeps no outbox"), "{text}");
}
