//! Registering, reading, listing and deleting reminders of actors. Source: http-api.md 8.6;
//! actor-semantics.md 9.

use bytes::Bytes;
use odeon_base::ident;
use odeon_blocks::reminder::Reminders;
use odeon_blocks::reminder::forms::{CatchUpForm, Listing, Registration, ReminderForm};
use odeon_runtime::{ActorRef, Caller};
use serde::Serialize;
use serde_json::value::RawValue;

use super::answer::{self, Answer};
use super::request::Call;
use crate::api::Api;
use crate::json::{self, Fields};
use crate::status::Failure;
use crate::status::schedules::ReminderWork;

/// `POST|PUT /v1.0/actors/{type}/{id}/reminders/{name}`.
pub(super) async fn register(call: Call<'_>) -> Result<Answer, Failure> {
    let (actor, name) = (call.schedulable_actor()?, call.param("name")?.into_owned());
    let caller = Caller { deadline: call.deadline()?, chain: call.chain() };
    let limit = call.api.limits().body_bytes;
    // Wire: what is wrong with the body is said before what is wrong with the name.
    let body = call.body.read(limit).await.map_err(Failure::body_read)?;
    let asked = read(&body, &actor, &name).map_err(Failure::malformed)?;
    let reminders = reminders_of(call.api, &actor, &name, &caller).await?;
    let registered = reminders.register(asked, caller).await;
    match registered.map_err(|error| Failure::reminder(&error, ReminderWork::Create))? {
        true => Ok(answer::empty()),
        false => Err(Failure::reminder_exists(&name)),
    }
}

/// `GET /v1.0/actors/{type}/{id}/reminders/{name}`.
pub(super) async fn get(call: Call<'_>) -> Result<Answer, Failure> {
    let Asked { reminders, actor, name, caller } = Asked::read(&call).await?;
    let found = reminders.get(&actor, &name, caller).await;
    match found.map_err(|error| Failure::reminder(&error, ReminderWork::Get))? {
        Some(found) => Ok(answer::json(&Shown::new(&found))),
        None => Err(Failure::no_reminder(&name)),
    }
}

/// `DELETE /v1.0/actors/{type}/{id}/reminders/{name}`: 204 also when there was none.
pub(super) async fn delete(call: Call<'_>) -> Result<Answer, Failure> {
    let Asked { reminders, actor, name, caller } = Asked::read(&call).await?;
    let deleted = reminders.delete(&actor, &name, caller).await;
    deleted.map_err(|error| Failure::reminder(&error, ReminderWork::Delete))?;
    Ok(answer::empty())
}

/// `GET /odeon/v1/reminders/{type}?id=..&after=..&limit=..`: those of a type, or of one actor of
/// it, with where they stand (REM-14). Any host of the application tells; where reminders are open, any host of the namespace.
pub(super) async fn listing(call: Call<'_>) -> Result<Answer, Failure> {
    let actor_type = call.param("actorType")?.into_owned();
    let reminders = call.api.reminders_to_list(&actor_type);
    let reminders = reminders.map_err(|why| Failure::unremindable(&why))?;
    let listing = Listing {
        r#type: actor_type,
        id: call.query("id").filter(|id| !id.is_empty()),
        after: call.query("after").filter(|after| !after.is_empty()),
        limit: call.limit()?,
    };
    let caller = Caller { deadline: call.deadline()?, chain: call.chain() };
    let page = reminders.list(&listing, caller).await;
    Ok(answer::json(&page.map_err(|error| Failure::invoke(&error))?))
}

/// Which reminder, and for whom.
struct Asked<'a> {
    reminders: &'a Reminders,
    actor: ActorRef,
    name: String,
    caller: Caller,
}

impl<'a> Asked<'a> {
    async fn read(call: &Call<'a>) -> Result<Self, Failure> {
        let (actor, name) = (call.schedulable_actor()?, call.param("name")?.into_owned());
        let caller = Caller { deadline: call.deadline()?, chain: call.chain() };
        let reminders = reminders_of(call.api, &actor, &name, &caller).await?;
        Ok(Self { reminders, actor, name, caller })
    }
}

/// Where the actor's reminders are, if it may have one of this name here.
async fn reminders_of<'a>(
    api: &'a Api,
    actor: &ActorRef,
    name: &str,
    caller: &Caller,
) -> Result<&'a Reminders, Failure> {
    ident::check_name("name", name).map_err(Failure::bad_request)?;
    let found = api.reminders_of(actor, caller.deadline).await;
    found.map_err(|why| Failure::unremindable(&why))
}

