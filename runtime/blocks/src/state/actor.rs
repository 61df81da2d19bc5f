//! `sys.state`: the system actor in front of the state components.
//!
//! Its id is a component's name, as the application sees it; placement knows each component
//! by the name of its resource ([`resource`]). Turns interleave up to a limit, because a
//! store orders its own writes. Called in bytes it speaks the JSON of [`super::request`];
//! the engine and the building-block API call it in Rust's own types through
//! [`super::handle`], which from another host speaks [`super::wire`]. There is no other way
//! to a component.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::ident::Invalid;
use odeon_base::suggest::nearest;
use odeon_base::{ActorType, AppId};
use odeon_ring::Policy;
use odeon_runtime::config::TurnPolicy;
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::store::StateStore;
use odeon_runtime::{ActorRef, Error, Reply, Turn, TypeConfig, TypeSpec};

use super::ask::Answer;
use super::prefix::Prefixes;
use super::{request, wire};

/// The reserved type of this actor.
pub const TYPE: &str = "sys.state";

/// The method by which the handle of another host asks, in the bytes of [`super::wire`].
///
/// It may write actors' keys, under the fences that it shows, so no caller from outside may
/// have it: the doors of a host let no method begin like this.
pub const METHOD: &str = "#store";

/// Turns of one component that may run at once.
const TURNS_MAX: u32 = 4_096;

/// A component in memory: what a turn of `sys.state` has in its hands.
#[derive(Debug, Clone)]
pub struct Component {
    /// What keeps the rows.
    pub store: Arc<dyn StateStore>,
    /// What is put before the keys that callers name.
    pub prefixes: Prefixes,
}

/// Where a component can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// On this host alone, or on every host in its own right: nobody else is asked.
    Local,
    /// On the one host that holds what it needs; the id kept in that tells it from others.
    Holder(Arc<str>),
}

/// The code of `sys.state`: one component, or the list of those that there are.
pub struct StateActor {
    component: Option<Component>,
    names: Vec<String>,
}

impl fmt::Debug for StateActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateActor").field("names", &self.names).finish_non_exhaustive()
    }
}

/// The name by which placement and engine know a component of an application.
///
/// # Errors
/// The name's own when it cannot be part of one.
pub fn resource(app: &AppId, name: &str) -> Result<ActorType, Invalid> {
    ActorType::of_resource(TYPE, app, name)
}

impl StateActor {
    /// A component as a host offers it.
    ///
    /// # Errors
    /// [`Error::Name`] when the component's name cannot be an actor's id.
    pub fn spec(
        app: &AppId,
        name: &str,
        component: Component,
        reach: Reach,
    ) -> Result<TypeSpec, Error> {
        let actor_type = resource(app, name)?;
        let (placement, resource) = match reach {
            Reach::Local => (Policy::Local, None),
            Reach::Holder(id) => (Policy::Holder, Some(id)),
        };
        let config = TypeConfig { placement, resource, ..config() };
        let behaviour = Arc::new(Self { component: Some(component), names: vec![name.into()] });
        Ok(TypeSpec { actor_type, config, behaviour })
    }

    /// What answers to the names that no component has; `names` are those that exist.
    ///
    /// # Errors
    /// [`Error::Name`] never in practice: the type's name is a constant.
    pub fn rest(names: Vec<String>) -> Result<TypeSpec, Error> {
        let config = TypeConfig { placement: Policy::Local, ..config() };
        let behaviour = Arc::new(Self { component: None, names });
        Ok(TypeSpec { actor_type: ActorType::parse(TYPE)?, config, behaviour })
    }

    fn component(&self, actor: &ActorRef) -> Result<Component, Error> {
        let name = actor.id.as_str();
        if let Some(component) = &self.component
            && self.names.iter().any(|known| known == name)
        {
            return Ok(component.clone());
        }
        let hint = nearest(name, self.names.iter().map(String::as_str))
            .map(|nearest| format!("; did you mean '{nearest}'?"))
            .unwrap_or_default();
        Err(Error::Arguments(format!("state store {name} is not found{hint}")))
    }
}

fn config() -> TypeConfig {
    TypeConfig {
        turns: TurnPolicy::Concurrent { max: TURNS_MAX },
        stateless: true,
        ..TypeConfig::default()
    }
}

// It says no goodbye: the component stays open, the assembly closes it when the host leaves.
impl Behaviour for StateActor {
    fn activate<'a>(&'a self, turn: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>> {
        async move { Ok(Instance::Shared(Arc::new(self.component(turn.actor())?))) }.boxed()
    }

    fn invoke<'a>(
        &'a self,
        instance: &'a mut Instance,
        turn: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, Error>> {
        async move {
            let component = match instance {
                Instance::Shared(object) => object.downcast_ref::<Component>(),
                Instance::Remote | Instance::Owned(_) => None,
            };
            let Some(component) = component else {
                return Err(Error::Arguments("sys.state has lost its component".to_owned()));
            };
            if *call.method == *METHOD {
                return answer(&*component.store, &call.body).await;
            }
            request::run(&*component.store, &component.prefixes, turn.actor(), &call).await
        }
        .boxed()
    }

    fn is_shared(&self) -> bool {
        true
    }
}

/// Answers the handle of another host: the store's errors are answers, too.
async fn answer(store: &dyn StateStore, body: &Bytes) -> Result<Reply, Error> {
    let ask = wire::ask_from_bytes(body).map_err(|error| Error::Arguments(error.to_string()))?;
    let answer = ask.run(store).await.map(Answer::bounded);
    Ok(Reply { body: wire::answer_to_bytes(&answer), ..Reply::default() })
}
