//! What is stored for one key by a store of our own.
//!
//! A row is a version byte, a byte of flags, the ETag's 16 bytes, the time of
//! expiry if it has one (milliseconds since 1970), then the value, or, for a
//! large one, its length: its pieces lie beside it, under its ETag. Numbers are big
//! endian. Reading accepts any bytes and never panics. Keys are in `keys`.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The version that is written; a row of another is refused.
const VERSION: u8 = 1;
/// Flag: the row expires.
const EXPIRES: u8 = 1;
/// Flag: the value is in pieces.
const SPLIT: u8 = 2;

/// Longest value that lies in its row, and length of the pieces of longer ones.
///
/// The engine keeps up to 17 rows in a page and writes a page of more than 128 KiB
/// to a file of its own: slow, and not synced by it. With this length a page
/// of ordinary keys stays below.
pub const PIECE_BYTES: usize = 4 * 1024;

/// A row, its value borrowed from the stored bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// Changes with every write; also names the pieces of a large value.
    pub etag: [u8; 16],
    /// When it vanishes, in milliseconds since 1970.
    pub due: Option<u64>,
    /// The value.
    pub body: Body<'a>,
}

/// Where a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// In the row.
    Whole(&'a [u8]),
    /// In pieces; this is its length.
    Split(u64),
}

impl<'a> Row<'a> {
    /// The stored form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let number;
        let (flag, tail) = match self.body {
            Body::Whole(value) => (0, value),
            Body::Split(length) => {
                number = length.to_be_bytes();
                (SPLIT, number.as_slice())
            }
        };
        let flags = flag | if self.due.is_some() { EXPIRES } else { 0 };
        let mut bytes = Vec::with_capacity(26 + tail.len());
        bytes.extend_from_slice(&[VERSION, flags]);
        bytes.extend_from_slice(&self.etag);
        if let Some(due) = self.due {
            bytes.extend_from_slice(&due.to_be_bytes());
        }
        bytes.extend_from_slice(tail);
        bytes
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, String> {
        let short = || format!("it has only {} bytes", bytes.len());
        let (&[version, flags], rest) = bytes.split_first_chunk::<2>().ok_or_else(short)?;
        if version != VERSION || flags & !(EXPIRES | SPLIT) != 0 {
            return Err(format!("it has version {version} and flags {flags:#04x}"));
        }
        let (etag, mut rest) = rest.split_first_chunk::<16>().ok_or_else(short)?;
        let mut due = None;
        if flags & EXPIRES != 0 {
            let (number, after) = rest.split_first_chunk::<8>().ok_or_else(short)?;
            (due, rest) = (Some(u64::from_be_bytes(*number)), after);
        }
        let body = if flags & SPLIT == 0 {
            Body::Whole(rest)
        } else {
            let number = <[u8; 8]>::try_from(rest).map_err(|_| short())?;
            Body::Split(u64::from_be_bytes(number))
        };
        Ok(Self { etag: *etag, due, body })
    }

    /// Whether it is still there at a time.
    #[must_use]
    pub fn is_live(&self, now: u64) -> bool {
        self.due.is_none_or(|due| now < due)
    }

    /// How many pieces the value is in.
    #[must_use]
    pub fn pieces(&self) -> u32 {
        match self.body {
            Body::Whole(_) => 0,
            // A length that cannot be is caught when the pieces are looked for.
            Body::Split(length) => {
                u32::try_from(length.div_ceil(PIECE_BYTES as u64)).unwrap_or(u32::MAX)
            }
        }
    }

    /// The ETag as callers see it.
    #[must_use]
    pub fn etag_text(&self) -> Arc<str> {
        let mut buffer = [0; uuid::fmt::Hyphenated::LENGTH];
        Arc::from(&*uuid::Uuid::from_bytes(self.etag).hyphenated().encode_lower(&mut buffer))
    }

    /// Whether this is the ETag that a caller shows.
    #[must_use]
    pub fn has_etag(&self, shown: &str) -> bool {
        let mut buffer = [0; uuid::fmt::Hyphenated::LENGTH];
        *uuid::Uuid::from_bytes(self.etag).hyphenated().encode_lower(&mut buffer) == *shown
    }
}

/// A time as it is stored: whole milliseconds since 1970, times before that as 0.
#[must_use]
pub fn to_millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A stored time as callers see it.
#[must_use]
pub fn from_millis(millis: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_come_back_as_they_were(
            etag: [u8; 16], due: Option<u64>, value: Vec<u8>, split: Option<u64>
        ) {
            let body = split.map_or(Body::Whole(&value), Body::Split);
            let row = Row { etag, due, body };
            let bytes = row.encode();
            prop_assert_eq!(Row::decode(&bytes), Ok(row));
            prop_assert!(row.has_etag(&row.etag_text()));
        }

        #[test]
        fn arbitrary_bytes_never_panic(
            version in 0_u8..3, flags in 0_u8..6, rest in proptest::collection::vec(any::<u8>(), 0..40)
        ) {
            let bytes = [vec![version, flags], rest].concat();
            for end in 0..=bytes.len() {
                if let Ok(row) = Row::decode(&bytes[..end]) {
                    prop_assert_eq!(row.encode(), &bytes[..end]);
                    let _ = (row.pieces(), row.is_live(0), row.due.map(from_millis));
                }
            }
        }
    }
}
