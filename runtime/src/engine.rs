//! The engine: one handle in front of router, directory, turns and membership.
//!
//! Assembled from settings and seams; everything it starts belongs to the `Tasks`
//! it is given. Read `router.rs` for how a call finds its actor and `execute.rs`
//! for how it runs.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use odeon_base::{ActorType, Entropy, Epoch, Execution, LeaseClock, TaskKind, Tasks, WallClock};
use odeon_ring::Policy;
use tokio::sync::{Mutex, mpsc, oneshot, watch};

use crate::closing;
use crate::config::Config;
use crate::core::Core;
use crate::drain;
use crate::error::Error;
use crate::execute::{self, Admitted, Body, Detachable, Encoded, Native, NativeShared};
use crate::idle::Idle;
use crate::invocation::{ActorRef, Awaits, CallKind, Invocation, Reply};
use crate::lease::Lease;
use crate::mailbox::{Phase, Why};
use crate::membership::{Command, Membership};
use crate::metrics::{OutboxCounters, ReminderCounters};
use crate::ownership::{Identity, Ownership};
use crate::peers::Peers;
use crate::router::{self, Path, Step};
use crate::seams::{Outbox, PlacementLink, SharedWork, Work};
use crate::store::StateStore;
use crate::turn::{Caller, Turn};
use crate::types::{TypeEntry, Types};

mod by_name;
mod catch_up;
mod forward;
mod holding;
mod host_of;
mod inspect;
mod keyed;
mod moving;
mod offering;
mod one_way;
mod patience;
mod stored;
mod ticks;
mod waking;

/// What an engine is given from outside.
#[derive(Debug)]
pub struct Seams {
    /// The way to placement.
    pub placement: Arc<dyn PlacementLink>,
    /// The way to other hosts; without one, an actor that lives elsewhere cannot be called.
    pub peers: Option<Arc<dyn Peers>>,
    /// Counts suspend.
    pub lease: Arc<dyn LeaseClock>,
    /// The calendar.
    pub wall: Arc<dyn WallClock>,
    /// Jitter, ids, incarnations.
    pub entropy: Entropy,
    /// Owner of everything the engine starts.
    pub tasks: Tasks,
}

/// The virtual-actor engine of one host. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    core: Arc<Core>,
    types: Arc<Types>,
    idle: Arc<Idle>,
    peers: Option<Arc<dyn Peers>>,
    commands: mpsc::Sender<Command>,
    connected: watch::Receiver<bool>,
    refusals: watch::Receiver<BTreeMap<ActorType, String>>,
    /// What placement is told of, in the order of the changes. A type that is being
    /// replaced stays in it, or the tables would change twice.
    offered: Mutex<BTreeMap<ActorType, offering::Offered>>,
    /// Whether it was told to leave.
    is_leaving: AtomicBool,
    started: u64,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Code of users could panic a second time, which would end the process.
            return;
        }
        // Activations and their hosting hold each other.
        for entry in self.types.all() {
            let hostings = entry.hostings();
            entry.withdraw(0);
            for hosting in hostings {
                hosting.directory.each(|activation| {
                    let memory = activation.with(|inner| std::mem::take(&mut inner.instance));
                    // Code of users: however it goes, the others go too.
                    if catch_unwind(AssertUnwindSafe(|| drop(memory))).is_err() {
                        let (actor_type, actor_id) =
                            (&activation.actor.actor_type, &activation.actor.id);
                        tracing::warn!(%actor_type, %actor_id, "dropping its memory panicked");
                    }
                });
                hosting.directory.clear();
            }
        }
    }
}

/// An engine that may be gone.
#[derive(Debug, Clone)]
pub struct WeakEngine {
    inner: Weak<Inner>,
}

impl WeakEngine {
    /// The engine, if it is still there.
    #[must_use]
    pub fn upgrade(&self) -> Option<Engine> {
        Some(Engine { inner: self.inner.upgrade()? })
    }
}

/// An actor with the way to it looked up once; for callers that call it often.
#[derive(Debug, Clone)]
pub struct Target {
    actor: ActorRef,
    entry: Option<Arc<TypeEntry>>,
}

impl Target {
    /// Who it is.
    #[must_use]
    pub fn actor(&self) -> &ActorRef {
        &self.actor
    }
}

/// Turns or activations that did not end in time when a host left.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("still active after {waited:?}: {}", left.iter().map(|(name, count)| format!("{count} of {name}")).collect::<Vec<_>>().join(", "))]
pub struct StillBusy {
    /// How long it was waited for.
    pub waited: Duration,
    /// Types and numbers of activations.
    pub left: Vec<(ActorType, usize)>,
}

