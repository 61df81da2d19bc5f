//! `sys.lock`: the system actor in front of the lock components.
//!
//! Its id is a component's name. Turns interleave: the component's store orders what they do.
//! Placement knows each component by its resource, as those of `sys.state`, so that the host
//! that has its folder open answers for all.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::ident::Invalid;
use odeon_base::{ActorType, AppId};
use odeon_ring::Policy;
use odeon_runtime::config::TurnPolicy;
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::{Error, Reply, Turn, TypeConfig, TypeSpec};
use serde::{Deserialize, Serialize};

use super::locks::Component;
use crate::json;
use crate::state::actor::Reach;

/// The reserved type of this actor.
pub const TYPE: &str = "sys.lock";
/// Takes a lock.
pub(super) const TRY_LOCK: &str = "tryLock";
/// Gives it back.
pub(super) const UNLOCK: &str = "unlock";
/// Turns of one component that may run at once.
const TURNS_MAX: u32 = 4_096;

/// Which lock, for whom, and for how long.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Take {
    pub(super) resource_id: String,
    pub(super) lock_owner: String,
    pub(super) expiry_in_seconds: u32,
}

/// Whether it is theirs now.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Taken {
    pub(super) success: bool,
}

/// Which lock, and whose.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Give {
    pub(super) resource_id: String,
    pub(super) lock_owner: String,
}

/// What came of it, as a number.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Given {
    pub(super) status: i32,
}

/// The code of `sys.lock`, for one component.
pub struct LockActor {
    name: String,
    component: Arc<Component>,
}

impl fmt::Debug for LockActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockActor").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The name by which placement and engine know a component of an application.
///
/// # Errors
/// The name's own when it cannot be part of one.
pub fn resource(app: &AppId, name: &str) -> Result<ActorType, Invalid> {
    ActorType::of_resource(TYPE, app, name)
}

impl LockActor {
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
        let (placement, resource_id) = match reach {
            Reach::Local => (Policy::Local, None),
            Reach::Holder(id) => (Policy::Holder, Some(id)),
        };
        let config = TypeConfig {
            placement,
            resource: resource_id,
            turns: TurnPolicy::Concurrent { max: TURNS_MAX },
            stateless: true,
            ..TypeConfig::default()
        };
        let behaviour = Arc::new(Self { name: name.to_owned(), component: Arc::new(component) });
        Ok(TypeSpec { actor_type: resource(app, name)?, config, behaviour })
    }
}

// It says no goodbye: the component stays open, the assembly closes it when the host leaves.
impl Behaviour for LockActor {
    fn activate<'a>(&'a self, turn: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>> {
        async move {
            let name = turn.actor().id.as_str();
            if name != self.name {
                return Err(Error::Arguments(format!("lock store {name} not found")));
            }
            Ok(Instance::Shared(Arc::<Component>::clone(&self.component)))
        }
        .boxed()
    }

    fn invoke<'a>(
        &'a self,
        _: &'a mut Instance,
        turn: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, Error>> {
        async move {
            match &*call.method {
                TRY_LOCK => {
                    let Take { resource_id, lock_owner, expiry_in_seconds } =
                        json::read(TYPE, &call)?;
                    if resource_id.is_empty() || lock_owner.is_empty() || expiry_in_seconds == 0 {
                        let reason = "resourceId, lockOwner and expiryInSeconds cannot be empty";
                        return Err(Error::Arguments(reason.to_owned()));
                    }
                    let lasts = Duration::from_secs(expiry_in_seconds.into());
                    let taken = self.component.try_lock(&resource_id, &lock_owner, lasts);
                    json::reply(&Taken { success: taken.await? })
                }
                UNLOCK => {
                    let Give { resource_id, lock_owner } = json::read(TYPE, &call)?;
                    let given = self.component.unlock(&resource_id, &lock_owner).await?;
                    json::reply(&Given { status: given.number() })
                }
                other => Err(Error::NoMethod {
                    actor_type: turn.actor().actor_type.clone(),
                    id: turn.actor().id.clone(),
                    method: format!("{other} (there are {TRY_LOCK} and {UNLOCK})"),
                }),
            }
        }
        .boxed()
    }

    fn is_shared(&self) -> bool {
        true
    }
}
