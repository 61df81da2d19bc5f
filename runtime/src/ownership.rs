//! This host's side of `design/ownership.md`: its life under leases, and what it
//! has heard of tables and marks. Pure.
//!
//! Each event returns actions; there is no clock, no channel and no lock in here.
//! Times are the lease clock's. The shell is `membership.rs`; what a shut gate
//! means to activations is `drain.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[cfg(feature = "defects")]
use odeon_base::defect::Defect;
use odeon_base::{ActorType, AppId, Epoch, Incarnation, Namespace};
use odeon_ring::change::{Join, TypeReport, Update};
use odeon_ring::{
    Chain, Mark, Member, Policy, Resource, Rings, ToHost, ToPlacement, TypeKey, TypeOffer,
};

use crate::lease::Grant;

/// Part of the lease after which no turn starts.
const STOP: f64 = 0.8;
/// Part of the lease after which turns are cut.
const CUT: f64 = 0.9;
/// Renewals in one lease.
const RENEWALS: u32 = 5;

/// What the shell has to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    /// Send to placement.
    Send(ToPlacement),
    /// The lease runs, or runs on.
    Grant(Grant),
    /// The lease is over: cut turns, drop activations, tell nobody.
    Lapse,
    /// The view of this type changed.
    Publish(ActorType),
    /// A table shut gates: drain what lives behind them, then report [`Ownership::drained`].
    Drain(ActorType, Epoch),
    /// Everything is released after [`Ownership::leave`].
    Left,
    /// A resource that this host holds must not be used, for this reason.
    Refused(ActorType, String),
}

/// Where this host's life stands; data lives in the state it belongs to.
#[derive(Debug, Clone)]
enum Life {
    /// No lease, none asked for.
    Out,
    /// Asked for one, on this stream at that time.
    Joining { incarnation: Incarnation, sent: Duration, replaces: Option<Incarnation> },
    /// Holds one.
    Live(Live),
    /// Has left for good; nothing follows.
    Gone,
}

#[derive(Debug, Clone)]
struct Live {
    incarnation: Incarnation,
    /// When the renewal was sent that was granted last.
    from: Duration,
    lease: Duration,
    next_seq: u64,
    last_sent: Duration,
    /// Renewals that have no answer yet.
    pending: BTreeMap<u64, Duration>,
    is_leaving: bool,
    /// The renewal said behind the latest `Leave`. Streams keep order, so its answer proves
    /// that no table which holds this host is under way any more.
    behind_leave: Option<u64>,
    is_leave_heard: bool,
}

impl Live {
    fn has_lapsed(&self, now: Duration) -> bool {
        now.saturating_sub(self.from) >= self.lease.mul_f64(CUT)
    }
}

/// What is known of one type.
#[derive(Debug, Clone)]
struct Known {
    chain: Chain,
    /// Newest table that this incarnation has released.
    released: Option<Epoch>,
    /// Tables whose drain is over, not yet covered by `released`.
    drained: BTreeSet<Epoch>,
}

/// Who this host is.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) host: odeon_base::HostName,
    pub(crate) address: std::sync::Arc<str>,
    pub(crate) app: AppId,
    pub(crate) namespace: Namespace,
}

/// The host's side of ownership.
#[derive(Debug, Clone)]
pub(crate) struct Ownership {
    identity: Identity,
    rings: Rings,
    life: Life,
    /// The incarnation that lapsed last: the next one replaces it.
    previous: Option<Incarnation>,
    is_connected: bool,
    /// The highest term that granted a lease here.
    term: u64,
    offers: BTreeMap<ActorType, TypeOffer>,
    resources: Vec<Resource>,
    known: BTreeMap<ActorType, Known>,
}

impl Ownership {
    pub(crate) fn new(identity: Identity) -> Self {
        Self {
            identity,
            rings: Rings::default(),
            life: Life::Out,
            previous: None,
            is_connected: false,
            term: 0,
            offers: BTreeMap::new(),
            resources: Vec::new(),
            known: BTreeMap::new(),
        }
    }

