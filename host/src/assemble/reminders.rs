//! The reminders of this host's application, and what its turns send out: kept in the store of
//! its actors, in partitions of which this host has its share.

use std::sync::Arc;

use odeon_base::clock::SystemClock;
use odeon_base::ident::Invalid;
use odeon_base::{ActorType, Entropy, TaskKind, Tasks};
use odeon_blocks::host;
use odeon_blocks::reminder::book::Limits;
use odeon_blocks::reminder::{Outbox, PARTITIONS, Parts, ReminderActor, Reminders, lanes};
use odeon_runtime::Engine;

use super::Error;
use crate::config::Config;

/// Offers the partitions as soon as there is a lease, if there is a store; what reaches them may be used at once.
pub(super) fn start(
    engine: &Engine,
    store: Option<&str>,
    entropy: &Entropy,
    tasks: &Tasks,
) -> Result<Option<Reminders>, Error> {
    let Some(store) = store else { return Ok(None) };
    let parts = Parts {
        app: engine.config().app.clone(),
        store: store.to_owned(),
        partitions: PARTITIONS,
        limits: Limits::default(),
        mail: lanes::Limits::default(),
        wall: Arc::new(SystemClock),
        entropy: entropy.child(),
        tasks: tasks.clone(),
    };
    let named = |error: Invalid| Error::Offer(error.into());
    let reminders = Reminders::new(engine, store, PARTITIONS).map_err(named)?;
    let outbox = Outbox::new(engine, store, PARTITIONS, tasks.clone()).map_err(named)?;
    engine.use_outbox(Arc::new(outbox));
    let (engine, stopping) = (engine.clone(), tasks.stopping().clone());
    tasks.spawn(TaskKind::Reminders, async move {
        let offered = tokio::select! {
            biased;
            () = stopping.cancelled() => return,
            offered = ReminderActor::offer(&engine, parts) => offered,
        };
        if let Err(error) = offered {
            tracing::error!("reminders cannot be kept: {error}");
        }
    });
    Ok(Some(reminders))
}

/// The way to reminders of types that other hosts have, if they may be managed from here (REM-9).
pub(super) fn elsewhere(config: &Config, engine: &Engine) -> Result<Option<Reminders>, Error> {
    if !config.has_open_reminders {
        return Ok(None);
    }
    let hosts = ActorType::parse(host::TYPE).map_err(|error| Error::Offer(error.into()))?;
    Ok(Some(Reminders::elsewhere(engine, hosts)))
}
