//! Placement as a process of the simulation, and the way to it.
//!
//! The product's own `Embedded` over a ledger on a simulated disk. It can be stopped, killed
//! and started again with the ledger it had, or with none. Faults of placement are planted
//! here, in what it hears, says and remembers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::valve::Flow;
use odeon_base::{Epoch, Incarnation, TaskKind, Tasks, Valve};
use odeon_placement::{Config, Embedded, Handle, Ledger, LedgerError, Record, Role};
use odeon_ring::{Mark, ToHost, ToPlacement, TypeKey, Update};
use odeon_runtime::seams::{PlacementLink, PlacementStream};
use odeon_test_history::{Host, What};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::host::Clock;
use crate::net::Node;
use crate::plant::Plant;
use crate::world::{World, actor};

/// The disk of placement.
#[derive(Debug, Default)]
struct Disk {
    record: Mutex<Option<Record>>,
    /// The process that has it: who opened it last.
    owner: AtomicU64,
    /// It answers that nobody may have a lease.
    forgets_hosts: bool,
}

/// The disk as one process has it.
#[derive(Debug)]
struct Folder {
    disk: Arc<Disk>,
    process: u64,
}

impl Disk {
    fn lock(&self) -> MutexGuard<'_, Option<Record>> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for Folder {
    fn load(&self) -> BoxFuture<'_, Result<Option<Record>, LedgerError>> {
        self.disk.owner.store(self.process, Ordering::Relaxed);
        let mut record = self.disk.lock().clone();
        if let Some(record) = record.as_mut().filter(|_| self.disk.forgets_hosts) {
            record.roster = Some(BTreeMap::new());
        }
        std::future::ready(Ok(record)).boxed()
    }

    fn save(&self, record: Record) -> BoxFuture<'_, Result<(), LedgerError>> {
        async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if self.disk.owner.load(Ordering::Relaxed) != self.process {
                return Err(LedgerError::Superseded);
            }
            *self.disk.lock() = Some(record);
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(())
        }
        .boxed()
    }
}

#[derive(Debug)]
struct Running {
    handle: Option<Handle>,
    valve: Valve,
}

/// A process that was replaced, and has not ended.
#[derive(Debug)]
struct Former {
    handle: Handle,
    valve: Valve,
    /// It goes on, so that who starts may find it.
    is_thawed: bool,
}

/// Placement.
#[derive(Debug)]
pub(crate) struct Office {
    disk: Mutex<Arc<Disk>>,
    running: Mutex<Running>,
    /// How many processes there were so far.
    processes: AtomicU64,
    /// The one before, if it was replaced while it stood still.
    former: Mutex<Option<Former>>,
    /// One is being replaced, or was and has not ended: a second at a time would not stand
    /// still when it is replaced.
    is_replaced: AtomicBool,
    clock: Arc<Clock>,
    forgets_hosts: bool,
    /// What begins without a memory takes terms below all before, as where nothing tells the
    /// time; else above, as from the calendar.
    has_low_terms: bool,
    /// How often its memory was lost.
    losses: Mutex<u64>,
    incarnations: Mutex<BTreeMap<Incarnation, Host>>,
}

impl Office {
    pub(crate) fn new(clock: Arc<Clock>, plant: Option<Plant>, has_low_terms: bool) -> Self {
        let forgets_hosts = plant == Some(Plant::NewLeaderDoesNotWait);
        Self {
            disk: Mutex::new(Arc::new(Disk { forgets_hosts, ..Disk::default() })),
            running: Mutex::new(Running { handle: None, valve: Valve::default() }),
            processes: AtomicU64::new(0),
            former: Mutex::default(),
            is_replaced: AtomicBool::new(false),
            clock,
            forgets_hosts,
            has_low_terms,
            losses: Mutex::default(),
            incarnations: Mutex::default(),
        }
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        lock(&self.running)
    }

    fn handle(&self) -> Option<Handle> {
        self.running().handle.clone()
    }

    /// The process before, as long as it takes itself for the leader.
    fn former(&self) -> Option<Handle> {
        let former = lock(&self.former);
        let thawed = former.as_ref().filter(|former| former.is_thawed);
        let handle = thawed.map(|former| former.handle.clone());
        handle.filter(|handle| handle.tables().role != Role::Follower)
    }

    /// Whether its process may be replaced now, by whoever asks first.
    pub(crate) fn may_be_replaced(&self) -> bool {
        self.is_up() && !self.is_replaced.swap(true, Ordering::Relaxed)
    }

    /// Another process takes over the disk of one that only stands still.
    pub(crate) async fn replace(world: &Arc<World>) {
        let office = &world.office;
        let (handle, valve) = {
            let mut running = office.running();
            (running.handle.take(), running.valve.clone())
        };
        *lock(&office.former) = handle.map(|handle| Former { handle, valve, is_thawed: false });
        Self::start(world).await;
    }

