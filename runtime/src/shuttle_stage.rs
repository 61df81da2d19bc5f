//! The stage of the model checks: one engine, one type, and an application that notices
//! when something is wrong.
//!
//! All of the engine that a call meets is the product's: router, directory, mailbox,
//! turn, goodbye, drain. What is left out is the membership loop; a check publishes
//! tables and leases itself. Time stands still, so whoever waits is woken or waits for
//! ever, which the checker reports.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex as StdMutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::clock::ManualClock;
use odeon_base::{AppId, Epoch, HostName, Incarnation};
use odeon_ring::change::Update;
use odeon_ring::{Chain, Mark, Member, Rings};
use shuttle::future::{JoinHandle, yield_now};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};

use super::super::*;
use crate::activation::Cut;
use crate::config::{TypeConfig, TypeSpec};
use crate::defect::Defect;
use crate::lease::Grant;
use crate::seams::Call;
use crate::seams::{Behaviour, Instance};

/// This host.
const ME: Incarnation = Incarnation(1);
/// The one to which actors move.
const OTHER: Incarnation = Incarnation(2);
/// Where the search begins: the same schedules every time.
const SEED: u64 = 0x0de0_4711;

/// Looks for a schedule that breaks the scenario: at random, and by few but well placed
/// changes of who runs.
pub(super) fn check(schedules: usize, scenario: fn()) {
    search(RandomScheduler::new_from_seed(SEED, schedules), None, scenario);
    search(PctScheduler::new_from_seed(SEED, 3, schedules), None, scenario);
}

/// Plants a defect and sees to it that the same search finds it, for what it is.
pub(super) fn finds(defect: Defect, symptom: &str, schedules: usize, scenario: fn()) {
    let random = RandomScheduler::new_from_seed(SEED, schedules);
    let searched = AssertUnwindSafe(|| search(random, Some(defect), scenario));
    let Err(found) = catch_unwind(searched) else {
        panic!("{defect:?} was planted and not found in {schedules} schedules");
    };
    let text = found.downcast_ref::<String>().map_or("", String::as_str);
    assert!(text.contains(symptom), "{defect:?} was found by something else: {text}");
}

fn search(scheduler: impl Scheduler + 'static, defect: Option<Defect>, scenario: fn()) {
    // Timers need a runtime to belong to; nobody drives it, so none of them fires. It is
    // left behind: after a failure it holds what the checker has left behind too.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without threads");
    let runtime = Box::leak(Box::new(runtime));
    let _inside = runtime.enter();
    Defect::plant(defect);
    let mut config = shuttle::Config::new();
    config.stack_size = 1 << 19;
    config.silence_warnings = true;
    config.max_steps = shuttle::MaxSteps::FailAfter(100_000);
    config.ungraceful_shutdown_config.immediately_return_on_panic = true;
    if defect.is_some() {
        config.failure_persistence = shuttle::FailurePersistence::None;
    }
    shuttle::Runner::new(scheduler, config).run(scenario);
}

/// What the application saw.
#[derive(Debug, Default)]
struct Seen {
    /// Calls that run, by actor.
    running: BTreeMap<String, Vec<String>>,
    /// Actors in memory.
    alive: BTreeMap<String, bool>,
    /// All turns in the order in which they began.
    began: Vec<String>,
    /// No turn may begin: the actors are somebody else's.
    is_released: bool,
    broken: Vec<String>,
}

/// How the application is hosted, and where its actors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// In this process, one turn at a time.
    Owned,
    /// In another process, which goes on although nobody waits any more.
    Remote,
}

/// The application.
#[derive(Debug)]
pub(super) struct App {
    memory: Memory,
    is_reentrant: bool,
    waiting_max: usize,
    seen: StdMutex<Seen>,
    /// How many activations fail before one succeeds.
    failures: StdMutex<u32>,
}

impl App {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turns so far.
    pub(super) fn began(&self) -> Vec<String> {
        self.seen().began.clone()
    }

