//! Placement: the real [`Core`] with a disk that never fails.
//!
//! Its clock stands still but for an expiry: then all that wait for nothing renew, and a
//! lease and a tenth pass. Windows are nought, so each change is a table at once.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use odeon_base::{Epoch, Incarnation};
use odeon_placement::core::{Action, Connection, Event};
use odeon_placement::{Config, Core, HostPhase, Record, Role, Snapshot};
use odeon_ring::{Chain, TableData, ToHost, ToPlacement};

use super::host::hash_chain;
use super::world::HOSTS;

/// The number of renewals that only make time pass; nobody hears of them.
const KEEP: u64 = u64::MAX;

/// The one placement process, started again after a crash.
#[derive(Debug, Clone)]
pub(super) struct Leader {
    core: Core,
    now: Duration,
    disk: Record,
    /// How often it was started: streams of an earlier life are dead.
    starts: u64,
    /// What was heard since the start, in no order; a new leader is nothing else.
    heard: u64,
    pub(super) snapshot: Snapshot,
    /// Every table that was ever made, for the trap that skips some.
    pub(super) tables: BTreeMap<Epoch, TableData>,
}

/// What placement says to whom.
pub(super) type Said = Vec<(usize, ToHost)>;

impl Leader {
    pub(super) fn new() -> Self {
        let mut made = Self {
            core: Core::new(Config::default()),
            now: Duration::ZERO,
            disk: Record { term: 0, roster: Some(BTreeMap::new()) },
            starts: 0,
            heard: 0,
            snapshot: Snapshot::default(),
            tables: BTreeMap::new(),
        };
        made.start();
        made
    }

    /// The process starts anew, from what is on its disk.
    pub(super) fn start(&mut self) {
        let config = Config {
            window: Duration::ZERO,
            window_max: Duration::ZERO,
            expiry_window: Duration::ZERO,
            // That marks wait for others is a delay like any other of a message.
            marks_window: Duration::ZERO,
            drain_limit: Duration::from_secs(1_000_000),
            ..Config::default()
        };
        self.core = Core::new(config);
        self.starts += 1;
        self.heard = 0;
        let (term, roster) = (self.disk.term + 1, self.disk.roster.clone());
        let _ = self.step(Event::Elected { term, roster });
    }

    fn connection(&self, host: usize) -> Connection {
        Connection(self.starts * HOSTS as u64 + host as u64)
    }

    pub(super) fn hear(&mut self, host: usize, message: ToPlacement) -> Said {
        self.heard = self.heard.wrapping_add(fingerprint(&format!("{message:?}")));
        let from = self.connection(host);
        self.step(Event::Message { from, message })
    }

    fn step(&mut self, event: Event) -> Said {
        let mut said = Vec::new();
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for action in self.core.step(event, self.now) {
                match action {
                    Action::Persist(record) => {
                        self.disk = record;
                        events.push(Event::Persisted);
                    }
                    Action::Send { message: ToHost::Lease { seq: KEEP, .. }, .. }
                    | Action::Wake(_)
                    | Action::Doubt { .. } => {}
                    Action::Send { to, message } => {
                        let name = (to.0 % HOSTS as u64) as usize;
                        said.extend(message.each().into_iter().map(|message| (name, message)));
                    }
                }
            }
        }
        self.snapshot = self.core.snapshot();
        let of_chain = self.chain().map(|chain| chain.tables().to_vec()).unwrap_or_default();
        self.tables.extend(of_chain.iter().map(|table| (table.epoch(), table.to_data())));
        said
    }

    /// A lease and a tenth pass, in which all but `silent` renew.
    pub(super) fn pass(&mut self, silent: &BTreeSet<Incarnation>) -> Said {
        let mut said = Vec::new();
        for millis in [2500, 2500] {
            self.now += Duration::from_millis(millis);
            for incarnation in self.snapshot.hosts.clone().into_keys() {
                if !silent.contains(&incarnation) {
                    let from = self.connection((incarnation.0 % 10) as usize);
                    let message = ToPlacement::Renew { incarnation, seq: KEEP };
                    said.extend(self.step(Event::Message { from, message }));
                }
            }
        }
        self.now += Duration::from_millis(500);
        said.extend(self.step(Event::Tick));
        said
    }

    /// Those of the roster whom a new leader waits for.
    pub(super) fn awaited(&self) -> Vec<Incarnation> {
        if self.snapshot.role != Role::New {
            return Vec::new();
        }
        let roster = self.disk.roster.iter().flat_map(BTreeMap::keys).copied();
        roster.filter(|incarnation| !self.snapshot.hosts.contains_key(incarnation)).collect()
    }

    pub(super) fn is_leading(&self) -> bool {
        self.snapshot.role == Role::Leading
    }

    pub(super) fn chain(&self) -> Option<&Chain> {
        self.snapshot.types.values().next().map(|view| view.chain.as_ref())
    }

    /// Whether it is on its way out and in no newest table.
    pub(super) fn is_leaver(&self, incarnation: Incarnation) -> bool {
        self.snapshot.hosts.get(&incarnation).is_some_and(|host| host.phase == HostPhase::Leaving)
    }
}

impl Hash for Leader {
    fn hash<H: Hasher>(&self, into: &mut H) {
        (self.snapshot.term, self.is_leading(), self.starts).hash(into);
        if !self.is_leading() {
            self.heard.hash(into);
        }
        for (incarnation, host) in &self.snapshot.hosts {
            let phase = match host.phase {
                HostPhase::Joining => 0,
                HostPhase::Live => 1,
                HostPhase::Leaving => 2,
            };
            (incarnation, phase, host.is_connected).hash(into);
        }
        if let Some(chain) = self.chain() {
            hash_chain(chain, into);
        }
    }
}

/// A number for a text, the same in every run.
pub(super) fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
