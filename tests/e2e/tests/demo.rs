//! The demo: the run file that `cargo demo` starts, with placement, two hosts and the shop
//! beside each.
//!
//! Its file is taken as it is but for the ports that it names, which are other ones here,
//! and the build, which the test has done. `kills` ends one of its processes after the other.

mod kills;

use std::process::Command;
use std::sync::Arc;

use odeon_test_support::process::{children, is_alive, variable, words};
use odeon_test_support::{Client, Process, TempDir, binaries, tempdir, until};

/// What the file says about ports, and nobody else may have.
const PORTS: [&str; 5] = [
    "port: 50005",
    "daprHTTPPort: 3500",
    "daprGRPCPort: 50001",
    "metricsPort: 9090",
    "appPort: 8880",
];
/// How many hosts the demo has.
pub(crate) const HOSTS: usize = 2;

/// The demo's file, in a folder of its own.
pub(crate) struct Demo {
    folder: Arc<TempDir>,
}

/// The demo as it runs.
pub(crate) struct Running {
    pub(crate) up: Process,
    /// HTTP and gRPC ports of the hosts.
    ports: Vec<(u16, u16)>,
    /// Ports of the shop's services, one beside each host.
    shops: Vec<u16>,
    /// Removed once nothing runs in it.
    _folder: Arc<TempDir>,
}

impl Demo {
    /// Takes the file; what it starts has been built.
    pub(crate) fn new() -> Self {
        let _ = binaries::program("odeon-eshop", "eshop");
        let example = binaries::workspace().join("examples/eshop");
        let mut text = std::fs::read_to_string(example.join("eshop.yaml")).expect("a run file");
        for port in PORTS {
            let (field, _) = port.split_once(':').expect("a field");
            assert!(text.contains(port), "{port}");
            text = text.replace(port, &format!("{field}: 0"));
        }
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("build:"));
        let text: Vec<_> = lines.collect();
        let folder = tempdir().expect("a folder");
        std::fs::write(folder.path().join("eshop.yaml"), text.join("\n")).expect("ours");
        let resources = folder.path().join("resources");
        std::fs::create_dir(&resources).expect("the folder is ours");
        for file in std::fs::read_dir(example.join("resources")).expect("resources").flatten() {
            std::fs::copy(file.path(), resources.join(file.file_name())).expect("ours");
        }
        Self { folder: Arc::new(folder) }
    }

    /// Starts it and waits until it says `ready`.
    pub(crate) async fn start(&self, more: &[&str]) -> Running {
        let mut command = Command::new(binaries::odeon());
        command.args(["up", "eshop.yaml"]).args(more).current_dir(self.folder.path());
        let up = Process::start(&mut command);
        until("the demo to be ready", || async {
            assert!(is_alive(up.id()), "{}", up.said());
            up.said().ends_with("\nready").then_some(())
        })
        .await;
        let said = up.said();
        let ports = said.lines().filter_map(|line| {
            let port = |mark: &str| {
                let (_, rest) = line.split_once(mark)?;
                rest.split_whitespace().next()?.parse().ok()
            };
            Some((port("  HTTP http://127.0.0.1:")?, port("  gRPC 127.0.0.1:")?))
        });
        let ports: Vec<_> = ports.collect();
        assert_eq!(ports.len(), HOSTS, "{said}");
        let shops = said.lines().filter_map(|line| {
            let (_, port) = line.split_once("  listens on 127.0.0.1:")?;
            port.parse().ok()
        });
        let shops: Vec<u16> = shops.collect();
        assert_eq!(shops.len(), HOSTS, "{said}");
        Running { up, ports, shops, _folder: Arc::clone(&self.folder) }
    }
}

impl Running {
    /// A client of a host.
    pub(crate) fn client(&self, host: usize) -> Client {
        Client::new(self.http(host))
    }

    pub(crate) fn http(&self, host: usize) -> u16 {
        self.ports[host].0
    }

    /// Where the shop listens beside a host.
    pub(crate) fn shop(&self, host: usize) -> u16 {
        self.shops[host]
    }

    /// Ends it as Ctrl-C does.
    pub(crate) async fn stop(mut self) {
        self.up.interrupt();
        assert_eq!(self.up.code().await, 0, "{}", self.up.said());
    }

    /// A process of its, by what it was started with; it may be about to be.
    async fn process(&self, what: &str, is_it: impl Fn(u32) -> bool) -> u32 {
        until(what, || async { children(self.up.id()).into_iter().find(|id| is_it(*id)) }).await
    }

    async fn placement(&self) -> u32 {
        self.process("placement's process", |id| {
            words(id).get(1).is_some_and(|word| word == "placement")
        })
        .await
    }

    /// The process of a host.
    pub(crate) async fn host(&self, host: usize) -> u32 {
        let port = self.http(host).to_string();
        self.process("a host's process", |id| {
            let words = words(id);
            words.get(1).is_some_and(|word| word == "host") && words.contains(&port)
        })
        .await
    }

    /// A host's name on the ring.
    pub(crate) async fn name(&self, host: usize) -> String {
        let words = words(self.host(host).await);
        let flag = words.iter().position(|word| word == "--dapr-internal-grpc-port");
        format!("127.0.0.1:{}", words[flag.expect("a port for other hosts") + 1])
    }

    /// The shop's process beside a host.
    pub(crate) async fn worker(&self, host: usize) -> u32 {
        let port = self.ports[host].1.to_string();
        self.process("a worker's process", |id| {
            words(id).first().is_some_and(|word| word.ends_with("/eshop"))
                && variable(id, "DAPR_GRPC_PORT").as_ref() == Some(&port)
        })
        .await
    }
}

#[tokio::test]
async fn what_is_in_the_shop_stays_until_it_is_to_begin_anew() {
    let demo = Demo::new();
    let items = r#"{"cmdId":"c1","goodsId":"beef-noodles","count":2}"#;
    let of = |method: &str| format!("/v1.0/actors/BasketActor/ann/method/{method}");
    for (more, before) in [(vec![], 0), (vec![], 1), (vec!["--fresh"], 0)] {
        let running = demo.start(&more).await;
        let answer = running.client(0).put(&of("Get"), "").await.expect("an answer");
        assert_eq!(answer.json()["version"], before, "{more:?}: {}", answer.text());
        // Sent again it is answered again: the command's id is part of what stays.
        let answer = running.client(1).put(&of("Add"), items).await.expect("an answer");
        assert_eq!(answer.json()["version"], 1, "{}", answer.text());
        running.stop().await;
    }
}

#[tokio::test]
async fn what_it_shows_to_paste_is_answered() {
    let running = Demo::new().start(&[]).await;
    let said = running.up.said();
    let shown = said.lines().filter_map(|line| line.strip_prefix("  curl "));
    let shown: Vec<_> = shown.collect();
    for host in 0..HOSTS {
        let address = format!("http://127.0.0.1:{}/", running.http(host));
        assert!(shown.iter().any(|line| line.contains(&address)), "{shown:?} of {address}");
    }
    for line in shown {
        let script = format!("curl -sS --fail-with-body {line}");
        let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
        let told = String::from_utf8_lossy(&output.stdout);
        let is_yes = ["{\"ok\":true,", "{\"code\":0,"].iter().any(|yes| told.starts_with(yes));
        assert!(output.status.success() && is_yes, "{script}: {told}");
    }
    running.stop().await;
}