    /// The next activations fail.
    pub(super) fn fail(&self, times: u32) {
        *self.failures.lock().unwrap_or_else(PoisonError::into_inner) = times;
    }

    fn begin(&self, actor: &ActorRef, body: &str) {
        let id = actor.id.to_string();
        let mut seen = self.seen();
        let seen = &mut *seen;
        let running = seen.running.entry(id.clone()).or_default();
        if !running.is_empty() && !self.is_reentrant {
            seen.broken.push(format!("'{body}' began while {running:?} ran"));
        }
        running.push(body.to_owned());
        if seen.alive.get(&id) != Some(&true) {
            seen.broken.push(format!("'{body}' began outside of a life"));
        }
        if seen.is_released {
            seen.broken.push(format!("'{body}' began after the release"));
        }
        if !body.is_empty() && seen.began.iter().any(|begun| begun == body) {
            seen.broken.push(format!("'{body}' ran twice"));
        }
        seen.began.push(body.to_owned());
    }

    fn end(&self, actor: &ActorRef, body: &str) {
        let mut seen = self.seen();
        if let Some(running) = seen.running.get_mut(&actor.id.to_string()) {
            running.retain(|other| other != body);
        }
    }

    fn hello(&self, actor: &ActorRef) {
        let mut seen = self.seen();
        let id = actor.id.to_string();
        if seen.alive.insert(id, true) == Some(true) {
            seen.broken.push("a life began inside of another".to_owned());
        }
        if seen.is_released {
            seen.broken.push("a life began after the release".to_owned());
        }
    }

    fn bye(&self, actor: &ActorRef) {
        let mut seen = self.seen();
        let id = actor.id.to_string();
        if seen.running.get(&id).is_some_and(|running| !running.is_empty()) {
            seen.broken.push("a goodbye came into a turn".to_owned());
        }
        if seen.alive.get(&id) != Some(&true) {
            seen.broken.push("a goodbye came outside of a life".to_owned());
        }
    }

    fn is_gone(&self, actor: &ActorRef) {
        self.seen().alive.insert(actor.id.to_string(), false);
    }
}

/// A turn: it stands still for a while, then makes the calls that it was told to, each
/// from inside the one before: `number/actor/actor`.
async fn perform(app: Arc<App>, turn: TurnParts, body: String) -> Result<Reply, Error> {
    app.begin(&turn.actor, &body);
    yield_now().await;
    let waiting = turn.engine.metrics().first().map_or(0, |numbers| numbers.waiting);
    if waiting > app.waiting_max {
        app.seen().broken.push(format!("{waiting} calls wait"));
    }
    let mut result = Ok(Reply::default());
    if let Some((first, rest)) = body.split_once('/') {
        let (next, rest) = rest.split_once('/').unwrap_or((rest, ""));
        // Each hop leaves its mark, so that no two turns have the same name.
        let further =
            if rest.is_empty() { format!("{first}<") } else { format!("{first}</{rest}") };
        let mut call = invocation(next, &further);
        call.chain = turn.caller.chain.clone();
        result = turn.engine.call(call).await;
    }
    yield_now().await;
    app.end(&turn.actor, &body);
    result
}

/// What a turn in another process is told.
#[derive(Debug)]
struct TurnParts {
    engine: Engine,
    actor: ActorRef,
    caller: Caller,
}

impl Behaviour for Arc<App> {
    fn activate<'a>(&'a self, turn: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>> {
        async move {
            yield_now().await;
            let fails = {
                let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
                let fails = *failures > 0;
                *failures = failures.saturating_sub(1);
                fails
            };
            if fails {
                return Err(Error::Closed);
            }
            self.hello(turn.actor());
            Ok(match (self.memory, self.is_reentrant) {
                (Memory::Remote, _) => Instance::Remote,
                (Memory::Owned, false) => Instance::Owned(Box::new(())),
                (Memory::Owned, true) => Instance::Shared(Arc::new(())),
            })
        }
        .boxed()
    }

