//! The state API in real processes: what is saved outlives them, and any host answers for it.

use odeon_test_support::{Client, Node, Placement, tempdir, until};
use serde_json::json;

use crate::shop::node;

async fn read(client: &Client, store: &str, key: &str) -> (u16, String) {
    let answer = client.get(&format!("/v1.0/state/{store}/{key}")).await.expect("an answer");
    (answer.status, answer.text())
}

async fn post(client: &Client, path: &str, body: &str) -> u16 {
    let answer = client.post(&format!("/v1.0/state/{path}"), body).await.expect("an answer");
    answer.status
}

#[tokio::test]
async fn what_is_saved_outlives_the_process() {
    let data = tempdir().unwrap();
    let mut first = node(data.path()).start().await;
    let client = first.client();
    let missing = client.get("/v1.0/state/other/k").await.unwrap();
    assert_eq!(
        (missing.status, &missing.json()["errorCode"]),
        (400, &json!("ERR_STATE_STORE_NOT_FOUND"))
    );
    let items =
        r#"[{"key":"a","value":{"n": 1}},{"key":"b/c","value":"x"},{"key":"gone","value":0}]"#;
    assert_eq!(post(&client, "statestore", items).await, 204);
    assert_eq!(client.delete("/v1.0/state/statestore/gone").await.unwrap().status, 204);
    let both = r#"{"operations":[{"operation":"upsert","request":{"key":"d","value":4}},
                   {"operation":"delete","request":{"key":"b/c"}}]}"#;
    assert_eq!(post(&client, "statestore/transaction", both).await, 204);
    first.process.kill();
    first.process.ended().await;

    let second = node(data.path()).start().await;
    let client = second.client();
    let body = r#"{"keys":["gone","a","b/c","d"]}"#;
    let told = client.post("/v1.0/state/statestore/bulk", body).await.unwrap().json();
    let values: Vec<_> = told.as_array().unwrap().iter().map(|item| &item["data"]).collect();
    assert_eq!(values, [&json!(null), &json!({"n": 1}), &json!(null), &json!(4)]);
    // The system actor in front of the store knows the same keys by the same names.
    let path = "/v1.0/actors/sys.state/statestore/method/get";
    let told = client.post(path, r#"{"key":"a"}"#).await.unwrap();
    assert_eq!((told.status, &*told.text()), (200, r#"{"n":1}"#));
}

#[tokio::test]
async fn every_host_answers_for_a_store_that_one_of_them_holds() {
    let data = tempdir().unwrap();
    let placement = Placement::builder(data.path().join("placement"));
    let placement = placement.words(&["--new-cluster", "--lease", "3s"]).start().await;
    let host = || {
        Node::builder(data.path().join("shared"))
            .joining(&placement.address(), "shop")
            .store(&data.path().join("resources"), "state.sled")
    };
    let holder = host().start().await;
    let mut other = host().start().await;
    other.process.line("is open in another process").await;
    let client = other.client();
    assert_eq!(
        post(&client, "store", r#"[{"key":"k","value":1},{"key":"l","value":2}]"#).await,
        204
    );
    assert_eq!(read(&holder.client(), "store", "k").await, (200, "1".to_owned()));
    let again = r#"[{"key":"k","value":9,"options":{"concurrency":"first-write"}}]"#;
    assert_eq!(post(&client, "store", again).await, 409);
    holder.process.kill();
    until("the other host has taken the store over", || async {
        (read(&client, "store", "l").await == (200, "2".to_owned())).then_some(())
    })
    .await;
}
