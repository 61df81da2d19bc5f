//! What placement publishes about itself: who owns what, and who is who.
//!
//! An immutable copy, made when something visible changed; queries read it without
//! asking the core. It decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use odeon_base::{ActorId, Epoch, Incarnation};
use odeon_ring::{Chain, Gate, Member, Policy, Table, TypeKey};

use crate::record::Profile;

/// Whether this process decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// It does not; somebody else may.
    #[default]
    Follower,
    /// It will, once it has heard the hosts of its predecessor.
    New,
    /// It does.
    Leading,
}

/// Where an incarnation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostPhase {
    /// Waits to be admitted.
    Joining,
    /// Has a lease, and stands in tables.
    Live,
    /// Has a lease while it drains.
    Leaving,
}

/// One incarnation as placement sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostView {
    /// Who it is and what it offers.
    pub profile: Arc<Profile>,
    /// Where it stands.
    pub phase: HostPhase,
    /// Whether a stream of its is up; without one it lives on until its lease ends.
    pub is_connected: bool,
}

/// One type's tables.
#[derive(Debug, Clone)]
pub struct TypeView {
    /// The tables and marks.
    pub chain: Arc<Chain>,
    /// Where its activations may live, by the first host that offers it.
    pub policy: Policy,
    /// When the newest table was made, on the lease clock.
    pub since: Duration,
}

impl TypeView {
    /// Who must release this table of the chain, or one before it, before it is committed.
    #[must_use]
    pub fn awaited(&self, epoch: Epoch) -> Vec<Arc<Member>> {
        let mut awaited: Vec<Arc<Member>> = Vec::new();
        for pair in self.chain.tables().windows(2) {
            let next = pair[1].epoch();
            let owes = |member: &&Arc<Member>| !self.chain.has_released(member.incarnation, next);
            for member in pair[0].members().iter().filter(owes) {
                if next <= epoch && !awaited.contains(member) {
                    awaited.push(Arc::clone(member));
                }
            }
        }
        awaited
    }
}

/// Who owns an actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The table that says so.
    pub epoch: Epoch,
    /// Who it is.
    pub member: Arc<Member>,
    /// When that table was made, on the lease clock.
    pub since: Duration,
    /// Whether it may serve the actor already: every earlier owner has let go.
    pub is_open: bool,
}

/// All that placement publishes.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Whether this process decides.
    pub role: Role,
    /// Where the leader is, if this process does not lead and knows that.
    pub leader: Option<String>,
    /// The leader's number.
    pub term: u64,
    /// Who is known.
    pub hosts: BTreeMap<Incarnation, HostView>,
    /// The types that have tables.
    pub types: BTreeMap<TypeKey, TypeView>,
}

impl Snapshot {
    /// Who owns the actor, by the newest table; `None` while nobody offers the type.
    #[must_use]
    pub fn owner(&self, key: &TypeKey, id: &ActorId) -> Option<Owner> {
        let view = self.types.get(key)?;
        let newest = view.chain.newest();
        let member = Arc::clone(newest.owner(id.hash())?);
        let gate = view.chain.gate(member.incarnation, id.hash());
        Some(Owner {
            epoch: newest.epoch(),
            member,
            since: view.since,
            is_open: matches!(gate, Gate::Open { .. }),
        })
    }

    /// Who must let go of an actor before its owner by the newest table may serve it.
    #[must_use]
    pub fn awaited(&self, key: &TypeKey, id: &ActorId) -> Vec<Arc<Member>> {
        let Some(view) = self.types.get(key) else { return Vec::new() };
        let owner = |table: &Table| table.owner(id.hash()).map(|member| member.incarnation);
        let newest = owner(view.chain.newest());
        let mut awaited: Vec<Arc<Member>> = Vec::new();
        for pair in view.chain.tables().windows(2) {
            let Some(before) = pair[0].owner(id.hash()) else { continue };
            let who = Some(before.incarnation);
            if newest != who
                && owner(&pair[1]) != who
                && !view.chain.has_released(before.incarnation, pair[1].epoch())
                && !awaited.contains(before)
            {
                awaited.push(Arc::clone(before));
            }
        }
        awaited
    }

    /// Types that are being handed over: more than one of their tables stands.
    #[must_use]
    pub fn moving(&self) -> usize {
        self.types.values().filter(|view| !view.chain.is_committed()).count()
    }
}
