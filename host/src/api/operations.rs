//! One operation of an actor's state transaction, before it is a change or sends something out.
//!
//! Both wires say the same things in different clothes: an operation's name, a
//! key, a value, an ETag and `ttlInSeconds` among texts. This file turns them into
//! the engine's [`Commit`].

use std::time::Duration;

use bytes::Bytes;
use odeon_runtime::Effect;
use odeon_runtime::state::is_own;
use odeon_runtime::store::{Condition, Expiry};
use odeon_runtime::turn::{Change, Commit};

use super::effects;

/// Longest state key, in bytes.
const KEY_BYTES_MAX: usize = 2_048;

/// An operation as an application wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Operation {
    /// `upsert` or `delete`, or what sends something out ([`effects::is_effect`]).
    pub kind: String,
    /// The key.
    pub key: String,
    /// The value, ignored by `delete`; of what sends something out the request, in JSON.
    pub value: Bytes,
    /// Refuse unless this is the stored ETag.
    pub etag: Option<String>,
    /// Seconds to live, as text.
    pub ttl: Option<String>,
}

/// Why an operation cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// The operation has no meaning.
    #[error("operation type {0} not supported")]
    Unsupported(String),
    /// The key is empty, too long or our own.
    #[error("{0}")]
    Key(String),
    /// The time to live is not one.
    #[error("{0}")]
    Ttl(String),
    /// What is sent out is not said as it should be.
    #[error("{0}")]
    Effect(String),
    /// Time to live is switched off.
    #[error("ttlInSeconds is not supported without the \"ActorStateTTL\" feature enabled")]
    TtlDisabled,
}

impl Operation {
    /// What these ask for together, in their order.
    ///
    /// # Errors
    /// [`OperationError`] of the first that has one, and nothing has been written then.
    pub fn commit(operations: Vec<Self>, has_ttl: bool) -> Result<Commit, OperationError> {
        let mut commit = Commit::default();
        for operation in operations {
            match effects::Kind::of(&operation.kind) {
                Some(kind) => {
                    let effect = operation.as_effect(kind).map_err(OperationError::Effect)?;
                    commit.effects.push(effect);
                }
                None => commit.changes.push(operation.into_change(has_ttl)?),
            }
        }
        Ok(commit)
    }

    fn as_effect(&self, kind: effects::Kind) -> Result<Effect, String> {
        for (name, said) in [("etag", &self.etag), ("ttlInSeconds", &self.ttl)] {
            if let Some(said) = said {
                return Err(format!(
                    "operation {}: {name} is '{}': expected none, which only upsert and delete have",
                    self.kind,
                    said.escape_debug()
                ));
            }
        }
        effects::read(kind, &self.key, &self.value)
    }

    /// The change it asks for; `has_ttl` tells whether the feature is on.
    ///
    /// # Errors
    /// [`OperationError`], and nothing has been written then.
    fn into_change(self, has_ttl: bool) -> Result<Change, OperationError> {
        check_key(&self.key).map_err(OperationError::Key)?;
        let name = self.key.as_str().into();
        let condition = match self.etag {
            Some(etag) if !etag.is_empty() => Condition::ETag(etag.into()),
            Some(_) | None => Condition::None,
        };
        match self.kind.as_str() {
            "upsert" => {
                let expiry = expiry(self.ttl.as_deref(), has_ttl)?;
                Ok(Change::Set { name, value: self.value, condition, expiry })
            }
            "delete" => Ok(Change::Remove { name, condition }),
            _ => Err(OperationError::Unsupported(self.kind.escape_debug().to_string())),
        }
    }
}

/// Checks a state key of an actor.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check_key(key: &str) -> Result<(), String> {
    if key.is_empty() {
        return Err("the state key cannot be empty".into());
    }
    if key.len() > KEY_BYTES_MAX {
        return Err(format!(
            "the state key is {} bytes long; at most {KEY_BYTES_MAX} are allowed",
            key.len()
        ));
    }
    if is_own(key) {
        let key = key.escape_debug();
        return Err(format!("the state key '{key}' belongs to the runtime"));
    }
    Ok(())
}

/// ST-5: absent or -1 keeps for ever, 0 and other negative numbers are mistakes.
fn expiry(ttl: Option<&str>, has_ttl: bool) -> Result<Expiry, OperationError> {
    let Some(text) = ttl else { return Ok(Expiry::Never) };
    if !has_ttl {
        return Err(OperationError::TtlDisabled);
    }
    match text.trim().parse::<i64>() {
        Ok(-1) => Ok(Expiry::Never),
        // A century keeps the due date within what every calendar can hold.
        Ok(seconds @ 1..=3_155_760_000) => {
            Ok(Expiry::After(Duration::from_secs(seconds.unsigned_abs())))
        }
        Ok(_) | Err(_) => Err(OperationError::Ttl(format!(
            "ttlInSeconds is {:?}; expected -1 or a number of seconds above 0",
            text.escape_debug().to_string()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upsert(ttl: Option<&str>) -> Operation {
        Operation {
            kind: "upsert".into(),
            key: "k".into(),
            value: Bytes::from_static(b"1"),
            etag: None,
            ttl: ttl.map(Into::into),
        }
    }

    #[test]
    fn a_time_to_live_is_positive_or_absent() {
        for (ttl, expected) in [
            (None, Some(Expiry::Never)),
            (Some("-1"), Some(Expiry::Never)),
            (Some("3"), Some(Expiry::After(Duration::from_secs(3)))),
            (Some(" 3 "), Some(Expiry::After(Duration::from_secs(3)))),
            (Some("0"), None),
            (Some("-2"), None),
            (Some("1.5"), None),
            (Some(""), None),
            (Some("99999999999999999999"), None),
        ] {
            let change = upsert(ttl).into_change(true);
            match expected {
                Some(expected) => {
                    assert!(
                        matches!(change, Ok(Change::Set { expiry, .. }) if expiry == expected),
                        "{ttl:?}"
                    );
                }
                None => assert!(matches!(change, Err(OperationError::Ttl(_))), "{ttl:?}"),
            }
        }
        assert_eq!(upsert(Some("3")).into_change(false), Err(OperationError::TtlDisabled));
    }

    #[test]
    fn keys_and_operations_are_checked() {
        let with = |kind: &str, key: &str| Operation {
            kind: kind.into(),
            key: key.into(),
            ..Operation::default()
        };
        assert!(matches!(with("upsert", "").into_change(true), Err(OperationError::Key(_))));
        for own in ["__fence", "__once/a"] {
            assert!(matches!(with("delete", own).into_change(true), Err(OperationError::Key(_))));
        }
        assert!(matches!(
            with("delete", &"k".repeat(2_049)).into_change(true),
            Err(OperationError::Key(_))
        ));
        assert_eq!(
            with("merge", "k").into_change(true),
            Err(OperationError::Unsupported("merge".into()))
        );
        assert!(matches!(with("delete", "k").into_change(true), Ok(Change::Remove { .. })));
    }
}
