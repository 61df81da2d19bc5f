//! How a key becomes bytes in a store of our own, and which keys are refused.
//!
//! Keys are tuples, each part but the last with its length in front, so that no
//! two of them share an encoding (ID-2) and the keys of one actor lie together,
//! in byte order of their names. What lies beside rows (fences, pieces of large
//! values, the index of expiries) has tags of its own and cannot be reached by
//! any key of a caller. It does not know what rows hold.

use std::sync::Arc;

use odeon_runtime::store::{ActorScope, Error, Key, Result, Scan, Transaction};

/// The name under which other stores keep an actor's fence; refused as a key.
pub const FENCE_NAME: &str = "__fence";
/// Longest key with all its parts, in bytes.
///
/// The tree's inner pages hold up to 256 keys; long ones would bloat them.
pub const KEY_BYTES_MAX: usize = 8 * 1024;
/// Most items of one page of a scan.
pub const SCAN_LIMIT_MAX: usize = 1_000;

/// First byte: a row of the state API.
const PLAIN: u8 = 1;
/// First byte: something of an actor.
const ACTOR: u8 = 2;
/// First byte: a piece of a large value.
const PIECE: u8 = 3;
/// First byte: an entry of the index of expiries.
const EXPIRY: u8 = 4;
/// After an actor's scope: its fence.
const FENCE: u8 = 0;
/// After an actor's scope: one of its rows.
const ROW: u8 = 1;

/// Checks that a caller may use a key.
///
/// # Errors
/// [`Error::Invalid`] for the reserved name and for keys that are too long.
pub fn check(key: &Key) -> Result<()> {
    match key {
        Key::Plain(name) => check_length(name.len()),
        Key::Actor(_, name) if &**name == FENCE_NAME => {
            Err(Error::Invalid { reason: format!("the key '{FENCE_NAME}' is reserved") })
        }
        Key::Actor(scope, name) => check_length(scope_bytes(scope) + name.len()),
    }
}

/// Checks that an actor's fence can be kept.
///
/// # Errors
/// [`Error::Invalid`] when the actor's names are too long.
pub fn check_scope(scope: &ActorScope) -> Result<()> {
    check_length(scope_bytes(scope))
}

fn scope_bytes(scope: &ActorScope) -> usize {
    scope.prefix.len() + scope.actor_type.len() + scope.actor_id.len()
}

fn check_length(bytes: usize) -> Result<()> {
    if bytes > KEY_BYTES_MAX {
        return Err(Error::Invalid {
            reason: format!("the key has {bytes} bytes; at most {KEY_BYTES_MAX} are allowed"),
        });
    }
    Ok(())
}

/// Checks the keys of a transaction.
///
/// # Errors
/// As [`check`].
pub fn check_transaction(transaction: &Transaction) -> Result<()> {
    transaction.ops.iter().try_for_each(|op| check(op.key()))
}

/// Checks a scan.
///
/// # Errors
/// [`Error::Invalid`] when the limit is 0 or too high, or it goes on from a key
/// that is not of the actor.
pub fn check_scan(scan: &Scan) -> Result<()> {
    check_length(scope_bytes(&scan.scope) + scan.starts_with.len())?;
    if scan.limit == 0 || scan.limit > SCAN_LIMIT_MAX {
        let reason = format!("a page has 1 to {SCAN_LIMIT_MAX} items, not {}", scan.limit);
        return Err(Error::Invalid { reason });
    }
    match &scan.after {
        None => Ok(()),
        Some(Key::Actor(scope, _)) if *scope == scan.scope => Ok(()),
        Some(_) => {
            Err(Error::Invalid { reason: "the scan goes on from another actor's key".to_owned() })
        }
    }
}

/// The stored form of a caller's key, which has been checked.
#[must_use]
pub fn encode(key: &Key) -> Vec<u8> {
    match key {
        Key::Plain(name) => {
            let mut bytes = Vec::with_capacity(1 + name.len());
            bytes.push(PLAIN);
            bytes.extend_from_slice(name.as_bytes());
            bytes
        }
        Key::Actor(scope, name) => {
            let mut bytes = actor(scope, ROW, name.len());
            bytes.extend_from_slice(name.as_bytes());
            bytes
        }
    }
}

/// The caller's key that has this stored form; `None` if it is no row's.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<Key> {
    let text = |bytes: &[u8]| Some(Arc::from(std::str::from_utf8(bytes).ok()?));
    match bytes.split_first()? {
        (&PLAIN, name) => Some(Key::Plain(text(name)?)),
        (&ACTOR, rest) => {
            let (prefix, rest) = take_part(rest)?;
            let (actor_type, rest) = take_part(rest)?;
            let (actor_id, rest) = take_part(rest)?;
            let (&ROW, name) = rest.split_first()? else { return None };
            let scope = ActorScope {
                prefix: text(prefix)?,
                actor_type: text(actor_type)?,
                actor_id: text(actor_id)?,
            };
            Some(Key::Actor(scope, text(name)?))
        }
        _ => None,
    }
}

