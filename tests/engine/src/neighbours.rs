//! The way between the hosts of one world, without a wire.
//!
//! What a call meets on its way is said by the test: a host that cannot be reached, or
//! whose answers are lost. What crosses is what a wire would carry, no more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::{Epoch, TaskKind, Tasks};
use odeon_ring::Member;
use odeon_runtime::peers::{PeerError, Peers};
use odeon_runtime::{Error, Invocation, Reply, WeakEngine};

/// One call that was sent: its number, to whom, by which table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The number of the call.
    pub number: u64,
    /// The address it went to.
    pub to: String,
    /// The table.
    pub by: Option<Epoch>,
}

#[derive(Debug, Default)]
struct Inner {
    engines: BTreeMap<String, WeakEngine>,
    unreachable: BTreeSet<String>,
    slow: BTreeSet<String>,
    mute: BTreeSet<String>,
    sent: Vec<Sent>,
}

/// All hosts that can be called.
#[derive(Debug)]
pub struct Neighbours {
    inner: Mutex<Inner>,
    tasks: Tasks,
}

impl Neighbours {
    /// Nobody.
    #[must_use]
    pub fn new(tasks: &Tasks) -> Arc<Self> {
        Arc::new(Self { inner: Mutex::default(), tasks: tasks.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This engine answers at this address from now on.
    pub fn settle_in(&self, address: &str, engine: WeakEngine) {
        self.lock().engines.insert(address.to_owned(), engine);
    }

    /// No connection to this address is made.
    pub fn cut(&self, address: &str) {
        self.lock().unreachable.insert(address.to_owned());
    }

    /// Connections to this address are not made within any call's time.
    pub fn stall(&self, address: &str) {
        self.lock().slow.insert(address.to_owned());
    }

    /// Connections are made again.
    pub fn mend(&self, address: &str) {
        self.lock().unreachable.remove(address);
    }

    /// Calls reach this address; answers do not come back.
    pub fn mute(&self, address: &str) {
        self.lock().mute.insert(address.to_owned());
    }

    /// Answers come back again.
    pub fn unmute(&self, address: &str) {
        self.lock().mute.remove(address);
    }

    /// What was sent so far, in order.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.lock().sent.clone()
    }
}

impl Peers for Neighbours {
    fn call<'a>(
        &'a self,
        to: &'a Member,
        id: u64,
        call: &'a Invocation,
    ) -> BoxFuture<'a, Result<Reply, PeerError>> {
        async move {
            let (host, address) = (to.host.to_string(), to.address.to_string());
            let engine = {
                let mut inner = self.lock();
                let sent = Sent { number: id, to: address.clone(), by: call.routed_by };
                inner.sent.push(sent);
                let engine = inner.engines.get(&address).and_then(WeakEngine::upgrade);
                engine.filter(|_| !inner.unreachable.contains(&address))
            };
            let is_slow = self.lock().slow.contains(&address);
            if let Some(deadline) = call.deadline.filter(|_| is_slow) {
                tokio::time::sleep_until(deadline).await;
            }
            let Some(engine) = engine.filter(|_| !is_slow) else {
                let reason = "nobody is there".to_owned();
                return Err(PeerError::Unreachable { host, address, reason });
            };
            let call = call.clone();
            let serving = async move { engine.call(call).await };
            let answer = self.tasks.spawn(TaskKind::Connection, serving).await;
            let is_mute = self.lock().mute.contains(&address);
            match answer {
                Ok(answer) if !is_mute => answer.map_err(told),
                Ok(_) | Err(_) => {
                    let reason = "the answer was lost".to_owned();
                    Err(PeerError::Lost { host, address, reason })
                }
            }
        }
        .boxed()
    }
}

fn told(error: Error) -> PeerError {
    match error {
        Error::Moved { epoch, .. } => PeerError::Moved(epoch),
        other => PeerError::Failed(other.to_failure(String::new())),
    }
}
