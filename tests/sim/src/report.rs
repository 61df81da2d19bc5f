//! What membership costs: placement's own core, its own wire, and hosts by the number.
//!
//! Hosts here do what the specification asks of them and nothing else: they hold the
//! tables, renew, and release at once. Time is simulated: a message takes a millisecond to
//! go and one to come back. Bytes are those of the messages as the wire has them, without
//! the frames around them. Memory is counted by what the process has in use before and
//! after, on Linux.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::fmt::Write as _;
use std::time::Duration;

use odeon_base::{ActorType, AppId, Epoch, HostName, Incarnation, Namespace};
use odeon_placement::core::{Action, Connection, Event};
use odeon_placement::wire::{FromHost, FromPlacement, Identity};
use odeon_placement::{Config, Core};
use odeon_ring::{Join, Member, Policy, ToHost, ToPlacement, TypeKey, TypeOffer};
use prost::Message as _;
use tokio::time::Instant;

/// One way.
const WAY: Duration = Duration::from_millis(1);
/// How long a record takes to be durable.
const DISK: Duration = Duration::from_millis(2);

/// What comes when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    ToPlacement(usize, Said),
    ToHost(usize, Said),
    Persisted,
    Tick,
    Join(usize),
    Renew(usize),
}

/// A message, by its place in the list of those under way.
type Said = usize;

#[derive(Debug)]
struct Host {
    said: FromHost,
    heard: FromPlacement,
    seq: u64,
    joins_at: Option<Duration>,
}

/// What one join costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Until the last host heard of the last commit.
    pub took: Duration,
    /// To all hosts.
    pub bytes_down: u64,
    /// Of these to the one that joined.
    pub bytes_to_joiner: u64,
    /// From all hosts.
    pub bytes_up: u64,
    /// Both ways.
    pub messages: u64,
    /// What placement's core took of the processor.
    pub busy: Duration,
    /// And of that at most for one event.
    pub busiest: Duration,
}

/// Placement and hosts by the number.
#[derive(Debug)]
pub struct Membership {
    core: Core,
    now: Duration,
    due: BinaryHeap<Reverse<(Duration, u64, Due)>>,
    order: u64,
    up: Vec<Option<ToPlacement>>,
    down: Vec<Option<ToHost>>,
    hosts: BTreeMap<usize, Host>,
    types: Vec<ActorType>,
    epochs: BTreeMap<TypeKey, BTreeSet<Epoch>>,
    newest: BTreeMap<TypeKey, Epoch>,
    last_commit: Duration,
    /// What deciding took of the processor, in all and at most for one event.
    busy: Duration,
    busiest: Duration,
    bytes_up: u64,
    bytes_down: u64,
    down_to: BTreeMap<usize, u64>,
    messages: u64,
}

impl Membership {
    /// Placement without hosts, and so many types that each of them will offer.
    ///
    /// # Panics
    /// Never: the names are sound.
    #[must_use]
    pub fn new(types: usize) -> Self {
        let types = (0..types).map(|n| ActorType::parse(&format!("Type{n}")).expect("a name"));
        let mut membership = Self {
            core: Core::new(Config::default()),
            now: Duration::ZERO,
            due: BinaryHeap::new(),
            order: 0,
            up: Vec::new(),
            down: Vec::new(),
            hosts: BTreeMap::new(),
            types: types.collect(),
            epochs: BTreeMap::new(),
            newest: BTreeMap::new(),
            last_commit: Duration::ZERO,
            busy: Duration::ZERO,
            busiest: Duration::ZERO,
            bytes_up: 0,
            bytes_down: 0,
            down_to: BTreeMap::new(),
            messages: 0,
        };
        membership.tell(Event::Elected { term: 1, roster: Some(BTreeMap::new()) });
        membership
    }

    /// This host joins at that time.
    pub fn join(&mut self, host: usize, at: Duration) {
        self.at(at, Due::Join(host));
    }

    /// Lets time pass until then.
    pub fn run(&mut self, until: Duration) {
        while let Some(Reverse((at, _, _))) = self.due.peek() {
            if *at > until {
                break;
            }
            if let Some(Reverse((at, _, due))) = self.due.pop() {
                self.now = at;
                self.happen(due);
            }
        }
        self.now = until;
    }

