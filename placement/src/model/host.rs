//! A host as the specification wants it: obeys its lease, its gate and its drain.
//!
//! Time is the host's own, which may run up to a tenth off. It knows only what
//! messages told it; the world around it is in `world`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use odeon_base::{ActorType, AppId, Epoch, HostName, Incarnation, Namespace};
use odeon_ring::{
    Chain, Gap, Gate, Join, Mark, Member, Policy, Rings, ToHost, ToPlacement, TypeKey, TypeOffer,
    TypeReport,
};

/// L.
pub(crate) const LEASE: Duration = Duration::from_secs(5);

/// Where a host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Joining,
    Live,
    Leaving,
    /// Lapsed or said farewell: runs nothing.
    Out,
}

/// One life of a host.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) incarnation: Incarnation,
    pub(crate) name: usize,
    pub(crate) phase: Phase,
    pub(crate) types: BTreeSet<TypeKey>,
    pub(crate) chains: BTreeMap<TypeKey, Chain>,
    /// Turns that run, with the epoch of their activation's fence.
    pub(crate) running: BTreeMap<(TypeKey, u64), Epoch>,
    /// What it told placement that it released.
    released: BTreeMap<TypeKey, Epoch>,
    /// When each renewal was sent; the join is number 0.
    sent: BTreeMap<u64, Duration>,
    /// The sending of the renewal that was granted last.
    granted: Option<Duration>,
    rings: Rings,
}

pub(crate) fn key(name: &str) -> TypeKey {
    TypeKey { namespace: Namespace::default(), actor_type: ActorType::parse(name).unwrap() }
}

impl Host {
    pub(crate) fn new(
        incarnation: u64,
        name: usize,
        types: BTreeSet<TypeKey>,
        rings: &Rings,
    ) -> Self {
        Self {
            incarnation: Incarnation(incarnation),
            name,
            phase: Phase::Joining,
            types,
            chains: BTreeMap::new(),
            running: BTreeMap::new(),
            released: BTreeMap::new(),
            sent: BTreeMap::new(),
            granted: None,
            rings: rings.clone(),
        }
    }

    fn offers(&self) -> Vec<TypeOffer> {
        let offer = |key: &TypeKey| TypeOffer {
            actor_type: key.actor_type.clone(),
            policy: Policy::Ring,
            drain: Duration::from_secs(60),
        };
        self.types.iter().map(offer).collect()
    }

    pub(crate) fn join(&mut self, replaces: Option<Incarnation>, now: Duration) -> ToPlacement {
        // The first sending counts: the lease may have been granted on it.
        self.sent.entry(0).or_insert(now);
        let host = format!("10.0.0.{}:50001", self.name);
        let address: Arc<str> = host.as_str().into();
        ToPlacement::Join(Join {
            member: Member {
                incarnation: self.incarnation,
                host: HostName::parse(&host).unwrap(),
                address,
            },
            app: AppId::parse("app").unwrap(),
            namespace: Namespace::default(),
            types: self.offers(),
            resources: Vec::new(),
            replaces,
        })
    }

    /// What it says first on a new stream: a report if it has a lease, then all it wants.
    pub(crate) fn reconnect(&mut self, now: Duration) -> Vec<ToPlacement> {
        let incarnation = self.incarnation;
        let mut messages = Vec::new();
        if self.phase == Phase::Joining {
            // Without a lease nothing that it heard counts; a leader without memory may count
            // from lower terms, and would not learn of these.
            self.chains.clear();
        } else {
            let types = self.chains.iter().map(|(key, chain)| {
                let mut marks = chain.marks().clone();
                if let Some(epoch) = self.released.get(key) {
                    marks.insert(incarnation, Mark::Released(*epoch));
                }
                let chain = chain.tables().iter().map(|table| table.to_data()).collect();
                TypeReport { key: key.clone(), chain, marks }
            });
            let types = types.collect();
            messages.push(ToPlacement::Report { incarnation, lapsed: false, types });
        }
        messages.push(self.join(None, now));
        if self.phase == Phase::Leaving {
            messages.push(ToPlacement::Leave { incarnation });
        }
        messages
    }

