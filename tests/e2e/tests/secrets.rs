//! Secrets in a real process: read from component files, told, used by other components, not shown.

use std::path::Path;

use odeon_test_support::node::NodeBuilder;
use odeon_test_support::{Node, tempdir};

use crate::shop::node;

/// Component files whose second store is opened with what the first one has, and so is the third.
fn write(folder: &Path, name: &str) {
    let head = |name: &str| {
        format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: {name}}}\nspec:\n"
        )
    };
    let file = folder.join("secrets.json");
    std::fs::write(&file, r#"{"db": {"password": "s3cret"}, "prefix": "hidden"}"#)
        .expect("the folder is ours");
    // In the order of their names each comes before what it needs.
    let state = format!(
        "{}  type: state.sled\n  metadata:\n  - {{name: actorStateStore, value: \"true\"}}\n  \
         - name: keyPrefix\n    secretKeyRef: {{name: {name}}}\nauth: {{secretStore: file}}\n",
        head("a")
    );
    let of_file = format!(
        "{}  type: secretstores.local.file\n  metadata:\n  - name: secretsFile\n    \
         secretKeyRef: {{name: SECRETS_FILE}}\nauth: {{secretStore: env}}\n",
        head("file")
    );
    let env = format!("{}  type: secretstores.local.env\n", head("env"));
    std::fs::write(folder.join("a.yaml"), format!("{state}---\n{of_file}---\n{env}"))
        .expect("the folder is ours");
}

fn with_secrets(data: &Path, folder: &Path) -> NodeBuilder {
    let shown = folder.display().to_string();
    let file = folder.join("secrets.json").display().to_string();
    node(data).words(&["--resources-path", &shown]).env("SECRETS_FILE", &file)
}

#[tokio::test]
async fn they_are_told_and_used_and_never_shown() {
    let (data, folder) = (tempdir().unwrap(), tempdir().unwrap());
    write(folder.path(), "prefix");
    let node: Node = with_secrets(data.path(), folder.path()).start().await;
    let told = node.client().get("/v1.0/secrets/file/db:password").await.unwrap();
    assert_eq!((told.status, &*told.text()), (200, r#"{"db:password":"s3cret"}"#));
    let metadata = node.client().get("/v1.0/metadata").await.unwrap().text();
    let listed = r#"{"name":"file","type":"secretstores.local.file","version":"v1"}"#;
    assert!(metadata.contains(listed), "{metadata}");
    let set = "/v1.0/actors/sys.state/a/method/set";
    let set = node.client().post(set, r#"[{"key":"k","value":1}]"#).await.unwrap();
    assert_eq!(set.status, 200, "{}", set.text());
    let said = node.process.said();
    assert!(said.contains("Component loaded: file (secretstores.local.file/v1)"), "{said}");
    assert!(!said.contains("s3cret") && !said.contains("hidden"), "{said}");
}

#[tokio::test]
async fn a_setting_whose_secret_is_not_there_is_named() {
    let (data, folder) = (tempdir().unwrap(), tempdir().unwrap());
    write(folder.path(), "nothing");
    let mut node = with_secrets(data.path(), folder.path()).spawn();
    assert_ne!(node.process.code().await, 0);
    let said = node.process.said();
    let expected = "a.yaml:8: component a (state.sled/v1) has no value for 'keyPrefix': secret \
                    'nothing' of store 'file': secret nothing not found";
    assert!(said.contains(expected), "{said}");
}
