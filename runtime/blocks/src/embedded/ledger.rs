//! A small durable map beside the rows of state stores: for records that must be
//! on disk before they are used, such as placement's term and roster.
//!
//! Trees are named; keys and values are bytes whose meaning is their owner's. Not
//! for many or large values: all of a tree is listed at once.

use bytes::Bytes;
use odeon_runtime::store::{Error, Result};

use super::db::EmbeddedDb;
use super::fault::unavailable;

/// First byte of a ledger's keys; state stores use lower ones.
const LEDGER: u8 = 16;
/// Longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Longest name of a tree, and longest key, in bytes.
pub const NAME_BYTES_MAX: usize = 1_024;

impl EmbeddedDb {
    /// The value of a key in a tree; what it returns is on disk.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database is closed or cannot be read.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn read(&self, tree: &str, key: &[u8]) -> Result<Option<Bytes>> {
        let full = encode(tree, key)?;
        let value = self.look(|rows| rows.get(&full).map_err(unavailable))?;
        self.settle(self.seen(&full)).await?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    /// Writes a value; on disk when it returns.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the tree's name, the key or the value is too long;
    /// [`Error::Unavailable`] when nothing was written; [`Error::Unknown`].
    ///
    /// # Cancel safety
    /// The outcome is unknown if the future is dropped.
    pub async fn put(&self, tree: &str, key: &[u8], value: &[u8]) -> Result<()> {
        self.write(tree, &[(key, Some(value))]).await
    }

    /// Writes (`Some`) and removes (`None`) several keys of a tree, all or none.
    ///
    /// # Errors
    /// As [`EmbeddedDb::put`].
    ///
    /// # Cancel safety
    /// As [`EmbeddedDb::put`].
    pub async fn write(&self, tree: &str, entries: &[(&[u8], Option<&[u8]>)]) -> Result<()> {
        let mut writes = Vec::with_capacity(entries.len());
        let mut bytes = 0;
        for (key, value) in entries {
            if value.is_some_and(|value| value.len() > VALUE_BYTES_MAX) {
                return Err(too_long("value", VALUE_BYTES_MAX));
            }
            bytes += value.map_or(0, <[u8]>::len);
            writes.push((encode(tree, key)?, value.map(<[u8]>::to_vec)));
        }
        self.commit(bytes, move |view| {
            for (key, value) in writes {
                match value {
                    Some(value) => view.put(key, value),
                    None => view.remove(key),
                }
            }
            Ok(())
        })
        .await
    }

    /// All keys and values of a tree, in byte order of the keys.
    ///
    /// # Errors
    /// As [`EmbeddedDb::read`].
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn list(&self, tree: &str) -> Result<Vec<(Bytes, Bytes)>> {
        let prefix = encode(tree, b"")?;
        let entries = self.look(|rows| {
            rows.scan_prefix(&prefix)
                .map(|entry| {
                    let (key, value) = entry.map_err(unavailable)?;
                    let key = key.get(prefix.len()..).unwrap_or_default();
                    Ok((Bytes::copy_from_slice(key), Bytes::copy_from_slice(&value)))
                })
                .collect::<Result<Vec<_>>>()
        })?;
        self.settle(self.seen_all()).await?;
        Ok(entries)
    }
}

fn encode(tree: &str, key: &[u8]) -> Result<Vec<u8>> {
    if tree.len() > NAME_BYTES_MAX || key.len() > NAME_BYTES_MAX {
        return Err(too_long("key", NAME_BYTES_MAX));
    }
    let length = u16::try_from(tree.len()).map_err(|_| too_long("key", NAME_BYTES_MAX))?;
    let mut bytes = Vec::with_capacity(3 + tree.len() + key.len());
    bytes.push(LEDGER);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(tree.as_bytes());
    bytes.extend_from_slice(key);
    Ok(bytes)
}

fn too_long(what: &'static str, max: usize) -> Error {
    Error::Invalid { reason: format!("a ledger's {what} is longer than {max} bytes") }
}
