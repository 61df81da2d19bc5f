//! One run: a cluster, its load, what is done to it, and the verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use odeon_base::Tasks;
use odeon_test_support::{Client, until};
use tokio::time::Instant;

use crate::cluster::{Cluster, STORE, TYPE};
use crate::faults::{Fault, Kind, Plan};
use crate::load::{Call, Counters, Load, id};
use crate::spaces::Spaces;
use crate::verdict::{self, Trouble, Violation, longest_gap, silence};

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
    /// How many counters they call.
    pub actors: usize,
    /// L.
    pub lease: Duration,
    /// What is done, in this order, again and again.
    pub faults: Vec<Kind>,
    /// After how many of them the run ends, if that is sooner.
    pub faults_max: usize,
    /// Where to write what the hosts said.
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
    /// The promises that were broken.
    pub violations: Vec<Violation>,
    /// How long it took.
    pub length: Duration,
}

/// Pause between two faults: enough for shares to move back.
const REST: Duration = Duration::from_secs(1);

/// Added to what is done to the host that holds the store.
const HOLDER: &str = ", which holds the store";

/// Runs a cluster under faults, and judges what its clients saw.
///
/// # Errors
/// Why no cluster could be started.
pub async fn run(options: &Options) -> Result<Outcome, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let spaces = options.faults.iter().any(|kind| kind.parts_the_network());
    let spaces = if spaces { Some(Spaces::make(options.hosts)?) } else { None };
    let (hosts, lease, logs) = (options.hosts, options.lease, options.logs.clone());
    let mut cluster = Cluster::start(folder.path(), hosts, lease, logs, spaces).await;
    let clients: Vec<Client> = (0..options.hosts).map(|host| cluster.client(host)).collect();
    until_all_serve(&clients, options.actors).await;
    let tasks = Tasks::new("callers");
    let counters = Arc::new(Counters { actors: options.actors });
    let load = Load::start(clients.clone(), options.callers, counters, &tasks);
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
    let calls = load.stop().await;
    let mut finals = BTreeMap::new();
    for actor in 0..options.actors {
        finals.insert(actor, value(&clients[0], actor).await);
    }
    cluster.keep_logs();
    for (trouble, (fault, until)) in troubles.iter_mut().zip(faults) {
        trouble.silence = match fault {
            Fault::Kill(_) => silence(trouble, &calls),
            // Held still for longer than its lease, a host is one whose machine has failed.
            Fault::Pause(_, length) | Fault::Isolate(_, length) if length > options.lease => {
                silence(trouble, &calls)
            }
            Fault::Stop(_) => longest_gap(trouble, until, &calls),
            Fault::Pause(..)
            | Fault::Isolate(..)
            | Fault::Cut { .. }
            | Fault::RollingRestart
            | Fault::KillPlacement => None,
        };
    }
    let settling = options.lease.mul_f64(1.1) + Duration::from_millis(1_500);
    let violations = verdict::check(&calls, &finals, &troubles, settling);
    Ok(Outcome { calls, troubles, violations, length })
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
    let began = load.elapsed();
    let mut back = None;
    match fault {
        Fault::Kill(host) => {
            cluster.kill_host(host);
            // Not before others have taken over: a host that is back ends its former life.
            let asked = &clients[(host + 1) % clients.len()];
            for actor in &concerned {
                value(asked, *actor).await;
            }
            rest().await;
            back = Some(load.elapsed());
            cluster.start_host(host).await;
        }
        Fault::Stop(host) => {
            let code = cluster.stop_host(host).await;
            assert_eq!(code, 0, "host {host} did not stop in order");
            rest().await;
            back = Some(load.elapsed());
            cluster.start_host(host).await;
        }
        Fault::Pause(host, length) => {
            cluster.pause_host(host);
            tokio::time::sleep(length).await;
            cluster.resume_host(host);
        }
        Fault::RollingRestart => {
            for host in 0..cluster.size() {
                load.avoid(host).await;
                let code = cluster.stop_host(host).await;
                assert_eq!(code, 0, "host {host} did not stop in order");
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
    let ended = load.elapsed();
    for host in &victims {
        load.use_again(*host);
    }
    let holds = !victims.is_empty() && concerned.len() == actors;
    let trouble = Trouble {
        name: format!("{}{}", fault.name(), if holds { HOLDER } else { "" }),
        began,
        ended,
        is_hard: fault.is_hard(),
        victim: victims.first().copied(),
        concerned,
        silence: None,
    };
    (trouble, back.unwrap_or(ended))
}

/// The counters that the host owns; all of them, if it holds the store.
async fn lives_on(
    cluster: &Cluster,
    clients: &[Client],
    host: usize,
    actors: usize,
) -> BTreeSet<usize> {
    let asked = &clients[(host + 1) % clients.len()];
    let name = cluster.name(host);
    let owner = |id: String| async move {
        let path = format!("/odeon/v1/placement/owner?type={TYPE}&id={id}");
        let answer = asked.get(&path).await.ok()?.json();
        answer["host"].as_str().map(str::to_owned)
    };
    if holds_the_store(asked, &name, STORE).await {
        return (0..actors).collect();
    }
    let mut concerned = BTreeSet::new();
    for actor in 0..actors {
        if owner(id(actor)).await.is_none_or(|owner| owner == name) {
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

/// Waits until every counter is answered through every host.
async fn until_all_serve(clients: &[Client], actors: usize) {
    for client in clients {
        for actor in 0..actors {
            value(client, actor).await;
        }
    }
}

async fn value(client: &Client, actor: usize) -> i64 {
    let path = format!("/v1.0/actors/{TYPE}/{}/method/value", id(actor));
    until(&format!("an answer of c{actor}"), || async {
        let answer = client.put(&path, "").await.ok()?;
        (answer.status == 200).then(|| answer.text().parse().ok())?
    })
    .await
}
