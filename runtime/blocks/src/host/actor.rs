//! The system actor behind [`TYPE`]: each of its methods, and who is asked for the answer.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use odeon_base::ActorType;
use odeon_ring::{Member, Policy};
use odeon_runtime::config::{TurnPolicy, TypeConfig, TypeSpec};
use odeon_runtime::error::Error;
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::status::{Relocated, Relocation};
use odeon_runtime::{ActorRef, CallChain, Caller, Engine, Invocation, Reply, Turn};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::forms::{
    ActorForm, ActorsForm, Draining, EndedForm, ExplainForm, HostForm, HostRow, HostsForm,
    InspectForm, KeyForm, Listing, MovedForm, Moving, Named, PAGE_MAX, TYPE, TimerForm, TypeForm,
    millis, policy_word,
};
use super::reminding;
use crate::json;
use crate::reminder::handle::FOR_OTHERS;
use crate::reminder::{PARTITIONS, Reminders};

/// Methods about one actor, which its owner answers.
const ABOUT_ONE: [&str; 4] = ["inspect", "explain", "deactivate", "delete"];
/// Questions that one host answers at once.
const TURNS_MAX: u32 = 64;
/// How long another host may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a move may wait for a turn to end where the actor was.
const MOVING: Duration = Duration::from_secs(50);
/// How long it may take to end or delete an actor, which waits for a turn.
const ACTING: Duration = Duration::from_secs(61);

/// A host, as an actor.
#[derive(Debug)]
pub struct HostActor {
    /// The component in which reminders of this host's application are kept.
    reminders_in: Option<Arc<str>>,
}

impl HostActor {
    /// The type for an engine. `reminders_in` names the component in which the reminders of its
    /// application are kept, if there are any.
    ///
    /// # Errors
    /// The name's own, were it not acceptable.
    pub fn spec(reminders_in: Option<&str>) -> Result<TypeSpec, odeon_base::ident::Invalid> {
        let config = TypeConfig {
            placement: Policy::Local,
            turns: TurnPolicy::Concurrent { max: TURNS_MAX },
            stateless: true,
            ..TypeConfig::default()
        };
        let actor_type = ActorType::parse(TYPE)?;
        Ok(TypeSpec {
            actor_type,
            config,
            behaviour: Arc::new(Self { reminders_in: reminders_in.map(Into::into) }),
        })
    }
}

impl Behaviour for HostActor {
    fn activate<'a>(&'a self, _: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>> {
        async { Ok(Instance::Shared(Arc::new(()))) }.boxed()
    }

    fn invoke<'a>(
        &'a self,
        _: &'a mut Instance,
        turn: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, Error>> {
        async move {
            let Some(engine) = Engine::of(turn) else { return Err(Error::Closed) };
            let chain = turn.chain();
            let above = chain.hops().split_last().map_or(&[][..], |(_, above)| above);
            let above = CallChain::new(above, None);
            let reminders_in = self.reminders_in.clone();
            if call.method.starts_with(FOR_OTHERS) {
                let caller = Caller { deadline: turn.deadline(), chain: above };
                let store = reminders_in.as_deref();
                return reminding::answer(&engine, store, turn, call, caller).await;
            }
            let desk = Desk { name: engine.config().host.to_string(), engine, above, reminders_in };
            let asked = turn.actor().id.as_str();
            if asked == desk.name {
                desk.answer(call).await
            } else {
                desk.pass_on(asked, call).await
            }
        }
        .boxed()
    }

    fn is_shared(&self) -> bool {
        true
    }
}

/// One host, answering.
struct Desk {
    engine: Engine,
    name: String,
    /// Who waits for the answer.
    above: CallChain,
    reminders_in: Option<Arc<str>>,
}

impl Desk {
    async fn answer(&self, call: Call) -> Result<Reply, Error> {
        let method = Arc::clone(&call.method);
        match &*method {
            "status" => json::reply(&self.status()),
            "hosts" => json::reply(&self.hosts().await),
            "actors" => json::reply(&self.actors(&json::read(TYPE, &call)?)),
            "allActors" => json::reply(&self.all_actors(json::read(TYPE, &call)?).await),
            "drain" => {
                let Draining { limit_ms } = json::read(TYPE, &call)?;
                self.engine.drain(Duration::from_millis(limit_ms));
                json::reply(&self.status())
            }
            "move" => json::reply(&self.relocate(json::read(TYPE, &call)?).await?),
            of_one if ABOUT_ONE.contains(&of_one) => {
                self.of_owner(of_one, json::read(TYPE, &call)?).await
            }
            other => Err(Error::Arguments(format!(
                "{TYPE} has no method '{other}': expected status, hosts, actors, allActors, inspect, explain, deactivate, delete, move or drain"
            ))),
        }
    }

