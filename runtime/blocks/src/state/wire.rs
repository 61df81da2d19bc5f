//! Questions to a store and its answers as bytes, for the way between two hosts.
//!
//! Lossless, and quick to make: fences, etags and binary values travel as they are, which
//! JSON (`request`) could not do. Each message begins with the version of this form; a
//! message of another one is refused by name. Nothing here asks a store.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{BufMut, Bytes, BytesMut};
use odeon_base::Fence;
use odeon_runtime::store::{
    ActorScope, Condition, Error, Expiry, Item, Key, Op, Page, Result as Stored, Scan, Transaction,
};

use super::ask::{Answer, Ask};

/// The version of this form that is written, and the only one that is read.
pub const VERSION: u8 = 1;

/// Most operations, keys or items in one message.
pub const COUNT_MAX: u32 = 100_000;

/// Bytes that say nothing in this form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// They are of another version.
    #[error("the message is of version {found}, and this release speaks version {VERSION}")]
    Version {
        /// Its version.
        found: u8,
    },
    /// They end too early, or go on after the end.
    #[error("the message has the wrong length")]
    Length,
    /// Something in them means nothing.
    #[error("the message holds no {expected} where one was expected")]
    Value {
        /// What should stand there.
        expected: &'static str,
    },
}

/// The bytes of a question.
#[must_use]
pub fn ask_to_bytes(ask: &Ask) -> Bytes {
    let mut out = Writer::new();
    let _ = match ask {
        Ask::Get(key) => out.tag(0).key(key),
        Ask::BulkGet(keys) => keys.iter().fold(out.tag(1).count(keys.len()), Writer::key),
        Ask::Transact(Transaction { fence, ops }) => {
            out.tag(2).maybe(fence.as_ref(), |out, (scope, fence)| out.scope(scope).fence(*fence));
            ops.iter().fold(out.count(ops.len()), Writer::op)
        }
        Ask::Claim(scope, fence) => out.tag(3).scope(scope).fence(*fence),
        Ask::List(Scan { scope, starts_with, after, limit }) => out
            .tag(4)
            .scope(scope)
            .text(starts_with)
            .maybe(after.as_ref(), Writer::key)
            .count(*limit),
    };
    out.0.freeze()
}

/// The question that these bytes hold; values are not copied out of them.
///
/// # Errors
/// [`Malformed`]; no bytes make this panic.
pub fn ask_from_bytes(bytes: &Bytes) -> Result<Ask, Malformed> {
    let mut from = Reader::open(bytes)?;
    let ask = match from.tag()? {
        0 => Ask::Get(from.key()?),
        1 => Ask::BulkGet(from.list(Reader::key)?),
        2 => {
            let fence = from.maybe(|from| Ok((from.scope()?, from.fence()?)))?;
            Ask::Transact(Transaction { fence, ops: from.list(Reader::op)? })
        }
        3 => Ask::Claim(from.scope()?, from.fence()?),
        4 => Ask::List(Scan {
            scope: from.scope()?,
            starts_with: from.text()?,
            after: from.maybe(Reader::key)?,
            limit: from.u32()? as usize,
        }),
        _ => return Err(Malformed::Value { expected: "question" }),
    };
    from.close(ask)
}

/// The bytes of what came of a question.
#[must_use]
pub fn answer_to_bytes(answer: &Stored<Answer>) -> Bytes {
    let mut out = Writer::new();
    let _ = match answer {
        Ok(Answer::Item(item)) => out.tag(0).maybe(item.as_ref(), Writer::item),
        Ok(Answer::Items(items)) => {
            let out = out.tag(1).count(items.len());
            items.iter().fold(out, |out, item| out.maybe(item.as_ref(), Writer::item))
        }
        Ok(Answer::Done) => out.tag(2),
        Ok(Answer::Page(Page { items, next })) => {
            let out = out.tag(3).maybe(next.as_ref(), Writer::key).count(items.len());
            items.iter().fold(out, |out, (key, item)| out.key(key).item(item))
        }
        Err(error) => out.tag(4).error(error),
    };
    out.0.freeze()
}

