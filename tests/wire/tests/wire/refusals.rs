//! Calls that a worker refused before it began them: nothing ran, so they are sent again
//! or told as refused (RT-2, RT-3).

use std::time::Duration;

use odeon_test_wire::Rig;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::worker::{Invoke, Worker, call, initial};

const KEPT: Option<&str> = Some("3,8,14");

async fn worker(rig: &Rig) -> Worker {
    Worker::open_with(rig, KEPT).await.introduced(initial(&["W"])).await
}

#[tokio::test(start_paused = true)]
async fn a_call_that_a_stopping_worker_refused_waits_for_the_next_worker() {
    let rig = Rig::start().await;
    let mut old = worker(&rig).await;
    let (told, _new) = tokio::join!(call(&rig, "a"), async {
        let asked = old.asked().await;
        old.fail(&asked.id, 14, "the worker is stopping").await;
        // It still ends what it runs; the call is not sent there again.
        assert!(timeout(Duration::from_secs(10), old.asked()).await.is_err());
        let mut new = worker(&rig).await;
        let again = new.asked().await;
        assert_eq!((&*again.method, &*again.data), ("m", &b"hello"[..]));
        assert_eq!(again.metadata["x-mine"], "1");
        new.reply(&again.id, "by the next").await;
        new
    });
    assert_eq!((told.status.as_u16(), told.text()), (200, "by the next"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_outlives_the_stream_that_refused_it() {
    let rig = Rig::start().await;
    let mut old = worker(&rig).await;
    let (told, _new) = tokio::join!(call(&rig, "a"), async {
        let asked = old.asked().await;
        old.fail(&asked.id, 14, "the worker is stopping").await;
        drop(old);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut new = worker(&rig).await;
        let again = new.asked().await;
        new.reply(&again.id, "by the next").await;
        new
    });
    assert_eq!((told.status.as_u16(), told.text()), (200, "by the next"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_that_no_worker_takes_has_never_begun() {
    let rig = Rig::start().await;
    let mut old = worker(&rig).await;
    let (told, ()) = tokio::join!(call(&rig, "a"), async {
        let asked = old.asked().await;
        old.fail(&asked.id, 14, "the worker is stopping").await;
        drop(old);
    });
    assert!(told.error().2.contains("did not find address for actor 'W||a'"), "{told:?}");
    assert_eq!(told.header("odeon-actor-execution"), "none");
    // With a time limit, while the worker is still on its way out.
    let mut old = worker(&rig).await;
    let limited =
        rig.ask("POST", "/v1.0/actors/W/a/method/m").header("odeon-actor-timeout", "500").told();
    let (told, ()) = tokio::join!(limited, async {
        let asked = old.asked().await;
        old.fail(&asked.id, 14, "the worker is stopping").await;
        assert!(timeout(Duration::from_secs(1), old.asked()).await.is_err());
    });
    assert_eq!(told.error().1, "ERR_ACTOR_QUEUE_TIMEOUT", "{told:?}");
    assert_eq!(told.header("odeon-actor-execution"), "none");
}

#[tokio::test(start_paused = true)]
async fn a_stopping_worker_still_gets_the_calls_that_its_turns_wait_for() {
    let rig = Rig::start().await;
    let mut worker = worker(&rig).await;
    let nested = |asked: &Invoke| {
        let chain = asked.metadata["odeon-actor-chain"].clone();
        rig.ask("POST", "/v1.0/actors/W/b/method/m").header("odeon-actor-chain", &chain).told()
    };
    let ended = Notify::new();
    let outer = async {
        let told = call(&rig, "a").await;
        ended.notify_one();
        told
    };
    let (outer, refused, ()) = tokio::join!(outer, call(&rig, "c"), async {
        let outer = worker.asked().await;
        let refused = worker.asked().await;
        worker.fail(&refused.id, 14, "the worker is stopping").await;
        let (inner, ()) = tokio::join!(nested(&outer), async {
            let inner = worker.asked().await;
            assert_eq!(&*inner.actor_id, "b");
            worker.reply(&inner.id, "inner").await;
        });
        assert_eq!(inner.text(), "inner");
        worker.reply(&outer.id, "outer").await;
        ended.notified().await;
        drop(worker);
    });
    assert_eq!(outer.text(), "outer");
    assert_eq!(refused.header("odeon-actor-execution"), "none");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_a_busy_worker_refused_is_sent_again_a_few_times() {
    let rig = Rig::start().await;
    let mut worker = worker(&rig).await;
    let (told, ()) = tokio::join!(call(&rig, "a"), async {
        let asked = worker.asked().await;
        worker.fail(&asked.id, 8, "too many turns").await;
        let asked = worker.asked().await;
        worker.reply(&asked.id, "now").await;
    });
    assert_eq!(told.text(), "now");
    let before = Instant::now();
    let (told, tries) = tokio::join!(call(&rig, "a"), async {
        let mut tries = 0;
        while let Ok(asked) = timeout(Duration::from_secs(5), worker.asked()).await {
            tries += 1;
            worker.fail(&asked.id, 8, "too many turns").await;
        }
        tries
    });
    assert_eq!((told.status.as_u16(), tries), (500, 6), "one call, sent again five times");
    assert_eq!(told.error().2, "error invoke actor method: too many turns");
    assert_eq!(told.header("odeon-actor-execution"), "none");
    assert!(before.elapsed() < Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn arguments_that_do_not_fit_are_the_callers_mistake() {
    let rig = Rig::start().await;
    let mut worker = worker(&rig).await;
    let text = "the arguments of method 'm' do not fit: argument 'by': expected a number";
    let (told, ()) = tokio::join!(call(&rig, "a"), async {
        let asked = worker.asked().await;
        worker.fail(&asked.id, 3, text).await;
    });
    assert_eq!(told.error(), (400, "ERR_BAD_REQUEST".into(), format!("invalid request: {text}")));
    assert_eq!(told.header("odeon-actor-execution"), "none");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_keeps_no_codes_has_run_what_it_failed() {
    let rig = Rig::start().await;
    let mut worker = Worker::start(&rig, &["W"]).await;
    for code in [3, 8, 14] {
        let (told, ()) = tokio::join!(call(&rig, "a"), async {
            let asked = worker.asked().await;
            worker.fail(&asked.id, code, "the method's own").await;
        });
        let text = "error invoke actor method: error from actor service: the method's own";
        assert_eq!(told.error(), (500, "ERR_ACTOR_INVOKE_METHOD".into(), text.into()), "{code}");
        assert_eq!(told.header("odeon-actor-execution"), "done", "{code}");
    }
}
