//! The state stores of a host as its state API reaches them: by turns of `sys.state`.
//!
//! Puts each store's prefix before its callers' keys, and takes it off again from what is
//! told of them. Which status an [`Error`] has is not known here, nor where a store is open.
//! Source: http-api.md 4.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt, stream};
use odeon_runtime::store::{self, Item, Key, Op, StateStore, Transaction};

use super::handle::StateHandle;
use super::prefix::{self, Illegal};
use super::wire::COUNT_MAX;
use super::write::Write;

/// Writes of one request that are under way at once; each is a transaction of its own.
const WRITES_AT_ONCE: usize = 64;
/// Keys that one question to a store asks for.
const KEYS_AT_ONCE: usize = 1_000;

/// The state stores of a host, by name. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Stores(Arc<BTreeMap<String, Store>>);

/// One of them.
#[derive(Debug)]
pub struct Store {
    handle: Arc<StateHandle>,
    prefix: Arc<str>,
}

/// Why no store can be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is none at all.
    #[error("state store {0} is not configured")]
    NotConfigured(String),
    /// There is none of this name.
    #[error("state store {0} is not found")]
    NotFound(String),
}

/// Why a store did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The key of a caller cannot be one.
    #[error(transparent)]
    Key(#[from] Illegal),
    /// The store cannot do several things at once.
    #[error("the store has no transactions")]
    NoTransactions,
    /// These are more operations than a transaction may have.
    #[error(
        "the transaction contains {found} operations, which is more than what the state store \
         supports: {limit}"
    )]
    TooMany {
        /// How many there were.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// What the store says; of several writes what it says of each that failed.
    #[error("{}", lines(.0))]
    Store(Vec<store::Error>),
}

/// What a key holds, or why it cannot be told.
pub type Read = Result<Option<Item>, store::Error>;

fn lines(errors: &[store::Error]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(vec![error])
    }
}

impl FromIterator<(String, Store)> for Stores {
    fn from_iter<T: IntoIterator<Item = (String, Store)>>(stores: T) -> Self {
        Self(Arc::new(stores.into_iter().collect()))
    }
}

impl Stores {
    /// The one of this name.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn find(&self, name: &str) -> Result<&Store, Refused> {
        if self.0.is_empty() {
            return Err(Refused::NotConfigured(name.to_owned()));
        }
        self.0.get(name).ok_or_else(|| Refused::NotFound(name.to_owned()))
    }
}

impl Store {
    /// A component, and what is put before its callers' keys, separator included.
    #[must_use]
    pub fn new(handle: Arc<StateHandle>, prefix: Arc<str>) -> Self {
        Self { handle, prefix }
    }

    /// Whether it has transactions.
    ///
    /// # Errors
    /// [`Error::NoTransactions`], unless it has.
    pub fn check_transactional(&self) -> Result<(), Error> {
        match self.handle.capabilities().transactional {
            true => Ok(()),
            false => Err(Error::NoTransactions),
        }
    }

    /// Reads one key.
    ///
    /// # Errors
    /// [`Error::Key`], or [`Error::Store`].
    pub async fn get(&self, key: &str) -> Result<Option<Item>, Error> {
        let key = prefix::key(&self.prefix, key)?;
        Ok(self.handle.get(&key).await.map_err(|error| self.shown(error))?)
    }

    /// Reads several keys, in their order. A key that the store will not read spoils no other.
    ///
    /// # Errors
    /// [`Error::Key`], or [`Error::Store`] when the store cannot be asked.
    pub async fn bulk_get(&self, keys: &[String]) -> Result<Vec<Read>, Error> {
        let keys = keys.iter().map(|key| prefix::key(&self.prefix, key));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let mut read = Vec::with_capacity(keys.len());
        for keys in keys.chunks(KEYS_AT_ONCE) {
            match self.handle.bulk_get(keys).await {
                Ok(items) => read.extend(items.into_iter().map(Ok)),
                Err(error) if is_of_a_key(&error) => {
                    for key in keys {
                        read.push(self.read_alone(key).await?);
                    }
                }
                Err(error) => return Err(self.shown(error).into()),
            }
        }
        Ok(read)
    }

    async fn read_alone(&self, key: &Key) -> Result<Read, Error> {
        match self.handle.get(key).await.map_err(|error| self.shown(error)) {
            Err(error) if !is_of_a_key(&error) => Err(error.into()),
            read => Ok(read),
        }
    }

    /// Does each write by itself: one that fails holds up no other, as with Dapr.
    ///
    /// # Errors
    /// [`Error::Key`], and nothing was written; [`Error::Store`] with what went wrong, and the
    /// other writes were done.
    ///
    /// # Cancel safety
    /// Dropped half way, some of the writes have been done.
    pub async fn write(&self, writes: Vec<Write>) -> Result<(), Error> {
        let keyed: Vec<_> =
            writes.into_iter().map(|write| self.keyed(write)).collect::<Result<_, _>>()?;
        let done = stream::iter(keyed).map(|(key, write)| async {
            let op = write.into_op(key)?;
            self.handle.transact(Transaction { fence: None, ops: vec![op] }).await
        });
        let failed = done.buffered(WRITES_AT_ONCE).filter_map(|done| async { done.err() });
        let failed: Vec<_> = failed.map(|error| self.shown(error)).collect().await;
        if failed.is_empty() { Ok(()) } else { Err(Error::Store(failed)) }
    }

    /// Does all writes or none.
    ///
    /// # Errors
    /// [`Error`], and nothing was written unless the outcome is unknown.
    ///
    /// # Cancel safety
    /// Dropping it leaves the outcome unknown.
    pub async fn transact(&self, writes: Vec<Write>) -> Result<(), Error> {
        self.check_transactional()?;
        let limit = COUNT_MAX as usize;
        if writes.len() > limit {
            return Err(Error::TooMany { found: writes.len(), limit });
        }
        let keyed: Vec<_> =
            writes.into_iter().map(|write| self.keyed(write)).collect::<Result<_, _>>()?;
        let ops = keyed.into_iter().map(|(key, write)| write.into_op(key));
        let ops = ops.collect::<Result<Vec<Op>, _>>()?;
        if ops.is_empty() {
            return Ok(());
        }
        let done = self.handle.transact(Transaction { fence: None, ops }).await;
        Ok(done.map_err(|error| self.shown(error))?)
    }

    fn keyed(&self, write: Write) -> Result<(Key, Write), Illegal> {
        Ok((prefix::key(&self.prefix, &write.key)?, write))
    }

    /// The error, with the key that its caller knows.
    fn shown(&self, mut error: store::Error) -> store::Error {
        use store::Error::{Corrupt, ETagInvalid, ETagMismatch};
        if let ETagMismatch { key } | ETagInvalid { key, .. } | Corrupt { key, .. } = &mut error
            && let Some(own) = key.strip_prefix(&*self.prefix)
        {
            *key = own.to_owned();
        }
        error
    }
}

/// Whether it is about one key and says nothing of others.
fn is_of_a_key(error: &store::Error) -> bool {
    matches!(error, store::Error::Corrupt { .. } | store::Error::Invalid { .. })
}