    /// The incarnation that holds the lease, if any does.
    pub(crate) fn incarnation(&self) -> Option<Incarnation> {
        match &self.life {
            Life::Live(live) => Some(live.incarnation),
            Life::Out | Life::Joining { .. } | Life::Gone => None,
        }
    }

    /// Whether placement takes it for the holder of a resource.
    fn is_holder(&self, incarnation: Incarnation) -> bool {
        let mut resources = self.known.iter().filter(|(name, _)| name.is_resource());
        resources.any(|(_, known)| known.chain.newest().has(incarnation))
    }

    /// The incarnation that has a lease, or has asked for one.
    fn speaker(&self) -> Option<Incarnation> {
        match &self.life {
            Life::Live(Live { incarnation, .. }) | Life::Joining { incarnation, .. } => {
                Some(*incarnation)
            }
            Life::Out | Life::Gone => None,
        }
    }

    /// The tables of a type and the newest one released here.
    pub(crate) fn view(&self, actor_type: &ActorType) -> (Option<&Chain>, Option<Epoch>) {
        match self.known.get(actor_type) {
            Some(known) => (Some(&known.chain), known.released),
            None => (None, None),
        }
    }

    /// A stream to placement is open; `fresh` is a new random number.
    pub(crate) fn connected(&mut self, now: Duration, fresh: Incarnation) -> Vec<Action> {
        self.is_connected = true;
        match &self.life {
            // Out -> Joining.
            Life::Out => vec![self.join(now, fresh, self.previous)],
            // Joining -> Joining: a table names it already, and the grant got lost. Whoever
            // answers now may be a new leader, who hears of no tables from a Join: its grant
            // would open gates by tables that nobody else has to wait for. So as somebody else.
            Life::Joining { incarnation, .. } if self.is_named(*incarnation) => {
                let replaced = *incarnation;
                vec![self.join(now, fresh, Some(replaced))]
            }
            // Joining -> Joining: the Join before may or may not have arrived, so it is the
            // same once more; another incarnation would leave this one behind in the
            // tables. What is granted on this stream answers this Join.
            Life::Joining { incarnation, replaces, .. } => {
                let (incarnation, replaces) = (*incarnation, *replaces);
                vec![self.join(now, incarnation, replaces)]
            }
            Life::Live(live) if live.has_lapsed(now) => self.tick(now, fresh),
            Life::Live(live) => {
                let incarnation = live.incarnation;
                let is_leaving = live.is_leaving;
                let mut actions = vec![Action::Send(ToPlacement::Report {
                    incarnation,
                    lapsed: false,
                    types: self.reports(),
                })];
                // What was said while nobody listened is said again.
                if is_leaving {
                    if self.is_holder(incarnation) {
                        actions.push(self.offering(incarnation));
                    }
                    actions.extend(self.say_leave(now));
                } else {
                    actions.extend(self.renew(now));
                    actions.push(self.offering(incarnation));
                }
                actions
            }
            Life::Gone => Vec::new(),
        }
    }

    /// The stream broke: a hint, nothing more. The lease runs on.
    pub(crate) fn disconnected(&mut self) {
        self.is_connected = false;
        if let Life::Live(live) = &mut self.life {
            live.pending.clear();
        }
    }

