//! The engine's way to other hosts: finds the connection, waits for the answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures::future::BoxFuture;
use odeon_base::{Entropy, Execution, Incarnation, Kind, Tasks};
use odeon_ring::Member;
use odeon_runtime::engine::WeakEngine;
use odeon_runtime::peers::{Failure, LAST_WORD, PeerError, Peers};
use odeon_runtime::{Invocation, Reply};
use tokio::time::{Instant, timeout_at};

use super::link::{Link, NotAsked, Shared};
use super::outbox::{Asked, End};
use super::wire::Answered;
use super::{Config, wire};
use crate::status;

/// Bodies that are larger take a connection of their own, so that small calls do not wait
/// behind them.
const LARGE_BYTES: usize = 64 << 10;

/// One for small bodies and one for large ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Small,
    Large,
}

/// The connections, by address, incarnation and lane. A host that stood still for so long that
/// it lives under another incarnation closes what was open before, when it comes to that: no
/// call of the new one may be on it.
type Links = BTreeMap<(Arc<str>, Incarnation, Lane), Arc<Link>>;

/// The way to other hosts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
    links: Arc<Mutex<Links>>,
}

impl Client {
    /// A client whose connections belong to `tasks`.
    #[must_use]
    pub fn new(config: Config, entropy: Entropy, tasks: Tasks) -> Self {
        let shared = Arc::new(Shared { config, engine: OnceLock::new(), entropy, tasks });
        Self { shared, links: Arc::default() }
    }

    /// Tells the client whose calls it carries, so that it can say which incarnation calls;
    /// once, later engines are ignored.
    pub fn introduce(&self, engine: WeakEngine) {
        let _ = self.shared.engine.set(engine);
    }

    fn link(&self, to: &Member, bytes: usize) -> Arc<Link> {
        let lane = if bytes > LARGE_BYTES { Lane::Large } else { Lane::Small };
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Arc::clone(&to.address), to.incarnation, lane);
        if let Some(link) = links.get(&key) {
            return Arc::clone(link);
        }
        // Hosts come and go, and with them their addresses.
        links.retain(|_, link| !link.is_unused());
        let link = Link::new(Arc::clone(&self.shared), key.0.clone());
        links.insert(key, Arc::clone(&link));
        link
    }

    async fn send(&self, to: &Member, id: u64, call: &Invocation) -> Result<Reply, PeerError> {
        let Config { namespace, body_bytes_max, .. } = &self.shared.config;
        let (bytes, deadline) = (call.body.len(), call.deadline);
        if bytes > *body_bytes_max {
            return Err(status::too_large_for_peer("call", bytes, *body_bytes_max).into());
        }
        let message = || {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            wire::say_call(wire::write_call(id, namespace, call, left))
        };
        let link = self.link(to, bytes);
        let asking = link.ask(to.host.as_str(), id, bytes, deadline, message);
        let mut asked = asking.await.map_err(|not| not_asked(to, &not))?;
        let Some(end) = in_time(&mut asked, deadline).await else {
            return Err(status::silent_peer(&call.actor).into());
        };
        let (host, address) = (to.host.to_string(), to.address.to_string());
        match end {
            End::Answered(Ok(reply)) => Ok(reply),
            End::Answered(Err(Answered::Moved(epoch))) => Err(PeerError::Moved(epoch)),
            End::Answered(Err(Answered::Failed(failure))) => Err(failure.into()),
            End::Unwritten(reason) => {
                Err(PeerError::Unreachable { host, address, reason: reason.to_string() })
            }
            End::Lost(reason) => Err(PeerError::Lost { host, address, reason: reason.to_string() }),
        }
    }
}

/// How the call ended; `None` if it was written and the other host says nothing.
async fn in_time(asked: &mut Asked, deadline: Option<Instant>) -> Option<End> {
    // Whoever ends a connection says so to all; this is for the case that it was dropped.
    let or_lost = |end: Result<End, _>| end.unwrap_or_else(|_| End::Lost("it ended".into()));
    let Some(deadline) = deadline else { return Some(or_lost((&mut asked.end).await)) };
    if let Ok(end) = timeout_at(deadline, &mut asked.end).await {
        return Some(or_lost(end));
    }
    if asked.take_back() {
        return Some(End::Unwritten("the call could not be written within its time".into()));
    }
    let last = timeout_at(deadline.checked_add(LAST_WORD)?, &mut asked.end).await;
    last.ok().map(or_lost)
}

fn not_asked(to: &Member, not: &NotAsked) -> PeerError {
    match not {
        NotAsked::Unreachable(reason) => PeerError::Unreachable {
            host: to.host.to_string(),
            address: to.address.to_string(),
            reason: reason.to_string(),
        },
        NotAsked::Twice => PeerError::Failed(Failure {
            kind: Kind::Internal,
            code: String::new(),
            message: "a call of this number is on its way to that host already".to_owned(),
            execution: Execution::None,
        }),
    }
}

impl Peers for Client {
    fn call<'a>(
        &'a self,
        to: &'a Member,
        id: u64,
        call: &'a Invocation,
    ) -> BoxFuture<'a, Result<Reply, PeerError>> {
        Box::pin(self.send(to, id, call))
    }
}
