//! Workers: `SubscribeActorEventsAlpha1` from the first message to the end
//! (grpc-api.md 4).

use std::time::Duration;

use futures::FutureExt;
use odeon_host::channel::AppChannel;
use odeon_proto::dapr::runtime::v1::subscribe_actor_events_request_alpha1::RequestType;
use odeon_proto::dapr::runtime::v1::subscribe_actor_events_response_alpha1::ResponseType;
use odeon_proto::dapr::runtime::v1::*;
use odeon_test_wire::Rig;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request};

use crate::worker::{Invoke, Worker, call, initial};

#[tokio::test(start_paused = true)]
async fn a_call_goes_out_with_all_it_needs_and_comes_back() {
    let rig = Rig::start().await;
    let mut worker = Worker::start(&rig, &["W"]).await;
    let (told, ()) = tokio::join!(call(&rig, "a"), async {
        let asked = worker.asked().await;
        assert_eq!(asked.id, "1", "ids count from 1");
        assert_eq!((&*asked.actor_type, &*asked.actor_id, &*asked.method), ("W", "a", "m"));
        assert_eq!(asked.data, "hello");
        assert_eq!(asked.metadata["content-type"], "a/b");
        assert_eq!(asked.metadata["x-mine"], "1", "one value per key, the first");
        assert_eq!(asked.metadata["Dapr-API-Call"], "true");
        assert_eq!(asked.metadata["odeon-actor-chain"].len(), 16, "one hop");
        assert!(!asked.metadata.contains_key("Dapr-Reentrancy-Id"));
        assert!(!asked.metadata.contains_key("odeon-actor-timeout"));
        worker.reply("99", "nobody asked").await;
        worker.reply("x", "not an id").await;
        worker.reply(&asked.id, "world").await;
    });
    assert_eq!((told.status.as_u16(), told.text()), (200, "world"));
    assert_eq!(told.header("content-type"), "text/x");
}

#[tokio::test(start_paused = true)]
async fn types_that_the_engine_refuses_end_the_stream_with_internal() {
    let rig = Rig::start().await;
    let (send, sent) = mpsc::channel(1);
    let mut request = Request::new(ReceiverStream::new(sent));
    let own = r#"[{"entities":["W"],"stateless":{"maxPerHost":2}}]"#;
    request.metadata_mut().insert("odeon-entities-config", own.parse().unwrap());
    let mut receive =
        rig.client().subscribe_actor_events_alpha1(request).await.unwrap().into_inner();
    let reentrant = SubscribeActorEventsRequestInitialAlpha1 {
        reentrancy: Some(ActorReentrancyConfig { enabled: true, max_stack_depth: None }),
        ..initial(&["W"])
    };
    let request_type = Some(RequestType::InitialRequest(reentrant));
    send.send(SubscribeActorEventsRequestAlpha1 { request_type }).await.unwrap();
    let status = receive.message().await.unwrap_err();
    assert_eq!(status.code(), Code::Internal, "{status}");
    assert!(status.message().contains("actor type 'W' cannot run in several copies"), "{status}");
}

#[tokio::test(start_paused = true)]
async fn many_calls_are_outstanding_and_answered_in_any_order() {
    let rig = Rig::start().await;
    let mut worker = Worker::start(&rig, &["W"]).await;
    let (a, b, c, ()) = tokio::join!(call(&rig, "a"), call(&rig, "b"), call(&rig, "c"), async {
        let mut asked = vec![worker.asked().await, worker.asked().await, worker.asked().await];
        asked.reverse();
        for asked in asked {
            let data = match &*asked.actor_id {
                "a" => "for a",
                "b" => "for b",
                _ => "for c",
            };
            worker.reply(&asked.id, data).await;
        }
    });
    assert_eq!([a.text(), b.text(), c.text()], ["for a", "for b", "for c"]);
}

#[tokio::test(start_paused = true)]
async fn one_actor_has_one_outstanding_call_unless_it_is_reentrant() {
    let rig = Rig::start().await;
    let mut worker = Worker::start(&rig, &["W"]).await;
    let (first, second, ()) = tokio::join!(call(&rig, "a"), call(&rig, "a"), async {
        let asked = worker.asked().await;
        let early = timeout(Duration::from_secs(5), worker.asked()).await;
        assert!(early.is_err(), "the second waits for its turn");
        worker.reply(&asked.id, "1").await;
        let asked = worker.asked().await;
        worker.reply(&asked.id, "2").await;
    });
    assert_eq!((first.text(), second.text()), ("1", "2"));
}

