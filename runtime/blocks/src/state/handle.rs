//! A state component as its callers in this process see it: through `sys.state`.
//!
//! Each operation is a turn of the system actor, counted, drained and refused like
//! any other. Where the component is open in this process that is a turn in Rust's own
//! types, which costs little over calling the component itself; where another host holds
//! it, a call in bytes. The engine keeps actors' state through one of these.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::ident::Invalid;
use odeon_base::{Execution, Fence};
use odeon_runtime::peers::PeerError;
use odeon_runtime::seams::SharedWork;
use odeon_runtime::store::{
    ActorScope, Capabilities, Error, Item, Key, Page, Result, Scan, StateStore, Transaction,
};
use odeon_runtime::{ActorRef, Caller, Engine, Invocation, Target, Turn, WeakEngine};
use tokio::time::Instant;

use super::actor::{self, Component, METHOD, TYPE};
use super::ask::{Answer, Ask};
use super::wire;

/// Between two tries of what does no harm twice.
const PAUSE: Duration = Duration::from_millis(20);

/// A component of the application, by name, wherever it is open.
#[derive(Debug)]
pub struct StateHandle {
    engine: WeakEngine,
    target: Target,
    capabilities: Capabilities,
    /// How long an operation may wait for whoever holds the component.
    limit: Duration,
}

impl StateHandle {
    /// A handle on the component of this name; what it can do is known before it is open.
    ///
    /// # Errors
    /// The name's own when it cannot be an actor id.
    pub fn new(
        engine: &Engine,
        name: &str,
        capabilities: Capabilities,
    ) -> std::result::Result<Self, Invalid> {
        engine.expect(&actor::resource(&engine.config().app, name)?);
        let target = engine.target(&ActorRef::parse(TYPE, name)?);
        let limit = engine.config().holder_wait;
        Ok(Self { engine: engine.downgrade(), target, capabilities, limit })
    }

    async fn ask(&self, ask: Ask) -> Result<Answer> {
        let Some(engine) = self.engine.upgrade() else {
            return Err(Error::Unavailable { reason: "the host has stopped".to_owned() });
        };
        if !engine.is_hosted(&self.target) {
            return self.ask_elsewhere(&engine, ask).await;
        }
        let lent = Lent(Arc::new(Mutex::new(Some(ask))));
        let kept = Arc::clone(&lent.0);
        let answer = engine.run_shared(&self.target, Caller::default(), lent).await;
        match answer {
            Ok(answer) => answer,
            Err(error) => match taken(&kept) {
                // It went to another host meanwhile; nothing has begun.
                Some(ask) if matches!(error, odeon_runtime::Error::Moved { .. }) => {
                    self.ask_elsewhere(&engine, ask).await
                }
                _ => Err(failed(&error)),
            },
        }
    }

    /// By way of the holder, who may change under way. An answer that is lost is asked for
    /// again where that does no harm.
    async fn ask_elsewhere(&self, engine: &Engine, ask: Ask) -> Result<Answer> {
        let until = Instant::now() + self.limit;
        let (body, is_repeatable, writes) =
            (wire::ask_to_bytes(&ask), ask.is_repeatable(), ask.writes());
        loop {
            let mut call = Invocation::new(self.target.actor().clone(), METHOD, body.clone());
            call.deadline = Some(until);
            let error = match engine.call(call).await {
                Ok(reply) => {
                    return wire::answer_from_bytes(&reply.body)
                        .unwrap_or_else(|error| Err(Error::Unknown { reason: error.to_string() }));
                }
                Err(error) => error,
            };
            let is_lost = matches!(&error, odeon_runtime::Error::Peer(PeerError::Lost { .. }));
            if is_lost && is_repeatable && Instant::now() + PAUSE < until {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            return Err(match failed(&error) {
                Error::Unknown { reason } if !writes => Error::Unavailable { reason },
                other => other,
            });
        }
    }
}

/// What an operation comes to that had no answer.
fn failed(error: &odeon_runtime::Error) -> Error {
    let reason = error.to_string();
    match error.execution() {
        Execution::None => Error::Unavailable { reason },
        Execution::Maybe | Execution::Done => Error::Unknown { reason },
    }
}

/// An operation for a turn that may never begin: then it is still there.
#[derive(Debug)]
struct Lent(Arc<Mutex<Option<Ask>>>);

fn taken(lent: &Mutex<Option<Ask>>) -> Option<Ask> {
    lent.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl SharedWork<Component> for Lent {
    type Output = Result<Answer>;

    async fn run(
        self,
        component: &Component,
        _: &Turn,
    ) -> std::result::Result<Self::Output, odeon_runtime::Error> {
        match taken(&self.0) {
            Some(ask) => Ok(ask.run(&*component.store).await),
            None => Ok(Err(Error::Unknown { reason: "the operation was begun twice".to_owned() })),
        }
    }
}

impl StateStore for StateHandle {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Item>>> {
        async move { self.ask(Ask::Get(key.clone())).await?.item() }.boxed()
    }

    fn bulk_get<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Item>>>> {
        async move { self.ask(Ask::BulkGet(keys.to_vec())).await?.items() }.boxed()
    }

    fn transact(&self, transaction: Transaction) -> BoxFuture<'_, Result<()>> {
        async move { self.ask(Ask::Transact(transaction)).await?.done() }.boxed()
    }

    fn claim(&self, scope: ActorScope, fence: Fence) -> BoxFuture<'_, Result<()>> {
        async move { self.ask(Ask::Claim(scope, fence)).await?.done() }.boxed()
    }

    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<Page>> {
        async move { self.ask(Ask::List(scan)).await?.page() }.boxed()
    }

    /// The component is not this handle's: who opened it closes it.
    fn close(&self) -> BoxFuture<'_, Result<()>> {
        async { Ok(()) }.boxed()
    }
}
