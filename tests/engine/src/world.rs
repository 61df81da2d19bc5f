//! A few hosts over one store and one placement, in one process on paused time.

use std::sync::Arc;
use std::time::Duration;

use odeon_base::clock::{ManualClock, TokioClock};
use odeon_base::{
    ActorType, AppId, Entropy, Execution, HostName, LeaseClock, TaskKind, Tasks, WallClock,
};
use odeon_blocks::reminder::{self, Outbox, ReminderActor, Reminders};
use odeon_blocks::state::actor::{Component, Reach};
use odeon_blocks::state::{Prefixes, StateActor, StateHandle};
use odeon_ring::Policy;
use odeon_runtime::config::{Config, TypeConfig, TypeSpec};
use odeon_runtime::engine::Seams;
use odeon_runtime::error::Error;
use odeon_runtime::metrics::TypeMetrics;
use odeon_runtime::peers::Peers;
use odeon_runtime::status::TypeStatus;
use odeon_runtime::store::{ActorScope, StateStore};
use odeon_runtime::{ActorRef, Engine, Invocation, Reply};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::app::{Probe, text};
use crate::board::Board;
use crate::called;
use crate::kinds::Kind;
use crate::neighbours::Neighbours;
use crate::placed::Placed;
use crate::store::MemoryStore;
use crate::streams::Streams;
use crate::worker;

/// The type of all actors here.
pub const TYPE: &str = "Actor";
/// How long a test waits for what should come at once, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The component behind `sys.state`.
pub const COMPONENT: &str = "statestore";

/// Hosts, and what they share.
#[derive(Debug)]
pub struct World {
    /// Placement.
    pub board: Board,
    /// The one store.
    pub store: MemoryStore,
    /// Sees all actors.
    pub probe: Arc<Probe>,
    /// In place of the board.
    placed: Option<Arc<Placed>>,
    /// Between the hosts; `None` where each answers for itself.
    pub neighbours: Option<Arc<Neighbours>>,
    /// In place of the neighbours.
    streams: Option<Streams>,
    has_sys_state: bool,
    tasks: Tasks,
}

impl Default for World {
    fn default() -> Self {
        Self::of(Kind::Native)
    }
}

impl World {
    /// What hosts of actors of this kind share.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        let (tasks, probe) = (Tasks::new("world"), Arc::default());
        let board = Board::new(&tasks, &probe);
        let placed = (kind == Kind::Placed).then(|| Placed::new(&tasks));
        let has_sys_state = kind == Kind::OverSysState;
        let store = MemoryStore::default();
        let (neighbours, streams) = (None, None);
        Self { board, store, probe, placed, neighbours, streams, has_sys_state, tasks }
    }

    /// The same, where hosts send each other what they do not own.
    #[must_use]
    pub fn of_neighbours(kind: Kind) -> Self {
        let world = Self::of(kind);
        Self { neighbours: Some(Neighbours::new(&world.tasks)), ..world }
    }

    /// The same, where they do so over the streams of a release; not for paused time.
    #[must_use]
    pub fn of_streams(kind: Kind) -> Self {
        Self { streams: Some(Streams::default()), ..Self::of(kind) }
    }

    /// The streams between the hosts.
    #[must_use]
    pub fn streams(&self) -> &Streams {
        self.streams.as_ref().expect("a world of streams")
    }

    /// The way between the hosts.
    #[must_use]
    pub fn neighbours(&self) -> &Arc<Neighbours> {
        self.neighbours.as_ref().expect("a world of neighbours")
    }

    /// An engine that offers nothing yet; its lease clock follows `tokio::time`.
    #[must_use]
    pub fn bare_host(&self, name: &str) -> Host {
        self.host_with(name, Arc::new(TokioClock::start()), |_| {})
    }

    /// An engine whose lease clock is moved by hand.
    #[must_use]
    pub fn host_on(&self, name: &str, clock: &Arc<ManualClock>) -> Host {
        self.host_with(name, Arc::<ManualClock>::clone(clock), |_| {})
    }

    /// An engine by another calendar.
    #[must_use]
    pub fn host_by(&self, name: &str, wall: Arc<dyn WallClock>) -> Host {
        let host = self.storeless(name, (Arc::new(TokioClock::start()), wall), |_| {});
        self.with_store(host)
    }

    /// An engine with settings of its own.
    pub fn host_with(
        &self,
        name: &str,
        lease: Arc<dyn LeaseClock>,
        set: impl FnOnce(&mut Config),
    ) -> Host {
        self.with_store(self.storeless_host_with(name, lease, set))
    }

    fn with_store(&self, mut host: Host) -> Host {
        let store: Arc<dyn StateStore> = Arc::new(self.store.clone());
        if self.has_sys_state {
            let handle = StateHandle::new(&host.engine, COMPONENT, store.capabilities());
            host.engine.use_store(Arc::new(handle.expect("an actor's id")));
            host.sys_state = Some(store);
        } else {
            host.engine.use_store(store);
        }
        host
    }

    /// An engine whose actors have nowhere to keep their state.
    #[must_use]
    pub fn storeless_host(&self, name: &str) -> Host {
        self.storeless_host_with(name, Arc::new(TokioClock::start()), |_| {})
    }

    fn storeless_host_with(
        &self,
        name: &str,
        lease: Arc<dyn LeaseClock>,
        set: impl FnOnce(&mut Config),
    ) -> Host {
        self.storeless(name, (lease, Arc::new(TokioClock::start())), set)
    }

    fn storeless(
        &self,
        name: &str,
        (lease, wall): (Arc<dyn LeaseClock>, Arc<dyn WallClock>),
        set: impl FnOnce(&mut Config),
    ) -> Host {
        let host = HostName::parse(name).expect("a host's name");
        let mut config = Config::new(AppId::parse("app").expect("an app id"), host);
        set(&mut config);
        let seed = name.bytes().fold(7, |seed, byte| seed * 31 + u64::from(byte));
        let tasks = self.tasks.child("host");
        let wired = self.streams.as_ref().map(|all| all.wire(&mut config, seed, &tasks));
        let seams = Seams {
            peers: match &wired {
                Some(wired) => Some(wired.peers()),
                None => self.neighbours.clone().map(|all| all as Arc<dyn Peers>),
            },
            placement: match &self.placed {
                Some(placed) => Arc::<Placed>::clone(placed),
                None => self.board.link(name),
            },
            lease,
            wall,
            entropy: Entropy::seeded(seed),
            tasks: tasks.clone(),
        };
        let engine = Engine::start(config, seams);
        if let Some(neighbours) = &self.neighbours {
            neighbours.settle_in(name, engine.downgrade());
        }
        if let Some(wired) = wired {
            wired.serve(&engine);
        }
        let probe = Arc::clone(&self.probe);
        Host { engine, name: name.to_owned(), tasks, probe, sys_state: None }
    }

    /// A host of actors of one kind, once calls are routed to it.
    pub async fn host(&self, name: &str, kind: Kind, config: TypeConfig) -> Host {
        let host = self.bare_host(name);
        host.offer(kind, config).await;
        host
    }

    /// Hosts of these names over the placement of a release, all of whom know the newest table.
    pub async fn cluster(self, names: &[&str]) -> (Self, Vec<Host>) {
        let mut hosts = Vec::new();
        for name in names {
            hosts.push(self.host(name, Kind::Placed, TypeConfig::default()).await);
        }
        until_known(&hosts).await;
        (self, hosts)
    }

    /// Whether two turns of an actor have overlapped (TURN-1).
    pub fn assert_one_at_a_time(&self) {
        assert_eq!(self.probe.overlaps(), [""; 0]);
    }
}

