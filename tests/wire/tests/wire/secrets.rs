//! Secrets on both wires: http-api.md 9, grpc-api.md 3.5.

use std::collections::BTreeMap;
use std::sync::Arc;

use odeon_blocks::secret::actor::SecretActor;
use odeon_blocks::secret::{Context, Secrets, open};
use odeon_proto::dapr::runtime::v1::{GetBulkSecretRequest, GetSecretRequest};
use odeon_test_wire::Rig;
use serde_json::json;
use tonic::Code;

const FILE: &str = r#"{"db": {"user": "u", "p<d": "x"}, "a/b": "slash"}"#;

/// A host with a file of secrets, flat; the same with several values each; and its variables.
async fn start() -> (Rig, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.json");
    std::fs::write(&file, FILE).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let environment = Arc::new(BTreeMap::from([("KEY".to_owned(), "v".to_owned())]));
    let mut stores = BTreeMap::new();
    for (name, type_name, settings) in [
        ("flat", "secretstores.local.file", vec![("secretsFile", file.as_str())]),
        (
            "many",
            "secretstores.local.file",
            vec![("secretsFile", file.as_str()), ("multiValued", "true")],
        ),
        ("env", "secretstores.local.env", vec![("prefix", "")]),
    ] {
        let given: Vec<_> =
            settings.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let context = Context { environment: Arc::clone(&environment) };
        stores.insert(name.to_owned(), open(type_name, "v1", &given, context).await.unwrap());
    }
    let rig = Rig::with(|parts| {
        let secrets = Secrets::new(&parts.engine, stores.keys().map(String::as_str));
        parts.secrets = Some(secrets.unwrap());
    })
    .await;
    rig.engine.offer(vec![SecretActor::spec(stores).unwrap()]).await.unwrap();
    (rig, folder)
}

#[tokio::test(start_paused = true)]
async fn one_secret_and_all_of_a_store_over_http() {
    let (rig, _folder) = start().await;
    for (path, told) in [
        ("flat/db:user", r#"{"db:user":"u"}"#),
        ("flat/a%2Fb?metadata.version_id=3", r#"{"a/b":"slash"}"#),
        ("many/db", r#"{"p<d":"x","user":"u"}"#),
        ("env/KEY", r#"{"KEY":"v"}"#),
        ("env/NOWHERE", r#"{"NOWHERE":""}"#),
        ("many/bulk", r#"{"a/b":{"a/b":"slash"},"db":{"p<d":"x","user":"u"}}"#),
        ("env/bulk", r#"{"KEY":{"KEY":"v"}}"#),
    ] {
        let answer = rig.ask("GET", &format!("/v1.0/secrets/{path}")).told().await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, told), "{path}");
        assert_eq!(answer.header("content-type"), "application/json");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_had_is_told_in_dapr_s_words() {
    let (rig, _folder) = start().await;
    let bare = Rig::start().await;
    for (rig, path, expected) in [
        (&bare, "s/k", (500, "ERR_SECRET_STORES_NOT_CONFIGURED", "secret store is not configured")),
        (
            &rig,
            "nope/k",
            (401, "ERR_SECRET_STORE_NOT_FOUND", "failed finding secret store with key nope"),
        ),
        (
            &rig,
            "nope/bulk",
            (401, "ERR_SECRET_STORE_NOT_FOUND", "failed finding secret store with key nope"),
        ),
        (
            &rig,
            "flat/none",
            (
                500,
                "ERR_SECRET_GET",
                "failed getting secret with key none from secret store flat: secret none not found",
            ),
        ),
    ] {
        let (status, code, text) = expected;
        let told = rig.ask("GET", &format!("/v1.0/secrets/{path}")).told().await;
        assert_eq!(told.error(), (status, code.to_owned(), text.to_owned()), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_secret_and_all_of_a_store_over_grpc() {
    let (rig, _folder) = start().await;
    let request = |store: &str, key: &str| GetSecretRequest {
        store_name: store.to_owned(),
        key: key.to_owned(),
        ..GetSecretRequest::default()
    };
    let told = rig.client().get_secret(request("many", "db")).await.unwrap().into_inner();
    let data: BTreeMap<_, _> = told.data.into_iter().collect();
    assert_eq!(json!(data), json!({"p<d": "x", "user": "u"}));
    let all = GetBulkSecretRequest { store_name: "flat".to_owned(), ..Default::default() };
    let told = rig.client().get_bulk_secret(all).await.unwrap().into_inner();
    assert_eq!(told.data.len(), 3);
    assert_eq!(told.data["db:user"].secrets["db:user"], "u");
    let bare = Rig::start().await;
    for (rig, store, code) in [
        (&bare, "s", Code::FailedPrecondition),
        (&rig, "nope", Code::InvalidArgument),
        (&rig, "flat", Code::Internal),
    ] {
        let status = rig.client().get_secret(request(store, "none")).await.unwrap_err();
        assert_eq!(status.code(), code, "{store}: {}", status.message());
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_store_is_an_actor_like_any_other_block() {
    let (rig, _folder) = start().await;
    let path = "/v1.0/actors/sys.secret/env/method/get";
    let told = rig.ask("POST", path).body(r#"{"key":"KEY"}"#).told().await;
    assert_eq!((told.status.as_u16(), told.text()), (200, r#"{"KEY":"v"}"#));
    let told = rig.ask("POST", path).body(r#"{"kye":"KEY"}"#).told().await;
    assert!(told.text().contains("kye"), "{}", told.text());
}
