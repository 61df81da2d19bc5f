//! The rest of the HTTP door: metadata, health, shutdown, tokens, CORS, our own
//! routes, and what is not there yet (http-api.md 1, 16, 17, 18).

use std::sync::Arc;

use futures::future::BoxFuture;
use odeon_base::{ActorId, Epoch, HostName, Incarnation};
use odeon_blocks::host::HostActor;
use odeon_host::api::{AppConnection, AppHealth, Component, Origins, Owner, Owners, Shutdown};
use odeon_host::http::Door;
use odeon_proto::dapr::runtime::v1::InvokeActorRequest;
use odeon_ring::TypeKey;
use odeon_runtime::store::Capabilities;
use odeon_test_wire::{Ask, Rig, Told};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn metadata_is_told_as_dapr_tells_it() {
    let can = Capabilities { etag: true, transactional: true, ttl: true, ..Default::default() };
    let rig = Rig::with(|parts| {
        parts.components = vec![Component::state("store", "state.redis", "v1", can)];
        parts.app_connection = Some(AppConnection {
            port: 8080,
            protocol: "http".into(),
            address: "127.0.0.1".into(),
            max_concurrency: 0,
            health: Some(AppHealth {
                path: "/healthz".into(),
                interval: std::time::Duration::from_secs(5),
                timeout: std::time::Duration::from_millis(500),
                threshold: 3,
            }),
        });
    })
    .await;
    rig.ask("POST", "/v1.0/actors/T/1/method/echo").told().await;
    rig.ask("POST", "/v1.0/actors/T/2/method/echo").told().await;
    let put = rig.ask("PUT", "/v1.0/metadata/a%20b").body("raw \u{e4}").told().await;
    assert_eq!((put.status.as_u16(), put.text()), (204, ""));
    assert_eq!(rig.ask("PUT", "/v1.0/metadata/empty").told().await.status, 204);
    let told = rig.ask("GET", "/v1.0/metadata").told().await;
    assert_eq!(told.header("content-type"), "application/json");
    let version = env!("CARGO_PKG_VERSION");
    let expected = json!({
        "id": "app", "runtimeVersion": version, "enabledFeatures": ["ActorStateTTL"],
        "actors": [{"type": "T", "count": 2}],
        "components": [{"name": "store", "type": "state.redis", "version": "v1",
            "capabilities": ["ETAG", "TRANSACTIONAL", "TTL", "ACTOR"]}],
        "extended": {"a b": "raw \u{e4}", "daprRuntimeVersion": version, "empty": ""},
        "appConnectionProperties": {"port": 8080, "protocol": "http",
            "channelAddress": "127.0.0.1",
            "health": {"healthCheckPath": "/healthz", "healthProbeInterval": "5s",
                "healthProbeTimeout": "500ms", "healthThreshold": 3}},
        "actorRuntime": {"runtimeStatus": "RUNNING", "activeActors": [{"type": "T", "count": 2}],
            "hostReady": true, "placement": "placement: connected"},
    });
    assert_eq!(told.json(), expected);
}

#[tokio::test(start_paused = true)]
async fn metadata_of_a_host_without_placement_or_types_leaves_things_out() {
    let rig = Rig::with(|parts| parts.has_placement = false).await;
    let told = rig.ask("GET", "/v1.0/metadata").told().await.json();
    assert_eq!(
        told["actorRuntime"],
        json!({"runtimeStatus": "DISABLED", "activeActors": [{"type": "T"}],
            "hostReady": false, "placement": "placement: disconnected"})
    );
    let rig = Rig::with(|parts| parts.health = odeon_host::api::Health::default()).await;
    let told = rig.ask("GET", "/v1.0/metadata").told().await.json();
    assert_eq!(told["actorRuntime"]["runtimeStatus"], "INITIALIZING");
    assert_eq!(told["actorRuntime"].get("placement"), None);
}

