//! A worker against a scripted host: what is promised on the stream.
//!
//! The host's side is in `host.rs`. Time is real here, since sockets are; every wait
//! is for something that happens, within a limit.

mod connecting;
mod host;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use odeon_base::{Entropy, TaskKind, Tasks};
use odeon_proto::dapr::runtime::v1 as proto;
use odeon_sdk::{Client, Ctx, Error, Result, Worker, actor};
use proto::subscribe_actor_events_request_alpha1::RequestType;
use proto::subscribe_actor_events_response_alpha1::ResponseType;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use host::{Host, in_time};

/// What a test sees of the actors of one worker.
#[derive(Default)]
struct Signs {
    /// Ends the turns that wait.
    open: Notify,
    waiting: Notify,
    goodbyes: AtomicU32,
}

/// Counts.
struct Counter {
    n: i64,
    signs: Arc<Signs>,
}

#[actor(factory, idle_timeout = "10m", turn_max = "5s")]
impl Counter {
    async fn activate(&mut self, ctx: &mut Ctx) -> Result<()> {
        self.n = ctx.get("n").await?.unwrap_or_default();
        Ok(())
    }

    async fn deactivate(&mut self) {
        self.signs.goodbyes.fetch_add(1, Ordering::SeqCst);
    }

    async fn add(&mut self, ctx: &mut Ctx, by: i64) -> Result<i64> {
        self.n += by;
        ctx.set("n", &self.n)?;
        Ok(self.n)
    }

    async fn value(&self) -> Result<i64> {
        Ok(self.n)
    }

    async fn stored(&self, ctx: &Ctx) -> Result<Option<i64>> {
        ctx.get("n").await
    }

    async fn fail(&mut self, by: i64) -> Result<()> {
        self.n += by;
        Err(Error::failed("changed my mind"))
    }

    async fn wait(&mut self) -> Result<()> {
        self.signs.waiting.notify_one();
        self.signs.open.notified().await;
        Ok(())
    }

    async fn call(&mut self, ctx: &mut Ctx, id: String) -> Result<i64> {
        ctx.call::<Self>(&id)?.add(self.n).await
    }

    async fn panic(&mut self) -> Result<()> {
        panic!("on purpose")
    }

    async fn daily(&mut self, ctx: &mut Ctx, by: i64) -> Result<i64> {
        self.add(ctx, by).await
    }
}

/// A host, and a worker that runs until the guard ends.
struct Scene {
    host: Host,
    signs: Arc<Signs>,
    stop: CancellationToken,
    worker: JoinHandle<Result<()>>,
}

async fn scene() -> Scene {
    scene_of(Host::start().await)
}

fn scene_of(host: Host) -> Scene {
    let signs = Arc::<Signs>::default();
    let shared = Arc::clone(&signs);
    let stop = CancellationToken::new();
    let worker = Worker::connect(host.address.clone())
        .actor_with(move |_| Counter { n: 0, signs: Arc::clone(&shared) })
        .api_token("sesame")
        .entropy(Entropy::seeded(1))
        .grace(Duration::from_secs(5))
        .run(stop.clone().cancelled_owned());
    let worker = Tasks::new("test").spawn(TaskKind::Stream, worker);
    Scene { host, signs, stop, worker }
}

impl Scene {
    async fn stopped(self) -> Result<()> {
        self.stop.cancel();
        in_time(self.worker).await.expect("the worker does not panic")
    }
}

#[tokio::test]
async fn it_introduces_itself_and_keeps_state_before_it_answers() {
    let mut scene = scene().await;
    let (mut line, initial) = scene.host.line().await;
    assert_eq!(initial.entities, ["Counter"]);
    assert_eq!(initial.entities_config[0].actor_idle_timeout.map(|time| time.seconds), Some(600));
    assert_eq!(scene.host.memory.lock().unwrap().token.as_deref(), Some("sesame"));
    line.say(ResponseType::InitialResponse(proto::SubscribeActorEventsResponseInitialAlpha1 {}))
        .await;
    assert_eq!(line.turn("c1", "add", "2").await, Ok("2".to_owned()));
    assert_eq!(scene.host.memory.lock().unwrap().state["Counter||c1||n"], "2");
    assert_eq!(line.turn("c1", "add", "3").await, Ok("5".to_owned()));
    assert_eq!(line.turn("c2", "value", "").await, Ok("0".to_owned()));
}

