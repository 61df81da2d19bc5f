//! The sheets that one turn of a partition reads and writes.
//!
//! A turn opens those in which the names lie that it is about, changes them here, and commits
//! what [`Sheets::close`] says; until then nothing is written. How a sheet looks is in `sheet`.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use odeon_runtime::{Change, Error, Turn};

use super::name::{LAST_SHEET, Name, SHEETS, sheet_before, sheet_before_path};
use super::row::Row;
use super::sheet::{Entry, Sheet, Written, exchange};

/// Bytes from which on a transaction takes no more sheets; one has a mebibyte at most but for the
/// reminders of some tens of names, and a transaction may have four.
const BYTES_AT_ONCE: usize = 2 << 20;
/// Where sheets are kept that cannot be read, to be looked at (REM-13).
const TORN: &str = "torn/";

/// Some sheets of a partition.
#[derive(Debug)]
pub(super) struct Sheets<'a> {
    turn: &'a Turn,
    open: BTreeMap<Arc<str>, Open>,
    changes: Vec<Change>,
    bytes: usize,
}

#[derive(Debug)]
struct Open {
    /// It holds all names from here to its key.
    from: Name,
    before: Option<Sheet>,
    after: Sheet,
}

impl<'a> Sheets<'a> {
    pub(super) fn new(turn: &'a Turn) -> Self {
        Self { turn, open: BTreeMap::new(), changes: Vec::new(), bytes: 0 }
    }

    /// Whether no more should go into one transaction.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= BYTES_AT_ONCE
    }

    /// Opens the sheet in which a name lies, unless it is open.
    pub(super) async fn open(&mut self, name: &Name) -> Result<(), Error> {
        if self.key_of(name).is_some() {
            return Ok(());
        }
        let page = self.turn.scan(SHEETS, Some(&sheet_before(name)), 1).await?;
        let (key, before) = match page.items.first() {
            Some((key, item)) => {
                self.bytes += item.value.len();
                (key.name().into(), self.read(key.name(), &item.value))
            }
            None => (LAST_SHEET.into(), None),
        };
        let known: &mut Open = self.open.entry(key).or_insert_with(|| {
            let after = before.clone().unwrap_or_default();
            Open { from: name.clone(), before, after }
        });
        if *name < known.from {
            known.from = name.clone();
        }
        Ok(())
    }

    fn read(&mut self, key: &str, stored: &Bytes) -> Option<Sheet> {
        match Sheet::decode(stored) {
            Ok(sheet) => Some(sheet),
            Err(reason) => {
                tracing::error!(
                    key,
                    reason,
                    "a sheet of reminders cannot be read and is set aside"
                );
                self.changes.push(Change::set(&format!("{TORN}{key}"), stored.clone()));
                None
            }
        }
    }

    fn key_of(&self, name: &Name) -> Option<Arc<str>> {
        let behind = (Bound::Excluded(sheet_before(name)), Bound::Unbounded);
        let (key, open) =
            self.open.range::<str, _>((behind.0.as_ref().map(|key| &**key), behind.1)).next()?;
        (open.from <= *name).then(|| Arc::clone(key))
    }

    /// What is stored under a name whose sheet is open.
    pub(super) fn get(&self, name: &Name) -> Option<&Entry> {
        self.open.get(&self.key_of(name)?)?.after.entries.get(name)
    }

    /// The reminder of a name whose sheet is open. One that cannot be read is as good as none.
    pub(super) fn row(&self, name: &Name) -> Option<Row> {
        Row::decode(&self.get(name)?.row).ok()
    }

    /// Has this stand under a name whose sheet is open, or nothing.
    pub(super) fn set(&mut self, name: &Name, row: Option<&Row>) {
        let Some(open) = self.key_of(name).and_then(|key| self.open.get_mut(&key)) else { return };
        match row {
            Some(row) => {
                let entry = Entry::new(row);
                self.bytes += entry.row.len();
                open.after.entries.insert(name.clone(), entry);
            }
            None => drop(open.after.entries.remove(name)),
        }
    }

    /// What is to be written, and what stands then; `loaded_to` as in [`exchange`].
    pub(super) fn close(self, loaded_to: u64) -> (Vec<Change>, Vec<Written>) {
        let Self { open, mut changes, .. } = self;
        let mut written = Vec::with_capacity(open.len());
        for (key, Open { before, after, .. }) in open {
            written.extend(exchange(&key, before.as_ref(), after, loaded_to, &mut changes));
        }
        (changes, written)
    }
}

/// A page of sheets with names that begin so.
#[derive(Debug)]
pub(super) struct Walked {
    /// The sheets; the first and the last may hold other names, too.
    pub(super) sheets: Vec<Sheet>,
    /// Behind which key there may be more.
    pub(super) next: Option<String>,
}

/// Where to begin when all names that begin so are wanted, or those behind one of them.
pub(super) fn begin(starts_with: &str, after: Option<&str>) -> String {
    sheet_before_path(after.unwrap_or(starts_with))
}

/// Reads a page of sheets, those behind the key `after`.
pub(super) async fn walk(
    turn: &Turn,
    starts_with: &str,
    after: &str,
    limit: usize,
) -> Result<Walked, Error> {
    let page = turn.scan(SHEETS, Some(after), limit).await?;
    let end = page.items.iter().position(|(key, _)| is_past(key.name(), starts_with));
    let items = &page.items[..end.map_or(page.items.len(), |last| last + 1)];
    let sheets = items.iter().filter_map(|(key, item)| {
        let read = Sheet::decode(&item.value);
        read.inspect_err(|reason| {
            tracing::error!(key = key.name(), reason, "a sheet of reminders cannot be read");
        })
        .ok()
    });
    let last = items.last().map(|(key, _)| key.name().to_owned());
    Ok(Walked {
        sheets: sheets.collect(),
        next: last.filter(|_| end.is_none() && page.next.is_some()),
    })
}

/// Whether all names that begin so lie before this key.
fn is_past(key: &str, starts_with: &str) -> bool {
    let end = sheet_before_path(starts_with);
    key > &*end && !key.starts_with(&end)
}
