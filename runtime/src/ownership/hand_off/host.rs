//! A host: the real [`Ownership`] and [`View`] in a shell of the model.
//!
//! What the shell stands for is `membership.rs`, `drain.rs` and the directory: it keeps
//! activations and their turns, drains, and releases when nothing is active behind a shut
//! gate. Its clock is its own and moves only when the model lets time pass.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use odeon_base::{ActorType, AppId, Epoch, Fence, HostName, Incarnation, Namespace};
use odeon_ring::{Chain, Mark, Policy, ToHost, ToPlacement, TypeOffer};

use super::super::{Action, Identity, Life, Ownership};
use super::trap::Trap;
use crate::lease::Grant;
use crate::view::{Route, View};

/// An actor, by its place in the scene.
pub(super) type Actor = usize;

/// Whose activation: the incarnation and its count. No two share both.
pub(super) type Who = (Incarnation, u64);

/// What a turn does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// Calls this actor, which has not let the call in yet.
    Waits(Actor),
    /// The turn of this number runs for it.
    Calls(u8),
    /// Does what it does, without a store.
    Runs,
    /// Its activation's claim is on the way to the store.
    Claims,
    /// Its commit is.
    Commits,
}

/// One running turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Turn {
    pub(super) number: u8,
    pub(super) step: Step,
}

/// An actor in memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Activation {
    pub(super) who: Who,
    pub(super) fence: Fence,
    /// What it read when it claimed, and wrote since: one bit for each commit.
    pub(super) state: Option<u8>,
    pub(super) turn: Option<Turn>,
}

/// One process.
#[derive(Debug, Clone)]
pub(super) struct Host {
    name: usize,
    trap: Option<Trap>,
    ownership: Ownership,
    /// The ownership as it was before it lapsed, for the trap that revives it.
    lapsed: Option<Box<Ownership>>,
    pub(super) now: Duration,
    pub(super) grant: Option<Grant>,
    pub(super) view: View,
    pub(super) drains: BTreeSet<Epoch>,
    pub(super) activations: BTreeMap<Actor, Activation>,
    /// Everything is released and it may say farewell.
    pub(super) is_done: bool,
    lives: u64,
    seq: u64,
    first_epoch: Option<Epoch>,
    renewed: Option<Duration>,
    /// What it says, for the stream to take.
    pub(super) said: Vec<ToPlacement>,
}

pub(super) fn type_name() -> ActorType {
    ActorType::parse("T").unwrap()
}

pub(super) fn host_name(host: usize) -> HostName {
    HostName::parse(&format!("h{host}:1")).unwrap()
}

impl Host {
    /// A process that has just started and asks to be taken in.
    pub(super) fn start(name: usize, trap: Option<Trap>) -> Self {
        let host = host_name(name);
        let identity = Identity {
            address: host.as_str().into(),
            host,
            app: AppId::parse("app").unwrap(),
            namespace: Namespace::default(),
        };
        let mut made = Self {
            name,
            trap,
            ownership: Ownership::new(identity),
            lapsed: None,
            now: Duration::ZERO,
            grant: None,
            view: View::default(),
            drains: BTreeSet::new(),
            activations: BTreeMap::new(),
            is_done: false,
            lives: 0,
            seq: 0,
            first_epoch: None,
            renewed: None,
            said: Vec::new(),
        };
        let (actor_type, drain) = (type_name(), Duration::from_secs(60));
        let offer = TypeOffer { actor_type: actor_type.clone(), policy: Policy::Ring, drain };
        let actions = made.ownership.offer(BTreeMap::from([(actor_type, offer)]), Vec::new());
        made.perform(actions);
        made.connect();
        made
    }

    pub(super) fn incarnation(&self) -> Option<Incarnation> {
        self.ownership.incarnation()
    }

    /// Whether a turn may commit and answer.
    pub(super) fn has_lease(&self) -> bool {
        self.incarnation().is_some() && self.grant.is_some_and(|grant| self.now < grant.cut_at)
    }

    /// Whether its lease is over and it has not noticed.
    pub(super) fn is_late(&self) -> bool {
        self.incarnation().is_some() && !self.has_lease()
    }