#[tokio::test(start_paused = true)]
async fn a_reentrant_type_gets_an_id_and_calls_of_its_chain_join() {
    let rig = Rig::start().await;
    let reentrant = SubscribeActorEventsRequestInitialAlpha1 {
        reentrancy: Some(ActorReentrancyConfig { enabled: true, max_stack_depth: Some(2) }),
        ..initial(&["W"])
    };
    let mut worker = Worker::with(&rig, reentrant).await;
    let nested = |asked: &Invoke| InvokeActorRequest {
        actor_type: "W".into(),
        actor_id: "a".into(),
        method: "m".into(),
        // As a worker does: it copies what it was given.
        metadata: asked.metadata.clone(),
        ..InvokeActorRequest::default()
    };
    let (told, ()) = tokio::join!(call(&rig, "a"), async {
        let outer = worker.asked().await;
        assert!(!outer.metadata["Dapr-Reentrancy-Id"].is_empty());
        let mut client = rig.client();
        let (inner, ()) = tokio::join!(client.invoke_actor(nested(&outer)), async {
            let inner = worker.asked().await;
            assert_eq!(inner.metadata["Dapr-Reentrancy-Id"], outer.metadata["Dapr-Reentrancy-Id"]);
            let deeper = rig.client().invoke_actor(nested(&inner)).await.unwrap_err();
            assert_eq!(deeper.code(), Code::ResourceExhausted);
            assert_eq!(deeper.message(), "maximum stack depth exceeded");
            worker.reply(&inner.id, "inner").await;
        });
        assert_eq!(inner.unwrap().into_inner().data, "inner");
        worker.reply(&outer.id, "outer").await;
    });
    assert_eq!(told.text(), "outer");
}

#[tokio::test(start_paused = true)]
async fn a_cycle_without_reentrancy_is_refused() {
    let rig = Rig::start().await;
    let mut worker = Worker::start(&rig, &["W"]).await;
    let (told, ()) = tokio::join!(call(&rig, "a"), async {
        let asked = worker.asked().await;
        let request = InvokeActorRequest {
            actor_type: "W".into(),
            actor_id: "a".into(),
            method: "m".into(),
            metadata: asked.metadata.clone(),
            ..InvokeActorRequest::default()
        };
        let status = rig.client().invoke_actor(request).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert!(status.message().starts_with("call cycle:"), "{}", status.message());
        worker.reply(&asked.id, "done").await;
    });
    assert_eq!(told.text(), "done");
}

