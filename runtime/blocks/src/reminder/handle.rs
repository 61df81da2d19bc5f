//! The reminders of a host's application as its doors call them: to the partition that has them,
//! wherever it is. Those of other applications go by way of a host that knows their partitions.

use odeon_base::{ActorId, ActorType};
use odeon_runtime::{ActorRef, Caller, Engine, Error, Invocation};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::actor::{partition_of, partition_ref, type_of};
use super::forms::{
    Deleted, FoundForm, ListForm, Listing, Named, Of, PAGE_MAX, Registered, Registration,
    ReminderForm,
};
use super::gather::Gather;
use super::name::Name;
use super::told;
use crate::json;

/// What the names of the methods begin with by which a host is asked in place of a partition.
pub(crate) const FOR_OTHERS: &str = "reminders/";

/// The reminders of an application. Its clones share what waits to be registered.
#[derive(Debug, Clone)]
pub struct Reminders {
    engine: Engine,
    way: Way,
    actor_type: ActorType,
    partitions: u32,
}

/// Who is asked.
#[derive(Debug, Clone)]
enum Way {
    /// The partitions, which are of the type; what is registered gathers on its way to them.
    Partitions(Gather),
    /// A host of the actor's type, through the system actor of the type (REM-9). Seen from here
    /// it is one partition.
    Hosts,
}

impl Reminders {
    /// Those that are kept in this store.
    ///
    /// # Errors
    /// The name's own when application and store make no name of a type.
    pub fn new(
        engine: &Engine,
        store: &str,
        partitions: u32,
    ) -> Result<Self, odeon_base::ident::Invalid> {
        let actor_type = type_of(&engine.config().app, store)?;
        let way = Way::Partitions(Gather::new(engine.clone(), actor_type.clone()));
        Ok(Self { engine: engine.clone(), way, actor_type, partitions })
    }

    /// Those of types that other hosts of the namespace host, whatever their application (REM-9).
    /// `hosts` is the type of the system actor that answers for a host.
    #[must_use]
    pub fn elsewhere(engine: &Engine, hosts: ActorType) -> Self {
        Self { engine: engine.clone(), way: Way::Hosts, actor_type: hosts, partitions: 1 }
    }