#[tokio::test(start_paused = true)]
async fn without_placement_actors_are_turned_off_and_nobody_waits() {
    let rig = Rig::with(|parts| parts.has_placement = false).await;
    let began = tokio::time::Instant::now();
    for (verb, path) in [
        ("PUT", "/v1.0/actors/T/a/method/echo"),
        ("PUT", "/v1.0/actors/Unknown/a/method/echo"),
        ("GET", "/v1.0/actors/T/a/state/k"),
        ("POST", "/v1.0/actors/T/a/state"),
        ("POST", "/v1.0-alpha1/actors/T/a/deactivate"),
        ("GET", "/v1.0/actors/T/a/reminders/r"),
        ("DELETE", "/v1.0/actors/T/a/reminders/r"),
        ("DELETE", "/v1.0/actors/T/a/timers/t"),
    ] {
        let told = rig.ask(verb, path).body("[]").told().await;
        let (status, code, _) = told.error();
        assert_eq!((status, &*code), (400, "ERR_ACTOR_NO_PLACEMENT"), "{path}");
        assert_eq!(told.header("odeon-actor-execution"), "none");
    }
    // What is wrong with the request itself is said first.
    assert_eq!(rig.ask("POST", "/v1.0/actors/T/a/state").body("{").told().await.status, 400);
    let told = rig.ask("PUT", "/v1.0/actors/dapr.internal.x/a/state").body("[]").told().await;
    assert_eq!(told.status, 403);
    // The host's own actors need no placement.
    let told = rig.ask("PUT", "/v1.0/actors/sys.none/a/method/get").told().await;
    assert_ne!(told.error().1, "ERR_ACTOR_NO_PLACEMENT");

    let mut client = rig.client();
    let opened = client.subscribe_actor_events_alpha1(tokio_stream::pending());
    let refused = opened.await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable);
    assert!(refused.message().starts_with("actors are turned off"), "{refused:?}");
    let request = InvokeActorRequest {
        actor_type: "T".into(),
        actor_id: "a".into(),
        method: "echo".into(),
        ..InvokeActorRequest::default()
    };
    let refused = client.invoke_actor(request).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable);
    assert!(began.elapsed() < std::time::Duration::from_secs(10), "only `sys.none` is waited for");
}

#[tokio::test(start_paused = true)]
async fn health_says_what_is_awaited() {
    let rig = Rig::start().await;
    let get = |path: &'static str| rig.ask("GET", path).told();
    assert_eq!(get("/v1.0/healthz").await.status, 204);
    assert_eq!(get("/v1.0/healthz?appid=app").await.status, 204);
    let told = get("/v1.0/healthz?appid=other").await;
    let text = "dapr app-id does not match".to_owned();
    assert_eq!(told.error(), (500, "ERR_HEALTH_APPID_NOT_MATCH".into(), text));
    assert_eq!(get("/v1.0/healthz/outbound").await.status, 204);
    rig.health.down("placement");
    rig.health.down("app");
    let told = get("/v1.0/healthz").await;
    let text = "dapr is not ready: [app placement]".to_owned();
    assert_eq!(told.error(), (500, "ERR_HEALTH_NOT_READY".into(), text));
    rig.health.set_outbound(false);
    let (status, code, _) = get("/v1.0/healthz/outbound").await.error();
    assert_eq!((status, code.as_str()), (500, "ERR_OUTBOUND_HEALTH_NOT_READY"));
}

#[tokio::test(start_paused = true)]
async fn a_request_to_stop_is_passed_on() {
    let rig = Rig::start().await;
    assert_eq!(rig.ask("POST", "/v1.0/shutdown").body("ignored").told().await.status, 204);
    assert_eq!(rig.shutdown.requested().await, Shutdown::Graceful);
    let ask = rig.ask("POST", "/v1.0/shutdown").header("dapr-force-shutdown", "TRUE");
    assert_eq!(ask.told().await.status, 204);
    assert_eq!(rig.shutdown.requested().await, Shutdown::Force);
}