impl Engine {
    /// Starts the membership and idle loops on `seams.tasks`.
    #[must_use]
    pub fn start(config: Config, seams: Seams) -> Self {
        let Seams { placement, peers, lease, wall, entropy, tasks } = seams;
        let lease = Lease::new(lease);
        let started = lease.now();
        let (notify, notices) = mpsc::channel(8);
        let (commands, received) = mpsc::channel(64);
        let (connected, is_connected) = watch::channel(false);
        let (refusals, refused) = watch::channel(BTreeMap::new());
        let identity = Identity {
            host: config.host.clone(),
            address: Arc::clone(&config.address),
            app: config.app.clone(),
            namespace: config.namespace.clone(),
        };
        let core = Arc::new(Core::new(config, lease, wall, entropy, tasks.clone(), notify));
        let inner = Arc::new(Inner {
            core: Arc::clone(&core),
            types: Arc::default(),
            idle: Arc::default(),
            peers,
            commands: commands.clone(),
            connected: is_connected,
            refusals: refused,
            offered: Mutex::default(),
            is_leaving: AtomicBool::new(false),
            started,
        });
        let weak: Weak<Inner> = Arc::downgrade(&inner);
        let _ = core.engine.set(weak);
        let membership = Membership {
            core: Arc::clone(&core),
            types: Arc::clone(&inner.types),
            link: placement,
            ownership: Ownership::new(identity),
            commands: received,
            notices,
            to_self: commands,
            connected,
            refusals,
            unsent: VecDeque::new(),
            left: None,
            said: None,
        };
        tasks.spawn(TaskKind::Membership, membership.run());
        let idle = Arc::clone(&inner.idle);
        let stop = tasks.stopping().clone();
        tasks.spawn(TaskKind::Idle, async move { idle.run(&core.lease, stop).await });
        ticks::start(&inner);
        Self { inner }
    }

    /// The engine whose turn this is, for calls from inside it.
    #[must_use]
    pub fn of(turn: &Turn) -> Option<Self> {
        let inner: Arc<dyn Any + Send + Sync> = turn.engine()?;
        Some(Self { inner: inner.downcast().ok()? })
    }

    /// Whether there is a way to actors that live on other hosts.
    #[must_use]
    pub fn has_peers(&self) -> bool {
        self.inner.peers.is_some()
    }

