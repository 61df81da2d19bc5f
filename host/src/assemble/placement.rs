//! Placement inside this process or elsewhere: its ledger, the engine's way to it, and who
//! owns what.
//!
//! Adapters only: each turns a port of one part into calls of another.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::{self, BoxFuture};
use odeon_base::ActorId;
use odeon_blocks::embedded::EmbeddedDb;
use odeon_blocks::embedded::ledger::VALUE_BYTES_MAX;
use odeon_placement::{Client, Handle, Ledger, LedgerError, Record};
use odeon_ring::TypeKey;
use odeon_runtime::seams::{PlacementLink, PlacementStream};

use crate::api::{Owner, Owners};

/// Where in the data folder the record is kept: pieces of one length, the last one shorter.
const TREE: &str = "placement";
const KEY: &str = "record";

/// Term and roster, in the data folder.
#[derive(Debug)]
pub(super) struct DataLedger(pub(super) EmbeddedDb);

impl Ledger for DataLedger {
    fn load(&self) -> BoxFuture<'_, Result<Option<Record>, LedgerError>> {
        async {
            let mut bytes = Vec::new();
            for index in 0.. {
                match self.0.read(TREE, &key(index)).await.map_err(failed)? {
                    None if index == 0 => return Ok(None),
                    None => break,
                    Some(piece) => {
                        bytes.extend_from_slice(&piece);
                        // Pieces behind a short one are left over from a longer record.
                        if piece.len() < VALUE_BYTES_MAX {
                            break;
                        }
                    }
                }
            }
            Ok(Some(Record::from_bytes(&bytes)?))
        }
        .boxed()
    }

    fn save(&self, record: Record) -> BoxFuture<'_, Result<(), LedgerError>> {
        async move {
            let bytes = record.to_bytes();
            // An empty piece says that one of full length before it was the last.
            let end: &[u8] = &[];
            let end = bytes.len().is_multiple_of(VALUE_BYTES_MAX).then_some(end);
            let pieces: Vec<&[u8]> = bytes.chunks(VALUE_BYTES_MAX).chain(end).collect();
            let keys: Vec<_> = (0..pieces.len()).map(key).collect();
            let entries: Vec<(&[u8], Option<&[u8]>)> =
                keys.iter().zip(pieces).map(|(key, piece)| (&**key, Some(piece))).collect();
            self.0.write(TREE, &entries).await.map_err(failed)
        }
        .boxed()
    }
}

fn key(index: usize) -> Vec<u8> {
    match index {
        0 => KEY.to_owned(),
        index => format!("{KEY}.{index}"),
    }
    .into_bytes()
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

/// The engine's way to placement in another process.
#[derive(Debug)]
pub(super) struct Outside(pub(super) Client);

impl PlacementLink for Outside {
    fn connect(&self) -> BoxFuture<'_, Result<PlacementStream, String>> {
        async {
            let (to, from) = self.0.connect().await?;
            Ok(PlacementStream { to, from })
        }
        .boxed()
    }
}

impl Owners for Outside {
    fn owner<'a>(
        &'a self,
        key: &'a TypeKey,
        id: &'a ActorId,
    ) -> BoxFuture<'a, Result<Option<Owner>, String>> {
        async {
            let owner = self.0.owner(key, id).await?;
            Ok(owner.map(|(member, epoch)| Owner {
                host: member.host,
                address: member.address,
                incarnation: member.incarnation,
                epoch,
            }))
        }
        .boxed()
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
