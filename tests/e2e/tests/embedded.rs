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
