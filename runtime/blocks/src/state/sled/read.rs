//! How rows are found in the tree: one with all its pieces, or those of an actor.
//!
//! All of it may wait for the disk; whether that is bearable is the caller's to say.

use bytes::{Bytes, BytesMut};
use odeon_runtime::store::{Error, Item, Page, Result, Scan};

use crate::embedded::unavailable;
use crate::state::keys;
use crate::state::row::{Body, Row, from_millis};

/// How often a reader begins again whose large value was replaced while it read.
const READ_TRIES: usize = 100;

/// What a point read found at first sight.
pub(super) enum Found {
    Nothing,
    Item(Item),
    /// A value in pieces, of this many bytes.
    Split(u64),
}

/// Reads a row, but not its pieces.
pub(super) fn glance(tree: &::sled::Tree, stored: &[u8], name: &str, now: u64) -> Result<Found> {
    let Some(bytes) = tree.get(stored).map_err(unavailable)? else { return Ok(Found::Nothing) };
    let row = decode(&bytes, name)?;
    Ok(match row.body {
        _ if !row.is_live(now) => Found::Nothing,
        Body::Whole(value) => Found::Item(item(&row, Bytes::copy_from_slice(value))),
        Body::Split(length) => Found::Split(length),
    })
}

fn decode<'a>(bytes: &'a [u8], name: &str) -> Result<Row<'a>> {
    Row::decode(bytes).map_err(|reason| Error::Corrupt { key: name.to_owned(), reason })
}

fn item(row: &Row<'_>, value: Bytes) -> Item {
    Item { value, etag: row.etag_text(), expires_at: row.due.and_then(from_millis) }
}

/// Reads a row with all its pieces.
pub(super) fn load(
    tree: &::sled::Tree,
    stored: &[u8],
    name: &str,
    now: u64,
) -> Result<Option<Item>> {
    for _ in 0..READ_TRIES {
        let Some(bytes) = tree.get(stored).map_err(unavailable)? else { return Ok(None) };
        let row = decode(&bytes, name)?;
        if !row.is_live(now) {
            return Ok(None);
        }
        match row.body {
            Body::Whole(value) => return Ok(Some(item(&row, Bytes::copy_from_slice(value)))),
            Body::Split(length) => {
                if let Some(value) = join(tree, row.etag, length)? {
                    return Ok(Some(item(&row, value)));
                }
            }
        }
        // A writer replaced the row between the two reads, or pieces of it are lost.
    }
    let reason = "pieces of its value are missing".to_owned();
    Err(Error::Corrupt { key: name.to_owned(), reason })
}

/// The value in pieces under an ETag; `None` when not all of it is there.
fn join(tree: &::sled::Tree, etag: [u8; 16], length: u64) -> Result<Option<Bytes>> {
    let mut value = BytesMut::new();
    for entry in tree.range(keys::piece(etag, 0)..=keys::piece(etag, u32::MAX)) {
        value.extend_from_slice(&entry.map_err(unavailable)?.1);
    }
    Ok((value.len() as u64 == length).then(|| value.freeze()))
}

/// Whether there is certainly nothing to list; looks at one row.
pub(super) fn is_empty(tree: &::sled::Tree, scan: &Scan) -> Result<bool> {
    let (prefix, mut rows) = rows_of(tree, scan);
    let first = rows.next().transpose().map_err(unavailable)?;
    Ok(first.is_none_or(|(stored, _)| !stored.starts_with(&prefix)))
}

/// What all keys begin with that are wanted, and the rows from the first of them on.
fn rows_of(tree: &::sled::Tree, scan: &Scan) -> (Vec<u8>, ::sled::Iter) {
    let prefix = keys::rows(&scan.scope, &scan.starts_with);
    let after = scan.after.as_ref().map(keys::encode).filter(|after| *after >= prefix);
    let rows = match &after {
        // The shortest key that follows it.
        Some(after) => tree.range([after.as_slice(), &[0]].concat()..),
        None => tree.range(prefix.as_slice()..),
    };
    (prefix, rows)
}

/// Lists keys of an actor, in order, with their values.
pub(super) fn list(tree: &::sled::Tree, scan: &Scan, now: u64) -> Result<Page> {
    let (prefix, rows) = rows_of(tree, scan);
    let mut items = Vec::new();
    let mut has_more = false;
    for entry in rows {
        let (stored, bytes) = entry.map_err(unavailable)?;
        if !stored.starts_with(&prefix) {
            break;
        }
        let corrupt = || Error::Corrupt {
            key: String::from_utf8_lossy(&stored).into_owned(),
            reason: "its key cannot be read".to_owned(),
        };
        let key = keys::decode(&stored).ok_or_else(corrupt)?;
        let row = decode(&bytes, key.name())?;
        if !row.is_live(now) {
            continue;
        }
        if items.len() == scan.limit {
            has_more = true;
            break;
        }
        let found = match row.body {
            Body::Whole(value) => Some(item(&row, Bytes::copy_from_slice(value))),
            // Gone only if it was removed this very moment.
            Body::Split(_) => load(tree, &stored, key.name(), now)?,
        };
        items.extend(found.map(|item| (key, item)));
    }
    let next = if has_more { items.last().map(|(key, _)| key.clone()) } else { None };
    Ok(Page { items, next })
}
