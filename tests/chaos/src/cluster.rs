//! Placement, hosts and their workers, as processes of this machine.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use odeon_test_support::{Client, Node, NodeBuilder, Placement, Process, binaries, ports};

/// The application of all hosts.
const APP: &str = "chaos";
/// The component that keeps the actors' state.
pub const STORE: &str = "store";
/// The type of all actors.
pub const TYPE: &str = "Counter";

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
    placement: Option<Placement>,
    placement_port: u16,
    members: Vec<Member>,
}

impl Cluster {
    /// Starts placement and this many hosts, in this folder. What the hosts say, in full, is
    /// written to `logs`, if that is given, when each ends.
    pub async fn start(
        folder: &Path,
        hosts: usize,
        lease: Duration,
        logs: Option<PathBuf>,
    ) -> Self {
        let resources = folder.join("resources");
        std::fs::create_dir_all(&resources).expect("the folder is ours");
        std::fs::write(resources.join("store.yaml"), COMPONENT).expect("the folder is ours");
        let mut cluster = Self {
            folder: folder.to_owned(),
            lease,
            logs,
            placement: None,
            placement_port: ports::free(),
            members: Vec::new(),
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

    /// A client of a host's HTTP API.
    #[must_use]
    pub fn client(&self, host: usize) -> Client {
        Client::new(self.members[host].http)
    }

    /// A host's name on the ring.
    #[must_use]
    pub fn name(&self, host: usize) -> String {
        format!("127.0.0.1:{}", self.members[host].peers)
    }

    /// Starts placement on the port and folder that it had before.
    pub async fn start_placement(&mut self, is_new: bool) {
        let lease = format!("{}ms", self.lease.as_millis());
        let mut words = vec!["--lease", &lease];
        if is_new {
            words.push("--new-cluster");
        }
        let builder = Placement::builder(self.folder.join("placement")).port(self.placement_port);
        self.placement = Some(builder.words(&words).start().await);
    }

    /// Ends placement at once.
    pub fn kill_placement(&mut self) {
        if let Some(placement) = self.placement.take() {
            placement.process.kill();
        }
    }

    fn builder(&self, member: &Member) -> NodeBuilder {
        let (resources, peers) = (self.folder.join("resources"), member.peers.to_string());
        let level = if self.logs.is_some() { "debug" } else { "info" };
        Node::builder(self.folder.join("data"))
            .words(&["--log-level", level])
            .joining(&format!("127.0.0.1:{}", self.placement_port), APP)
            .words(&["--resources-path", &resources.display().to_string()])
            .words(&["--dapr-internal-grpc-port", &peers])
            .words(&["--dapr-graceful-shutdown-seconds", "60"])
            .http_port(member.http)
            .grpc_port(member.grpc)
    }

    /// Starts a host on the ports that it had before, and a worker if none is there.
    pub async fn start_host(&mut self, host: usize) {
        let node = self.builder(&self.members[host]).start().await;
        let member = &mut self.members[host];
        member.host = Some(node);
        if member.worker.is_none() {
            let program = binaries::program("odeon-test-e2e", "counter-worker");
            let mut command = Command::new(program);
            command.env("DAPR_GRPC_PORT", member.grpc.to_string());
            member.worker = Some(Process::start(&mut command));
        }
    }

    /// Ends a host at once; its worker lives on and finds the next one.
    pub fn kill_host(&mut self, host: usize) {
        if let Some(node) = self.members[host].host.take() {
            node.process.kill();
            self.keep_log(host, &node);
        }
    }

    fn keep_log(&self, host: usize, node: &Node) {
        let Some(folder) = &self.logs else { return };
        let mut file = std::fs::OpenOptions::new();
        let file = file.create(true).append(true).open(folder.join(format!("host-{host}.log")));
        let written = file.and_then(|mut file| writeln!(file, "{}", node.process.said()));
        written.expect("the folder for logs can be written to");
    }

    /// Writes what the hosts that run have said, if that is wanted.
    pub fn keep_logs(&self) {
        for (host, member) in self.members.iter().enumerate() {
            if let Some(node) = &member.host {
                self.keep_log(host, node);
            }
        }
    }

    /// Stops a host in order; what it said at the end is its exit code.
    pub async fn stop_host(&mut self, host: usize) -> i32 {
        let Some(mut node) = self.members[host].host.take() else { return 0 };
        node.process.terminate();
        let code = node.process.code().await;
        self.keep_log(host, &node);
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