    pub(crate) fn renew(&mut self, now: Duration) -> Option<ToPlacement> {
        if !matches!(self.phase, Phase::Live | Phase::Leaving) {
            return None;
        }
        let seq = self.sent.keys().next_back().map_or(1, |last| last + 1);
        self.sent.insert(seq, now);
        Some(ToPlacement::Renew { incarnation: self.incarnation, seq })
    }

    /// Whether its lease runs: 0.9 L from the sending of what was granted.
    pub(crate) fn has_lease(&self, now: Duration) -> bool {
        let is_in = matches!(self.phase, Phase::Live | Phase::Leaving);
        is_in && self.granted.is_some_and(|sent| now < sent + LEASE * 9 / 10)
    }

    /// Whether it may start a turn: until 0.8 L.
    fn may_start(&self, now: Duration) -> bool {
        self.has_lease(now) && self.granted.is_some_and(|sent| now < sent + LEASE * 8 / 10)
    }

    /// Cuts everything when the lease has ended.
    pub(crate) fn tick(&mut self, now: Duration) {
        if matches!(self.phase, Phase::Live | Phase::Leaving) && !self.has_lease(now) {
            self.lapse();
        }
    }

    pub(crate) fn lapse(&mut self) {
        self.phase = Phase::Out;
        self.running.clear();
    }

    pub(crate) fn hear(&mut self, message: &ToHost, now: Duration) -> Result<(), Gap> {
        match message {
            ToHost::Lease { incarnation, seq, .. } if *incarnation == self.incarnation => {
                self.tick(now);
                if self.phase == Phase::Joining {
                    self.phase = Phase::Live;
                }
                if self.phase != Phase::Out {
                    self.granted = self.granted.max(self.sent.get(seq).copied());
                }
                self.tick(now);
            }
            ToHost::Expired { incarnation } if *incarnation == self.incarnation => self.lapse(),
            ToHost::Prepare { key, epoch, update, hash } => {
                let fresh = || Chain::new(&self.rings);
                self.chains
                    .entry(key.clone())
                    .or_insert_with(fresh)
                    .prepare(*epoch, update, *hash)?;
            }
            ToHost::Commit { key, marks, base } => {
                if let Some(chain) = self.chains.get_mut(key) {
                    chain.commit(marks, *base);
                }
            }
            ToHost::News(news) => {
                for message in news.messages() {
                    self.hear(message, now)?;
                }
            }
            ToHost::Lease { .. }
            | ToHost::Expired { .. }
            | ToHost::Refused { .. }
            | ToHost::NotLeader { .. } => {}
        }
        Ok(())
    }

    pub(crate) fn gate(&self, actor: &(TypeKey, u64)) -> Option<Gate> {
        Some(self.chains.get(&actor.0)?.gate(self.incarnation, actor.1))
    }

    /// The epoch under which a turn of the actor may start now, if it may; a call of a
    /// running turn is let in behind a shut gate too.
    pub(crate) fn may_serve(&self, actor: &(TypeKey, u64), now: Duration) -> Option<Epoch> {
        if !self.may_start(now) {
            return None;
        }
        let chain = self.chains.get(&actor.0)?;
        let gate = if self.running.is_empty() {
            chain.gate(self.incarnation, actor.1)
        } else {
            let released = self.released.get(&actor.0).copied();
            chain.gate_for_chain(self.incarnation, actor.1, released)
        };
        match gate {
            Gate::Open { epoch } => Some(epoch),
            Gate::Shut { .. } | Gate::Elsewhere { .. } | Gate::NoHost => None,
        }
    }

    /// Says of every type behind whose shut gates nothing runs that it has released it.
    pub(crate) fn release(&mut self) -> Vec<ToPlacement> {
        let mut up_to = BTreeMap::new();
        if !matches!(self.phase, Phase::Live | Phase::Leaving) {
            return Vec::new();
        }
        for (key, chain) in &self.chains {
            let epoch = chain.newest().epoch();
            let is_open =
                |hash: u64| matches!(chain.gate(self.incarnation, hash), Gate::Open { .. });
            let is_idle = self.running.keys().filter(|a| a.0 == *key).all(|a| is_open(a.1));
            if is_idle && self.released.get(key) < Some(&epoch) {
                self.released.insert(key.clone(), epoch);
                up_to.insert(key.clone(), epoch);
            }
        }
        if up_to.is_empty() {
            return Vec::new();
        }
        vec![ToPlacement::Released { incarnation: self.incarnation, up_to }]
    }
}
