//! A host inside a program, with actors in the same process.

use odeon_host::{Builder, Host};
use odeon_sdk::{Client, actors};
use odeon_test_e2e::Counter;
use odeon_test_support::tempdir;

use crate::shop::call;

async fn host(data: &std::path::Path) -> Host {
    let host = Builder::new("shop").data_dir(data).http_port(0).grpc_port(0).without_metrics();
    let host = host.actors(actors![Counter]).start().await.expect("a host");
    host.ready().await;
    host
}

#[tokio::test]
async fn its_actors_are_called_in_process_and_over_the_wire_and_keep_their_state() {
    let data = tempdir().unwrap();
    let first = host(data.path()).await;
    let embedded = Client::embedded(first.engine().clone());
    assert_eq!(embedded.actor::<Counter>("c").unwrap().add(2).await.unwrap(), 2);
    let wire = odeon_test_support::Client::new(first.addresses().http[0].port());
    assert_eq!(call(&wire, "c", "add", "3").await, Some(5));
    drop(embedded);
    first.stop().await.unwrap();
    assert_eq!(call(&wire, "c", "value", "").await, None, "the door is closed");

    let second = host(data.path()).await;
    let embedded = Client::embedded(second.engine().clone());
    assert_eq!(embedded.actor::<Counter>("c").unwrap().value().await.unwrap(), 5);
    drop(embedded);
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_wrong_setting_is_an_error_and_not_an_exit() {
    let error = Builder::new("shop").setting("log-level", "loud").start().await.unwrap_err();
    assert_eq!(error.to_string(), "--log-level: 'loud' is not debug, info, warn, error or fatal");
}

/// A value that one application stored under a key, as another finds it.
async fn found_by_another(key_prefix: &str) -> String {
    let (data, files) = (tempdir().expect("a folder"), tempdir().expect("a folder"));
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: store\nspec:\n  type: state.sled\n  version: v1\n  metadata:\n  - name: KeyPrefix\n    value: \"{key_prefix}\"\n"
    );
    std::fs::write(files.path().join("store.yaml"), text).expect("the folder is ours");
    let mut found = String::new();
    for (app, method, body) in
        [("one", "set", r#"[{"key":"k","value":"v"}]"#), ("two", "get", r#"{"key":"k"}"#)]
    {
        let host = Builder::new(app).data_dir(data.path()).resources(files.path());
        let host = host.http_port(0).grpc_port(0).without_metrics().start().await.expect("a host");
        host.ready().await;
        let wire = odeon_test_support::Client::new(host.addresses().http[0].port());
        let path = format!("/v1.0/actors/sys.state/store/method/{method}");
        let answer = wire.put(&path, body).await.expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        found = answer.text();
        host.stop().await.expect("a host that stops");
    }
    found
}

#[tokio::test]
async fn a_components_key_prefix_says_who_shares_its_keys() {
    for (key_prefix, found) in [("", ""), ("appid", ""), ("none", "\"v\""), ("Shared", "\"v\"")] {
        assert_eq!(found_by_another(key_prefix).await, found, "{key_prefix}");
    }
}