    /// How many tables the type that changed most has had.
    #[must_use]
    pub fn versions(&self) -> usize {
        self.epochs.values().map(BTreeSet::len).max().unwrap_or_default()
    }

    /// One more host joins now; what that costs until all is quiet again. Renewals meanwhile and
    /// their grants are left out.
    pub fn join_one(&mut self, host: usize, quiet: Duration) -> Cost {
        (self.bytes_up, self.bytes_down, self.messages) = (0, 0, 0);
        (self.busy, self.busiest) = (Duration::ZERO, Duration::ZERO);
        self.down_to.clear();
        let joins_at = self.now;
        self.join(host, joins_at);
        self.run(joins_at + quiet);
        Cost {
            took: self.last_commit.saturating_sub(joins_at),
            bytes_down: self.bytes_down,
            bytes_to_joiner: self.down_to.get(&host).copied().unwrap_or_default(),
            bytes_up: self.bytes_up,
            messages: self.messages,
            busy: self.busy,
            busiest: self.busiest,
        }
    }

    fn at(&mut self, at: Duration, due: Due) {
        self.order += 1;
        self.due.push(Reverse((at, self.order, due)));
    }

    fn tell(&mut self, event: Event) {
        let begun = Instant::now();
        let actions = self.core.step(event, self.now);
        let took = begun.elapsed();
        self.busy += took;
        self.busiest = self.busiest.max(took);
        for action in actions {
            match action {
                Action::Persist(_) => self.at(self.now + DISK, Due::Persisted),
                // Nobody of this machine is lost here.
                Action::Doubt { .. } => {}
                Action::Wake(at) => self.at(at.max(self.now), Due::Tick),
                Action::Send { to, message } => {
                    let host = usize::try_from(to.0).unwrap_or_default();
                    self.down.push(Some(message));
                    self.at(self.now + WAY, Due::ToHost(host, self.down.len() - 1));
                }
            }
        }
    }

