//! What waits in a partition's inbox, in bytes: effects of turns, as the commit of their actor
//! stored them.
//!
//! The key says whose and which: `out/call/<type>/<id>/<fence>/<number>`, and `out/rem/…` for
//! reminders, so that no call that waits holds up a reminder; byte order is the order in which
//! the actor emitted them. The value is a version, a kind and its fields, texts with their
//! lengths in front. Reading accepts any bytes and never panics; what cannot be read concerns
//! nobody but itself (REM-13).

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use odeon_base::Fence;
use odeon_base::ident::ring_hash;
use odeon_runtime::effect::Emitted;
use odeon_runtime::schedule::ReminderPlan;
use odeon_runtime::{ActorRef, Effect, Headers};

use super::name::Name;
use super::row::Row;

/// What the keys of calls begin with.
pub const CALLS: &str = "out/call/";
/// What the keys of reminders begin with.
pub(super) const REMINDERS: &str = "out/rem/";

/// What the keys of reminders of a type begin with, or of one of its actors.
pub(super) fn reminders_of(actor_type: &str, id: Option<&str>) -> String {
    match id {
        None => format!("{REMINDERS}{actor_type}/"),
        Some(id) => format!("{REMINDERS}{actor_type}/{id}/"),
    }
}

/// The version that is written; a value of another is refused.
const VERSION: u8 = 1;
const DROP: u8 = 0;
const SET: u8 = 1;
const SET_UNLESS_THERE: u8 = 2;
const CALL: u8 = 3;
/// A call with headers, that was stored by itself.
const KEPT: u8 = 4;

/// A call that waits for its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Who is called.
    pub actor: ActorRef,
    /// The method, cleaned.
    pub method: Arc<str>,
    /// By what the receiver tells a repeat; empty if one is yet to be made.
    pub id: Arc<str>,
    /// What goes to the application beside the argument, if the caller said so.
    pub headers: Option<Headers>,
    /// The argument.
    pub body: Bytes,
}

impl Letter {
    /// What it takes in memory besides names, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let headers = self.headers.iter().flat_map(Headers::iter);
        self.body.len() + headers.map(|(name, value)| name.len() + value.len()).sum::<usize>()
    }
}

/// What becomes of a reminder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// It stands from now on, unless one does that is not to be replaced.
    Set { row: Box<Row>, should_replace: bool },
    /// There is none.
    Drop,
}

/// An actor as keys name it: `type/id`.
#[must_use]
pub(super) fn sender(actor: &ActorRef) -> Arc<str> {
    format!("{}/{}", actor.actor_type, actor.id.as_str()).into()
}

/// Whose lane those calls are in that were stored by themselves: each actor that is called has
/// one. It is told from a sender's by the slash in front.
#[must_use]
pub(super) fn lane_to(actor: &ActorRef) -> Arc<str> {
    format!("/{}", sender(actor)).into()
}

/// The key and value of a call that is stored by itself: the `number`th of this activation of
/// the `partition`. One without an id is given one.
#[must_use]
pub(super) fn keep(
    letter: Letter,
    partition: &ActorRef,
    fence: Fence,
    number: u64,
) -> (String, Bytes) {
    let fence = fence_text(fence);
    let key = format!("{CALLS}{}/{fence}/{number:016x}", lane_to(&letter.actor));
    if !letter.id.is_empty() {
        return (key, kept(&letter));
    }
    let id = made_id(&sender(partition), &fence, number).into();
    (key, kept(&Letter { id, ..letter }))
}

/// The value of a call that is stored by itself.
#[must_use]
pub(super) fn kept(letter: &Letter) -> Bytes {
    let Letter { actor, method, id, headers, body } = letter;
    let headers: Vec<(&str, &str)> = headers.iter().flat_map(Headers::iter).collect();
    let count = headers.len().to_string();
    let mut fields = vec![actor.actor_type.as_str(), actor.id.as_str(), method, id, &count];
    fields.extend(headers.iter().flat_map(|(name, value)| [name, value]));
    texts(KEPT, &fields, body)
}

/// An id for a call that has none: by who sent it, and which of all that it ever sent.
fn made_id(sender: &str, fence: &str, number: u64) -> String {
    format!("{fence}-{number:x}-{:016x}", ring_hash(sender.as_bytes()))
}

