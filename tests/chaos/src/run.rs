//! One run: a cluster, its load, what is done to it, and the verdict.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use odeon_base::Tasks;
use odeon_test_history::{Event, Object, Terms, Trouble as What, Violation, lines};
use odeon_test_support::{Client, wait};
use tokio::time::Instant;

use crate::cluster::{Cluster, STORE};
use crate::faults::{Fault, Kind, Plan};
use crate::keepers::{Keepers, LastLook, until_it_serves};
use crate::lives::Lives;
use crate::load::{Call, Load};
use crate::owners::Watch;
use crate::spaces::Spaces;
use crate::story::{self, Notes};
use crate::trouble::{Mark, Silence, Trouble};
use crate::verdict::{self, longest_gap, silence};
use crate::witness::TYPE;

/// What a run is to be like.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long things are done to the cluster.
    pub length: Duration,
    /// Decides what, to whom and for how long.
    pub seed: u64,
    /// How many hosts.
    pub hosts: usize,
    /// How many callers call at a time.
    pub callers: usize,
    /// How many actors they call.
    pub actors: usize,
    /// L.
    pub lease: Duration,
    /// What is done, in this order, again and again.
    pub faults: Vec<Kind>,
    /// After how many of them the run ends, if that is sooner.
    pub faults_max: usize,
    /// Where to write what the hosts said, and the history.
    pub logs: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            length: Duration::from_secs(60),
            seed: 1,
            hosts: 5,
            callers: 16,
            actors: 60,
            lease: Duration::from_secs(3),
            faults: Kind::ALL.to_vec(),
            faults_max: usize::MAX,
            logs: None,
        }
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// All calls.
    pub calls: Vec<Call>,
    /// All that was done.
    pub troubles: Vec<Trouble>,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// What it is held against.
    pub terms: Terms,
    /// Who is who in it.
    pub lives: Lives,
    /// The promises that were broken.
    pub violations: Vec<Violation>,
    /// How long it took.
    pub length: Duration,
    /// Where what happened was written to, if it was.
    pub kept: Option<PathBuf>,
}

/// Pause between two faults: enough for shares to move back.
const REST: Duration = Duration::from_secs(1);

/// Added to what is done to the host that holds the store.
const HOLDER: &str = ", which holds the store";

/// Runs a cluster under faults, and judges what was seen of it.
///
/// # Errors
/// Why no cluster could be started, or which part of the history cannot be read or kept.
pub async fn run(options: &Options) -> Result<Outcome, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let spaces = options.faults.iter().any(|kind| kind.parts_the_network());
    let spaces = if spaces { Some(Spaces::make(options.hosts)?) } else { None };
    let (hosts, lease, logs) = (options.hosts, options.lease, options.logs.clone());
    let mut cluster = Cluster::start(folder.path(), hosts, lease, logs, spaces).await;
    let clients: Vec<Client> = (0..options.hosts).map(|host| cluster.client(host)).collect();
    until_all_serve(&clients, options.actors).await;
    let tasks = Tasks::new("callers");
    let watch = Watch::start(cluster.placement(), options.actors, &tasks);
    watch.sees().await;
    let keepers = Arc::new(Keepers::new(options.actors, options.seed));
    let mut load = Load::start(clients.clone(), options.callers, keepers, &tasks);
    let mut plan = Plan::new(options.seed, options.hosts, options.lease, &options.faults);
    let (mut troubles, mut faults) = (Vec::new(), Vec::new());
    while load.elapsed() < options.length && troubles.len() < options.faults_max {
        let fault = plan.next_fault();
        let (trouble, until) = suffer(&mut cluster, &load, &clients, (fault, options.actors)).await;
        troubles.push(trouble);
        faults.push((fault, until));
        until_all_serve(&clients, options.actors).await;
        rest().await;
    }
    let length = load.elapsed();
    load.stop().await;
    last_looks(&load, options.actors).await;
    let calls = load.take();
    let owners = watch.stop().await;
    cluster.keep_logs();
    for (trouble, (fault, until)) in troubles.iter_mut().zip(faults) {
        trouble.silence = silence_of(trouble, (fault, until), &calls, lease);
    }
    let notes = Notes {
        calls: &calls,
        turns: story::turns(&cluster.notes())?,
        owners: &owners,
        troubles: &troubles,
        lives: cluster.lives(),
        began: load.began(),
        lease,
    };
    let (events, terms) = (notes.tell(), verdict::terms(lease));
    let mut violations = verdict::check(&events, &terms, (&calls, &troubles), lease);
    violations.extend(verdict::told_in_the_end(&calls, length, options.actors));
    let lives = cluster.lives().clone();
    let violations = violations.into_iter().map(|violation| lives.named(violation)).collect();
    let mut outcome =
        Outcome { calls, troubles, events, terms, lives, violations, length, kept: None };
    outcome.kept = outcome.keep(options)?;
    Ok(outcome)
}

