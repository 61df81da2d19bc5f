//! A placement that a test moves by hand.
//!
//! Honest by itself: it grants what is asked for, puts whoever offers a type into the
//! next table, sends it to all and passes marks on. It keeps no time: that a host is
//! silent, expired or not answered is said by the test. The service itself is proved
//! elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::{ActorType, Epoch, Incarnation, Namespace, TaskKind, Tasks};
use odeon_ring::change::{Join, Update};
use odeon_ring::rings::content_hash;
use odeon_ring::{Mark, Member, Pins, Policy, TableData, ToHost, ToPlacement, TypeKey, TypeOffer};
use odeon_runtime::seams::{PlacementLink, PlacementStream};
use tokio::sync::{Notify, mpsc};

use crate::app::Probe;

/// L.
pub const LEASE: Duration = Duration::from_secs(5);
/// Messages on a stream; more than any test sends at once.
const QUEUE: usize = 1_024;

/// A type's tables and marks.
#[derive(Debug, Default)]
struct Line {
    chain: Vec<TableData>,
    marks: BTreeMap<Incarnation, Mark>,
}

#[derive(Debug)]
struct Inner {
    term: u64,
    n: u64,
    members: BTreeMap<Incarnation, (Member, BTreeSet<ActorType>)>,
    gone: BTreeSet<Incarnation>,
    lines: BTreeMap<ActorType, Line>,
    streams: BTreeMap<String, mpsc::Sender<ToHost>>,
    /// Hosts that are not answered.
    silent: BTreeSet<String>,
    /// Hosts that hear nothing.
    cut_off: BTreeSet<String>,
    /// What silent hosts are owed an answer to.
    unanswered: BTreeMap<String, Vec<ToPlacement>>,
    is_reachable: bool,
    drain_limit: Duration,
    /// `Released` messages: host, table, and who ran a turn at that moment.
    released: Vec<(String, Epoch, Vec<String>)>,
    heard: Vec<String>,
}

/// The placement. Cheap to clone; clones are one.
#[derive(Debug, Clone)]
pub struct Board {
    inner: Arc<Mutex<Inner>>,
    reachable: Arc<Notify>,
    tasks: Tasks,
    probe: Arc<Probe>,
}

fn key(actor_type: &ActorType) -> TypeKey {
    TypeKey { namespace: Namespace::default(), actor_type: actor_type.clone() }
}

impl Board {
    /// One that nobody has joined.
    #[must_use]
    pub fn new(tasks: &Tasks, probe: &Arc<Probe>) -> Self {
        let inner = Inner {
            term: 1,
            n: 0,
            members: BTreeMap::new(),
            gone: BTreeSet::new(),
            lines: BTreeMap::new(),
            streams: BTreeMap::new(),
            silent: BTreeSet::new(),
            cut_off: BTreeSet::new(),
            unanswered: BTreeMap::new(),
            is_reachable: true,
            drain_limit: Duration::from_secs(60),
            released: Vec::new(),
            heard: Vec::new(),
        };
        let inner = Arc::new(Mutex::new(inner));
        let (tasks, probe) = (tasks.clone(), Arc::clone(probe));
        Self { inner, reachable: Arc::default(), tasks, probe }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The way of one host to here.
    #[must_use]
    pub fn link(&self, host: &str) -> Arc<dyn PlacementLink> {
        Arc::new(Link { board: self.clone(), host: host.to_owned() })
    }

    /// Hears a host from now on, but does not answer it.
    pub fn silence(&self, host: &str) {
        self.lock().silent.insert(host.to_owned());
    }

    /// Nothing reaches a host any more, although its stream stands.
    pub fn cut_off(&self, host: &str) {
        let mut inner = self.lock();
        inner.silent.insert(host.to_owned());
        inner.cut_off.insert(host.to_owned());
    }

    /// Answers a host again, late what it said meanwhile.
    pub fn answer_again(&self, host: &str) {
        let mut inner = self.lock();
        inner.silent.remove(host);
        inner.cut_off.remove(host);
        for message in inner.unanswered.remove(host).unwrap_or_default() {
            inner.handle(host, message, &[]);
        }
    }

    /// Breaks all streams; while not reachable, connecting takes for ever.
    pub fn set_reachable(&self, is_reachable: bool) {
        let mut inner = self.lock();
        inner.is_reachable = is_reachable;
        if !is_reachable {
            inner.streams.clear();
        }
        drop(inner);
        self.reachable.notify_waiters();
    }

    async fn until_reachable(&self) {
        loop {
            let mut changed = std::pin::pin!(self.reachable.notified());
            changed.as_mut().enable();
            if self.lock().is_reachable {
                return;
            }
            changed.await;
        }
    }

    /// How long a drain may take at most, in leases granted from now on.
    pub fn set_drain_limit(&self, limit: Duration) {
        self.lock().drain_limit = limit;
    }

    /// The incarnations of a host that are live, in order of joining.
    #[must_use]
    pub fn incarnation(&self, host: &str) -> Option<Incarnation> {
        self.lock().live(host)
    }

    /// Takes the lease of a host away, as its deadline would: others own its actors now.
    pub fn expire(&self, host: &str) {
        let mut inner = self.lock();
        if let Some(incarnation) = inner.live(host) {
            inner.end(incarnation);
        }
    }

    /// Tells a host that it has expired.
    pub fn tell_expired(&self, host: &str, incarnation: Incarnation) {
        self.lock().tell(host, ToHost::Expired { incarnation });
    }

    /// What was released, in order: by whom, up to which table, and who ran a turn then.
    #[must_use]
    pub fn released(&self) -> Vec<(String, Epoch, Vec<String>)> {
        self.lock().released.clone()
    }

    /// What was heard, by kind of message and host.
    #[must_use]
    pub fn heard(&self) -> Vec<String> {
        self.lock().heard.clone()
    }

    /// The newest epoch.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        let inner = self.lock();
        Epoch { term: inner.term, n: inner.n }
    }

