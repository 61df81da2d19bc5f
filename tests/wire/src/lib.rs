//! A host's front doors in one process, for wire tests: no port, no other process.
//!
//! [`Rig`] puts the real engine, a store in memory and both doors together;
//! [`Scripted`] is an actor type whose methods do what tests need, and [`Cable`] the
//! network between two hosts. The tests themselves are in `tests/wire`, a row per rule of
//! the reference pages.

pub mod app;

mod actor;
mod cable;
mod grpc;
mod http;

use std::sync::Arc;

use odeon_base::clock::TokioClock;
use odeon_base::{ActorType, AppId, Entropy, HostName, Namespace, Tasks};
use odeon_blocks::reminder::{Outbox, ReminderActor, Reminders};
use odeon_blocks::state::memory::MemoryStore;
use odeon_host::api::{Api, Health, Identity, Parts, ShutdownHandle};
use odeon_host::channel::{AppChannel, Hub};
use odeon_host::{grpc as grpc_door, http as http_door};
use odeon_runtime::engine::Seams;
use odeon_runtime::{Config, Engine, TypeConfig, TypeSpec};
use odeon_sdk::testkit::Placement;

pub use actor::{Scripted, raise};
pub use cable::Cable;
pub use grpc::InProcess;
pub use http::{Ask, Told};

/// The actor type that every rig hosts.
pub const TYPE: &str = "T";
/// The application of every rig.
pub const APP: &str = "app";

/// Partitions of reminders of a rig that has any.
const PARTITIONS: u32 = 2;

/// A host without ports.
#[derive(Debug)]
pub struct Rig {
    /// The engine behind the doors.
    pub engine: Engine,
    /// What the doors call.
    pub api: Api,
    /// The streams of workers.
    pub hub: Hub,
    /// The HTTP door.
    pub http: http_door::Door,
    /// The gRPC door.
    pub grpc: grpc_door::Door,
    /// What is up.
    pub health: Health,
    /// Where requests to stop arrive.
    pub shutdown: ShutdownHandle,
    /// What runs behind the doors.
    pub tasks: Tasks,
}

impl Rig {
    /// A host that hosts [`TYPE`], with a store.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, with other parts than the default ones.
    pub async fn with(change: impl FnOnce(&mut Parts)) -> Self {
        Self::made(true, AppChannel::NotHttp, change).await
    }

    /// The same, with reminders.
    ///
    /// # Panics
    /// When something that cannot fail did, as befits a test.
    pub async fn with_reminders() -> Self {
        Self::remembering(|_| {}).await
    }

    /// The same, beside an application that has not said yet what it hosts.
    pub async fn before_its_app() -> Self {
        Self::remembering(|parts| {
            parts.health = Health::default();
            parts.health.set_outbound(true);
        })
        .await
    }

    async fn remembering(change: impl FnOnce(&mut Parts)) -> Self {
        let rig = Self::with(|parts| {
            let reminders = Reminders::new(&parts.engine, "store", PARTITIONS);
            parts.reminders = Some(reminders.expect("constants"));
            change(parts);
        });
        let rig = rig.await;
        let outbox = Outbox::new(&rig.engine, "store", PARTITIONS, rig.tasks.clone());
        rig.engine.use_outbox(Arc::new(outbox.expect("constants")));
        let parts = odeon_blocks::reminder::Parts {
            app: AppId::parse(APP).expect("a constant"),
            store: "store".to_owned(),
            partitions: PARTITIONS,
            limits: odeon_blocks::reminder::book::Limits::default(),
            mail: odeon_blocks::reminder::lanes::Limits::default(),
            wall: Arc::new(TokioClock::start()),
            entropy: Entropy::seeded(3),
            tasks: rig.tasks.clone(),
        };
        ReminderActor::offer(&rig.engine, parts).await.expect("settings that agree");
        rig
    }

    /// A host whose actors have no store.
    pub async fn without_store() -> Self {
        Self::made(false, AppChannel::NotHttp, |_| {}).await
    }

    /// A host whose application is reached in a certain way.
    pub async fn beside(app_channel: AppChannel) -> Self {
        Self::made(true, app_channel, |_| {}).await
    }

    /// # Panics
    /// When something that cannot fail did, as befits a test.
    async fn made(
        has_store: bool,
        app_channel: AppChannel,
        change: impl FnOnce(&mut Parts),
    ) -> Self {
        let tasks = Tasks::new("rig");
        let clock = Arc::new(TokioClock::start());
        let app = AppId::parse(APP).expect("a constant");
        let host = HostName::parse("rig:1").expect("a constant");
        let seams = Seams {
            placement: Arc::new(Placement::new(1, &tasks)),
            peers: None,
            lease: Arc::<TokioClock>::clone(&clock),
            wall: Arc::<TokioClock>::clone(&clock),
            entropy: Entropy::seeded(1),
            tasks: tasks.clone(),
        };
        let engine = Engine::start(Config::new(app.clone(), host), seams);
        if has_store {
            let entropy = Arc::new(Entropy::seeded(2));
            engine.use_store(Arc::new(MemoryStore::new(clock, entropy)));
        }
        let spec = TypeSpec {
            actor_type: ActorType::parse(TYPE).expect("a constant"),
            config: TypeConfig { waiting_max: 2, ..TypeConfig::default() },
            behaviour: Arc::new(Scripted),
        };
        engine.offer(vec![spec]).await.expect("settings that agree");
        let health = Health::default();
        health.set_outbound(true);
        health.hosting_known(&[ActorType::parse(TYPE).expect("a constant")]);
        let mut parts = Parts::new(engine.clone(), Identity::new(app, Namespace::default()));
        parts.health = health;
        change(&mut parts);
        let (health, shutdown) = (parts.health.clone(), parts.shutdown.clone());
        let queue = parts.limits.stream_queue;
        let defaults = TypeConfig::default();
        let hub =
            Hub::new(engine.clone(), tasks.clone(), health.clone(), defaults, app_channel, queue);
        let api = Api::new(parts);
        Self {
            http: http_door::Door::new(api.clone()),
            grpc: grpc_door::Door::new(api.clone(), hub.clone()).expect("descriptors"),
            engine,
            api,
            hub,
            health,
            shutdown,
            tasks,
        }
    }
}
