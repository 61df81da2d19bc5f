//! What does a local turn cost, beside a bare lock and other actor libraries?
//!
//! Native actors called through router, directory and turn against: a turn lock
//! polled by the caller, tokio's mpsc with oneshot, kameo and ractor. Three
//! shapes: 10,000 actors and 64 callers, one actor and one caller, one hot actor
//! and 64 callers. `cargo bench -p odeon-bench --bench turns`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use odeon_base::ActorType;
use odeon_bench::{Rates, human};
use odeon_runtime::seams::{Behaviour, Call, Instance, Work};
use odeon_runtime::{ActorRef, Caller, Engine, Error, Reply, Target, Turn, TypeConfig, TypeSpec};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::Instant;

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(400);

struct Counter {
    n: u64,
}

#[derive(Debug)]
struct CounterBehaviour;

impl Behaviour for CounterBehaviour {
    fn activate<'a>(&'a self, _: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>> {
        Box::pin(async { Ok(Instance::Owned(Box::new(Counter { n: 0 }))) })
    }
    fn invoke<'a>(
        &'a self,
        _: &'a mut Instance,
        _: &'a Turn,
        _: Call,
    ) -> BoxFuture<'a, Result<Reply, Error>> {
        Box::pin(async { Ok(Reply::default()) })
    }
    fn is_shared(&self) -> bool {
        false
    }
}

struct Add(u64);

impl Work<Counter> for Add {
    type Output = u64;
    async fn run(self, actor: &mut Counter, _: &Turn) -> Result<u64, Error> {
        actor.n += self.0;
        Ok(actor.n)
    }
}

