//! What a turn sends out beside its writes: reminders of its own actor, and calls of other
//! actors that nobody waits for (ST-7, DX-2).
//!
//! It is stored with the turn's commit, in the same transaction, and carried out afterwards: at
//! least once, calls in the order in which the actor emitted them. Here it is checked; how it is
//! stored and delivered is the business of whoever implements [`crate::seams::Outbox`].

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use jiff::Timestamp;
use odeon_base::ident::{IDEMPOTENCY_KEY_BYTES_MAX, check_name};
use odeon_base::{Fence, IdempotencyKey};

use crate::compat::Compat;
use crate::error::Error;
use crate::invocation::ActorRef;
use crate::schedule::{ReminderPlan, ReminderSpec};

/// Most bytes that one call or reminder carries, so that a row of it always fits into a
/// transaction of whoever has it delivered. Default: 1 MiB.
pub const EFFECT_BYTES_MAX: usize = 1 << 20;

/// Most bytes that the headers of a stored call have, names and values together. Default: 16 KiB.
pub const STORED_HEADERS_BYTES_MAX: usize = 16 << 10;

/// Something that a turn sends out with its commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The actor has this reminder from now on.
    SetReminder {
        /// Its name.
        name: Arc<str>,
        /// When it fires; times without a date count from [`Emitted::at`].
        spec: Box<ReminderSpec>,
        /// What it carries: compact JSON, or nothing.
        data: Bytes,
        /// Whether it takes the place of one of its name; else that one stays.
        should_replace: bool,
    },
    /// The actor has no reminder of this name any more.
    DropReminder {
        /// Its name.
        name: Arc<str>,
    },
    /// An actor is called, some time later; nobody waits for the answer.
    Call {
        /// Who.
        actor: ActorRef,
        /// The method, cleaned.
        method: Arc<str>,
        /// The argument, opaque.
        body: Bytes,
        /// By what the receiver tells a repeat; one is made if it is not said.
        id: Option<Arc<str>>,
    },
}

impl Effect {
    /// What it adds to a transaction besides names, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::SetReminder { spec, data, .. } => {
                let texts = [&spec.due_time, &spec.period, &spec.ttl];
                data.len() + texts.map(String::len).iter().sum::<usize>()
            }
            Self::DropReminder { .. } => 0,
            Self::Call { body, .. } => body.len(),
        }
    }

    /// The same for whoever goes by that: [`ReminderSpec::under`].
    ///
    /// # Errors
    /// [`Error::Arguments`] for a period that is not taken there.
    pub fn go_by(&mut self, compat: Compat) -> Result<(), Error> {
        if let Self::SetReminder { spec, .. } = self {
            let fitted = std::mem::take(&mut **spec).under(compat);
            **spec = fitted.map_err(|error| Error::Arguments(error.to_string()))?;
        }
        Ok(())
    }

    /// Whether it can be carried out, as far as anybody can tell before.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Arguments`] or [`Error::TooLarge`], by what is wrong.
    pub fn check(&self, now: SystemTime) -> Result<(), Error> {
        let what = match self {
            Self::SetReminder { name, spec, .. } => {
                check_name("name", name)?;
                let now = Timestamp::try_from(now).map_err(|error| {
                    Error::Arguments(format!("the clock of this host: {error}"))
                })?;
                ReminderPlan::new(spec, now)
                    .map_err(|error| Error::Arguments(error.to_string()))?;
                "the size of a reminder in bytes"
            }
            Self::DropReminder { name } => return Ok(check_name("name", name)?),
            Self::Call { actor, method, id, .. } => {
                check_receiver(actor)?;
                if let Some(id) = id {
                    check_id(id)?;
                }
                if method.is_empty() {
                    return Err(Error::Arguments("method is '': expected a name".to_owned()));
                }
                "the size of an emitted call in bytes"
            }
        };
        let found = self.bytes();
        if found > EFFECT_BYTES_MAX {
            return Err(Error::TooLarge { what, found, limit: EFFECT_BYTES_MAX });
        }
        Ok(())
    }
}

/// Whether an actor may be called so: the runtime's own may not.
pub(crate) fn check_receiver(actor: &ActorRef) -> Result<(), Error> {
    let actor_type = &actor.actor_type;
    if actor_type.is_system() || actor_type.is_internal() {
        return Err(Error::Arguments(format!(
            "actorType is '{actor_type}': expected a type of an application"
        )));
    }
    Ok(())
}

