//! A store asked in bytes, as the handle of another host asks it, without the two hosts.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::Fence;
use odeon_blocks::state::ask::{Answer, Ask};
use odeon_blocks::state::wire;
use odeon_runtime::store::{
    ActorScope, Capabilities, Item, Key, Page, Result, Scan, StateStore, Transaction,
};

/// The store behind the bytes.
#[derive(Debug)]
pub(crate) struct InBytes(pub(crate) Arc<dyn StateStore>);

impl InBytes {
    async fn ask(&self, ask: Ask) -> Result<Answer> {
        let heard = wire::ask_from_bytes(&wire::ask_to_bytes(&ask)).unwrap();
        let said = wire::answer_to_bytes(&heard.run(&*self.0).await.map(Answer::bounded));
        wire::answer_from_bytes(&said).unwrap()
    }
}

impl StateStore for InBytes {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
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

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.0.close()
    }
}