/// The key and value of an effect, the `n`th of those that were emitted together; nothing if it
/// changes nothing.
#[must_use]
pub(super) fn encode(emitted: &Emitted<'_>, n: u64, effect: Effect) -> Option<(String, Bytes)> {
    let sender = sender(emitted.actor);
    let number = emitted.first + n;
    let fence = fence_text(emitted.fence);
    let kind = if matches!(effect, Effect::Call { .. }) { CALLS } else { REMINDERS };
    let key = format!("{kind}{sender}/{fence}/{number:016x}");
    let value = match effect {
        Effect::DropReminder { name } => texts(DROP, &[&name], &[]),
        Effect::SetReminder { name, spec, data, should_replace } => {
            let at = Timestamp::try_from(emitted.at).unwrap_or_default();
            let at = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
            let plan = ReminderPlan::new(&spec, at);
            // One that ends before it fires is as good as none, as when it is registered.
            match plan.ok().and_then(|plan| plan.begin()) {
                None if should_replace => texts(DROP, &[&name], &[]),
                None => return None,
                Some(begin) => {
                    let row = Row {
                        generation: 0,
                        registered: at.as_millisecond(),
                        at: begin,
                        delivered: 0,
                        lost: 0,
                        spec: *spec,
                        error: None,
                        data,
                    };
                    let kind = if should_replace { SET } else { SET_UNLESS_THERE };
                    texts(kind, &[&name], &row.encode())
                }
            }
        }
        Effect::Call { actor, method, body, id } => {
            let made = || made_id(&sender, &fence, number);
            let id = id.map_or_else(made, |id| id.as_ref().to_owned());
            let (actor_type, actor_id) = (actor.actor_type.as_str(), actor.id.as_str());
            texts(CALL, &[actor_type, actor_id, &method, &id], &body)
        }
    };
    Some((key, value))
}

/// Whose call it is that stands under this key.
pub(super) fn sender_of(key: &str) -> Option<&str> {
    path_of(CALLS, key)
}

/// The call that is stored.
///
/// # Errors
/// What is wrong with the bytes.
pub fn call(value: &Bytes) -> Result<Letter, String> {
    let (kind, mut rest) = open(value)?;
    if !matches!(kind, CALL | KEPT) {
        return Err(format!("it has the kind {kind}, not {CALL} or {KEPT}"));
    }
    let [actor_type, actor_id, method, id] =
        [text(&mut rest)?, text(&mut rest)?, text(&mut rest)?, text(&mut rest)?];
    let actor = ActorRef::parse(actor_type, actor_id).map_err(|error| error.to_string())?;
    let (method, id) = (method.into(), id.into());
    let headers = if kind == KEPT { Some(headers(&mut rest)?) } else { None };
    let body = value.slice(value.len() - rest.len()..);
    Ok(Letter { actor, method, id, headers, body })
}

fn headers(rest: &mut &[u8]) -> Result<Headers, String> {
    let count: u16 = text(rest)?.parse().map_err(|_| "its headers have no count")?;
    let mut headers = Headers::new();
    for _ in 0..count {
        headers.push(text(rest)?, text(rest)?);
    }
    Ok(headers)
}

/// Which reminder is meant by what stands under this key, and what becomes of it.
///
/// # Errors
/// What is wrong with the bytes.
pub(super) fn reminder(key: &str, value: &Bytes) -> Result<(Name, Wish), String> {
    let sender = path_of(REMINDERS, key).ok_or("its key names no actor")?;
    let (actor_type, id) = sender.split_once('/').ok_or("its key names no actor")?;
    let actor = ActorRef::parse(actor_type, id).map_err(|error| error.to_string())?;
    let (kind, mut rest) = open(value)?;
    let name = Name::new(&actor, text(&mut rest)?).map_err(|error| error.to_string())?;
    let wish = match kind {
        DROP => Wish::Drop,
        SET | SET_UNLESS_THERE => {
            let row = Row::decode(&value.slice(value.len() - rest.len()..))?;
            row.plan().map_err(|error| error.to_string())?;
            Wish::Set { row: Box::new(row), should_replace: kind == SET }
        }
        other => return Err(format!("it has the kind {other}")),
    };
    Ok((name, wish))
}

/// The lane in a key: the actor, with a slash in front for one that is called. Types and ids hold
/// no slash.
fn path_of<'a>(kind: &str, key: &'a str) -> Option<&'a str> {
    let path = key.strip_prefix(kind)?;
    let (path, number) = path.rsplit_once('/')?;
    let (sender, fence) = path.rsplit_once('/')?;
    let actor = sender.strip_prefix('/').filter(|_| kind == CALLS).unwrap_or(sender);
    let is_path = actor.split_once('/').is_some_and(|(actor_type, id)| {
        !actor_type.is_empty() && !id.is_empty() && !id.contains('/')
    });
    (is_path && number.len() == 16 && fence.len() == 48).then_some(sender)
}

