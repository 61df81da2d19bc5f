//! What one operation of a transaction does to the tree, decided on the committer's
//! thread; and the removal of what has expired.
//!
//! A row, its pieces and its entry in the index of expiries come and go together.
//! What can be done before, such as encoding, is done where the operation is made.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::sled::IVec;
use odeon_base::Fence;
use odeon_runtime::store::{Condition, Error, Expiry, Op, Result};

use crate::embedded::{Glance, View};
use crate::state::keys;
use crate::state::row::{Body, PIECE_BYTES, Row};

/// Most expired rows that one write removes on its way.
const SWEEP_MAX: usize = 64;

/// One operation, ready for the committer: it makes and frees as little as it can.
pub(super) struct Write {
    glance: Glance,
    condition: Condition,
    outcome: Outcome,
    old: Option<Old>,
}

enum Outcome {
    /// The new row, and what lies beside it.
    Put {
        row: IVec,
        beside: Vec<(IVec, IVec)>,
    },
    Remove,
    /// A later operation of the transaction is about the same key; only the condition counts.
    Overwritten,
}

/// What of a row that goes has to go with it.
struct Old {
    etag: [u8; 16],
    pieces: u32,
    due: Option<u64>,
}

impl Write {
    /// Makes a write of an operation at whose key its caller has glanced.
    ///
    /// `is_last` unless a later operation of the transaction is about the same key;
    /// `now` is where an expiry begins.
    pub(super) fn new(op: Op, glance: Glance, etag: [u8; 16], is_last: bool, now: u64) -> Self {
        let (condition, outcome) = match op {
            Op::Upsert { condition, .. } if !is_last => (condition, Outcome::Overwritten),
            Op::Upsert { value, condition, expiry, .. } => {
                let due = match expiry {
                    Expiry::Never => None,
                    Expiry::After(time) => {
                        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                        Some(now.saturating_add(millis))
                    }
                };
                (condition, put(glance.key(), etag, due, &value))
            }
            Op::Delete { condition, .. } => {
                let condition = match condition {
                    Condition::Absent => Condition::None,
                    other @ (Condition::None | Condition::ETag(_)) => other,
                };
                (condition, if is_last { Outcome::Remove } else { Outcome::Overwritten })
            }
        };
        Self { glance, condition, outcome, old: None }
    }

    /// Roughly what it writes.
    pub(super) fn bytes(&self) -> usize {
        let value = match &self.outcome {
            Outcome::Put { row, beside } => {
                row.len() + beside.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>()
            }
            Outcome::Remove | Outcome::Overwritten => 0,
        };
        self.glance.key().len() + value
    }

    /// Checks the condition, and notes what the write will replace.
    pub(super) fn check(&mut self, view: &View<'_>, now: u64) -> Result<()> {
        let bytes = view.recall(&self.glance)?;
        let row = match bytes.as_deref().map(Row::decode) {
            Some(Ok(row)) => Some(row),
            // Overwriting heals a row that cannot be read.
            Some(Err(_)) if self.condition == Condition::None => None,
            Some(Err(reason)) => return Err(Error::Corrupt { key: self.name(), reason }),
            None => None,
        };
        let live = row.filter(|row| row.is_live(now));
        let is_met = match &self.condition {
            Condition::None => true,
            Condition::Absent => live.is_none(),
            Condition::ETag(etag) => live.is_some_and(|row| row.has_etag(etag)),
        };
        self.old = row.map(|row| Old { etag: row.etag, pieces: row.pieces(), due: row.due });
        if is_met { Ok(()) } else { Err(Error::ETagMismatch { key: self.name() }) }
    }

    /// Lays down the write and the removal of what it replaces.
    pub(super) fn lay_down(self, view: &mut View<'_>) {
        let stored = self.glance.key();
        if let (Some(old), Outcome::Put { .. } | Outcome::Remove) = (self.old, &self.outcome) {
            remove_beside(view, stored, &old);
        }
        match self.outcome {
            Outcome::Put { row, beside } => {
                for (key, value) in beside {
                    view.put(key, value);
                }
                touch_actor(view, stored);
                view.put(stored, row);
            }
            Outcome::Remove => {
                touch_actor(view, stored);
                view.remove(stored);
            }
            Outcome::Overwritten => {}
        }
    }

    /// What the caller calls the key.
    fn name(&self) -> String {
        keys::decode(self.glance.key()).map(|key| key.name().to_owned()).unwrap_or_default()
    }
}

fn put(stored: &[u8], etag: [u8; 16], due: Option<u64>, value: &[u8]) -> Outcome {
    let mut beside = Vec::new();
    let body = if value.len() <= PIECE_BYTES {
        Body::Whole(value)
    } else {
        let pieces = (0..).zip(value.chunks(PIECE_BYTES));
        beside.extend(pieces.map(|(index, piece)| (keys::piece(etag, index).into(), piece.into())));
        Body::Split(value.len() as u64)
    };
    if let Some(due) = due {
        beside.push((keys::expiry(due, stored).into(), (&[]).into()));
    }
    Outcome::Put { row: Row { etag, due, body }.encode().into(), beside }
}

/// Has scans of the row's actor wait for this change, and those of others not.
fn touch_actor(view: &mut View<'_>, stored: &[u8]) {
    if let Some(rows) = keys::rows_of(stored) {
        view.touch(rows);
    }
}

/// Removes what lies beside a row that goes.
fn remove_beside(view: &mut View<'_>, stored: &[u8], old: &Old) {
    for index in 0..old.pieces {
        view.remove(keys::piece(old.etag, index));
    }
    if let Some(due) = old.due {
        view.remove(keys::expiry(due, stored));
    }
}

/// Removes expired rows, a few at a time, along with writes: a store that is not
/// written does not grow.
#[derive(Debug)]
pub(super) struct Sweeper {
    interval: u64,
    next: AtomicU64,
}

impl Sweeper {
    pub(super) fn new(interval: Duration) -> Self {
        let interval = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        Self { interval, next: AtomicU64::new(0) }
    }

    /// Removes a few rows that have expired, if it is time to.
    pub(super) fn sweep(&self, view: &mut View<'_>, now: u64) -> Result<()> {
        // Only the committer's thread comes here.
        if now < self.next.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (from, to) = (keys::expiry(0, &[]), keys::expiry(now.saturating_add(1), &[]));
        let entries = view.keys(&from, &to, SWEEP_MAX)?;
        if entries.len() < SWEEP_MAX {
            self.next.store(now.saturating_add(self.interval), Ordering::Relaxed);
        }
        for entry in entries {
            let Some((due, stored)) = keys::decode_expiry(&entry) else { continue };
            let bytes = view.get(stored)?;
            // A row that was written anew has an entry of its own, and this one is left over.
            match bytes.as_deref().map(Row::decode) {
                Some(Ok(row)) if row.due == Some(due) => {
                    let old = Old { etag: row.etag, pieces: row.pieces(), due: row.due };
                    remove_beside(view, stored, &old);
                    touch_actor(view, stored);
                    view.remove(stored);
                }
                _ => {}
            }
            view.remove(entry);
        }
        Ok(())
    }
}

/// Reads a stored fence.
pub(super) fn decode_fence(bytes: Option<&[u8]>) -> Result<Option<Fence>> {
    let Some(bytes) = bytes else { return Ok(None) };
    let fence = Fence::from_bytes(bytes).ok_or_else(|| Error::Corrupt {
        key: keys::FENCE_NAME.to_owned(),
        reason: format!("a fence has 24 bytes, not {}", bytes.len()),
    })?;
    Ok(Some(fence))
}
