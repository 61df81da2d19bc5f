//! What a call that may run only once leaves with the actor's state (RT-4). Pure, but for
//! the turns that are told apart.
//!
//! A call that carries an idempotency key leaves a record under a key of the runtime's own, in the
//! same commit as what its turn wrote: its answer, or that it has begun to commit. A repeat
//! is answered from it. When the record is read and written is `keyed.rs`'s.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use odeon_base::{ActorId, IdempotencyKey};
use tokio::sync::Notify;

use crate::invocation::{Headers, Reply};
use crate::sync::{Mutex, lock};

/// First part of the keys under which a store keeps the records; no user's keys.
pub const ONCE_PREFIX: &str = "__once/";
/// Largest answer that is kept, headers included, in bytes; of a larger one it is only known
/// that it was given.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;
/// The form of the record; another one is of a later release.
const VERSION: u8 = 1;
const BEGUN: u8 = 0;
const ANSWERED: u8 = 1;
const APP_ERROR: u8 = 2;

/// What is known of a call that came before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Record {
    /// It began to commit; its answer was not kept, or not yet.
    Begun,
    /// It was answered so.
    Answered(Reply),
}

impl Record {
    /// The record of a call that was answered so; too large an answer is not kept.
    fn of(reply: Option<&Reply>) -> Bytes {
        let size = |reply: &Reply| {
            let headers = reply.headers.iter().map(|(name, value)| name.len() + value.len());
            reply.body.len() + headers.sum::<usize>()
        };
        let Some(reply) = reply.filter(|reply| size(reply) <= ANSWER_BYTES_MAX) else {
            return Bytes::from_static(&[VERSION, BEGUN]);
        };
        let mut record = BytesMut::with_capacity(64 + size(reply));
        record.put_u8(VERSION);
        record.put_u8(ANSWERED | if reply.is_app_error { APP_ERROR } else { 0 });
        put_length(&mut record, reply.headers.iter().count());
        for text in reply.headers.iter().flat_map(|(name, value)| [name, value]) {
            put_length(&mut record, text.len());
            record.put_slice(text.as_bytes());
        }
        record.put_slice(&reply.body);
        record.freeze()
    }

    /// Reads a record.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(mut record: Bytes) -> Result<Self, &'static str> {
        let short = "it ends too early";
        if record.remaining() < 2 {
            return Err(short);
        }
        if record.get_u8() != VERSION {
            return Err("it is of another release");
        }
        let flags = record.get_u8();
        if flags == BEGUN {
            return Ok(Self::Begun);
        }
        let text = |record: &mut Bytes| {
            let length = get_length(record).ok_or(short)?;
            if record.remaining() < length {
                return Err(short);
            }
            String::from_utf8(record.split_to(length).into()).map_err(|_| "a header is not UTF-8")
        };
        let mut headers = Headers::new();
        for _ in 0..get_length(&mut record).ok_or(short)? {
            let name = text(&mut record)?;
            headers.push(name, text(&mut record)?);
        }
        let is_app_error = flags & APP_ERROR != 0;
        Ok(Self::Answered(Reply { body: record, headers, is_app_error, ..Reply::default() }))
    }
}

fn put_length(record: &mut BytesMut, length: usize) {
    // No answer that is kept is longer than `ANSWER_BYTES_MAX`.
    record.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
}

fn get_length(record: &mut Bytes) -> Option<usize> {
    (record.remaining() >= 4).then(|| record.get_u32() as usize)
}

/// How far a turn is.
#[derive(Debug, Default)]
struct Progress {
    /// What it will answer, if that is known before it commits.
    answer: Option<Reply>,
    /// What the store has of it.
    stored: Stored,
}

/// What the store has of a turn.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stored {
    /// Nothing.
    #[default]
    Nothing,
    /// That it has begun to commit.
    Begun,
    /// Its answer, or that there was one.
    Answered,
}

/// One turn of a call that carries a key.
#[derive(Debug)]
pub(crate) struct Once {
    /// No two keys have the same.
    name: Arc<str>,
    ttl: Duration,
    progress: Mutex<Progress>,
    ended: Notify,
}

impl Once {
    pub(crate) fn new(key: &IdempotencyKey, ttl: Duration) -> Self {
        // A bar would end the name in stores that join names by bars.
        let escaped = key.as_str().replace('%', "%25").replace('|', "%7C");
        let name = format!("{ONCE_PREFIX}{escaped}").into();
        let progress = Mutex::new(Progress::default());
        Self { name, ttl, progress, ended: Notify::new() }
    }

    /// Where its record is kept.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// For how long its record is kept.
    pub(crate) fn ttl(&self) -> Duration {
        self.ttl
    }

    /// The turn is about to commit, and will answer so.
    pub(crate) fn will_answer(&self, reply: Reply) {
        lock(&self.progress).answer = Some(reply);
    }

    /// What a commit now has to say of it, and what the store has of it then.
    pub(crate) fn record(&self) -> (Bytes, Stored) {
        let progress = lock(&self.progress);
        let record = Record::of(progress.answer.as_ref());
        let stored = if progress.answer.is_some() { Stored::Answered } else { Stored::Begun };
        (record, stored.max(progress.stored))
    }

