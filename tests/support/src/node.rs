//! A host under test: the `odeon` program on free ports, standalone or with others.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::http::Client;
use crate::process::{Process, within};
use crate::wait::until;
use crate::{binaries, ports};

/// How a host is started.
#[derive(Debug, Clone)]
pub struct NodeBuilder {
    data: PathBuf,
    around: Vec<String>,
    ip: Ipv4Addr,
    http: u16,
    grpc: u16,
    metrics: u16,
    role: &'static str,
    words: Vec<String>,
    env: Vec<(String, String)>,
}

impl NodeBuilder {
    /// Joins the hosts of a placement service at this address, as a sidecar of this app.
    #[must_use]
    pub fn joining(mut self, placement: &str, app_id: &str) -> Self {
        self.role = "host";
        self.words(&["--placement-host-address", placement, "--app-id", app_id])
    }

    /// A store of this type for its actors' state too; its file is written into this folder.
    ///
    /// # Panics
    /// When the folder cannot be written to.
    #[must_use]
    pub fn store(self, folder: &Path, component_type: &str) -> Self {
        std::fs::create_dir_all(folder).expect("the folder is ours");
        let text = format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: store}}\nspec:\n  type: {component_type}\n  version: v1\n  metadata: [{{name: actorStateStore, value: \"true\"}}]\n"
        );
        std::fs::write(folder.join("store.yaml"), text).expect("the folder is ours");
        self.words(&["--resources-path", &folder.display().to_string()])
    }

    /// A variable of its process.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it by way of this program and its words, which must become it in the end.
    #[must_use]
    pub fn within(mut self, around: &[String]) -> Self {
        self.around = around.to_vec();
        self
    }

    /// Listens on this address, too, and calls other hosts and is called by them there.
    #[must_use]
    pub fn at(mut self, ip: Ipv4Addr) -> Self {
        self.ip = ip;
        let (own, with_loopback) = (ip.to_string(), format!("127.0.0.1,{ip}"));
        self.words(&["--dapr-listen-addresses", &with_loopback])
            .words(&["--dapr-internal-grpc-listen-address", &own])
    }

    /// Its HTTP port, to use the same again.
    #[must_use]
    pub fn http_port(mut self, port: u16) -> Self {
        self.http = port;
        self
    }

    /// Its gRPC port, to use the same again.
    #[must_use]
    pub fn grpc_port(mut self, port: u16) -> Self {
        self.grpc = port;
        self
    }

    /// Further words of its command line.
    #[must_use]
    pub fn words(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// Starts it and waits until it is healthy.
    ///
    /// # Panics
    /// When it does not become healthy.
    pub async fn start(self) -> Node {
        let mut node = self.spawn();
        node.healthy().await;
        node
    }

    /// Starts it.
    ///
    /// # Panics
    /// When the program cannot be built or started.
    #[must_use]
    pub fn spawn(self) -> Node {
        let mut command = within(&self.around, &binaries::odeon());
        command
            .arg(self.role)
            .args(["--data-dir", &self.data.display().to_string()])
            .args(["--dapr-http-port", &self.http.to_string()])
            .args(["--dapr-grpc-port", &self.grpc.to_string()])
            .args(["--metrics-port", &self.metrics.to_string()])
            .args(&self.words)
            .envs(self.env)
            .current_dir(std::env::temp_dir());
        let process = Process::start(&mut command);
        Node { process, ip: self.ip, http: self.http, grpc: self.grpc, metrics: self.metrics }
    }
}

/// A running host.
#[derive(Debug)]
pub struct Node {
    /// Its process.
    pub process: Process,
    /// Where it listens.
    pub ip: Ipv4Addr,
    /// Port of its HTTP API.
    pub http: u16,
    /// Port of its gRPC API.
    pub grpc: u16,
    /// Port of its metrics.
    pub metrics: u16,
}

impl Node {
    /// A host with its data in a folder, on free ports.
    #[must_use]
    pub fn builder(data: impl AsRef<Path>) -> NodeBuilder {
        NodeBuilder {
            data: data.as_ref().to_path_buf(),
            around: Vec::new(),
            ip: Ipv4Addr::LOCALHOST,
            http: ports::free(),
            grpc: ports::free(),
            metrics: ports::free(),
            role: "standalone",
            words: Vec::new(),
            env: Vec::new(),
        }
    }

    /// A client of its HTTP API.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::at((self.ip, self.http).into())
    }

    /// Waits until it says that it is healthy.
    ///
    /// # Panics
    /// When it does not, or ends.
    pub async fn healthy(&mut self) {
        self.process.line("dapr initialized. Status: Running.").await;
        let client = self.client();
        until("the host to be healthy", || async {
            let answer = client.get("/v1.0/healthz").await.ok()?;
            (answer.status == 204).then_some(())
        })
        .await;
    }
}