#[tokio::test(start_paused = true)]
async fn the_token_stands_before_everything_but_health() {
    let rig = Rig::with(|parts| parts.tokens.api = Some("s3cret".into())).await;
    for path in ["/v1.0/metadata", "/nowhere", "/odeon/v1/actors"] {
        for shown in [None, Some("wrong"), Some("")] {
            let ask = rig.ask("GET", path);
            let ask = match shown {
                Some(shown) => ask.header("dapr-api-token", shown),
                None => ask,
            };
            let told = ask.told().await;
            assert_eq!((told.status.as_u16(), told.text()), (401, "invalid api token\n"), "{path}");
            assert_eq!(told.header("content-type"), "text/plain; charset=utf-8");
        }
    }
    for path in ["/v1.0/healthz", "/v1.0/healthz/outbound"] {
        assert_eq!(rig.ask("GET", path).told().await.status, 204);
    }
    let ask = rig.ask("POST", "/v1.0/actors/T/a/method/seen").header("dapr-api-token", "s3cret");
    let told = ask.told().await;
    assert_eq!(told.status, 200);
    assert_eq!(told.json()["headers"].get("dapr-api-token"), None, "it goes no further");
}

async fn preflight(rig: &Rig, origin: &str) -> Told {
    let ask = rig.ask("OPTIONS", "/v1.0/metadata").header("origin", origin);
    let ask = ask.header("access-control-request-method", "PUT");
    ask.header("access-control-request-headers", "x-a").told().await
}

#[tokio::test(start_paused = true)]
async fn pages_of_other_origins_are_answered_as_set() {
    let off = Rig::start().await;
    assert_eq!(preflight(&off, "http://a").await.status, 404);
    let told = off.ask("GET", "/v1.0/metadata").header("origin", "http://a").told().await;
    assert!(!told.headers.contains_key("access-control-allow-origin"));

    let any = Rig::with(|parts| parts.origins = Origins::Any).await;
    let told = preflight(&any, "http://a").await;
    assert_eq!((told.status.as_u16(), told.header("access-control-allow-origin")), (200, "*"));
    assert_eq!(told.header("access-control-allow-methods"), "PUT");
    assert_eq!(told.header("access-control-allow-headers"), "x-a");
    assert!(told.headers.contains_key("vary"));
    let told = any.ask("GET", "/v1.0/metadata").header("origin", "http://a").told().await;
    assert_eq!(told.header("access-control-allow-origin"), "*");
    let told = any.ask("GET", "/v1.0/metadata").told().await;
    assert!(!told.headers.contains_key("access-control-allow-origin"), "only with an origin");

    let listed = Rig::with(|parts| {
        parts.origins = Origins::parse("http://a,http://b");
        parts.tokens.api = Some("t".into());
    })
    .await;
    let told = preflight(&listed, "http://b").await;
    assert_eq!(told.status, 200, "before the token");
    assert_eq!(told.header("access-control-allow-origin"), "http://b");
    let told = preflight(&listed, "http://c").await;
    assert_eq!((told.status.as_u16(), told.header("access-control-allow-origin")), (200, ""));
    assert!(told.headers.contains_key("vary"));
}

