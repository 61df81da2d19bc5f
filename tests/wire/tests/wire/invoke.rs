//! Calling actors over HTTP: verbs, names, headers, limits (http-api.md 1, 3.3, 8).

use std::time::Duration;

use odeon_test_wire::Rig;
use serde_json::{Value, json};

const ECHO: &str = "/v1.0/actors/T/a/method/echo";
const SEEN: &str = "/v1.0/actors/T/a/method/seen";

#[tokio::test(start_paused = true)]
async fn four_verbs_call_and_the_body_passes_unchanged() {
    let rig = Rig::start().await;
    for verb in ["GET", "POST", "PUT", "DELETE"] {
        for body in ["", "null", "\0\u{1}", "{\"a\":1}"] {
            let told = rig.ask(verb, ECHO).header("content-type", "x/y").body(body).told().await;
            assert_eq!((told.status.as_u16(), told.text()), (200, body), "{verb}");
            assert_eq!(told.header("content-type"), "x/y");
            assert_eq!(told.header("odeon-actor-execution"), "", "only errors say it");
        }
    }
    let told = rig.ask("POST", ECHO).body("x").told().await;
    assert!(!told.headers.contains_key("content-type"), "absent stays absent");
}

// RT-4.
#[tokio::test(start_paused = true)]
async fn a_call_with_an_idempotency_key_is_answered_again_as_it_was() {
    let rig = Rig::start().await;
    let ask = |key: &'static str, body: &'static str| {
        rig.ask("POST", ECHO)
            .header("odeon-idempotency-key", key)
            .header("content-type", "x/y")
            .body(body)
            .told()
    };
    let told = ask("k", "first").await;
    assert_eq!((told.text(), told.header("odeon-idempotent-replay")), ("first", ""));
    let told = ask("k", "second").await;
    assert_eq!((told.text(), told.header("odeon-idempotent-replay")), ("first", "true"));
    assert_eq!(told.header("content-type"), "x/y");
    assert_eq!(ask("k2", "third").await.text(), "third");
    for key in ["", "a b", &"k".repeat(257)] {
        let told = rig.ask("POST", ECHO).header("odeon-idempotency-key", key).told().await;
        let (status, code, text) = told.error();
        assert_eq!((status, code.as_str()), (400, "ERR_BAD_REQUEST"), "{key:?}");
        assert!(text.contains("odeon-idempotency-key"), "{text}");
    }
    let seen = rig.ask("POST", SEEN).header("odeon-idempotency-key", "k3").told().await;
    assert!(!seen.text().contains("idempotency"), "it is not the application's: {}", seen.text());
    let read = rig.ask("GET", "/v1.0/actors/T/a/state/__once%2Fk").told().await;
    assert_eq!(read.error().1, "ERR_BAD_REQUEST");
}

// OW-1.
#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_waits_for_is_accepted() {
    let rig = Rig::start().await;
    let told = rig.ask("POST", ECHO).header("odeon-actor-oneway", "true").body("x").told().await;
    assert_eq!((told.status.as_u16(), told.text()), (202, ""));
    let told = rig.ask("POST", ECHO).header("odeon-actor-oneway", "false").body("x").told().await;
    assert_eq!((told.status.as_u16(), told.text()), (200, "x"));
    let told = rig.ask("POST", ECHO).header("odeon-actor-oneway", "maybe").told().await;
    let (status, code, text) = told.error();
    assert_eq!((status, code.as_str()), (400, "ERR_BAD_REQUEST"));
    assert!(
        text.contains("odeon-actor-oneway is \"maybe\"; expected true, durable or false"),
        "{text}"
    );
    let nobody = "/v1.0/actors/Nobody/a/method/echo";
    let told = rig.ask("POST", nobody).header("odeon-actor-oneway", "true").told().await;
    assert_eq!(told.error().1, "ERR_ACTOR_INVOKE_METHOD");
}