    /// Registers a reminder; `false` if one of its name stands and was not to be replaced. Callers
    /// that register at the same time share a turn of the partition.
    ///
    /// # Errors
    /// [`Error::Arguments`] for a schedule that says no time; as [`Engine::call`].
    ///
    /// # Cancel safety
    /// It may be registered all the same.
    pub async fn register(&self, asked: Registration, caller: Caller) -> Result<bool, Error> {
        let actor = ActorRef::parse(&asked.r#type, &asked.id)?;
        let asked = asked.under(self.engine.config().compat)?;
        Name::new(&actor, &asked.name)?;
        let partition = self.partition(&actor);
        match &self.way {
            Way::Partitions(gather) => gather.register(partition, asked, caller).await,
            Way::Hosts => {
                let Registered { registered } =
                    self.ask(&actor, partition, "register", &asked, caller).await?;
                Ok(registered)
            }
        }
    }

    /// One reminder, if it is there.
    ///
    /// # Errors
    /// As [`Engine::call`].
    pub async fn get(
        &self,
        actor: &ActorRef,
        name: &str,
        caller: Caller,
    ) -> Result<Option<ReminderForm>, Error> {
        let FoundForm { reminder } =
            self.ask(actor, self.partition(actor), "get", &named(actor, name), caller).await?;
        Ok(reminder)
    }

    /// Deletes one, whether or not it is there.
    ///
    /// # Errors
    /// As [`Engine::call`].
    pub async fn delete(&self, actor: &ActorRef, name: &str, caller: Caller) -> Result<(), Error> {
        let Deleted { .. } =
            self.ask(actor, self.partition(actor), "delete", &named(actor, name), caller).await?;
        Ok(())
    }

    /// Deletes all of a type, or of one actor of it; how many there were. Not at one moment:
    /// each partition does so by itself.
    ///
    /// # Errors
    /// As [`Engine::call`]; those of earlier partitions are deleted.
    pub async fn delete_all(
        &self,
        actor_type: &ActorType,
        id: Option<&str>,
        caller: Caller,
    ) -> Result<u64, Error> {
        let whose = any_of(actor_type, id)?;
        let of = Of { r#type: actor_type.to_string(), id: id.map(str::to_owned) };
        let mut all = 0;
        for partition in self.partitions_of(actor_type, id)? {
            let Deleted { deleted } =
                self.ask(&whose, partition, "deleteAll", &of, caller.clone()).await?;
            all += deleted;
        }
        Ok(all)
    }

    /// A page of those of a type, or of one actor of it, in no order that means anything; what
    /// `next` says goes into `after` for the next page.
    ///
    /// # Errors
    /// [`Error::Arguments`] for an `after` that no page ended with; as [`Engine::call`].
    pub async fn list(&self, asked: &Listing, caller: Caller) -> Result<ListForm, Error> {
        let actor_type = ActorType::parse(&asked.r#type)?;
        let wrong = |after: &str| {
            Error::Arguments(format!(
                "after is '{}': expected what the page before ended with",
                after.escape_debug()
            ))
        };
        let (begin, mut after) = match &asked.after {
            None => (0, None),
            Some(cursor) => {
                let (partition, path) = cursor.split_once('/').ok_or_else(|| wrong(cursor))?;
                let partition: u32 = partition.parse().map_err(|_| wrong(cursor))?;
                (partition, Some(path.to_owned()).filter(|path| !path.is_empty()))
            }
        };
        let whose = any_of(&actor_type, asked.id.as_deref())?;
        let (mut found, limit) = (ListForm::default(), asked.limit.clamp(1, PAGE_MAX));
        for partition in self.partitions_of(&actor_type, asked.id.as_deref())? {
            if partition < begin {
                continue;
            }
            let left = limit.saturating_sub(found.reminders.len());
            if left == 0 {
                found.next = Some(format!("{partition}/"));
                break;
            }
            let after = if partition == begin { after.take() } else { None };
            let page = Listing { after, limit: left, ..asked.clone() };
            let ListForm { reminders, next } =
                self.ask(&whose, partition, "list", &page, caller.clone()).await?;
            found.reminders.extend(reminders);
            if let Some(next) = next {
                found.next = Some(format!("{partition}/{next}"));
                break;
            }
        }
        Ok(found)
    }

    fn partition(&self, actor: &ActorRef) -> u32 {
        partition_of(&actor.id, self.partitions)
    }

    fn partitions_of(
        &self,
        actor_type: &ActorType,
        id: Option<&str>,
    ) -> Result<std::ops::Range<u32>, Error> {
        Ok(match id {
            None => 0..self.partitions,
            Some(id) => {
                let one = self.partition(&ActorRef::parse(actor_type.as_str(), id)?);
                one..one + 1
            }
        })
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        whose: &ActorRef,
        partition: u32,
        method: &str,
        form: &impl Serialize,
        caller: Caller,
    ) -> Result<T, Error> {
        let actor = partition_ref(&self.actor_type, partition)?;
        let Caller { deadline, chain } = caller;
        let body = json::bytes(form)?;
        let reply = match self.way {
            Way::Partitions(_) => {
                let call = Invocation { deadline, chain, ..Invocation::new(actor, method, body) };
                self.engine.call(call).await?.body
            }
            Way::Hosts => {
                let method = format!("{FOR_OTHERS}{method}");
                let call = Invocation::new(actor, &method, body);
                let call = Invocation { deadline, chain, ..call };
                let reply = self.engine.call_host_of(whose, &self.actor_type, call).await?;
                told::hear(&reply.body)?
            }
        };
        json::answer(&reply)
    }
}

/// An actor of the type, where none in particular is meant.
fn any_of(actor_type: &ActorType, id: Option<&str>) -> Result<ActorRef, Error> {
    let id = ActorId::parse(id.unwrap_or("any"))?;
    Ok(ActorRef { actor_type: actor_type.clone(), id })
}

fn named(actor: &ActorRef, name: &str) -> Named {
    Named {
        r#type: actor.actor_type.to_string(),
        id: actor.id.as_str().to_owned(),
        name: name.to_owned(),
    }
}
