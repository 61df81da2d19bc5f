//! Registering, reading, listing and deleting reminders of actors. Source: grpc-api.md 3.6;
//! actor-semantics.md 9.

use std::time::Duration;

use bytes::Bytes;
use odeon_base::ident;
use odeon_blocks::reminder::Reminders;
use odeon_blocks::reminder::forms::{Listing, PAGE_MAX, PolicyForm, Registration, ReminderForm};
use odeon_proto::dapr::common::v1::JobFailurePolicy;
use odeon_proto::dapr::common::v1::job_failure_policy::Policy;
use odeon_proto::dapr::runtime::v1::{
    ActorReminder, GetActorReminderRequest, GetActorReminderResponse, ListActorRemindersRequest,
    ListActorRemindersResponse, NamedActorReminder, RegisterActorReminderRequest,
    UnregisterActorReminderRequest, UnregisterActorRemindersByTypeRequest,
    UnregisterActorRemindersByTypeResponse,
};
use odeon_runtime::schedule::go_text;
use odeon_runtime::{ActorRef, Caller};
use serde_json::value::RawValue;
use tonic::metadata::MetadataMap;

use super::scheduled::{called_by, json_of, schedulable_actor};
use crate::api::Api;
use crate::channel::tick;
use crate::status::Failure;
use crate::status::schedules::ReminderWork;

/// `RegisterActorReminder`.
pub(super) async fn register(
    api: &Api,
    caller: &MetadataMap,
    request: RegisterActorReminderRequest,
) -> Result<(), Failure> {
    let RegisterActorReminderRequest {
        actor_type,
        actor_id,
        name,
        due_time,
        period,
        data,
        ttl,
        overwrite,
        failure_policy,
    } = request;
    let actor = schedulable_actor(&actor_type, &actor_id)?;
    if name.is_empty() {
        return Err(Failure::bad_request("reminder name cannot be empty"));
    }
    ident::check_name("name", &name).map_err(Failure::bad_request)?;
    let asker = called_by(caller)?;
    let reminders = reminders(api, &actor, &asker).await?;
    let data = json_of(caller, &data).map_err(Failure::bad_request)?;
    let data = (!data.is_empty()).then(|| serde_json::from_slice::<Box<RawValue>>(&data));
    let asked = Registration {
        r#type: actor_type,
        id: actor_id,
        name: name.clone(),
        due_time,
        period,
        ttl,
        data: data.transpose().map_err(Failure::bad_request)?,
        overwrite: overwrite.unwrap_or(true),
        failure_policy: failure_policy.and_then(policy),
        ..Registration::default()
    };
    let registered = reminders.register(asked, asker).await;
    match registered.map_err(|error| Failure::reminder(&error, ReminderWork::Create))? {
        true => Ok(()),
        false => Err(Failure::reminder_exists(&name)),
    }
}

/// `UnregisterActorReminder`: well also when there was none.
pub(super) async fn unregister(
    api: &Api,
    caller: &MetadataMap,
    request: UnregisterActorReminderRequest,
) -> Result<(), Failure> {
    let actor = schedulable_actor(&request.actor_type, &request.actor_id)?;
    ident::check_name("name", &request.name).map_err(Failure::bad_request)?;
    let caller = called_by(caller)?;
    let reminders = reminders(api, &actor, &caller).await?;
    let deleted = reminders.delete(&actor, &request.name, caller).await;
    deleted.map_err(|error| Failure::reminder(&error, ReminderWork::Delete))
}

/// `UnregisterActorRemindersByType`: all of the type, or of one actor of it.
pub(super) async fn unregister_all(
    api: &Api,
    caller: &MetadataMap,
    request: UnregisterActorRemindersByTypeRequest,
) -> Result<UnregisterActorRemindersByTypeResponse, Failure> {
    let id = request.actor_id.as_deref().filter(|id| !id.is_empty());
    let actor = schedulable_actor(&request.actor_type, id.unwrap_or("any"))?;
    let caller = called_by(caller)?;
    let reminders = reminders(api, &actor, &caller).await?;
    let deleted = reminders.delete_all(&actor.actor_type, id, caller).await;
    deleted.map_err(|error| Failure::reminder(&error, ReminderWork::Delete))?;
    Ok(UnregisterActorRemindersByTypeResponse {})
}

/// `ListActorReminders`: all of the type, or of one actor of it.
pub(super) async fn list(
    api: &Api,
    caller: &MetadataMap,
    request: ListActorRemindersRequest,
) -> Result<ListActorRemindersResponse, Failure> {
    let id = request.actor_id.filter(|id| !id.is_empty());
    let actor = schedulable_actor(&request.actor_type, id.as_deref().unwrap_or("any"))?;
    let caller = called_by(caller)?;
    let reminders = reminders(api, &actor, &caller).await?;
    let mut listing = Listing { r#type: request.actor_type, id, after: None, limit: PAGE_MAX };
    let mut found = Vec::new();
    loop {
        let page = reminders.list(&listing, caller.clone()).await;
        let page = page.map_err(|error| Failure::reminder(&error, ReminderWork::Get))?;
        found.extend(
            page.reminders.into_iter().map(|one| NamedActorReminder {
                name: one.name.clone(),
                reminder: Some(shown(one)),
            }),
        );
        match page.next {
            Some(next) => listing.after = Some(next),
            None => return Ok(ListActorRemindersResponse { reminders: found }),
        }
    }
}

/// `GetActorReminder`.
pub(super) async fn get(
    api: &Api,
    caller: &MetadataMap,
    request: GetActorReminderRequest,
) -> Result<GetActorReminderResponse, Failure> {
    let actor = schedulable_actor(&request.actor_type, &request.actor_id)?;
    ident::check_name("name", &request.name).map_err(Failure::bad_request)?;
    let caller = called_by(caller)?;
    let reminders = reminders(api, &actor, &caller).await?;
    let found = reminders.get(&actor, &request.name, caller).await;
    let found = found.map_err(|error| Failure::reminder(&error, ReminderWork::Get))?;
    let found = found.ok_or_else(|| Failure::no_reminder(&request.name))?;
    let ActorReminder { actor_type, actor_id, due_time, period, data, ttl } = shown(found);
    Ok(GetActorReminderResponse { actor_type, actor_id, due_time, period, data, ttl })
}

async fn reminders<'a>(
    api: &'a Api,
    actor: &ActorRef,
    caller: &Caller,
) -> Result<&'a Reminders, Failure> {
    let found = api.reminders_of(actor, caller.deadline).await;
    found.map_err(|why| Failure::unremindable(&why))
}

fn shown(found: ReminderForm) -> ActorReminder {
    let said = |text: String| Some(text).filter(|text| !text.is_empty());
    let data = found.data.map(|data| Bytes::from(String::from(Box::<str>::from(data))));
    ActorReminder {
        actor_type: found.r#type,
        actor_id: found.id,
        due_time: said(found.due_time),
        period: said(found.schedule),
        data: tick::any(&data.unwrap_or_default()),
        ttl: found.expires,
    }
}

/// The policy as it is asked for; without one it is the default.
fn policy(said: JobFailurePolicy) -> Option<PolicyForm> {
    Some(match said.policy? {
        Policy::Drop(_) => PolicyForm::Drop {},
        Policy::Constant(constant) => {
            let interval = constant.interval.and_then(|interval| Duration::try_from(interval).ok());
            PolicyForm::Constant {
                interval: go_text(interval.unwrap_or_default()),
                max_retries: constant.max_retries,
            }
        }
    })
}