    fn say(&mut self, host: usize, message: ToPlacement) {
        let is_renewal = matches!(message, ToPlacement::Renew { .. });
        if let Some(stub) = self.hosts.get_mut(&host).filter(|_| !is_renewal) {
            let said = stub.said.say(message.clone()).unwrap_or_default();
            self.bytes_up += said.iter().map(|said| said.encoded_len() as u64).sum::<u64>();
            self.messages += said.len() as u64;
        }
        self.up.push(Some(message));
        self.at(self.now + WAY, Due::ToPlacement(host, self.up.len() - 1));
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::ToPlacement(host, said) => {
                if let Some(message) = self.up.get_mut(said).and_then(Option::take) {
                    self.tell(Event::Message { from: Connection(host as u64), message });
                }
            }
            Due::ToHost(host, said) => {
                if let Some(message) = self.down.get_mut(said).and_then(Option::take) {
                    self.hear(host, message);
                }
            }
            Due::Persisted => self.tell(Event::Persisted),
            Due::Tick => self.tell(Event::Tick),
            Due::Join(host) => self.joins(host),
            Due::Renew(host) => {
                if let Some(stub) = self.hosts.get_mut(&host) {
                    stub.seq += 1;
                    let message =
                        ToPlacement::Renew { incarnation: incarnation(host), seq: stub.seq };
                    self.say(host, message);
                    self.at(self.now + Duration::from_secs(1), Due::Renew(host));
                }
            }
        }
    }

    fn joins(&mut self, host: usize) {
        let name = HostName::parse(&format!(
            "10.{}.{}.{}:50002",
            host >> 16,
            (host >> 8) & 255,
            host & 255
        ))
        .expect("a name");
        let app = AppId::parse("app").expect("a name");
        let address = name.as_str().into();
        let identity = Identity {
            host: name.clone(),
            address,
            app: app.clone(),
            namespace: Namespace::default(),
            network: None,
        };
        let address = identity.address.clone();
        let stub = Host {
            said: FromHost::new(identity),
            heard: FromPlacement::new(),
            seq: 0,
            joins_at: Some(self.now),
        };
        self.hosts.insert(host, stub);
        let offer = |actor_type: &ActorType| TypeOffer {
            actor_type: actor_type.clone(),
            policy: Policy::Ring,
            drain: Duration::from_secs(60),
        };
        let join = Join {
            member: Member { incarnation: incarnation(host), host: name, address },
            app,
            namespace: Namespace::default(),
            types: self.types.iter().map(offer).collect(),
            resources: Vec::new(),
            replaces: None,
        };
        self.say(host, ToPlacement::Join(join));
        self.at(self.now + Duration::from_secs(1), Due::Renew(host));
    }

    fn hear(&mut self, host: usize, message: ToHost) {
        let is_renewal = matches!(message, ToHost::Lease { seq: 1.., .. });
        if let Some(stub) = self.hosts.get_mut(&host).filter(|_| !is_renewal) {
            let namespace = Namespace::default();
            let said = stub.heard.say(message.clone(), Some(&namespace)).unwrap_or_default();
            let bytes = said.as_ref().map_or(0, |said| said.encoded_len() as u64);
            self.bytes_down += bytes;
            *self.down_to.entry(host).or_default() += bytes;
            self.messages += u64::from(said.is_some());
        }
        match message {
            ToHost::News(news) => {
                let mut up_to = BTreeMap::new();
                for message in news.messages() {
                    match message {
                        ToHost::Prepare { key, epoch, .. } => {
                            if self.newest.get(key) != Some(epoch) {
                                self.newest.insert(key.clone(), *epoch);
                                self.epochs.entry(key.clone()).or_default().insert(*epoch);
                            }
                            up_to.insert(key.clone(), *epoch);
                        }
                        ToHost::Commit { .. } => self.last_commit = self.now,
                        _ => {}
                    }
                }
                // Who stands in no table before these has nothing to release, and says so.
                if !up_to.is_empty() {
                    let incarnation = incarnation(host);
                    self.say(host, ToPlacement::Released { incarnation, up_to });
                }
            }
            ToHost::Prepare { .. } | ToHost::Commit { .. } => {}
            ToHost::Lease { .. } => {
                if let Some(stub) = self.hosts.get_mut(&host) {
                    stub.joins_at = None;
                }
            }
            ToHost::Expired { .. } | ToHost::NotLeader { .. } | ToHost::Refused { .. } => {}
        }
    }
}

fn incarnation(host: usize) -> Incarnation {
    Incarnation(1_000_000 + host as u64)
}

/// Bytes of memory in use, as Linux counts them.
fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * 4096
}

/// The table, for hosts and types by the number.
#[must_use]
pub fn membership() -> String {
    let mut out = String::from(
        "| hosts | types | tables per type | join to the last host's commit | bytes to all hosts | \
         of them to the one that joins | bytes from all hosts | messages | processor time of \
         placement | of it for the longest step | memory of placement | of it per host |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (hosts, types) in [(10, 10), (50, 10), (100, 10), (200, 10), (1_000, 10), (1_000, 100)] {
        let before = memory();
        let mut membership = Membership::new(types);
        for host in 0..hosts {
            membership.join(host, Duration::from_micros(1_000_000 * host as u64 / hosts as u64));
        }
        membership.run(Duration::from_millis(8_050));
        membership.up = Vec::new();
        membership.down = Vec::new();
        let (kept, versions) = (memory().saturating_sub(before), membership.versions());
        let cost = membership.join_one(hosts, Duration::from_millis(500));
        let Cost { took, bytes_down, bytes_to_joiner, bytes_up, messages, busy, busiest } = cost;
        let _ = writeln!(
            out,
            "| {hosts} | {types} | {versions} | {} ms | {bytes_down} | {bytes_to_joiner} | {bytes_up} | {messages} | {:.1} ms | {:.1} ms | {:.1} MB | {:.1} KB |",
            took.as_millis(),
            busy.as_secs_f64() * 1e3,
            busiest.as_secs_f64() * 1e3,
            kept as f64 / 1e6,
            kept as f64 / 1e3 / hosts as f64,
        );
    }
    out
}