/// A reminder as Dapr shows it.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(rename = "actorID")]
    actor_id: &'a str,
    #[serde(rename = "actorType")]
    actor_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(rename = "dueTime", skip_serializing_if = "str::is_empty")]
    due_time: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    period: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'a str>,
}

impl<'a> Shown<'a> {
    fn new(found: &'a ReminderForm) -> Self {
        Self {
            actor_id: &found.id,
            actor_type: &found.r#type,
            data: found.data.as_deref(),
            due_time: &found.due_time,
            period: &found.schedule,
            ttl: found.expires.as_deref(),
        }
    }
}

/// Reads `{"data"?, "dueTime", "period", "ttl", "overwrite"?, "catchUp"?, "fireImmediately"?}`.
fn read(body: &[u8], actor: &ActorRef, name: &str) -> Result<Registration, String> {
    let fields: Option<Fields<'_>> = json::first(body)?;
    let fields = fields.unwrap_or_default();
    let text = |name| -> Result<String, String> { Ok(fields.read(name)?.unwrap_or_default()) };
    let data = fields.raw("data").map(|raw| as_raw(&json::compact(raw))).transpose()?;
    Ok(Registration {
        r#type: actor.actor_type.to_string(),
        id: actor.id.as_str().to_owned(),
        name: name.to_owned(),
        due_time: text("dueTime")?,
        period: text("period")?,
        ttl: text("ttl")?,
        data,
        overwrite: fields.read("overwrite")?.unwrap_or(true),
        failure_policy: None,
        catch_up: fields.read::<CatchUpForm>("catchUp")?,
        fire_immediately: fields.read("fireImmediately")?.unwrap_or(false),
    })
}

fn as_raw(data: &Bytes) -> Result<Box<RawValue>, String> {
    serde_json::from_slice(data).map_err(|error| format!("data: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(body: &str) -> Result<Registration, String> {
        read(body.as_bytes(), &ActorRef::parse("Order", "1").unwrap(), "pay")
    }

    #[test]
    fn a_reminder_is_read_as_it_is_written() {
        let asked = read_one(
            r#"{"reminderName":"x","dueTime":"0h0m9s0ms","period":"R5/PT1S","ttl":null,
                "data": { "a" : 1 },"failurePolicy":{"drop":{}},"failure_policy":{"drop":{}},
                "overwrite":false}"#,
        )
        .unwrap();
        assert_eq!((&*asked.r#type, &*asked.id, &*asked.name), ("Order", "1", "pay"));
        assert_eq!((&*asked.due_time, &*asked.period, &*asked.ttl), ("0h0m9s0ms", "R5/PT1S", ""));
        assert_eq!(asked.data(), r#"{"a":1}"#);
        assert!(!asked.overwrite && asked.failure_policy.is_none());
        let asked = read_one(r#"{"data":null,"catchUp":"none","fireImmediately":true}"#).unwrap();
        assert_eq!(asked.data(), "null");
        assert_eq!((asked.catch_up, asked.overwrite), (Some(CatchUpForm::None), true));
        assert!(asked.fire_immediately);
        assert_eq!(read_one("{}").unwrap().data(), "");
        for body in ["", "[]", "{", r#"{"dueTime":5}"#, r#"{"catchUp":"some"}"#] {
            assert!(read_one(body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_reminder_is_shown_as_dapr_shows_it() {
        let data = RawValue::from_string(r#""eA==""#.to_owned()).unwrap();
        let found = ReminderForm {
            r#type: "Order".to_owned(),
            id: "1".to_owned(),
            name: "pay".to_owned(),
            due_time: "1m".to_owned(),
            period: "PT1S".to_owned(),
            schedule: "@every 1s".to_owned(),
            expires: Some("2030-01-01T00:00:00Z".to_owned()),
            data: Some(data),
            ..ReminderForm::default()
        };
        assert_eq!(
            serde_json::to_string(&Shown::new(&found)).unwrap(),
            r#"{"actorID":"1","actorType":"Order","data":"eA==","dueTime":"1m","period":"@every 1s","ttl":"2030-01-01T00:00:00Z"}"#
        );
        let bare = ReminderForm { expires: None, data: None, ..ReminderForm::default() };
        assert_eq!(
            serde_json::to_string(&Shown::new(&bare)).unwrap(),
            r#"{"actorID":"","actorType":""}"#
        );
    }
}
