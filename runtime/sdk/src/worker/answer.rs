//! What a worker says to its host: who it is, and how a turn ended.
//!
//! Pure translation to the messages of `SubscribeActorEventsAlpha1`.

use std::any::Any;
use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use odeon_base::Kind;
use odeon_proto::dapr::runtime::v1 as proto;
use proto::subscribe_actor_events_request_alpha1::RequestType;
use tonic::Code;

use crate::actor::Settings;
use crate::error::{Error, TurnError};

/// The codes that are used only for what was refused before it began (and `NotFound`,
/// which Dapr knows): InvalidArgument, ResourceExhausted, Unavailable. A turn that ran
/// ends with others, whatever it failed with.
pub(crate) const REFUSAL_CODES: &str = "3,8,14";

/// A message to the host.
pub(crate) type Message = proto::SubscribeActorEventsRequestAlpha1;

/// Which question is answered: each kind has an answer of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Invoke,
    Reminder,
    Timer,
}

/// The first message: the types and their settings.
pub(crate) fn introduction<'a>(
    types: impl Iterator<Item = (&'static str, &'a Settings)>,
) -> Message {
    let mut initial = proto::SubscribeActorEventsRequestInitialAlpha1::default();
    for (name, settings) in types {
        initial.entities.push(name.to_owned());
        let config = proto::ActorEntityConfig {
            entities: vec![name.to_owned()],
            actor_idle_timeout: settings.idle_timeout.map(duration),
            drain_ongoing_call_timeout: settings.drain_timeout.map(duration),
            drain_rebalanced_actors: None,
            reentrancy: settings.reentrant.map(|depth| proto::ActorReentrancyConfig {
                enabled: true,
                max_stack_depth: Some(i32::try_from(depth).unwrap_or(i32::MAX)),
            }),
        };
        let is_silent = config.actor_idle_timeout.is_none()
            && config.drain_ongoing_call_timeout.is_none()
            && config.reentrancy.is_none();
        if !is_silent {
            initial.entities_config.push(config);
        }
    }
    message(RequestType::InitialRequest(initial))
}

/// Settings that the first message has no place for, as JSON in ASCII; `None` where there are none.
pub(crate) fn own<'a>(types: impl Iterator<Item = (&'static str, &'a Settings)>) -> Option<String> {
    let mut all = Vec::new();
    for (name, settings) in types {
        let mut own = serde_json::Map::new();
        let mut list = |field: &str, methods: &[&str]| {
            if !methods.is_empty() {
                own.insert(field.to_owned(), methods.into());
            }
        };
        list("readOnlyMethods", settings.read_only);
        list("interleaveMethods", settings.interleaving);
        if let Some(ttl) = settings.idempotency_ttl {
            own.insert("idempotencyTtl".to_owned(), format!("{}ms", ttl.as_millis()).into());
        }
        if let Some((max, scale_at)) = settings.pool {
            let pool = serde_json::json!({ "maxPerHost": max, "scaleAt": scale_at });
            own.insert("stateless".to_owned(), pool);
        }
        if !own.is_empty() {
            own.insert("entities".to_owned(), [name].as_slice().into());
            all.push(serde_json::Value::Object(own));
        }
    }
    (!all.is_empty()).then(|| ascii(&serde_json::Value::Array(all).to_string()))
}

/// JSON with all that is not ASCII escaped: it stands in a header.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for symbol in json.chars() {
        match symbol.is_ascii() {
            true => text.push(symbol),
            false => symbol.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                text.push_str(&format!("\\u{unit:04x}"));
            }),
        }
    }
    text
}

fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration::try_from(duration)
        .unwrap_or(prost_types::Duration { seconds: i64::MAX, nanos: 0 })
}

/// How a turn ended.
pub(crate) fn turn(asked: Asked, id: String, ended: Result<Bytes, TurnError>) -> Message {
    match (asked, ended) {
        (Asked::Invoke, Ok(data)) => {
            let metadata = match data.is_empty() {
                true => HashMap::new(),
                false => {
                    HashMap::from([("content-type".to_owned(), "application/json".to_owned())])
                }
            };
            message(RequestType::InvokeResponse(
                proto::SubscribeActorEventsRequestInvokeResponseAlpha1 {
                    id,
                    data,
                    metadata,
                    error: false,
                },
            ))
        }
        (Asked::Reminder, Ok(_)) => message(RequestType::ReminderResponse(
            proto::SubscribeActorEventsRequestReminderResponseAlpha1 { id, cancel: false },
        )),
        (Asked::Timer, Ok(_)) => message(RequestType::TimerResponse(
            proto::SubscribeActorEventsRequestReminderResponseAlpha1 { id, cancel: false },
        )),
        (_, Err(error)) => {
            let (code, words) = failure(&error);
            failed(id, code, words)
        }
    }
}

/// The actor has been deactivated.
pub(crate) fn deactivated(id: String) -> Message {
    message(RequestType::DeactivateResponse(
        proto::SubscribeActorEventsRequestDeactivateResponseAlpha1 { id },
    ))
}

/// There is no answer, and why.
pub(crate) fn failed(id: String, code: Code, message_text: impl Into<String>) -> Message {
    message(RequestType::RequestFailed(proto::SubscribeActorEventsRequestFailedAlpha1 {
        id,
        code: u32::try_from(i32::from(code)).unwrap_or_default(),
        message: message_text.into(),
    }))
}

