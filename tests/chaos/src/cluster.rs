//! Placement, hosts and their workers, as processes of this machine.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use odeon_test_support::process::within;
use odeon_test_support::{Client, Node, NodeBuilder, Placement, Process, binaries, ports};

use crate::clock;
use crate::faults::Fault;
use crate::lives::{Life, Lives};
use crate::spaces::Spaces;

/// The application of all hosts.
const APP: &str = "chaos";
/// The component that keeps the actors' state.
pub const STORE: &str = "store";
/// The program beside each host.
const WORKER: &str = "chaos-worker";
/// Where workers write down what they do, in the folder of the run.
const NOTES: &str = "notes";
/// What the hosts show each other where they listen beyond loopback.
const TOKEN: (&str, &str) = ("ODEON_CLUSTER_TOKEN", "of-this-test-only");
const COMPONENT: &str = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: store}\nspec:\n  type: state.sled\n  version: v1\n  metadata: [{name: actorStateStore, value: \"true\"}]\n";

/// One host and the worker beside it.
#[derive(Debug)]
struct Member {
    host: Option<Node>,
    worker: Option<Process>,
    http: u16,
    grpc: u16,
    peers: u16,
}

/// All processes of one run.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    lease: Duration,
    logs: Option<PathBuf>,
    spaces: Option<Spaces>,
    placement: Option<Placement>,
    placement_port: u16,
    health_port: u16,
    members: Vec<Member>,
    lives: Lives,
}

impl Cluster {
    /// Starts placement and this many hosts, in this folder. What they say, in full, is
    /// written to `logs`, if that is given, when each ends.
    pub async fn start(
        folder: &Path,
        hosts: usize,
        lease: Duration,
        logs: Option<PathBuf>,
        spaces: Option<Spaces>,
    ) -> Self {
        let resources = folder.join("resources");
        std::fs::create_dir_all(&resources).expect("the folder is ours");
        std::fs::create_dir_all(folder.join(NOTES)).expect("the folder is ours");
        std::fs::write(resources.join("store.yaml"), COMPONENT).expect("the folder is ours");
        let mut cluster = Self {
            folder: folder.to_owned(),
            lease,
            logs,
            spaces,
            placement: None,
            placement_port: ports::free(),
            health_port: ports::free(),
            members: Vec::new(),
            lives: Lives::default(),
        };
        cluster.start_placement(true).await;
        for _ in 0..hosts {
            let (http, grpc, peers) = (ports::free(), ports::free(), ports::free());
            cluster.members.push(Member { host: None, worker: None, http, grpc, peers });
            cluster.start_host(cluster.members.len() - 1).await;
        }
        cluster
    }

    /// How many hosts there are, up or down.
    #[must_use]
    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// Where a host is.
    fn ip(&self, host: usize) -> Ipv4Addr {
        self.spaces.as_ref().map_or(Ipv4Addr::LOCALHOST, |_| Spaces::of(host))
    }

    /// A client of a host's HTTP API.
    #[must_use]
    pub fn client(&self, host: usize) -> Client {
        Client::at((self.ip(host), self.members[host].http).into())
    }

    /// A host's name on the ring.
    #[must_use]
    pub fn name(&self, host: usize) -> String {
        format!("{}:{}", self.ip(host), self.members[host].peers)
    }

    /// A client of placement's health port.
    #[must_use]
    pub fn placement(&self) -> Client {
        Client::at((self.placement_ip(), self.health_port).into())
    }

    fn placement_ip(&self) -> Ipv4Addr {
        self.spaces.as_ref().map_or(Ipv4Addr::LOCALHOST, |_| Spaces::own())
    }

    /// Who is who.
    #[must_use]
    pub fn lives(&self) -> &Lives {
        &self.lives
    }

    /// The folder in which workers write down what they do.
    #[must_use]
    pub fn notes(&self) -> PathBuf {
        self.folder.join(NOTES)
    }

    /// Starts placement on the ports and folder that it had before.
    pub async fn start_placement(&mut self, is_new: bool) {
        let lease = format!("{}ms", self.lease.as_millis());
        // Which tables there are is shown without being asked on a loopback address only.
        let mut words = vec!["--lease", &lease, "--metadata-enabled"];
        if is_new {
            words.push("--new-cluster");
        }
        if self.logs.is_some() {
            words.extend(["--log-level", "debug"]);
        }
        let builder = Placement::builder(self.folder.join("placement"));
        let mut builder = builder.port(self.placement_port).health_port(self.health_port);
        if self.spaces.is_some() {
            builder = builder.at(Spaces::own()).env(TOKEN.0, TOKEN.1);
        }
        self.placement = Some(builder.words(&words).start().await);
    }

    /// Ends placement at once.
    pub fn kill_placement(&mut self) {
        if let Some(placement) = self.placement.take() {
            placement.process.kill();
            self.keep_log("placement", &placement.process);
        }
    }

    fn builder(&self, host: usize) -> NodeBuilder {
        let member = &self.members[host];
        let (resources, peers) = (self.folder.join("resources"), member.peers.to_string());
        let level = if self.logs.is_some() { "debug" } else { "info" };
        let builder = Node::builder(self.folder.join("data"))
            .words(&["--log-level", level])
            .joining(&format!("{}:{}", self.placement_ip(), self.placement_port), APP)
            .words(&["--resources-path", &resources.display().to_string()])
            .words(&["--dapr-internal-grpc-port", &peers])
            .words(&["--dapr-graceful-shutdown-seconds", "60"])
            .http_port(member.http)
            .grpc_port(member.grpc);
        if self.spaces.is_none() {
            return builder;
        }
        let around = Spaces::around(host);
        builder.within(&around).at(self.ip(host)).env(TOKEN.0, TOKEN.1)
    }

    /// Starts a host on the ports that it had before, and a worker if none is there.
    pub async fn start_host(&mut self, host: usize) {
        let began = clock::now();
        let node = self.builder(host).start().await;
        let life = Life { place: host, name: self.name(host), process: node.process.id(), began };
        self.lives.push(life);
        let around = self.spaces.as_ref().map(|_| Spaces::around(host)).unwrap_or_default();
        let notes = self.notes().join(format!("worker-{host}.txt"));
        let member = &mut self.members[host];
        member.host = Some(node);
        if member.worker.is_none() {
            let mut command = within(&around, &binaries::program("odeon-chaos", WORKER));
            command
                .args(["--port", &member.grpc.to_string(), "--place", &host.to_string()])
                .args(["--notes", &notes.display().to_string()]);
            member.worker = Some(Process::start(&mut command));
        }
    }

    /// Takes the network apart as this fault says.
    pub fn part(&self, fault: Fault) {
        let Some(spaces) = &self.spaces else { return };
        fault.parts().into_iter().for_each(|link| spaces.cut(link));
    }

    /// Puts it together again.
    pub fn mend(&self, fault: Fault) {
        let Some(spaces) = &self.spaces else { return };
        fault.parts().into_iter().for_each(|link| spaces.mend(link));
    }

    /// Ends a host at once; its worker lives on and finds the next one.
    pub fn kill_host(&mut self, host: usize) {
        if let Some(node) = self.members[host].host.take() {
            node.process.kill();
            self.keep_log(&format!("host-{host}"), &node.process);
        }
    }

    fn keep_log(&self, whose: &str, process: &Process) {
        let Some(folder) = &self.logs else { return };
        let mut file = std::fs::OpenOptions::new();
        let file = file.create(true).append(true).open(folder.join(format!("{whose}.log")));
        let written = file.and_then(|mut file| writeln!(file, "{}", process.said()));
        written.expect("the folder for logs can be written to");
    }

    /// Writes what the processes that run have said, if that is wanted.
    pub fn keep_logs(&self) {
        if let Some(placement) = &self.placement {
            self.keep_log("placement", &placement.process);
        }
        for (host, member) in self.members.iter().enumerate() {
            if let Some(node) = &member.host {
                self.keep_log(&format!("host-{host}"), &node.process);
            }
        }
    }

    /// Stops a host in order; what it said at the end is its exit code.
    pub async fn stop_host(&mut self, host: usize) -> i32 {
        let Some(mut node) = self.members[host].host.take() else { return 0 };
        node.process.terminate();
        let code = node.process.code().await;
        self.keep_log(&format!("host-{host}"), &node.process);
        code
    }

    /// Holds a host's process still.
    pub fn pause_host(&self, host: usize) {
        if let Some(node) = &self.members[host].host {
            node.process.pause();
        }
    }

    /// Lets it go on.
    pub fn resume_host(&self, host: usize) {
        if let Some(node) = &self.members[host].host {
            node.process.resume();
        }
    }
}