    async fn pass_on(&self, host: &str, call: Call) -> Result<Reply, Error> {
        let seen = self.engine.hosts();
        let Some(member) = seen.iter().find(|one| one.member.host.as_str() == host) else {
            let known: Vec<_> = seen.iter().map(|one| one.member.host.as_str()).collect();
            return Err(Error::Arguments(format!(
                "no host '{host}' stands in any table; those that do: {}",
                known.join(", ")
            )));
        };
        self.ask(&member.member, &call.method, call.body.clone()).await
    }

    async fn ask(
        &self,
        host: &Member,
        method: &str,
        body: impl Into<bytes::Bytes>,
    ) -> Result<Reply, Error> {
        let actor = ActorRef::parse(TYPE, host.host.as_str())?;
        let mut call = Invocation::new(actor, method, body);
        let limit = if matches!(method, "deactivate" | "delete") { ACTING } else { PATIENCE };
        call.deadline = Some(Instant::now() + limit);
        call.chain = self.above.clone();
        self.engine.call_on(host, call).await
    }

    fn status(&self) -> HostForm {
        let (status, metrics) = (self.engine.status(), self.engine.metrics());
        let hosted = status.types.into_iter().filter(|one| one.is_hosted);
        let types = hosted.map(|one| {
            let counted = metrics.iter().find(|of| of.actor_type == one.actor_type);
            TypeForm {
                r#type: one.actor_type.to_string(),
                placement: one.placement.map(policy_word).unwrap_or_default().to_owned(),
                active: one.active,
                running: counted.map_or(0, |of| of.running),
                waiting: counted.map_or(0, |of| of.waiting),
                epoch: one.epoch.map(|epoch| epoch.to_string()),
                blocked: one.blocked.map(str::to_owned),
            }
        });
        let config = self.engine.config();
        HostForm {
            name: self.name.clone(),
            address: config.address.to_string(),
            app: config.app.to_string(),
            incarnation: status.incarnation.map(|incarnation| incarnation.to_string()),
            lease_left_ms: millis(status.lease_left),
            is_placement_connected: status.is_placement_connected,
            is_draining: status.is_leaving,
            types: types.collect(),
        }
    }

    /// This host and all that stand in tables, each asked at the same time.
    async fn hosts(&self) -> HostsForm {
        let others = self.others();
        let asked = others.iter().map(|member| async move {
            let name = member.host.to_string();
            let answer = self.ask(member, "status", "").await.map(|reply| reply.body);
            match answer.map_err(|error| error.to_string()).and_then(|body| parse(&body)) {
                Ok(status) => HostRow { name, status: Some(status), error: None },
                Err(error) => HostRow { name, status: None, error: Some(error) },
            }
        });
        let mut hosts = join_all(asked).await;
        let own = HostRow { name: self.name.clone(), status: Some(self.status()), error: None };
        hosts.push(own);
        hosts.sort_by(|a, b| a.name.cmp(&b.name));
        HostsForm { hosts }
    }

    fn others(&self) -> Vec<Arc<Member>> {
        let seen = self.engine.hosts().into_iter().map(|one| one.member);
        seen.filter(|member| member.host.as_str() != self.name).collect()
    }