#[tokio::test(start_paused = true)]
async fn the_public_port_knows_health_and_metadata_only() {
    let rig = Rig::with(|parts| parts.tokens.api = Some("t".into())).await;
    let door = Door::public(rig.api.clone());
    for (path, status) in [
        ("/v1.0/healthz", 204),
        ("/v1.0/healthz/outbound", 204),
        ("/v1.0/metadata", 200),
        ("/odeon/v1/actors", 404),
        ("/v1.0/actors/T/a/method/echo", 404),
    ] {
        assert_eq!(Ask::new(&door, "GET", path).told().await.status, status, "{path}");
    }
    assert_eq!(Ask::new(&door, "POST", "/v1.0/shutdown").told().await.status, 404);
    assert_eq!(Ask::new(&door, "PUT", "/v1.0/metadata/k").told().await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_move_names_one_place_to_go_in_words_that_are_known() {
    let rig = Rig::start().await;
    rig.engine.offer(vec![HostActor::spec(None).unwrap()]).await.unwrap();
    for (query, expected) in [
        ("back=maybe", "the query's back is \"maybe\"; expected true or false"),
        ("back=false", "to is missing and back is false: expected the name of a host in to"),
        ("to=b:1&back=true", "to is 'b:1' and back is true: expected the name of a host in to"),
    ] {
        let told = rig.ask("POST", &format!("/odeon/v1/actors/T/a/move?{query}")).told().await;
        let message = told.json()["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(told.status, 400, "{query}: {message}");
        assert!(message.contains(expected), "{query}: {message}");
    }
}

#[tokio::test(start_paused = true)]
async fn headers_beyond_the_limit_are_refused() {
    let rig = Rig::start().await;
    let with = |bytes: usize| {
        let value = "x".repeat(bytes);
        rig.ask("GET", "/v1.0/metadata").header("x-long", &value).told()
    };
    assert_eq!(with(6_000).await.status, 200, "4 KiB more than the limit pass");
    assert_eq!(with(9_000).await.status, 431);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_yet_says_what_it_is() {
    let rig = Rig::start().await;
    for (verb, path, what) in [
        ("GET", "/v1.0/invoke/app/method/a/b", "service invocation"),
        ("PATCH", "/v1.0/invoke/app/method", "service invocation"),
        ("POST", "/v1.0/publish/p/a/b", "the pub/sub building block"),
        ("POST", "/v1.0/bindings/b", "output bindings"),
        ("GET", "/v1.0/configuration/s/subscribe", "the configuration building block"),
        ("POST", "/v1.0-beta1/workflows/dapr/w/start", "workflows"),
        ("DELETE", "/v1.0-alpha1/jobs/j", "the jobs building block"),
        ("POST", "/v1.0-alpha1/subtlecrypto/c/sign", "the cryptography building block"),
        ("POST", "/v1.0-alpha2/conversation/c/converse", "the conversation building block"),
    ] {
        let told = rig.ask(verb, path).told().await;
        let text = format!("this API is currently not implemented: {what}");
        assert_eq!(told.error(), (501, "ERR_API_UNIMPLEMENTED".into(), text), "{verb} {path}");
    }
}

#[derive(Debug)]
struct OneOwner;

impl Owners for OneOwner {
    fn owner<'a>(
        &'a self,
        key: &'a TypeKey,
        id: &'a ActorId,
    ) -> BoxFuture<'a, Result<Option<Owner>, String>> {
        let owner = Owner {
            host: HostName::parse("h:1").unwrap(),
            address: "h:2".into(),
            incarnation: Incarnation(7),
            epoch: Epoch { term: 1, n: 2 },
        };
        Box::pin(async move {
            match (key.actor_type.as_str(), id.as_str()) {
                ("T", _) => Ok(Some(owner)),
                ("Away", _) => Err("placement is away".into()),
                _ => Ok(None),
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn our_own_routes_tell_owners_and_types() {
    let rig = Rig::with(|parts| parts.owners = Some(Arc::new(OneOwner))).await;
    let owner =
        |query: &'static str| rig.ask("GET", &format!("/odeon/v1/placement/owner?{query}")).told();
    assert_eq!(
        owner("type=T&id=a%7C%7Cb").await.json(),
        json!({"type": "T", "id": "a||b", "host": "h:1", "address": "h:2",
            "incarnation": "0000000000000007", "epoch": "1.2"})
    );
    for (query, status, code) in [
        ("type=X&id=a", 404, "ERR_ACTOR_NO_ADDRESS"),
        ("type=Away&id=a", 503, "ERR_ACTOR_NO_PLACEMENT"),
        ("type=T", 400, "ERR_BAD_REQUEST"),
        ("", 400, "ERR_BAD_REQUEST"),
        ("type=%ff&id=a", 400, "ERR_BAD_REQUEST"),
        ("type=a/b&id=a", 400, "ERR_BAD_REQUEST"),
    ] {
        let (had, with, _) = owner(query).await.error();
        assert_eq!((had, with.as_str()), (status, code), "{query}");
    }
    let told = rig.ask("GET", "/odeon/v1/actors").told().await.json();
    assert_eq!(told["types"][0]["type"], "T");
    assert_eq!(told["types"][0]["placement"], "ring");
    let without = Rig::start().await;
    let told = without.ask("GET", "/odeon/v1/placement/owner?type=T&id=a").told().await;
    assert_eq!((told.status.as_u16(), told.error().1.as_str()), (503, "ERR_ACTOR_NO_PLACEMENT"));
}