    fn invoke<'a>(
        &'a self,
        instance: &'a mut Instance,
        turn: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, Error>> {
        async move {
            if self.memory == Memory::Owned && matches!(instance, Instance::Remote) {
                self.seen().broken.push("a turn came without its memory".to_owned());
            }
            let engine = Engine::of(turn).ok_or(Error::Closed)?;
            let body = String::from_utf8_lossy(&call.body).into_owned();
            let (actor, caller) = (turn.actor().clone(), turn.as_caller());
            let parts = TurnParts { engine, actor, caller };
            let work = perform(Self::clone(self), parts, body);
            match self.memory {
                Memory::Owned => work.await,
                // Whether or not somebody waits for it.
                Memory::Remote => shuttle::future::spawn(work).await.map_err(|_| Error::Closed)?,
            }
        }
        .boxed()
    }

    fn deactivate<'a>(&'a self, actor: &'a ActorRef, _: Instance) -> BoxFuture<'a, ()> {
        async move {
            self.bye(actor);
            yield_now().await;
            self.is_gone(actor);
        }
        .boxed()
    }

    fn is_shared(&self) -> bool {
        true
    }
}

/// A call of an actor.
pub(super) fn invocation(id: &str, body: &str) -> Invocation {
    let actor = ActorRef::parse("Actor", id).expect("good names");
    Invocation::new(actor, "call", body.to_owned())
}

/// A call under way.
pub(super) type Running = JoinHandle<Result<Reply, Error>>;

/// An engine that hosts the type.
pub(super) struct Stage {
    pub(super) engine: Engine,
    pub(super) app: Arc<App>,
    entry: Arc<TypeEntry>,
    chain: StdMutex<Chain>,
}

impl Stage {
    pub(super) fn new(memory: Memory, config: TypeConfig) -> Arc<Self> {
        let host = HostName::parse("a:1").expect("a good name");
        let settings = Config::new(AppId::parse("app").expect("a good name"), host);
        let lease = Lease::new(Arc::new(ManualClock::default()));
        let (notify, _) = mpsc::channel(8);
        let (commands, _) = mpsc::channel(8);
        let (_, connected) = watch::channel(true);
        let (_, refusals) = watch::channel(BTreeMap::new());
        let (wall, entropy) = (Arc::new(ManualClock::default()), Entropy::seeded(1));
        let tasks = Tasks::new("stage");
        let core = Arc::new(Core::new(settings, lease, wall, entropy, tasks, notify));
        let inner = Arc::new(Inner {
            peers: None,
            refusals,
            is_leaving: AtomicBool::new(false),
            core: Arc::clone(&core),
            types: Arc::default(),
            idle: Arc::default(),
            commands,
            connected,
            offered: Mutex::default(),
            started: 0,
        });
        let weak: Weak<Inner> = Arc::downgrade(&inner);
        core.engine.set(weak).expect("set once");
        let actor_type = invocation("any", "").actor.actor_type;
        let entry = inner.types.get_or_add(&actor_type, 0);
        let app = Arc::new(App {
            memory,
            is_reentrant: config.reentrancy.is_some(),
            waiting_max: config.waiting_max,
            seen: StdMutex::default(),
            failures: StdMutex::default(),
        });
        let behaviour: Arc<dyn Behaviour> = Arc::new(Arc::clone(&app));
        entry.host(&core, TypeSpec { actor_type, config, behaviour });
        let chain = StdMutex::new(Chain::new(&Rings::default()));
        let stage = Self { engine: Engine { inner }, app, entry, chain };
        stage.grant();
        stage.prepare(1, ME);
        Arc::new(stage)
    }

    /// The lease runs.
    pub(super) fn grant(&self) {
        let (stop_at, cut_at) = (Duration::from_secs(8), Duration::from_secs(9));
        let drain_limit = Duration::from_secs(60);
        let grant = Grant { incarnation: ME, term: 1, stop_at, cut_at, drain_limit };
        self.engine.inner.core.lease.grant(grant);
    }

