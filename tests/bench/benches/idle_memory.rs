//! What does an idle activation cost in memory, its id included?
//!
//! A million actors each run one turn that writes one small key; the resident set
//! of the process before and after, divided by their number. Natively, the actor is
//! an SDK actor in the engine's process. Worker-hosted, the host's channel serves a
//! stream of this process that commits and answers, and keeps nothing, so that what
//! is counted is the host's side alone. Each runs in a process of its own.
//! `cargo bench -p odeon-bench --bench idle_memory`, with ` -- 100000` for fewer.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark"
)]

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use odeon_base::Fence;
use odeon_proto::dapr::runtime::v1::subscribe_actor_events_request_alpha1::RequestType;
use odeon_proto::dapr::runtime::v1::subscribe_actor_events_response_alpha1::ResponseType;
use odeon_proto::dapr::runtime::v1::{
    SubscribeActorEventsRequestAlpha1, SubscribeActorEventsRequestInitialAlpha1,
    SubscribeActorEventsRequestInvokeResponseAlpha1,
};
use odeon_runtime::store::{
    ActorScope, Capabilities, Item, Key, Page, Result as StoreResult, Scan, StateStore, Transaction,
};
use odeon_runtime::{ActorRef, Change, Engine, Invocation};
use odeon_sdk::{Client, Ctx, Result as ActorResult, actor, actors};
use odeon_test_wire::Rig;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

const ACTORS: usize = 1_000_000;
/// Activated before the first look, so that what exists once is not counted.
const WARM: usize = 10_000;
const CALLERS: usize = 64;

/// A store that takes everything and keeps nothing: an actor's rows are on a disk,
/// and here they are no part of what is counted.
#[derive(Debug)]
struct Forgetful;

impl StateStore for Forgetful {
    fn capabilities(&self) -> Capabilities {
        Capabilities { etag: true, transactional: true, fenced: true, ..Capabilities::default() }
    }
    fn get<'a>(&'a self, _: &'a Key) -> BoxFuture<'a, StoreResult<Option<Item>>> {
        ready(Ok(None)).boxed()
    }
    fn bulk_get<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, StoreResult<Vec<Option<Item>>>> {
        ready(Ok(vec![None; keys.len()])).boxed()
    }
    fn transact(&self, _: Transaction) -> BoxFuture<'_, StoreResult<()>> {
        ready(Ok(())).boxed()
    }
    fn claim(&self, _: ActorScope, _: Fence) -> BoxFuture<'_, StoreResult<()>> {
        ready(Ok(())).boxed()
    }
    fn scan(&self, _: Scan) -> BoxFuture<'_, StoreResult<Page>> {
        ready(Ok(Page::default())).boxed()
    }
    fn close(&self) -> BoxFuture<'_, StoreResult<()>> {
        ready(Ok(())).boxed()
    }
}

/// Counts, and remembers.
#[derive(Debug, Default)]
struct Counter {
    n: i64,
}

#[actor]
impl Counter {
    /// Adds, and answers the sum.
    async fn add(&mut self, ctx: &mut Ctx, by: i64) -> ActorResult<i64> {
        self.n += by;
        ctx.set("n", &self.n)?;
        Ok(self.n)
    }
}

/// The resident set of this process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

fn id(n: usize) -> String {
    format!("actor-{n:010}")
}

/// Calls the actors from `first` on, once each.
async fn touch<F, Fut>(first: usize, count: usize, call: F)
where
    F: Fn(String) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    let next = Arc::new(AtomicUsize::new(first));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (next, call) = (Arc::clone(&next), call.clone());
            tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= first + count {
                        return;
                    }
                    call(id(n)).await;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
}

/// Bytes of resident memory an actor.
async fn measure<F, Fut>(name: &str, engine: &Engine, actors: usize, call: F)
where
    F: Fn(String) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    touch(0, WARM, call.clone()).await;
    let before = resident();
    touch(WARM, actors, call).await;
    let after = resident();
    let active: usize = engine.status().types.iter().map(|hosted| hosted.active).sum();
    assert_eq!(active, WARM + actors, "all are active still");
    let grown = after - before;
    println!("{name:14} {:>4} B an activation ({actors}; {before} -> {after})", grown / actors);
}

async fn native(actors: usize) {
    let engine = odeon_bench::engine().await;
    engine.use_store(Arc::new(Forgetful));
    engine.offer(actors![Counter]).await.unwrap();
    let client = Client::embedded(engine.clone());
    let call = move |id: String| {
        let counter = client.actor::<Counter>(&id).unwrap();
        async move { assert_eq!(counter.add(1).await.unwrap(), 1) }
    };
    measure("native", &engine, actors, call).await;
}

async fn hosted(actors: usize) {
    let rig = Rig::without_store().await;
    rig.engine.use_store(Arc::new(Forgetful));
    serve(&rig).await;
    let engine = rig.engine.clone();
    let call = move |id: String| {
        let engine = engine.clone();
        async move {
            let actor = ActorRef::parse("W", &id).unwrap();
            let reply = engine.call(Invocation::new(actor, "add", "1")).await.unwrap();
            assert_eq!(reply.body, "1");
        }
    };
    measure("worker-hosted", &rig.engine, actors, call).await;
}

/// The cheapest worker there is: commits one key and answers, over the host's own
/// stream, and knows no actor.
async fn serve(rig: &Rig) {
    let (send, sent) = mpsc::channel(64);
    let entities = vec!["W".to_owned()];
    let initial = SubscribeActorEventsRequestInitialAlpha1 { entities, ..Default::default() };
    let say = |what| SubscribeActorEventsRequestAlpha1 { request_type: Some(what) };
    send.send(say(RequestType::InitialRequest(initial))).await.unwrap();
    let asked = rig.client().subscribe_actor_events_alpha1(ReceiverStream::new(sent)).await;
    let mut asked = asked.unwrap().into_inner();
    asked.message().await.unwrap();
    let engine = rig.engine.clone();
    tokio::spawn(async move {
        while let Some(question) = asked.message().await.unwrap() {
            let Some(ResponseType::InvokeRequest(asked)) = question.response_type else { continue };
            let actor = ActorRef::parse("W", &asked.actor_id).unwrap();
            engine.write_state(&actor, None, vec![Change::set("n", "1")]).await.unwrap();
            let answer = SubscribeActorEventsRequestInvokeResponseAlpha1 {
                id: asked.id,
                data: Bytes::from_static(b"1"),
                ..Default::default()
            };
            send.send(say(RequestType::InvokeResponse(answer))).await.unwrap();
        }
    });
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let actors = words.iter().find_map(|word| word.parse().ok()).unwrap_or(ACTORS);
    let role = words.iter().find(|word| ["--native", "--hosted"].contains(&word.as_str()));
    let Some(role) = role else {
        for role in ["--native", "--hosted"] {
            let me = std::env::current_exe().unwrap();
            let done = Command::new(me).args([role, &actors.to_string()]).status().unwrap();
            assert!(done.success());
        }
        return;
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match role.as_str() {
        "--native" => runtime.block_on(native(actors)),
        _ => runtime.block_on(hosted(actors)),
    }
}