/// A fence as text, so that the order of texts is that of fences.
fn fence_text(fence: Fence) -> String {
    let Fence { epoch, seq } = fence;
    format!("{:016x}{:016x}{seq:016x}", epoch.term, epoch.n)
}

fn texts(kind: u8, texts: &[&str], rest: &[u8]) -> Bytes {
    let length: usize = texts.iter().map(|text| text.len() + 4).sum();
    let mut out = Vec::with_capacity(2 + length + rest.len());
    out.extend_from_slice(&[VERSION, kind]);
    for text in texts {
        out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(rest);
    out.into()
}

fn open(value: &Bytes) -> Result<(u8, &[u8]), String> {
    match value.split_first_chunk::<2>() {
        Some((&[VERSION, kind], rest)) => Ok((kind, rest)),
        Some((&[version, _], _)) => Err(format!("it has version {version}, not {VERSION}")),
        None => Err("it is too short".to_owned()),
    }
}

fn text<'a>(from: &mut &'a [u8]) -> Result<&'a str, String> {
    let (length, rest) = from.split_first_chunk::<4>().ok_or("it is too short")?;
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    let (text, rest) = rest.split_at_checked(length).ok_or("it is too short")?;
    *from = rest;
    std::str::from_utf8(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use odeon_base::Epoch;
    use odeon_runtime::schedule::ReminderSpec;
    use proptest::prelude::*;

    use super::*;

    fn actor() -> ActorRef {
        ActorRef::parse("Order", "o|1").unwrap()
    }

    fn fence(term: u64, n: u64, seq: u64) -> Fence {
        Fence { epoch: Epoch { term, n }, seq }
    }

    fn encoded(fence: Fence, first: u64, effect: Effect) -> Option<(String, Bytes)> {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_000_000_000_123);
        encode(&Emitted { actor: &actor(), fence, first, at }, 0, effect)
    }

    fn stored(fence: Fence, first: u64, effect: Effect) -> (String, Bytes) {
        encoded(fence, first, effect).unwrap()
    }

    fn call_of(body: &[u8], id: Option<&str>) -> Effect {
        Effect::Call {
            actor: ActorRef::parse("Goods", "ü").unwrap(),
            method: "commit".into(),
            body: Bytes::copy_from_slice(body),
            id: id.map(Into::into),
        }
    }

    fn reminder_of(due_time: &str, ttl: &str) -> Effect {
        let [due_time, ttl] = [due_time, ttl].map(str::to_owned);
        let spec = ReminderSpec { due_time, ttl, ..ReminderSpec::default() };
        let (name, data) = ("pay".into(), Bytes::from("7"));
        Effect::SetReminder { name, spec: Box::new(spec), data, should_replace: false }
    }

    #[test]
    fn a_call_comes_back_with_an_id_that_is_the_same_each_time() {
        let (key, value) = stored(fence(1, 2, 3), 9, call_of(b"7", None));
        assert_eq!(
            key,
            "out/call/Order/o|1/000000000000000100000000000000020000000000000003/0000000000000009"
        );
        assert_eq!(sender_of(&key), Some("Order/o|1"));
        let letter = call(&value).unwrap();
        assert_eq!((&*letter.method, &letter.body[..]), ("commit", &b"7"[..]));
        assert_eq!(letter.actor, ActorRef::parse("Goods", "ü").unwrap());
        let made = "000000000000000100000000000000020000000000000003-9-";
        assert!(letter.id.starts_with(made) && letter.id.is_ascii(), "{}", letter.id);
        let (_, other) = stored(fence(1, 2, 3), 10, call_of(b"7", None));
        assert_ne!(call(&other).unwrap().id, letter.id);
        let (_, named) = stored(fence(1, 2, 3), 9, call_of(b"", Some("o1:2")));
        assert_eq!(&*call(&named).unwrap().id, "o1:2");
    }

    fn letter(id: &str) -> Letter {
        let mut headers = Headers::new();
        headers.push("content-type", "text/plain");
        headers.push("x", "");
        Letter {
            actor: ActorRef::parse("Goods", "ü").unwrap(),
            method: "commit".into(),
            id: id.into(),
            headers: Some(headers),
            body: Bytes::from("7"),
        }
    }

    // OW-1.
    #[test]
    fn a_call_that_is_stored_by_itself_has_a_lane_of_its_receiver_and_keeps_its_headers() {
        let partition = ActorRef::parse("sys.reminder:shop:store", "7").unwrap();
        let (key, value) = keep(letter("own"), &partition, fence(1, 2, 3), 9);
        let fence_said = "000000000000000100000000000000020000000000000003";
        assert_eq!(key, format!("out/call//Goods/ü/{fence_said}/0000000000000009"));
        assert_eq!(sender_of(&key), Some("/Goods/ü"));
        assert_eq!(call(&value).unwrap(), letter("own"));
        let (_, value) = keep(letter(""), &partition, fence(1, 2, 3), 9);
        let made = call(&value).unwrap();
        assert!(made.id.starts_with(&format!("{fence_said}-9-")), "{}", made.id);
        assert_eq!(Letter { id: "own".into(), ..made.clone() }, letter("own"));
        // Another application's partition may be active under the same fence.
        let other = ActorRef::parse("sys.reminder:cart:store", "7").unwrap();
        let (_, value) = keep(letter(""), &other, fence(1, 2, 3), 9);
        assert_ne!(call(&value).unwrap().id, made.id);
        let none = Letter { headers: Some(Headers::new()), body: Bytes::new(), ..letter("own") };
        assert_eq!(call(&kept(&none)).unwrap(), none);
    }

    #[test]
    fn what_is_no_lane_is_none() {
        let end = format!("{:048x}/{:016x}", 1, 2);
        for path in ["", "/", "a", "/a", "a/", "//a/b", "/a/b/c", "a/b/c", "/a//b"] {
            assert_eq!(sender_of(&format!("out/call/{path}/{end}")), None, "{path}");
        }
        assert_eq!(path_of(REMINDERS, &format!("out/rem//a/b/{end}")), None);
    }

    // As the first release wrote it.
    #[test]
    fn a_call_without_headers_stays_readable() {
        let fields = ["Goods", "ü", "commit", "o1:2"];
        let mut bytes = vec![1, 3];
        for field in fields {
            bytes.extend_from_slice(&u32::try_from(field.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(field.as_bytes());
        }
        bytes.push(b'7');
        let expected = Letter { headers: None, ..letter("o1:2") };
        assert_eq!(call(&bytes.into()).unwrap(), expected);
    }

    #[test]
    fn a_reminder_counts_from_the_commit() {
        let (key, value) = stored(fence(1, 2, 3), 9, reminder_of("5s", ""));
        let (name, wish) = reminder(&key, &value).unwrap();
        assert_eq!(name.parts(), ("Order", "o|1", "pay"));
        let Wish::Set { row, should_replace: false } = wish else { panic!("{wish:?}") };
        assert_eq!((row.registered, row.next()), (1_000_000_000_123, 1_000_000_005_123));
        assert_eq!(row.data, "7");
        let over = |should_replace| match reminder_of("5s", "1s") {
            Effect::SetReminder { name, spec, data, .. } => {
                let effect = Effect::SetReminder { name, spec, data, should_replace };
                encoded(fence(1, 2, 3), 9, effect)
            }
            Effect::DropReminder { .. } | Effect::Call { .. } => unreachable!(),
        };
        assert_eq!(reminder(&key, &over(true).unwrap().1).unwrap().1, Wish::Drop);
        assert_eq!(over(false), None, "the one that stands is left as it is");
        let (key, gone) = stored(fence(1, 2, 3), 9, Effect::DropReminder { name: "pay".into() });
        assert_eq!(reminder(&key, &gone).unwrap().1, Wish::Drop);
    }

    proptest! {
        #[test]
        fn keys_lie_in_the_order_of_emission(one: (u64, u64, u64, u32), two: (u64, u64, u64, u32)) {
            let key = |(term, n, seq, first): (u64, u64, u64, u32)| {
                stored(fence(term, n, seq), first.into(), call_of(b"", None)).0
            };
            prop_assert_eq!(key(one).cmp(&key(two)), one.cmp(&two));
        }

        #[test]
        fn rem_13_no_bytes_break_it(
            at in any::<prop::sample::Index>(),
            byte: u8,
            kept in any::<prop::sample::Index>(),
            key in "(out/(call|rem)/)?[a/0-9]{0,80}",
        ) {
            let (good, _) = stored(fence(1, 2, 3), 9, reminder_of("5s", ""));
            let emitted = [call_of(b"7", None), reminder_of("5s", "")]
                .map(|effect| stored(fence(1, 2, 3), 9, effect).1);
            for value in emitted.into_iter().chain([super::kept(&letter("own"))]) {
                let mut bytes = value.to_vec();
                let at = at.index(bytes.len());
                bytes[at] = byte;
                bytes.truncate(kept.index(bytes.len() + 1));
                let bytes = Bytes::from(bytes);
                let _ = (call(&bytes), reminder(&good, &bytes), reminder(&key, &bytes));
            }
            let _ = sender_of(&key);
        }
    }
}