    /// A commit has said so.
    pub(crate) fn is_stored(&self, stored: Stored) {
        let mut progress = lock(&self.progress);
        progress.stored = progress.stored.max(stored);
    }

    /// What the store has of it.
    pub(crate) fn stored(&self) -> Stored {
        lock(&self.progress).stored
    }
}

/// The turns under way of one type's calls with keys.
#[derive(Debug, Default)]
pub(crate) struct KeyedTurns {
    turns: Mutex<HashMap<ActorId, Vec<Arc<Once>>>>,
}

/// A turn's place among them; left on drop.
#[derive(Debug)]
pub(crate) struct Seat<'a> {
    all: &'a KeyedTurns,
    id: &'a ActorId,
    once: Arc<Once>,
}

impl KeyedTurns {
    /// Takes a place for a turn, once no other of its key is under way.
    pub(crate) async fn enter<'a>(&'a self, id: &'a ActorId, once: Arc<Once>) -> Seat<'a> {
        loop {
            let earlier = {
                let mut turns = lock(&self.turns);
                let of_actor = turns.entry(id.clone()).or_default();
                match of_actor.iter().find(|other| other.name == once.name) {
                    Some(earlier) => Arc::clone(earlier),
                    None => {
                        of_actor.push(Arc::clone(&once));
                        return Seat { all: self, id, once };
                    }
                }
            };
            let mut ended = std::pin::pin!(earlier.ended.notified());
            ended.as_mut().enable();
            if self.holds(id, &earlier) {
                ended.await;
            }
        }
    }

    fn holds(&self, id: &ActorId, once: &Arc<Once>) -> bool {
        let turns = lock(&self.turns);
        turns.get(id).is_some_and(|all| all.iter().any(|other| Arc::ptr_eq(other, once)))
    }

    /// Whether a turn of this key is under way.
    pub(crate) fn is_under_way(&self, id: &ActorId, once: &Once) -> bool {
        self.of(id).iter().any(|other| other.name == once.name)
    }

    /// The turns of an actor that are under way.
    pub(crate) fn of(&self, id: &ActorId) -> Vec<Arc<Once>> {
        lock(&self.turns).get(id).cloned().unwrap_or_default()
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut turns = lock(&self.all.turns);
        if let Some(of_actor) = turns.get_mut(self.id) {
            of_actor.retain(|other| !Arc::ptr_eq(other, &self.once));
            if of_actor.is_empty() {
                turns.remove(self.id);
            }
        }
        drop(turns);
        self.once.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(bytes: usize) -> Reply {
        let mut headers = Headers::new();
        headers.push("content-type", "text/plain");
        headers.push("x", "");
        Reply { body: vec![7; bytes].into(), headers, is_app_error: true, ..Reply::default() }
    }

    #[test]
    fn an_answer_comes_back_as_it_was() {
        let small = reply(300);
        assert_eq!(Record::read(Record::of(Some(&small))), Ok(Record::Answered(small)));
        let plain = Reply { body: "x".into(), ..Reply::default() };
        assert_eq!(Record::read(Record::of(Some(&plain))), Ok(Record::Answered(plain)));
        assert_eq!(Record::read(Record::of(None)), Ok(Record::Begun));
    }

    #[test]
    fn too_large_an_answer_is_not_kept() {
        let headers = "content-type".len() + "text/plain".len() + 1;
        let kept = reply(ANSWER_BYTES_MAX - headers);
        assert!(matches!(Record::read(Record::of(Some(&kept))), Ok(Record::Answered(_))));
        let large = reply(ANSWER_BYTES_MAX - headers + 1);
        assert_eq!(Record::read(Record::of(Some(&large))), Ok(Record::Begun));
    }

    #[test]
    fn what_is_cut_short_is_noticed() {
        let whole = Record::of(Some(&reply(0)));
        for length in 0..whole.len() {
            let read = Record::read(whole.slice(..length));
            assert!(read.is_err(), "{length}: {read:?}");
        }
        assert!(Record::read(Bytes::from_static(&[9, 0])).is_err());
    }

    #[test]
    fn the_stored_form_of_a_key_has_no_bar() {
        let key = IdempotencyKey::parse("a||b%7C").unwrap();
        assert_eq!(&*Once::new(&key, Duration::ZERO).name, "__once/a%7C%7Cb%257C");
    }

    #[tokio::test(start_paused = true)]
    async fn turns_of_one_key_follow_one_another() {
        let all = KeyedTurns::default();
        let (id, other) = (ActorId::parse("a").unwrap(), ActorId::parse("b").unwrap());
        let once = |key: &str| {
            Arc::new(Once::new(&IdempotencyKey::parse(key).unwrap(), Duration::from_secs(1)))
        };
        let first = all.enter(&id, once("k")).await;
        let mut second = std::pin::pin!(all.enter(&id, once("k")));
        assert!(futures::poll!(second.as_mut()).is_pending());
        let elsewhere = (all.enter(&other, once("k")).await, all.enter(&id, once("l")).await);
        assert_eq!((all.of(&id).len(), all.of(&other).len()), (2, 1));
        drop(first);
        drop(second.await);
        drop(elsewhere);
        assert!(all.of(&id).is_empty() && lock(&all.turns).is_empty());
    }
}