    fn receive(&self, host: &str, message: ToPlacement) {
        let running = self.probe.running();
        let mut inner = self.lock();
        inner.heard.push(format!("{} {host}", kind(&message)));
        if inner.silent.contains(host) {
            inner.unanswered.entry(host.to_owned()).or_default().push(message);
            return;
        }
        inner.handle(host, message, &running);
    }
}

fn kind(message: &ToPlacement) -> &'static str {
    match message {
        ToPlacement::Join(_) => "join",
        ToPlacement::Report { .. } => "report",
        ToPlacement::Renew { .. } => "renew",
        ToPlacement::Released { .. } => "released",
        ToPlacement::Offer { .. } => "offer",
        ToPlacement::Leave { .. } => "leave",
        ToPlacement::Farewell { .. } => "farewell",
        ToPlacement::FenceAhead { .. } => "fence ahead",
        ToPlacement::Resync { .. } => "resync",
        ToPlacement::Move { .. } => "move",
    }
}

/// The types that have tables; the others run where they are.
fn on_the_ring(offers: Vec<TypeOffer>) -> BTreeSet<ActorType> {
    let placed = offers.into_iter().filter(|offer| offer.policy == Policy::Ring);
    placed.map(|offer| offer.actor_type).collect()
}

impl Inner {
    fn live(&self, host: &str) -> Option<Incarnation> {
        let of_host = |(incarnation, (member, _)): (&Incarnation, &(Member, _))| {
            (member.host.as_str() == host).then_some(*incarnation)
        };
        self.members.iter().find_map(of_host)
    }

    fn tell(&self, host: &str, message: ToHost) {
        if let Some(stream) = self.streams.get(host).filter(|_| !self.cut_off.contains(host)) {
            let _ = stream.try_send(message);
        }
    }

    fn tell_all(&self, message: &ToHost) {
        for host in self.streams.keys() {
            self.tell(host, message.clone());
        }
    }

    fn lease(&self, host: &str, incarnation: Incarnation, seq: u64) {
        let (term, duration, drain_limit) = (self.term, LEASE, self.drain_limit);
        self.tell(host, ToHost::Lease { term, incarnation, seq, duration, drain_limit });
    }

    fn handle(&mut self, host: &str, message: ToPlacement, running: &[String]) {
        match message {
            ToPlacement::Join(join) => self.join(host, join),
            ToPlacement::Renew { incarnation, seq } => {
                if self.gone.contains(&incarnation) {
                    self.tell(host, ToHost::Expired { incarnation });
                } else {
                    self.lease(host, incarnation, seq);
                }
            }
            ToPlacement::Offer { incarnation, types, .. } => {
                let offered = on_the_ring(types);
                if let Some((_, known)) = self.members.get_mut(&incarnation) {
                    *known = offered;
                    self.tables();
                }
            }
            ToPlacement::Leave { incarnation } => {
                if let Some((_, known)) = self.members.get_mut(&incarnation) {
                    known.clear();
                    self.tables();
                }
            }
            ToPlacement::Released { incarnation, up_to } => {
                for (key, epoch) in up_to {
                    self.released.push((host.to_owned(), epoch, running.to_vec()));
                    self.mark(&key.actor_type, incarnation, Mark::Released(epoch));
                }
            }
            ToPlacement::Farewell { incarnation } => self.end(incarnation),
            ToPlacement::FenceAhead { term } => {
                if term >= self.term {
                    self.term = term + 1;
                    let types: Vec<ActorType> = self.lines.keys().cloned().collect();
                    types.iter().for_each(|actor_type| self.table(actor_type));
                }
            }
            ToPlacement::Report { .. } => {
                for actor_type in self.lines.keys() {
                    self.tell(host, self.whole(actor_type));
                }
            }
            ToPlacement::Resync { key } => self.tell(host, self.whole(&key.actor_type)),
            // The real placement is there for those who move actors.
            ToPlacement::Move { .. } => {}
        }
    }

