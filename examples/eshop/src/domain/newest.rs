//! What many have told about themselves, the newest of each.
//!
//! What they tell may come late, twice or in another order; the highest version counts. Those
//! that are gone for good stay as such, or what comes late would bring them back.

use std::collections::BTreeMap;

/// What somebody tells about itself.
pub trait Told: Clone {
    /// Who tells.
    fn id(&self) -> &str;
    /// Grows with each change of who tells.
    fn version(&self) -> u64;
}

/// The newest that each has told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest<T> {
    by_id: BTreeMap<String, T>,
}

impl<T> Default for Newest<T> {
    fn default() -> Self {
        Self { by_id: BTreeMap::new() }
    }
}

impl<T: Told> FromIterator<T> for Newest<T> {
    fn from_iter<I: IntoIterator<Item = T>>(told: I) -> Self {
        Self { by_id: told.into_iter().map(|one| (one.id().to_owned(), one)).collect() }
    }
}

impl<T: Told> Newest<T> {
    /// Takes note of what somebody tells; whether that is news.
    pub fn put(&mut self, told: &T) -> bool {
        let known = self.by_id.get(told.id());
        let is_news = known.is_none_or(|known| known.version() < told.version());
        if is_news {
            self.by_id.insert(told.id().to_owned(), told.clone());
        }
        is_news
    }

    /// All of them, by id.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.by_id.values()
    }
}
