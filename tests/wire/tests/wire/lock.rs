//! Locks on both wires: http-api.md 11, grpc-api.md 3.8.

use std::sync::Arc;
use std::time::Duration;

use odeon_base::clock::TokioClock;
use odeon_base::{AppId, Entropy};
use odeon_blocks::lock::{Component, LockActor, LockHandle};
use odeon_blocks::state::actor::Reach;
use odeon_blocks::state::memory::MemoryStore;
use odeon_proto::dapr::runtime::v1::{TryLockRequest, UnlockRequest};
use odeon_runtime::store::{Key, StateStore};
use odeon_test_wire::{APP, Rig, Told};
use tonic::Code;

/// A host with a lock component `locks`, and the store that keeps its locks.
async fn start() -> (Rig, Arc<MemoryStore>) {
    let clock = Arc::new(TokioClock::start());
    let store = Arc::new(MemoryStore::new(clock, Arc::new(Entropy::seeded(5))));
    let rig = Rig::with(|parts| {
        let handle = LockHandle::new(&parts.engine, "locks").unwrap();
        parts.locks = [("locks".to_owned(), handle)].into_iter().collect();
    })
    .await;
    let component = Component {
        store: Arc::<MemoryStore>::clone(&store) as Arc<dyn StateStore>,
        prefix: "lock||app||".into(),
    };
    let app = AppId::parse(APP).unwrap();
    let spec = LockActor::spec(&app, "locks", component, Reach::Local).unwrap();
    rig.engine.offer(vec![spec]).await.unwrap();
    (rig, store)
}

async fn post(rig: &Rig, path: &str, body: &str) -> Told {
    rig.ask("POST", &format!("/v1.0-alpha1/{path}")).body(body.to_owned()).told().await
}

