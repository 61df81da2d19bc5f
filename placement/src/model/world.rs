//! Hosts, streams, a disk and one placement, moved by one operation at a time.
//!
//! After each operation the promises are checked. Streams keep order and lose only
//! what was under way when they broke; everything else is the adversary's to choose.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::core::{Action, Connection, Core, Event, Role};
use crate::{Config, Record};
use odeon_base::{ActorId, Epoch, Incarnation};
use odeon_ring::{Gate, Rings, ToHost, ToPlacement, TypeKey};

use super::host::{Host, LEASE, Phase, key};

pub(crate) const HOSTS: usize = 4;
pub(crate) const ACTORS: usize = 6;

/// What the adversary may do.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Start {
        host: usize,
        is_proved: bool,
    },
    Leave(usize),
    /// The process is no more; its stream breaks.
    Crash(usize),
    /// Somebody proves that the former life in this place is over.
    Prove(usize),
    /// The stream breaks, and what was under way on it is lost.
    Break(usize),
    Reconnect(usize),
    /// Some messages arrive at placement, or at the host.
    Up(usize, u8),
    Down(usize, u8),
    DeliverAll,
    Saved,
    Pass(u16),
    Serve {
        host: usize,
        actor: usize,
    },
    Finish {
        host: usize,
        actor: usize,
    },
    Release(usize),
    /// Whoever may serve the actor begins to.
    Call(usize),
    /// All turns of a host end, and it says so.
    Settle(usize),
    Offer(usize),
    FenceAhead(usize),
    RestartPlacement,
    /// Placement's disk is lost: no term, and nobody can tell who has a lease.
    LoseMemory,
}

struct Stream {
    up: VecDeque<ToPlacement>,
    down: VecDeque<ToHost>,
}

pub(crate) struct World {
    core: Core,
    now: Duration,
    disk: Record,
    saving: Option<Record>,
    hosts: Vec<Option<Host>>,
    /// The former life in each place, which the next can prove dead.
    former: Vec<Option<Incarnation>>,
    /// Which stream each host holds.
    held: Vec<Option<Connection>>,
    streams: BTreeMap<Connection, Stream>,
    renewed: Vec<Duration>,
    count: u64,
    actors: Vec<(TypeKey, u64)>,
    /// How often placement's disk was lost.
    losses: u64,
    /// The store: the fence of each actor's last activation, and whose it was.
    activated: BTreeMap<(TypeKey, u64), (Incarnation, Epoch)>,
    /// The newest table that each incarnation saw of each type.
    seen: BTreeMap<(Incarnation, TypeKey), Epoch>,
    rings: Rings,
}

impl World {
    pub(crate) fn new() -> Self {
        let actor = |n: usize| {
            let id = ActorId::parse(&format!("actor-{n}")).unwrap();
            (key(if n.is_multiple_of(3) { "U" } else { "T" }), id.hash())
        };
        let mut world = Self {
            core: Core::new(Config::default()),
            now: Duration::ZERO,
            disk: Record { term: 0, roster: Some(BTreeMap::new()) },
            saving: None,
            hosts: (0..HOSTS).map(|_| None).collect(),
            former: vec![None; HOSTS],
            held: vec![None; HOSTS],
            streams: BTreeMap::new(),
            renewed: vec![Duration::ZERO; HOSTS],
            count: 0,
            losses: 0,
            actors: (0..ACTORS).map(actor).collect(),
            activated: BTreeMap::new(),
            seen: BTreeMap::new(),
            rings: Rings::default(),
        };
        world.restart();
        for host in 0..HOSTS - 1 {
            world.start(host, false);
        }
        for _ in 0..2 {
            world.deliver_all();
            world.saved();
            world.pass(Duration::from_millis(100));
        }
        world
    }

    /// A host's own time: its clock may be a tenth fast or slow.
    fn time(&self, host: usize) -> Duration {
        self.now * [100, 109, 91, 100][host] / 100
    }

    fn restart(&mut self) {
        for host in 0..HOSTS {
            self.cut(host);
        }
        self.streams.clear();
        self.saving = None;
        self.disk.term += 1;
        self.core = Core::new(Config::default());
        let Record { term, roster } = self.disk.clone();
        self.tell(Event::Elected { term, roster });
    }

    fn tell(&mut self, event: Event) {
        for action in self.core.step(event, self.now) {
            match action {
                Action::Persist(record) => {
                    assert!(self.saving.is_none(), "one record at a time");
                    self.saving = Some(record);
                }
                Action::Wake(_) | Action::Doubt { .. } => {}
                Action::Send { to, message } => {
                    if let ToHost::Lease { incarnation, term, .. } = &message {
                        let may_have = self.disk.roster.as_ref();
                        assert!(may_have.is_none_or(|roster| roster.contains_key(incarnation)));
                        assert!(*term <= self.disk.term, "a term is on disk before its use");
                    }
                    if let Some(stream) = self.streams.get_mut(&to) {
                        stream.down.push_back(message);
                    }
                }
            }
        }
    }

