//! One life of a cluster: from its seed to the promises that it broke.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use odeon_base::TaskKind;
use odeon_base::ident::ring_hash;
use odeon_test_history::{Act, Event, Object, Terms, Violation, What, check};
use tokio::time::Instant;

use crate::chance::Chance;
use crate::clients::{self, PATIENT};
use crate::host::Clock;
use crate::log::Log;
use crate::net::Net;
use crate::office::Office;
use crate::plant::Plant;
use crate::reminders;
use crate::scenario::{self, Director, Scenario};
use crate::shop;
use crate::store::Store;
use crate::world::{ACTORS, Kind, World};

/// How long after any trouble all is as if it had not been.
const RECOVERY: Duration = Duration::from_secs(12);
/// Clients that call all the time.
const CLIENTS: usize = 5;

/// What a life is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Birth {
    /// Decides whatever the others leave open.
    pub seed: u64,
    /// What is done to the cluster.
    pub scenario: Scenario,
    /// The fault in it.
    pub plant: Option<Plant>,
}

impl Birth {
    /// The life of a seed: its scenario is the seed's too.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        Self { seed, scenario: Scenario::of_seed(seed), plant: None }
    }
}

/// What came of a life.
#[derive(Debug)]
pub struct Story {
    /// What happened.
    pub events: Vec<Event>,
    /// The promises that it broke.
    pub violations: Vec<Violation>,
}

impl Story {
    /// One number for all that happened: equal stories have equal ones.
    #[must_use]
    pub fn trace(&self) -> u64 {
        let text: String = self.events.iter().map(|event| format!("{event:?}\n")).collect();
        ring_hash(text.as_bytes())
    }
}

/// Lives a life.
///
/// # Panics
/// If the machine cannot give a runtime.
#[must_use]
pub fn live(birth: Birth) -> Story {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().expect("a runtime can be had");
    crate::plant::sow(birth.plant);
    let (events, terms) = runtime.block_on(act(birth));
    drop(runtime);
    crate::plant::sow(None);
    let violations = check(&events, &terms);
    Story { events, violations }
}

async fn act(birth: Birth) -> (Vec<Event>, Terms) {
    let Birth { seed, scenario, plant } = birth;
    let chance = Chance::seeded(seed);
    let log = Log::new(Instant::now());
    let net = Net::new(chance.child(), scenario.weather());
    let is_wild = scenario == Scenario::WildClocks;
    let clock = Clock::new(Duration::from_secs(7), scenario::rate(&chance), false);
    let has_low_terms = scenario == Scenario::Amnesia && chance.one_in(2);
    let office = Office::new(Arc::new(clock), plant, has_low_terms);
    // Timers run at the world's rate and look at most a second ahead, so a fast clock is read
    // up to a tenth of a second late.
    let late = (office.clock().rate() - 1.0).max(0.0);
    let takeover = Duration::from_secs_f64(1.1 * 5.0 / office.clock().rate() + 0.5 + late);
    let world = Arc::new(World::new(plant, scenario.extra(), chance, log, net, office));
    let terms = Terms {
        are_clocks_kept: !is_wild,
        pause_max: Duration::from_millis(100),
        takeover,
        recovery: RECOVERY,
        alone: Duration::from_millis(2_500),
        // Half a second between two attempts, and the way there and back.
        renewal: Duration::from_secs(1),
        drain: Duration::from_secs(60),
        patience: PATIENT - Duration::from_secs(1),
        late_max: odeon_runtime::peers::LAST_WORD + Duration::from_millis(20),
        // Until the partition is somewhere again, and has done what it could not before.
        reminder_late_max: RECOVERY,
    };
    world.tasks.spawn(TaskKind::Stream, Store::run(Arc::clone(&world)));
    Office::start(&world).await;
    let director =
        Director { world: Arc::clone(&world), chance: Arc::new(world.chance.child()), scenario };
    for slot in 0..director.hosts() {
        director.start_host(slot);
    }
    for process in world.running() {
        process.engine.ready().await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let is_over = Arc::new(AtomicBool::new(false));
    for _ in 0..CLIENTS {
        let client =
            clients::client(Arc::clone(&world), world.chance.child(), Arc::clone(&is_over));
        world.tasks.spawn(TaskKind::Watcher, client);
    }
    if world.has_reminders() {
        let client =
            reminders::client(Arc::clone(&world), world.chance.child(), Arc::clone(&is_over));
        world.tasks.spawn(TaskKind::Watcher, client);
    }
    if world.has_shop() {
        shop::open(&world).await;
        for number in 0..shop::BUYERS {
            let buyer = shop::buyer(Arc::clone(&world), world.chance.child(), number);
            world.tasks.spawn(TaskKind::Watcher, buyer);
        }
    }
    director.run().await;
    tokio::time::sleep(RECOVERY + Duration::from_secs(1)).await;
    is_over.store(true, Ordering::Relaxed);
    touch_all(&world).await;
    tokio::time::sleep(PATIENT + Duration::from_secs(3)).await;
    if world.has_shop() {
        shop::close(&world).await;
    }
    world.log.add(What::Calendar { now: world.calendar.time() });
    let events = world.log.take();
    world.clear();
    // What was killed is dropped when it would run next.
    tokio::time::sleep(Duration::from_millis(10)).await;
    (events, terms)
}

/// Every object is read, at the end when everything has had time to be well again.
pub(crate) async fn touch_all(world: &Arc<World>) {
    for actor in (0..ACTORS).filter(|actor| matches!(Kind::of(*actor), Kind::Leaf | Kind::Memo)) {
        for object in [Object::Register, Object::Counter] {
            clients::enter(world, &world.chance, (actor, Act::Read(object)), PATIENT, None).await;
        }
    }
}
