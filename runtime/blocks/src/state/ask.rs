//! What a store can be asked and what it answers, as values that can travel.
//!
//! The operations of the port `StateStore`, but for closing, each as one value: a turn of
//! `sys.state` takes one in Rust's own types in its process, or as bytes from another
//! (`wire`). What they mean is the store's.

use odeon_base::Fence;
use odeon_runtime::store::{
    ActorScope, Error, Item, Key, Page, Result, Scan, StateStore, Transaction,
};

/// Keys and values of one page that is told to another process, in bytes; more wait for
/// the next page, so that an answer stays far below what a connection carries at once.
const PAGE_BYTES_MAX: usize = 1 << 20;

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Reads one key.
    Get(Key),
    /// Reads several keys.
    BulkGet(Vec<Key>),
    /// Commits, all or nothing.
    Transact(Transaction),
    /// Takes an actor's state over.
    Claim(ActorScope, Fence),
    /// Lists keys of an actor.
    List(Scan),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Of [`Ask::Get`].
    Item(Option<Item>),
    /// Of [`Ask::BulkGet`], in the order of the keys.
    Items(Vec<Option<Item>>),
    /// Of [`Ask::Transact`] and [`Ask::Claim`].
    Done,
    /// Of [`Ask::List`].
    Page(Page),
}

impl Ask {
    /// Asks a store.
    ///
    /// # Errors
    /// The store's own.
    pub async fn run(self, store: &dyn StateStore) -> Result<Answer> {
        match self {
            Self::Get(key) => store.get(&key).await.map(Answer::Item),
            Self::BulkGet(keys) => store.bulk_get(&keys).await.map(Answer::Items),
            Self::Transact(transaction) => store.transact(transaction).await.map(|()| Answer::Done),
            Self::Claim(scope, fence) => store.claim(scope, fence).await.map(|()| Answer::Done),
            Self::List(scan) => store.scan(scan).await.map(Answer::Page),
        }
    }

    /// Whether asking again after an answer that was lost does no harm, whenever the first
    /// one lands: a claim passes on its own fence, and reading changes nothing.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        !matches!(self, Self::Transact(_))
    }

    /// Whether something may have been written when the answer is lost.
    #[must_use]
    pub fn writes(&self) -> bool {
        matches!(self, Self::Transact(_) | Self::Claim(..))
    }
}

impl Answer {
    /// The same, not larger than one message should be: a page is cut, and goes on where
    /// it was cut.
    #[must_use]
    pub fn bounded(self) -> Self {
        let Self::Page(mut page) = self else { return self };
        let mut bytes = 0;
        let fits = page.items.iter().take_while(|(key, item)| {
            let room = bytes < PAGE_BYTES_MAX;
            bytes += key.name().len() + item.value.len();
            room
        });
        // The first always fits, or nobody would ever get beyond it.
        let kept = fits.count();
        if kept < page.items.len() {
            page.items.truncate(kept);
            page.next = page.items.last().map(|(key, _)| key.clone());
        }
        Self::Page(page)
    }

    /// The answer to [`Ask::Get`].
    ///
    /// # Errors
    /// [`Error::Unknown`] if this answers another question.
    pub fn item(self) -> Result<Option<Item>> {
        if let Self::Item(item) = self { Ok(item) } else { Err(Self::mixed_up()) }
    }

    /// The answer to [`Ask::BulkGet`].
    ///
    /// # Errors
    /// [`Error::Unknown`] if this answers another question.
    pub fn items(self) -> Result<Vec<Option<Item>>> {
        if let Self::Items(items) = self { Ok(items) } else { Err(Self::mixed_up()) }
    }

    /// The answer to [`Ask::Transact`] and [`Ask::Claim`].
    ///
    /// # Errors
    /// [`Error::Unknown`] if this answers another question.
    pub fn done(self) -> Result<()> {
        if self == Self::Done { Ok(()) } else { Err(Self::mixed_up()) }
    }

    /// The answer to [`Ask::List`].
    ///
    /// # Errors
    /// [`Error::Unknown`] if this answers another question.
    pub fn page(self) -> Result<Page> {
        if let Self::Page(page) = self { Ok(page) } else { Err(Self::mixed_up()) }
    }

    fn mixed_up() -> Error {
        Error::Unknown { reason: "the store's answer is to another question".to_owned() }
    }
}
