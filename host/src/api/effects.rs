//! What a turn sends out, as operations of its actor's state transaction (`host/docs/outbox.md`).
//!
//! These are Odeon's own, so nothing is passed over: a field that is not known, or is of another
//! type, is refused by its name, and nothing is written.

use bytes::Bytes;
use odeon_base::ident::clean_method;
use odeon_blocks::reminder::forms::{CatchUpForm, PolicyForm, Registration};
use odeon_runtime::{ActorRef, Effect};
use serde::de::DeserializeOwned;

use crate::json::{self, Fields};

/// What an operation sends out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    SetReminder,
    DeleteReminder,
    Call,
}

impl Kind {
    /// What the operation of this name sends out, if it does.
    pub(super) fn of(name: &str) -> Option<Self> {
        [Self::SetReminder, Self::DeleteReminder, Self::Call]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::SetReminder => "setReminder",
            Self::DeleteReminder => "deleteReminder",
            Self::Call => "call",
        }
    }
}

/// Whether an operation of this kind sends something out.
#[must_use]
pub fn is_effect(kind: &str) -> bool {
    Kind::of(kind).is_some()
}

/// Reads the request of such an operation; over gRPC its key may say the name.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn read(kind: Kind, key: &str, request: &[u8]) -> Result<Effect, String> {
    let wrong = |reason: String| format!("operation {}: {reason}", kind.name());
    let request: Option<Fields<'_>> = match request {
        b"" => None,
        given => json::first(given).map_err(|error| wrong(format!("request: {error}")))?,
    };
    let request = Request { fields: request.unwrap_or_default(), key };
    let read = match kind {
        Kind::SetReminder => request.set_reminder(),
        Kind::DeleteReminder => request.delete_reminder(),
        Kind::Call => request.call(),
    };
    read.map_err(wrong)
}

struct Request<'a> {
    fields: Fields<'a>,
    key: &'a str,
}