async fn lock(rig: &Rig, owner: &str) -> String {
    let body = format!(r#"{{"resourceId":"r","lockOwner":"{owner}","expiryInSeconds":60}}"#);
    let told = post(rig, "lock/locks", &body).await;
    assert_eq!((told.status.as_u16(), told.header("content-type")), (200, "application/json"));
    told.text().to_owned()
}

async fn unlock(rig: &Rig, owner: &str) -> String {
    let body = format!(r#"{{"resourceId":"r","lockOwner":"{owner}"}}"#);
    let told = post(rig, "unlock/locks", &body).await;
    assert_eq!((told.status.as_u16(), told.header("content-type")), (200, "application/json"));
    told.text().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_taken_kept_and_given_back_over_http() {
    let (rig, store) = start().await;
    assert_eq!(unlock(&rig, "a").await, r#"{"status":1}"#);
    assert_eq!(lock(&rig, "a").await, r#"{"success":true}"#);
    let key = Key::Plain("lock||app||r".into());
    assert_eq!(&*store.get(&key).await.unwrap().unwrap().value, b"a");
    for owner in ["b", "a"] {
        assert_eq!(lock(&rig, owner).await, r#"{"success":false}"#, "{owner}");
    }
    assert_eq!(unlock(&rig, "b").await, r#"{"status":2}"#);
    assert_eq!(unlock(&rig, "a").await, r#"{"status":0}"#);
    assert_eq!(lock(&rig, "b").await, r#"{"success":true}"#);
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(unlock(&rig, "b").await, r#"{"status":1}"#, "its time is over");
    assert_eq!(lock(&rig, "a").await, r#"{"success":true}"#);
    let snake = r#"{"resource_id":"s","lock_owner":"a","expiry_in_seconds":"5","more":[]}"#;
    assert_eq!(post(&rig, "lock/locks", snake).await.text(), r#"{"success":true}"#);
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_checked_in_dapr_s_order() {
    const MALFORMED: &str = "ERR_MALFORMED_REQUEST";
    const NO_STORES: &str = "ERR_LOCK_STORE_NOT_CONFIGURED";
    let (rig, _) = start().await;
    let bare = Rig::start().await;
    let none = "lock store is not configured";
    for (rig, path, body, expected) in [
        (&bare, "lock/s", "", (400, MALFORMED, "ExpiryInSeconds is not positive in lock store s")),
        (&bare, "lock/s", r#"{"expiryInSeconds":1}"#, (500, NO_STORES, none)),
        (&bare, "unlock/s", "{}", (500, NO_STORES, none)),
        (
            &rig,
            "lock/no",
            r#"{"expiryInSeconds":-1,"resourceId":"r","lockOwner":"a"}"#,
            (400, MALFORMED, "ExpiryInSeconds is not positive in lock store no"),
        ),
        (
            &rig,
            "lock/no",
            r#"{"expiryInSeconds":1}"#,
            (400, MALFORMED, "ResourceId is empty in lock store no"),
        ),
        (
            &rig,
            "unlock/no",
            r#"{"resourceId":"r","lockOwner":null}"#,
            (400, MALFORMED, "LockOwner is empty in lock store no"),
        ),
        (
            &rig,
            "unlock/no",
            r#"{"resourceId":"r","lockOwner":"a"}"#,
            (400, "ERR_LOCK_STORE_NOT_FOUND", "lock store no not found"),
        ),
    ] {
        let (status, code, text) = expected;
        let told = post(rig, path, body).await;
        assert_eq!(told.error(), (status, code.to_owned(), text.to_owned()), "{path} {body}");
    }
    let told = post(&rig, "lock/locks", "{").await;
    let (status, code, text) = told.error();
    assert_eq!((status, &*code), (400, MALFORMED));
    assert!(text.starts_with("failed deserializing HTTP body: "), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_cannot_be_a_lock_fails_in_the_component() {
    let (rig, _) = start().await;
    let body = r#"{"resourceId":"a||b","lockOwner":"a","expiryInSeconds":1}"#;
    for (path, code, begin) in [
        ("lock/locks", "ERR_TRY_LOCK", "failed to try acquiring lock: "),
        ("unlock/locks", "ERR_UNLOCK", "failed to release lock: "),
    ] {
        let (status, found, text) = post(&rig, path, body).await.error();
        assert_eq!((status, &*found), (500, code));
        assert!(text.starts_with(begin) && text.contains("'||'"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_taken_kept_and_given_back_over_grpc() {
    let (rig, _) = start().await;
    let bare = Rig::start().await;
    let take = |store: &str, resource: &str, owner: &str, seconds| TryLockRequest {
        store_name: store.to_owned(),
        resource_id: resource.to_owned(),
        lock_owner: owner.to_owned(),
        expiry_in_seconds: seconds,
    };
    let give = |store: &str, resource: &str, owner: &str| UnlockRequest {
        store_name: store.to_owned(),
        resource_id: resource.to_owned(),
        lock_owner: owner.to_owned(),
    };
    for (owner, success) in [("a", true), ("b", false), ("a", false)] {
        let told = rig.client().try_lock_alpha1(take("locks", "r", owner, 9)).await.unwrap();
        assert_eq!(told.into_inner().success, success, "{owner}");
    }
    for (owner, status) in [("b", 2), ("a", 0), ("a", 1)] {
        let told = rig.client().unlock_alpha1(give("locks", "r", owner)).await.unwrap();
        assert_eq!(told.into_inner().status, status, "{owner}");
    }
    for (rig, request, code) in [
        (&bare, take("s", "r", "a", 0), Code::InvalidArgument),
        (&bare, take("s", "", "", 1), Code::FailedPrecondition),
        (&rig, take("no", "", "a", 1), Code::InvalidArgument),
        (&rig, take("no", "r", "", 1), Code::InvalidArgument),
        (&rig, take("no", "r", "a", 1), Code::InvalidArgument),
        (&rig, take("locks", "a||b", "a", 1), Code::Internal),
    ] {
        let status = rig.client().try_lock_alpha1(request.clone()).await.unwrap_err();
        assert_eq!(status.code(), code, "{request:?}: {}", status.message());
    }
    for (rig, request, code) in [
        (&bare, give("s", "r", "a"), Code::FailedPrecondition),
        (&rig, give("no", "r", "a"), Code::InvalidArgument),
        (&rig, give("locks", "a||b", "a"), Code::Internal),
    ] {
        let status = rig.client().unlock_alpha1(request.clone()).await.unwrap_err();
        assert_eq!(status.code(), code, "{request:?}: {}", status.message());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_component_is_an_actor_like_any_other_block() {
    let (rig, _) = start().await;
    let ask = async |method: &str, body: &str| {
        let path = format!("/v1.0/actors/sys.lock/locks/method/{method}");
        rig.ask("POST", &path).body(body.to_owned()).told().await
    };
    let told = ask("tryLock", r#"{"resourceId":"r","lockOwner":"a","expiryInSeconds":5}"#).await;
    assert_eq!((told.status.as_u16(), told.text()), (200, r#"{"success":true}"#));
    assert_eq!(lock(&rig, "b").await, r#"{"success":false}"#);
    let told = ask("tryLock", r#"{"resourceId":"r","lockOwner":"","expiryInSeconds":5}"#).await;
    assert_eq!(told.status, 400, "{}", told.text());
    let told = ask("unlock", r#"{"resourceId":"r","lockOwner":"a"}"#).await;
    assert_eq!((told.status.as_u16(), told.text()), (200, r#"{"status":0}"#));
    assert!(ask("steal", "{}").await.text().contains("tryLock and unlock"));
}