    pub(super) fn is_leaving(&self) -> bool {
        matches!(&self.ownership.life, Life::Live(live) if live.is_leaving)
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self.ownership.life, Life::Gone)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.ownership.is_connected
    }

    /// Whether this incarnation is asking for its first lease, or has one that runs.
    pub(super) fn may_live_as(&self, incarnation: Incarnation) -> bool {
        match &self.ownership.life {
            Life::Joining { incarnation: mine, .. } => *mine == incarnation,
            Life::Live(live) => live.incarnation == incarnation && self.has_lease(),
            Life::Out | Life::Gone => false,
        }
    }

    pub(super) fn connect(&mut self) {
        let fresh = self.fresh();
        let actions = self.ownership.connected(self.now, fresh);
        self.perform(actions);
    }

    pub(super) fn disconnect(&mut self) {
        self.ownership.disconnected();
    }

    pub(super) fn tick(&mut self) {
        self.remember();
        let fresh = self.fresh();
        let actions = self.ownership.tick(self.now, fresh);
        self.perform(actions);
    }

    /// A fifth of the lease passes, and it renews.
    pub(super) fn renew(&mut self) {
        self.now += Duration::from_secs(1);
        self.renewed = Some(self.now);
        self.tick();
    }

    /// The lease ends by its own count.
    pub(super) fn run_out(&mut self) {
        self.now = self.now.max(self.grant.map_or(self.now, |grant| grant.cut_at));
    }

    /// Placement has given it up: then its clock, though a tenth slow, has passed the end of
    /// whatever was granted to it.
    pub(super) fn is_given_up(&mut self) {
        let end = self.renewed.map(|sent| sent + Duration::from_millis(4500));
        self.now = self.now.max(end.unwrap_or_default());
    }

    /// Whether a turn may begin.
    pub(super) fn may_start(&self) -> bool {
        self.has_lease() && self.grant.is_some_and(|grant| self.now < grant.stop_at)
    }

    pub(super) fn leave(&mut self) {
        let actions = self.ownership.leave(self.now);
        self.perform(actions);
    }

    pub(super) fn farewell(&mut self) {
        self.is_done = false;
        self.grant = None;
        let actions = self.ownership.farewell();
        self.perform(actions);
    }

    pub(super) fn hear(&mut self, message: &ToHost) {
        if let Some(former) = self.revived_by(message) {
            self.ownership = former;
            self.publish();
        }
        self.remember();
        let actions = self.ownership.received(message, self.now);
        self.perform(actions);
    }

    /// Says that nothing is active behind the gates that this table shut, if that is so.
    pub(super) fn drained(&mut self, epoch: Epoch) {
        self.drains.remove(&epoch);
        let actions = self.ownership.drained(&type_name(), epoch);
        self.perform(actions);
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send(message) if self.ownership.is_connected => self.said.push(message),
                Action::Send(_) => {}
                Action::Grant(grant) => {
                    if self.grant.is_none_or(|held| held.incarnation != grant.incarnation)
                        && self.trap == Some(Trap::SameEpochAfterARejoin)
                    {
                        self.seq = 0;
                    }
                    self.grant = Some(grant);
                }
                Action::Lapse => {
                    self.grant = None;
                    self.drains.clear();
                    if self.trap == Some(Trap::TurnsOutliveTheLease) {
                        self.activations.retain(|_, activation| activation.turn.is_some());
                    } else {
                        self.activations.clear();
                    }
                }
                Action::Publish(_) => self.publish(),
                Action::Drain(_, epoch) => drop(self.drains.insert(epoch)),
                // Nobody here holds a resource.
                Action::Refused(..) => {}
                Action::Left => self.is_done = true,
            }
        }
    }

    fn publish(&mut self) {
        let (chain, released) = self.ownership.view(&type_name());
        self.view = View {
            chain: chain.cloned().map(Arc::new),
            me: self.ownership.incarnation(),
            released,
            ..View::default()
        };
    }

    pub(super) fn route(&self, hash: u64, nested: bool) -> Route {
        Trap::route(self.trap, &self.view, hash, nested)
    }

    /// The activation is no more.
    pub(super) fn end(&mut self, actor: Actor) {
        self.activations.remove(&actor);
    }

    /// The fence of an activation made now.
    pub(super) fn next_fence(&mut self, epoch: Epoch) -> (Who, Fence) {
        self.seq += 1;
        let me = self.incarnation().unwrap_or(Incarnation(0));
        let first = *self.first_epoch.get_or_insert(epoch);
        let fence = match self.trap {
            Some(Trap::NoSeqInTheFence) => Fence { epoch, seq: 0 },
            Some(Trap::SameEpochAfterARejoin) => Fence { epoch: first, seq: self.seq },
            _ => Fence { epoch, seq: self.seq },
        };
        ((me, self.seq), fence)
    }

    /// A number for the next life; none is used twice, and a later one is higher.
    fn fresh(&mut self) -> Incarnation {
        self.lives += 1;
        Incarnation(self.lives * 10 + self.name as u64)
    }

    /// For the trap: what it was, if its lease is about to end.
    fn remember(&mut self) {
        if self.trap == Some(Trap::LateGrantRevives) && self.is_late() {
            self.lapsed = Some(Box::new(self.ownership.clone()));
        }
    }

    /// For the trap: the incarnation that this grant is for, as if it had never lapsed.
    fn revived_by(&mut self, message: &ToHost) -> Option<Ownership> {
        let ToHost::Lease { incarnation, seq, .. } = message else { return None };
        let mut former = *self.lapsed.take_if(|held| held.incarnation() == Some(*incarnation))?;
        let Life::Live(live) = &mut former.life else { return None };
        live.from = *live.pending.get(seq)?;
        Some(former)
    }
}

impl Hash for Host {
    fn hash<H: Hasher>(&self, into: &mut H) {
        let Ownership { identity: _, rings: _, life, previous, is_connected, term, .. } =
            &self.ownership;
        match life {
            Life::Out => 0.hash(into),
            Life::Joining { incarnation, sent, replaces } => {
                (1, incarnation, sent, replaces).hash(into);
            }
            Life::Live(live) => {
                let leave = (live.is_leaving, live.behind_leave, live.is_leave_heard);
                (live.next_seq, &live.pending).hash(into);
                (2, live.incarnation, live.from, live.last_sent, leave).hash(into);
            }
            Life::Gone => 3.hash(into),
        }
        (previous, is_connected, term, self.lapsed.is_some()).hash(into);
        for known in self.ownership.known.values() {
            hash_chain(&known.chain, into);
            (known.released, &known.drained).hash(into);
        }
        (
            self.now,
            self.renewed,
            self.grant.map(|grant| grant.cut_at),
            self.view.me,
            self.view.released,
        )
            .hash(into);
        if let Some(chain) = &self.view.chain {
            hash_chain(chain, into);
        }
        (&self.drains, &self.activations, self.is_done, self.lives, self.seq, self.first_epoch)
            .hash(into);
    }
}

/// What distinguishes two chains: their tables and marks.
pub(super) fn hash_chain(chain: &Chain, into: &mut impl Hasher) {
    for table in chain.tables() {
        (table.epoch(), table.hash()).hash(into);
    }
    chain.marks().iter().collect::<Vec<(&Incarnation, &Mark)>>().hash(into);
}
