//! The tree as one change sees it, on the committer's thread.
//!
//! A change reads what all changes before it left, those of its own batch included, which the
//! engine has not been given yet ([`Pending`]), and lays down writes that count
//! only if it succeeds. It does not see its own writes: conditions are about the
//! state before the change. Which of two writes of a key came later decides.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

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

/// What the changes of one batch have written so far: the later write of a key in place of the
/// earlier one.
#[derive(Debug, Default)]
pub(super) struct Pending(BTreeMap<IVec, Option<IVec>>);

impl Pending {
    /// Takes what one change has laid down, in that order.
    pub(super) fn take(&mut self, writes: Vec<Write>) {
        self.0.extend(writes);
    }

    /// How many keys are written.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// All writes, by their keys.
    pub(super) fn into_writes(self) -> BTreeMap<IVec, Option<IVec>> {
        self.0
    }
}

/// What a change reads and where it lays down its writes.
#[derive(Debug)]
pub(crate) struct View<'a> {
    tree: &'a sled::Tree,
    pending: &'a Pending,
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
    pub(super) fn new(tree: &'a sled::Tree, pending: &'a Pending, progress: &'a Progress) -> Self {
        Self { tree, pending, progress, laid: Laid::default() }
    }

    /// The value of a key before this change.
    ///
    /// # Errors
    /// `Unavailable` when the engine cannot read.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<IVec>> {
        match self.pending.0.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.tree.get(key).map_err(unavailable),
        }
    }

    /// The value of a key at which its caller has glanced, before this change.
    ///
    /// # Errors
    /// As [`View::get`].
    pub(crate) fn recall(&self, glance: &Glance) -> Result<Option<IVec>> {
        // Whatever is pending has touched its keys.
        let is_fresh = glance.batch == Some(self.progress.touched(&glance.key));
        if is_fresh { Ok(glance.value.clone()) } else { self.get(&glance.key) }
    }

    /// Up to `limit` keys from `from` to before `to`, before this change.
    ///
    /// # Errors
    /// `Unavailable` when the engine cannot read.
    pub(crate) fn keys(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<IVec>> {
        let range = (Bound::Included(from), Bound::Excluded(to));
        let pending = self.pending.0.range::<[u8], _>(range);
        let (written, removed): (Vec<_>, Vec<_>) = pending.partition(|(_, value)| value.is_some());
        // As many more as may turn out to be removed.
        let stored = self.tree.range(from..to).keys().take(limit.saturating_add(removed.len()));
        let mut keys = stored.collect::<sled::Result<BTreeSet<_>>>().map_err(unavailable)?;
        removed.into_iter().for_each(|(key, _)| {
            keys.remove(key);
        });
        keys.extend(written.into_iter().map(|(key, _)| key.clone()));
        Ok(keys.into_iter().take(limit).collect())
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn writes() -> impl Strategy<Value = Vec<(u8, Option<u8>)>> {
        proptest::collection::vec((0..12_u8, any::<Option<u8>>()), 0..12)
    }

    fn put(all: &[(u8, Option<u8>)], model: &mut BTreeMap<u8, u8>) -> Vec<Write> {
        let writes = all.iter().map(|(key, value)| {
            match value {
                Some(value) => model.insert(*key, *value),
                None => model.remove(key),
            };
            (IVec::from(&[*key]), value.map(|value| IVec::from(&[value])))
        });
        writes.collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_change_sees_what_was_written_before_it_in_its_batch(
            stored in writes(),
            changes in proptest::collection::vec(writes(), 0..4),
            (from, to, limit) in (0..12_u8, 0..12_u8, 0..8_usize),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let db = sled::open(folder.path()).unwrap();
            let (progress, mut model) = (Progress::new(), BTreeMap::new());
            for (key, value) in put(&stored, &mut model) {
                match value {
                    Some(value) => db.insert(key, value).map(drop).unwrap(),
                    None => db.remove(key).map(drop).unwrap(),
                }
            }
            let mut pending = Pending::default();
            for change in changes {
                pending.take(put(&change, &mut model));
            }
            let view = View::new(&db, &pending, &progress);
            for key in 0..12 {
                let found = view.get(&[key]).unwrap().map(|value| value[0]);
                prop_assert_eq!(found, model.get(&key).copied());
            }
            let (from, to) = (from.min(to), from.max(to));
            let keys = view.keys(&[from], &[to], limit).unwrap();
            let found: Vec<u8> = keys.iter().map(|key| key[0]).collect();
            let expected: Vec<u8> = model.range(from..to).map(|(key, _)| *key).take(limit).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