    /// Word from placement.
    pub(crate) fn received(&mut self, message: &ToHost, now: Duration) -> Vec<Action> {
        match message {
            ToHost::Lease { term, incarnation, seq, duration, drain_limit } => {
                self.leased(*term, *incarnation, *seq, *duration, *drain_limit, now)
            }
            ToHost::Prepare { key, .. } | ToHost::Commit { key, .. }
                if key.namespace != self.identity.namespace =>
            {
                Vec::new()
            }
            // A term below the one that granted the lease: an old leader's late word.
            ToHost::Prepare { epoch, .. } if epoch.term < self.term => Vec::new(),
            ToHost::Prepare { key, epoch, update, hash } => {
                self.prepared(key, *epoch, update, *hash)
            }
            // Marks are facts, whoever passes them on.
            ToHost::Commit { key, marks, base } => {
                let Some(known) = self.known.get_mut(&key.actor_type) else { return Vec::new() };
                known.chain.commit(marks, *base);
                vec![Action::Publish(key.actor_type.clone())]
            }
            ToHost::News(news) => {
                let each = news.messages().iter();
                each.flat_map(|message| self.received(message, now)).collect()
            }
            ToHost::Expired { incarnation } if self.incarnation() == Some(*incarnation) => {
                self.lapse()
            }
            // Joining -> out: it was ended before it heard that it had begun.
            ToHost::Expired { incarnation: expired } if matches!(self.life, Life::Joining { incarnation, .. } if incarnation == *expired) =>
            {
                self.life = Life::Out;
                Vec::new()
            }
            ToHost::Refused { incarnation, resource, reason }
                if self.speaker() == Some(*incarnation) =>
            {
                vec![Action::Refused(resource.clone(), reason.clone())]
            }
            ToHost::Expired { .. } | ToHost::Refused { .. } | ToHost::NotLeader { .. } => {
                Vec::new()
            }
        }
    }

    /// Time passed; `fresh` is a new random number, for when a new life begins.
    pub(crate) fn tick(&mut self, now: Duration, fresh: Incarnation) -> Vec<Action> {
        let Life::Live(live) = &self.life else {
            return match &self.life {
                // Joining -> Joining: ask again once a lease's length has passed without an
                // answer, as somebody else: a late grant would be counted from too late.
                Life::Joining { incarnation, sent, .. }
                    if self.is_connected && now.saturating_sub(*sent) >= Duration::from_secs(5) =>
                {
                    let replaced = *incarnation;
                    vec![self.join(now, fresh, Some(replaced))]
                }
                Life::Out if self.is_connected => vec![self.join(now, fresh, self.previous)],
                Life::Out | Life::Joining { .. } | Life::Live(_) | Life::Gone => Vec::new(),
            };
        };
        // Live, stopped -> out: at 0.9 L.
        if live.has_lapsed(now) {
            let mut actions = self.lapse();
            if self.is_connected && matches!(self.life, Life::Out) {
                actions.push(self.join(now, fresh, self.previous));
            }
            return actions;
        }
        if now.saturating_sub(live.last_sent) >= live.lease / RENEWALS {
            return self.renew(now);
        }
        Vec::new()
    }

    /// When [`Ownership::tick`] is due next.
    pub(crate) fn next_tick(&self, now: Duration) -> Duration {
        match &self.life {
            Life::Live(live) => {
                let cut = live.from + live.lease.mul_f64(CUT);
                let renewal = live.last_sent + live.lease / RENEWALS;
                cut.min(renewal).saturating_sub(now)
            }
            // Out, connected -> joining: at once.
            Life::Out if self.is_connected => Duration::ZERO,
            Life::Out | Life::Joining { .. } | Life::Gone => Duration::from_secs(1),
        }
    }

    /// The types offered from now on, and the resources held.
    pub(crate) fn offer(
        &mut self,
        offers: BTreeMap<ActorType, TypeOffer>,
        resources: Vec<Resource>,
    ) -> Vec<Action> {
        let are_same = self.resources == resources;
        self.offers = offers;
        self.resources = resources;
        match &self.life {
            // One that leaves offers no more types, but what it holds it gives up last.
            Life::Live(live) if !live.is_leaving || !are_same => {
                vec![self.offering(live.incarnation)]
            }
            Life::Out | Life::Joining { .. } | Life::Live(_) | Life::Gone => Vec::new(),
        }
    }

    fn offering(&self, incarnation: Incarnation) -> Action {
        let (types, resources) = (self.placed_offers(), self.resources.clone());
        Action::Send(ToPlacement::Offer { incarnation, types, resources })
    }

