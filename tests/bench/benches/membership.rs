//! What does a host cost placement, and what does a join cost the calls of others?
//!
//! `cost`: 50 host processes with a worker each join one placement process, through a relay
//! that counts; its memory, what one join sends, and what goes on while nothing happens.
//! `join`: five hosts with a worker each answer a steady load; a sixth joins and leaves again,
//! ten times. The p99 of calls whose actor's owner stays, before and meanwhile.
//! `cargo bench -p odeon-bench --bench membership`; `-- cost` or `-- join` for one of them.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use odeon_base::{TaskKind, Tasks};
use odeon_bench::relay::Relay;
use odeon_bench::web::{self, Connection, Echo, Server};
use odeon_test_support::{Client, Node, Placement, ports, until};
use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// After so many hosts placement is measured.
const SHOWN: [usize; 5] = [1, 2, 10, 25, 50];
/// How long nothing happens.
const IDLE: Duration = Duration::from_secs(10);
/// For messages that are on their way.
const SETTLING: Duration = Duration::from_secs(2);

const HOSTS: usize = 5;
const JOINS: usize = 10;
const CALLERS: usize = 15;
const ACTORS: usize = 300;
/// Between two calls of a caller.
const PACE: Duration = Duration::from_millis(5);
/// How long the load is watched before each join.
const BEFORE: Duration = Duration::from_secs(3);

async fn placement(folder: &Path) -> Placement {
    Placement::builder(folder.join("placement")).words(&["--new-cluster"]).start().await
}

async fn asked(client: &Client, path: &str) -> Value {
    client.get(path).await.map(|answer| answer.json()).unwrap_or_default()
}

/// Waits until so many hosts are in the echo's table, and nothing is on its way elsewhere.
async fn until_settled(client: &Client, hosts: usize) {
    until(&format!("{hosts} hosts to have settled"), || async {
        let answer = asked(client, "/odeon/v1/placement/tables?type=Echo").await;
        let table = answer["tables"].as_array()?.first()?;
        let members = table["chain"].as_array()?.last()?["members"].as_array()?.len();
        (table["isCommitted"] == true && members == hosts).then_some(())
    })
    .await;
}

/// Resident memory of a process in KiB.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn cost() {
    let folder = tempfile::tempdir().unwrap();
    let tasks = Tasks::new("bench");
    let placement = placement(folder.path()).await;
    let client = placement.client();
    let relay = Relay::before(placement.port, &tasks).await;
    println!("placement alone: {} KiB", resident(placement.process.id()));
    println!(
        "hosts  memory KiB  types  last join: messages, bytes to hosts; from hosts   a second: messages, bytes to hosts; from hosts"
    );
    let mut hosts = Vec::new();
    for count in 1..=SHOWN[SHOWN.len() - 1] {
        let (before, began) = (relay.passed(), Instant::now());
        let data = folder.path().join(format!("host-{count}"));
        let host = web::host(&data, &relay.address()).start().await;
        let address = format!("http://127.0.0.1:{}", host.grpc);
        tasks.spawn(TaskKind::Stream, async move {
            let worker = odeon_sdk::Worker::connect(address).actor::<Echo>();
            // Until the host ends.
            let _ = worker.run(std::future::pending::<()>()).await;
        });
        hosts.push(host);
        until_settled(&client, count).await;
        if !SHOWN.contains(&count) {
            continue;
        }
        sleep(SETTLING).await;
        let (joined, took) = (relay.passed() - before, began.elapsed());
        let types = asked(&client, "/odeon/v1/placement/status").await["types"].clone();
        let before = relay.passed();
        sleep(IDLE).await;
        let idle = relay.passed() - before;
        let a_second = |count: u64| count as f64 / IDLE.as_secs_f64();
        // Without what would have gone through anyway.
        let of_join = |count, idle| count as f64 - a_second(idle) * took.as_secs_f64();
        println!(
            "{count:>5}  {:>10}  {types:>5}  {:>8.0} {:>9.0}; {:>6.0} {:>8.0}   {:>6.0} {:>8.0}; {:>6.0} {:>8.0}",
            resident(placement.process.id()),
            of_join(joined.messages_down, idle.messages_down),
            of_join(joined.bytes_down, idle.bytes_down),
            of_join(joined.messages_up, idle.messages_up),
            of_join(joined.bytes_up, idle.bytes_up),
            a_second(idle.messages_down),
            a_second(idle.bytes_down),
            a_second(idle.messages_up),
            a_second(idle.bytes_up),
        );
    }
}

/// A call: of whom, when, and how long it took.
#[derive(Debug, Clone, Copy)]
struct Called {
    actor: usize,
    began: Instant,
    took: Duration,
}

/// Callers at a steady pace, until it is over.
#[derive(Debug, Default)]
struct Load {
    is_over: AtomicBool,
    calls: Mutex<Vec<Called>>,
}

impl Load {
    async fn call_on(&self, caller: usize, mut connection: Connection) {
        let body = web::body();
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut actor = caller * 7;
        while !self.is_over.load(Ordering::SeqCst) {
            pace.tick().await;
            actor = (actor + 11) % ACTORS;
            let began = Instant::now();
            let (status, _) = connection.echo(actor, &body).await.expect("a connection");
            assert_eq!(status, 200, "a call failed");
            let call = Called { actor, began, took: began.elapsed() };
            self.calls.lock().unwrap().push(call);
        }
    }

