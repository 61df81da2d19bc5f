//! Reminders of a type that is hosted here, for the hosts of other applications (REM-9).
//!
//! What is asked and answered is that of a partition of reminders; the way to the partition is
//! known to the hosts of the application alone.

use odeon_runtime::seams::Call;
use odeon_runtime::{ActorRef, Caller, Engine, Error, Reply, Turn};
use serde::Deserialize;

use super::forms::TYPE;
use crate::json;
use crate::reminder::forms::{Deleted, FoundForm, Listing, Named, Registered, Registration};
use crate::reminder::handle::FOR_OTHERS;
use crate::reminder::told::tell;
use crate::reminder::{PARTITIONS, Reminders};

/// What all questions say.
#[derive(Deserialize)]
struct Whose {
    r#type: String,
    #[serde(default)]
    id: Option<String>,
}

/// Answers a question about reminders that are kept in `store`; `caller` is who waits for it.
pub(super) async fn answer(
    engine: &Engine,
    store: Option<&str>,
    turn: &Turn,
    call: Call,
    caller: Caller,
) -> Result<Reply, Error> {
    let Whose { r#type, id } = json::read(TYPE, &call)?;
    let actor = ActorRef::parse(&r#type, id.as_deref().unwrap_or("any"))?;
    if !engine.is_hosted(&engine.target(&actor)) {
        // No reminder is kept where nobody delivers it.
        return Err(turn.refuse(call, format!("actor type '{type}' is not hosted here")));
    }
    let reminders = match reminders(engine, store, &actor) {
        Ok(reminders) => reminders,
        Err(error) => return tell(Err::<(), _>(error)),
    };
    match call.method.strip_prefix(FOR_OTHERS).unwrap_or_default() {
        "register" => {
            let asked: Registration = json::read(TYPE, &call)?;
            let registered = reminders.register(asked, caller).await;
            tell(registered.map(|registered| Registered { registered }))
        }
        "get" => {
            let Named { name, .. } = json::read(TYPE, &call)?;
            let found = reminders.get(&actor, &name, caller).await;
            tell(found.map(|reminder| FoundForm { reminder }))
        }
        "delete" => {
            let Named { name, .. } = json::read(TYPE, &call)?;
            let deleted = reminders.delete(&actor, &name, caller).await;
            // Whether there was one is not told here.
            tell(deleted.map(|()| Deleted { deleted: 0 }))
        }
        "deleteAll" => {
            let deleted = reminders.delete_all(&actor.actor_type, id.as_deref(), caller).await;
            tell(deleted.map(|deleted| Deleted { deleted }))
        }
        "list" => {
            let asked: Listing = json::read(TYPE, &call)?;
            tell(reminders.list(&asked, caller).await)
        }
        other => Err(Error::Arguments(format!(
            "{TYPE} has no method '{FOR_OTHERS}{other}': expected register, get, delete, deleteAll or list"
        ))),
    }
}

/// Where the reminders of an actor are kept that may have any.
fn reminders(engine: &Engine, store: Option<&str>, actor: &ActorRef) -> Result<Reminders, Error> {
    let actor_type = &actor.actor_type;
    let refused = |why| Err(Error::Arguments(format!("actor type '{actor_type}' {why}")));
    if actor_type.is_system() {
        return refused("is reserved for the runtime");
    }
    if engine.is_pooled(actor_type) {
        return refused("is stateless and runs in several copies: it has no reminders");
    }
    Ok(Reminders::new(engine, store.ok_or(Error::NoStore)?, PARTITIONS)?)
}