    /// The process before goes on.
    pub(crate) fn thaw_former(&self) {
        if let Some(former) = &mut *lock(&self.former) {
            former.is_thawed = true;
            former.valve.set(Flow::Open);
        }
    }

    /// The process before ends.
    pub(crate) fn end_former(&self) {
        if let Some(former) = lock(&self.former).take() {
            former.valve.set(Flow::Ended);
        }
        self.is_replaced.store(false, Ordering::Relaxed);
    }

    pub(crate) fn has_low_terms(&self) -> bool {
        self.has_low_terms
    }

    pub(crate) fn is_up(&self) -> bool {
        self.running().handle.is_some()
    }

    /// Starts the process with the disk it has.
    pub(crate) async fn start(world: &Arc<World>) {
        let office = &world.office;
        let (valve, clock) = (Valve::default(), Arc::clone(&office.clock));
        let tasks = Tasks::new("placement").behind(&valve);
        let process = office.processes.fetch_add(1, Ordering::Relaxed) + 1;
        let folder = Arc::new(Folder { disk: Arc::clone(&lock(&office.disk)), process });
        let losses = *lock(&office.losses);
        let step = 1_000 * losses;
        let first_term = if office.has_low_terms { 100_000 - step } else { 100_000 + step };
        let config = Config { first_term, ..Config::default() };
        let started = Embedded::start(config, folder, clock, &tasks).await;
        let handle = started.expect("the settings are sound and the ledger answers");
        *office.running() = Running { handle: Some(handle.clone()), valve };
        world.tasks.spawn(TaskKind::Watcher, watch(Arc::clone(world), handle, process));
    }

    /// The process dies at once, maybe in the middle of what it does.
    pub(crate) fn kill(&self, polls: u64) {
        let mut running = self.running();
        running.handle = None;
        if polls == 0 {
            running.valve.set(Flow::Ended);
        } else {
            running.valve.set_after(polls, Flow::Ended);
        }
    }

    pub(crate) fn flow(&self, flow: Flow) {
        self.running().valve.set(flow);
    }

    /// Its disk is gone.
    pub(crate) fn forget(&self) {
        if self.has_low_terms && *lock(&self.losses) > 0 {
            // A second loss would name tables as the first life after the other did: what
            // begins below is told of terms only, and only of those that somebody still has.
            return;
        }
        *lock(&self.losses) += 1;
        let empty = Disk { forgets_hosts: self.forgets_hosts, ..Disk::default() };
        *lock(&self.disk) = Arc::new(empty);
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// Tells the history who owns each actor, by the newest tables.
async fn watch(world: Arc<World>, handle: Handle, process: u64) {
    let mut known: BTreeMap<TypeKey, Epoch> = BTreeMap::new();
    let mut owners: BTreeMap<u32, Option<Host>> = BTreeMap::new();
    loop {
        let is_new = |types: &BTreeMap<TypeKey, _>| {
            types.iter().any(|(key, view): (&TypeKey, &odeon_placement::TypeView)| {
                known.get(key) != Some(&view.chain.newest().epoch())
            })
        };
        let Some(snapshot) = handle.wait_for(|snapshot| is_new(&snapshot.types)).await else {
            return;
        };
        if world.office.processes.load(Ordering::Relaxed) != process {
            // What one that was replaced still says is not so.
            return;
        }
        let epochs = snapshot.types.iter();
        known = epochs.map(|(key, view)| (key.clone(), view.chain.newest().epoch())).collect();
        for number in 0..world.actors() {
            let actor_ref = actor(number);
            let key = TypeKey {
                namespace: odeon_base::Namespace::default(),
                actor_type: actor_ref.actor_type,
            };
            let owner = snapshot.owner(&key, &actor_ref.id).map(|owner| owner.member.incarnation);
            let incarnations = lock(&world.office.incarnations);
            let host = owner.and_then(|owner| incarnations.get(&owner).copied());
            drop(incarnations);
            if owners.insert(number, host) != Some(host) {
                world.log.add(What::Owner { actor: number, host });
            }
        }
    }
}

/// A host's way to placement.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) world: Arc<World>,
    pub(crate) slot: usize,
    pub(crate) life: Host,
    /// It has been there before, and knows where.
    pub(crate) has_asked: AtomicBool,
}

impl PlacementLink for Link {
    fn connect(&self) -> BoxFuture<'_, Result<PlacementStream, String>> {
        async move {
            let (world, host) = (&self.world, Node::Host(self.slot));
            let handshake = async {
                world.net.pass(host, Node::Placement).await;
                let is_first = !self.has_asked.swap(true, Ordering::Relaxed);
                let former = world.office.former().filter(|_| is_first);
                let handle = former.or_else(|| world.office.handle());
                world.net.pass(Node::Placement, host).await;
                handle
            };
            let handle = tokio::time::timeout(Duration::from_secs(1), handshake).await;
            let handle = handle.map_err(|_| "no answer".to_owned())?;
            let (to_placement, from_placement) = handle.ok_or("refused")?.connect();
            let (to, sent) = mpsc::channel(64);
            let (deliver, from) = mpsc::channel(64);
            let broken = CancellationToken::new();
            let (up, down) = (self.up(), down(world.plant));
            let net = &world.net;
            let way = (host, Node::Placement);
            let carry = Arc::clone(net).carry(way, sent, to_placement, broken.clone(), up);
            world.tasks.spawn(TaskKind::Stream, carry);
            let way = (Node::Placement, host);
            let carry = Arc::clone(net).carry(way, from_placement, deliver, broken, down);
            world.tasks.spawn(TaskKind::Stream, carry);
            Ok(PlacementStream { to, from })
        }
        .boxed()
    }
}