    fn actors(&self, listing: &Listing) -> ActorsForm {
        let limit = listing.limit.clamp(1, PAGE_MAX);
        let page = self.engine.actors(&listing.r#type, &listing.after, limit);
        let actors: Vec<_> =
            page.actors.iter().map(|status| ActorForm::new(&self.name, status)).collect();
        let last = actors.last().map(|actor| actor.id.clone());
        ActorsForm { next: last.filter(|_| page.has_more), actors, missing: Vec::new() }
    }

    /// A page over all hosts: of their pages, those of least id.
    async fn all_actors(&self, listing: Listing) -> ActorsForm {
        let limit = listing.limit.clamp(1, PAGE_MAX);
        let (others, mut all) = (self.others(), self.actors(&listing));
        let question = serde_json::to_vec(&listing).unwrap_or_default();
        let asked = others.iter().map(|member| {
            let question = question.clone();
            async move {
                let answer = self.ask(member, "actors", question).await.map(|reply| reply.body);
                let page = answer.map_err(|error| error.to_string());
                page.and_then(|body| parse::<ActorsForm>(&body)).map_err(|error| HostRow {
                    name: member.host.to_string(),
                    status: None,
                    error: Some(error),
                })
            }
        });
        let mut has_more = all.next.is_some();
        for page in join_all(asked).await {
            match page {
                Ok(page) => {
                    has_more |= page.next.is_some();
                    all.actors.extend(page.actors);
                }
                Err(missing) => all.missing.push(missing),
            }
        }
        all.actors.sort_by(|a, b| a.id.cmp(&b.id));
        has_more |= all.actors.len() > limit;
        all.actors.truncate(limit);
        all.next = all.actors.last().map(|actor| actor.id.clone()).filter(|_| has_more);
        all
    }

    /// Any host knows the tables, and asks placement for the next one.
    async fn relocate(&self, asked: Moving) -> Result<MovedForm, Error> {
        let Moving { r#type, id, to, back } = asked;
        let actor = ActorRef::parse(&r#type, &id)?;
        if to.is_some() == back {
            let found = to.map_or("missing".to_owned(), |to| format!("'{}'", to.escape_debug()));
            return Err(Error::Arguments(format!(
                "to is {found} and back is {back}: expected the name of a host in to, or true in back"
            )));
        }
        let Relocated { host, from, is_pinned, state } =
            self.engine.relocate(&actor, to.as_deref(), MOVING).await?;
        let state = match state {
            Relocation::Unchanged => "unchanged",
            Relocation::Moved => "moved",
            Relocation::Moving => "moving",
        };
        let (from, host) = (from.to_string(), host.to_string());
        Ok(MovedForm { r#type, id, from, host, is_pinned, state: state.to_owned() })
    }

    /// Has the owner of the actor answer: here, or there.
    async fn of_owner(&self, method: &str, named: Named) -> Result<Reply, Error> {
        let actor = ActorRef::parse(&named.r#type, &named.id)?;
        if named.here {
            return self.of_own(method, named, actor).await;
        }
        let told = self.engine.explain(&actor);
        let owner = told.as_ref().and_then(|told| told.tables.last()?.owner.clone());
        match owner {
            Some(owner) if owner.host.as_str() != self.name => {
                // It answers even if it thinks otherwise meanwhile, or questions would circle.
                let question = serde_json::to_vec(&Named { here: true, ..named });
                self.ask(&owner, method, question.unwrap_or_default()).await
            }
            Some(_) | None => self.of_own(method, named, actor).await,
        }
    }

    async fn of_own(&self, method: &str, named: Named, actor: ActorRef) -> Result<Reply, Error> {
        let host = self.name.clone();
        let ended =
            EndedForm { host, was_active: None, keys_deleted: None, reminders_deleted: None };
        // Both wait for the actor's turn, which must not be waiting for this very answer.
        if matches!(method, "deactivate" | "delete") && self.engine.is_above(&actor, &self.above) {
            let ActorRef { actor_type, id } = actor;
            return Err(Error::CallCycle { actor_type, id });
        }
        match method {
            "inspect" => json::reply(&self.inspect(named, &actor).await),
            "deactivate" => {
                let was_active = Some(self.engine.deactivate(&actor).await);
                json::reply(&EndedForm { was_active, ..ended })
            }
            "delete" => {
                let keys_deleted = Some(self.engine.delete(&actor).await?);
                // After its last turn, so that none of those which it set is left over.
                let reminders_deleted = self.delete_reminders(&actor).await?;
                json::reply(&EndedForm { keys_deleted, reminders_deleted, ..ended })
            }
            _ => match self.engine.explain(&actor) {
                Some(told) => json::reply(&ExplainForm::new(&self.name, named, &told)),
                None => Err(Error::Arguments(format!(
                    "no host offers the type '{}', or none has since this host started",
                    named.r#type
                ))),
            },
        }
    }

    /// How many reminders of an actor were deleted; `None` where there are none at all.
    async fn delete_reminders(&self, actor: &ActorRef) -> Result<Option<u64>, Error> {
        let Some(store) = &self.reminders_in else { return Ok(None) };
        let reminders = Reminders::new(&self.engine, store, PARTITIONS)?;
        let caller = Caller { deadline: Some(Instant::now() + ACTING), ..Caller::default() };
        let id = Some(actor.id.as_str());
        reminders.delete_all(&actor.actor_type, id, caller).await.map(Some)
    }

    async fn inspect(&self, named: Named, actor: &ActorRef) -> InspectForm {
        let page = self.engine.keys(actor, None, PAGE_MAX).await;
        let (keys, has_more_keys, keys_error) = match page {
            Ok(page) => (page.items.iter().map(KeyForm::new).collect(), page.next.is_some(), None),
            Err(error) => (Vec::new(), false, Some(error.to_string())),
        };
        let activation = self.engine.actor(actor);
        let (timers, now) = (self.engine.timers(actor), Instant::now());
        InspectForm {
            r#type: named.r#type,
            id: named.id,
            host: self.name.clone(),
            activation: activation.map(|status| ActorForm::new(&self.name, &status)),
            timers: timers.iter().take(PAGE_MAX).map(|one| TimerForm::new(one, now)).collect(),
            keys,
            has_more_keys,
            keys_error,
        }
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("it said what cannot be read: {error}"))
}
