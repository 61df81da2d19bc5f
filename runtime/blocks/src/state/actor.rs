//! `sys.state`: the system actor in front of the state components.
//!
//! Its id is a component's name. Turns interleave up to a limit, because a store
//! orders its own writes. Called in bytes it speaks the JSON of [`super::request`];
//! the engine and the building-block API call it in Rust's own types through
//! [`super::handle`]. There is no third way to a component.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::ActorType;
use odeon_base::suggest::nearest;
use odeon_ring::Policy;
use odeon_runtime::config::TurnPolicy;
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::store::StateStore;
use odeon_runtime::{ActorRef, Error, Reply, Turn, TypeConfig, TypeSpec};

use super::prefix::Prefixes;
use super::request;

/// The reserved type of this actor.
pub const TYPE: &str = "sys.state";

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

/// The code of `sys.state`: all state components of this host by name.
pub struct StateActor {
    components: BTreeMap<String, Component>,
}

impl fmt::Debug for StateActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateActor").field("components", &self.components.keys()).finish()
    }
}

impl StateActor {
    /// The type as a host offers it, with these components.
    ///
    /// # Errors
    /// [`Error::Name`] never in practice: the type's name is a constant.
    pub fn spec(components: BTreeMap<String, Component>) -> Result<TypeSpec, Error> {
        let config = TypeConfig {
            // A component holds a resource of this host; its right is that resource's lock.
            placement: Policy::Holder,
            turns: TurnPolicy::Concurrent { max: TURNS_MAX },
            stateless: true,
            ..TypeConfig::default()
        };
        let behaviour = Arc::new(Self { components });
        Ok(TypeSpec { actor_type: ActorType::parse(TYPE)?, config, behaviour })
    }

    fn component(&self, actor: &ActorRef) -> Result<Component, Error> {
        let name = actor.id.as_str();
        if let Some(component) = self.components.get(name) {
            return Ok(component.clone());
        }
        let hint = nearest(name, self.components.keys().map(String::as_str))
            .map(|nearest| format!("; did you mean '{nearest}'?"))
            .unwrap_or_default();
        Err(Error::Arguments(format!("state store {name} is not found{hint}")))
    }
}

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
            request::run(&*component.store, &component.prefixes, turn.actor(), &call).await
        }
        .boxed()
    }

    fn deactivate<'a>(&'a self, _: &'a ActorRef, _: Instance) -> BoxFuture<'a, ()> {
        // The component stays open: the assembly closes it when the host leaves.
        async {}.boxed()
    }

    fn is_shared(&self) -> bool {
        true
    }
}