    /// Nothing is active any more behind gates that this table shut.
    pub(crate) fn drained(&mut self, actor_type: &ActorType, epoch: Epoch) -> Vec<Action> {
        let Some(me) = self.incarnation() else { return Vec::new() };
        let key = self.key(actor_type);
        let Some(known) = self.known.get_mut(actor_type) else { return Vec::new() };
        known.drained.insert(epoch);
        let tables = known.chain.tables();
        let earlier = known.released;
        let covered = tables
            .iter()
            .map(|table| table.epoch())
            .filter(|epoch| earlier.is_none_or(|released| *epoch > released))
            .take_while(|epoch| known.drained.contains(epoch))
            .last();
        let Some(covered) = covered else { return Vec::new() };
        known.released = Some(covered);
        known.drained.retain(|epoch| *epoch > covered);
        let up_to = BTreeMap::from([(key, covered)]);
        let released = ToPlacement::Released { incarnation: me, up_to };
        let mut actions = vec![Action::Publish(actor_type.clone()), Action::Send(released)];
        if self.has_left() {
            actions.push(Action::Left);
        }
        actions
    }

    /// An actor is to be owned by a certain incarnation, or by the ring's again.
    pub(crate) fn relocate(
        &self,
        actor_type: &ActorType,
        actor: u64,
        to: Option<Incarnation>,
    ) -> Vec<Action> {
        let (key, incarnation) = (self.key(actor_type), self.incarnation());
        let said = incarnation.map(|incarnation| ToPlacement::Move { incarnation, key, actor, to });
        said.map(Action::Send).into_iter().collect()
    }

    /// A store's record shows a higher term than the leader's.
    pub(crate) fn fence_ahead(&self, term: u64) -> Vec<Action> {
        vec![Action::Send(ToPlacement::FenceAhead { term })]
    }

    /// Wants to go: tables without this host, please.
    pub(crate) fn leave(&mut self, now: Duration) -> Vec<Action> {
        match &mut self.life {
            Life::Live(live) => {
                live.is_leaving = true;
                let mut actions = self.say_leave(now);
                if self.has_left() {
                    actions.push(Action::Left);
                }
                actions
            }
            // Out, joining -> gone: a lease that is granted now would find nobody.
            Life::Out | Life::Joining { .. } => {
                let mut actions = self.farewell();
                actions.push(Action::Left);
                actions
            }
            Life::Gone => vec![Action::Left],
        }
    }

    /// Any -> gone: it runs nothing and never will.
    pub(crate) fn farewell(&mut self) -> Vec<Action> {
        let actions = match &self.life {
            Life::Live(Live { incarnation, .. }) | Life::Joining { incarnation, .. } => {
                vec![Action::Send(ToPlacement::Farewell { incarnation: *incarnation })]
            }
            Life::Out | Life::Gone => Vec::new(),
        };
        self.life = Life::Gone;
        actions
    }

    /// `Leave`, and behind it a renewal that shows when it was heard.
    fn say_leave(&mut self, now: Duration) -> Vec<Action> {
        let Life::Live(live) = &self.life else { return Vec::new() };
        let mut actions = vec![Action::Send(ToPlacement::Leave { incarnation: live.incarnation })];
        actions.extend(self.renew(now));
        if let Life::Live(live) = &mut self.life
            && actions.len() > 1
        {
            live.behind_leave = Some(live.next_seq);
        }
        actions
    }

    /// Whether no table holds this host any more, or will, and all of them are released.
    fn has_left(&self) -> bool {
        let Life::Live(live) = &self.life else { return true };
        let me = live.incarnation;
        live.is_leave_heard
            // What it holds it gives up after it has left.
            && self.known.iter().filter(|(name, _)| !name.is_resource()).all(|(_, known)| {
                let newest = known.chain.newest();
                let held = known.chain.tables().iter().any(|table| table.has(me));
                !newest.has(me)
                    && (!held || known.released.is_some_and(|released| released >= newest.epoch()))
            })
    }