#[tokio::test]
async fn mistakes_of_the_caller_have_their_codes() {
    let mut scene = scene().await;
    let mut line = scene.host.welcome().await;
    let (code, words) = line.turn("c1", "ad", "2").await.unwrap_err();
    assert_eq!(
        (code, words.as_str()),
        (5, "actor type 'Counter' has no method 'ad'; did you mean 'add'?")
    );
    let (code, words) = line.turn("c1", "add", "\"two\"").await.unwrap_err();
    assert_eq!(code, 3, "{words}");
    let failed = line.turn("c1", "fail", "7").await;
    assert_eq!(failed, Err((2, "changed my mind".to_owned())));
    assert_eq!(line.turn("c1", "value", "").await, Ok("0".to_owned()), "made anew");
    let (code, words) = line.turn("c1", "panic", "").await.unwrap_err();
    assert_eq!((code, words.as_str()), (13, "the turn panicked: on purpose"));
    assert_eq!(line.turn("c1", "value", "").await, Ok("0".to_owned()), "others go on");
}

#[tokio::test]
async fn a_commit_that_fails_drops_the_instance() {
    let mut scene = scene().await;
    let mut line = scene.host.welcome().await;
    line.turn("c1", "add", "2").await.unwrap();
    scene.host.memory.lock().unwrap().commits.push_back(Status::aborted("fenced"));
    assert_eq!(line.turn("c1", "add", "40").await, Err((10, "fenced".to_owned())));
    assert_eq!(line.turn("c1", "value", "").await, Ok("2".to_owned()), "read anew");
}

#[tokio::test]
async fn deactivation_waits_for_the_turn_and_says_goodbye_once() {
    let mut scene = scene().await;
    let mut line = scene.host.welcome().await;
    line.turn("c1", "add", "2").await.unwrap();
    line.deactivate("c1").await;
    line.deactivate("c1").await;
    line.deactivate("never-seen").await;
    assert_eq!(scene.signs.goodbyes.load(Ordering::SeqCst), 1);
    assert_eq!(line.turn("c1", "value", "").await, Ok("2".to_owned()), "from its state");
}

#[tokio::test]
async fn turns_of_different_actors_overlap_and_answer_in_any_order() {
    let mut scene = scene().await;
    let mut line = scene.host.welcome().await;
    let first = line.ask("c1", "wait", "").await;
    in_time(scene.signs.waiting.notified()).await;
    let second = line.ask("c2", "value", "").await;
    assert_eq!(line.answer().await, (second, Ok("0".to_owned())));
    // The same actor: the second turn waits for the first.
    let third = line.ask("c1", "value", "").await;
    scene.signs.open.notify_one();
    assert_eq!(line.answer().await, (first, Ok(String::new())));
    assert_eq!(line.answer().await, (third, Ok("0".to_owned())));
}

#[tokio::test]
async fn a_lost_stream_drops_turns_and_instances_and_is_opened_again() {
    let mut scene = scene().await;
    let mut line = scene.host.welcome().await;
    line.turn("c1", "add", "2").await.unwrap();
    line.ask("c2", "wait", "").await;
    in_time(scene.signs.waiting.notified()).await;
    let memory = Arc::clone(&scene.host.memory);
    memory.lock().unwrap().refusals.push_back(Status::unavailable("starting"));
    drop(line);
    let mut line = scene.host.welcome().await;
    memory.lock().unwrap().state.insert("Counter||c1||n".to_owned(), "70".into());
    assert_eq!(line.turn("c1", "value", "").await, Ok("70".to_owned()), "nothing was kept");
    // The dropped turn holds nothing: a new one of its actor is not kept waiting.
    assert_eq!(line.turn("c2", "value", "").await, Ok("0".to_owned()));
    assert_eq!(scene.signs.goodbyes.load(Ordering::SeqCst), 0, "the host has ended them");
}

#[tokio::test]
async fn it_stops_after_its_turns_and_refuses_new_ones_meanwhile() {
    let mut scene = scene().await;
    let mut line = scene.host.welcome().await;
    line.turn("c1", "add", "2").await.unwrap();
    let first = line.ask("c2", "wait", "").await;
    in_time(scene.signs.waiting.notified()).await;
    scene.stop.cancel();
    // Until the worker has heard the stop it still takes turns.
    let refused = in_time(async {
        loop {
            let own = HashMap::from([("odeon-actor-chain".to_owned(), "03".to_owned())]);
            line.ask_with("c3", "value", "", own).await;
            if let (_, Err(refused)) = line.answer().await {
                return refused;
            }
        }
    })
    .await;
    assert_eq!(refused, (14, "the worker is stopping".to_owned()));
    // A turn that runs may wait for this call: it is let in.
    let chain = "0000000000000001,0000000000000002".to_owned();
    let chain = HashMap::from([("odeon-actor-chain".to_owned(), chain)]);
    let inner = line.ask_with("c1", "value", "", chain).await;
    assert_eq!(line.answer().await, (inner, Ok("2".to_owned())));
    scene.signs.open.notify_one();
    assert_eq!(line.answer().await, (first, Ok(String::new())));
    assert!(line.hear().await.is_none(), "closed after the last answer");
    drop(line);
    let signs = Arc::clone(&scene.signs);
    scene.stopped().await.unwrap();
    assert!(signs.goodbyes.load(Ordering::SeqCst) >= 2);
}