    /// Sorted times of calls that were on their way in this time.
    fn times(&self, from: Instant, to: Instant, is_meant: impl Fn(usize) -> bool) -> Vec<Duration> {
        let calls = self.calls.lock().unwrap();
        let within = |call: &&Called| call.began + call.took >= from && call.began <= to;
        let meant = calls.iter().filter(within).filter(|call| is_meant(call.actor));
        let mut times: Vec<_> = meant.map(|call| call.took).collect();
        times.sort();
        times
    }
}

fn quantile(sorted: &[Duration], part: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * part).round() as usize).copied().unwrap_or_default()
}

async fn owners(client: &Client) -> Vec<Value> {
    let mut owners = Vec::new();
    for actor in 0..ACTORS {
        let path = format!("/odeon/v1/placement/owner?type=Echo&id={}", web::id(actor));
        owners.push(asked(client, &path).await["host"].clone());
    }
    owners
}

/// What is measured of one join.
struct Join {
    started: Instant,
    healthy: Instant,
    settled: Instant,
}

/// A sixth host and its worker, always under the same name.
struct Sixth<'a> {
    folder: &'a Path,
    placement: &'a Placement,
    peers: u16,
}

impl Sixth<'_> {
    async fn join(&self) -> (Node, Server, Join) {
        let started = Instant::now();
        let peers = self.peers.to_string();
        let host = web::host(&self.folder.join("sixth"), &self.placement.address())
            .words(&["--dapr-internal-grpc-port", &peers]);
        let host = host.start().await;
        let healthy = Instant::now();
        let worker = web::worker(host.grpc);
        until_settled(&self.placement.client(), HOSTS + 1).await;
        (host, worker, Join { started, healthy, settled: Instant::now() })
    }

    async fn leave(&self, mut host: Node, worker: Server) {
        host.process.terminate();
        assert_eq!(host.process.code().await, 0);
        drop(worker);
        until_settled(&self.placement.client(), HOSTS).await;
    }
}

async fn join() {
    let folder = tempfile::tempdir().unwrap();
    let tasks = Tasks::new("bench");
    let placement = placement(folder.path()).await;
    let client = placement.client();
    let mut hosts = Vec::new();
    for number in 0..HOSTS {
        let data = folder.path().join(format!("host-{number}"));
        let host = web::host(&data, &placement.address()).start().await;
        let worker = web::worker(host.grpc);
        hosts.push((host, worker));
    }
    until_settled(&client, HOSTS).await;
    let load = Arc::new(Load::default());
    let mut callers = Vec::new();
    for caller in 0..CALLERS {
        let port = hosts[caller % HOSTS].0.http;
        web::until_serving(port, &tasks).await;
        let connection = Connection::to(port, &tasks).await;
        let load = Arc::clone(&load);
        callers.push(tasks.spawn(TaskKind::Connection, async move {
            load.call_on(caller, connection).await;
        }));
    }
    let peers = ports::free();
    let sixth = Sixth { folder: folder.path(), placement: &placement, peers };
    // The first time tells who moves, and makes all warm.
    let fives = owners(&client).await;
    let (host, worker, _) = sixth.join().await;
    let sixes = owners(&client).await;
    sixth.leave(host, worker).await;
    let moves = |actor: usize| fives[actor] != sixes[actor];
    let mut watched = Watched::default();
    for _ in 0..JOINS {
        sleep(SETTLING).await;
        let from = Instant::now();
        sleep(BEFORE).await;
        let (host, worker, join) = sixth.join().await;
        sleep(SETTLING / 4).await;
        let Join { started, healthy, settled } = join;
        let to = Instant::now();
        watched.before.extend(load.times(from, started, |actor| !moves(actor)));
        watched.start.extend(load.times(started, healthy, |actor| !moves(actor)));
        watched.join.extend(load.times(healthy, to, |actor| !moves(actor)));
        watched.movers.extend(load.times(healthy, to, moves));
        watched.took.push(settled - healthy);
        sixth.leave(host, worker).await;
    }
    load.is_over.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.await.unwrap();
    }
    let moving = (0..ACTORS).filter(|actor| moves(*actor)).count();
    println!("{JOINS} joins of a sixth host; {moving} of {ACTORS} actors move");
    watched.show();
}

/// Times of calls, by what happened meanwhile.
#[derive(Debug, Default)]
struct Watched {
    before: Vec<Duration>,
    start: Vec<Duration>,
    join: Vec<Duration>,
    movers: Vec<Duration>,
    took: Vec<Duration>,
}

impl Watched {
    fn show(&mut self) {
        let Self { before, start, join, movers, took } = self;
        for times in [&mut *before, start, join, movers, took] {
            times.sort();
        }
        let base = quantile(before, 0.99).as_secs_f64();
        for (what, times) in [
            ("others, before", &*before),
            ("others, while the process starts", start),
            ("others, while its type joins", join),
            ("movers, while its type joins", movers),
        ] {
            let [p50, p99, most] = [0.5, 0.99, 1.0].map(|part| quantile(times, part));
            println!(
                "  {what:34} {:>6} calls  p50 {p50:>8.1?}  p99 {p99:>8.1?} ({:.2})  longest {most:.1?}",
                times.len(),
                p99.as_secs_f64() / base
            );
        }
        println!("  from the worker's start to settled: p50 {:.0?}", quantile(took, 0.5));
    }
}

fn main() -> Result<(), String> {
    web::bench(
        |words| Box::pin(web::play(words)),
        &[("cost", || Box::pin(cost())), ("join", || Box::pin(join()))],
    )
}