fn check_id(id: &str) -> Result<(), Error> {
    if IdempotencyKey::parse(id).is_err() {
        return Err(Error::Arguments(format!(
            "id is '{}': expected 1 to {IDEMPOTENCY_KEY_BYTES_MAX} visible ASCII characters",
            id.escape_debug()
        )));
    }
    Ok(())
}

/// Whose effects they are, and which of all that it ever emitted.
#[derive(Debug, Clone, Copy)]
pub struct Emitted<'a> {
    /// The actor whose turn it is.
    pub actor: &'a ActorRef,
    /// Its activation.
    pub fence: Fence,
    /// The number of the first of them; the others follow, and no others of the activation have
    /// any of these.
    pub first: u64,
    /// When they were checked, just before the commit, by the calendar: what was in time then is.
    pub at: SystemTime,
}

/// How many of which kind a commit stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored {
    /// Reminders to be set or dropped.
    pub reminders: usize,
    /// Calls to be made.
    pub calls: usize,
}

impl Stored {
    /// How many of each are among these.
    #[must_use]
    pub fn of(effects: &[Effect]) -> Self {
        let calls = effects.iter().filter(|effect| matches!(effect, Effect::Call { .. })).count();
        Self { reminders: effects.len() - calls, calls }
    }

    /// How many there are.
    #[must_use]
    pub fn all(self) -> usize {
        self.reminders + self.calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::CatchUp;

    fn call(actor_type: &str, method: &str, id: Option<&str>) -> Effect {
        Effect::Call {
            actor: ActorRef::parse(actor_type, "1").unwrap(),
            method: method.into(),
            body: Bytes::new(),
            id: id.map(Into::into),
        }
    }

    fn reminder(name: &str, due_time: &str) -> Effect {
        let spec = ReminderSpec { due_time: due_time.to_owned(), ..ReminderSpec::default() };
        let (name, data) = (name.into(), Bytes::new());
        Effect::SetReminder { name, spec: Box::new(spec), data, should_replace: true }
    }

    #[test]
    fn under_dapr_s_ways_a_reminder_is_as_if_it_were_registered_there() {
        let effect = |period: &str, catch_up| {
            let spec =
                ReminderSpec { period: period.to_owned(), catch_up, ..ReminderSpec::default() };
            let (name, data) = ("poll".into(), Bytes::new());
            Effect::SetReminder { name, spec: Box::new(spec), data, should_replace: true }
        };
        let mut poll = effect("1s", None);
        poll.go_by(Compat::Odeon).unwrap();
        assert_eq!(poll, effect("1s", None));
        poll.go_by(Compat::Dapr).unwrap();
        assert_eq!(poll, effect("1s", Some(CatchUp::All)));
        let refused = effect("@daily", None).go_by(Compat::Dapr).unwrap_err().to_string();
        assert!(refused.contains("unsupported period format: @daily"), "{refused}");
    }

    #[test]
    fn what_cannot_be_carried_out_is_refused_by_name() {
        let checked = |effect: Effect| effect.check(SystemTime::UNIX_EPOCH);
        checked(reminder("pay", "5s")).unwrap();
        checked(Effect::DropReminder { name: "pay".into() }).unwrap();
        checked(call("Goods", "Commit", Some("o1:3"))).unwrap();
        let long = "x".repeat(IDEMPOTENCY_KEY_BYTES_MAX + 1);
        for (effect, words) in [
            (reminder("a/b", "5s"), "name"),
            (reminder("pay", "soon"), "dueTime is 'soon'"),
            (reminder("pay", ""), "job must have either"),
            (Effect::DropReminder { name: "".into() }, "name"),
            (call("sys.state", "get", None), "actorType is 'sys.state'"),
            (call("dapr.internal.x", "get", None), "actorType is 'dapr.internal.x'"),
            (call("Goods", "", None), "method is ''"),
            (call("Goods", "Commit", Some("")), "id is ''"),
            (call("Goods", "Commit", Some("a b")), "id is 'a b'"),
            (call("Goods", "Commit", Some("ü")), "id is 'ü'"),
            (call("Goods", "Commit", Some(&long)), "expected 1 to 256 visible ASCII"),
        ] {
            let error = checked(effect).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let body = Bytes::from(vec![0; EFFECT_BYTES_MAX + 1]);
        let Effect::Call { actor, method, id, .. } = call("Goods", "Commit", None) else {
            unreachable!("it is one")
        };
        let error = checked(Effect::Call { actor, method, body, id }).unwrap_err();
        assert!(matches!(error, Error::TooLarge { limit: EFFECT_BYTES_MAX, .. }), "{error}");
    }
}