    /// Both ends see the stream end.
    fn cut(&mut self, host: usize) {
        if let Some(connection) = self.held[host].take() {
            self.streams.remove(&connection);
            self.tell(Event::Lost(connection));
        }
    }

    fn connect(&mut self, host: usize, messages: Vec<ToPlacement>) {
        self.cut(host);
        self.count += 1;
        let connection = Connection(self.count);
        self.held[host] = Some(connection);
        let (up, down) = (messages.into(), VecDeque::new());
        self.streams.insert(connection, Stream { up, down });
    }

    fn say(&mut self, host: usize, messages: impl IntoIterator<Item = ToPlacement>) {
        if let Some(stream) = self.held[host].and_then(|held| self.streams.get_mut(&held)) {
            stream.up.extend(messages);
        }
    }

    fn up(&mut self, host: usize) -> bool {
        let Some(from) = self.held[host] else { return false };
        let message = self.streams.get_mut(&from).and_then(|stream| stream.up.pop_front());
        let Some(message) = message else { return false };
        self.tell(Event::Message { from, message });
        true
    }

    fn down(&mut self, host: usize) -> bool {
        let now = self.time(host);
        let stream = self.held[host].and_then(|held| self.streams.get_mut(&held));
        let Some(message) = stream.and_then(|stream| stream.down.pop_front()) else { return false };
        let Some(state) = &mut self.hosts[host] else { return true };
        let heard = state.hear(&message, now);
        assert_eq!(heard, Ok(()), "every table arrives in order, none is skipped");
        for message in message.each() {
            if let ToHost::Prepare { key, epoch, .. } = message {
                let seen = self.seen.entry((state.incarnation, key)).or_default();
                assert!(*seen <= epoch, "epochs only grow: {seen} then {epoch}");
                *seen = epoch;
            }
        }
        true
    }

    fn saved(&mut self) {
        if let Some(record) = self.saving.take() {
            assert!(record.term >= self.disk.term);
            self.disk = record;
            self.tell(Event::Persisted);
        }
    }

    fn deliver_all(&mut self) {
        let mut is_moving = true;
        while is_moving {
            is_moving = false;
            for host in 0..HOSTS {
                while self.up(host) || self.down(host) {
                    is_moving = true;
                }
            }
        }
    }

    fn pass(&mut self, by: Duration) {
        self.now += by;
        for host in 0..HOSTS {
            let now = self.time(host);
            let Some(state) = &mut self.hosts[host] else { continue };
            state.tick(now);
            if now >= self.renewed[host] + LEASE / 5 {
                self.renewed[host] = now;
                let renewal = state.renew(now);
                self.say(host, renewal);
            }
        }
        self.tell(Event::Tick);
    }

    pub(crate) fn apply(&mut self, op: &Op) {
        match *op {
            Op::Start { host, is_proved } => self.start(host, is_proved),
            Op::Leave(host) => {
                if let Some(state) = self.hosts[host].as_mut().filter(|h| h.phase == Phase::Live) {
                    state.phase = Phase::Leaving;
                    let incarnation = state.incarnation;
                    self.say(host, [ToPlacement::Leave { incarnation }]);
                }
            }
            Op::Crash(host) => {
                if let Some(state) = self.hosts[host].take() {
                    self.former[host] = Some(state.incarnation);
                }
                self.cut(host);
            }
            Op::Prove(host) => {
                if let Some(former) = self.former[host] {
                    self.tell(Event::Dead(former));
                }
            }
            Op::Break(host) => self.cut(host),
            Op::Reconnect(host) => self.reconnect(host),
            Op::Up(host, count) => (0..count).for_each(|_| _ = self.up(host)),
            Op::Down(host, count) => (0..count).for_each(|_| _ = self.down(host)),
            Op::DeliverAll => self.deliver_all(),
            Op::Saved => self.saved(),
            Op::Pass(millis) => self.pass(Duration::from_millis(millis.into())),
            Op::Serve { host, actor } => self.serve(host, actor),
            Op::Finish { host, actor } => {
                if let Some(state) = &mut self.hosts[host] {
                    state.running.remove(&self.actors[actor]);
                }
            }
            Op::Release(host) => {
                let released = self.hosts[host].as_mut().map(Host::release).unwrap_or_default();
                self.say(host, released);
            }
            Op::Call(actor) => (0..HOSTS).for_each(|host| self.serve(host, actor)),
            Op::Settle(host) => {
                if let Some(state) = &mut self.hosts[host] {
                    state.running.clear();
                }
                let released = self.hosts[host].as_mut().map(Host::release).unwrap_or_default();
                self.say(host, released);
            }
            Op::Offer(host) => {
                if let Some(state) = self.hosts[host].as_mut().filter(|h| h.phase == Phase::Live) {
                    if !state.types.remove(&key("U")) {
                        state.types.insert(key("U"));
                    }
                    // Said once more in full: a join of one who is known is an offer too.
                    let join = state.join(None, self.now);
                    self.say(host, [join]);
                }
            }
            Op::FenceAhead(host) => {
                let term = self.disk.term + 1;
                self.say(host, [ToPlacement::FenceAhead { term }]);
            }
            Op::RestartPlacement => self.restart(),
            Op::LoseMemory => {
                // Below all before it and unlike them, so that only reports and stores can tell.
                self.losses += 1;
                let term = 1_000_000 - 10_000 * self.losses;
                self.disk = Record { term, roster: None };
                self.restart();
            }
        }
        self.check();
    }

