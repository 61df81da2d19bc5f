//! The tree as one change sees it while a batch is being put together.
//!
//! A change reads what all changes before it left, those of its own batch
//! included, and lays down writes that count only if it succeeds. It does not see
//! its own writes: conditions are about the state before the change. Which of two
//! writes of a key came later decides.

use std::collections::HashMap;

use odeon_runtime::store::Result;
use sled::IVec;

use super::unavailable;

/// Writes of a batch, by key; `None` removes.
#[derive(Debug, Default)]
pub(super) struct Pending {
    writes: HashMap<IVec, Option<IVec>>,
    bytes: usize,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Bytes laid down, those that were replaced included.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.writes.keys().map(AsRef::as_ref)
    }

    pub(super) fn into_batch(self) -> sled::Batch {
        let mut batch = sled::Batch::default();
        for (key, value) in self.writes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        batch
    }
}

/// What a change reads and where it lays down its writes.
#[derive(Debug)]
pub(crate) struct View<'a> {
    tree: &'a sled::Tree,
    before: &'a Pending,
    writes: Vec<(IVec, Option<IVec>)>,
}

impl<'a> View<'a> {
    pub(super) fn new(tree: &'a sled::Tree, before: &'a Pending) -> Self {
        Self { tree, before, writes: Vec::new() }
    }

    /// The value of a key before this change.
    ///
    /// # Errors
    /// `Unavailable` when the engine cannot read.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<IVec>> {
        match self.before.writes.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.tree.get(key).map_err(unavailable),
        }
    }

    /// Up to `limit` keys from `from` to before `to` that were in the tree before this
    /// batch and that it has not removed; those that it has added are left out.
    ///
    /// # Errors
    /// `Unavailable` when the engine cannot read.
    pub(crate) fn keys(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<IVec>> {
        self.tree
            .range(from..to)
            .keys()
            .filter(|key| {
                let removed = |key: &IVec| matches!(self.before.writes.get(key), Some(None));
                !key.as_ref().is_ok_and(removed)
            })
            .take(limit)
            .collect::<sled::Result<_>>()
            .map_err(unavailable)
    }

    /// Lays down a value.
    pub(crate) fn put(&mut self, key: impl Into<IVec>, value: impl Into<IVec>) {
        self.writes.push((key.into(), Some(value.into())));
    }

    /// Lays down a removal.
    pub(crate) fn remove(&mut self, key: impl Into<IVec>) {
        self.writes.push((key.into(), None));
    }

    /// The writes, for [`accept`].
    pub(super) fn into_writes(self) -> Vec<(IVec, Option<IVec>)> {
        self.writes
    }
}

/// Makes the writes of a change that succeeded part of the batch.
pub(super) fn accept(pending: &mut Pending, writes: Vec<(IVec, Option<IVec>)>) {
    for (key, value) in writes {
        pending.bytes += key.len() + value.as_ref().map_or(0, |value| value.len());
        pending.writes.insert(key, value);
    }
}
