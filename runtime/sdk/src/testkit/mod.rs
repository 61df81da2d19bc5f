//! Testing actors: a whole engine in the test's own process, without a port.
//!
//! The engine is the real one, over a store in memory and a placement that knows
//! one host. Reminders fire, and messages are delivered, as in a host. In a test with paused time (`#[tokio::test(start_paused = true)]`, for
//! which your crate needs tokio's feature `test-util`) time moves only by
//! [`Running::advance`], so a test of an hour takes a moment.
//!
//! ```
//! use odeon_sdk::testkit::TestKit;
//! # use odeon_sdk::{Ctx, Result, actor};
//! # #[derive(Default)] struct Counter { n: i64 }
//! # #[actor] impl Counter {
//! #     async fn add(&mut self, ctx: &mut Ctx, by: i64) -> Result<i64> {
//! #         self.n += by; ctx.set("n", &self.n)?; Ok(self.n)
//! #     }
//! # }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<()> {
//! let kit = TestKit::new().actor::<Counter>().start().await;
//! let counter = kit.client().actor::<Counter>("c1")?;
//! assert_eq!(counter.add(2).await?, 2);
//! assert_eq!(kit.state::<i64>("Counter", "c1", "n").await?, Some(2));
//! # Ok(())
//! # }
//! ```

mod calendar;
mod counted;
mod placement;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use odeon_base::clock::TokioClock;
use odeon_base::{AppId, Entropy, HostName, Tasks, WallClock as _};
use odeon_blocks::reminder::{self, Outbox, ReminderActor};
use odeon_blocks::state::memory::MemoryStore;
use odeon_runtime::config::{Config, TypeSpec};
use odeon_runtime::engine::Seams;
use odeon_runtime::store::{ActorScope, Condition, Expiry, Key, Op, StateStore, Transaction};
use odeon_runtime::{ActorRef, Engine};
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::calendar::Calendar;
use self::counted::Counted;
pub use self::counted::Writes;
pub use self::placement::Placement;
use crate::actor::{Actor, Make};
use crate::client::Client;
use crate::error::{Cause, Error, Result};
use crate::native;
use crate::wire;

/// The application and host of the kit.
const APP: &str = "test";
const HOST: &str = "test:0";
/// The name of the store, as far as reminders and the outbox are concerned; one partition is
/// enough for a test.
const STORE: &str = "memory";
const PARTITIONS: u32 = 1;
/// How long the end of the engine may take; on paused time, no time at all.
const STOP_MAX: Duration = Duration::from_secs(60);

/// What a test wants to run.
#[derive(Debug, Default)]
pub struct TestKit {
    types: Vec<TypeSpec>,
    seed: u64,
}

impl TestKit {
    /// A kit without actors.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a type of actor.
    #[must_use]
    pub fn actor<A: Make>(self) -> Self {
        self.actor_with(A::make)
    }

    /// Adds a type of actor whose instances are made by a function.
    #[must_use]
    pub fn actor_with<A: Actor>(self, make: impl Fn(&str) -> A + Send + Sync + 'static) -> Self {
        self.offer(native::spec_with(make))
    }

    /// Adds a type as an engine wants it, with settings changed at will.
    #[must_use]
    pub fn offer(mut self, spec: TypeSpec) -> Self {
        self.types.push(spec);
        self
    }

    /// Starts the engine; returns when calls are served.
    ///
    /// # Panics
    /// When the engine refuses a type, in the engine's words.
    pub async fn start(self) -> Running {
        let calendar = Arc::new(Calendar::start());
        let entropy = Arc::new(Entropy::seeded(self.seed));
        let store = Counted::new(MemoryStore::new(Arc::<Calendar>::clone(&calendar), entropy));
        let (engine, tasks) = engine(&self.types, 1, &calendar, &store).await;
        Running { types: self.types, term: 1, engine, tasks, calendar, store }
    }
}

/// A started kit.
#[derive(Debug)]
pub struct Running {
    types: Vec<TypeSpec>,
    term: u64,
    engine: Engine,
    tasks: Tasks,
    calendar: Arc<Calendar>,
    store: Arc<Counted>,
}

