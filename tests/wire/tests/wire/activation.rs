//! State calls of a turn whose activation is over: refused when they say whose they are
//! (ST-3), held to Dapr's rule when they do not.

use odeon_proto::dapr::runtime::v1::*;
use odeon_test_wire::Rig;
use tonic::{Code, Request, Status};

use crate::worker::{Worker, call};

const TOKEN: &str = "odeon-activation";

async fn commit(rig: &Rig, activation: Option<&str>, value: &str) -> Result<(), Status> {
    let value = prost_types::Any { type_url: String::new(), value: value.into() };
    let mut request = Request::new(ExecuteActorStateTransactionRequest {
        actor_type: "W".into(),
        actor_id: "a".into(),
        operations: vec![TransactionalActorStateOperation {
            operation_type: "upsert".into(),
            key: "k".into(),
            value: Some(value),
            ..TransactionalActorStateOperation::default()
        }],
    });
    if let Some(activation) = activation {
        request.metadata_mut().insert(TOKEN, activation.parse().unwrap());
    }
    rig.client().execute_actor_state_transaction(request).await.map(|_| ())
}

async fn read(rig: &Rig, activation: Option<&str>) -> Result<String, Status> {
    let (actor_type, actor_id, key) = ("W".into(), "a".into(), "k".into());
    let mut request = Request::new(GetActorStateRequest { actor_type, actor_id, key });
    if let Some(activation) = activation {
        request.metadata_mut().insert(TOKEN, activation.parse().unwrap());
    }
    let answer = rig.client().get_actor_state(request).await?.into_inner();
    Ok(String::from_utf8_lossy(&answer.data).into_owned())
}

fn assert_fenced(status: &Status) {
    assert_eq!(status.code(), Code::Aborted, "{status:?}");
    assert_eq!(status.metadata().get("odeon-actor-execution").unwrap(), "maybe");
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_outlived_its_stream_does_not_land_in_the_next_activation() {
    let rig = Rig::start().await;
    let mut old = Worker::start(&rig, &["W"]).await;
    let (told, late) = tokio::join!(call(&rig, "a"), async {
        let asked = old.asked().await;
        let late = asked.metadata[TOKEN].clone();
        commit(&rig, Some(&late), "old").await.unwrap();
        assert_eq!(read(&rig, Some(&late)).await.unwrap(), "old");
        // The turn stands still with its next commit in hand, and the stream breaks.
        drop(old);
        late
    });
    assert_eq!(told.header("odeon-actor-execution"), "maybe", "{told:?}");
    assert_fenced(&commit(&rig, Some(&late), "late").await.unwrap_err());
    assert_fenced(&read(&rig, Some(&late)).await.unwrap_err());

    let mut new = Worker::start(&rig, &["W"]).await;
    let (told, ()) = tokio::join!(call(&rig, "a"), async {
        let asked = new.asked().await;
        let live = asked.metadata[TOKEN].clone();
        assert_ne!(live, late);
        // Before the new activation has touched its state, and after.
        assert_fenced(&commit(&rig, Some(&late), "late").await.unwrap_err());
        commit(&rig, Some(&live), "new").await.unwrap();
        assert_fenced(&commit(&rig, Some(&late), "late").await.unwrap_err());
        assert_fenced(&read(&rig, Some(&late)).await.unwrap_err());
        assert_eq!(read(&rig, Some(&live)).await.unwrap(), "new");
        commit(&rig, Some(&live), "newer").await.unwrap();
        new.reply(&asked.id, "done").await;
    });
    assert_eq!(told.text(), "done", "the straggler has not harmed the turn");
    assert_eq!(read(&rig, None).await.unwrap(), "newer");
}

#[tokio::test(start_paused = true)]
async fn over_http_the_same_word_has_the_same_meaning() {
    let rig = Rig::start().await;
    let body = r#"[{"operation":"upsert","request":{"key":"k","value":1}}]"#;
    let write = async |activation: &str| {
        let told = rig.ask("POST", "/v1.0/actors/W/a/state").header(TOKEN, activation).body(body);
        told.told().await
    };
    let mut worker = Worker::start(&rig, &["W"]).await;
    let (_, ()) = tokio::join!(call(&rig, "a"), async {
        let asked = worker.asked().await;
        let live = asked.metadata[TOKEN].clone();
        assert_eq!(write(&live).await.status, 204);
        for other in ["0.0.0", "9.9.9"] {
            let told = write(other).await;
            assert_eq!((told.error().0, &*told.error().1), (503, "ERR_ACTOR_FENCED"));
            assert_eq!(told.header("odeon-actor-execution"), "maybe");
            let told = rig.ask("GET", "/v1.0/actors/W/a/state/k").header(TOKEN, other).told().await;
            assert_eq!(told.error().1, "ERR_ACTOR_FENCED");
        }
        let told = write("yesterday").await;
        let text = "invalid request: odeon-activation is \"yesterday\"; expected three numbers with points between them, as the call was given them";
        assert_eq!(told.error(), (400, "ERR_BAD_REQUEST".into(), text.into()));
        worker.reply(&asked.id, "done").await;
    });
}

#[tokio::test(start_paused = true)]
async fn who_shows_no_activation_needs_only_an_active_actor() {
    let rig = Rig::start().await;
    let status = commit(&rig, None, "x").await.unwrap_err();
    assert_eq!(status.message(), "actor instance is missing");
    let mut worker = Worker::start(&rig, &["W"]).await;
    let (_, ()) = tokio::join!(call(&rig, "a"), async {
        let asked = worker.asked().await;
        commit(&rig, None, "x").await.unwrap();
        worker.reply(&asked.id, "done").await;
    });
    commit(&rig, None, "y").await.unwrap();
    assert_eq!(read(&rig, None).await.unwrap(), "y");
}

#[tokio::test(start_paused = true)]
async fn an_activation_keeps_its_name_and_callers_cannot_give_one() {
    let rig = Rig::start().await;
    let mut worker = Worker::start(&rig, &["W"]).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let forged = rig.ask("POST", "/v1.0/actors/W/a/method/m").header(TOKEN, "7.7.7");
        let (_, name) = tokio::join!(forged.told(), async {
            let asked = worker.asked().await;
            worker.reply(&asked.id, "").await;
            asked.metadata[TOKEN].clone()
        });
        seen.push(name);
    }
    assert_eq!(seen[0], seen[1], "one activation, two turns");
    assert_ne!(seen[0], "7.7.7");
    // What a worker copies into its own calls ends at the host, too.
    let metadata = [(TOKEN.to_owned(), seen[0].clone())].into();
    let nested = InvokeActorRequest {
        actor_type: "T".into(),
        actor_id: "a".into(),
        method: "seen".into(),
        metadata,
        ..InvokeActorRequest::default()
    };
    let told = rig.client().invoke_actor(nested).await.unwrap().into_inner().data;
    assert!(!String::from_utf8_lossy(&told).contains(TOKEN), "{told:?}");
}
