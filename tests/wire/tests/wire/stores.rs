//! The state building block on both wires: http-api.md 4, grpc-api.md 2.2, 3.2.

use std::sync::Arc;

use odeon_base::clock::TokioClock;
use odeon_base::{AppId, Entropy};
use odeon_blocks::state::actor::{Component, Reach};
use odeon_blocks::state::memory::MemoryStore;
use odeon_blocks::state::stores::Store;
use odeon_blocks::state::{Prefixes, StateActor, StateHandle};
use odeon_runtime::store::StateStore;
use odeon_test_wire::{APP, Rig, Told};
use serde_json::json;

/// A host with two stores: `s` puts `app||` before keys, `bare` nothing.
async fn start() -> (Rig, Arc<MemoryStore>) {
    let clock = Arc::new(TokioClock::start());
    let app = AppId::parse(APP).unwrap();
    let made: Vec<_> = [("s", "app||"), ("bare", "")]
        .into_iter()
        .map(|(name, prefix)| {
            let entropy = Arc::new(Entropy::seeded(5));
            (name, Arc::<str>::from(prefix), Arc::new(MemoryStore::new(clock.clone(), entropy)))
        })
        .collect();
    let rig = Rig::with(|parts| {
        let stores = made.iter().map(|(name, prefix, store)| {
            let handle = StateHandle::new(&parts.engine, name, store.capabilities()).unwrap();
            ((*name).to_owned(), Store::new(Arc::new(handle), Arc::clone(prefix)))
        });
        parts.stores = stores.collect();
    })
    .await;
    for (name, plain, store) in &made {
        let prefixes = Prefixes { plain: Arc::clone(plain), actors: "app".into() };
        let component = Component { store: Arc::clone(store) as Arc<dyn StateStore>, prefixes };
        let spec = StateActor::spec(&app, name, component, Reach::Local).unwrap();
        rig.engine.offer(vec![spec]).await.unwrap();
    }
    let (_, _, store) = made.into_iter().next().unwrap();
    (rig, store)
}

async fn post(rig: &Rig, path: &str, body: &str) -> Told {
    rig.ask("POST", &format!("/v1.0/state/{path}")).body(body.to_owned()).told().await
}

async fn get(rig: &Rig, path: &str) -> Told {
    rig.ask("GET", &format!("/v1.0/state/{path}")).told().await
}