/// What came of a question, out of these bytes; values are not copied out of them.
///
/// # Errors
/// [`Malformed`]; no bytes make this panic.
pub fn answer_from_bytes(bytes: &Bytes) -> Result<Stored<Answer>, Malformed> {
    let mut from = Reader::open(bytes)?;
    let answer = match from.tag()? {
        0 => Ok(Answer::Item(from.maybe(Reader::item)?)),
        1 => Ok(Answer::Items(from.list(|from| from.maybe(Reader::item))?)),
        2 => Ok(Answer::Done),
        3 => {
            let next = from.maybe(Reader::key)?;
            let items = from.list(|from| Ok((from.key()?, from.item()?)))?;
            Ok(Answer::Page(Page { items, next }))
        }
        4 => Err(from.error()?),
        _ => return Err(Malformed::Value { expected: "answer" }),
    };
    from.close(answer)
}

/// What stores say they do not support, in words that live as long as the program.
fn unsupported(what: &str) -> &'static str {
    match what {
        "etags" => "etags",
        "transactions" => "transactions",
        "expiry" => "expiry",
        "scans" => "scans",
        "fences" => "fences",
        _ => "what was asked",
    }
}

struct Writer(BytesMut);

impl Writer {
    fn new() -> Self {
        let mut out = BytesMut::with_capacity(128);
        out.put_u8(VERSION);
        Self(out)
    }

    fn tag(&mut self, tag: u8) -> &mut Self {
        self.0.put_u8(tag);
        self
    }

    fn count(&mut self, count: usize) -> &mut Self {
        // Lengths and counts are bounded far below this.
        self.0.put_u32(u32::try_from(count).unwrap_or(u32::MAX));
        self
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len());
        self.0.put_slice(bytes);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    fn maybe<T>(
        &mut self,
        value: Option<T>,
        put: impl FnOnce(&mut Self, T) -> &mut Self,
    ) -> &mut Self {
        match value {
            None => self.tag(0),
            Some(value) => put(self.tag(1), value),
        }
    }

    fn time(&mut self, time: Duration) -> &mut Self {
        self.0.put_u64(time.as_secs());
        self.0.put_u32(time.subsec_nanos());
        self
    }

    fn fence(&mut self, fence: Fence) -> &mut Self {
        self.0.put_slice(&fence.to_bytes());
        self
    }

    fn scope(&mut self, scope: &ActorScope) -> &mut Self {
        self.text(&scope.prefix).text(&scope.actor_type).text(&scope.actor_id)
    }

    fn key(&mut self, key: &Key) -> &mut Self {
        match key {
            Key::Plain(name) => self.tag(0).text(name),
            Key::Actor(scope, name) => self.tag(1).scope(scope).text(name),
        }
    }

    fn item(&mut self, item: &Item) -> &mut Self {
        let Item { value, etag, expires_at } = item;
        // What expired before the calendar's beginning has expired all the same.
        let since = |at: &SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.bytes(value).text(etag).maybe(expires_at.as_ref().map(since), Self::time)
    }

    fn op(&mut self, op: &Op) -> &mut Self {
        match op {
            Op::Upsert { key, value, condition, expiry } => {
                let time = match expiry {
                    Expiry::Never => None,
                    Expiry::After(time) => Some(*time),
                };
                self.tag(0).key(key).bytes(value).condition(condition).maybe(time, Self::time)
            }
            Op::Delete { key, condition } => self.tag(1).key(key).condition(condition),
        }
    }

    fn condition(&mut self, condition: &Condition) -> &mut Self {
        match condition {
            Condition::None => self.tag(0),
            Condition::Absent => self.tag(1),
            Condition::ETag(etag) => self.tag(2).text(etag),
        }
    }

    fn error(&mut self, error: &Error) -> &mut Self {
        match error {
            Error::ETagMismatch { key } => self.tag(0).text(key),
            Error::ETagInvalid { key, etag } => self.tag(1).text(key).text(etag),
            Error::Fenced { held, shown } => self.tag(2).maybe(*held, Self::fence).fence(*shown),
            Error::Unsupported { what } => self.tag(3).text(what),
            Error::Unavailable { reason } => self.tag(4).text(reason),
            Error::Unknown { reason } => self.tag(5).text(reason),
            Error::Corrupt { key, reason } => self.tag(6).text(key).text(reason),
            Error::Invalid { reason } => self.tag(7).text(reason),
        }
    }
}

struct Reader(Bytes);

impl Reader {
    fn open(bytes: &Bytes) -> Result<Self, Malformed> {
        let mut from = Self(bytes.clone());
        match from.tag()? {
            VERSION => Ok(from),
            found => Err(Malformed::Version { found }),
        }
    }

