//! The numbers of this process, as Prometheus reads them.
//!
//! Nothing is counted here: the engine counts (TURN-10), and a scrape asks it. Names
//! are Dapr's where Dapr has the number, else `odeon_*`; labels never hold an actor's
//! id. [`Page`] answers `/metrics` on a port of its own.

mod engine;
mod page;
mod placement;
mod process;

use std::sync::Arc;

use odeon_base::{AppId, WallClock};
use odeon_placement::Handle;
use odeon_runtime::Engine;
use prometheus_client::registry::Registry;

use crate::channel::Hub;

pub use page::Page;

/// What can be asked for numbers.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The application, a label of every number.
    pub app: AppId,
    /// Counts turns and activations.
    pub engine: Engine,
    /// Knows the streams of workers, if workers are let in.
    pub hub: Option<Hub>,
    /// For the time at which the process began.
    pub clock: Arc<dyn WallClock>,
}

/// A registry of everything that this host can tell; parts may add their own.
#[must_use]
pub fn registry(sources: Sources) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(process::Process::new(&*sources.clock)));
    registry.register_collector(Box::new(engine::Actors::new(sources)));
    registry
}

/// A registry of everything that a placement service can tell.
#[must_use]
pub fn of_placement(handle: Handle, clock: &dyn WallClock) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(process::Process::new(clock)));
    registry.register_collector(Box::new(placement::Placement(handle)));
    registry
}
