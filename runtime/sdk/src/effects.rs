//! What a turn sends out, as operations of the state transaction on the wire
//! (`host/docs/outbox.md`).

use odeon_blocks::reminder::forms::PolicyForm;
use odeon_proto::dapr::runtime::v1::TransactionalActorStateOperation as Operation;
use odeon_runtime::schedule::{CatchUp, FailurePolicy, ReminderSpec};
use odeon_runtime::{Effect, Error};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::Cause;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SetReminder<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    due_time: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    period: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    ttl: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    overwrite: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    catch_up: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_policy: Option<PolicyForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fire_immediately: Option<bool>,
}

#[derive(Serialize)]
struct DeleteReminder<'a> {
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Call<'a> {
    actor_type: &'a str,
    actor_id: &'a str,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

/// The operation that asks a host for it.
pub(crate) fn operation(effect: &Effect) -> Result<Operation, Cause> {
    let (kind, key, request) = match effect {
        Effect::SetReminder { name, spec, data, should_replace } => {
            let ReminderSpec { due_time, period, ttl, failure, catch_up, fires_at_once } = &**spec;
            let form = SetReminder {
                name,
                due_time,
                period,
                ttl,
                data: json(data)?,
                overwrite: *should_replace,
                catch_up: catch_up.map(word),
                failure_policy: (*failure != FailurePolicy::default()).then(|| (*failure).into()),
                fire_immediately: fires_at_once.then_some(true),
            };
            ("setReminder", &**name, written(&form)?)
        }
        Effect::DropReminder { name } => {
            ("deleteReminder", &**name, written(&DeleteReminder { name })?)
        }
        Effect::Call { actor, method, body, id } => {
            let form = Call {
                actor_type: actor.actor_type.as_str(),
                actor_id: actor.id.as_str(),
                method,
                data: json(body)?,
                id: id.as_deref(),
            };
            ("call", "", written(&form)?)
        }
    };
    Ok(Operation {
        operation_type: kind.to_owned(),
        key: key.to_owned(),
        value: Some(prost_types::Any { type_url: String::new(), value: request }),
        ..Operation::default()
    })
}

fn word(catch_up: CatchUp) -> &'static str {
    match catch_up {
        CatchUp::All => "all",
        CatchUp::One => "one",
        CatchUp::None => "none",
    }
}

fn json(body: &[u8]) -> Result<Option<&RawValue>, Cause> {
    if body.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(body).map(Some).map_err(|error| unfit(&error))
}

fn written(form: &impl Serialize) -> Result<Vec<u8>, Cause> {
    serde_json::to_vec(form).map_err(|error| unfit(&error))
}

fn unfit(error: &serde_json::Error) -> Cause {
    Cause::Engine(Error::Arguments(format!("what the turn sends out: {error}")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Message, Reminder};

    #[test]
    fn effects_become_operations() {
        let told = |effect: Effect| {
            let Operation { operation_type, key, value, metadata } = operation(&effect).unwrap();
            assert!(metadata.is_empty());
            let text = String::from_utf8(value.unwrap().value).unwrap();
            (operation_type, key, text)
        };
        let expected =
            |kind: &str, key: &str, text: &str| (kind.to_owned(), key.to_owned(), text.to_owned());
        let pay = Reminder::after(Duration::from_secs(5)).with(&7).unwrap();
        assert_eq!(
            told(pay.effect("pay").unwrap()),
            expected(
                "setReminder",
                "pay",
                r#"{"name":"pay","dueTime":"5s","data":7,"overwrite":true}"#
            )
        );
        let daily = Reminder::cron("@daily").catch_up(CatchUp::None).unless_set();
        assert_eq!(
            told(daily.effect("d").unwrap()),
            expected(
                "setReminder",
                "d",
                r#"{"name":"d","period":"@daily","overwrite":false,"catchUp":"none"}"#
            )
        );
        let spec = ReminderSpec {
            period: "1h".to_owned(),
            failure: FailurePolicy::Constant { interval: Duration::from_secs(2), retries: None },
            fires_at_once: true,
            ..ReminderSpec::default()
        };
        let (name, data, should_replace) = ("h".into(), "".into(), true);
        let hourly = Effect::SetReminder { name, spec: Box::new(spec), data, should_replace };
        assert_eq!(
            told(hourly),
            expected(
                "setReminder",
                "h",
                r#"{"name":"h","period":"1h","overwrite":true,"failurePolicy":{"constant":{"interval":"2s"}},"fireImmediately":true}"#
            )
        );
        assert_eq!(
            told(Effect::DropReminder { name: "pay".into() }),
            expected("deleteReminder", "pay", r#"{"name":"pay"}"#)
        );
        let message = Message::to("Goods", "g1", "commit").unwrap();
        assert_eq!(
            told(message.clone().effect()),
            expected("call", "", r#"{"actorType":"Goods","actorId":"g1","method":"commit"}"#)
        );
        assert_eq!(
            told(message.with("x").unwrap().id("o1:2").effect()),
            expected(
                "call",
                "",
                r#"{"actorType":"Goods","actorId":"g1","method":"commit","data":"x","id":"o1:2"}"#
            )
        );
    }
}
