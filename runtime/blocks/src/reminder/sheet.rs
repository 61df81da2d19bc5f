//! Reminders whose names lie side by side, kept together in one row of the store.
//!
//! The embedded engine has a cost for each key: the place of every sixteen of them is in memory,
//! and all of it is read when it opens. Ten million reminders of two keys each took it 19 s and
//! 800 MiB; in sheets of some ten they are one key, and one place in the order of times, for ten.
//!
//! A sheet's key is the name before which its reminders lie, so the first key behind a name is
//! that of its sheet, whether or not there is such a reminder; the last sheet has a key of its
//! own. A sheet that has grown is cut in two: the one with the names that come first gets a new
//! key. Each has one place in the order of times, at the earliest thing to be done in it or
//! before. Bytes: a version, the time of that place, then for each reminder the time at which
//! something is to be done, name and row with their lengths in front; numbers are big endian.
//! Reading accepts any bytes and never panics; a row that cannot be read concerns nobody but
//! itself (REM-13). Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use odeon_runtime::Change;

use super::name::{self, Name};
use super::row::Row;

/// The version that is written; a sheet of another is refused.
const VERSION: u8 = 1;
/// A sheet with more reminders is cut.
const ROWS_MAX: usize = 16;
/// So is one of more bytes and more than one reminder: a value of up to 4 KiB lies in one row of
/// the embedded store.
const BYTES_MAX: usize = 3_584;

/// When nothing is ever to be done.
pub const NEVER: u64 = u64::MAX;

/// One reminder of a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When something is to be done about it, in milliseconds since 1970; [`NEVER`] if it cannot
    /// be read.
    pub next: u64,
    /// Its row, as it is stored.
    pub row: Bytes,
}

impl Entry {
    /// As this row is stored.
    #[must_use]
    pub fn new(row: &Row) -> Self {
        Self { next: row.next(), row: row.encode().into() }
    }
}

/// Reminders whose names lie side by side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheet {
    /// The reminders, by their names.
    pub entries: BTreeMap<Name, Entry>,
    /// Where it stands in the order of times, if it does.
    placed: Option<u64>,
}

impl FromIterator<(Name, Entry)> for Sheet {
    /// A sheet that is stored nowhere yet.
    fn from_iter<T: IntoIterator<Item = (Name, Entry)>>(entries: T) -> Self {
        Self { entries: entries.into_iter().collect(), placed: None }
    }
}

impl Sheet {
    /// The stored form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes());
        out.push(VERSION);
        out.extend_from_slice(&self.placed.unwrap_or(NEVER).to_be_bytes());
        for (name, Entry { next, row }) in &self.entries {
            out.extend_from_slice(&next.to_be_bytes());
            for part in [name.as_str().as_bytes(), row] {
                // What is registered has bounds far below this.
                let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(part);
            }
        }
        out
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(bytes: &Bytes) -> Result<Self, String> {
        let mut from = bytes.clone();
        let [version] = take(&mut from)?;
        if version != VERSION {
            return Err(format!("it has version {version}, not {VERSION}"));
        }
        let placed = u64::from_be_bytes(take(&mut from)?);
        let mut entries = BTreeMap::new();
        while !from.is_empty() {
            let next = u64::from_be_bytes(take(&mut from)?);
            let name = part(&mut from)?;
            let name = std::str::from_utf8(&name).ok().and_then(Name::from_path);
            let name = name.ok_or("it has a name that is none")?;
            entries.insert(name, Entry { next, row: part(&mut from)? });
        }
        Ok(Self { entries, placed: Some(placed) })
    }

    /// The time of its place in the order, in milliseconds.
    #[must_use]
    pub fn placed(&self) -> u64 {
        self.placed.unwrap_or(NEVER)
    }

    /// When something is to be done next.
    #[must_use]
    pub fn earliest(&self) -> u64 {
        self.entries.values().map(|entry| entry.next).min().unwrap_or(NEVER)
    }

    /// Gives it its place for what it holds by now. A place that is too early is left as long as
    /// all until `loaded_to` is in memory anyway: to move it would be two writes.
    fn place(&mut self, loaded_to: u64) {
        let earliest = self.earliest();
        let may_stay = self.placed.is_some_and(|placed| placed <= earliest);
        if !may_stay || earliest > loaded_to {
            self.placed = Some(earliest);
        }
    }

    fn bytes(&self) -> usize {
        let entries = self.entries.iter();
        9 + entries.map(|(name, entry)| 16 + name.as_str().len() + entry.row.len()).sum::<usize>()
    }

    fn is_large(&self) -> bool {
        self.entries.len() > ROWS_MAX || (self.entries.len() > 1 && self.bytes() > BYTES_MAX)
    }