/// One host.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its engine.
    pub engine: Engine,
    /// Its name.
    pub name: String,
    tasks: Tasks,
    probe: Arc<Probe>,
    /// What stands behind `sys.state`, if that is between.
    sys_state: Option<Arc<dyn StateStore>>,
}

impl Host {
    /// Hosts the type here.
    pub async fn offer(&self, kind: Kind, config: TypeConfig) {
        self.offer_as(kind, TYPE, config).await;
    }

    /// Hosts a type of another name here.
    pub async fn offer_as(&self, kind: Kind, name: &str, mut config: TypeConfig) {
        if kind == Kind::System {
            config.placement = Policy::Local;
        }
        if let Some(store) = &self.sys_state {
            let prefixes = Prefixes { plain: "app".into(), actors: "app".into() };
            let component = Component { store: Arc::clone(store), prefixes };
            let app = &self.engine.config().app;
            let spec = StateActor::spec(app, COMPONENT, component, Reach::Local);
            let spec = spec.expect("a type's name");
            self.engine.offer(vec![spec]).await.expect("settings that agree");
        }
        match kind.behaviour(&self.probe, &self.tasks) {
            Some(behaviour) => {
                let actor_type = ActorType::parse(name).expect("a good name");
                let spec = TypeSpec { actor_type, config, behaviour };
                self.engine.offer(vec![spec]).await.expect("settings that agree");
            }
            None if kind == Kind::App => {
                called::start(&self.engine, name, config, &self.probe, &self.tasks).await;
            }
            None => worker::start(&self.engine, name, config, &self.probe, &self.tasks).await,
        }
    }

    /// Offers the partitions of reminders and the outbox, by this clock; how they are called.
    pub async fn offer_reminders(&self, partitions: u32, wall: Arc<dyn WallClock>) -> Reminders {
        let parts = reminder::Parts {
            app: self.engine.config().app.clone(),
            store: COMPONENT.to_owned(),
            partitions,
            limits: reminder::book::Limits::default(),
            mail: reminder::lanes::Limits::default(),
            wall,
            entropy: Entropy::seeded(self.name.len() as u64),
            tasks: self.tasks.clone(),
        };
        let outbox = Outbox::new(&self.engine, COMPONENT, partitions, self.tasks.clone());
        self.engine.use_outbox(Arc::new(outbox.expect("a type's name")));
        ReminderActor::offer(&self.engine, parts).await.expect("a type's name");
        Reminders::new(&self.engine, COMPONENT, partitions).expect("a type's name")
    }

