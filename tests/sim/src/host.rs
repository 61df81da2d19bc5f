//! A host's process: its engine, its clock, and how it lives and dies.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use odeon_base::valve::Flow;
use odeon_base::{AppId, HostName, LeaseClock, TaskKind, Tasks, Valve};
use odeon_blocks::reminder::Reminders;
use odeon_runtime::engine::Seams;
use odeon_runtime::{Config, Engine, TypeConfig, TypeSpec};
use odeon_test_history::{Host, Trouble, What};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::calendar::Calendar;
use crate::cast::Cast;
use crate::office::Link;
use crate::peers::Wire;
use crate::reminders;
use crate::shop;
use crate::store::Client;
use crate::world::{Kind, World};

/// How long a host that leaves takes at most.
const LEAVE_MAX: Duration = Duration::from_secs(30);
/// How long it is there after its farewell: what is on its way to it is answered, and what it
/// answered arrives (`odeon_host::peer` says goodbye before it ends streams).
const PARTING: Duration = Duration::from_secs(1);

/// A lease clock with a rate of its own; a wild one stands still while its process does.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    offset: Duration,
    rate: f64,
    is_wild: bool,
    stood_still: AtomicU64,
    still_since: Mutex<Option<Instant>>,
}

impl Clock {
    pub(crate) fn new(offset: Duration, rate: f64, is_wild: bool) -> Self {
        Self {
            start: Instant::now(),
            offset,
            rate,
            is_wild,
            stood_still: AtomicU64::new(0),
            still_since: Mutex::default(),
        }
    }

    /// Its seconds for one of the world's.
    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    fn stand_still(&self, flow: Flow) {
        let mut since = self.still_since.lock().unwrap_or_else(PoisonError::into_inner);
        match (flow, *since) {
            (Flow::Shut, None) => *since = Some(Instant::now()),
            (Flow::Open, Some(at)) => {
                let nanos = u64::try_from(at.elapsed().as_nanos()).unwrap_or_default();
                self.stood_still.fetch_add(nanos, Ordering::Relaxed);
                *since = None;
            }
            _ => {}
        }
    }
}

impl LeaseClock for Clock {
    fn now(&self) -> Duration {
        let mut elapsed = self.start.elapsed();
        if self.is_wild {
            let since = self.still_since.lock().unwrap_or_else(PoisonError::into_inner);
            elapsed = since.map_or(elapsed, |at| at.saturating_duration_since(self.start));
            elapsed = elapsed
                .saturating_sub(Duration::from_nanos(self.stood_still.load(Ordering::Relaxed)));
        }
        self.offset + elapsed.mul_f64(self.rate)
    }
}

/// One life of a host's process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) life: Host,
    pub(crate) slot: usize,
    pub(crate) engine: Engine,
    /// Whoever registers at the same time shares a commit.
    pub(crate) reminders: Reminders,
    pub(crate) tasks: Tasks,
    /// Cancelled when the process is no more: its connections are reset.
    pub(crate) gone: CancellationToken,
    valve: Valve,
    clock: Arc<Clock>,
    /// Clients that it serves, and calls of other hosts.
    pub(crate) serving: AtomicUsize,
    is_leaving: AtomicBool,
    is_ready: Arc<AtomicBool>,
}

pub(crate) fn name(slot: usize) -> String {
    format!("10.0.0.{}:50002", slot + 1)
}

/// The place of the host at an address.
pub(crate) fn slot(address: &str) -> Option<usize> {
    address.strip_prefix("10.0.0.")?.strip_suffix(":50002")?.parse::<usize>().ok()?.checked_sub(1)
}

