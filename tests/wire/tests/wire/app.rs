//! Turns of an application on a port: what it is asked to the byte, and what its answers
//! mean. Rows of http-api.md 8.2, 8.8 and 19.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::TaskKind;
use odeon_host::channel::http::{App, Config, Dial, Io, Protocol};
use odeon_proto::dapr::runtime::v1::InvokeActorRequest;
use odeon_runtime::TypeConfig;
use odeon_test_wire::app::{Asked, Played};
use odeon_test_wire::{Rig, Told};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::mpsc;

/// An application that hosts `W`, called in this way.
pub(crate) async fn with(config: Config) -> (Rig, Played) {
    let rig = Rig::start().await;
    let mut app = Played::beside(&rig, config, |_| {});
    app.says(r#"{"entities":["W"]}"#).await;
    rig.health.ready().await;
    (rig, app)
}

pub(crate) async fn start() -> (Rig, Played) {
    with(Config::new(6000)).await
}

pub(crate) async fn call(rig: &Rig, id: &str) -> Told {
    rig.ask("POST", &format!("/v1.0/actors/W/{id}/method/m")).told().await
}

/// Headers as one line each, in order of name, without what differs from run to run.
fn shown(asked: &Asked) -> Vec<String> {
    let mut lines: Vec<String> = asked
        .headers
        .iter()
        .filter(|(name, _)| !["odeon-activation", "odeon-actor-chain"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    lines.sort();
    lines
}

#[tokio::test(start_paused = true)]
async fn a_method_is_one_request_to_the_byte() {
    let (rig, mut app) = start().await;
    let ask = rig
        .ask("POST", "/v1.0/actors/W/a%20b%7C1/method/say%2Fit?x=1&y=%20")
        .header("content-type", "text/plain; charset=latin1")
        .header("x-two", "1")
        .header("x-two", "2")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("dapr-caller-app-id", "forged")
        .header("odeon-activation", "7.7.7")
        .header("odeon-query", "forged")
        .header("odeon-actor-timeout", "5000")
        .body("argument");
    let (told, ()) = tokio::join!(ask.told(), async {
        let asked = app.asked().await;
        assert_eq!(asked.line, "PUT /actors/W/a%20b%7C1/method/say/it?x=1&y=%20");
        assert_eq!(
            shown(&asked),
            [
                "content-length: 8",
                "content-type: text/plain; charset=latin1",
                "dapr-api-call: true",
                "host: 127.0.0.1:6000",
                "odeon-actor-timeout: 5000",
                "x-two: 1",
                "x-two: 2",
            ]
        );
        assert_eq!(asked.header("odeon-activation").split('.').count(), 3);
        assert_ne!(asked.header("odeon-activation"), "7.7.7");
        assert_eq!(asked.header("odeon-actor-chain").len(), 16);
        assert_eq!(asked.body, "argument");
        asked.answer(200, &[("content-type", "x/y"), ("x-own", "1")], "answer");
    });
    assert_eq!((told.status.as_u16(), told.text()), (200, "answer"));
    assert_eq!((told.header("content-type"), told.header("x-own")), ("x/y", "1"));
}

// What is said to the host itself does not reach the application by the other door either.
#[tokio::test(start_paused = true)]
async fn a_query_that_is_forged_over_grpc_is_none() {
    let (rig, mut app) = start().await;
    let request = InvokeActorRequest {
        actor_type: "W".into(),
        actor_id: "a".into(),
        method: "m".into(),
        metadata: [("odeon-query", "forged"), ("Odeon-Query", "forged"), ("x-own", "1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..InvokeActorRequest::default()
    };
    let mut client = rig.client();
    let (told, ()) = tokio::join!(client.invoke_actor(request), async {
        let asked = app.asked().await;
        assert_eq!(asked.line, "PUT /actors/W/a/method/m");
        assert_eq!((asked.header("odeon-query"), asked.header("x-own")), ("", "1"));
        asked.answer(200, &[], "answer");
    });
    assert_eq!(told.unwrap().into_inner().data, "answer");
}

#[tokio::test(start_paused = true)]
async fn what_an_answer_means() {
    let (rig, mut app) = start().await;
    let own = |code: u16, body: &str| {
        format!("error invoke actor method: error from actor service: ({code}) {body}")
    };
    for (status, body, message) in [
        (500, "boom", own(500, "boom")),
        (201, "made", own(201, "made")),
        (204, "", own(204, "")),
        (302, "", own(302, "")),
        (
            404,
            "no",
            "error invoke actor method: actor method not found: actors/W/a/method/m".to_owned(),
        ),
    ] {
        let (told, ()) = tokio::join!(call(&rig, "a"), async {
            app.asked().await.answer(status, &[("location", "/x")], body.to_owned());
        });
        assert_eq!(told.error(), (500, "ERR_ACTOR_INVOKE_METHOD".into(), message));
        assert_eq!(told.header("odeon-actor-execution"), "done", "{status}");
    }
    // Marked as the application's own error, it passes as it is.
    let (told, ()) = tokio::join!(call(&rig, "a"), async {
        let marked = [("X-DaprErrorResponseHeader", "of its own")];
        app.asked().await.answer(200, &marked, "<fault/>");
    });
    assert_eq!((told.status.as_u16(), told.text()), (200, "<fault/>"));
    assert_eq!(told.header("x-daprerrorresponseheader"), "of its own");
    let (told, ()) = tokio::join!(call(&rig, "a"), async {
        app.asked().await.answer(200, &[("X-DaprReminderCancel", "true")], "");
    });
    assert_eq!(told.error().1, "ERR_ACTOR_INVOKE_METHOD");
    assert!(app.is_idle(), "nothing was asked twice");
}

#[tokio::test(start_paused = true)]
async fn an_actor_is_told_goodbye_once() {
    let (rig, mut app) = start().await;
    let (_, ()) = tokio::join!(call(&rig, "a"), async {
        app.asked().await.answer(200, &[], "");
    });
    let path = "/v1.0-alpha1/actors/W/a/deactivate";
    let (told, ()) = tokio::join!(rig.ask("POST", path).told(), async {
        let asked = app.asked().await;
        assert_eq!(asked.line, "DELETE /actors/W/a");
        assert_eq!(shown(&asked), ["content-type: application/x-protobuf", "host: 127.0.0.1:6000"]);
        // What it answers is logged, and the actor is gone.
        asked.answer(500, &[], "no");
    });
    assert_eq!(told.status, 204);
    assert_eq!(rig.ask("POST", path).told().await.status, 204);
    assert!(app.is_idle());
}

#[tokio::test(start_paused = true)]
async fn the_application_is_shown_its_token_in_place_of_the_callers() {
    let rig = Rig::start().await;
    let mut app = Played::beside(&rig, Config::new(6000), |parts| {
        parts.token = Some("of the app".into());
    });
    let asked = app.asked().await;
    assert_eq!(
        shown(&asked),
        [
            "content-type: application/json",
            "dapr-api-token: of the app",
            "dapr-app-id: app",
            "host: 127.0.0.1:6000"
        ]
    );
    // Dapr knows one version of it, and looks at none.
    asked.answer(200, &[("dapr-app-config-version", "v9")], r#"{"entities":["W"]}"#);
    rig.health.ready().await;
    let ask = rig.ask("PUT", "/v1.0/actors/W/a/method/m").header("dapr-api-token", "forged");
    let (_, ()) = tokio::join!(ask.told(), async {
        let asked = app.asked().await;
        assert_eq!(asked.header("dapr-api-token"), "of the app");
        assert_eq!(asked.headers.get_all("dapr-api-token").iter().count(), 1);
        asked.answer(200, &[], "");
    });
    assert_eq!(rig.ask("POST", "/v1.0/actors/W/a/timers/t").body("{}").told().await.status, 204);
    let tick = app.asked().await;
    assert_eq!(tick.header("dapr-api-token"), "of the app");
    tick.answer(200, &[], "");
    let path = "/v1.0-alpha1/actors/W/a/deactivate";
    let (_, ()) = tokio::join!(rig.ask("POST", path).told(), async {
        let asked = app.asked().await;
        assert_eq!(asked.header("dapr-api-token"), "of the app");
        asked.answer(200, &[], "");
    });
}

#[tokio::test(start_paused = true)]
async fn a_reentrant_turn_carries_an_id_and_is_joined_by_it() {
    let rig = Rig::start().await;
    let mut app = Played::beside(&rig, Config::new(6000), |_| {});
    app.says(r#"{"entities":["W"],"reentrancy":{"enabled":true}}"#).await;
    rig.health.ready().await;
    let (outer, ()) = tokio::join!(call(&rig, "a"), async {
        let asked = app.asked().await;
        let id = asked.header("dapr-reentrancy-id").to_owned();
        assert_eq!((id.len(), id.split('-').count()), (36, 5), "a UUID: {id}");
        let inner = rig.ask("PUT", "/v1.0/actors/W/a/method/n").header("dapr-reentrancy-id", &id);
        let (inner, ()) = tokio::join!(inner.told(), async {
            let nested = app.asked().await;
            assert_eq!(nested.line, "PUT /actors/W/a/method/n");
            assert_eq!(nested.header("dapr-reentrancy-id"), id);
            nested.answer(200, &[], "inner");
        });
        assert_eq!(inner.text(), "inner");
        asked.answer(200, &[], "outer");
    });
    assert_eq!(outer.text(), "outer");
}

#[tokio::test(start_paused = true)]
async fn over_h2c_the_same_is_asked_and_connections_are_shared() {
    let config = Config { protocol: Protocol::H2c, ..Config::new(6000) };
    let (rig, mut app) = with(config).await;
    let before = app.port.dialled();
    let (a, b, ()) = tokio::join!(call(&rig, "a"), call(&rig, "b"), async {
        let (first, second) = (app.asked().await, app.asked().await);
        assert_eq!(first.version, http::Version::HTTP_2);
        assert_eq!(first.line, "PUT /actors/W/a/method/m");
        assert_eq!(first.header("dapr-api-call"), "true");
        assert_eq!(first.header("content-length"), "0");
        second.answer(200, &[], "of b");
        first.answer(500, &[], "no");
    });
    assert_eq!((a.error().0, b.text()), (500, "of b"));
    assert_eq!(app.port.dialled(), before, "the connection of the start serves on");
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_than_allowed_are_under_way() {
    let config = Config { requests_max: Some(2), ..Config::new(6000) };
    let (rig, mut app) = with(config).await;
    let (a, b, c, ()) = tokio::join!(call(&rig, "a"), call(&rig, "b"), call(&rig, "c"), async {
        let (first, second) = (app.asked().await, app.asked().await);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(app.is_idle());
        first.answer(200, &[], "");
        app.asked().await.answer(200, &[], "");
        second.answer(200, &[], "");
    });
    assert!([a, b, c].iter().all(|told| told.status == 200));
}

/// A port whose other end a test writes byte by byte.
#[derive(Debug)]
struct Bytewise(mpsc::Sender<DuplexStream>);

impl Dial for Bytewise {
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Io>>> {
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(64 << 10);
            self.0.send(theirs).await.map_err(|_| io::ErrorKind::ConnectionRefused)?;
            Ok(Box::new(ours) as Box<dyn Io>)
        })
    }
}

/// The next request of a connection, headers only.
async fn request_line(stream: &mut DuplexStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        read.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(read).unwrap().lines().next().unwrap().to_owned()
}

// http-api.md 19.3.
#[tokio::test(start_paused = true)]
async fn a_slot_is_held_until_the_whole_answer_has_come() {
    let rig = Rig::start().await;
    let (dialled, mut dials) = mpsc::channel(8);
    let parts = odeon_test_wire::app::parts(&rig.engine, &rig.tasks, TypeConfig::default());
    let config = Config { requests_max: Some(1), ..Config::new(6000) };
    let app = App::over(Arc::new(Bytewise(dialled)), config, parts);
    rig.tasks.spawn(TaskKind::Watcher, app.run());
    // That somebody listens.
    drop(dials.recv().await.unwrap());
    let mut stream = dials.recv().await.unwrap();
    assert_eq!(request_line(&mut stream).await, "GET /dapr/config HTTP/1.1");
    let types = r#"{"entities":["W"]}"#;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{types}", types.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    let (first, second, ()) = tokio::join!(call(&rig, "a"), call(&rig, "b"), async {
        let asked = request_line(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nha").await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(dials.try_recv().is_err(), "the other waits for the rest of {asked}");
        assert!(stream.read_u8().now_or_never().is_none());
        stream.write_all(b"lf").await.unwrap();
        request_line(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    });
    assert_eq!([first.status.as_u16(), second.status.as_u16()], [200, 200]);
    assert_eq!(format!("{}{}", first.text(), second.text()), "half");
}

// http-api.md 19.3: as many connections are kept as were needed at once, and 1,024 at most.
#[tokio::test(start_paused = true)]
async fn as_many_as_1024_unused_connections_are_kept() {
    let (rig, mut app) = start().await;
    let calls = 1_100;
    let mut dialled = vec![app.port.dialled()];
    for _ in 0..2 {
        let all = (0..calls).map(|number| {
            let rig = &rig;
            async move { call(rig, &number.to_string()).await.status.as_u16() }
        });
        let (statuses, ()) = tokio::join!(futures::future::join_all(all), async {
            let mut asked = Vec::new();
            for _ in 0..calls {
                asked.push(app.asked().await);
            }
            asked.into_iter().for_each(|one| one.answer(200, &[], ""));
        });
        assert!(statuses.iter().all(|status| *status == 200));
        dialled.push(app.port.dialled());
    }
    let first = dialled[1] - dialled[0];
    assert!((calls - 2..=calls).contains(&first), "{dialled:?}");
    assert_eq!(dialled[2] - dialled[1], calls - 1_024);
}

#[tokio::test(start_paused = true)]
async fn ticks_and_goodbyes_are_among_the_requests_that_are_counted() {
    let config = Config { requests_max: Some(1), ..Config::new(6000) };
    let (rig, mut app) = with(config).await;
    let tick = tokio::join!(call(&rig, "a"), async {
        let first = app.asked().await;
        let set = rig.ask("POST", "/v1.0/actors/W/b/timers/t").body("{}").told().await;
        assert_eq!(set.status, 204);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(app.is_idle(), "the timer is due, and the call runs");
        first.answer(200, &[], "");
        app.asked().await
    });
    let tick = tick.1;
    assert_eq!(tick.line, "PUT /actors/W/b/method/timer/t");
    let goodbye = rig.ask("POST", "/v1.0-alpha1/actors/W/a/deactivate");
    let (told, ()) = tokio::join!(goodbye.told(), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(app.is_idle(), "the goodbye waits for the tick of another actor");
        tick.answer(200, &[], "");
        let goodbye = app.asked().await;
        assert_eq!(goodbye.line, "DELETE /actors/W/a");
        goodbye.answer(200, &[], "");
    });
    assert_eq!(told.status, 204);
}

#[tokio::test(start_paused = true)]
async fn an_answer_over_the_limit_is_refused_and_the_connection_goes() {
    let config = Config { body_bytes_max: Some(32), ..Config::new(6000) };
    let (rig, mut app) = with(config).await;
    for (length, status) in [(32, 200), (33, 500), (1 << 20, 500), (1, 200)] {
        let (told, ()) = tokio::join!(call(&rig, "a"), async {
            app.asked().await.answer(200, &[], vec![b'x'; length]);
        });
        assert_eq!(told.status, status, "{length}: {told:?}");
        if status == 500 {
            assert_eq!(told.header("odeon-actor-execution"), "done");
            assert!(told.text().contains("larger than the limit of 32 bytes"), "{told:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_does_not_end_the_turn() {
    let (rig, mut app) = start().await;
    let first = async {
        let limit = Duration::from_secs(1);
        assert!(tokio::time::timeout(limit, call(&rig, "a")).await.is_err());
    };
    let ((), asked) = tokio::join!(first, app.asked());
    let (second, ()) = tokio::join!(call(&rig, "a"), async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(app.is_idle() && !asked.is_left(), "TURN-4: the slot is held");
        asked.answer(200, &[], "first");
        app.asked().await.answer(200, &[], "second");
    });
    assert_eq!(second.text(), "second");
}

#[tokio::test(start_paused = true)]
async fn after_a_cut_the_actor_waits_for_the_old_request_to_end() {
    let rig = Rig::start().await;
    let mut app = Played::beside(&rig, Config::new(6000), |parts| {
        let turn_max = Some(Duration::from_secs(5));
        parts.defaults = TypeConfig { turn_max, ..TypeConfig::default() };
    });
    app.says(r#"{"entities":["W"]}"#).await;
    rig.health.ready().await;
    let body = r#"[{"operation":"upsert","request":{"key":"k","value":1}}]"#;
    let write = async || rig.ask("POST", "/v1.0/actors/W/a/state").body(body).told().await;

    let (told, old) = tokio::join!(call(&rig, "a"), app.asked());
    assert_eq!(told.header("odeon-actor-execution"), "maybe");
    assert!(told.text().contains("ran longer than its type's limit"), "{told:?}");
    let goodbye = app.asked().await;
    assert_eq!(goodbye.line, "DELETE /actors/W/a");
    goodbye.answer(200, &[], "");
    let (next, ()) = tokio::join!(call(&rig, "a"), async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert!(app.is_idle() && !old.is_left(), "TURN-5: not while the old request stands");
        // It says nothing of whose turn it is, and no other is there to be mistaken for.
        let late = write().await;
        assert_ne!(late.status, 204, "{late:?}");
        old.answer(200, &[], "too late");
        let asked = app.asked().await;
        assert_eq!(write().await.status, 204);
        asked.answer(200, &[], "next");
    });
    assert_eq!(next.text(), "next");
}