    /// The engine's settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.core.config
    }

    /// Owner of what is started for as long as the engine runs.
    #[must_use]
    pub fn tasks(&self) -> &Tasks {
        &self.inner.core.tasks
    }

    /// Where actors keep their state; set once, later values are ignored. Types that
    /// were offered before and need it are placed from now on.
    pub fn use_store(&self, store: Arc<dyn StateStore>) {
        let core = &self.inner.core;
        core.use_store(store);
        let hostings = self.hostings(Policy::Ring);
        if hostings.iter().any(|hosting| hosting.spec.config.needs_store()) {
            let engine = self.clone();
            core.tasks.spawn(TaskKind::Watcher, async move { engine.send_offers().await });
        }
    }

    /// Where actors keep their state.
    #[must_use]
    pub fn store(&self) -> Option<Arc<dyn StateStore>> {
        self.inner.core.store().cloned()
    }

    /// What keeps and delivers that which turns send out; set once, later values are ignored.
    pub fn use_outbox(&self, outbox: Arc<dyn Outbox>) {
        self.inner.core.use_outbox(outbox);
    }

    /// What went out, for whoever delivers it and for whoever looks.
    #[must_use]
    pub fn sent(&self) -> Arc<OutboxCounters> {
        Arc::clone(&self.inner.core.sent)
    }

    /// What became of ticks of reminders, for whoever keeps them and for whoever looks.
    #[must_use]
    pub fn reminded(&self) -> Arc<ReminderCounters> {
        Arc::clone(&self.inner.core.reminded)
    }

    /// Waits until this host holds a lease.
    ///
    /// # Cancel safety
    /// Can be dropped at will.
    pub async fn ready(&self) {
        let lease = &self.inner.core.lease;
        loop {
            let mut changed = std::pin::pin!(lease.changed.notified());
            changed.as_mut().enable();
            if lease.may_start(lease.now()) {
                return;
            }
            changed.await;
        }
    }

    /// Calls an actor's method, wherever it lives.
    ///
    /// What another host sent here (`routed_by`) is run here or answered with
    /// [`Error::Moved`]; it is not sent on.
    ///
    /// # Errors
    /// Any [`Error`]; [`Error::execution`] says whether the turn may have begun.
    ///
    /// # Cancel safety
    /// A call that waits is taken out of its queue; a turn that began runs on (O7).
    pub async fn call(&self, invocation: Invocation) -> Result<Reply, Error> {
        if let Some(answered) = self.about_timers(&invocation) {
            return answered;
        }
        if invocation.awaits == Awaits::Stored {
            return Box::pin(self.stored(invocation)).await;
        }
        if invocation.once.is_some() && invocation.routed_by.is_none() {
            return Box::pin(self.only_once(invocation)).await;
        }
        self.call_one_time(invocation).await
    }

    async fn call_one_time(&self, invocation: Invocation) -> Result<Reply, Error> {
        if let Some(epoch) = invocation.routed_by {
            // Kept out of the memory that every other call takes.
            return Box::pin(self.routed(invocation, epoch)).await;
        }
        let entry = self.entry(&invocation.actor, invocation.deadline).await?;
        match self.encoded(&entry, invocation).await {
            Err(Error::Refused { reason, call }) => Box::pin(self.again(reason, *call)).await,
            answered => answered,
        }
    }

    async fn encoded(&self, entry: &Arc<TypeEntry>, mut call: Invocation) -> Result<Reply, Error> {
        if call.awaits == Awaits::Place {
            return Box::pin(self.one_way(entry, call)).await;
        }
        // Lent, not copied: most calls run here, and only one that is sent on needs it back.
        let chain = std::mem::take(&mut call.chain);
        let mut caller = Caller { deadline: call.deadline, chain };
        let path = self.path_of(entry, &call);
        match self.admitted(&path, &mut caller).await {
            Ok(admitted) => {
                let (actor, body) = Encoded::of(call);
                self.turn(&actor, admitted, caller, body).await
            }
            Err(error @ Error::Moved { .. }) if path.can_forward => match &self.inner.peers {
                Some(peers) => {
                    call.chain = caller.chain;
                    Box::pin(self.forward(&**peers, entry, call)).await
                }
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Sends a call again that the application refused before it began (RT-3).
    async fn again(&self, mut reason: String, mut call: Invocation) -> Result<Reply, Error> {
        let core = &self.inner.core;
        for attempt in 0..core.config.attempts_max {
            tokio::time::sleep(router::retry_wait(core, attempt)).await;
            let entry = self.entry(&call.actor, call.deadline).await?;
            match self.encoded(&entry, call).await {
                Err(Error::Refused { reason: why, call: back }) => (reason, call) = (why, *back),
                answered => return answered,
            }
        }
        Err(Error::AppLost { reason, execution: Execution::None })
    }

    /// Looks the way to an actor up once.
    #[must_use]
    pub fn target(&self, actor: &ActorRef) -> Target {
        Target { actor: actor.clone(), entry: self.known_entry(actor) }
    }

    /// Calls a native actor of this process without encoding anything.
    ///
    /// # Errors
    /// As [`Engine::call`]; [`Error::Arguments`] when the type is not hosted here as `A`.
    ///
    /// # Cancel safety
    /// As [`Engine::call`].
    pub async fn run<A: Send + 'static, W: Work<A>>(
        &self,
        target: &Target,
        caller: Caller,
        work: W,
    ) -> Result<W::Output, Error> {
        self.native(target, caller, Native::new(work)).await
    }

    /// As [`Engine::run`], for an actor that turns share.
    ///
    /// # Errors
    /// As [`Engine::run`].
    ///
    /// # Cancel safety
    /// As [`Engine::call`].
    pub async fn run_shared<A: Send + Sync + 'static, W: SharedWork<A>>(
        &self,
        target: &Target,
        caller: Caller,
        work: W,
    ) -> Result<W::Output, Error> {
        self.native(target, caller, NativeShared::new(work)).await
    }

    async fn native<B: Body>(
        &self,
        target: &Target,
        caller: Caller,
        body: B,
    ) -> Result<B::Output, Error> {
        let sought;
        let entry = match &target.entry {
            Some(entry) => entry,
            None => {
                sought = self.entry(&target.actor, caller.deadline).await?;
                &sought
            }
        };
        let (mut caller, path) = (caller, self.path(entry, &target.actor, 0, None));
        let admitted = self.admitted(&path, &mut caller).await?;
        self.turn(&target.actor, admitted, caller, body).await
    }

    fn path_of<'a>(&'a self, entry: &'a TypeEntry, call: &'a Invocation) -> Path<'a> {
        let path = self.path(entry, &call.actor, call.body.len(), call.routed_by);
        let method = (call.kind == CallKind::Method).then_some(&*call.method);
        Path { method, is_waited_for: call.awaits == Awaits::Answer, ..path }
    }

    fn path<'a>(
        &'a self,
        entry: &'a TypeEntry,
        actor: &'a ActorRef,
        bytes: usize,
        routed_by: Option<Epoch>,
    ) -> Path<'a> {
        let inner = &*self.inner;
        let can_forward = routed_by.is_none() && inner.peers.is_some();
        let (core, idle) = (&inner.core, &inner.idle);
        Path {
            core,
            entry,
            idle,
            actor,
            method: None,
            bytes,
            routed_by,
            can_forward,
            only: None,
            is_use: true,
            is_waited_for: true,
            has_room: false,
        }
    }

    /// A handle that does not keep the engine alive, for what the engine itself holds.
    #[must_use]
    pub fn downgrade(&self) -> WeakEngine {
        WeakEngine { inner: Arc::downgrade(&self.inner) }
    }

    fn known_entry(&self, actor: &ActorRef) -> Option<Arc<TypeEntry>> {
        self.inner.types.of(&self.inner.core.config.app, actor)
    }

    /// Brings a call to the start of its turn; nothing has begun when this fails.
    fn admitted(
        &self,
        path: &Path<'_>,
        caller: &mut Caller,
    ) -> impl Future<Output = Result<(Admitted, u64), Error>> + Send {
        let first = path.first_look(caller);
        self.admitted_after(path, first, caller)
    }

    /// As [`Self::admitted`], after a first look.
    async fn admitted_after(
        &self,
        path: &Path<'_>,
        first: Result<Step, Error>,
        caller: &mut Caller,
    ) -> Result<(Admitted, u64), Error> {
        match path.queue(first?, caller).await {
            Ok(Step::Run(admitted, started)) if admitted.is_ready() => Ok((admitted, started)),
            // Kept out of the memory that every call takes.
            other => Box::pin(self.prepare(path, caller, other)).await,
        }
    }

    /// Runs the turn of a call that was let in.
    async fn turn<B: Body>(
        &self,
        actor: &ActorRef,
        (admitted, started): (Admitted, u64),
        caller: Caller,
        body: B,
    ) -> Result<B::Output, Error> {
        let core = &*self.inner.core;
        let deadline = caller.deadline;
        let running = execute::begin(admitted, caller, started, body)?;
        let running = Detachable::new(&core.tasks, running);
        within(deadline, running).await.unwrap_or_else(|| Err(too_late(actor, Execution::Maybe)))
    }

    /// Brings a call that has to wait for more than its place to the start of its turn;
    /// nothing has begun meanwhile, so what is refused is sent again (RT-3).
    async fn prepare(
        &self,
        path: &Path<'_>,
        caller: &mut Caller,
        first: Result<Step, Error>,
    ) -> Result<(Admitted, u64), Error> {
        let core = &*self.inner.core;
        let (mut next, mut attempt) = match first {
            Ok(step) => (path.admit_after(step, caller).await, 0),
            Err(error) => (Err(error), 0),
        };
        loop {
            let prepared = match next {
                Ok((admitted, started)) if admitted.is_ready() => return Ok((admitted, started)),
                Ok((admitted, started)) => {
                    self.memory_and_limit(path, caller, admitted, started).await
                }
                Err(error) => Err(error),
            };
            match prepared {
                // The gate may have shut, or the lease may stand still, since it was let in.
                Ok((admitted, started)) => {
                    if path.still_admits(&admitted, caller) {
                        return Ok((admitted, started));
                    }
                }
                Err(error @ (Error::Fenced { .. } | Error::AppLost { .. }))
                    if error.is_safe_to_retry() && attempt < core.config.attempts_max =>
                {
                    tokio::time::sleep(router::retry_wait(core, attempt)).await;
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
            next = path.admit(caller).await;
        }
    }

    /// Makes the memory if need be, and waits for the limit of the whole type (TURN-8).
    async fn memory_and_limit(
        &self,
        path: &Path<'_>,
        caller: &Caller,
        mut admitted: Admitted,
        started: u64,
    ) -> Result<(Admitted, u64), Error> {
        let tasks = &self.inner.core.tasks;
        let too_late = || too_late(path.actor, Execution::None);
        if admitted.activate {
            let made = Detachable::new(tasks, execute::activate(admitted, caller.clone()));
            admitted = within(caller.deadline, made).await.unwrap_or_else(|| Err(too_late()))?;
        }
        // A turn that runs may wait for a call of its own chain.
        if let Some(turns) = admitted.limit().filter(|_| caller.chain.hops().is_empty()) {
            let permit = within(caller.deadline, turns.acquire_owned()).await;
            admitted.permit = permit.ok_or_else(too_late)?.ok();
        }
        Ok((admitted, started))
    }

    fn active(&self, actor: &ActorRef) -> Option<Arc<crate::activation::Activation>> {
        let entry = self.known_entry(actor)?;
        let hosting = entry.hosting()?;
        let activation = hosting.directory.get(&actor.id)?;
        // While the memory is being made no turn runs: who writes then is a straggler of
        // an earlier life.
        let is_active = matches!(
            activation.with(|inner| inner.mailbox.phase()),
            Phase::Active | Phase::Closing
        );
        is_active.then_some(activation)
    }

    /// Ends an activation after its running turn, with a goodbye (DEA-5). `false`
    /// when the actor was not active here.
    ///
    /// # Cancel safety
    /// Once polled, the end is under way whether or not this is waited for.
    pub async fn deactivate(&self, actor: &ActorRef) -> bool {
        let Some(activation) = self.active(actor) else { return false };
        let hosting = Arc::clone(&activation.hosting);
        let fence = activation.with(|inner| inner.fence);
        closing::close(&activation, Why::Asked);
        loop {
            let mut gone = std::pin::pin!(hosting.gone.notified());
            gone.as_mut().enable();
            // Waiting calls may have begun the next life of the same activation.
            let is_over = activation.is_gone() || activation.with(|inner| inner.fence) != fence;
            if is_over {
                return true;
            }
            let _ = tokio::time::timeout(Duration::from_millis(50), gone).await;
        }
    }

    /// Leaves the cluster in order: tables without this host, drain, goodbyes,
    /// release; the lease goes on until [`Engine::farewell`].
    ///
    /// # Errors
    /// [`StillBusy`] when that took longer than `limit`; what is left is named.
    pub async fn leave(&self, limit: Duration) -> Result<(), StillBusy> {
        self.inner.is_leaving.store(true, Ordering::Release);
        let (told, left) = oneshot::channel();
        let _ = self.inner.commands.send(Command::Leave(told)).await;
        let leaving = async {
            let _ = left.await;
            for hosting in self.hostings(Policy::Ring) {
                drain::all(&hosting, limit, Why::Moved).await;
            }
        };
        if tokio::time::timeout(limit, leaving).await.is_ok() {
            return Ok(());
        }
        let busy = self.hostings(Policy::Ring).into_iter();
        let left = busy
            .map(|hosting| (hosting.spec.actor_type.clone(), hosting.directory.len()))
            .filter(|(_, count)| *count > 0)
            .collect();
        Err(StillBusy { waited: limit, left })
    }

    /// Ends the activations of the system actors, then this life: it runs nothing
    /// any more and never will. Call it after the stores are out of use.
    pub async fn farewell(&self, limit: Duration) {
        for policy in [Policy::Local, Policy::Holder] {
            for hosting in self.hostings(policy) {
                // Calls that still come would keep bringing them back to life.
                if let Some(entry) = self.inner.types.get(hosting.spec.actor_type.as_str()) {
                    entry.withdraw(self.inner.core.lease.now());
                }
                drain::all(&hosting, limit, Why::Asked).await;
            }
        }
        let (told, said) = oneshot::channel();
        if self.inner.commands.send(Command::Farewell(told)).await.is_ok() {
            let _ = tokio::time::timeout(limit, said).await;
        }
    }

    fn hostings(&self, policy: Policy) -> Vec<Arc<crate::activation::Hosting>> {
        let all = self.inner.types.all().into_iter();
        all.filter_map(|entry| entry.hosting())
            .filter(|hosting| hosting.spec.config.placement == policy)
            .collect()
    }
}

/// Waits for a future until the deadline, if there is one; `None` when it passed.
async fn within<T>(
    deadline: Option<tokio::time::Instant>,
    future: impl Future<Output = T>,
) -> Option<T> {
    match deadline {
        None => Some(future.await),
        Some(deadline) => tokio::time::timeout_at(deadline, future).await.ok(),
    }
}

fn too_late(actor: &ActorRef, execution: Execution) -> Error {
    let (actor_type, id) = (actor.actor_type.clone(), actor.id.clone());
    match execution {
        Execution::None => Error::QueueTimeout { actor_type, id },
        Execution::Maybe | Execution::Done => Error::TurnTimeout { actor_type, id },
    }
}

#[cfg(all(test, feature = "model"))]
#[path = "shuttle_tests.rs"]
mod shuttle_tests;
