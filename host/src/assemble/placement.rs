//! Placement inside this process: its ledger, the engine's way to it, and who owns what.
//!
//! Adapters only: each turns a port of one part into calls of another.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::{self, BoxFuture};
use odeon_base::ActorId;
use odeon_blocks::embedded::EmbeddedDb;
use odeon_placement::{Handle, Ledger, LedgerError, Record};
use odeon_ring::TypeKey;
use odeon_runtime::seams::{PlacementLink, PlacementStream};

use crate::api::{Owner, Owners};

/// Where in the data folder the record is kept.
const TREE: &str = "placement";
const KEY: &[u8] = b"record";

/// Term and roster, in the data folder.
#[derive(Debug)]
pub(super) struct DataLedger(pub(super) EmbeddedDb);

impl Ledger for DataLedger {
    fn load(&self) -> BoxFuture<'_, Result<Option<Record>, LedgerError>> {
        async {
            let bytes = self.0.read(TREE, KEY).await.map_err(failed)?;
            Ok(bytes.map(|bytes| Record::from_bytes(&bytes)).transpose()?)
        }
        .boxed()
    }

    fn save(&self, record: Record) -> BoxFuture<'_, Result<(), LedgerError>> {
        async move { self.0.put(TREE, KEY, &record.to_bytes()).await.map_err(failed) }.boxed()
    }
}

fn failed(error: odeon_runtime::store::Error) -> LedgerError {
    LedgerError::Store(Box::new(error))
}

/// The engine's way to placement in the same process.
#[derive(Debug)]
pub(super) struct Inside(pub(super) Handle);

impl PlacementLink for Inside {
    fn connect(&self) -> BoxFuture<'_, Result<PlacementStream, String>> {
        let (to, from) = self.0.connect();
        future::ready(Ok(PlacementStream { to, from })).boxed()
    }
}

impl Owners for Inside {
    fn owner<'a>(
        &'a self,
        key: &'a TypeKey,
        id: &'a ActorId,
    ) -> BoxFuture<'a, Result<Option<Owner>, String>> {
        let owner = self.0.owner(key, id).map(|owner| Owner {
            host: owner.member.host.clone(),
            address: Arc::clone(&owner.member.address),
            incarnation: owner.member.incarnation,
            epoch: owner.epoch,
        });
        future::ready(Ok(owner)).boxed()
    }
}

/// No placement, and so no lease and no actors: a way that never opens.
#[derive(Debug)]
pub(super) struct Nowhere;

impl PlacementLink for Nowhere {
    fn connect(&self) -> BoxFuture<'_, Result<PlacementStream, String>> {
        future::pending().boxed()
    }
}
