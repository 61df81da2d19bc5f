//! Which types an engine hosts, and what placement is told of that.
//!
//! A type is changed by one caller at a time and waits for its own drain alone. How a
//! hosting is made is in `types.rs`, how an earlier one is emptied in `drain.rs`.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use odeon_base::ActorType;
use odeon_ring::{Policy, Resource, TypeOffer};

use super::Engine;
use crate::activation::Cut;
use crate::config::{TurnPolicy, TypeConfig, TypeSpec};
use crate::drain;
use crate::error::Error;
use crate::execute::Detachable;
use crate::mailbox::Why;
use crate::membership::Command;

/// One type as placement is told of it.
#[derive(Debug)]
pub(super) struct Offered {
    offer: TypeOffer,
    needs_store: bool,
    /// The id in the resource, if the type is one.
    resource: Option<Arc<str>>,
}

impl Engine {
    /// Hosts types here, or replaces how they are hosted; returns once calls to
    /// them are routed here. A type that needs a store is not offered to placement while
    /// there is none (ACT-5).
    ///
    /// # Errors
    /// [`Error::Arguments`] when a type's settings contradict each other.
    ///
    /// # Cancel safety
    /// Once polled, the types are offered whether or not this is waited for.
    pub async fn offer(&self, specs: Vec<TypeSpec>) -> Result<(), Error> {
        specs.iter().try_for_each(check)?;
        let placed: Vec<ActorType> = specs
            .iter()
            .filter(|spec| spec.config.placement == Policy::Ring && !self.is_blocked(&spec.config))
            .map(|spec| spec.actor_type.clone())
            .collect();
        let engine = self.clone();
        let hosting = async move {
            // One type's drain holds up no other.
            join_all(specs.into_iter().map(|spec| engine.host(spec))).await;
            engine.send_offers().await;
        };
        Detachable::new(&self.inner.core.tasks, hosting).await;
        for actor_type in placed {
            self.in_force(&actor_type).await;
        }
        Ok(())
    }

    /// Whether a type that is hosted here runs where it is called, in several copies (PL-3).
    #[must_use]
    pub fn is_pooled(&self, actor_type: &ActorType) -> bool {
        let hosting = self.inner.types.get(actor_type.as_str()).and_then(|entry| entry.hosting());
        hosting.is_some_and(|hosting| hosting.spec.config.pool.is_some())
    }

    /// Hosts one type, after whoever hosted it before has let go of it.
    async fn host(&self, spec: TypeSpec) {
        let core = &self.inner.core;
        let entry = self.inner.types.get_or_add(&spec.actor_type, core.lease.now());
        let _one = entry.offering.lock().await;
        let is_same = |earlier: &TypeSpec| {
            Arc::ptr_eq(&earlier.behaviour, &spec.behaviour) && earlier.config == spec.config
        };
        if entry.hosting().is_some_and(|hosting| is_same(&hosting.spec)) {
            return;
        }
        if let Some(earlier) = entry.withdraw(core.lease.now()) {
            // Two hostings of a type must never overlap.
            drain::all(&earlier, earlier.spec.config.drain_timeout, Why::Asked).await;
        }
        let offer = TypeOffer {
            actor_type: spec.actor_type.clone(),
            policy: spec.config.placement,
            drain: spec.config.drain_timeout,
        };
        if self.is_blocked(&spec.config) {
            let actor_type = &spec.actor_type;
            tracing::error!(%actor_type, "this host has no state store and the type needs one: it is not offered");
        }
        let (needs_store, resource) = (spec.config.needs_store(), spec.config.resource.clone());
        let offered = Offered { offer, needs_store, resource };
        entry.host(core, spec);
        self.inner.offered.lock().await.insert(entry.actor_type.clone(), offered);
    }

    /// Hosts types here no longer: their application is gone. Activations are
    /// dropped without a goodbye; calls that wait go on waiting for a host.
    pub async fn withdraw(&self, types: &[ActorType]) {
        let unhosting = types.iter().map(|actor_type| async {
            let Some(entry) = self.inner.types.get(actor_type.as_str()) else { return };
            let _one = entry.offering.lock().await;
            if let Some(hosting) = entry.withdraw(self.inner.core.lease.now()) {
                drain::cut_all(&hosting, Cut::Withdrawn);
            }
            self.inner.offered.lock().await.remove(actor_type);
        });
        join_all(unhosting).await;
        self.send_offers().await;
    }

    /// Hosts types here no longer, though their application is there and may end the turns
    /// that it runs: they have the type's drain time, then each actor is told goodbye. New
    /// calls find another host, once the actor has left, or wait for one. By
    /// [`Compat::Dapr`](crate::Compat::Dapr) turns that run are cut at once.
    ///
    /// # Cancel safety
    /// Once polled, the types are withdrawn whether or not this is waited for.
    pub async fn retire(&self, types: &[ActorType]) {
        let (engine, types) = (self.clone(), types.to_vec());
        let retiring = async move {
            let retired = types.iter().map(|actor_type| engine.retire_one(actor_type));
            join_all(retired).await;
        };
        Detachable::new(&self.inner.core.tasks, retiring).await;
    }

