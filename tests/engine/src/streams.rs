//! The way between hosts of a release in place of the neighbours: streams over sockets.
//!
//! Before each host lies a cable, so that a test can hold up what the host answers, or cut
//! it off as the end of its process would.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use odeon_base::{Entropy, TaskKind, Tasks};
use odeon_host::peer::{self, Client, Server};
use odeon_runtime::Engine;
use odeon_runtime::config::Config;
use odeon_runtime::peers::Peers;
use odeon_test_wire::Cable;
use tokio::net::TcpListener;

/// The cables of all hosts, by name.
#[derive(Debug, Default)]
pub struct Streams {
    cables: Mutex<BTreeMap<String, Cable>>,
}

impl Streams {
    fn cables(&self) -> MutexGuard<'_, BTreeMap<String, Cable>> {
        self.cables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a host to be an address, and a way to the others.
    pub(crate) fn wire(&self, config: &mut Config, seed: u64, tasks: &Tasks) -> Wired {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a listener's setting");
        let address = listener.local_addr().expect("an address").to_string();
        let listener = TcpListener::from_std(listener).expect("a runtime");
        let cable = Cable::to(&address);
        config.address = cable.address().into();
        self.cables().insert(config.host.to_string(), cable);
        let own = peer::Config::new(config.host.clone(), config.app.clone());
        let tasks = tasks.child("peers");
        let client = Client::new(own.clone(), Entropy::seeded(seed), tasks.clone());
        Wired { listener, own, client, tasks }
    }

    /// What this host answers from now on is not heard.
    pub fn hold_answers(&self, name: &str) {
        self.cables().get(name).expect("a host").hold_answers();
    }

    /// Connections to this host break, and no more are made.
    pub async fn cut(&self, name: &str) {
        let cable = self.cables().remove(name).expect("a host");
        cable.cut().await;
    }
}

/// A host's ends of the streams, before it has an engine.
#[derive(Debug)]
pub(crate) struct Wired {
    listener: TcpListener,
    own: peer::Config,
    client: Client,
    tasks: Tasks,
}

impl Wired {
    pub(crate) fn peers(&self) -> Arc<dyn Peers> {
        Arc::new(self.client.clone())
    }

    /// Takes the calls of other hosts.
    pub(crate) fn serve(self, engine: &Engine) {
        let Self { listener, own, client, tasks } = self;
        client.introduce(engine.downgrade());
        let server = Server::new(own, engine.clone(), tasks.clone());
        tasks.spawn(TaskKind::Listener, async move {
            server.serve(listener).await.expect("a listener that stands");
        });
    }
}
