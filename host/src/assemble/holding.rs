//! State components behind `sys.state`, and locks behind `sys.lock`: those that are open here, and those that another
//! host of the application holds until it is gone.
//!
//! What one process at a time can hold, such as a folder, is offered to placement by the
//! one that holds it; the others wait for its lock and call the holder meanwhile. What the
//! components are is in `components`; how they are closed in `crate::shutdown`.

use std::collections::BTreeMap;
use std::sync::Arc;

use odeon_base::{TaskKind, Tasks};
use odeon_blocks::host::HostActor;
use odeon_blocks::lock::{self, LockActor, LockHandle, Locks};
use odeon_blocks::state::actor::{Component, Reach, StateActor};
use odeon_blocks::state::handle::StateHandle;
use odeon_blocks::state::{self, Opened, Prefixes};
use odeon_runtime::store::StateStore;
use odeon_runtime::{Engine, TypeSpec};

use super::Error;
use super::components::{Lock, Pending, Place, Store};
use crate::api::Health;
use crate::shutdown::Stores;

/// What health waits for when placement refuses a store of this host.
const STORE: &str = "state store";

/// How the system actor in front of what was opened is made; [`Engine::config`] says for whom.
type Front = Arc<
    dyn Fn(&Engine, Arc<dyn StateStore>, Reach) -> Result<TypeSpec, odeon_runtime::Error>
        + Send
        + Sync,
>;

/// What offering a store takes.
#[derive(Debug, Clone)]
pub(super) struct Holding {
    engine: Engine,
    pub(super) stores: Stores,
    health: Health,
    tasks: Tasks,
    /// Whether hosts of other processes may hold what a component needs.
    is_shared: bool,
}

impl Holding {
    pub(super) fn new(engine: &Engine, health: &Health, tasks: &Tasks, is_shared: bool) -> Self {
        let (engine, health, tasks) = (engine.clone(), health.clone(), tasks.clone());
        Self { engine, stores: Stores::default(), health, tasks, is_shared }
    }

    /// Puts the system actor in front of the components, and gives actors their store. All of
    /// them are for the state API.
    pub(super) async fn offer(
        &self,
        stores: BTreeMap<String, Store>,
        for_actors: Option<&str>,
    ) -> Result<state::Stores, Error> {
        let rest = StateActor::rest(stores.keys().cloned().collect()).map_err(Error::Offer)?;
        let host = HostActor::spec(for_actors).map_err(|error| Error::Offer(error.into()))?;
        self.engine.offer(vec![rest, host]).await.map_err(Error::Offer)?;
        let mut reached = Vec::new();
        for (name, Store { place, can, prefix }) in stores {
            // From now on calls of it wait for whoever holds it.
            let handle = StateHandle::new(&self.engine, &name, can);
            let handle = Arc::new(handle.map_err(|error| Error::Offer(error.into()))?);
            if for_actors == Some(&name) {
                self.engine.use_store(Arc::<StateHandle>::clone(&handle));
            }
            reached.push((name.clone(), state::stores::Store::new(handle, Arc::clone(&prefix))));
            self.put(place, state_front(name, prefix)).await?;
        }
        if self.is_shared {
            self.tasks.spawn(TaskKind::Watcher, self.clone().watch_refusals());
        }
        Ok(reached.into_iter().collect())
    }

    /// Puts the system actor in front of the lock components.
    pub(super) async fn offer_locks(&self, locks: BTreeMap<String, Lock>) -> Result<Locks, Error> {
        let mut reached = Vec::new();
        for (name, Lock { place, prefix }) in locks {
            let handle = LockHandle::new(&self.engine, &name);
            let handle = handle.map_err(|error| Error::Offer(error.into()))?;
            reached.push((name.clone(), handle));
            self.put(place, lock_front(name, prefix)).await?;
        }
        Ok(reached.into_iter().collect())
    }

    /// Offers what is open here, and waits for what is not.
    async fn put(&self, place: Place, front: Front) -> Result<(), Error> {
        match place {
            Place::Here(opened) => self.take(&front, opened).await,
            Place::Elsewhere(pending) => {
                self.tasks.spawn(TaskKind::Watcher, self.clone().wait(front, pending));
                Ok(())
            }
        }
    }

    /// Offers a store that is open here.
    async fn take(&self, front: &Front, opened: Opened) -> Result<(), Error> {
        let Opened { store, id, .. } = opened;
        let reach = match id {
            Some(id) if self.is_shared => Reach::Holder(id),
            // Nobody else can ask for it, so placement need not know.
            Some(_) | None => Reach::Local,
        };
        if !self.stores.add(Arc::clone(&store), matches!(reach, Reach::Holder(_))) {
            // It came when this host was on its way out.
            let _ = store.close().await;
            return Ok(());
        }
        let spec = front(&self.engine, store, reach).map_err(Error::Offer)?;
        self.engine.offer(vec![spec]).await.map_err(Error::Offer)
    }

    async fn wait(self, front: Front, pending: Box<Pending>) {
        let (label, stopping) = (pending.label(), self.tasks.stopping().clone());
        let opened = tokio::select! {
            biased;
            () = stopping.cancelled() => return,
            () = self.stores.closing() => return,
            opened = pending.open() => opened,
        };
        let taken = match opened {
            Ok(opened) => {
                tracing::info!("{label} is free: this host holds it now");
                self.take(&front, opened).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = taken {
            tracing::error!("{label} is free, but this host cannot take it over: {error}");
            self.health.down(STORE);
        }
    }

    /// A store that placement refuses is of no use, and a person should look.
    async fn watch_refusals(self) {
        let (mut refusals, stopping) = (self.engine.refusals(), self.tasks.stopping().clone());
        loop {
            let changed = tokio::select! {
                biased;
                () = stopping.cancelled() => return,
                changed = refusals.changed() => changed,
            };
            if changed.is_err() {
                return;
            }
            if refusals.borrow_and_update().is_empty() {
                self.health.up(STORE);
            } else {
                self.health.down(STORE);
            }
        }
    }
}

fn state_front(name: String, prefix: Arc<str>) -> Front {
    Arc::new(move |engine, store, reach| {
        let config = engine.config();
        let (plain, actors) = (Arc::clone(&prefix), Arc::clone(&config.state_prefix));
        let component = Component { store, prefixes: Prefixes { plain, actors } };
        StateActor::spec(&config.app, &name, component, reach)
    })
}

fn lock_front(name: String, prefix: Arc<str>) -> Front {
    Arc::new(move |engine, store, reach| {
        let component = lock::Component { store, prefix: Arc::clone(&prefix) };
        LockActor::spec(&engine.config().app, &name, component, reach)
    })
}