/// Runs callers for a while; `call(actor index)` is one ask and its answer.
async fn round<F, Fut>(actors: usize, callers: usize, call: F) -> (u64, Duration)
where
    F: Fn(usize) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    let total = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let (call, total) = (call.clone(), Arc::clone(&total));
            tokio::spawn(async move {
                let mut calls = 0;
                let mut at = caller * 7919;
                while start.elapsed() < ROUND {
                    for _ in 0..64 {
                        at = (at + 7) % actors;
                        call(at).await;
                    }
                    calls += 64;
                }
                total.fetch_add(calls, Ordering::Relaxed);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    (total.load(Ordering::Relaxed), start.elapsed())
}

/// One share for both, as the other sides have one.
type Ours = Arc<(Engine, Vec<Target>)>;

async fn call(ours: Ours, at: usize) {
    let (engine, targets) = &*ours;
    engine.run::<Counter, _>(&targets[at], Caller::default(), Add(1)).await.unwrap();
}

/// A call to an actor that has a task and a mailbox of its own.
type Asks = mpsc::Sender<(u64, oneshot::Sender<u64>)>;

/// A mailbox task an actor, as one writes it by hand.
fn mailboxes(actors: usize) -> Arc<Vec<Asks>> {
    let mailbox = |_| {
        let (tx, mut rx) = mpsc::channel::<(u64, oneshot::Sender<u64>)>(64);
        tokio::spawn(async move {
            let mut n = 0;
            while let Some((by, answer)) = rx.recv().await {
                n += by;
                let _ = answer.send(n);
            }
        });
        tx
    };
    Arc::new((0..actors).map(mailbox).collect())
}

async fn ractors(actors: usize) -> Arc<Vec<ractor::ActorRef<RactorMsg>>> {
    let mut made = Vec::new();
    for _ in 0..actors {
        made.push(ractor::Actor::spawn(None, RactorCounter, ()).await.unwrap().0);
    }
    Arc::new(made)
}

async fn shape(name: &str, actors: usize, callers: usize) {
    let engine = engine().await;
    let id = |n| ActorRef::parse("Counter", &format!("counter-{n:010}")).unwrap();
    let targets: Vec<_> = (0..actors).map(|n| engine.target(&id(n))).collect();
    let ours = Arc::new((engine, targets));
    let locks: Arc<Vec<_>> = Arc::new((0..actors).map(|_| Mutex::new(0_u64)).collect());
    let queues = mailboxes(actors);
    let spawn = |_| <KameoCounter as kameo::actor::Spawn>::spawn(KameoCounter(0));
    let kameos: Arc<Vec<_>> = Arc::new((0..actors).map(spawn).collect());
    let ractors = ractors(actors).await;
    let mut rates: [Rates; 5] = std::array::from_fn(|_| Rates::default());
    for n in 0..=ROUNDS {
        let ours = Arc::clone(&ours);
        let (l, q) = (Arc::clone(&locks), Arc::clone(&queues));
        let (k, r) = (Arc::clone(&kameos), Arc::clone(&ractors));
        let results = [
            round(actors, callers, move |at| call(Arc::clone(&ours), at)).await,
            round(actors, callers, move |at| {
                let l = Arc::clone(&l);
                async move { *l[at].lock().await += 1 }
            })
            .await,
            round(actors, callers, move |at| {
                let q = Arc::clone(&q);
                async move {
                    let (tx, rx) = oneshot::channel();
                    q[at].send((1, tx)).await.unwrap();
                    rx.await.unwrap();
                }
            })
            .await,
            round(actors, callers, move |at| {
                let k = Arc::clone(&k);
                async move { assert!(k[at].ask(KameoAdd(1)).await.unwrap() > 0) }
            })
            .await,
            round(actors, callers, move |at| {
                let r = Arc::clone(&r);
                async move { assert!(ractor::call!(r[at], RactorMsg::Add, 1).unwrap() > 0) }
            })
            .await,
        ];
        if n > 0 {
            let pairs = results.iter().zip(&mut rates);
            pairs.for_each(|((calls, took), rates)| rates.push(*calls, *took));
        }
    }
    report(name, &rates);
}

fn report(name: &str, rates: &[Rates; 5]) {
    let ours = rates[0].median();
    println!("{name}: odeon {}", human(ours));
    let others = ["turn lock", "mpsc + oneshot", "kameo", "ractor"];
    for (other, rates) in others.iter().zip(&rates[1..]) {
        let ratio = ours / rates.median();
        println!("  against {other:15} {:>8}  ratio {ratio:.2}", human(rates.median()));
    }
}

/// First calls of new actors against warm calls of the same, one caller.
async fn first_call() {
    const ACTORS: usize = 20_000;
    let (mut first, mut warm) = (Rates::default(), Rates::default());
    for n in 0..=ROUNDS {
        let engine = engine().await;
        let id = |at| ActorRef::parse("Counter", &format!("new-{at:010}")).unwrap();
        let targets: Vec<_> = (0..ACTORS).map(|at| engine.target(&id(at))).collect();
        for rates in [&mut first, &mut warm] {
            let start = Instant::now();
            for target in &targets {
                engine.run::<Counter, _>(target, Caller::default(), Add(1)).await.unwrap();
            }
            if n > 0 {
                rates.push(ACTORS as u64, start.elapsed());
            }
        }
    }
    let ratio = first.median() / warm.median();
    println!(
        "first call {}, warm {}, ratio {ratio:.2}",
        human(first.median()),
        human(warm.median())
    );
}

#[derive(kameo::Actor)]
struct KameoCounter(u64);
struct KameoAdd(u64);
impl kameo::message::Message<KameoAdd> for KameoCounter {
    type Reply = u64;
    async fn handle(&mut self, msg: KameoAdd, _: &mut kameo::message::Context<Self, u64>) -> u64 {
        self.0 += msg.0;
        self.0
    }
}

struct RactorCounter;
enum RactorMsg {
    Add(u64, ractor::RpcReplyPort<u64>),
}
impl ractor::Actor for RactorCounter {
    type Msg = RactorMsg;
    type State = u64;
    type Arguments = ();
    async fn pre_start(
        &self,
        _: ractor::ActorRef<RactorMsg>,
        (): (),
    ) -> Result<u64, ractor::ActorProcessingErr> {
        Ok(0)
    }
    async fn handle(
        &self,
        _: ractor::ActorRef<RactorMsg>,
        msg: RactorMsg,
        n: &mut u64,
    ) -> Result<(), ractor::ActorProcessingErr> {
        let RactorMsg::Add(by, reply) = msg;
        *n += by;
        let _ = reply.send(*n);
        Ok(())
    }
}

async fn engine() -> Engine {
    let engine = odeon_bench::engine().await;
    let spec = TypeSpec {
        actor_type: ActorType::parse("Counter").unwrap(),
        config: TypeConfig { stateless: true, ..TypeConfig::default() },
        behaviour: Arc::new(CounterBehaviour),
    };
    engine.offer(vec![spec]).await.unwrap();
    engine
}

/// For a profiler: nothing but our own calls, for five seconds.
async fn only_ours(actors: usize, callers: usize) {
    let engine = engine().await;
    let id = |n| ActorRef::parse("Counter", &format!("counter-{n:010}")).unwrap();
    let targets: Vec<_> = (0..actors).map(|n| engine.target(&id(n))).collect();
    let ours = Arc::new((engine, targets));
    for _ in 0..13 {
        let ours = Arc::clone(&ours);
        let round = round(actors, callers, move |at| call(Arc::clone(&ours), at));
        let (calls, took) = round.await;
        println!("{:.0} ns a call", took.as_nanos() as f64 / calls as f64);
    }
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--only-ours") {
        let number = |n: usize| args.get(at + n).and_then(|arg| arg.parse().ok()).unwrap_or(1);
        return runtime.block_on(only_ours(number(1), number(2)));
    }
    runtime.block_on(async {
        shape("10,000 actors x 64 callers", 10_000, 64).await;
        shape("1 actor x 1 caller", 1, 1).await;
        shape("1 actor x 64 callers", 1, 64).await;
        first_call().await;
    });
}
