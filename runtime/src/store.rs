//! The port to a state store, and the values that pass through it.
//!
//! Small and required: get, bulk get, transact, claim, scan. What a store can do
//! beyond is said by [`StateStore::capabilities`]. Components implement this in
//! `odeon-blocks`; the engine reaches one through the system actor `sys.state`.
//! Keys are structured here; a component encodes them, so that a joined string is
//! never split (ID-2).

use std::fmt::Debug;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures::future::BoxFuture;
use odeon_base::{Fence, Kind};

/// The actor that a key, a claim or a fenced transaction belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorScope {
    /// First part of the stored key: the app id by default (ST-4); empty for none.
    pub prefix: Arc<str>,
    /// The actor type.
    pub actor_type: Arc<str>,
    /// The actor id.
    pub actor_id: Arc<str>,
}

/// A key as the caller means it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A key of the state API, its prefix already applied.
    Plain(Arc<str>),
    /// A key of an actor.
    Actor(ActorScope, Arc<str>),
}

impl Key {
    /// The last part: what the caller calls the key.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Plain(key) | Self::Actor(_, key) => key,
        }
    }
}

/// A stored value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The bytes, as they were written.
    pub value: Bytes,
    /// Changes with every write.
    pub etag: Arc<str>,
    /// When it vanishes, if ever.
    pub expires_at: Option<SystemTime>,
}

/// When a write is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Condition {
    /// Always: the last write wins.
    #[default]
    None,
    /// Only if nothing is stored: the first write wins.
    Absent,
    /// Only if the stored ETag is this one.
    ETag(Arc<str>),
}

/// What a write does about expiry (ST-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expiry {
    /// Keep for ever; clears an older expiry.
    #[default]
    Never,
    /// Vanish this long after the write.
    After(std::time::Duration),
}

/// One operation of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Writes a value.
    Upsert {
        /// Where.
        key: Key,
        /// What.
        value: Bytes,
        /// When it is allowed.
        condition: Condition,
        /// For how long.
        expiry: Expiry,
    },
    /// Removes a value; removing nothing succeeds, unless an ETag was given.
    Delete {
        /// Where.
        key: Key,
        /// When it is allowed ([`Condition::Absent`] does not apply).
        condition: Condition,
    },
}

impl Op {
    /// The key it is about.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Upsert { key, .. } | Self::Delete { key, .. } => key,
        }
    }
}

/// Operations that happen together or not at all, in order (ST-2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transaction {
    /// Refuse unless the actor's fence record equals this fence (ST-3).
    pub fence: Option<(ActorScope, Fence)>,
    /// What to do; of several for one key the last wins.
    pub ops: Vec<Op>,
}

/// A page of an ordered scan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Keys and values in byte order of the key's name.
    pub items: Vec<(Key, Item)>,
    /// Pass this to get the next page; `None` at the end.
    pub next: Option<Key>,
}

/// What to scan: live keys of one actor, in order; fence records are never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Whose keys.
    pub scope: ActorScope,
    /// Only keys that begin with this.
    pub starts_with: Arc<str>,
    /// Begin after this key (a page's `next`).
    pub after: Option<Key>,
    /// At most this many, 1 to 1,000.
    pub limit: usize,
}

/// What a store can do beyond reading and writing one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent ability, as listed in metadata"
)]
pub struct Capabilities {
    /// ETags.
    pub etag: bool,
    /// Transactions.
    pub transactional: bool,
    /// Expiry.
    pub ttl: bool,
    /// Ordered scans of an actor's keys.
    pub scan: bool,
    /// Claim and equality check of fences, in one atomic step with the writes.
    pub fenced: bool,
    /// What is acknowledged survives the process and the machine.
    pub durable: bool,
}

impl Capabilities {
    /// Whether actors may keep their state there.
    #[must_use]
    pub fn holds_actors(&self) -> bool {
        self.etag && self.transactional && self.fenced
    }
}

/// Why a store did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The stored ETag differs, or the key exists where it must not.
    #[error("possible etag mismatch for key '{key}'")]
    ETagMismatch {
        /// The key as the caller called it.
        key: String,
    },
    /// The ETag is not one that this store could have given.
    #[error("invalid etag value '{etag}' for key '{key}'")]
    ETagInvalid {
        /// The key.
        key: String,
        /// The ETag.
        etag: String,
    },
    /// The fence record is not the one shown.
    #[error("the actor's state is claimed with fence {held:?}, shown was {shown}")]
    Fenced {
        /// What is recorded, if anything.
        held: Option<Fence>,
        /// What was shown.
        shown: Fence,
    },
    /// This store cannot do that.
    #[error("the state store does not support {what}")]
    Unsupported {
        /// What was asked.
        what: &'static str,
    },
    /// Nothing was written: the store cannot be reached or is full.
    #[error("the state store is unavailable: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
    },
    /// It may or may not have been written.
    #[error("the outcome of the write is unknown: {reason}")]
    Unknown {
        /// Why.
        reason: String,
    },
    /// What is stored cannot be read.
    #[error("the stored row of key '{key}' cannot be read: {reason}")]
    Corrupt {
        /// The key.
        key: String,
        /// Why.
        reason: String,
    },
    /// The caller's input is wrong.
    #[error("{reason}")]
    Invalid {
        /// Why.
        reason: String,
    },
}

impl Error {
    /// The sort of failure.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::ETagMismatch { .. } | Self::Fenced { .. } => Kind::Conflict,
            Self::ETagInvalid { .. } | Self::Invalid { .. } => Kind::Invalid,
            Self::Unsupported { .. } => Kind::Unsupported,
            Self::Unavailable { .. } | Self::Unknown { .. } => Kind::Unavailable,
            Self::Corrupt { .. } => Kind::Internal,
        }
    }
}

/// The result of a store operation.
pub type Result<T> = std::result::Result<T, Error>;

/// A state store. Linearizable; what it acknowledges is as durable as it says.
///
/// # Cancel safety
/// Dropping the future of [`StateStore::transact`] or [`StateStore::claim`] leaves
/// the outcome unknown; the other futures can be dropped at will.
pub trait StateStore: Send + Sync + Debug {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Reads one key; `None` when it is absent or has expired.
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Item>>>;

    /// Reads several keys, answers in their order.
    fn bulk_get<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Item>>>>;

    /// Commits, all or nothing.
    fn transact(&self, transaction: Transaction) -> BoxFuture<'_, Result<()>>;

    /// Takes an actor's state over: refused if the record is higher than `fence`,
    /// else `fence` is recorded; durable before it returns.
    fn claim(&self, scope: ActorScope, fence: Fence) -> BoxFuture<'_, Result<()>>;

    /// Lists keys of one actor.
    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<Page>>;

    /// Waits until all that was acknowledged is safe, and lets go of the resource.
    fn close(&self) -> BoxFuture<'_, Result<()>>;
}