impl Outcome {
    /// Writes down what happened, where logs are wanted or promises were broken.
    fn keep(&self, options: &Options) -> Result<Option<PathBuf>, String> {
        let path = match &options.logs {
            Some(folder) => folder.join("history.txt"),
            None if self.violations.is_empty() => return Ok(None),
            None => {
                let name = format!("odeon-chaos-{}-{}.txt", std::process::id(), options.seed);
                std::env::temp_dir().join(name)
            }
        };
        let mut text = String::new();
        for (number, name) in self.lives.names() {
            let _ = writeln!(text, "# host {number} is host {name}");
        }
        for violation in &self.violations {
            let _ = writeln!(text, "# {violation}");
        }
        for event in &self.events {
            let _ = writeln!(text, "{}", lines::write(event));
        }
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Some(path))
    }
}

/// Reads each object of each actor once more, when all should be well.
async fn last_looks(load: &Load, actors: usize) {
    let until = load.elapsed() + wait::PATIENCE;
    for round in 0..actors * Object::ALL.len() {
        while !load.call(0, &LastLook, (0, round)).await.is_answer() && load.elapsed() < until {}
    }
}

fn silence_of(
    trouble: &Trouble,
    (fault, until): (Fault, Duration),
    calls: &[Call],
    lease: Duration,
) -> Option<Duration> {
    match fault {
        Fault::Kill(_) => silence(trouble, calls),
        // Held still for longer than its lease, a host is one whose machine has failed.
        Fault::Pause(_, length) | Fault::Isolate(_, length) if length > lease => {
            silence(trouble, calls)
        }
        Fault::Stop(_) => longest_gap(trouble, until, calls),
        Fault::Pause(..)
        | Fault::Isolate(..)
        | Fault::Cut { .. }
        | Fault::RollingRestart
        | Fault::KillPlacement => None,
    }
}

async fn rest() {
    let until = Instant::now() + REST;
    tokio::time::sleep_until(until).await;
}

/// Does it; with it comes when the victim, if it had gone, was about to come back.
async fn suffer(
    cluster: &mut Cluster,
    load: &Load,
    clients: &[Client],
    (fault, actors): (Fault, usize),
) -> (Trouble, Duration) {
    let victims = fault.victims();
    let mut concerned = BTreeSet::new();
    for host in &victims {
        // A cut concerns two hosts, and clients still reach both.
        if victims.len() == 1 {
            load.avoid(*host).await;
        }
        concerned.extend(lives_on(cluster, clients, *host, actors).await);
    }
    let holds = !victims.is_empty() && concerned.len() == actors;
    let whats = told(fault, cluster.lives(), holds);
    let silences = silenced(fault, cluster.lives());
    let began = load.elapsed();
    let (calm, back) = befall(cluster, load, clients, (fault, &concerned)).await;
    let ended = load.elapsed();
    for host in &victims {
        load.use_again(*host);
    }
    let mark = |trouble| Mark { trouble, began, ended: calm };
    let trouble = Trouble {
        name: format!("{}{}", fault.name(), if holds { HOLDER } else { "" }),
        began,
        ended,
        is_hard: fault.is_hard(),
        victim: victims.first().copied(),
        concerned,
        silence: None,
        marks: whats.into_iter().map(mark).collect(),
        silences,
    };
    (trouble, back)
}

