//! What a turn means to write, until it is committed.
//!
//! The turn reads its own writes; the last write of a key wins and is the only one
//! that is sent. Pure: who commits, and where, is not known here.

use bytes::Bytes;
use odeon_runtime::turn::Change;

/// The writes of one turn. Empty, it has not allocated anything.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// At most one per key. A turn writes a few keys, so a search beats a map.
    pending: Vec<Change>,
}

/// What a turn has done to a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Own<'a> {
    /// Nothing: the store knows.
    Untouched,
    /// This is its value now.
    Set(&'a Bytes),
    /// It has none any more.
    Removed,
}

impl Changes {
    /// What this turn has done to a key.
    pub(crate) fn of(&self, key: &str) -> Own<'_> {
        match self.pending.iter().find(|change| &**change.name() == key) {
            Some(Change::Set { value, .. }) => Own::Set(value),
            Some(Change::Remove { .. }) => Own::Removed,
            None => Own::Untouched,
        }
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Change> {
        self.pending.iter()
    }

    /// Adds a write in place of an earlier one of its key.
    pub(crate) fn put(&mut self, change: Change) {
        match self.pending.iter_mut().find(|earlier| earlier.name() == change.name()) {
            Some(earlier) => *earlier = change,
            None => self.pending.push(change),
        }
    }

    /// Whether there is nothing to commit.
    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Hands the writes over.
    pub(crate) fn take(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_reads_its_own_writes_and_the_last_one_counts() {
        let mut changes = Changes::default();
        assert_eq!(changes.of("a"), Own::Untouched);
        changes.put(Change::set("a", "1"));
        changes.put(Change::set("b", "2"));
        changes.put(Change::remove("a"));
        assert_eq!(changes.of("a"), Own::Removed);
        assert_eq!(changes.of("b"), Own::Set(&Bytes::from("2")));
        changes.put(Change::set("a", "3"));
        assert_eq!(changes.of("a"), Own::Set(&Bytes::from("3")));
        assert_eq!(changes.take(), [Change::set("a", "3"), Change::set("b", "2")]);
        assert!(changes.is_empty());
    }
}