#[tokio::test(start_paused = true)]
async fn what_is_saved_is_read_with_its_etag_and_gone_when_deleted() {
    let (rig, store) = start().await;
    let body = r#"[{"key":"k","value":{"a": [1, "<x>"]}},{"Key":"a/b","Value":"t","contentType":"text/plain"},
                   {"key":"n"},{"key":"bulk","value":7}] and more"#;
    let told = post(&rig, "s", body).await;
    assert_eq!((told.status.as_u16(), told.text()), (204, ""));
    let first = get(&rig, "s/k?consistency=strong").await;
    assert_eq!((first.status.as_u16(), first.text()), (200, r#"{"a":[1,"\u003cx\u003e"]}"#));
    assert_eq!(first.header("content-type"), "application/json");
    assert!(!first.header("etag").is_empty() && !first.header("etag").contains('"'));
    for (key, value) in [("a%2Fb", "\"t\""), ("n", "null"), ("bulk", "7")] {
        assert_eq!(get(&rig, &format!("s/{key}")).await.text(), value, "{key}");
    }
    let stored = store.get(&odeon_runtime::store::Key::Plain("app||k".into())).await.unwrap();
    assert_eq!(&*stored.unwrap().etag, first.header("etag"));
    for told in [get(&rig, "s/never").await, get(&rig, "bare/k").await] {
        assert_eq!((told.status.as_u16(), told.text(), told.header("etag")), (204, "", ""));
    }
    for _ in 0..2 {
        let told = rig.ask("DELETE", "/v1.0/state/s/k").body("ignored").told().await;
        assert_eq!((told.status.as_u16(), told.text()), (204, ""));
    }
    assert_eq!(get(&rig, "s/k").await.status, 204);
    for body in ["[]", "null"] {
        let told = rig.ask("PUT", "/v1.0/state/s").body(body).told().await;
        assert_eq!(told.status, 204, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_may_ask_for_an_etag_or_for_nothing_to_be_there() {
    let (rig, _) = start().await;
    let saved = async |request: &str| post(&rig, "s", &format!("[{request}]")).await;
    assert_eq!(saved(r#"{"key":"k","value":1,"etag":""}"#).await.status, 204);
    let etag = get(&rig, "s/k").await.header("etag").to_owned();
    let text = "failed saving state in state store s: possible etag mismatch for key 'k'";
    let conflict = (409, "ERR_STATE_SAVE".to_owned(), text.to_owned());
    for request in [
        r#"{"key":"k","value":2,"etag":"other"}"#,
        r#"{"key":"k","value":2,"Options":{"Concurrency":"first-write","consistency":"eventual"}}"#,
    ] {
        let told = saved(request).await;
        assert_eq!(told.error(), conflict, "{request}");
        assert_eq!(told.json().get("details"), None, "{request}");
    }
    let several = r#"{"key":"k","value":2,"etag":"x"},{"key":"l","value":2,"etag":"x"}"#;
    let told = saved(several).await;
    let text = "failed saving state in state store s: possible etag mismatch for key 'k'\n\
                possible etag mismatch for key 'l'";
    assert_eq!(told.error(), (409, "ERR_STATE_SAVE".into(), text.into()));
    let told = saved(r#"{"key":"k","value":2,"etag":"x"},{"key":"m","value":3}"#).await;
    assert_eq!(told.status, 409);
    assert_eq!(get(&rig, "s/m").await.text(), "3", "the others are written");
    assert_eq!(saved(&format!(r#"{{"key":"k","value":4,"etag":"{etag}"}}"#)).await.status, 204);
    let last = r#"{"key":"k","value":5,"etag":"x","options":{"concurrency":"last-write"}}"#;
    assert_eq!(saved(last).await.status, 204);

    let delete = async |query: &str, etag: &str| {
        let ask = rig.ask("DELETE", &format!("/v1.0/state/s/k{query}"));
        ask.header("If-Match", etag).told().await
    };
    let text = "failed deleting state with key k: possible etag mismatch for key 'k'";
    assert_eq!(delete("", &etag).await.error(), (409, "ERR_STATE_DELETE".into(), text.into()));
    assert_eq!(delete("?concurrency=last-write", "x").await.status, 204);
    assert_eq!(delete("", &etag).await.status, 409, "what is gone has no ETag");
    let told = rig.ask("DELETE", "/v1.0/state/s/m?concurrency=first-write").told().await;
    assert_eq!(told.status, 204);
}

#[tokio::test(start_paused = true)]
async fn a_time_to_live_is_shown_and_kept_and_cleared() {
    let (rig, _) = start().await;
    let item =
        |ttl: &str| format!(r#"[{{"key":"k","value":1,"metadata":{{"ttlInSeconds":{ttl}}}}}]"#);
    // 1.3: of two items of one name in the query the first counts.
    let twice = "s?metadata.ttlInSeconds=5&metadata.ttlInSeconds=900";
    for (path, body) in [
        ("s", item("\"5\"")),
        ("s?metadata.ttlInSeconds=5", item("\"900\"")),
        (twice, item("\"900\"")),
    ] {
        assert_eq!(post(&rig, path, &body).await.status, 204);
        let told = get(&rig, "s/k").await;
        let at = told.header("metadata.ttlExpireTime").to_owned();
        assert!(at.len() == 20 && at.ends_with('Z'), "{at}");
        let told = post(&rig, "s/bulk", r#"{"keys":["k"]}"#).await.json();
        assert_eq!(told[0]["metadata"], json!({"ttlExpireTime": at}));
        tokio::time::sleep(std::time::Duration::from_secs(6)).await;
        assert_eq!(get(&rig, "s/k").await.status, 204, "{path}");
    }
    for body in [r#"[{"key":"k","value":1}]"#.to_owned(), item("\"-1\""), item("\"-2\"")] {
        assert_eq!(post(&rig, "s?metadata.ttlInSeconds=9", &item("\"9\"")).await.status, 204);
        assert_eq!(post(&rig, "s", &body).await.status, 204);
        let told = get(&rig, "s/k").await;
        assert_eq!((told.status.as_u16(), told.header("metadata.ttlExpireTime")), (200, ""));
    }
    let told = post(&rig, "s", &item("\"soon\"")).await;
    let text = "failed saving state in state store s: metadata.ttlInSeconds 'soon' is not a number of seconds";
    assert_eq!(told.error(), (500, "ERR_STATE_SAVE".into(), text.into()));
}

#[tokio::test(start_paused = true)]
async fn many_keys_are_read_in_the_order_asked() {
    let (rig, _) = start().await;
    assert_eq!(
        post(&rig, "s", r#"[{"key":"a","value":[1]},{"key":"b","value":2}]"#).await.status,
        204
    );
    let etag = get(&rig, "s/b").await.header("etag").to_owned();
    let long = "x".repeat(9_000);
    let body = json!({"keys": ["b", "none", long, "b"], "parallelism": 10, "metadata": {"x": "y"}});
    let told = rig.ask("PUT", "/v1.0/state/s/bulk").body(body.to_string()).told().await;
    let error = "the key has 9005 bytes; at most 8192 are allowed";
    assert_eq!(
        told.json(),
        json!([{"key": "b", "data": 2, "etag": etag}, {"key": "none"}, {"key": long, "error": error},
            {"key": "b", "data": 2, "etag": etag}])
    );
    for body in [r#"{"keys":[]}"#, "{}"] {
        let told = post(&rig, "s/bulk", body).await;
        assert_eq!((told.status.as_u16(), told.text()), (200, "[]"), "{body}");
    }
    let read = rig.ask("GET", &format!("/v1.0/state/s/{long}")).told().await;
    assert_eq!(read.error().1, "ERR_STATE_GET");
    assert!(read.error().2.starts_with(&format!("fail to get {long} from state store s: ")));
}

#[tokio::test(start_paused = true)]
async fn a_transaction_is_all_or_nothing() {
    let (rig, _) = start().await;
    let upsert = |key: &str, value: u8, etag: &str| {
        format!(
            r#"{{"operation":"upsert","request":{{"key":"{key}","value":{value},"etag":"{etag}"}}}}"#
        )
    };
    let transact = async |path: &str, operations: &str| {
        let body = format!(r#"{{"operations":[{operations}],"metadata":{{"partitionKey":"p"}}}}"#);
        post(&rig, &format!("s/transaction{path}"), &body).await
    };
    let both = format!("{},{}", upsert("a", 1, ""), upsert("b", 2, ""));
    assert_eq!(transact("?metadata.ttlInSeconds=5", &both).await.status, 204);
    assert_eq!(get(&rig, "s/b").await.header("metadata.ttlExpireTime").len(), 20);
    let etag = get(&rig, "s/a").await.header("etag").to_owned();
    let delete = r#"{"operation":"delete","request":{"key":"b"}}"#;
    let told = transact("", &format!("{delete},{}", upsert("a", 3, "x"))).await;
    let text = "error while executing state transaction: possible etag mismatch for key 'a'";
    assert_eq!(told.error(), (500, "ERR_STATE_TRANSACTION".into(), text.into()));
    assert_eq!(get(&rig, "s/b").await.text(), "2");
    assert_eq!(transact("", &format!("{delete},{}", upsert("a", 3, &etag))).await.status, 204);
    assert_eq!((get(&rig, "s/a").await.text(), get(&rig, "s/b").await.status.as_u16()), ("3", 204));
    let told = transact("", r#"{"operation":"merge","request":{"key":"a"}}"#).await;
    let text = "operation type merge not supported";
    assert_eq!(told.error(), (400, "ERR_NOT_SUPPORTED_STATE_OPERATION".into(), text.into()));
    for body in [r#"{"operations":[]}"#, "{}"] {
        assert_eq!(post(&rig, "s/transaction", body).await.status, 204, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn bad_bodies_are_malformed_and_write_nothing() {
    let (rig, _) = start().await;
    for (path, body, text) in [
        ("s", r#"[{"value":1}]"#, "\"key\" is a required field"),
        ("s", "{}", "expected a sequence"),
        ("s", "[", "EOF"),
        ("s", "", "EOF"),
        ("s", r#"[{"key":"k","etag":1}]"#, "etag"),
        ("s", r#"[{"key":1}]"#, "key"),
        ("s", r#"[{"key":"k","options":{"concurrency":1}}]"#, "concurrency"),
        ("s/bulk", "[]", "expected an object"),
        ("s/bulk", r#"{"keys":"k"}"#, "keys"),
        ("s/bulk", r#"{"parallelism":"1"}"#, "parallelism"),
        ("s/transaction", r#"{"operations":{}}"#, "expected a sequence"),
        (
            "s/transaction",
            r#"{"operations":[{"operation":"upsert"}]}"#,
            "\"key\" is a required field",
        ),
    ] {
        let (status, code, message) = post(&rig, path, body).await.error();
        assert_eq!((status, &*code), (400, "ERR_MALFORMED_REQUEST"), "{path} {body}");
        assert!(message.starts_with("failed deserializing HTTP body: "), "{message}");
        assert!(message.contains(text), "{path} {body}: {message}");
    }
    assert_eq!(get(&rig, "s/k").await.status, 204);
}

#[tokio::test(start_paused = true)]
async fn stores_and_keys_that_cannot_be_are_told_with_details() {
    let (rig, _) = start().await;
    let bare = Rig::start().await;
    let info = |reason: &str, metadata: serde_json::Value| {
        json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason,
            "domain": "dapr.io", "metadata": metadata})
    };
    let resource = |text: &str| {
        json!({"@type": "type.googleapis.com/google.rpc.ResourceInfo", "resource_type": "state",
            "resource_name": "s", "owner": "", "description": text})
    };
    let app = json!({"appID": "app"});
    for (verb, path) in [
        ("GET", "state/x/k"),
        ("DELETE", "state/x/k"),
        ("POST", "state/x"),
        ("PUT", "state/x/bulk"),
        ("POST", "state/x/transaction"),
    ] {
        let path = format!("/v1.0/{path}");
        let told = rig.ask(verb, &path).body("}").told().await;
        let text = "state store x is not found".to_owned();
        assert_eq!(told.error(), (400, "ERR_STATE_STORE_NOT_FOUND".into(), text), "{path}");
        assert_eq!(told.json()["details"], json!([info("DAPR_STATE_NOT_FOUND", app.clone())]));
        let told = bare.ask(verb, &path).body("}").told().await;
        let text = "state store x is not configured".to_owned();
        assert_eq!(told.error(), (500, "ERR_STATE_STORE_NOT_CONFIGURED".into(), text), "{path}");
        assert_eq!(told.json()["details"], json!([info("DAPR_STATE_NOT_CONFIGURED", app.clone())]));
    }
    let text = "input key/keyPrefix 'a||b' can't contain '||'";
    let wrong = r#"{"key":"a||b","value":1}"#;
    for told in [
        get(&rig, "s/a%7C%7Cb").await,
        rig.ask("DELETE", "/v1.0/state/s/a%7C%7Cb").told().await,
        post(&rig, "s", &format!(r#"[{{"key":"k"}},{wrong}]"#)).await,
        post(&rig, "s/bulk", r#"{"keys":["k","a||b"]}"#).await,
        post(
            &rig,
            "s/transaction",
            &format!(r#"{{"operations":[{{"operation":"upsert","request":{wrong}}}]}}"#),
        )
        .await,
    ] {
        assert_eq!(told.error(), (400, "ERR_MALFORMED_REQUEST".into(), text.into()));
        let bad = json!({"@type": "type.googleapis.com/google.rpc.BadRequest",
            "field_violations": [{"field": "a||b", "description": text}]});
        let details = json!([info("DAPR_STATE_ILLEGAL_KEY", json!(null)), resource(text), bad]);
        assert_eq!(told.json()["details"], details);
    }
    assert_eq!(get(&rig, "s/k").await.status, 204, "nothing was written");
    let told = rig.ask("PUT", "/v1.0-alpha1/state/s/query").body("}").told().await;
    let text = "state store does not support querying";
    assert_eq!(told.error(), (500, "ERR_STATE_STORE_NOT_SUPPORTED".into(), text.into()));
    let reason = info("DAPR_STATE_QUERYING_NOT_SUPPORTED", json!(null));
    assert_eq!(told.json()["details"], json!([reason, resource(text)]));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_told_by_what_was_asked_of_it() {
    let (rig, store) = start().await;
    store.close().await.unwrap();
    let why = "the state store is unavailable: the store is closed";
    for (told, code, text) in [
        (get(&rig, "s/k").await, "ERR_STATE_GET", "fail to get k from state store s"),
        (
            post(&rig, "s", r#"[{"key":"k"}]"#).await,
            "ERR_STATE_SAVE",
            "failed saving state in state store s",
        ),
        (
            rig.ask("DELETE", "/v1.0/state/s/k").told().await,
            "ERR_STATE_DELETE",
            "failed deleting state with key k",
        ),
        (
            post(&rig, "s/bulk", r#"{"keys":["k"]}"#).await,
            "ERR_STATE_BULK_GET",
            "failed reading keys of state store s",
        ),
        (
            post(
                &rig,
                "s/transaction",
                r#"{"operations":[{"operation":"delete","request":{"key":"k"}}]}"#,
            )
            .await,
            "ERR_STATE_TRANSACTION",
            "error while executing state transaction",
        ),
    ] {
        assert_eq!(told.error(), (500, code.to_owned(), format!("{text}: {why}")));
    }
}

mod grpc {
    use std::collections::HashMap;

    use odeon_proto::dapr::common::v1::state_options::StateConcurrency;
    use odeon_proto::dapr::common::v1::{Etag, StateItem, StateOptions};
    use odeon_proto::dapr::runtime::v1::*;
    use prost::Message;
    use tonic::{Code, Status};
    use tonic_types::{ErrorDetail, StatusExt, pb};

    use super::{Rig, StateStore, get, start};

    /// The reason, its metadata, and the kinds of all details.
    fn details(status: &Status) -> (String, HashMap<String, String>, Vec<&'static str>) {
        let told = pb::Status::decode(status.details()).unwrap();
        assert_eq!((told.code, &*told.message), (status.code() as i32, status.message()));
        let all = status.check_error_details_vec().unwrap();
        let kinds = all.iter().map(|one| match one {
            ErrorDetail::ErrorInfo(_) => "ErrorInfo",
            ErrorDetail::ResourceInfo(_) => "ResourceInfo",
            ErrorDetail::BadRequest(_) => "BadRequest",
            other => panic!("{other:?}"),
        });
        let kinds = kinds.collect();
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.domain, "dapr.io");
        (info.reason, info.metadata, kinds)
    }

    fn item(key: &str, value: &str, etag: Option<&str>) -> StateItem {
        StateItem {
            key: key.to_owned(),
            value: value.as_bytes().to_vec().into(),
            etag: etag.map(|etag| Etag { value: etag.to_owned() }),
            ..StateItem::default()
        }
    }

    fn ttl(item: StateItem) -> StateItem {
        StateItem { metadata: [("ttlInSeconds".to_owned(), "5".to_owned())].into(), ..item }
    }

    fn save(store: &str, states: Vec<StateItem>) -> SaveStateRequest {
        SaveStateRequest { store_name: store.to_owned(), states }
    }

    async fn read(rig: &Rig, key: &str) -> GetStateResponse {
        let request = GetStateRequest {
            store_name: "s".to_owned(),
            key: key.to_owned(),
            ..GetStateRequest::default()
        };
        rig.client().get_state(request).await.unwrap().into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_saved_is_read_and_gone_when_deleted() {
        let (rig, _) = start().await;
        let mut client = rig.client();
        let first = StateOptions {
            concurrency: StateConcurrency::ConcurrencyFirstWrite.into(),
            ..StateOptions::default()
        };
        let states = vec![
            StateItem { options: Some(first), ..item("a", "\u{0}raw", None) },
            ttl(item("b", "[1 ]", Some(""))),
            item("empty", "", None),
        ];
        client.save_state(save("s", states)).await.unwrap();
        client.save_state(save("s", Vec::new())).await.unwrap();
        let told = read(&rig, "a").await;
        assert_eq!((&*told.data, told.metadata.len()), (&b"\0raw"[..], 0));
        assert_eq!(get(&rig, "s/a").await.header("etag"), told.etag);
        assert_eq!(read(&rig, "b").await.metadata["ttlExpireTime"].len(), 20);
        assert_eq!(read(&rig, "never").await, GetStateResponse::default());
        let empty = get(&rig, "s/empty").await;
        assert_eq!((empty.status.as_u16(), empty.text()), (200, ""), "a value of no bytes is one");

        let again = StateItem { options: Some(first), ..item("a", "2", None) };
        let status = client.save_state(save("s", vec![again])).await.unwrap_err();
        assert_eq!(status.code(), Code::Aborted);
        let text = "failed saving state in state store s: possible etag mismatch for key 'a'";
        assert_eq!(status.message(), text);
        assert_eq!(details(&status).0, "ERR_STATE_SAVE");
        let delete = |etag: Option<&str>| DeleteStateRequest {
            store_name: "s".to_owned(),
            key: "a".to_owned(),
            etag: etag.map(|etag| Etag { value: etag.to_owned() }),
            ..DeleteStateRequest::default()
        };
        let status = client.delete_state(delete(Some("x"))).await.unwrap_err();
        assert_eq!((status.code(), &*details(&status).0), (Code::Aborted, "ERR_STATE_DELETE"));
        client.delete_state(delete(Some(&told.etag))).await.unwrap();
        client.delete_state(delete(None)).await.unwrap();
        let bulk = |states| DeleteBulkStateRequest { store_name: "s".to_owned(), states };
        let both = vec![item("b", "", Some("x")), item("empty", "", None)];
        let status = client.delete_bulk_state(bulk(both)).await.unwrap_err();
        assert_eq!((status.code(), &*details(&status).0), (Code::Aborted, "ERR_STATE_BULK_DELETE"));
        assert_eq!(get(&rig, "s/empty").await.status, 204, "the others are deleted");
        client.delete_bulk_state(bulk(vec![item("b", "", None)])).await.unwrap();
        assert_eq!(get(&rig, "s/b").await.status, 204);
    }

    #[tokio::test(start_paused = true)]
    async fn one_bad_key_spoils_no_other() {
        let (rig, _) = start().await;
        rig.client().save_state(save("s", vec![ttl(item("a", "1", None))])).await.unwrap();
        let request = |keys: &[&str]| GetBulkStateRequest {
            store_name: "s".to_owned(),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            parallelism: 2,
            ..GetBulkStateRequest::default()
        };
        let long = "x".repeat(9_000);
        let told = rig.client().get_bulk_state(request(&["none", &long, "a"])).await.unwrap();
        let items = told.into_inner().items;
        assert_eq!(items[0], BulkStateItem { key: "none".to_owned(), ..Default::default() });
        assert!(items[1].error.contains("9005 bytes") && items[1].data.is_empty());
        assert_eq!((&*items[2].data, &*items[2].error), (&b"1"[..], ""));
        assert!(!items[2].etag.is_empty() && items[2].metadata.contains_key("ttlExpireTime"));
        let none = rig.client().get_bulk_state(request(&[])).await.unwrap().into_inner();
        assert_eq!(none.items, []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_transaction_is_all_or_nothing() {
        let (rig, _) = start().await;
        let request = |operations: Vec<(&str, StateItem)>| ExecuteStateTransactionRequest {
            store_name: "s".to_owned(),
            operations: operations
                .into_iter()
                .map(|(kind, item)| TransactionalStateOperation {
                    operation_type: kind.to_owned(),
                    request: Some(item),
                })
                .collect(),
            ..ExecuteStateTransactionRequest::default()
        };
        let mut client = rig.client();
        let both = vec![("upsert", item("a", "1", None)), ("upsert", item("b", "2", None))];
        client.execute_state_transaction(request(both)).await.unwrap();
        client.execute_state_transaction(request(Vec::new())).await.unwrap();
        for (operations, code, reason) in [
            (
                vec![("delete", item("b", "", None)), ("upsert", item("a", "3", Some("x")))],
                Code::Internal,
                "ERR_STATE_TRANSACTION",
            ),
            (
                vec![("merge", item("b", "", None))],
                Code::Unimplemented,
                "ERR_NOT_SUPPORTED_STATE_OPERATION",
            ),
            (vec![("upsert", item("", "", None))], Code::InvalidArgument, "ERR_STATE_TRANSACTION"),
        ] {
            let status = client.execute_state_transaction(request(operations)).await.unwrap_err();
            assert_eq!((status.code(), &*details(&status).0), (code, reason));
        }
        let many = vec![("delete", item("b", "", None)); 100_001];
        let status = client.execute_state_transaction(request(many)).await.unwrap_err();
        let (reason, metadata, kinds) = details(&status);
        assert_eq!(
            (status.code(), &*reason),
            (Code::InvalidArgument, "DAPR_STATE_TOO_MANY_TRANSACTIONS")
        );
        assert_eq!(
            (&*metadata["currentOpsTransaction"], &*metadata["maxOpsPerTransaction"]),
            ("100001", "100000")
        );
        assert_eq!(kinds, ["ErrorInfo", "ResourceInfo"]);
        assert_eq!(&*read(&rig, "b").await.data, b"2");
        client
            .execute_state_transaction(request(vec![("delete", item("b", "", None))]))
            .await
            .unwrap();
        assert_eq!(get(&rig, "s/b").await.status, 204);
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_is_told_with_details() {
        let (rig, store) = start().await;
        let bare = Rig::start().await;
        let info = || vec!["ErrorInfo"];
        for (rig, code, reason, text) in [
            (&bare, Code::FailedPrecondition, "DAPR_STATE_NOT_CONFIGURED", "configured"),
            (&rig, Code::InvalidArgument, "DAPR_STATE_NOT_FOUND", "found"),
        ] {
            let status = rig.client().save_state(save("x", Vec::new())).await.unwrap_err();
            let told = (status.code(), status.message().to_owned());
            assert_eq!(told, (code, format!("state store x is not {text}")));
            let app = HashMap::from([("appID".to_owned(), "app".to_owned())]);
            assert_eq!(details(&status), (reason.to_owned(), app, info()));
        }
        let bad = save("s", vec![item("a||b", "1", None)]);
        let status = rig.client().save_state(bad).await.unwrap_err();
        assert_eq!(status.message(), "input key/keyPrefix 'a||b' can't contain '||'");
        let (reason, _, kinds) = details(&status);
        assert_eq!((status.code(), &*reason), (Code::InvalidArgument, "DAPR_STATE_ILLEGAL_KEY"));
        assert_eq!(kinds, ["ErrorInfo", "ResourceInfo", "BadRequest"]);
        let query = QueryStateRequest { store_name: "s".to_owned(), ..Default::default() };
        let status = rig.client().query_state_alpha1(query).await.unwrap_err();
        assert_eq!(status.message(), "state store does not support querying");
        let (reason, _, kinds) = details(&status);
        let expected = (Code::Internal, "DAPR_STATE_QUERYING_NOT_SUPPORTED");
        assert_eq!((status.code(), &*reason), expected);
        assert_eq!(kinds, ["ErrorInfo", "ResourceInfo"]);
        let status =
            rig.client().save_state(save("s", vec![item("", "1", None)])).await.unwrap_err();
        assert_eq!(status.message(), "\"key\" is a required field");
        let told = (status.code(), details(&status).0);
        assert_eq!(told, (Code::InvalidArgument, "ERR_STATE_SAVE".to_owned()));
        let metadata = [("contentType".to_owned(), "application/json".to_owned())];
        let json =
            |value| StateItem { metadata: metadata.clone().into(), ..item("k", value, None) };
        rig.client().save_state(save("s", vec![json("[1 ]")])).await.unwrap();
        let status = rig.client().save_state(save("s", vec![json("[1")])).await.unwrap_err();
        assert_eq!((status.code(), &*read(&rig, "k").await.data), (Code::Unknown, &b"[1 ]"[..]));

        store.close().await.unwrap();
        let asked = GetStateRequest { store_name: "s".to_owned(), ..Default::default() };
        let status = rig.client().get_state(asked).await.unwrap_err();
        assert_eq!((status.code(), &*details(&status).0), (Code::Internal, "ERR_STATE_GET"));
        let keys = vec!["k".to_owned()];
        let asked = GetBulkStateRequest { store_name: "s".to_owned(), keys, ..Default::default() };
        let status = rig.client().get_bulk_state(asked).await.unwrap_err();
        assert_eq!((status.code(), &*details(&status).0), (Code::Internal, "ERR_STATE_BULK_GET"));
    }
}