/// Does it; when it was over but for victims that had to come back, and when these were about to.
async fn befall(
    cluster: &mut Cluster,
    load: &Load,
    clients: &[Client],
    (fault, concerned): (Fault, &BTreeSet<usize>),
) -> (Duration, Duration) {
    match fault {
        Fault::Kill(host) => {
            cluster.kill_host(host);
            // Not before others have taken over: a host that is back ends its former life.
            let asked = &clients[(host + 1) % clients.len()];
            for actor in concerned {
                until_it_serves(asked, *actor).await;
            }
            let calm = load.elapsed();
            rest().await;
            let back = load.elapsed();
            cluster.start_host(host).await;
            return (calm, back);
        }
        Fault::Stop(host) => {
            stop(cluster, host).await;
            let calm = load.elapsed();
            rest().await;
            let back = load.elapsed();
            cluster.start_host(host).await;
            return (calm, back);
        }
        Fault::Pause(host, length) => {
            cluster.pause_host(host);
            tokio::time::sleep(length).await;
            cluster.resume_host(host);
        }
        Fault::RollingRestart => {
            for host in 0..cluster.size() {
                load.avoid(host).await;
                stop(cluster, host).await;
                cluster.start_host(host).await;
                load.use_again(host);
            }
        }
        Fault::Isolate(_, length) | Fault::Cut { length, .. } => {
            cluster.part(fault);
            tokio::time::sleep(length).await;
            cluster.mend(fault);
        }
        Fault::KillPlacement => {
            cluster.kill_placement();
            rest().await;
            cluster.start_placement(false).await;
        }
    }
    (load.elapsed(), load.elapsed())
}

async fn stop(cluster: &mut Cluster, host: usize) {
    let code = cluster.stop_host(host).await;
    assert_eq!(code, 0, "host {host} did not stop in order");
}

/// What the history is told of it. What is done to the holder of the store is done to all,
/// unless it is done in order.
fn told(fault: Fault, lives: &Lives, holds: bool) -> Vec<What> {
    let mut told = match fault {
        Fault::Kill(host) => vec![What::Crash(lives.last(host))],
        Fault::Pause(host, _) => vec![What::Frozen(lives.last(host))],
        Fault::Isolate(host, _) => vec![What::Host(lives.last(host))],
        Fault::Cut { from, to, .. } => [from, to].map(|host| What::Host(lives.last(host))).into(),
        Fault::KillPlacement => vec![What::Placement],
        Fault::Stop(_) | Fault::RollingRestart => Vec::new(),
    };
    if holds && fault.is_hard() {
        told.push(What::All);
    }
    told
}

/// Who says nothing any more; of two that are cut off from each other, placement still hears.
fn silenced(fault: Fault, lives: &Lives) -> Option<Silence> {
    match fault {
        Fault::Kill(host) => Some(Silence::Dead(lives.last(host))),
        Fault::Pause(host, _) | Fault::Isolate(host, _) => Some(Silence::Still(lives.last(host))),
        Fault::Stop(_) | Fault::RollingRestart | Fault::KillPlacement | Fault::Cut { .. } => None,
    }
}

/// The actors that the host owns; all of them, if it holds the store.
async fn lives_on(
    cluster: &Cluster,
    clients: &[Client],
    host: usize,
    actors: usize,
) -> BTreeSet<usize> {
    let asked = &clients[(host + 1) % clients.len()];
    let name = cluster.name(host);
    let owner = |id: usize| async move {
        let path = format!("/odeon/v1/placement/owner?type={TYPE}&id={id}");
        let answer = asked.get(&path).await.ok()?.json();
        answer["host"].as_str().map(str::to_owned)
    };
    if holds_the_store(asked, &name, STORE).await {
        return (0..actors).collect();
    }
    let mut concerned = BTreeSet::new();
    for actor in 0..actors {
        if owner(actor).await.is_none_or(|owner| owner == name) {
            concerned.insert(actor);
        }
    }
    concerned
}

/// Whether a store is open in the host of this name, by its own word.
pub async fn holds_the_store(asked: &Client, name: &str, store: &str) -> bool {
    let hosts = asked.get("/odeon/v1/hosts").await.map(|answer| answer.json()).unwrap_or_default();
    let hosts = hosts["hosts"].as_array().cloned().unwrap_or_default();
    let is_store = |one: &serde_json::Value| {
        let of = one["type"].as_str().unwrap_or_default();
        of.starts_with("sys.state/") && of.ends_with(store)
    };
    hosts.iter().filter(|host| host["name"] == name).any(|host| {
        host["status"]["types"].as_array().is_some_and(|types| types.iter().any(is_store))
    })
}

/// Waits until every actor answers through every host.
async fn until_all_serve(clients: &[Client], actors: usize) {
    for client in clients {
        for actor in 0..actors {
            until_it_serves(client, actor).await;
        }
    }
}
