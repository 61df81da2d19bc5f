//! `sys.secret`: the system actor in front of the secret stores of a host.
//!
//! Its id is a component's name. It lives on every host in its own right: what is secret to one
//! is asked of no other.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::ActorType;
use odeon_ring::Policy;
use odeon_runtime::config::TurnPolicy;
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::{ActorRef, Error, Reply, Turn, TypeConfig, TypeSpec};
use serde::Deserialize;

use super::store::{Metadata, SecretStore};
use crate::json;

/// The reserved type of this actor.
pub const TYPE: &str = "sys.secret";
/// Turns of one store that may run at once.
const TURNS_MAX: u32 = 4_096;

/// A store in memory: what a turn has in its hands.
#[derive(Debug, Clone)]
pub(super) struct Component(pub(super) Arc<dyn SecretStore>);

/// Which secret.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    key: String,
    metadata: Metadata,
}

/// The code of `sys.secret`.
pub struct SecretActor {
    stores: BTreeMap<String, Arc<dyn SecretStore>>,
}

impl fmt::Debug for SecretActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretActor").field("names", &self.stores.keys()).finish()
    }
}

impl SecretActor {
    /// The stores of a host, as it offers them.
    ///
    /// # Errors
    /// [`Error::Name`] never in practice: the type's name is a constant.
    pub fn spec(stores: BTreeMap<String, Arc<dyn SecretStore>>) -> Result<TypeSpec, Error> {
        let config = TypeConfig {
            placement: Policy::Local,
            turns: TurnPolicy::Concurrent { max: TURNS_MAX },
            stateless: true,
            ..TypeConfig::default()
        };
        let actor_type = ActorType::parse(TYPE)?;
        Ok(TypeSpec { actor_type, config, behaviour: Arc::new(Self { stores }) })
    }
}

/// What is said of a store that is not there. Source: http-api.md 9.
pub(super) fn unknown(store: &str) -> String {
    format!("failed finding secret store with key {store}")
}

impl Behaviour for SecretActor {
    fn activate<'a>(&'a self, turn: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>> {
        let name = turn.actor().id.as_str();
        let found = self.stores.get(name).cloned();
        let found = found.ok_or_else(|| Error::Arguments(unknown(name)));
        async move { Ok(Instance::Shared(Arc::new(Component(found?)))) }.boxed()
    }

    fn invoke<'a>(
        &'a self,
        instance: &'a mut Instance,
        _: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, Error>> {
        async move {
            let component = match instance {
                Instance::Shared(object) => object.downcast_ref::<Component>(),
                Instance::Remote | Instance::Owned(_) => None,
            };
            let Some(Component(store)) = component else {
                return Err(Error::Arguments("sys.secret has lost its component".to_owned()));
            };
            let Asked { key, metadata } = json::read(TYPE, &call)?;
            let failed = |error: super::store::Error| Error::Arguments(error.to_string());
            match &*call.method {
                "get" => json::reply(&store.get(&key, &metadata).await.map_err(failed)?.0),
                "bulk" => {
                    let all = store.all(&metadata).await.map_err(failed)?;
                    let all: BTreeMap<_, _> =
                        all.into_iter().map(|(name, secret)| (name, secret.0)).collect();
                    json::reply(&all)
                }
                other => Err(Error::Arguments(format!(
                    "{TYPE} has no method '{other}': expected get or bulk"
                ))),
            }
        }
        .boxed()
    }

    fn deactivate<'a>(&'a self, _: &'a ActorRef, instance: Instance) -> BoxFuture<'a, ()> {
        drop(instance);
        async {}.boxed()
    }

    fn is_shared(&self) -> bool {
        true
    }
}
