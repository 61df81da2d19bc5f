//! A placement service under test: the `odeon` program on free ports.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::http::Client;
use crate::process::Process;
use crate::wait::until;
use crate::{binaries, ports};

/// How a placement service is started.
#[derive(Debug, Clone)]
pub struct PlacementBuilder {
    data: PathBuf,
    ip: Ipv4Addr,
    port: u16,
    health: u16,
    words: Vec<String>,
    env: Vec<(String, String)>,
}

impl PlacementBuilder {
    /// The port that hosts join at, to use the same again.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The port of its health and state, to use the same again.
    #[must_use]
    pub fn health_port(mut self, port: u16) -> Self {
        self.health = port;
        self
    }

    /// Listens on this address only.
    #[must_use]
    pub fn at(mut self, ip: Ipv4Addr) -> Self {
        self.ip = ip;
        let own = ip.to_string();
        self.words(&["--listen-address", &own, "--healthz-listen-address", &own])
    }

    /// Further words of its command line.
    #[must_use]
    pub fn words(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// A variable of its process.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it and waits until hosts can join.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(self) -> Placement {
        let placement = self.spawn();
        let client = placement.client();
        until("placement to be healthy", || async {
            (client.get("/healthz").await.ok()?.status == 200).then_some(())
        })
        .await;
        placement
    }

    /// Starts it.
    ///
    /// # Panics
    /// When the program cannot be built or started.
    #[must_use]
    pub fn spawn(self) -> Placement {
        let mut command = Command::new(binaries::odeon());
        command
            .arg("placement")
            .args(["--data-dir", &self.data.display().to_string()])
            .args(["--port", &self.port.to_string()])
            .args(["--healthz-port", &self.health.to_string()])
            .args(&self.words)
            .envs(self.env)
            .current_dir(std::env::temp_dir());
        let process = Process::start(&mut command);
        Placement { process, ip: self.ip, port: self.port, health: self.health }
    }
}

/// A running placement service.
#[derive(Debug)]
pub struct Placement {
    /// Its process.
    pub process: Process,
    /// Where it listens.
    pub ip: Ipv4Addr,
    /// Where hosts join.
    pub port: u16,
    /// Health, state and metrics.
    pub health: u16,
}

impl Placement {
    /// A service with its data in a folder, on free ports.
    #[must_use]
    pub fn builder(data: impl AsRef<Path>) -> PlacementBuilder {
        PlacementBuilder {
            data: data.as_ref().to_path_buf(),
            ip: Ipv4Addr::LOCALHOST,
            port: ports::free(),
            health: ports::free(),
            words: Vec::new(),
            env: Vec::new(),
        }
    }

    /// What hosts are given as `--placement-host-address`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", self.ip, self.port)
    }

    /// A client of its health port.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::at((self.ip, self.health).into())
    }
}