impl Request<'_> {
    fn set_reminder(&self) -> Result<Effect, String> {
        self.only(&[
            "name",
            "dueTime",
            "period",
            "ttl",
            "data",
            "overwrite",
            "catchUp",
            "failurePolicy",
            "fireImmediately",
        ])?;
        let asked = Registration {
            due_time: self.optional("dueTime")?.unwrap_or_default(),
            period: self.optional("period")?.unwrap_or_default(),
            ttl: self.optional("ttl")?.unwrap_or_default(),
            failure_policy: self.optional::<PolicyForm>("failurePolicy")?,
            catch_up: self.optional::<CatchUpForm>("catchUp")?,
            fire_immediately: self.optional("fireImmediately")?.unwrap_or(false),
            ..Registration::default()
        };
        let spec = asked.spec().map_err(|error| error.to_string())?;
        Ok(Effect::SetReminder {
            name: self.name()?.into(),
            spec: Box::new(spec),
            data: self.data(),
            should_replace: self.optional("overwrite")?.unwrap_or(true),
        })
    }

    fn delete_reminder(&self) -> Result<Effect, String> {
        self.only(&["name"])?;
        Ok(Effect::DropReminder { name: self.name()?.into() })
    }

    fn call(&self) -> Result<Effect, String> {
        if !self.key.is_empty() {
            let key = self.key.escape_debug();
            return Err(format!("key is '{key}': expected none, the request says who is called"));
        }
        self.only(&["actorType", "actorId", "method", "data", "id"])?;
        let (actor_type, id): (String, String) =
            (self.required("actorType")?, self.required("actorId")?);
        let method: String = self.required("method")?;
        Ok(Effect::Call {
            actor: ActorRef::parse(&actor_type, &id).map_err(|error| error.to_string())?,
            method: clean_method(&method).map_err(|error| error.to_string())?.into(),
            body: self.data(),
            id: self.optional::<String>("id")?.map(Into::into),
        })
    }

    /// Refuses fields of other names.
    fn only(&self, known: &[&str]) -> Result<(), String> {
        let is_known = |name: &&str| known.iter().any(|known| known.eq_ignore_ascii_case(name));
        match self.fields.names().find(|name| !is_known(name)) {
            Some(name) => Err(format!(
                "there is no field '{}': expected {}",
                name.escape_debug(),
                known.join(", ")
            )),
            None => Ok(()),
        }
    }

    fn optional<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, String> {
        self.fields.read(name)
    }

    fn required<T: DeserializeOwned>(&self, name: &str) -> Result<T, String> {
        self.optional(name)?.ok_or_else(|| format!("{name} is missing"))
    }

    fn name(&self) -> Result<String, String> {
        let said: Option<String> = self.optional("name")?;
        match said {
            Some(name) if !self.key.is_empty() && name != self.key => Err(format!(
                "name is '{}', and the key of the operation is '{}': expected the same",
                name.escape_debug(),
                self.key.escape_debug()
            )),
            Some(name) => Ok(name),
            None if !self.key.is_empty() => Ok(self.key.to_owned()),
            None => Err("name is missing".to_owned()),
        }
    }

    /// Compact JSON, or nothing; `null` is data, too.
    fn data(&self) -> Bytes {
        self.fields.raw("data").map(json::compact).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use odeon_runtime::schedule::{CatchUp, FailurePolicy};

    use super::*;

    fn read(kind: &str, key: &str, request: &[u8]) -> Result<Effect, String> {
        super::read(Kind::of(kind).unwrap(), key, request)
    }

    #[test]
    fn operations_are_read_as_they_are_written() {
        let body = br#"{"name":"pay","dueTime":"5s","period":"R2/PT1S","ttl":"1h","data":{ "a": 1 },
            "overwrite":false,"catchUp":"none","failurePolicy":{"drop":{}},"fireImmediately":true}"#;
        let Effect::SetReminder { name, spec, data, should_replace: false } =
            read("setReminder", "", body).unwrap()
        else {
            panic!("it is one");
        };
        assert_eq!((&*name, &data[..]), ("pay", &br#"{"a":1}"#[..]));
        assert_eq!((&*spec.due_time, &*spec.period, &*spec.ttl), ("5s", "R2/PT1S", "1h"));
        assert_eq!((spec.catch_up, spec.failure), (Some(CatchUp::None), FailurePolicy::Drop));
        assert!(spec.fires_at_once);
        let gone = Effect::DropReminder { name: "pay".into() };
        assert_eq!(read("deleteReminder", "", br#"{"name":"pay"}"#).unwrap(), gone);
        assert_eq!(read("deleteReminder", "pay", b"").unwrap(), gone);
        assert_eq!(read("deleteReminder", "pay", br#"{"name":"pay"}"#).unwrap(), gone);
        let call = br#"{"actorType":"Goods","actorId":"1","method":"/a//b","data":null,"id":"o1"}"#;
        assert_eq!(
            read("call", "", call).unwrap(),
            Effect::Call {
                actor: ActorRef::parse("Goods", "1").unwrap(),
                method: "a/b".into(),
                body: "null".into(),
                id: Some("o1".into()),
            }
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (kind, key, request, words) in [
            ("setReminder", "", "[]", "operation setReminder: request: invalid type"),
            ("setReminder", "", r#"{"dueTime":"5s"}"#, "operation setReminder: name is missing"),
            ("setReminder", "", r#"{"name":"a","dueTime":5}"#, "dueTime: invalid type: integer"),
            ("setReminder", "", r#"{"name":"a","overwrite":"no"}"#, "overwrite: invalid type"),
            ("setReminder", "", r#"{"name":"a","catchUp":"some"}"#, "catchUp: unknown variant"),
            (
                "setReminder",
                "",
                r#"{"name":"a","due":"5s"}"#,
                "there is no field 'due': expected name",
            ),
            (
                "setReminder",
                "b",
                r#"{"name":"a"}"#,
                "name is 'a', and the key of the operation is 'b'",
            ),
            ("deleteReminder", "", "", "operation deleteReminder: name is missing"),
            ("deleteReminder", "", r#"{"name":"a","ttl":"1s"}"#, "there is no field 'ttl'"),
            ("call", "", r#"{"actorId":"1","method":"m"}"#, "operation call: actorType is missing"),
            ("call", "", r#"{"actorType":"G","actorId":"a/b","method":"m"}"#, "actorId"),
            ("call", "k", r#"{"actorType":"G","actorId":"1","method":"m"}"#, "key is 'k'"),
            ("call", "", r#"{"actorType":"G","actorId":"1","method":""}"#, "method"),
            (
                "call",
                "",
                r#"{"actorType":"G","actorId":"1","method":"m","body":1}"#,
                "no field 'body'",
            ),
            (
                "call",
                "",
                r#"{"actorType":"G","actorId":"1","method":"m","id":7}"#,
                "id: invalid type",
            ),
        ] {
            let error = read(kind, key, request.as_bytes()).unwrap_err();
            assert!(error.contains(words), "{request}: {error}");
        }
    }
}