    fn close<T>(self, read: T) -> Result<T, Malformed> {
        if self.0.is_empty() { Ok(read) } else { Err(Malformed::Length) }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let taken = *self.0.first_chunk::<N>().ok_or(Malformed::Length)?;
        let _ = self.0.split_to(N);
        Ok(taken)
    }

    fn tag(&mut self) -> Result<u8, Malformed> {
        self.take::<1>().map(|[tag]| tag)
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.take().map(u32::from_be_bytes)
    }

    fn bytes(&mut self) -> Result<Bytes, Malformed> {
        let len = self.u32()? as usize;
        if len > self.0.len() {
            return Err(Malformed::Length);
        }
        Ok(self.0.split_to(len))
    }

    fn text<T: for<'a> From<&'a str>>(&mut self) -> Result<T, Malformed> {
        let bytes = self.bytes()?;
        let text = std::str::from_utf8(&bytes);
        text.map(T::from).map_err(|_| Malformed::Value { expected: "text" })
    }

    fn maybe<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        match self.tag()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(Malformed::Value { expected: "flag" }),
        }
    }

    fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.u32()?;
        if count > COUNT_MAX {
            return Err(Malformed::Value { expected: "count of at most 100000" });
        }
        // The count comes from outside, so nothing is allocated on its word alone.
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(read(self)?);
        }
        Ok(list)
    }

    fn time(&mut self) -> Result<Duration, Malformed> {
        let seconds = self.take().map(u64::from_be_bytes)?;
        match self.u32()? {
            nanos if nanos < 1_000_000_000 => Ok(Duration::new(seconds, nanos)),
            _ => Err(Malformed::Value { expected: "time" }),
        }
    }

    fn fence(&mut self) -> Result<Fence, Malformed> {
        Fence::from_bytes(&self.take::<24>()?).ok_or(Malformed::Value { expected: "fence" })
    }

    fn scope(&mut self) -> Result<ActorScope, Malformed> {
        let (prefix, actor_type, actor_id) = (self.text()?, self.text()?, self.text()?);
        Ok(ActorScope { prefix, actor_type, actor_id })
    }

    fn key(&mut self) -> Result<Key, Malformed> {
        match self.tag()? {
            0 => Ok(Key::Plain(self.text()?)),
            1 => Ok(Key::Actor(self.scope()?, self.text()?)),
            _ => Err(Malformed::Value { expected: "key" }),
        }
    }

    fn item(&mut self) -> Result<Item, Malformed> {
        let (value, etag) = (self.bytes()?, self.text::<Arc<str>>()?);
        let expires_at = match self.maybe(Self::time)? {
            None => None,
            Some(since) => {
                let at = SystemTime::UNIX_EPOCH.checked_add(since);
                Some(at.ok_or(Malformed::Value { expected: "date" })?)
            }
        };
        Ok(Item { value, etag, expires_at })
    }

    fn op(&mut self) -> Result<Op, Malformed> {
        match self.tag()? {
            0 => {
                let (key, value, condition) = (self.key()?, self.bytes()?, self.condition()?);
                let expiry = self.maybe(Self::time)?.map_or(Expiry::Never, Expiry::After);
                Ok(Op::Upsert { key, value, condition, expiry })
            }
            1 => Ok(Op::Delete { key: self.key()?, condition: self.condition()? }),
            _ => Err(Malformed::Value { expected: "operation" }),
        }
    }

    fn condition(&mut self) -> Result<Condition, Malformed> {
        match self.tag()? {
            0 => Ok(Condition::None),
            1 => Ok(Condition::Absent),
            2 => Ok(Condition::ETag(self.text()?)),
            _ => Err(Malformed::Value { expected: "condition" }),
        }
    }

    fn error(&mut self) -> Result<Error, Malformed> {
        Ok(match self.tag()? {
            0 => Error::ETagMismatch { key: self.text()? },
            1 => Error::ETagInvalid { key: self.text()?, etag: self.text()? },
            2 => Error::Fenced { held: self.maybe(Self::fence)?, shown: self.fence()? },
            3 => Error::Unsupported { what: unsupported(&self.text::<String>()?) },
            4 => Error::Unavailable { reason: self.text()? },
            5 => Error::Unknown { reason: self.text()? },
            6 => Error::Corrupt { key: self.text()?, reason: self.text()? },
            7 => Error::Invalid { reason: self.text()? },
            _ => return Err(Malformed::Value { expected: "error" }),
        })
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