impl Link {
    /// What becomes of messages to placement on their way.
    fn up(&self) -> impl FnMut(Vec<ToPlacement>) -> Vec<ToPlacement> + use<> {
        let (world, life) = (Arc::clone(&self.world), self.life);
        move |messages| {
            for message in &messages {
                if let ToPlacement::Join(join) = message {
                    lock(&world.office.incarnations).insert(join.member.incarnation, life);
                }
            }
            messages
        }
    }
}

/// What becomes of messages to a host on their way; those that come at once are together.
fn down(plant: Option<Plant>) -> impl FnMut(Vec<ToHost>) -> Vec<ToHost> {
    let mut newest: BTreeMap<TypeKey, Epoch> = BTreeMap::new();
    let mut held: Vec<ToHost> = Vec::new();
    move |messages| match plant {
        Some(Plant::TableSkipped) => skip_tables(each(messages)),
        Some(Plant::MarkPassesOver) => {
            let mut messages = each(messages);
            messages.iter_mut().for_each(|message| pass_over(message, &mut newest));
            messages
        }
        Some(Plant::OpensWhenAllReleased) => {
            let pass = |message| open_together(message, &mut newest, &mut held);
            each(messages).into_iter().flat_map(pass).collect()
        }
        _ => messages,
    }
}

/// One by one, as faults of single messages want them.
fn each(messages: Vec<ToHost>) -> Vec<ToHost> {
    messages.into_iter().flat_map(ToHost::each).collect()
}

/// Of tables of a type that come together only the last is taken.
fn skip_tables(messages: Vec<ToHost>) -> Vec<ToHost> {
    let mut kept: Vec<ToHost> = Vec::new();
    for mut message in messages {
        if let ToHost::Prepare {
            key, update: Update::Delta { previous, joined, left, pins }, ..
        } = &mut message
        {
            let earlier = kept.iter().position(|kept| {
                matches!(kept, ToHost::Prepare { key: of, epoch, update: Update::Delta { .. }, .. } if of == key && epoch == previous)
            });
            if let Some(ToHost::Prepare {
                update: Update::Delta { previous: start, joined: came, left: went, pins: pinned },
                ..
            }) = earlier.map(|earlier| kept.remove(earlier))
            {
                *previous = start;
                joined
                    .extend(came.into_iter().filter(|member| !left.contains(&member.incarnation)));
                left.extend(went);
                for (actor, owner) in pinned {
                    pins.entry(actor).or_insert(owner);
                }
            }
        }
        kept.push(message);
    }
    kept
}

/// A release counts for all tables that there are.
fn pass_over(message: &mut ToHost, newest: &mut BTreeMap<TypeKey, Epoch>) {
    match message {
        ToHost::Prepare { key, epoch, .. } => {
            newest.insert(key.clone(), *epoch);
        }
        ToHost::Commit { key, marks, .. } => {
            for mark in marks.values_mut() {
                if let (Mark::Released(epoch), Some(newest)) = (mark, newest.get(key)) {
                    *epoch = (*epoch).max(*newest);
                }
            }
        }
        ToHost::News(_)
        | ToHost::Lease { .. }
        | ToHost::Expired { .. }
        | ToHost::NotLeader { .. }
        | ToHost::Refused { .. } => {}
    }
}

/// Marks are passed on once everybody has released the newest table.
fn open_together(
    message: ToHost,
    newest: &mut BTreeMap<TypeKey, Epoch>,
    held: &mut Vec<ToHost>,
) -> Vec<ToHost> {
    match &message {
        ToHost::Prepare { key, epoch, .. } => {
            newest.insert(key.clone(), *epoch);
            vec![message]
        }
        ToHost::Commit { key, base, .. } => {
            let is_complete = newest.get(key).is_none_or(|newest| newest <= base);
            held.push(message);
            if is_complete { std::mem::take(held) } else { Vec::new() }
        }
        ToHost::News(_)
        | ToHost::Lease { .. }
        | ToHost::Expired { .. }
        | ToHost::NotLeader { .. }
        | ToHost::Refused { .. } => vec![message],
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