    fn join(
        &mut self,
        now: Duration,
        incarnation: Incarnation,
        replaces: Option<Incarnation>,
    ) -> Action {
        self.life = Life::Joining { incarnation, sent: now, replaces };
        let identity = &self.identity;
        Action::Send(ToPlacement::Join(Join {
            member: Member {
                incarnation,
                host: identity.host.clone(),
                address: std::sync::Arc::clone(&identity.address),
            },
            app: identity.app.clone(),
            namespace: identity.namespace.clone(),
            types: self.placed_offers(),
            resources: self.resources.clone(),
            replaces,
        }))
    }

    /// Whether some table that is known here has this incarnation in it.
    fn is_named(&self, incarnation: Incarnation) -> bool {
        let mut chains = self.known.values().map(|known| &known.chain);
        chains.any(|chain| chain.tables().iter().any(|table| table.has(incarnation)))
    }

    fn placed_offers(&self) -> Vec<TypeOffer> {
        // A local type has no owner, so placement need not hear of it; what is held is no type.
        self.offers.values().filter(|offer| offer.policy == Policy::Ring).cloned().collect()
    }

    fn renew(&mut self, now: Duration) -> Vec<Action> {
        let Life::Live(live) = &mut self.life else { return Vec::new() };
        live.last_sent = now;
        if !self.is_connected {
            return Vec::new();
        }
        live.next_seq += 1;
        live.pending.insert(live.next_seq, now);
        vec![Action::Send(ToPlacement::Renew { incarnation: live.incarnation, seq: live.next_seq })]
    }

    fn leased(
        &mut self,
        term: u64,
        incarnation: Incarnation,
        seq: u64,
        lease: Duration,
        drain_limit: Duration,
        now: Duration,
    ) -> Vec<Action> {
        if term < self.term {
            // A leader below one that was: it lost its memory, and would never learn of that
            // from hosts that only ignore it.
            return self.fence_ahead(self.term);
        }
        let mut actions = Vec::new();
        #[cfg(feature = "defects")]
        actions.extend(self.revive(incarnation, lease, seq, now));
        let from = match &mut self.life {
            // Joining -> Live: counted from when the Join was sent.
            Life::Joining { incarnation: mine, sent, .. } if *mine == incarnation => {
                let from = *sent;
                self.life = Life::Live(Live {
                    incarnation,
                    from,
                    lease,
                    next_seq: seq,
                    last_sent: from,
                    pending: BTreeMap::new(),
                    is_leaving: false,
                    behind_leave: None,
                    is_leave_heard: false,
                });
                self.begin_life(&mut actions);
                from
            }
            // Live, stopped -> Live: counted from that renewal's sending, never backwards.
            Life::Live(live) if live.incarnation == incarnation => {
                if live.has_lapsed(now) {
                    // A late grant revives nothing: its turns have lost their right already.
                    return self.lapse();
                }
                let Some(sent) = live.pending.remove(&seq) else { return Vec::new() };
                #[cfg(feature = "defects")]
                let sent = if Defect::LeaseFromTheAnswer.is_planted() { now } else { sent };
                live.pending.retain(|earlier, _| *earlier > seq);
                live.lease = lease;
                live.from = live.from.max(sent);
                live.is_leave_heard |= live.behind_leave.is_some_and(|asked| seq >= asked);
                live.from
            }
            // A late grant revives nothing.
            Life::Out | Life::Joining { .. } | Life::Live(_) | Life::Gone => return Vec::new(),
        };
        self.term = term;
        if matches!(&self.life, Life::Live(live) if live.has_lapsed(now)) {
            let mut late = self.lapse();
            late.splice(0..0, actions);
            return late;
        }
        let grant = Grant {
            incarnation,
            term,
            stop_at: from + lease.mul_f64(STOP),
            cut_at: from + lease.mul_f64(CUT),
            drain_limit,
        };
        actions.insert(0, Action::Grant(grant));
        if self.has_left() {
            actions.push(Action::Left);
        }
        actions
    }