    /// Cuts it into sheets that are not too large, in the order of names; each with the key
    /// before which it lies, and the last with its own.
    fn cut(mut self, key: &Arc<str>, into: &mut Vec<(Arc<str>, Self)>) {
        if !self.is_large() {
            into.push((Arc::clone(key), self));
            return;
        }
        let middle = self.entries.len() / 2;
        let Some(first_behind) = self.entries.keys().nth(middle).cloned() else { return };
        let behind = self.entries.split_off(&first_behind);
        let before = Self { entries: std::mem::take(&mut self.entries), placed: None };
        before.cut(&name::sheet_before(&first_behind).into(), into);
        Self { entries: behind, placed: self.placed }.cut(key, into);
    }
}

/// A sheet that is written, with what is to be known of it afterwards.
#[derive(Debug)]
pub struct Written {
    /// Its key.
    pub key: Arc<str>,
    /// What it holds from now on.
    pub sheet: Sheet,
}

/// Adds what writes a sheet in place of what was stored under its key; what stands afterwards.
///
/// `loaded_to` is up to when what is to be done is in memory, in milliseconds.
pub fn exchange(
    key: &Arc<str>,
    before: Option<&Sheet>,
    after: Sheet,
    loaded_to: u64,
    changes: &mut Vec<Change>,
) -> Vec<Written> {
    let mut parts = Vec::with_capacity(1);
    after.cut(key, &mut parts);
    let written = parts.into_iter().map(|(of, mut sheet)| {
        let stood = before.filter(|_| of == *key);
        if sheet.entries.is_empty() {
            if let Some(stood) = stood {
                changes.push(Change::remove(&of));
                changes.push(Change::remove(&name::place(stood.placed(), &of)));
            }
            return Written { key: of, sheet };
        }
        sheet.place(loaded_to);
        if stood != Some(&sheet) {
            changes.push(Change::set(&of, sheet.encode()));
        }
        let (old, new) = (stood.map(Sheet::placed), sheet.placed());
        if old != Some(new) {
            changes.extend(old.map(|old| Change::remove(&name::place(old, &of))));
            changes.push(Change::set(&name::place(new, &of), Bytes::new()));
        }
        Written { key: of, sheet }
    });
    written.collect()
}

fn take<const N: usize>(from: &mut Bytes) -> Result<[u8; N], String> {
    let found = *from.first_chunk::<N>().ok_or("it is too short")?;
    drop(from.split_to(N));
    Ok(found)
}

fn part(from: &mut Bytes) -> Result<Bytes, String> {
    let length = u32::from_be_bytes(take(from)?);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > from.len() {
        return Err("it is too short".to_owned());
    }
    Ok(from.split_to(length))
}

#[cfg(test)]
mod tests {
    use odeon_runtime::ActorRef;
    use proptest::prelude::*;

    use super::*;

    fn name(n: u16) -> Name {
        Name::new(&ActorRef::parse("Order", &format!("{n:05}")).unwrap(), "pay").unwrap()
    }

    fn sheet() -> impl Strategy<Value = Sheet> {
        let entry = (any::<u16>(), any::<u64>(), proptest::collection::vec(any::<u8>(), 0..400));
        proptest::collection::vec(entry, 0..60).prop_map(|entries| {
            let entries = entries.into_iter();
            let entries = entries.map(|(n, next, row)| (name(n), Entry { next, row: row.into() }));
            Sheet { entries: entries.collect(), placed: Some(7) }
        })
    }

    proptest! {
        #[test]
        fn a_sheet_comes_back_as_it_was(sheet in sheet()) {
            let stored = sheet.encode();
            prop_assert_eq!(stored.len(), sheet.bytes());
            prop_assert_eq!(Sheet::decode(&stored.into()), Ok(sheet));
        }

        #[test]
        fn rem_13_no_bytes_break_a_sheet(
            sheet in sheet(),
            at in any::<prop::sample::Index>(),
            byte: u8,
            kept in any::<prop::sample::Index>(),
        ) {
            let mut bytes = sheet.encode();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let kept = kept.index(bytes.len());
            let _ = Sheet::decode(&Bytes::from(bytes[..kept].to_vec()));
            let _ = Sheet::decode(&bytes.into());
        }

        #[test]
        fn a_large_sheet_is_cut_at_names_and_nothing_is_lost(sheet in sheet()) {
            let (key, mut parts) = (Arc::from(name::LAST_SHEET), Vec::new());
            let all = sheet.entries.clone();
            sheet.cut(&key, &mut parts);
            let mut found = BTreeMap::new();
            let mut from = String::new();
            for (key, part) in parts {
                prop_assert!(!part.is_large());
                for (name, entry) in part.entries {
                    let before = name::sheet_before(&name);
                    prop_assert!(from <= before && *before < *key, "{from} {before} {key}");
                    found.insert(name, entry);
                }
                from = key.to_string();
            }
            prop_assert_eq!(&*from, name::LAST_SHEET);
            prop_assert_eq!(found, all);
        }
    }
}