#[tokio::test]
async fn calls_carry_the_chain_and_the_others_no_comes_back() {
    let mut scene = scene().await;
    let mut line = scene.host.welcome().await;
    line.turn("c1", "add", "2").await.unwrap();
    let headers = HashMap::from([
        ("Dapr-Reentrancy-Id".to_owned(), "abc".to_owned()),
        ("odeon-actor-chain".to_owned(), "0000000000000007".to_owned()),
    ]);
    let id = line.ask_with("c1", "call", "\"c9\"", headers.clone()).await;
    assert_eq!(line.answer().await, (id, Ok("2".to_owned())), "the host echoes the body");
    let call = scene.host.memory.lock().unwrap().calls.pop().unwrap();
    assert_eq!((call.actor_id.as_str(), call.method.as_str()), ("c9", "add"));
    assert_eq!(call.metadata, headers);

    let client = Client::connect(&scene.host.address).unwrap();
    let typed = client.actor::<Counter>("c1").unwrap();
    assert_eq!(typed.add(5).await.unwrap(), 5);
    let error = typed.fail(1).await.unwrap_err();
    assert!(matches!(error, Error::Failed { message } if message == "changed my mind"));
}

#[tokio::test]
async fn state_calls_say_for_which_activation_they_are() {
    let mut scene = scene().await;
    let mut line = scene.host.welcome().await;
    for activation in ["1.2.3", "1.2.4"] {
        let headers = HashMap::from([("odeon-activation".to_owned(), activation.to_owned())]);
        // The first of them reads, too, as the instance is made.
        for (method, body) in [("add", "2"), ("stored", "")] {
            line.ask_with("c1", method, body, headers.clone()).await;
            line.answer().await.1.unwrap();
            let shown = scene.host.memory.lock().unwrap().activation.take();
            assert_eq!(shown.as_deref(), Some(activation), "{method}");
        }
    }
    line.turn("c1", "add", "2").await.unwrap();
    let shown = scene.host.memory.lock().unwrap().activation.take();
    assert_eq!(shown, None, "a host that does not name it");
}

#[tokio::test]
async fn reminders_and_timers_call_methods() {
    let mut scene = scene().await;
    let mut line = scene.host.welcome().await;
    let data = prost_types::Any { type_url: String::new(), value: b"4".to_vec() };
    line.say(ResponseType::ReminderRequest(
        proto::SubscribeActorEventsResponseReminderRequestAlpha1 {
            id: "r".to_owned(),
            actor_type: "Counter".to_owned(),
            actor_id: "c1".to_owned(),
            name: "daily".to_owned(),
            data: Some(data.clone()),
            ..Default::default()
        },
    ))
    .await;
    let answer = line.hear().await;
    assert!(
        matches!(answer, Some(RequestType::ReminderResponse(done)) if done.id == "r" && !done.cancel)
    );
    line.say(ResponseType::TimerRequest(proto::SubscribeActorEventsResponseTimerRequestAlpha1 {
        id: "t".to_owned(),
        actor_type: "Counter".to_owned(),
        actor_id: "c1".to_owned(),
        callback: "add".to_owned(),
        data: Some(data),
        ..Default::default()
    }))
    .await;
    assert!(matches!(line.hear().await, Some(RequestType::TimerResponse(done)) if done.id == "t"));
    assert_eq!(line.turn("c1", "value", "").await, Ok("8".to_owned()));
}

#[tokio::test]
async fn a_host_that_refuses_for_good_ends_the_worker() {
    let host = Host::start().await;
    let refusal = Status::failed_precondition("the app channel is HTTP");
    host.memory.lock().unwrap().refusals.push_back(refusal);
    let worker = Worker::connect(host.address.clone()).run(std::future::pending::<()>());
    let error = in_time(worker).await.unwrap_err();
    assert_eq!(error.to_string(), "the app channel is HTTP");
    let error = Worker::connect("not an address").run(std::future::ready(())).await.unwrap_err();
    assert!(error.to_string().contains("http://127.0.0.1:50001"), "{error}");
}