fn message(request_type: RequestType) -> Message {
    Message { request_type: Some(request_type) }
}

/// Code and words of a failed turn. Wire: 5 tells the host that trying again is no use.
fn failure(error: &TurnError) -> (Code, String) {
    match error {
        TurnError::Refused(error @ Error::NoMethod { .. }) => (Code::NotFound, error.to_string()),
        TurnError::Refused(error) => (Code::InvalidArgument, error.to_string()),
        TurnError::Failed(Error::State(cause)) => (code(cause.kind()), cause.to_string()),
        TurnError::Failed(error) => (Code::Unknown, error.report()),
        TurnError::Commit(cause) => (code(cause.kind()), cause.to_string()),
    }
}

/// The code for trouble with the state; none of [`REFUSAL_CODES`].
fn code(kind: Kind) -> Code {
    match kind {
        Kind::Conflict | Kind::Moved => Code::Aborted,
        Kind::Timeout => Code::DeadlineExceeded,
        Kind::Unavailable
        | Kind::Draining
        | Kind::Overloaded
        | Kind::Invalid
        | Kind::NotFound
        | Kind::AppFailed
        | Kind::Unsupported
        | Kind::Internal => Code::Internal,
    }
}

/// What a panic said.
pub(crate) fn panic_words(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no words")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(message: Message) -> u32 {
        match message.request_type {
            Some(RequestType::RequestFailed(failed)) => failed.code,
            _ => 0,
        }
    }

    #[test]
    fn each_failure_has_its_code() {
        let no_method =
            Error::NoMethod { actor_type: "Counter", method: "ad".into(), nearest: None };
        let bad = Error::Arguments { method: "add", reason: "no number".into() };
        for (error, code) in [
            (TurnError::Refused(no_method.clone()), 5),
            (TurnError::Refused(bad), 3),
            (TurnError::Failed(Error::failed("no")), 2),
            // The inner call's method is missing; this actor's is not.
            (TurnError::Failed(no_method), 2),
            (TurnError::Commit(odeon_runtime::Error::NotActive.into()), 10),
        ] {
            let message = turn(Asked::Invoke, "1".into(), Err(error.clone()));
            assert_eq!(code_of(message), code, "{error:?}");
        }
    }

    #[test]
    fn a_turn_that_ran_never_ends_with_a_code_of_refusals() {
        use odeon_runtime::store;
        let unavailable = store::Error::Unavailable { reason: "no route".into() };
        for cause in [
            odeon_runtime::Error::Closed,
            odeon_runtime::Error::Store(unavailable),
            odeon_runtime::Error::TooLarge { what: "it", found: 2, limit: 1 },
        ] {
            for error in [
                TurnError::Commit(cause.clone().into()),
                TurnError::Failed(Error::State(cause.clone().into())),
                TurnError::Failed(Error::Call(cause.into())),
            ] {
                let code = code_of(turn(Asked::Invoke, "1".into(), Err(error.clone())));
                let is_kept = REFUSAL_CODES.split(',').any(|kept| kept == code.to_string());
                assert!(!is_kept && code != 5, "{error:?}: {code}");
            }
        }
    }

    #[test]
    fn a_timer_is_answered_in_its_own_field() {
        let answer = turn(Asked::Timer, "7".into(), Ok(Bytes::new())).request_type;
        assert!(matches!(answer, Some(RequestType::TimerResponse(_))));
        let answer = turn(Asked::Reminder, "7".into(), Ok(Bytes::new())).request_type;
        assert!(matches!(answer, Some(RequestType::ReminderResponse(_))));
    }

    #[test]
    fn settings_of_our_own_stand_in_a_header() {
        let set = Settings {
            read_only: &["value", "größe"],
            idempotency_ttl: Some(Duration::from_secs(60)),
            ..Settings::default()
        };
        let sent = own([("Plain", &Settings::default()), ("Set", &set)].into_iter()).unwrap();
        let expected = r#"[{"entities":["Set"],"idempotencyTtl":"60000ms","readOnlyMethods":["value","gr\u00f6\u00dfe"]}]"#;
        assert_eq!(sent, expected);
        assert_eq!(own([("Plain", &Settings::default())].into_iter()), None);
    }

    #[test]
    fn only_settings_that_were_made_are_sent() {
        let plain = Settings::default();
        let set = Settings {
            idle_timeout: Some(Duration::from_secs(600)),
            reentrant: Some(4),
            ..Settings::default()
        };
        let types = [("Plain", &plain), ("Set", &set)];
        let Some(RequestType::InitialRequest(sent)) = introduction(types.into_iter()).request_type
        else {
            panic!("the introduction is the initial request")
        };
        assert_eq!(sent.entities, ["Plain", "Set"]);
        assert_eq!(sent.entities_config.len(), 1);
        let config = &sent.entities_config[0];
        assert_eq!(config.actor_idle_timeout.map(|time| time.seconds), Some(600));
        assert_eq!(config.reentrancy.and_then(|own| own.max_stack_depth), Some(4));
        assert_eq!(config.drain_ongoing_call_timeout, None);
    }
}