#[tokio::test(start_paused = true)]
async fn wrong_verbs_and_unknown_paths_fall_to_service_invocation() {
    let rig = Rig::start().await;
    for (verb, path) in [
        ("PATCH", ECHO),
        ("OPTIONS", ECHO),
        ("HEAD", ECHO),
        ("GET", "/"),
        ("GET", "/v1.0/actors/T/a/method"),
        ("GET", "/v1.0/actors/T/a/method/a/b"),
        ("GET", "/v1.0/shutdown"),
        ("POST", "/v1.0/healthz"),
        ("GET", "/v1.0/nothing/such"),
        ("GET", "/V1.0/healthz"),
        ("DELETE", "/v1.0/actors/T/a/state"),
    ] {
        let (status, code, _) = rig.ask(verb, path).told().await.error();
        assert_eq!((status, code.as_str()), (404, "ERR_DIRECT_INVOKE"), "{verb} {path}");
    }
    for (name, value) in
        [("dapr-app-id", "other"), ("authorization", "Basic ZGFwci1hcHAtaWQ6b3RoZXI=")]
    {
        let (status, code, text) =
            rig.ask("GET", "/some/path").header(name, value).told().await.error();
        assert_eq!((status, code.as_str()), (501, "ERR_API_UNIMPLEMENTED"), "{name}");
        assert!(text.ends_with("service invocation"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn paths_are_cleaned_and_parameters_decoded() {
    let rig = Rig::start().await;
    for path in [
        "//v1.0/actors/T/a/method/echo",
        "/v1.0/actors/T/a/method/echo/",
        "/v1.0/./actors/T/a/../a/method/echo",
        "/../v1.0/actors/T/a/method/echo",
        "/v1.0/actors/T/a/method/echo?",
        "/v1.0/actors/T/a/method/echo?x=1",
        "/v1.0/actors/%54/a/method/%65cho",
        "/v1.0/actors/T/a%7C%7Cb/method/echo",
        "/v1.0/actors/T/%C3%A4+%F0%9F%98%80/method/echo",
        "/v1.0/actors/T/a/method/.%2Fecho",
        "/v1.0/actors/T/a/method/..%2F..%2Fstate%2F..%2Fecho",
    ] {
        let told = rig.ask("POST", path).body("x").told().await;
        assert_eq!((told.status.as_u16(), told.text()), (200, "x"), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn names_that_are_not_acceptable_are_named() {
    let rig = Rig::start().await;
    let long = "x".repeat(2_049);
    for (path, named) in [
        ("/v1.0/actors/a%2Fb/i/method/m".to_owned(), "actorType"),
        ("/v1.0/actors/%2e%2e/i/method/m".to_owned(), "actorType"),
        ("/v1.0/actors/a%00/i/method/m".to_owned(), "actorType"),
        (format!("/v1.0/actors/{}/i/method/m", &long[..257]), "actorType"),
        ("/v1.0/actors/T/a%5Cb/method/m".to_owned(), "actorId"),
        ("/v1.0/actors/T/a%23b/method/m".to_owned(), "actorId"),
        ("/v1.0/actors/T/%2E/method/m".to_owned(), "actorId"),
        ("/v1.0/actors/T/%0a/method/m".to_owned(), "actorId"),
        ("/v1.0/actors/T/%FF/method/m".to_owned(), "actorId"),
        (format!("/v1.0/actors/T/{long}/method/m"), "actorId"),
        ("/v1.0/actors/T/i/method/a%3Fb".to_owned(), "method"),
        ("/v1.0/actors/T/i/method/%2F..%2F".to_owned(), "method"),
        (format!("/v1.0/actors/T/i/method/{long}"), "method"),
    ] {
        let (status, code, text) = rig.ask("POST", &path).told().await.error();
        assert_eq!((status, code.as_str()), (400, "ERR_BAD_REQUEST"), "{path}");
        let prefix = format!("invalid request: {named} ");
        assert!(text.starts_with(&prefix), "{path}: {text}");
    }
    for path in ["/v1.0/actors/%zz/i/method/m", "/v1.0/actors/T/%/method/m"] {
        let told = rig.ask("POST", path).told().await;
        assert_eq!(told.status, 400, "{path}");
        assert!(told.text().starts_with("invalid URL escape \"%"), "{}", told.text());
        assert_eq!(told.header("content-type"), "text/plain; charset=utf-8");
    }
}

#[tokio::test(start_paused = true)]
async fn headers_pass_as_the_table_says() {
    let rig = Rig::start().await;
    let dropped = [
        ("connection", "keep-alive, x-hop"),
        ("x-hop", "1"),
        ("keep-alive", "5"),
        ("te", "trailers"),
        ("upgrade", "h2c"),
        ("proxy-authorization", "x"),
        ("host", "h"),
        ("x-some-bin", "AA=="),
        ("dapr-app-id", "x"),
        ("destination-app-id", "x"),
        ("dapr-caller-app-id", "x"),
        ("dapr-callee-app-id", "x"),
        ("odeon-actor-timeout", "1000"),
        ("odeon-actor-chain", "00000000000000aa"),
        ("dapr-reentrancy-id", "r"),
        ("traceparent", "nonsense"),
    ];
    let kept = [
        ("x-mine", "1"),
        ("content-type", "a/b"),
        ("accept", "*/*"),
        ("grpc-thing", "2"),
        ("dapr-api-token", "theirs"),
    ];
    let mut ask = rig.ask("POST", SEEN);
    for (name, value) in dropped.into_iter().chain(kept) {
        ask = ask.header(name, value);
    }
    let seen = ask.told().await.json();
    let expected = json!({
        "x-mine": "1", "content-type": "a/b", "accept": "*/*", "dapr-grpc-thing": "2",
        "dapr-api-token": "theirs", "Dapr-API-Call": "true",
    });
    assert_eq!(seen["headers"], expected);
    assert_eq!(seen["hops"], 2, "the caller's chain and the actor itself");
    assert_eq!(seen["reentrancy"], "r");
    assert_eq!(seen["has_deadline"], true);
}

#[tokio::test(start_paused = true)]
async fn an_actors_headers_come_back_but_for_those_of_the_connection() {
    let rig = Rig::start().await;
    let told = rig.ask("POST", "/v1.0/actors/T/a/method/headers").told().await;
    let kept: Vec<_> = told.headers.get_all("x-kept").iter().collect();
    assert_eq!(kept, ["1", "2"]);
    assert_eq!(told.header("content-type"), "application/x-test");
    for name in ["connection", "transfer-encoding", "content-length", "x-bad-value"] {
        assert!(!told.headers.contains_key(name), "{name}");
    }
    assert_eq!(told.text(), "ok");
}

#[tokio::test(start_paused = true)]
async fn an_error_in_the_actors_own_terms_is_a_success() {
    let rig = Rig::start().await;
    let told = rig.ask("POST", "/v1.0/actors/T/a/method/app-error").body("why").told().await;
    assert_eq!((told.status.as_u16(), told.text()), (200, "why"));
    assert_eq!(told.header("x-daprerrorresponseheader"), "true");
}

#[tokio::test(start_paused = true)]
async fn a_caller_waits_as_long_as_it_says() {
    let rig = Rig::start().await;
    let slow = |millis: &'static str, limit: &'static str| {
        let path = "/v1.0/actors/T/slow/method/slow";
        rig.ask("POST", path).header("odeon-actor-timeout", limit).body(millis)
    };
    assert_eq!(slow("50", "1000").told().await.status, 200);
    let told = slow("1000", "100").told().await;
    assert_eq!(told.error().1, "ERR_ACTOR_TURN_TIMEOUT");
    assert_eq!(told.header("odeon-actor-execution"), "maybe");
    let told = slow("1", "100").told().await;
    assert_eq!(told.error().1, "ERR_ACTOR_QUEUE_TIMEOUT", "the first still runs (O7)");
    assert_eq!(told.header("odeon-actor-execution"), "none");
    for limit in ["", "soon", "-1", "1.5"] {
        assert_eq!(slow("1", limit).told().await.error().1, "ERR_BAD_REQUEST", "{limit:?}");
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(slow("1", "18446744073709551615").told().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_refuses_at_once() {
    let rig = Rig::start().await;
    let slow = || rig.ask("POST", "/v1.0/actors/T/full/method/slow").body("1000").told();
    let (a, b, c, d) = tokio::join!(slow(), slow(), slow(), slow());
    let mut told = [a, b, c, d];
    told.sort_by_key(|told| told.status);
    assert_eq!(told.each_ref().map(|told| told.status.as_u16()), [200, 200, 200, 429]);
    assert_eq!(told[3].error().1, "ERR_ACTOR_MAILBOX_FULL");
    assert_eq!(told[3].header("retry-after"), "1");
}

#[tokio::test(start_paused = true)]
async fn a_type_that_nobody_hosts_is_looked_for_and_then_missed() {
    let rig = Rig::start().await;
    let told = rig.ask("POST", "/v1.0/actors/Nobody/1/method/m").told().await;
    let text = "error invoke actor method: failed to lookup actor: api error: code = FailedPrecondition desc = did not find address for actor 'Nobody||1'";
    assert_eq!(told.error(), (500, "ERR_ACTOR_INVOKE_METHOD".into(), text.into()));
}

#[tokio::test(start_paused = true)]
async fn a_body_over_the_limit_is_a_bad_request_and_there_is_no_413() {
    let rig = Rig::with(|parts| parts.limits.body_bytes = Some(10)).await;
    assert_eq!(rig.ask("POST", ECHO).body("0123456789").told().await.status, 200);
    let told = rig.ask("POST", ECHO).body("0123456789x").told().await;
    let text = "invalid request: the request body is larger than the limit of 10 bytes";
    assert_eq!(told.error(), (400, "ERR_BAD_REQUEST".into(), text.into()));
    assert_eq!(told.header("odeon-actor-execution"), "none");
    let told = rig.ask("POST", "/v1.0/actors/T/a/state").body("[           ]").told().await;
    assert_eq!(told.error().1, "ERR_BODY_READ");
    let rig = Rig::with(|parts| parts.limits.body_bytes = None).await;
    assert_eq!(rig.ask("POST", ECHO).body(vec![0; 5 << 20]).told().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn an_activation_ends_when_asked_and_nothing_happens_when_there_is_none() {
    let rig = Rig::start().await;
    let deactivate = |path: &'static str| rig.ask("POST", path).told();
    assert_eq!(deactivate("/v1.0-alpha1/actors/T/a/deactivate").await.status, 204);
    assert_eq!(rig.ask("POST", ECHO).told().await.status, 200);
    assert_eq!(active(&rig).await, json!([{"type": "T", "count": 1}]));
    assert_eq!(deactivate("/v1.0-alpha1/actors/T/a/deactivate").await.status, 204);
    assert_eq!(active(&rig).await, json!([{"type": "T"}]));
    let told = deactivate("/v1.0-alpha1/actors/dapr.internal.x/a/deactivate").await;
    assert_eq!(told.error().1, "ERR_ACTOR_TYPE_RESERVED");
}

async fn active(rig: &Rig) -> Value {
    rig.ask("GET", "/v1.0/metadata").told().await.json()["actors"].clone()
}

#[tokio::test(start_paused = true)]
async fn trace_and_baggage_pass_and_come_back() {
    let rig = Rig::start().await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02";
    let told = rig
        .ask("POST", SEEN)
        .header("traceparent", parent)
        .header("tracestate", "a=1")
        .header("baggage", "k=v")
        .header("baggage", "l=w")
        .told()
        .await;
    for (name, value) in [("traceparent", parent), ("tracestate", "a=1"), ("baggage", "k=v,l=w")] {
        assert_eq!(told.json()["headers"][name], value);
        assert_eq!(told.header(name), value);
    }
    let told = rig.ask("POST", SEEN).header("traceparent", "00-0-0-0").told().await;
    assert!(!told.headers.contains_key("traceparent"), "nothing is invented");
    assert_eq!(told.json()["headers"]["traceparent"], Value::Null);
    let told = rig.ask("GET", "/v1.0/healthz").header("traceparent", parent).told().await;
    assert!(!told.headers.contains_key("traceparent"), "not on health routes");
    let told = rig.ask("GET", "/nowhere").header("traceparent", parent).told().await;
    assert_eq!(told.header("traceparent"), parent, "on errors too");
    let told = rig.ask("POST", SEEN).header("baggage", "broken").told().await;
    assert_eq!(told.status, 400);
    assert!(told.text().starts_with("invalid baggage header:"), "{}", told.text());
}
