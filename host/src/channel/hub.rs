//! Who hosts what: the streams of workers, and the types that they bring.
//!
//! A type is offered to the engine when its first stream comes and withdrawn when
//! its last one ends. Streams come and go at the same time; instead of a lock held
//! across that, each change is followed by bringing the engine to what is true then.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use odeon_base::{ActorType, Tasks};
use odeon_runtime::{Engine, Error, TypeConfig, TypeSpec};

use super::link::Link;
use super::worker::{Member, Worker};
use crate::api::Health;

/// How the application is reached besides streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AppChannel {
    /// Not over HTTP, so it may host actors over streams.
    #[default]
    NotHttp,
    /// Over HTTP: its actors are hosted that way, and streams are refused.
    Http,
}

/// The workers of this host. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    engine: Engine,
    tasks: Tasks,
    health: Health,
    defaults: TypeConfig,
    app_channel: AppChannel,
    /// Questions that may wait in the queue of one stream.
    queue: usize,
    workers: Mutex<BTreeMap<ActorType, Arc<Worker>>>,
    streams: AtomicUsize,
}

impl Hub {
    /// A hub without workers. `defaults` is what a type gets that sets nothing;
    /// `queue` bounds the questions that wait for one stream.
    #[must_use]
    pub fn new(
        engine: Engine,
        tasks: Tasks,
        health: Health,
        defaults: TypeConfig,
        app_channel: AppChannel,
        queue: usize,
    ) -> Self {
        Self(Arc::new(Inner {
            engine,
            tasks,
            health,
            defaults,
            app_channel,
            queue: queue.max(1),
            workers: Mutex::default(),
            streams: AtomicUsize::new(0),
        }))
    }

    /// How many streams are open.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.0.streams.load(Ordering::Relaxed)
    }

    /// How many questions may wait to be sent to one worker.
    pub(super) fn queue(&self) -> usize {
        self.0.queue
    }

    pub(super) fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    pub(super) fn defaults(&self) -> &TypeConfig {
        &self.0.defaults
    }

    pub(super) fn app_channel(&self) -> AppChannel {
        self.0.app_channel
    }

    /// Takes a stream in with its types; returns once calls to them are routed here.
    ///
    /// # Errors
    /// The engine's, when a type cannot be hosted.
    ///
    /// # Cancel safety
    /// When dropped, [`Hub::leave`] undoes what was done.
    pub(super) async fn enter(
        &self,
        link: &Arc<Link>,
        types: Vec<(ActorType, TypeConfig)>,
    ) -> Result<(), Error> {
        self.0.streams.fetch_add(1, Ordering::Relaxed);
        let mut joined = Vec::with_capacity(types.len());
        for (actor_type, config) in types {
            let worker = self.worker(&actor_type);
            worker.add(&Member { link: Arc::clone(link), config });
            joined.push(worker);
        }
        // The application has spoken, even if it hosts nothing.
        self.0.health.hosting_known(joined.iter().map(|worker| &worker.actor_type));
        self.settle(&joined).await
    }

    /// Lets a stream go that was taken in. Types that nobody else hosts are
    /// withdrawn before the questions that it still has are given up.
    pub(super) async fn leave(&self, link: &Arc<Link>, types: &[ActorType]) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
        let left: Vec<Arc<Worker>> =
            types.iter().map(|actor_type| self.worker(actor_type)).collect();
        for worker in &left {
            worker.remove(link);
        }
        if let Err(error) = self.settle(&left).await {
            tracing::error!(%error, "a type that an older worker still hosts could not be offered");
        }
    }

    fn worker(&self, actor_type: &ActorType) -> Arc<Worker> {
        let mut workers = self.0.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(Worker::new(actor_type.clone()));
        Arc::clone(workers.entry(actor_type.clone()).or_insert_with(fresh))
    }

    /// Brings the engine to what the workers' streams say, until they agree.
    async fn settle(&self, workers: &[Arc<Worker>]) -> Result<(), Error> {
        loop {
            let wanted: Vec<Option<TypeConfig>> =
                workers.iter().map(|worker| worker.config()).collect();
            let mut specs = Vec::new();
            let mut gone = Vec::new();
            for (worker, config) in workers.iter().zip(&wanted) {
                let actor_type = worker.actor_type.clone();
                match config.clone() {
                    Some(config) => {
                        let behaviour = Arc::<Worker>::clone(worker);
                        specs.push(TypeSpec { actor_type, config, behaviour });
                    }
                    None => gone.push(actor_type),
                }
            }
            if !gone.is_empty() {
                self.0.engine.withdraw(&gone).await;
            }
            if !specs.is_empty() {
                self.0.engine.offer(specs).await?;
            }
            let is_so = workers.iter().zip(&wanted).all(|(worker, had)| worker.config() == *had);
            if is_so {
                return Ok(());
            }
        }
    }
}
