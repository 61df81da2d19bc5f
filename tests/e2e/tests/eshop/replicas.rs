//! Hosts that come while the shop is open, each with a shop beside it: as those of the run file
//! but for their ports.

use std::process::Command;

use odeon_test_support::process::words;
use odeon_test_support::{Client, Process, ports, until};

use super::Shop;

/// What says where a host listens.
const PORTS: [&str; 4] =
    ["--dapr-http-port", "--dapr-grpc-port", "--dapr-internal-grpc-port", "--metrics-port"];

/// One more host, and the shop beside it.
pub(super) struct Replica {
    host: Process,
    worker: Process,
    http: u16,
}

impl Replica {
    pub(super) async fn start(shop: &Shop) -> Self {
        let mut words_of_host = words(shop.running.host(0).await);
        let given = PORTS.map(|flag| {
            let port = ports::free();
            let at = words_of_host.iter().position(|word| word == flag).expect("a port");
            words_of_host[at + 1] = port.to_string();
            port
        });
        let host = Process::start(Command::new(&words_of_host[0]).args(&words_of_host[1..]));
        let [http, grpc, ..] = given;
        let words_of_worker = words(shop.running.worker(1).await);
        let mut worker = Command::new(&words_of_worker[0]);
        worker.args(&words_of_worker[1..]);
        worker.env("DAPR_GRPC_PORT", grpc.to_string()).env("APP_PORT", "0");
        Self { host, worker: Process::start(&mut worker), http }
    }

    /// Waits until goods belong to this host.
    pub(super) async fn until_it_has_its_share(&self, shop: &Shop) {
        let client = Client::new(self.http);
        until("a host that has come to have its share", || async {
            let own = client.get("/v1.0/metadata").await.ok()?;
            assert_eq!(own.status, 200, "{}", own.text());
            let path = "/odeon/v1/placement/owner?type=OrderActor&id=";
            for n in 0..64 {
                let owner = shop.running.client(0).get(&format!("{path}o-{n}")).await.ok()?;
                if owner.json()["address"].as_str()? == self.address() {
                    return Some(());
                }
            }
            None
        })
        .await;
    }

    /// Where other hosts find it.
    fn address(&self) -> String {
        let words = words(self.host.id());
        let flag = words.iter().position(|word| word == PORTS[2]).expect("a port for other hosts");
        format!("127.0.0.1:{}", words[flag + 1])
    }

    /// Ends both, in order.
    pub(super) async fn stop(mut self) {
        self.worker.terminate();
        assert_eq!(self.worker.code().await, 0, "{}", self.worker.said());
        self.host.terminate();
        assert_eq!(self.host.code().await, 0, "{}", self.host.said());
    }
}