    /// The lease ends, as the membership loop ends it: nobody is let in any more, then
    /// who is in is cut.
    pub(super) fn lapse(&self) {
        self.engine.inner.core.lease.end();
        self.entry.publish(|view| view.me = None);
        for hosting in self.entry.hostings() {
            drain::cut_all(&hosting, Cut::Lease);
        }
        self.entry.publish(|view| view.me = Some(ME));
    }

    /// The next table names this host as the owner of all actors.
    fn prepare(&self, number: u64, owner: Incarnation) {
        let mut chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        let host = HostName::parse(&format!("h{}:1", owner.0)).expect("a good name");
        let member = Member { incarnation: owner, address: host.as_str().into(), host };
        let left = chain.newest().members().iter().map(|member| member.incarnation).collect();
        let update = Update::Delta {
            previous: chain.newest().epoch(),
            joined: vec![member.clone()],
            left,
            pins: BTreeMap::new(),
        };
        let hash = odeon_ring::rings::content_hash(&[Arc::<Member>::from(member)]);
        let epoch = Epoch { term: 1, n: number };
        chain.prepare(epoch, &update, hash).expect("tables follow each other");
        if owner == ME {
            // Whoever had them before is gone.
            chain.commit(&BTreeMap::from([(OTHER, Mark::Gone)]), epoch);
        }
        let chain = Arc::new(chain.clone());
        self.entry.publish(|view| {
            view.chain = Some(Arc::clone(&chain));
            view.me = Some(ME);
        });
    }

    /// Hands all actors over to another host and takes them back, as the membership loop
    /// does: between release and return nothing may run.
    pub(super) async fn move_away_and_back(&self) {
        self.prepare(2, OTHER);
        let gone = Epoch { term: 1, n: 2 };
        loop {
            for hosting in self.entry.hostings() {
                drain::behind_shut_gates(&hosting).await;
            }
            self.entry.publish(|view| view.released = Some(gone));
            if !self.entry.hostings().iter().any(|hosting| drain::is_any_behind(hosting)) {
                break;
            }
            self.entry.publish(|view| view.released = None);
        }
        {
            let mut seen = self.app.seen();
            seen.is_released = true;
            let running: usize = seen.running.values().map(Vec::len).sum();
            if running > 0 {
                seen.broken.push(format!("{running} turns run after the release"));
            }
        }
        // Long enough for a call to come all the way from its first look to its turn.
        for _ in 0..40 {
            yield_now().await;
        }
        self.app.seen().is_released = false;
        self.prepare(3, ME);
    }

    /// Asks every activation to end.
    pub(super) fn close(&self, why: Why) {
        for hosting in self.entry.hostings() {
            for activation in hosting.directory.collect(|_| true) {
                closing::close(&activation, why);
            }
        }
    }

    /// Calls an actor from a task of its own.
    pub(super) fn start(&self, invocation: Invocation) -> Running {
        let engine = self.engine.clone();
        shuttle::future::spawn(async move { engine.call(invocation).await })
    }

    /// Sees to it that nothing is left and nothing was wrong.
    pub(super) async fn end(&self) {
        self.engine.call(invocation("x", "last")).await.expect("the actor can still be called");
        for hosting in self.entry.hostings() {
            drain::all(&hosting, Duration::from_secs(60), Why::Asked).await;
        }
        let seen = self.app.seen();
        assert_eq!(seen.broken, [""; 0]);
        assert!(seen.running.values().all(Vec::is_empty), "{:?}", seen.running);
        assert!(seen.alive.values().all(|is_alive| !is_alive), "{:?}", seen.alive);
    }

    /// Holds the answer of a call against what became of it.
    pub(super) fn judge(&self, body: &str, answer: &Result<Reply, Error>) {
        let ran = self.app.began().iter().any(|begun| begun == body);
        match answer {
            Ok(_) => assert!(ran, "'{body}' was answered and did not run"),
            Err(error) if error.execution() == Execution::None => {
                assert!(!ran, "'{body}' ran, and its caller was told: {error}");
            }
            Err(_) => {}
        }
    }
}
