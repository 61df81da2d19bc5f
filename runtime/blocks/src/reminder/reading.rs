//! How far a partition has read in the order of times, and what it passed over on the way.
//!
//! A sheet has one place, at the earliest that is to be done in it. When it is read there, the
//! rest of it may be due much later: that is passed over, and its time is noted here, or nobody
//! would look at it again before its place moves. So of a sheet whose place is behind the
//! position nothing need be known; of the others all that is due until `loaded_to` is in memory,
//! and the time of the next thing is ahead. Pure.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::name::{behind_places, place};

/// Up to where places were read: a time in milliseconds, with all places of that time or those
/// up to a sheet's.
pub type Position = (u64, Option<Arc<str>>);

/// What was passed over in sheets that were read: for each the next thing to be done.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    of: HashMap<Arc<str>, u64>,
    order: BTreeSet<(u64, Arc<str>)>,
}

impl Ahead {
    /// When the next thing is to be done that was passed over in a sheet, if anything was.
    pub(super) fn set(&mut self, sheet: &Arc<str>, time: Option<u64>) {
        let before = match time {
            Some(time) => self.of.insert(Arc::clone(sheet), time),
            None => self.of.remove(sheet),
        };
        if before != time {
            before.map(|before| self.order.remove(&(before, Arc::clone(sheet))));
            self.order.extend(time.map(|time| (time, Arc::clone(sheet))));
        }
    }

    /// Something was passed over in a sheet.
    pub(super) fn add(&mut self, sheet: &Arc<str>, time: u64) {
        if self.of.get(sheet).is_none_or(|known| time < *known) {
            self.set(sheet, Some(time));
        }
    }

    /// When there is something, in milliseconds.
    pub(super) fn first(&self) -> Option<u64> {
        self.order.first().map(|(time, _)| *time)
    }

    /// What is to be read again until then, at most so many.
    pub(super) fn until(&self, until: u64, limit: usize) -> Vec<(u64, Arc<str>)> {
        self.order.iter().take_while(|(time, _)| *time <= until).take(limit).cloned().collect()
    }
}

/// What is to be read next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Behind which place, if not from the first.
    pub position: Option<Position>,
    /// Up to which time.
    pub until: u64,
    /// Sheets to read again, with the times for which.
    pub ahead: Vec<(u64, Arc<str>)>,
    /// At most so many sheets are read again, and so many places.
    pub limit: usize,
}

/// What was reached by reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// All places up to here were read.
    pub position: Option<Position>,
    /// All that is to be done until then is in one of the sheets.
    pub loaded_to: u64,
    /// The sheets to read, and the time of the place at which each was found.
    pub sheets: Vec<(Arc<str>, Option<u64>)>,
}

impl Reading {
    /// Behind which key of the order of times to read.
    #[must_use]
    pub fn after(&self) -> Option<String> {
        self.position.as_ref().map(|(time, sheet)| match sheet {
            Some(sheet) => place(*time, sheet),
            None => behind_places(*time),
        })
    }

    /// What is reached with the next places in the order of times, and whether there are more.
    #[must_use]
    pub fn reached(self, places: Vec<(u64, Arc<str>)>, has_more: bool) -> Reached {
        let last = places.last().cloned().filter(|(time, _)| has_more && *time <= self.until);
        // As many as there may be: the times of the next are not known.
        let known_to = self.ahead.last().filter(|_| self.ahead.len() >= self.limit);
        let times =
            [Some(self.until), last.as_ref().map(|(time, _)| *time), known_to.map(|known| known.0)];
        let loaded_to = times.into_iter().flatten().min().unwrap_or(self.until);
        let position = match last {
            Some((time, sheet)) if time == loaded_to => (time, Some(sheet)),
            _ => (loaded_to, None),
        };
        let found = places.into_iter().map(|(time, sheet)| (time, sheet, true));
        let again = self.ahead.into_iter().map(|(time, sheet)| (time, sheet, false));
        let mut sheets = HashMap::new();
        for (time, sheet, is_place) in again.chain(found) {
            if time <= loaded_to {
                sheets.insert(sheet, is_place.then_some(time));
            }
        }
        let mut sheets: Vec<_> = sheets.into_iter().collect();
        sheets.sort();
        Reached { position: Some(position), loaded_to, sheets }
    }
}
