//! A state component as its callers in this process see it: through `sys.state`.
//!
//! Each operation is a turn of the system actor, counted, drained and refused like
//! any other, in Rust's own types, so that it costs little over calling the
//! component itself. The engine keeps actors' state through one of these.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::{Execution, Fence};
use odeon_runtime::seams::SharedWork;
use odeon_runtime::store::{
    ActorScope, Capabilities, Error, Item, Key, Page, Result, Scan, StateStore, Transaction,
};
use odeon_runtime::{ActorRef, Caller, Target, Turn, WeakEngine};

use super::actor::{Component, TYPE};

/// A component of the engine's own host, by name.
#[derive(Debug)]
pub struct StateHandle {
    engine: WeakEngine,
    target: Target,
    capabilities: Capabilities,
    component: Arc<dyn StateStore>,
}

impl StateHandle {
    /// A handle on the component of this name; `sys.state` must have been offered.
    ///
    /// # Errors
    /// The name's own when it cannot be an actor id.
    pub fn new(
        engine: &odeon_runtime::Engine,
        name: &str,
        component: Arc<dyn StateStore>,
    ) -> std::result::Result<Self, odeon_base::ident::Invalid> {
        let target = engine.target(&ActorRef::parse(TYPE, name)?);
        let capabilities = component.capabilities();
        Ok(Self { engine: engine.downgrade(), target, capabilities, component })
    }

    async fn turn<W, T>(&self, work: W) -> Result<T>
    where
        W: SharedWork<Component, Output = Result<T>>,
        T: Send + 'static,
    {
        let Some(engine) = self.engine.upgrade() else {
            return Err(Error::Unavailable { reason: "the host has stopped".to_owned() });
        };
        let answer = engine.run_shared(&self.target, Caller::default(), work).await;
        answer.unwrap_or_else(|error| {
            let reason = error.to_string();
            Err(match error.execution() {
                Execution::None => Error::Unavailable { reason },
                Execution::Maybe | Execution::Done => Error::Unknown { reason },
            })
        })
    }
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident($($field:ident: $type:ty),+) -> $output:ty = $call:expr;)+) => {$(
        $(#[$doc])*
        struct $name { $($field: $type),+ }

        impl SharedWork<Component> for $name {
            type Output = Result<$output>;

            async fn run(
                self,
                component: &Component,
                _: &Turn,
            ) -> std::result::Result<Self::Output, odeon_runtime::Error> {
                let run: fn(Self, &Component) -> BoxFuture<'_, Result<$output>> = $call;
                Ok(run(self, component).await)
            }
        }
    )+};
}

operations! {
    Get(key: Key) -> Option<Item> =
        |work, component| async move { component.store.get(&work.key).await }.boxed();
    BulkGet(keys: Vec<Key>) -> Vec<Option<Item>> =
        |work, component| async move { component.store.bulk_get(&work.keys).await }.boxed();
    Transact(transaction: Transaction) -> () =
        |work, component| component.store.transact(work.transaction);
    Claim(scope: ActorScope, fence: Fence) -> () =
        |work, component| component.store.claim(work.scope, work.fence);
    List(scan: Scan) -> Page = |work, component| component.store.scan(work.scan);
}

impl StateStore for StateHandle {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Item>>> {
        self.turn(Get { key: key.clone() }).boxed()
    }

    fn bulk_get<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Item>>>> {
        self.turn(BulkGet { keys: keys.to_vec() }).boxed()
    }

    fn transact(&self, transaction: Transaction) -> BoxFuture<'_, Result<()>> {
        self.turn(Transact { transaction }).boxed()
    }

    fn claim(&self, scope: ActorScope, fence: Fence) -> BoxFuture<'_, Result<()>> {
        self.turn(Claim { scope, fence }).boxed()
    }

    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<Page>> {
        self.turn(List { scan }).boxed()
    }

    /// Closing is no turn: it comes after the last one.
    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.component.close()
    }
}
