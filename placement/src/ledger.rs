//! Where the embedded placement keeps what it may not forget: its term and roster.
//!
//! The port only; the durable one is made by whoever owns the embedded store. What
//! a record means is in `core`, its bytes are in `record`.

use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{self, BoxFuture};

use odeon_base::Kind;

use crate::record::{Corrupt, Record};

/// Keeps one record, for one process at a time: whoever loaded it last. A folder's lock sees to
/// that by letting nobody load it before the other has ended; where there is no such lock,
/// saving has to be a transaction that fails once somebody else has taken over.
pub trait Ledger: Send + Sync + Debug {
    /// The record saved last; `None` if none ever was.
    ///
    /// # Errors
    /// [`LedgerError`] when it cannot be read or makes no sense.
    fn load(&self) -> BoxFuture<'_, Result<Option<Record>, LedgerError>>;

    /// Replaces the record, wholly or not at all; durable before this returns.
    ///
    /// # Errors
    /// [`LedgerError`] when it is not certain that it was saved; [`LedgerError::Superseded`] when
    /// it was not, and this process must not lead any more.
    fn save(&self, record: Record) -> BoxFuture<'_, Result<(), LedgerError>>;
}

/// Why a record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// What was read is not a record.
    #[error("the record of term and roster cannot be read")]
    Corrupt(#[from] Corrupt),
    /// The store failed.
    #[error("the store of term and roster failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another process has loaded the record since.
    #[error("another placement process has taken over the record of term and roster")]
    Superseded,
}

impl LedgerError {
    /// What sort of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Corrupt(_) => Kind::Internal,
            Self::Store(_) => Kind::Unavailable,
            Self::Superseded => Kind::Conflict,
        }
    }
}

/// A ledger that forgets with the process: for tests and for placements whose hosts
/// all end with it.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    /// As bytes, so that what a durable ledger would do is done here too.
    bytes: Mutex<Option<Vec<u8>>>,
}

impl Ledger for MemoryLedger {
    fn load(&self) -> BoxFuture<'_, Result<Option<Record>, LedgerError>> {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let record = bytes.map(|bytes| Record::from_bytes(&bytes)).transpose();
        future::ready(record.map_err(LedgerError::from)).boxed()
    }

    fn save(&self, record: Record) -> BoxFuture<'_, Result<(), LedgerError>> {
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner) = Some(record.to_bytes());
        future::ready(Ok(())).boxed()
    }
}