    /// Offers the type where the engine may refuse it.
    pub async fn try_offer(&self, kind: Kind, config: TypeConfig) -> Result<(), Error> {
        let behaviour = kind.behaviour(&self.probe, &self.tasks).expect("the engine is asked");
        self.engine.offer(vec![TypeSpec { actor_type: actor_type(), config, behaviour }]).await
    }

    /// Calls an actor and waits for its answer.
    pub async fn call(&self, id: &str, method: &str, body: &str) -> Result<String, Error> {
        self.invoke(invocation(id, method, body)).await
    }

    /// The same with a time limit.
    pub async fn call_within(
        &self,
        limit: Duration,
        id: &str,
        method: &str,
        body: &str,
    ) -> Result<String, Error> {
        let mut invocation = invocation(id, method, body);
        invocation.deadline = Some(Instant::now() + limit);
        self.invoke(invocation).await
    }

    /// Sends a call as it is.
    pub async fn invoke(&self, invocation: Invocation) -> Result<String, Error> {
        self.engine.call(invocation).await.map(|reply| text(&reply.body))
    }

    /// Calls from a task of its own.
    #[must_use]
    pub fn start(&self, id: &str, method: &str, body: &str) -> Running {
        let (host, id) = (self.clone(), id.to_owned());
        let (method, body) = (method.to_owned(), body.to_owned());
        let work = async move { host.call(&id, &method, &body).await };
        self.tasks.spawn(TaskKind::Connection, work)
    }

    /// Sends a call as it is, from a task of its own.
    #[must_use]
    pub fn send(&self, invocation: Invocation) -> JoinHandle<Result<Reply, Error>> {
        let engine = self.engine.clone();
        self.tasks.spawn(TaskKind::Connection, async move { engine.call(invocation).await })
    }

    /// How the type stands.
    #[must_use]
    pub fn status(&self) -> TypeStatus {
        let mut all = self.engine.status().types.into_iter();
        all.find(|of| of.actor_type.as_str() == TYPE).expect("the type is known")
    }

    /// What is counted of the type.
    #[must_use]
    pub fn metrics(&self) -> TypeMetrics {
        let mut all = self.engine.metrics().into_iter();
        all.find(|of| of.actor_type.as_str() == TYPE).expect("the type is known")
    }

    /// Waits until this many calls stand in mailboxes.
    pub async fn until_waiting(&self, calls: usize) {
        eventually("calls wait", || self.metrics().waiting == calls).await;
    }

    /// Waits until this many turns run.
    pub async fn until_running(&self, turns: u64) {
        eventually("turns run", || self.metrics().running == turns).await;
    }

    /// Stops all tasks of the host at once, as the end of its process would.
    pub async fn kill(self) {
        let _ = self.tasks.stop(Duration::ZERO).await;
    }
}

/// A call under way.
pub type Running = JoinHandle<Result<String, Error>>;

/// The actor of this id.
#[must_use]
pub fn actor(id: &str) -> ActorRef {
    ActorRef::parse(TYPE, id).expect("a good name")
}

/// Where an actor's state lives.
#[must_use]
pub fn scope(id: &str) -> ActorScope {
    ActorScope { prefix: "app".into(), actor_type: TYPE.into(), actor_id: id.into() }
}

/// The name of the type.
#[must_use]
pub fn actor_type() -> ActorType {
    actor("any").actor_type
}

/// A call without limits.
#[must_use]
pub fn invocation(id: &str, method: &str, body: &str) -> Invocation {
    Invocation::new(actor(id), method, body.to_owned())
}

/// Whether the turn of a failed call may have begun.
#[must_use]
pub fn execution(result: &Result<String, Error>) -> Option<Execution> {
    result.as_ref().err().map(Error::execution)
}

/// Waits, without letting time pass, until something is so.
pub async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..20_000 {
        if is_so() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("never so: {what}");
}

/// Waits, however much time passes, until something is so.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let so = async {
        while !is_so() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, so).await.unwrap_or_else(|_| panic!("waited too long: {what}"));
}

/// Waits until all know the newest table, which is the one that the last of them is in.
pub async fn until_known(hosts: &[Host]) {
    let last = hosts.last().expect("a host");
    until("all know the newest table", || {
        let newest = last.status().epoch;
        newest.is_some() && hosts.iter().all(|host| host.status().epoch == newest)
    })
    .await;
    settle().await;
}

/// An id whose actor lives on `owner`, found by where its turn runs.
pub async fn living_on(from: &Host, owner: &Host) -> String {
    let seek = async {
        for number in 0.. {
            let id = format!("{}{number}", owner.name.trim_end_matches(":1"));
            let before = owner.metrics().turns_done;
            from.call(&id, "get", "k").await.expect("an answer");
            if owner.metrics().turns_done > before {
                return id;
            }
        }
        unreachable!("there are more ids than that")
    };
    timeout(PATIENCE, seek).await.unwrap_or_else(|_| panic!("no actor lives on {}", owner.name))
}

/// Lets all that can go on without time passing go on.
pub async fn settle() {
    for _ in 0..500 {
        tokio::task::yield_now().await;
    }
}
