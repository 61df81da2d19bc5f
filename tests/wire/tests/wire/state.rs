//! State of actors on both wires (http-api.md 8.4, grpc-api.md 3.6).

use std::collections::HashMap;

use odeon_blocks::state::memory::MemoryStore;
use odeon_proto::dapr::runtime::v1::{
    ExecuteActorStateTransactionRequest, GetActorStateRequest, TransactionalActorStateOperation,
};
use odeon_runtime::store::StateStore;
use odeon_test_wire::{Rig, Told};
use tonic::Code;

const STATE: &str = "/v1.0/actors/T/a/state";

async fn activate(rig: &Rig) {
    assert_eq!(rig.ask("POST", "/v1.0/actors/T/a/method/echo").told().await.status, 200);
}

async fn write(rig: &Rig, body: &str) -> Told {
    rig.ask("POST", STATE).body(body.to_owned()).told().await
}

async fn read(rig: &Rig, key: &str) -> Told {
    rig.ask("GET", &format!("{STATE}/{key}")).told().await
}

#[tokio::test(start_paused = true)]
async fn what_is_written_is_read_and_what_is_missing_is_204() {
    let rig = Rig::start().await;
    activate(&rig).await;
    let told = write(
        &rig,
        r#"[{"operation":"upsert","request":{"key":"k","value":{"a": [1, "<x>"]}}},
            {"Operation":"upsert","Request":{"Key":"a%2Fb","Value":null}},
            {"operation":"upsert","request":{"key":"gone","value":1}},
            {"operation":"delete","request":{"key":"gone"}}]"#,
    )
    .await;
    assert_eq!((told.status.as_u16(), told.text()), (204, ""));
    let told = read(&rig, "k").await;
    assert_eq!((told.status.as_u16(), told.text()), (200, r#"{"a":[1,"\u003cx\u003e"]}"#));
    assert_eq!(told.header("content-type"), "application/json");
    assert_eq!(read(&rig, "a%252Fb").await.text(), "null");
    for key in ["gone", "never"] {
        let told = read(&rig, key).await;
        assert_eq!((told.status.as_u16(), told.text()), (204, ""));
    }
    assert_eq!(rig.ask("PUT", STATE).body("[]").told().await.status, 204);
}

#[tokio::test(start_paused = true)]
async fn a_time_to_live_is_shown_and_kept() {
    let rig = Rig::start().await;
    activate(&rig).await;
    for ttl in ["\"5\"", "5"] {
        let body = format!(
            r#"[{{"operation":"upsert","request":{{"key":"k","value":1,"metadata":{{"ttlInSeconds":{ttl}}}}}}}]"#
        );
        assert_eq!(write(&rig, &body).await.status, 204);
        let told = read(&rig, "k").await;
        assert!(told.header("metadata.ttlExpireTime").starts_with("2001-09-09T01:46:"), "{told:?}");
        assert!(told.header("metadata.ttlExpireTime").ends_with('Z'));
    }
    tokio::time::advance(std::time::Duration::from_secs(6)).await;
    assert_eq!(read(&rig, "k").await.status, 204);
    let zero = r#"[{"operation":"upsert","request":{"key":"k","metadata":{"ttlInSeconds":"0"}}}]"#;
    assert_eq!(write(&rig, zero).await.error().1, "ERR_BAD_REQUEST");
    let off = Rig::with(|parts| parts.features.clear()).await;
    activate(&off).await;
    let (status, code, text) = write(&off, zero).await.error();
    assert_eq!((status, code.as_str()), (500, "ERR_ACTOR_STATE_TRANSACTION_SAVE"));
    let wanted = "ttlInSeconds is not supported without the \"ActorStateTTL\" feature enabled";
    assert!(text.ends_with(wanted), "{text}");
}

#[tokio::test(start_paused = true)]
async fn bad_bodies_are_malformed_and_write_nothing() {
    let rig = Rig::start().await;
    activate(&rig).await;
    for body in
        ["", "{", "{}", "[1]", "\"x\"", "[{\"operation\":3}]", "[{\"request\":{\"key\":{}}}]"]
    {
        let (status, code, text) = write(&rig, body).await.error();
        assert_eq!((status, code.as_str()), (400, "ERR_MALFORMED_REQUEST"), "{body}");
        assert!(text.starts_with("failed deserializing HTTP body: "), "{text}");
    }
    let huge = format!("[{}]", "[".repeat(200_000));
    assert_eq!(write(&rig, &huge).await.error().1, "ERR_MALFORMED_REQUEST");
    for (body, status, code) in [
        (
            r#"[{"operation":"merge","request":{"key":"k"}}]"#,
            500,
            "ERR_ACTOR_STATE_TRANSACTION_SAVE",
        ),
        (r#"[{"operation":"upsert","request":{"key":""}}]"#, 400, "ERR_BAD_REQUEST"),
        (r#"[{"operation":"upsert","request":{"key":"__fence"}}]"#, 400, "ERR_BAD_REQUEST"),
        (
            r#"[{"operation":"upsert","request":{"key":"k","value":1}},
                {"operation":"upsert","request":{"key":"k","value":2,"etag":"7777"}}]"#,
            500,
            "ERR_ACTOR_STATE_TRANSACTION_SAVE",
        ),
    ] {
        let (had, with, text) = write(&rig, body).await.error();
        assert_eq!((had, with.as_str()), (status, code), "{body}: {text}");
    }
    assert_eq!(read(&rig, "k").await.status, 204, "nothing was written");
    assert_eq!(read(&rig, "__fence").await.error().1, "ERR_BAD_REQUEST");
    assert_eq!(read(&rig, &"k".repeat(2_049)).await.error().1, "ERR_BAD_REQUEST");
}

#[tokio::test(start_paused = true)]
async fn a_write_wants_an_active_actor_and_a_read_does_not() {
    let rig = Rig::start().await;
    let one = r#"[{"operation":"upsert","request":{"key":"k","value":1}}]"#;
    for body in [one, "[]"] {
        let told = write(&rig, body).await;
        let missing = "ERR_ACTOR_INSTANCE_MISSING".to_owned();
        assert_eq!(told.error(), (400, missing, "actor instance is missing".into()));
    }
    assert_eq!(read(&rig, "k").await.status, 204);
    let path = "/v1.0/actors/dapr.internal.x/a/state";
    let told = rig.ask("POST", path).body("not read").told().await;
    assert_eq!((told.status.as_u16(), told.error().1.as_str()), (403, "ERR_ACTOR_TYPE_RESERVED"));
    let told = rig.ask("GET", &format!("{path}/k")).told().await;
    assert_eq!(told.error().1, "ERR_ACTOR_TYPE_RESERVED");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_told_by_what_was_asked_of_it() {
    let rig = Rig::without_store().await;
    let clock = std::sync::Arc::new(odeon_base::clock::TokioClock::start());
    let entropy = std::sync::Arc::new(odeon_base::Entropy::seeded(2));
    let store = std::sync::Arc::new(MemoryStore::new(clock, entropy));
    rig.engine.use_store(std::sync::Arc::<MemoryStore>::clone(&store));
    activate(&rig).await;
    store.close().await.unwrap();
    let one = r#"[{"operation":"upsert","request":{"key":"k","value":1}}]"#;
    for (told, code) in [
        (read(&rig, "k").await, "ERR_ACTOR_STATE_GET"),
        (write(&rig, one).await, "ERR_ACTOR_STATE_TRANSACTION_SAVE"),
    ] {
        let (status, found, text) = told.error();
        assert_eq!((status, found.as_str()), (500, code), "{text}");
    }
    let get =
        GetActorStateRequest { actor_type: "T".into(), actor_id: "a".into(), key: "k".into() };
    let status = rig.client().get_actor_state(get).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal, "{status}");
}

#[tokio::test(start_paused = true)]
async fn without_a_store_the_text_tells_what_to_set() {
    let rig = Rig::without_store().await;
    for told in [read(&rig, "k").await, write(&rig, "[]").await] {
        let (status, code, text) = told.error();
        assert_eq!((status, code.as_str()), (500, "ERR_ACTOR_RUNTIME_NOT_FOUND"));
        assert!(text.starts_with("the state store is not configured to use the actor runtime"));
    }
}

fn operation(kind: &str, key: &str, metadata: &[(&str, &str)]) -> TransactionalActorStateOperation {
    TransactionalActorStateOperation {
        operation_type: kind.into(),
        key: key.into(),
        value: Some(prost_types::Any { type_url: "ignored".into(), value: b"1 ".to_vec() }),
        metadata: metadata.iter().map(|&(k, v)| (k.into(), v.into())).collect(),
    }
}

fn transaction(
    actor_type: &str,
    operations: Vec<TransactionalActorStateOperation>,
) -> ExecuteActorStateTransactionRequest {
    ExecuteActorStateTransactionRequest {
        actor_type: actor_type.into(),
        actor_id: "a".into(),
        operations,
    }
}

#[tokio::test(start_paused = true)]
async fn grpc_reads_and_writes_the_same_state() {
    let rig = Rig::start().await;
    let mut client = rig.client();
    let get = |key: &str| GetActorStateRequest {
        actor_type: "T".into(),
        actor_id: "a".into(),
        key: key.into(),
    };
    let absent = client.get_actor_state(get("k")).await.unwrap().into_inner();
    assert_eq!((absent.data.len(), absent.metadata), (0, HashMap::new()));
    let inactive = transaction("T", vec![operation("upsert", "k", &[])]);
    let status = client.execute_actor_state_transaction(inactive.clone()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Internal, "actor instance is missing"));
    activate(&rig).await;
    client.execute_actor_state_transaction(inactive).await.unwrap();
    let gone = [operation("upsert", "gone", &[]), operation("delete", "gone", &[])];
    for one in gone {
        client.execute_actor_state_transaction(transaction("T", vec![one])).await.unwrap();
    }
    assert_eq!(client.get_actor_state(get("gone")).await.unwrap().into_inner().data, "");
    let unknown = transaction("T", vec![operation("merge", "k", &[])]);
    let status = client.execute_actor_state_transaction(unknown).await.unwrap_err();
    assert_eq!(status.message(), "operation type merge not supported");
    let ttl = transaction("T", vec![operation("upsert", "t", &[("ttlInSeconds", "9")])]);
    client.execute_actor_state_transaction(ttl).await.unwrap();
    assert_eq!(client.get_actor_state(get("k")).await.unwrap().into_inner().data, "1 ");
    assert_eq!(read(&rig, "k").await.text(), "1 ", "the bytes as they were sent");
    let with_ttl = client.get_actor_state(get("t")).await.unwrap().into_inner();
    assert!(with_ttl.metadata["ttlExpireTime"].starts_with("2001-09-09T01:46:"));
    for (request, code) in [
        (transaction("T", vec![operation("merge", "k", &[])]), Code::Unimplemented),
        (transaction("T", vec![operation("upsert", "", &[])]), Code::InvalidArgument),
        (transaction("T", vec![operation("upsert", "k", &[("etag", "7")])]), Code::Internal),
        (transaction("dapr.internal.x", vec![]), Code::PermissionDenied),
        (transaction("a/b", vec![]), Code::InvalidArgument),
        (transaction("", vec![]), Code::InvalidArgument),
    ] {
        let status = client.execute_actor_state_transaction(request.clone()).await.unwrap_err();
        assert_eq!(status.code(), code, "{request:?}: {status:?}");
    }
    let status = client.get_actor_state(get("")).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

/// Some keys of an actor, two of them not JSON.
async fn with_keys(rig: &Rig) {
    rig.ask("POST", "/v1.0/actors/T/a/method/echo").told().await;
    let upsert = |key: &str| serde_json::json!({"operation":"upsert","request":{"key":key,"value":{"of":key}}});
    let operations: Vec<_> = ["b/1", "b/2", "b/3", "c", "ä"].map(upsert).into();
    let body = serde_json::to_string(&operations).unwrap();
    let told = rig.ask("POST", "/v1.0/actors/T/a/state").body(body).told().await;
    assert_eq!(told.status, 204, "{}", told.text());
    let change = odeon_runtime::Change::set("b/raw", &b"\xff\x00"[..]);
    let actor = odeon_runtime::ActorRef::parse("T", "a").unwrap();
    rig.engine.write_state(&actor, None, vec![change]).await.unwrap();
}

const KEYS: &str = "/odeon/v1/actors/T/a/state";

// ST-6.
#[tokio::test(start_paused = true)]
async fn an_actors_keys_are_listed_by_pages() {
    let rig = Rig::start().await;
    with_keys(&rig).await;
    let rig = &rig;
    let listed = |query: &str| {
        let path = format!("{KEYS}?{query}");
        async move {
            let told = rig.ask("GET", &path).told().await;
            serde_json::from_slice::<serde_json::Value>(&told.body).unwrap()
        }
    };
    let all = listed("").await;
    assert_eq!(
        all,
        serde_json::json!({"keys":[{"key":"b/1"},{"key":"b/2"},{"key":"b/3"},{"key":"b/raw"},{"key":"c"},{"key":"ä"}]})
    );
    let first = listed("prefix=b%2F&limit=3").await;
    assert_eq!((&first["keys"][2]["key"], &first["next"]), (&"b/3".into(), &"b/3".into()));
    let rest = listed("prefix=b%2F&limit=3&after=b%2F3&values=true").await;
    assert_eq!(rest["keys"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&rest["keys"][0]["key"], &rest["keys"][0]["base64"]),
        (&"b/raw".into(), &"/wA=".into())
    );
    assert!(rest["keys"][0].get("value").is_none() && rest.get("next").is_none(), "{rest}");
    let valued = listed("prefix=c&values=true").await;
    assert_eq!(valued["keys"][0]["value"], serde_json::json!({"of":"c"}));
    assert!(valued["keys"][0]["etag"].is_string());
    for query in ["limit=0", "limit=1001", "limit=x", "values=1"] {
        let told = rig.ask("GET", &format!("{KEYS}?{query}")).told().await;
        let (status, code, text) = told.error();
        assert_eq!((status, code.as_str()), (400, "ERR_BAD_REQUEST"), "{query}");
        assert!(text.contains(query.split('=').next().unwrap()), "{text}");
    }
}

// What is no activation is not taken for none.
#[tokio::test(start_paused = true)]
async fn an_activation_that_is_not_ascii_is_refused() {
    let rig = Rig::start().await;
    with_keys(&rig).await;
    let path = "/v1.0/actors/T/a/state/c";
    let told = rig.ask("GET", path).header("odeon-activation", "7.ü").told().await;
    let (status, code, text) = told.error();
    assert_eq!((status, code.as_str()), (400, "ERR_BAD_REQUEST"));
    assert!(text.contains("odeon-activation is"), "{text}");
}

// ST-6.
#[tokio::test(start_paused = true)]
async fn many_keys_are_read_at_once() {
    let rig = Rig::start().await;
    with_keys(&rig).await;
    let path = format!("{KEYS}/bulk");
    let told = rig.ask("POST", &path).body(r#"{"keys":["c","none","b/raw"]}"#).told().await;
    let read: serde_json::Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!(read["keys"][0]["value"], serde_json::json!({"of":"c"}));
    assert_eq!(read["keys"][1], serde_json::json!({"key":"none"}));
    assert_eq!(read["keys"][2]["base64"], "/wA=");
    for (body, code) in [
        (r#"{"keys":["__fence"]}"#, "ERR_BAD_REQUEST"),
        (r#"{"keys":[""]}"#, "ERR_BAD_REQUEST"),
        (r#"{"keys":"a"}"#, "ERR_MALFORMED_REQUEST"),
        (r#"{"names":[]}"#, "ERR_MALFORMED_REQUEST"),
    ] {
        assert_eq!(rig.ask("POST", &path).body(body).told().await.error().1, code, "{body}");
    }
    let many = vec!["k"; 1_001];
    let body = serde_json::to_string(&serde_json::json!({ "keys": many })).unwrap();
    assert_eq!(rig.ask("POST", &path).body(body).told().await.error().1, "ERR_BAD_REQUEST");
}

// ST-6.
#[tokio::test(start_paused = true)]
async fn keys_are_listed_and_read_over_grpc() {
    use odeon_proto::odeon::actors::v1 as proto;
    let rig = Rig::start().await;
    with_keys(&rig).await;
    let mut client =
        proto::actors_client::ActorsClient::new(odeon_test_wire::InProcess(rig.grpc.clone()));
    let (actor_type, actor_id) = ("T".to_owned(), "a".to_owned());
    let page = proto::ListStateRequest {
        actor_type: actor_type.clone(),
        actor_id: actor_id.clone(),
        prefix: "b/".into(),
        after: "b/1".into(),
        limit: 2,
        values: true,
    };
    let listed = client.list_state(page.clone()).await.unwrap().into_inner();
    let keys: Vec<_> = listed.entries.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!((keys, listed.next.as_str()), (vec!["b/2", "b/3"], "b/3"));
    assert_eq!(listed.entries[0].value.as_deref(), Some(&br#"{"of":"b/2"}"#[..]));
    let wrong = proto::ListStateRequest { limit: 1_001, ..page };
    let status = client.list_state(wrong).await.unwrap_err();
    assert!(status.message().contains("limit is 1001; expected 1 to 1000"), "{status}");
    let keys = vec!["none".to_owned(), "c".to_owned()];
    let read = proto::ReadStateRequest { actor_type, actor_id, keys };
    let entries = client.read_state(read).await.unwrap().into_inner().entries;
    assert_eq!((entries[0].value.as_ref(), entries[1].value.is_some()), (None, true));
}