impl Running {
    /// A client of the engine that runs now.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::embedded(self.engine.clone())
    }

    /// The engine that runs now.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The kit's calendar: what `ctx.now()` says.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.calendar.now()
    }

    /// Sets the calendar forward, as somebody may do with the clock of a machine: no time
    /// passes, and what is due by then is due at once.
    pub fn set_forward(&self, by: Duration) {
        self.calendar.set_forward(by);
    }

    /// Sets the calendar back.
    pub fn set_back(&self, by: Duration) {
        self.calendar.set_back(by);
    }

    /// Lets time pass, with everything that falls due meanwhile, in its order.
    ///
    /// Without paused time this really waits.
    pub async fn advance(&self, time: Duration) {
        // Paused time jumps from one due moment to the next while all tasks are idle,
        // which is what a sleep waits for; moving the clock at once would skip them.
        tokio::time::sleep(time).await;
    }

    /// How often the store was asked to keep something, since the kit was started.
    #[must_use]
    pub fn writes(&self) -> Writes {
        self.store.writes()
    }

    /// Deactivates an actor, as if it had been idle; `false` if it was not active.
    ///
    /// # Errors
    /// [`Error::Name`] when no actor can have that id.
    pub async fn deactivate<A: Actor>(&self, id: &str) -> Result<bool> {
        Ok(self.engine.deactivate(&ActorRef::parse(A::TYPE, id)?).await)
    }

    /// A value of an actor's state, as it is stored.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Value`] when it is of another shape, [`Error::State`].
    pub async fn state<T: DeserializeOwned>(
        &self,
        actor_type: &str,
        id: &str,
        key: &str,
    ) -> Result<Option<T>> {
        let actor = ActorRef::parse(actor_type, id)?;
        let read = self.engine.read_state(&actor, None, key).await;
        let Some(item) = read.map_err(|error| Error::State(Cause::Engine(error)))? else {
            return Ok(None);
        };
        wire::read(&item.value).map(Some).map_err(|error| Error::unfit(key, &error))
    }

    /// Stores a value of an actor's state behind its back: what an earlier version of
    /// the actor may have left, say. An active actor does not see it before it reads.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Value`], [`Error::State`].
    pub async fn put_state<T: Serialize + ?Sized>(
        &self,
        actor_type: &str,
        id: &str,
        key: &str,
        value: &T,
    ) -> Result<()> {
        let actor = ActorRef::parse(actor_type, id)?;
        let scope = ActorScope {
            prefix: APP.into(),
            actor_type: actor.actor_type.as_str().into(),
            actor_id: actor.id.as_str().into(),
        };
        let op = Op::Upsert {
            key: Key::Actor(scope, key.into()),
            value: wire::write(value).map_err(|error| Error::unfit(key, &error))?,
            condition: Condition::None,
            expiry: Expiry::Never,
        };
        let written = self.store.store.transact(Transaction { fence: None, ops: vec![op] }).await;
        written.map_err(|error| Error::State(Cause::Engine(error.into())))
    }

    /// Kills the engine and starts another over the same store: memory is lost, no
    /// actor is told, state stays. Clients of before reach nobody.
    ///
    /// # Panics
    /// As [`TestKit::start`].
    pub async fn restart(&mut self) {
        self.engine.farewell(STOP_MAX).await;
        // Turns that hang may stay behind: a killed process has no time for them either.
        let _ = self.tasks.stop(Duration::ZERO).await;
        self.term += 1;
        (self.engine, self.tasks) =
            engine(&self.types, self.term, &self.calendar, &self.store).await;
    }

    /// Ends the engine in order: running turns end, every actor is deactivated.
    ///
    /// # Panics
    /// When something is still active after a minute; it is named.
    pub async fn stop(self) {
        if let Err(busy) = self.engine.leave(STOP_MAX).await {
            panic!("{busy}");
        }
        self.engine.farewell(STOP_MAX).await;
        if let Err(running) = self.tasks.stop(STOP_MAX).await {
            panic!("{running}");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test's runtime ends with it; in a longer life nothing may stay behind.
        self.tasks.stopping().cancel();
    }
}

async fn engine(
    types: &[TypeSpec],
    term: u64,
    calendar: &Arc<Calendar>,
    store: &Arc<Counted>,
) -> (Engine, Tasks) {
    let app = AppId::parse(APP).expect("a plain word is a name");
    let host = HostName::parse(HOST).expect("a plain word is a name");
    let tasks = Tasks::new("test kit");
    let seams = Seams {
        placement: Arc::new(Placement::new(term, &tasks)),
        peers: None,
        lease: Arc::new(TokioClock::start()),
        wall: Arc::<Calendar>::clone(calendar),
        // Not the same numbers in each life: incarnations must differ.
        entropy: Entropy::seeded(term),
        tasks: tasks.clone(),
    };
    let engine = Engine::start(Config::new(app, host), seams);
    engine.use_store(Arc::<Counted>::clone(store));
    engine.ready().await;
    if let Err(error) = engine.offer(types.to_vec()).await {
        panic!("the engine refuses the types: {error}");
    }
    keep_reminders(&engine, calendar, term, &tasks).await;
    (engine, tasks)
}

/// Has reminders fire, and what turns send out delivered.
async fn keep_reminders(engine: &Engine, calendar: &Arc<Calendar>, term: u64, tasks: &Tasks) {
    let outbox = Outbox::new(engine, STORE, PARTITIONS, tasks.clone());
    engine.use_outbox(Arc::new(outbox.expect("plain words are a name")));
    let parts = reminder::Parts {
        app: engine.config().app.clone(),
        store: STORE.to_owned(),
        partitions: PARTITIONS,
        limits: reminder::book::Limits::default(),
        mail: reminder::lanes::Limits::default(),
        wall: Arc::<Calendar>::clone(calendar),
        entropy: Entropy::seeded(term),
        tasks: tasks.clone(),
    };
    if let Err(error) = ReminderActor::offer(engine, parts).await {
        panic!("the engine refuses reminders: {error}");
    }
}