impl Process {
    /// Starts a process; it offers its types and joins by itself.
    pub(crate) fn start(world: &Arc<World>, slot: usize, clock: Clock) -> Arc<Self> {
        let life = Host::try_from(world.number()).unwrap_or_default();
        let (valve, clock) = (Valve::default(), Arc::new(clock));
        let tasks = Tasks::new("host").behind(&valve);
        let app = AppId::parse("app").expect("this is a name");
        let host = HostName::parse(&name(slot)).expect("this is a name");
        let seams = Seams {
            placement: Arc::new(Link {
                world: Arc::clone(world),
                slot,
                life,
                has_asked: AtomicBool::new(false),
            }),
            peers: Some(Arc::new(Wire { world: Arc::clone(world), slot })),
            lease: Arc::<Clock>::clone(&clock),
            wall: Arc::<Calendar>::clone(&world.calendar),
            entropy: world.chance.entropy(),
            tasks: tasks.clone(),
        };
        let engine = Engine::start(Config::new(app, host), seams);
        engine.use_store(Arc::new(Client { world: Arc::clone(world), slot, life }));
        let reminders = Reminders::new(&engine, reminders::STORE, reminders::PARTITIONS);
        let process = Arc::new(Self {
            life,
            slot,
            reminders: reminders.expect("this is a name"),
            engine,
            tasks,
            gone: CancellationToken::new(),
            valve,
            clock,
            serving: AtomicUsize::new(0),
            is_leaving: AtomicBool::new(false),
            is_ready: Arc::default(),
        });
        let mut specs: Vec<TypeSpec> = world.kinds().map(|kind| spec(world, life, kind)).collect();
        if world.has_shop() {
            shop::use_outbox(&process);
            specs.extend(shop::specs(world, life));
        }
        let (world_of, starting) = (Arc::clone(world), Arc::downgrade(&process));
        let (engine, ready) = (process.engine.clone(), Arc::clone(&process.is_ready));
        process.tasks.spawn(TaskKind::Watcher, async move {
            engine.offer(specs).await.expect("the settings do not contradict each other");
            if let Some(process) =
                starting.upgrade().filter(|_| world_of.has_reminders() || world_of.has_shop())
            {
                reminders::offer(&world_of, &process).await;
            }
            ready.store(true, Ordering::Relaxed);
        });
        world.put(Arc::clone(&process));
        process
    }

    /// Whether clients may enter here: they know who is ready, and who restarts.
    pub(crate) fn is_open(&self) -> bool {
        self.is_ready.load(Ordering::Relaxed)
            && !self.is_leaving.load(Ordering::Relaxed)
            && !self.gone.is_cancelled()
    }

    /// Stands still, or goes on.
    pub(crate) fn flow(&self, flow: Flow) {
        self.clock.stand_still(flow);
        self.valve.set(flow);
    }

    /// Stands still after so many steps.
    pub(crate) fn freeze_after(&self, polls: u64) {
        self.clock.stand_still(Flow::Shut);
        self.valve.set_after(polls, Flow::Shut);
    }

    /// The process is no more.
    pub(crate) fn kill(&self) {
        self.valve.set(Flow::Ended);
        self.gone.cancel();
    }

    /// Dies as after `kill -9`, some steps from now.
    pub(crate) async fn crash(self: &Arc<Self>, world: &World, polls: u64) {
        let id = world.number();
        world.log.add(What::Troubled { id, trouble: Trouble::Crash(self.life) });
        world.log.add(What::Calmed { id });
        self.valve.set_after(polls, Flow::Ended);
        let until = Instant::now() + Duration::from_millis(20);
        while self.valve.flow() != Flow::Ended && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        world.remove(self);
        self.kill();
    }

    /// Leaves in order, then ends; `false` if it did not get that far.
    pub(crate) async fn leave(self: &Arc<Self>, world: &World) -> bool {
        self.is_leaving.store(true, Ordering::Relaxed);
        let (engine, process) = (self.engine.clone(), Arc::clone(self));
        let leaving = self.tasks.spawn(TaskKind::Drain, async move {
            let left = engine.leave(LEAVE_MAX).await;
            // Doors close once everybody who came in is out again; the lease runs on for them.
            let until = Instant::now() + LEAVE_MAX;
            while process.serving.load(Ordering::Relaxed) > 0 && Instant::now() < until {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            engine.farewell(Duration::from_secs(2)).await;
            tokio::time::sleep(PARTING).await;
            left.is_ok()
        });
        let has_left = tokio::select! {
            biased;
            left = leaving => left.unwrap_or(false),
            () = self.gone.cancelled() => return false,
        };
        if self.gone.is_cancelled() {
            return false;
        }
        world.remove(self);
        self.kill();
        has_left
    }
}

fn spec(world: &Arc<World>, life: Host, kind: Kind) -> TypeSpec {
    let config = TypeConfig { cache: kind == Kind::Memo, ..TypeConfig::default() };
    let actor_type = odeon_base::ActorType::parse(kind.name()).expect("this is a name");
    let behaviour = Arc::new(Cast { world: Arc::clone(world), life, kind });
    TypeSpec { actor_type, config, behaviour }
}