    fn join(&mut self, host: &str, join: Join) {
        if let Some(earlier) = join.replaces {
            self.end(earlier);
        }
        let incarnation = join.member.incarnation;
        let offered = on_the_ring(join.types);
        self.members.insert(incarnation, (join.member, offered));
        for actor_type in self.lines.keys() {
            self.tell(host, self.whole(actor_type));
        }
        self.lease(host, incarnation, 0);
        self.tables();
    }

    /// It runs nothing any more.
    fn end(&mut self, incarnation: Incarnation) {
        self.members.remove(&incarnation);
        self.gone.insert(incarnation);
        let types: Vec<ActorType> = self.lines.keys().cloned().collect();
        for actor_type in types {
            self.mark(&actor_type, incarnation, Mark::Gone);
        }
        self.tables();
    }

    fn mark(&mut self, actor_type: &ActorType, incarnation: Incarnation, mark: Mark) {
        let Some(line) = self.lines.get_mut(actor_type) else { return };
        let known = line.marks.entry(incarnation).or_insert(mark);
        *known = (*known).max(mark);
        // The newest table that everybody before it has released is the base.
        let has_let_go = |incarnation: &Incarnation, epoch: Epoch| {
            line.marks.get(incarnation).is_some_and(|mark| *mark >= Mark::Released(epoch))
        };
        let base = (1..line.chain.len())
            .take_while(|at| {
                let epoch = line.chain[*at].epoch;
                let mut earlier = line.chain[..*at].iter().flat_map(|table| &table.members);
                earlier.all(|member| has_let_go(&member.incarnation, epoch))
            })
            .last();
        line.chain.drain(..base.unwrap_or_default());
        let (marks, base) = (line.marks.clone(), line.chain[0].epoch);
        self.tell_all(&ToHost::Commit { key: key(actor_type), marks, base });
    }

    /// A new table of each type whose members are others now.
    fn tables(&mut self) {
        let offered = self.members.values().flat_map(|(_, types)| types.iter().cloned());
        let types: BTreeSet<ActorType> = offered.chain(self.lines.keys().cloned()).collect();
        for actor_type in types {
            let newest = self.lines.get(&actor_type).and_then(|line| line.chain.last());
            let known = newest.map(|table| table.members.clone()).unwrap_or_default();
            if known != self.offering(&actor_type) {
                self.table(&actor_type);
            }
        }
    }

    fn offering(&self, actor_type: &ActorType) -> Vec<Member> {
        let offers = self.members.values().filter(|(_, types)| types.contains(actor_type));
        offers.map(|(member, _)| member.clone()).collect()
    }

    fn table(&mut self, actor_type: &ActorType) {
        self.n += 1;
        let epoch = Epoch { term: self.term, n: self.n };
        let members = self.offering(actor_type);
        let line = self.lines.entry(actor_type.clone()).or_default();
        line.chain.push(TableData { epoch, members, pins: Pins::new() });
        self.tell_all(&self.whole(actor_type));
    }

    fn whole(&self, actor_type: &ActorType) -> ToHost {
        let line = &self.lines[actor_type];
        let newest = line.chain.last().expect("a line has a table");
        let shared: Vec<Arc<Member>> = newest.members.iter().cloned().map(Arc::new).collect();
        ToHost::Prepare {
            key: key(actor_type),
            epoch: newest.epoch,
            update: Update::Chain { tables: line.chain.clone(), marks: line.marks.clone() },
            hash: content_hash(&shared),
        }
    }
}

#[derive(Debug)]
struct Link {
    board: Board,
    host: String,
}

impl PlacementLink for Link {
    fn connect(&self) -> BoxFuture<'_, Result<PlacementStream, String>> {
        async move {
            // Nobody even refuses.
            self.board.until_reachable().await;
            let (to, mut received) = mpsc::channel(QUEUE);
            let (stream, from) = mpsc::channel(QUEUE);
            let weak = stream.downgrade();
            self.board.lock().streams.insert(self.host.clone(), stream);
            let (board, host) = (self.board.clone(), self.host.clone());
            self.board.tasks.spawn(TaskKind::Stream, async move {
                while let Some(message) = received.recv().await {
                    // What comes over a stream that was broken is not heard.
                    if weak.upgrade().is_none() {
                        return;
                    }
                    board.receive(&host, message);
                }
            });
            Ok(PlacementStream { to, from })
        }
        .boxed()
    }
}