/// What the stored keys of all rows of an actor begin with, from one of them.
#[must_use]
pub fn rows_of(stored: &[u8]) -> Option<&[u8]> {
    let (&ACTOR, mut rest) = stored.split_first()? else { return None };
    for _ in 0..3 {
        (_, rest) = take_part(rest)?;
    }
    let (&ROW, name) = rest.split_first()? else { return None };
    stored.get(..stored.len() - name.len())
}

/// Where an actor's fence is kept.
#[must_use]
pub fn fence(scope: &ActorScope) -> Vec<u8> {
    actor(scope, FENCE, 0)
}

/// What all rows of an actor begin with whose names begin with `starts_with`.
#[must_use]
pub fn rows(scope: &ActorScope, starts_with: &str) -> Vec<u8> {
    let mut bytes = actor(scope, ROW, starts_with.len());
    bytes.extend_from_slice(starts_with.as_bytes());
    bytes
}

/// Where piece `index` of the large value written under `etag` is kept.
#[must_use]
pub fn piece(etag: [u8; 16], index: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(21);
    bytes.push(PIECE);
    bytes.extend_from_slice(&etag);
    bytes.extend_from_slice(&index.to_be_bytes());
    bytes
}

/// Where it is noted that the row at `row` expires at `due`, in milliseconds.
#[must_use]
pub fn expiry(due: u64, row: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(9 + row.len());
    bytes.push(EXPIRY);
    bytes.extend_from_slice(&due.to_be_bytes());
    bytes.extend_from_slice(row);
    bytes
}

/// The time and the row's key in an entry of the index of expiries.
#[must_use]
pub fn decode_expiry(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&EXPIRY, rest) = bytes.split_first()? else { return None };
    let (due, row) = rest.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*due), row))
}

fn actor(scope: &ActorScope, tag: u8, more: usize) -> Vec<u8> {
    let parts = [&scope.prefix, &scope.actor_type, &scope.actor_id];
    let length: usize = parts.iter().map(|part| part.len() + 4).sum();
    let mut bytes = Vec::with_capacity(2 + length + more);
    bytes.push(ACTOR);
    for part in parts {
        // `check` has seen the key: lengths are far below this.
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes.push(tag);
    bytes
}

fn take_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scope() -> impl Strategy<Value = ActorScope> {
        // Few letters and the bytes that lengths are made of, so that near misses are common.
        let text = || proptest::string::string_regex("[ab|\0\u{1}\u{2}ü]{0,5}").unwrap();
        (text(), text(), text()).prop_map(|(prefix, actor_type, actor_id)| ActorScope {
            prefix: prefix.into(),
            actor_type: actor_type.into(),
            actor_id: actor_id.into(),
        })
    }

    fn key() -> impl Strategy<Value = Key> {
        let text = || proptest::string::string_regex("[ab|\0\u{1}\u{2}ü😀]{0,6}").unwrap();
        prop_oneof![
            text().prop_map(|name| Key::Plain(name.into())),
            (scope(), text()).prop_map(|(scope, name)| Key::Actor(scope, name.into())),
        ]
    }

    proptest! {
        #[test]
        fn the_rows_of_an_actor_are_known_by_any_of_them(key in key()) {
            let expected = match &key {
                Key::Plain(_) => None,
                Key::Actor(scope, _) => Some(rows(scope, "")),
            };
            prop_assert_eq!(rows_of(&encode(&key)).map(<[u8]>::to_vec), expected);
        }

        #[test]
        fn keys_come_back_as_they_were(key in key()) {
            prop_assert_eq!(decode(&encode(&key)), Some(key));
        }

        #[test]
        fn no_two_keys_share_an_encoding(one in key(), two in key(), scope in scope()) {
            prop_assert_eq!(encode(&one) == encode(&two), one == two);
            prop_assert_ne!(encode(&one), fence(&scope));
        }

        #[test]
        fn keys_of_one_actor_are_in_order_of_their_names(
            scope in scope(), one in ".{0,6}", two in ".{0,6}"
        ) {
            let encoded = |name: &str| encode(&Key::Actor(scope.clone(), name.into()));
            prop_assert_eq!(encoded(&one).cmp(&encoded(&two)), one.as_bytes().cmp(two.as_bytes()));
            prop_assert!(encoded(&one).starts_with(&rows(&scope, "")));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(key) = decode(&bytes) {
                prop_assert_eq!(encode(&key), bytes.clone());
            }
            let _ = decode_expiry(&bytes);
        }

        #[test]
        fn nearly_right_bytes_never_panic(key in key(), at in any::<prop::sample::Index>(), byte: u8) {
            let mut bytes = encode(&key);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Some(key) = decode(&bytes) {
                prop_assert_eq!(encode(&key), bytes);
            }
        }
    }
}
