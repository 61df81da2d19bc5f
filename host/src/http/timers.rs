//! Setting and dropping timers of actors. Source: http-api.md 8.7; actor-semantics.md 8.

use bytes::Bytes;
use odeon_base::ident;
use odeon_runtime::schedule::TimerSpec;
use odeon_runtime::{CallKind, Invocation};

use super::answer::{self, Answer};
use super::request::Call;
use crate::json::{self, Fields};
use crate::status::Failure;

/// `POST|PUT /v1.0/actors/{type}/{id}/timers/{name}`.
pub(super) async fn set(call: Call<'_>) -> Result<Answer, Failure> {
    let (actor, name) = (call.schedulable_actor()?, call.param("name")?.into_owned());
    let (deadline, chain) = (call.deadline()?, call.chain());
    let limit = call.api.limits().body_bytes;
    let body = call.body.read(limit).await.map_err(Failure::body_read)?;
    let (spec, data) = read(&body).map_err(Failure::malformed)?;
    ident::check_name("name", &name).map_err(Failure::bad_request)?;
    Failure::check_runnable(call.api.can_run(&actor.actor_type))?;
    let kind = CallKind::SetTimer(spec.into());
    let invocation =
        Invocation { kind, deadline, chain, ..Invocation::new(actor.clone(), &name, data) };
    let set = call.api.engine().call(invocation).await;
    set.map_err(|error| Failure::timer(&error, &actor))?;
    Ok(answer::empty())
}

/// `DELETE /v1.0/actors/{type}/{id}/timers/{name}`: 204 also when there was none.
pub(super) async fn drop(call: Call<'_>) -> Result<Answer, Failure> {
    let (actor, name) = (call.schedulable_actor()?, call.param("name")?);
    ident::check_name("name", &name).map_err(Failure::bad_request)?;
    Failure::check_runnable(call.api.can_run(&actor.actor_type))?;
    let invocation = Invocation {
        kind: CallKind::DropTimer,
        deadline: call.deadline()?,
        chain: call.chain(),
        ..Invocation::new(actor.clone(), &name, Bytes::new())
    };
    let dropped = call.api.engine().call(invocation).await;
    dropped.map_err(|error| Failure::timer(&error, &actor))?;
    Ok(answer::empty())
}

/// Reads `{"data"?, "dueTime", "period", "ttl", "callback", "keepAlive"?}`.
fn read(body: &[u8]) -> Result<(TimerSpec, Bytes), String> {
    let fields: Option<Fields<'_>> = json::first(body)?;
    let fields = fields.unwrap_or_default();
    let text = |name| -> Result<String, String> { Ok(fields.read(name)?.unwrap_or_default()) };
    let spec = TimerSpec {
        due_time: text("dueTime")?,
        period: text("period")?,
        ttl: text("ttl")?,
        callback: text("callback")?,
        keep_alive: fields.read("keepAlive")?.unwrap_or(true),
    };
    Ok((spec, fields.raw("data").map(json::compact).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_read_as_it_is_written() {
        let (spec, data) = read(
            br#"{"dueTime":"0h0m9s0ms","period":"R5/P1DT2H","ttl":null,"callback":"Tick",
                 "data": { "a" : 1 },"reminderName":"x"}"#,
        )
        .unwrap();
        assert_eq!((spec.due_time.as_str(), spec.period.as_str()), ("0h0m9s0ms", "R5/P1DT2H"));
        assert_eq!((spec.ttl.as_str(), spec.callback.as_str()), ("", "Tick"));
        assert!(spec.keep_alive);
        assert_eq!(data, r#"{"a":1}"#);
        let (spec, data) = read(br#"{"data":null,"keepAlive":false}"#).unwrap();
        assert_eq!((data.as_ref(), spec.keep_alive), (&b"null"[..], false));
        assert_eq!(read(b"{}").unwrap(), (TimerSpec::default(), Bytes::new()));
        for body in ["", "[]", "{", r#"{"dueTime":5}"#, r#"{"keepAlive":"yes"}"#] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
