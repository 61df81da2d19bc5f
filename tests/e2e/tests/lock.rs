//! Locks in real processes: they outlive them, and any host answers for them.

use std::path::Path;

use odeon_test_support::{Client, Node, Placement, tempdir, until};

use crate::shop::node;

fn write(folder: &Path) {
    std::fs::create_dir_all(folder).expect("the folder is ours");
    let text = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: locks}\nspec:\n  \
                type: lock.sled\n  version: v1\n  metadata: []\n";
    std::fs::write(folder.join("locks.yaml"), text).expect("the folder is ours");
}

async fn ask(client: &Client, verb: &str, owner: &str) -> (u16, String) {
    let body = format!(r#"{{"resourceId":"r","lockOwner":"{owner}","expiryInSeconds":3600}}"#);
    let answer =
        client.post(&format!("/v1.0-alpha1/{verb}/locks"), &body).await.expect("an answer");
    (answer.status, answer.text())
}

fn ok(text: &str) -> (u16, String) {
    (200, text.to_owned())
}

#[tokio::test]
async fn a_lock_outlives_the_process() {
    let (data, folder) = (tempdir().unwrap(), tempdir().unwrap());
    write(folder.path());
    let host =
        || node(data.path()).words(&["--resources-path", &folder.path().display().to_string()]);
    let mut first = host().start().await;
    assert_eq!(ask(&first.client(), "lock", "a").await, ok(r#"{"success":true}"#));
    let metadata = first.client().get("/v1.0/metadata").await.unwrap().text();
    assert!(
        metadata.contains(r#"{"name":"locks","type":"lock.sled","version":"v1"}"#),
        "{metadata}"
    );
    first.process.kill();
    first.process.ended().await;

    let second = host().start().await;
    let client = second.client();
    assert_eq!(ask(&client, "lock", "b").await, ok(r#"{"success":false}"#));
    assert_eq!(ask(&client, "unlock", "b").await, ok(r#"{"status":2}"#));
    assert_eq!(ask(&client, "unlock", "a").await, ok(r#"{"status":0}"#));
}

#[tokio::test]
async fn every_host_answers_for_locks_that_one_of_them_holds() {
    let data = tempdir().unwrap();
    let placement = Placement::builder(data.path().join("placement"));
    let placement = placement.words(&["--new-cluster", "--lease", "3s"]).start().await;
    let folder = data.path().join("resources");
    write(&folder);
    let host = || {
        Node::builder(data.path().join("shared"))
            .joining(&placement.address(), "shop")
            .words(&["--resources-path", &folder.display().to_string()])
    };
    let holder = host().start().await;
    let mut other = host().start().await;
    other.process.line("is open in another process").await;
    let client = other.client();
    assert_eq!(ask(&client, "lock", "a").await, ok(r#"{"success":true}"#));
    assert_eq!(ask(&holder.client(), "lock", "b").await, ok(r#"{"success":false}"#));
    holder.process.kill();
    until("the other host has taken the locks over", || async {
        (ask(&client, "lock", "b").await == ok(r#"{"success":false}"#)).then_some(())
    })
    .await;
    assert_eq!(ask(&client, "unlock", "a").await, ok(r#"{"status":0}"#));
}