#[tokio::test(start_paused = true)]
async fn failures_of_a_worker_are_told_as_an_actors() {
    let rig = Rig::start().await;
    let mut worker = Worker::start(&rig, &["W"]).await;
    let deactivated = SubscribeActorEventsRequestDeactivateResponseAlpha1 { id: "4".into() };
    for (number, text) in [
        (1, "error invoke actor method: error from actor service: it broke"),
        (2, "error invoke actor method: actor method not found: actors/W/a/method/m"),
        (3, ""),
        (
            4,
            "error invoke actor method: error from actor service: the worker answered invoke request 4 as if it were a deactivate request",
        ),
    ] {
        let (told, ()) = tokio::join!(call(&rig, "a"), async {
            let asked = worker.asked().await;
            match number {
                1 => worker.fail(&asked.id, 13, "it broke").await,
                2 => worker.fail(&asked.id, 5, "no such method").await,
                3 => {
                    let response = SubscribeActorEventsRequestInvokeResponseAlpha1 {
                        id: asked.id,
                        data: "mine".into(),
                        error: true,
                        ..Default::default()
                    };
                    worker.say(RequestType::InvokeResponse(response)).await;
                }
                _ => worker.say(RequestType::DeactivateResponse(deactivated.clone())).await,
            }
        });
        if number == 3 {
            assert_eq!((told.status.as_u16(), told.text()), (200, "mine"));
            assert_eq!(told.header("x-daprerrorresponseheader"), "true");
        } else {
            assert_eq!(told.error(), (500, "ERR_ACTOR_INVOKE_METHOD".into(), text.into()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_message_has_to_be_right() {
    let rig = Rig::start().await;
    let mut negative = initial(&["W"]);
    negative.actor_idle_timeout = Some(prost_types::Duration { seconds: -1, nanos: 0 });
    let deactivated = SubscribeActorEventsRequestDeactivateResponseAlpha1 { id: "1".into() };
    for (first, text) in [
        (RequestType::DeactivateResponse(deactivated), "the first message must be"),
        (RequestType::InitialRequest(initial(&["sys.state"])), "actorType 'sys.state' is reserved"),
        (RequestType::InitialRequest(initial(&["dapr.internal.x"])), "actorType 'dapr.internal.x'"),
        (RequestType::InitialRequest(initial(&["a/b"])), "actorType 'a/b' contains"),
        (RequestType::InitialRequest(initial(&[""])), "actorType cannot be empty"),
        (RequestType::InitialRequest(negative), "actor_idle_timeout is -1 s"),
    ] {
        let worker = Worker::open(&rig).await;
        worker.say(first).await;
        let status = worker.end().await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{text}");
        assert!(status.message().starts_with(text), "{}", status.message());
    }
    let worker = Worker::start(&rig, &["W"]).await;
    worker.say(RequestType::InitialRequest(initial(&["V"]))).await;
    assert_eq!(worker.end().await.unwrap_err().code(), Code::InvalidArgument);
    let worker = Worker::open(&rig).await;
    drop(worker.send.clone());
    let Worker { send, receive } = worker;
    drop(send);
    let (send, _) = mpsc::channel(1);
    assert!(Worker { send, receive }.end().await.is_ok(), "nothing was said, nothing is wrong");
}

#[tokio::test(start_paused = true)]
async fn streams_are_refused_beside_an_http_application() {
    let rig = Rig::beside(AppChannel::Http).await;
    let worker = Worker::open(&rig).await;
    let status = worker.end().await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
}

#[tokio::test(start_paused = true)]
async fn a_worker_without_types_ends_the_initialising() {
    let rig = Rig::with(|parts| parts.health = odeon_host::api::Health::default()).await;
    let status = async || {
        let told = rig.ask("GET", "/v1.0/metadata").told().await.json();
        told["actorRuntime"]["runtimeStatus"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(status().await, "INITIALIZING");
    let _worker = Worker::start(&rig, &[]).await;
    assert_eq!(status().await, "RUNNING");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_stream_fails_what_was_asked_and_withdraws_its_types() {
    let rig = Rig::start().await;
    let mut worker = Worker::start(&rig, &["W"]).await;
    assert_eq!(types(&rig).await, ["T", "W"]);
    let (told, ()) = tokio::join!(call(&rig, "a"), async {
        worker.asked().await;
        drop(worker);
    });
    let text = "error invoke actor method: actor host disconnected before responding".to_owned();
    assert_eq!(told.error(), (500, "ERR_ACTOR_INVOKE_METHOD".into(), text));
    assert_eq!(told.header("odeon-actor-execution"), "maybe");
    let told = call(&rig, "a").await;
    assert!(told.error().2.contains("did not find address for actor 'W||a'"), "{told:?}");
    assert_eq!(types(&rig).await, ["T"]);
}

async fn types(rig: &Rig) -> Vec<String> {
    let told = rig.ask("GET", "/odeon/v1/actors").told().await.json();
    let types = told["types"].as_array().cloned().unwrap_or_default();
    types.iter().filter_map(|one| Some(one["type"].as_str()?.to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_a_worker_that_comes_back() {
    let rig = Rig::start().await;
    drop(Worker::start(&rig, &["W"]).await);
    // A call that reaches the dying stream is lost with it; this is about later ones.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (told, _worker) = tokio::join!(call(&rig, "a"), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut worker = Worker::start(&rig, &["W"]).await;
        let asked = worker.asked().await;
        worker.reply(&asked.id, "back").await;
        worker
    });
    assert_eq!((told.status.as_u16(), told.text()), (200, "back"));
}

#[tokio::test(start_paused = true)]
async fn the_newest_stream_gets_new_calls_and_older_ones_finish() {
    let rig = Rig::start().await;
    let mut old = Worker::start(&rig, &["W"]).await;
    let (told, mut new) = tokio::join!(call(&rig, "a"), async {
        let asked = old.asked().await;
        let mut new = Worker::start(&rig, &["W"]).await;
        let (told, ()) = tokio::join!(call(&rig, "b"), async {
            let asked = new.asked().await;
            assert_eq!(asked.id, "1", "ids are the stream's own");
            new.reply(&asked.id, "new").await;
        });
        assert_eq!(told.text(), "new");
        old.reply(&asked.id, "old").await;
        new
    });
    assert_eq!(told.text(), "old");
    assert_eq!(rig.hub.streams(), 2);
    // The older one goes: the type stays, with the newer one.
    drop(old);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(rig.hub.streams(), 1);
    let (told, ()) = tokio::join!(call(&rig, "c"), async {
        let asked = new.asked().await;
        new.reply(&asked.id, "still").await;
    });
    assert_eq!(told.text(), "still");
}

#[tokio::test(start_paused = true)]
async fn a_callers_time_limit_is_told_and_kept() {
    let rig = Rig::start().await;
    let mut worker = Worker::start(&rig, &["W"]).await;
    let limited =
        rig.ask("POST", "/v1.0/actors/W/a/method/m").header("odeon-actor-timeout", "500").told();
    let (told, id) = tokio::join!(limited, async {
        let asked = worker.asked().await;
        assert_eq!(asked.metadata["odeon-actor-timeout"], "500");
        asked.id
    });
    assert_eq!(told.error().1, "ERR_ACTOR_TURN_TIMEOUT");
    // O7: the turn goes on, so the next call waits for it.
    let (told, ()) = tokio::join!(call(&rig, "a"), async {
        assert!(timeout(Duration::from_secs(1), worker.asked()).await.is_err());
        worker.reply(&id, "late").await;
        let asked = worker.asked().await;
        worker.reply(&asked.id, "next").await;
    });
    assert_eq!(told.text(), "next");
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_is_asked_for_once_and_not_waited_for_for_ever() {
    let rig = Rig::start().await;
    let mut worker = Worker::start(&rig, &["W"]).await;
    for does_answer in [true, false] {
        let (told, ()) = tokio::join!(call(&rig, "a"), async {
            let asked = worker.asked().await;
            worker.reply(&asked.id, "").await;
        });
        assert_eq!(told.status, 200);
        let before = tokio::time::Instant::now();
        let (told, ()) =
            tokio::join!(rig.ask("POST", "/v1.0-alpha1/actors/W/a/deactivate").told(), async {
                let ResponseType::DeactivateRequest(asked) = worker.next().await else {
                    panic!("not a goodbye");
                };
                assert_eq!((&*asked.actor_type, &*asked.actor_id), ("W", "a"));
                if does_answer {
                    let response =
                        SubscribeActorEventsRequestDeactivateResponseAlpha1 { id: asked.id };
                    worker.say(RequestType::DeactivateResponse(response)).await;
                }
            });
        assert_eq!(told.status, 204);
        let waited = before.elapsed().as_secs();
        assert_eq!(waited, if does_answer { 0 } else { 10 }, "answers: {does_answer}");
    }
    let failed: Vec<u64> = rig.engine.metrics().iter().map(|of| of.deactivation_failures).collect();
    assert_eq!(failed.iter().sum::<u64>(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_actor_is_made_anew_only_after_its_cut_call_was_answered() {
    let rig = Rig::start().await;
    let slow = SubscribeActorEventsRequestInitialAlpha1 {
        drain_ongoing_call_timeout: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
        ..initial(&["W"])
    };
    let mut worker = Worker::with(&rig, slow.clone()).await;
    // A second stream with other settings replaces the hosting, which cuts the turn.
    let (told, (id, mut new)) = tokio::join!(call(&rig, "a"), async {
        let asked = worker.asked().await;
        let other = SubscribeActorEventsRequestInitialAlpha1 {
            actor_idle_timeout: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
            ..slow
        };
        (asked.id, Worker::with(&rig, other).await)
    });
    assert_eq!(told.status, 500, "{told:?}");
    let (told, ()) = tokio::join!(call(&rig, "a"), async {
        let goodbye = timeout(Duration::from_secs(5), new.next()).await;
        let is_invoke = matches!(goodbye, Ok(ResponseType::InvokeRequest(_)));
        assert!(!is_invoke, "the old worker may still be running the call");
        worker.reply(&id, "late").await;
        loop {
            if let ResponseType::InvokeRequest(asked) = new.next().await {
                new.reply(&asked.id, "anew").await;
                return;
            }
        }
    });
    assert_eq!(told.text(), "anew");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_host_ends_its_streams() {
    let rig = Rig::start().await;
    let worker = Worker::start(&rig, &["W"]).await;
    let (ended, stopped) = tokio::join!(worker.end(), rig.tasks.stop(Duration::from_secs(60)));
    assert_eq!(ended.unwrap_err().code(), Code::Unavailable);
    assert_eq!(stopped, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_full_makes_calls_wait_and_loses_none() {
    let rig = Rig::with(|parts| parts.limits.stream_queue = 1).await;
    let mut worker = Worker::start(&rig, &["W"]).await;
    let ids: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let calls = futures::future::join_all(ids.iter().map(|id| call(&rig, id)));
    let (told, ()) = tokio::join!(calls, async {
        for _ in 0..100 {
            let asked = worker.asked().await;
            worker.reply(&asked.id, "ok").await;
        }
    });
    assert!(told.iter().all(|told| told.text() == "ok"));
    assert!(worker.receive.message().now_or_never().is_none(), "nothing more is asked");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_large_ends_the_stream_in_the_words_of_grpc_go() {
    let rig = Rig::with(|parts| parts.limits.body_bytes = Some(1_000)).await;
    let worker = Worker::start(&rig, &["W"]).await;
    worker.fail("1", 1, &"x".repeat(2_000)).await;
    let status = worker.end().await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().starts_with("grpc: received message larger than max ("));
}