    fn start(&mut self, host: usize, is_proved: bool) {
        if let Some(state) = &self.hosts[host] {
            if state.phase != Phase::Out {
                return;
            }
            self.former[host] = Some(state.incarnation);
        }
        self.count += 1;
        let types = [key("T"), key("U")].into_iter().collect();
        let mut state = Host::new(1000 + self.count, host, types, &self.rings);
        let replaces = self.former[host].filter(|_| is_proved);
        let join = state.join(replaces, self.time(host));
        self.hosts[host] = Some(state);
        self.connect(host, vec![join]);
    }

    fn reconnect(&mut self, host: usize) {
        let now = self.time(host);
        let Some(state) = &mut self.hosts[host] else { return };
        if self.held[host].is_none() && state.phase != Phase::Out {
            let messages = state.reconnect(now);
            if state.chains.is_empty() {
                let me = state.incarnation;
                self.seen.retain(|(incarnation, _), _| *incarnation != me);
            }
            self.connect(host, messages);
        }
    }

    fn serve(&mut self, host: usize, actor: usize) {
        let (now, actor) = (self.time(host), self.actors[actor].clone());
        let Some(state) = &mut self.hosts[host] else { return };
        let Some(epoch) = state.may_serve(&actor, now) else { return };
        let me = state.incarnation;
        if state.running.contains_key(&actor) {
            return;
        }
        if let Some((other, earlier)) = self.activated.get(&actor)
            && *other != me
            && epoch <= *earlier
        {
            // The store refuses the claim, which is how it comes out.
            assert!(self.losses > 0, "fences only grow: {earlier} of {other}, {epoch} of {me}");
            assert!(epoch.term <= earlier.term, "{earlier} of {other}, {epoch} of {me}");
            let term = earlier.term;
            return self.say(host, [ToPlacement::FenceAhead { term }]);
        }
        state.running.insert(actor.clone(), epoch);
        self.activated.insert(actor, (me, epoch));
    }

    /// O1: at most one host with a lease runs an actor or may begin to.
    fn check(&self) {
        for actor in &self.actors {
            let mut able = Vec::new();
            for (host, state) in self.hosts.iter().enumerate() {
                let Some(state) = state.as_ref().filter(|s| s.has_lease(self.time(host))) else {
                    continue;
                };
                let is_open = matches!(state.gate(actor), Some(Gate::Open { .. }));
                if is_open || state.running.contains_key(actor) {
                    able.push(state.incarnation);
                }
            }
            assert!(able.len() <= 1, "two owners of {actor:?}: {able:?}");
        }
    }

    /// When the adversary rests, everything is handed over: one owner for each actor.
    pub(crate) fn rest(&mut self) {
        for _ in 0..80 {
            for host in 0..HOSTS {
                self.reconnect(host);
                self.apply(&Op::Settle(host));
                if self.hosts[host].as_ref().is_some_and(|state| state.phase == Phase::Out) {
                    self.apply(&Op::Crash(host));
                }
            }
            self.deliver_all();
            self.saved();
            self.pass(Duration::from_millis(200));
            (0..ACTORS).for_each(|actor| self.apply(&Op::Call(actor)));
        }
        let snapshot = self.core.snapshot();
        assert_eq!((snapshot.role, snapshot.moving()), (Role::Leading, 0));
        let live = |state: &&Host| state.phase == Phase::Live;
        for actor in &self.actors {
            let hosts = || self.hosts.iter().flatten().filter(live);
            let is_open = |h: &&Host| matches!(h.gate(actor), Some(Gate::Open { .. }));
            let offered = hosts().any(|state| state.types.contains(&actor.0));
            assert_eq!(hosts().filter(is_open).count(), usize::from(offered), "{actor:?}");
            let is_running = |h: &&Host| h.running.contains_key(actor);
            assert_eq!(hosts().filter(is_running).count(), usize::from(offered), "{actor:?}");
            let newest = snapshot.types.get(&actor.0).map(|view| view.chain.newest());
            for state in hosts() {
                assert_eq!(state.chains.get(&actor.0).map(|chain| chain.newest()), newest);
            }
        }
    }
}