    async fn retire_one(&self, actor_type: &ActorType) {
        let Some(entry) = self.inner.types.get(actor_type.as_str()) else { return };
        let _one = entry.offering.lock().await;
        let Some(hosting) = entry.withdraw(self.inner.core.lease.now()) else { return };
        self.inner.offered.lock().await.remove(actor_type);
        // Others prepare to take over while the turns here end.
        self.send_offers().await;
        let config = &hosting.spec.config;
        // Dapr gives them no time, whatever the type says; what they ran counts as `maybe`.
        let may_end = config.drain_rebalanced && !self.config().compat.is_dapr();
        let patience = if may_end { config.drain_timeout } else { Duration::ZERO };
        drain::all(&hosting, patience, Why::Moved).await;
    }

    /// As [`Self::withdraw`], for types whose turns are to end in order.
    pub(super) async fn unhost(&self, types: &[ActorType]) {
        for actor_type in types {
            let Some(entry) = self.inner.types.get(actor_type.as_str()) else { continue };
            entry.withdraw(self.inner.core.lease.now());
            self.inner.offered.lock().await.remove(actor_type);
        }
        self.send_offers().await;
    }

    pub(super) async fn send_offers(&self) {
        let offered = self.inner.offered.lock().await;
        let has_store = self.inner.core.store().is_some();
        let placed = offered.iter().filter(|(_, one)| has_store || !one.needs_store);
        let offers = placed.map(|(name, one)| (name.clone(), one.offer.clone())).collect();
        let held = offered.iter().filter(|(_, one)| one.offer.policy == Policy::Holder);
        let resources = held.filter_map(|(name, one)| {
            Some(Resource { name: name.clone(), id: one.resource.clone()? })
        });
        // A closed queue means that the engine is stopping.
        let _ = self.inner.commands.send(Command::Offer(offers, resources.collect())).await;
    }

    /// Whether a type cannot be placed here for want of a store.
    pub(super) fn is_blocked(&self, config: &TypeConfig) -> bool {
        config.needs_store() && self.inner.core.store().is_none()
    }

    async fn in_force(&self, actor_type: &ActorType) {
        let Some(entry) = self.inner.types.get(actor_type.as_str()) else { return };
        loop {
            let mut changed = std::pin::pin!(entry.changed.notified());
            changed.as_mut().enable();
            let is_withdrawn = entry.hosting().is_none();
            let view = Arc::clone(&entry.standing().0.view);
            let stands =
                view.me.zip(view.chain.as_ref()).is_some_and(|(me, chain)| chain.newest().has(me));
            if stands || is_withdrawn {
                return;
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = self.inner.core.tasks.stopping().cancelled() => return,
            }
        }
    }
}

fn check(spec: &TypeSpec) -> Result<(), Error> {
    let actor_type = &spec.actor_type;
    let overlaps = spec.config.reentrancy.is_some()
        || matches!(spec.config.turns, TurnPolicy::Concurrent { .. });
    if overlaps && !spec.behaviour.is_shared() {
        return Err(Error::Arguments(format!(
            "actor type '{actor_type}' cannot be reentrant or concurrent: its methods take &mut self"
        )));
    }
    if let Some(pool) = spec.config.pool {
        let why = if !spec.config.stateless {
            "it keeps state"
        } else if pool.max_per_host == 0 {
            "its maxPerHost is 0"
        } else if overlaps || spec.config.shares_turns() {
            "its turns share an actor by other rules already"
        } else if !spec.behaviour.is_shared() && pool.max_per_host > 1 {
            "its methods take &mut self, so it cannot run two turns at once"
        } else {
            ""
        };
        if !why.is_empty() {
            return Err(Error::Arguments(format!(
                "actor type '{actor_type}' cannot run in several copies: {why}"
            )));
        }
    }
    if spec.config.shares_turns() && (overlaps || !spec.behaviour.is_shared()) {
        let why = match overlaps {
            true => "it is reentrant or concurrent, and orders its turns by other rules",
            false => "its methods take &mut self, so it cannot run two turns at once",
        };
        return Err(Error::Arguments(format!(
            "actor type '{actor_type}' cannot have readOnlyMethods or interleaveMethods: {why}"
        )));
    }
    if spec.config.placement == Policy::Holder
        && !(actor_type.is_resource() && spec.config.resource.is_some())
    {
        return Err(Error::Arguments(format!(
            "'{actor_type}' can have a holder only if it names a resource, with the id kept in it"
        )));
    }
    Ok(())
}