    /// The late grant of a life that is over makes it live again.
    #[cfg(feature = "defects")]
    fn revive(
        &mut self,
        incarnation: Incarnation,
        lease: Duration,
        seq: u64,
        now: Duration,
    ) -> Vec<Action> {
        let is_over = matches!(self.life, Life::Out | Life::Joining { .. });
        if !is_over || self.previous != Some(incarnation) || !Defect::LateGrantRevives.is_planted()
        {
            return Vec::new();
        }
        self.life = Life::Live(Live {
            incarnation,
            from: now,
            lease,
            next_seq: seq,
            last_sent: now,
            pending: BTreeMap::from([(seq, now)]),
            is_leaving: false,
            behind_leave: None,
            is_leave_heard: false,
        });
        self.known.keys().cloned().map(Action::Publish).collect()
    }

    /// A new life knows the tables already and has released nothing.
    fn begin_life(&mut self, actions: &mut Vec<Action>) {
        self.previous = None;
        for (actor_type, known) in &mut self.known {
            known.released = None;
            known.drained.clear();
            actions.push(Action::Publish(actor_type.clone()));
            for table in known.chain.tables() {
                actions.push(Action::Drain(actor_type.clone(), table.epoch()));
            }
        }
        if let Life::Live(live) = &self.life {
            let incarnation = live.incarnation;
            // Offers may have changed while the Join was on its way.
            actions.push(self.offering(incarnation));
        }
    }

    /// Live -> out | gone. One that was leaving has nothing left to release.
    fn lapse(&mut self) -> Vec<Action> {
        let was_leaving = matches!(&self.life, Life::Live(live) if live.is_leaving);
        self.previous = self.incarnation().or(self.previous);
        self.life = if was_leaving { Life::Gone } else { Life::Out };
        let mut actions = vec![Action::Lapse];
        actions.extend(self.known.keys().cloned().map(Action::Publish));
        actions.extend(was_leaving.then_some(Action::Left));
        actions
    }

    fn prepared(&mut self, key: &TypeKey, epoch: Epoch, update: &Update, hash: u64) -> Vec<Action> {
        let actor_type = key.actor_type.clone();
        let mut known = self.known.remove(&actor_type).unwrap_or_else(|| Known {
            chain: Chain::new(&self.rings),
            released: None,
            drained: BTreeSet::new(),
        });
        let had: BTreeSet<Epoch> = known.chain.tables().iter().map(|table| table.epoch()).collect();
        let mut actions = vec![Action::Publish(actor_type.clone())];
        if known.chain.prepare(epoch, update, hash).is_err() {
            actions = vec![Action::Send(ToPlacement::Resync { key: key.clone() })];
        } else if self.incarnation().is_some() {
            let fresh = known.chain.tables().iter().filter(|table| !had.contains(&table.epoch()));
            actions.extend(fresh.map(|table| Action::Drain(actor_type.clone(), table.epoch())));
        }
        // What was never prepared is not known, and not reported either.
        if known.chain.newest().epoch() > Epoch::default() {
            self.known.insert(actor_type, known);
        }
        actions
    }

    fn reports(&self) -> Vec<TypeReport> {
        let report = |(actor_type, known): (&ActorType, &Known)| {
            let mut marks = known.chain.marks().clone();
            if let (Some(me), Some(released)) = (self.incarnation(), known.released) {
                marks.insert(me, Mark::Released(released));
            }
            TypeReport {
                key: self.key(actor_type),
                chain: known.chain.tables().iter().map(|table| table.to_data()).collect(),
                marks,
            }
        };
        self.known.iter().map(report).collect()
    }

    fn key(&self, actor_type: &ActorType) -> TypeKey {
        TypeKey { namespace: self.identity.namespace.clone(), actor_type: actor_type.clone() }
    }
}

#[cfg(test)]
#[path = "ownership_tests.rs"]
mod tests;

#[cfg(test)]
mod hand_off;
