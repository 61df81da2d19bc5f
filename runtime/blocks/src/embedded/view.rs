//! The tree as one change sees it, on the committer's thread.
//!
//! A change reads what all changes before it left, and lays down writes that count
//! only if it succeeds. It does not see its own writes: conditions are about the
//! state before the change. Which of two writes of a key came later decides.

use odeon_runtime::store::Result;
use sled::IVec;

use super::fault::unavailable;
use super::progress::Progress;

/// A key and its new value; `None` removes it.
pub(super) type Write = (IVec, Option<IVec>);

/// What a caller saw of a key before it asked for a change; the change need not
/// look again unless the key was touched since.
#[derive(Debug)]
pub(crate) struct Glance {
    key: IVec,
    value: Option<IVec>,
    /// Nothing is known of the value if this is missing.
    batch: Option<u64>,
}

impl Glance {
    pub(super) fn new(key: IVec, value: Option<IVec>, batch: Option<u64>) -> Self {
        Self { key, value, batch }
    }

    /// The key.
    pub(crate) fn key(&self) -> &IVec {
        &self.key
    }
}

/// What a change reads and where it lays down its writes.
#[derive(Debug)]
pub(crate) struct View<'a> {
    tree: &'a sled::Tree,
    progress: &'a Progress,
    laid: Laid,
}

/// What a change has laid down.
#[derive(Debug, Default)]
pub(super) struct Laid {
    /// What is written.
    pub(super) writes: Vec<Write>,
    /// What counts as touched, beside the keys that are written.
    pub(super) touched: Vec<Vec<u8>>,
}

impl<'a> View<'a> {
    pub(super) fn new(tree: &'a sled::Tree, progress: &'a Progress) -> Self {
        Self { tree, progress, laid: Laid::default() }
    }

    /// The value of a key before this change.
    ///
    /// # Errors
    /// `Unavailable` when the engine cannot read.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<IVec>> {
        self.tree.get(key).map_err(unavailable)
    }

    /// The value of a key at which its caller has glanced, before this change.
    ///
    /// # Errors
    /// As [`View::get`].
    pub(crate) fn recall(&self, glance: &Glance) -> Result<Option<IVec>> {
        let is_fresh = glance.batch == Some(self.progress.touched(&glance.key));
        if is_fresh { Ok(glance.value.clone()) } else { self.get(&glance.key) }
    }

    /// Up to `limit` keys from `from` to before `to`, before this change.
    ///
    /// # Errors
    /// `Unavailable` when the engine cannot read.
    pub(crate) fn keys(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<IVec>> {
        let keys = self.tree.range(from..to).keys().take(limit);
        keys.collect::<sled::Result<_>>().map_err(unavailable)
    }

    /// Lays down a value.
    pub(crate) fn put(&mut self, key: impl Into<IVec>, value: impl Into<IVec>) {
        self.laid.writes.push((key.into(), Some(value.into())));
    }

    /// Lays down a removal.
    pub(crate) fn remove(&mut self, key: impl Into<IVec>) {
        self.laid.writes.push((key.into(), None));
    }

    /// Has whoever looks at the whole of a group of keys wait for this change: the group counts
    /// as touched, as the keys do that are written.
    pub(crate) fn touch(&mut self, group: &[u8]) {
        // Mostly all are of one.
        if self.laid.touched.last().is_none_or(|last| last != group) {
            self.laid.touched.push(group.to_vec());
        }
    }

    /// What was laid down.
    pub(super) fn into_laid(self) -> Laid {
        self.laid
    }
}
