//! Everything that the nodes of one life share, and who is who.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use odeon_base::Tasks;
use odeon_runtime::{ActorRef, Right};
use odeon_test_history::{Call, Host, What};

use crate::calendar::Calendar;
use crate::chance::Chance;
use crate::host::Process;
use crate::log::Log;
use crate::net::Net;
use crate::office::Office;
use crate::plant::Plant;
use crate::store::Store;

/// How many actors of the application there are.
pub(crate) const ACTORS: u32 = 20;
/// How many bells there are behind them, where there are any.
const BELLS: u32 = 2;
/// How many actors there are behind those that reminders come to.
const SLEEPERS: u32 = 6;

const FIRST_SLEEPER: u32 = ACTORS + BELLS;

/// What there is beside the actors that clients call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extra {
    /// Nothing.
    None,
    /// Bells.
    Bells,
    /// Reminders, and actors that they come to.
    Reminders,
    /// The shop.
    Shop,
}

/// What an actor is for, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Keeps a register and a counter, and reads them from the store at each turn.
    Leaf,
    /// The same, and keeps in memory what it knows.
    Memo,
    /// Has others do it.
    Middle,
    /// The same, further up.
    Front,
    /// A system actor: tells actors that their time has come, when asked to.
    Bell,
    /// Nobody calls it but its reminders.
    Sleeper,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Leaf, Self::Memo, Self::Middle, Self::Front, Self::Bell, Self::Sleeper];

    pub(crate) fn of(actor: u32) -> Self {
        match actor {
            0..8 => Self::Leaf,
            8..12 => Self::Memo,
            12..16 => Self::Middle,
            16..ACTORS => Self::Front,
            ACTORS..FIRST_SLEEPER => Self::Bell,
            _ => Self::Sleeper,
        }
    }

    /// Whom an actor may call: those below it, of its own type too. Calls go one way, so
    /// that no two actors wait for each other.
    pub(crate) fn may_call(actor: u32) -> std::ops::Range<u32> {
        match Self::of(actor) {
            Self::Leaf | Self::Memo | Self::Bell | Self::Sleeper => 0..0,
            Self::Middle | Self::Front => 0..actor,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Leaf => "Leaf",
            Self::Memo => "Memo",
            Self::Middle => "Middle",
            Self::Front => "Front",
            Self::Bell => "sys.bell",
            Self::Sleeper => "Sleeper",
        }
    }
}

/// An actor by its number.
pub(crate) fn actor(number: u32) -> ActorRef {
    ActorRef::parse(Kind::of(number).name(), &number.to_string()).expect("these are names")
}

/// One life of a cluster.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) plant: Option<Plant>,
    /// What there is beside.
    extra: Extra,
    /// The calendar of everybody.
    pub(crate) calendar: Arc<Calendar>,
    pub(crate) chance: Chance,
    pub(crate) log: Log,
    pub(crate) net: Arc<Net>,
    pub(crate) store: Store,
    pub(crate) office: Office,
    /// What the network and the nodes' own machines do.
    pub(crate) tasks: Tasks,
    processes: Mutex<BTreeMap<usize, Arc<Process>>>,
    turns: Mutex<BTreeMap<u32, Vec<(u64, Right)>>>,
    numbers: AtomicU64,
}

impl World {
    pub(crate) fn new(
        plant: Option<Plant>,
        extra: Extra,
        chance: Chance,
        log: Log,
        net: Net,
        office: Office,
    ) -> Self {
        Self {
            plant,
            extra,
            calendar: Arc::new(Calendar::start()),
            chance,
            log,
            net: Arc::new(net),
            store: Store::default(),
            office,
            tasks: Tasks::new("world"),
            processes: Mutex::default(),
            turns: Mutex::default(),
            numbers: AtomicU64::new(0),
        }
    }

    /// The kinds of actors that there are.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = Kind> {
        let extra = self.extra;
        Kind::ALL.into_iter().filter(move |kind| match kind {
            Kind::Bell => extra == Extra::Bells,
            Kind::Sleeper => extra == Extra::Reminders,
            Kind::Leaf | Kind::Memo | Kind::Middle | Kind::Front => true,
        })
    }

    /// Whether there are reminders that nobody but clients set.
    pub(crate) fn has_reminders(&self) -> bool {
        self.extra == Extra::Reminders
    }

    /// Whether there is the shop, which has reminders, too.
    pub(crate) fn has_shop(&self) -> bool {
        self.extra == Extra::Shop
    }

    /// How many actors there are that clients call.
    pub(crate) fn actors(&self) -> u32 {
        ACTORS + self.bells().end - self.bells().start
    }

    /// The bells.
    pub(crate) fn bells(&self) -> std::ops::Range<u32> {
        ACTORS..if self.extra == Extra::Bells { ACTORS + BELLS } else { ACTORS }
    }

    /// The actors that reminders come to.
    pub(crate) fn sleepers() -> std::ops::Range<u32> {
        FIRST_SLEEPER..FIRST_SLEEPER + SLEEPERS
    }

    /// A number that nothing else has: calls, turns, lives and troubles.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn processes(&self) -> MutexGuard<'_, BTreeMap<usize, Arc<Process>>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process that runs in a place now.
    pub(crate) fn process(&self, slot: usize) -> Option<Arc<Process>> {
        self.processes().get(&slot).cloned()
    }

    /// All that run, by place.
    pub(crate) fn running(&self) -> Vec<Arc<Process>> {
        self.processes().values().cloned().collect()
    }

    pub(crate) fn put(&self, process: Arc<Process>) {
        self.processes().insert(process.slot, process);
    }

    pub(crate) fn remove(&self, process: &Arc<Process>) {
        self.processes().remove(&process.slot);
    }

    /// Takes note of a turn that begins, after those of the same actor that have lost
    /// their right since.
    pub(crate) fn begin(&self, call: Call, actor: u32, host: Host, right: Right) -> u64 {
        let turn = self.number();
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let running = turns.entry(actor).or_default();
        running.retain(|(turn, right)| {
            let stands = right.stands();
            if !stands {
                self.log.add(What::TurnLost { turn: *turn });
            }
            stands
        });
        running.push((turn, right));
        drop(turns);
        self.log.add(What::TurnBegan { turn, call, actor, host });
        turn
    }

    /// The code of a turn is over.
    pub(crate) fn end(&self, actor: u32, turn: u64, is_cut: bool) {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(actor).or_default().retain(|(running, _)| *running != turn);
        drop(turns);
        self.log.add(if is_cut { What::TurnCut { turn } } else { What::TurnEnded { turn } });
    }

    /// Lets go of everything, so that nothing keeps anything else in memory.
    pub(crate) fn clear(&self) {
        let processes = std::mem::take(&mut *self.processes());
        processes.values().for_each(|process| process.kill());
        self.office.kill(0);
        self.office.end_former();
        let turns = std::mem::take(&mut *self.turns.lock().unwrap_or_else(PoisonError::into_inner));
        drop(turns);
        drop(processes);
    }
}

/// Tells of the end of a turn, whatever it is.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    pub(crate) world: &'a World,
    pub(crate) actor: u32,
    pub(crate) turn: u64,
    pub(crate) is_cut: bool,
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.world.end(self.actor, self.turn, self.is_cut);
    }
}
