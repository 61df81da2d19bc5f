//! The machine: follower, new or leading, and what each message does in each.
//!
//! It holds the parts together and decides; the parts keep books. Invariants: an
//! incarnation is durably in the roster before its first grant; every connected
//! host is sent every table of its namespace in order; who is gone stays gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use odeon_base::{Epoch, Incarnation, Namespace};
use odeon_ring::{Join, Mark, Resource, ToHost, ToPlacement, TypeKey, TypeOffer, TypeReport};

use super::event::{Action, Connection, Event};
use super::gathering::Gathering;
use super::hosts::{Host, Hosts, Phase, Refusal};
use super::lines::{self, Grown};
use super::marks::Waiting;
use super::tables::Tables;
use super::view::{Role, Snapshot};
use crate::config::Config;
use crate::record::{Profile, Record, Roster};

/// How long it is remembered that an incarnation is gone, so that a late `Join` cannot
/// bring it back. Far above any time a message can be under way.
const GONE_KEPT: Duration = Duration::from_secs(3600);

/// Which of the three states this process is in, with what only that state knows.
#[derive(Debug, Clone)]
enum State {
    Follower { leader: Option<String> },
    New(Gathering),
    Leading,
}

/// The placement of `design/ownership.md`.
#[derive(Debug, Clone)]
pub struct Core {
    config: Config,
    state: State,
    term: u64,
    hosts: Hosts,
    tables: Tables,
    /// Released, but not passed on yet.
    marks: Waiting,
    gone: BTreeMap<Incarnation, Duration>,
    /// The record that is being made durable.
    saving: Option<Record>,
    /// Whether the roster differs from the record saved last.
    is_dirty: bool,
    /// The term to take, because a higher one than ours was seen.
    raise: Option<u64>,
    is_changed: bool,
    actions: Vec<Action>,
}

impl Core {
    /// A follower that knows no leader.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            state: State::Follower { leader: None },
            term: 0,
            hosts: Hosts::default(),
            tables: Tables::default(),
            marks: Waiting::default(),
            gone: BTreeMap::new(),
            saving: None,
            is_dirty: false,
            raise: None,
            is_changed: true,
            actions: Vec::new(),
        }
    }

    /// Takes in one event; `now` is the lease clock's and never goes back.
    pub fn step(&mut self, event: Event, now: Duration) -> Vec<Action> {
        self.advance(now);
        match event {
            Event::Elected { term, roster } => self.elected(term, roster, now),
            Event::Deposed { leader } => self.deposed(leader),
            Event::Message { from, message } => self.message(from, message, now),
            Event::Lost(connection) => self.lost(connection),
            Event::Dead(incarnation) => self.dead(incarnation, now),
            Event::Tick => {}
            Event::Persisted => self.persisted(now),
        }
        self.settle(now);
        std::mem::take(&mut self.actions)
    }

    /// Whether something visible changed since this was asked last.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.is_changed)
    }

    /// Whether a record is on its way to the disk.
    #[must_use]
    pub fn is_saving(&self) -> bool {
        self.saving.is_some()
    }

    /// A copy of all that may be seen.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let (role, leader) = match &self.state {
            State::Follower { leader } => (Role::Follower, leader.clone()),
            State::New(_) => (Role::New, None),
            State::Leading => (Role::Leading, None),
        };
        let (hosts, policies) = (self.hosts.views(), self.hosts.policies());
        let types = self.tables.lines.views(&policies);
        Snapshot { role, leader, term: self.term, hosts, types }
    }

    /// What is over by now ends before anything else is decided.
    fn advance(&mut self, now: Duration) {
        if matches!(self.state, State::Follower { .. }) {
            return;
        }
        for incarnation in self.hosts.expired(now) {
            let connection = self.hosts.get(incarnation).and_then(|host| host.connection);
            if let Some(to) = connection {
                self.send(to, ToHost::Expired { incarnation });
            }
            self.end(incarnation, now);
        }
    }

    /// What follows from the state that an event left.
    fn settle(&mut self, now: Duration) {
        // New -> Leading | everybody of the roster was heard, or the silent cannot live any more.
        // A higher term that was heard is taken first, so that epochs only grow.
        if let State::New(gathering) = &self.state
            && (gathering.is_complete() || gathering.until <= now)
            && self.raise.is_none()
        {
            self.lead(now);
        }
        if matches!(self.state, State::Leading) {
            for namespace in self.tables.take_due(&self.config, now) {
                let mut told = self.take_marks(&namespace, now);
                let (hosts, config) = (&self.hosts, &self.config);
                told.extend(self.tables.change(&namespace, self.term, hosts, config, now));
                self.publish(&namespace, told);
            }
            for namespace in self.marks.due(now) {
                let told = self.take_marks(&namespace, now);
                self.publish(&namespace, told);
            }
        }
        self.save();
        self.wake(now);
    }

    fn wake(&mut self, now: Duration) {
        let gathering = match &self.state {
            State::Follower { .. } => return,
            // Past its end it waits for the ledger alone, which will speak up.
            State::New(gathering) => Some(gathering.until).filter(|until| *until > now),
            State::Leading => self.tables.next_due(&self.config),
        };
        let next = gathering
            .into_iter()
            .chain(self.marks.next_due())
            .chain(self.hosts.next_deadline())
            .min();
        self.actions.extend(next.map(Action::Wake));
    }

    /// Follower -> New | a term above all others was taken.
    fn elected(&mut self, term: u64, roster: Option<Roster>, now: Duration) {
        let until = now + self.config.grant_limit();
        let known = roster.as_ref().map_or(0, BTreeMap::len);
        let is_unknown = roster.is_none();
        let roster = if self.config.former_hosts_gone { Some(Roster::new()) } else { roster };
        *self = Self::new(self.config.clone());
        self.term = term;
        self.is_dirty = self.config.former_hosts_gone && (is_unknown || known > 0);
        self.state = State::New(Gathering::new(roster, until));
    }

    /// New, Leading -> Follower | the right to lead cannot be proved any more: whatever was
    /// under way is dropped, since tables and marks live on in the hosts.
    fn deposed(&mut self, leader: Option<String>) {
        *self = Self::new(self.config.clone());
        self.state = State::Follower { leader };
    }

    /// New -> Leading | the silent are gone, what was heard is joined, every type gets a table
    /// of the new term, and those who waited are taken in.
    fn lead(&mut self, now: Duration) {
        let State::New(gathering) = std::mem::replace(&mut self.state, State::Leading) else {
            return;
        };
        self.is_changed = true;
        self.is_dirty = true;
        for (incarnation, entry) in gathering.silent() {
            self.gone.insert(incarnation, now);
            self.hosts.count_from(entry.joined);
        }
        let (types, waiting) = gathering.finish();
        for (key, heard) in types {
            let (tables, marks) = heard.into_parts();
            self.tables.lines.adopt(
                key,
                tables,
                marks,
                |incarnation| self.hosts.has(incarnation),
                now,
            );
        }
        let ended = self.tables.lines.iter().flat_map(|(_, line)| line.chain.marks());
        self.gone.extend(ended.filter(|(_, m)| **m == Mark::Gone).map(|(i, _)| (*i, now)));
        // The former leader may have ended between a later life's admission and the record of it.
        self.hosts.supersede();
        for namespace in self.tables.namespaces(&self.hosts) {
            // Hosts get the chains whole, for no two of them need to hold the same piece.
            let _ = self.tables.renew(&namespace, self.term, &self.hosts, now);
            for to in self.hosts.listeners(&namespace) {
                self.send_chains(to, &namespace);
            }
        }
        for (from, join) in waiting {
            self.join(from, join, now);
        }
    }

    /// A term above ours is about: take a higher one, durably, before it is used.
    fn raise_above(&mut self, term: u64) {
        // The highest number there is cannot be passed; then the store's refusal stands.
        if let Some(higher) = term.checked_add(1) {
            self.raise = Some(self.raise.map_or(higher, |raise| raise.max(higher)));
        }
    }

    fn save(&mut self) {
        if self.saving.is_some() || !(self.is_dirty || self.raise.is_some()) {
            return;
        }
        let roster = match &self.state {
            State::Follower { .. } => return,
            // What is on disk says that nobody can tell, and so it must stay until somebody can.
            State::New(gathering) if !gathering.has_roster() => None,
            State::New(gathering) => {
                let mut roster = gathering.silent();
                roster.extend(self.hosts.roster());
                Some(roster)
            }
            State::Leading => Some(self.hosts.roster()),
        };
        let record = Record { term: self.raise.unwrap_or(self.term), roster };
        self.is_dirty = false;
        self.saving = Some(record.clone());
        self.actions.push(Action::Persist(record));
    }

    /// The record is on disk: its term may be used, and those in it may be granted a lease.
    fn persisted(&mut self, now: Duration) {
        let Some(Record { term, roster }) = self.saving.take() else { return };
        if term > self.term {
            self.term = term;
            self.tables.begin_term();
            self.is_changed = true;
            self.raise = self.raise.filter(|raise| *raise > term);
            if matches!(self.state, State::Leading) {
                for namespace in self.tables.namespaces(&self.hosts) {
                    let mut told = self.take_marks(&namespace, now);
                    told.extend(self.tables.renew(&namespace, term, &self.hosts, now));
                    self.publish(&namespace, told);
                }
            }
        }
        let admitted: Vec<Incarnation> = self
            .hosts
            .iter()
            .filter(|(_, host)| host.phase == Phase::Joining)
            .map(|(incarnation, _)| incarnation)
            // Without a roster the disk says that anybody may have a lease.
            .filter(|incarnation| roster.as_ref().is_none_or(|r| r.contains_key(incarnation)))
            .collect();
        for incarnation in admitted {
            self.admit(incarnation, now);
        }
    }

    fn message(&mut self, from: Connection, message: ToPlacement, now: Duration) {
        if let State::Follower { leader } = &self.state {
            let address = leader.clone();
            return self.send(from, ToHost::NotLeader { address });
        }
        match message {
            ToPlacement::Join(join) => self.join(from, join, now),
            ToPlacement::Report { incarnation, lapsed, types } => {
                if lapsed {
                    self.end(incarnation, now);
                } else {
                    self.report(from, incarnation, types, now);
                }
            }
            ToPlacement::Renew { incarnation, seq } => self.renew(from, incarnation, seq, now),
            ToPlacement::Released { incarnation, up_to } => {
                self.released(from, incarnation, up_to);
            }
            ToPlacement::Offer { incarnation, types, resources } => {
                self.offer(from, incarnation, (types, resources), now);
            }
            ToPlacement::Leave { incarnation } => self.leave(from, incarnation, now),
            ToPlacement::Farewell { incarnation } => {
                if self.hosts.speaker(incarnation, from).is_some() {
                    self.end(incarnation, now);
                }
            }
            ToPlacement::FenceAhead { term } => {
                // The own term too: a leader that lost its memory before may have had it.
                if term >= self.term && self.hosts.on(from).next().is_some() {
                    self.raise_above(term);
                }
            }
            ToPlacement::Move { incarnation, key, actor, to } => {
                self.relocate(from, incarnation, &key, (actor, to), now);
            }
            ToPlacement::Resync { key } => {
                let is_theirs = |host: &Host| host.profile.namespace == key.namespace;
                if self.hosts.on(from).any(is_theirs)
                    && let Some(whole) = self.tables.lines.whole(&key)
                {
                    self.send(from, whole);
                }
            }
        }
    }

    /// Unknown -> Joining | written to the roster first. Known: the same host on a new
    /// stream, which is told all again.
    fn join(&mut self, from: Connection, join: Join, now: Duration) {
        let incarnation = join.member.incarnation;
        if self.gone.contains_key(&incarnation) {
            return self.send(from, ToHost::Expired { incarnation });
        }
        if let Some(replaced) = join.replaces.filter(|replaced| *replaced != incarnation) {
            self.end(replaced, now);
        }
        let mut is_stranger = false;
        if let State::New(gathering) = &mut self.state {
            is_stranger = gathering.is_stranger(incarnation);
            if let Some(entry) = gathering.strike(incarnation) {
                // Admitted by the former leader, whose grant got lost: as if it had reported.
                self.hosts.resume(entry, now + self.config.grant_limit(), from);
            } else if !is_stranger && !self.hosts.has(incarnation) {
                return gathering.wait(from, join);
            }
        }
        self.is_changed = true;
        self.is_dirty = true;
        let profile = Profile::from(join);
        let Some(host) = self.hosts.get(incarnation) else {
            self.hosts.join(profile, from);
            self.claim(from, incarnation);
            if is_stranger {
                // It has a lease, and the disk says that anybody may: nothing to wait for.
                self.admit(incarnation, now);
            }
            return;
        };
        if host.profile.namespace != profile.namespace {
            return;
        }
        let (is_joining, namespace) = (host.phase == Phase::Joining, profile.namespace.clone());
        self.hosts.bind(incarnation, from);
        if let Some(host) = self.hosts.speaker(incarnation, from) {
            host.profile = Arc::new(profile);
        }
        self.claim(from, incarnation);
        if !is_joining {
            self.send_chains(from, &namespace);
            self.grant(from, incarnation, 0, now);
            self.tables.changed(&namespace, now);
        }
    }

    /// Joining -> Live | in the roster on disk: chains and marks, then the lease, and at the
    /// end of the window the tables with it.
    fn admit(&mut self, incarnation: Incarnation, now: Duration) {
        let Some(host) = self.hosts.get(incarnation) else { return };
        let namespace = host.profile.namespace.clone();
        let Some(to) = host.connection else { return };
        self.is_changed = true;
        self.send_chains(to, &namespace);
        self.grant(to, incarnation, 0, now);
        self.is_dirty |= self.hosts.supersede();
        self.tables.changed(&namespace, now);
    }

    /// A host is back on a new stream, or meets a new leader.
    fn report(
        &mut self,
        from: Connection,
        incarnation: Incarnation,
        types: Vec<TypeReport>,
        now: Duration,
    ) {
        let is_gone = self.gone.contains_key(&incarnation);
        let known = self.hosts.get(incarnation).map(|host| host.profile.namespace.clone());
        let tables = types.iter().flat_map(|report| &report.chain);
        let term_heard = tables.map(|table| table.epoch.term).max().unwrap_or_default();
        let State::New(gathering) = &mut self.state else {
            let (Some(namespace), false) = (known, is_gone) else {
                return self.refuse(from, incarnation, now);
            };
            self.is_changed = true;
            self.hosts.bind(incarnation, from);
            if term_heard > self.term {
                self.raise_above(term_heard);
            }
            self.take_own_marks(&namespace, incarnation, &types);
            return self.send_chains(from, &namespace);
        };
        let entry = gathering.strike(incarnation);
        let is_stranger = entry.is_none() && known.is_none();
        if is_gone || (is_stranger && gathering.has_roster()) {
            return self.refuse(from, incarnation, now);
        }
        if is_stranger {
            gathering.add_stranger(incarnation);
        }
        let mut ended = BTreeSet::new();
        for report in types {
            let marks = report.marks.iter().filter(|(_, mark)| **mark == Mark::Gone);
            ended.extend(marks.map(|(incarnation, _)| *incarnation));
            gathering.hear(report);
        }
        match entry {
            Some(entry) => {
                self.hosts.resume(entry, now + self.config.grant_limit(), from);
                self.claim(from, incarnation);
            }
            None => self.hosts.bind(incarnation, from),
        }
        self.is_changed = true;
        // No table of ours exists yet, so one of our term is another's whose memory was lost.
        if term_heard >= self.term {
            self.raise_above(term_heard);
        }
        for incarnation in ended {
            self.end(incarnation, now);
        }
    }

    /// A release that was lost with the old stream is in the report.
    fn take_own_marks(
        &mut self,
        namespace: &Namespace,
        incarnation: Incarnation,
        types: &[TypeReport],
    ) {
        for report in types.iter().filter(|report| report.key.namespace == *namespace) {
            if let Some(mark @ Mark::Released(_)) = report.marks.get(&incarnation) {
                self.take_mark(report.key.clone(), incarnation, *mark);
            }
        }
    }

    /// Live, Leaving -> the same | the deadline moves. One who is gone is told so.
    fn renew(&mut self, from: Connection, incarnation: Incarnation, seq: u64, now: Duration) {
        if self.hosts.speaker(incarnation, from).is_some_and(|host| host.phase != Phase::Joining) {
            return self.grant(from, incarnation, seq, now);
        }
        // On a stream that does not speak for it yet: its report is still to come.
        let is_expected = match &self.state {
            State::New(gathering) => !gathering.has_roster() || gathering.is_awaited(incarnation),
            State::Follower { .. } | State::Leading => false,
        };
        if self.gone.contains_key(&incarnation) || !(is_expected || self.hosts.has(incarnation)) {
            self.refuse(from, incarnation, now);
        }
    }

    fn grant(&mut self, to: Connection, incarnation: Incarnation, seq: u64, now: Duration) {
        // Hosts ignore a term below the highest that granted them a lease.
        let is_unusable = matches!(self.state, State::New(_)) && self.raise.is_some();
        // Who has not released in time is renewed no more, and so it ends, and the wait with it.
        let is_overdue =
            self.tables.lines.is_overdue(incarnation, now, self.config.release_limit());
        if is_unusable || is_overdue {
            return;
        }
        let Some(host) = self.hosts.speaker(incarnation, to) else { return };
        host.extend(now + self.config.grant_limit());
        let Config { lease, drain_limit, .. } = self.config;
        let message =
            ToHost::Lease { term: self.term, incarnation, seq, duration: lease, drain_limit };
        self.send(to, message);
    }

    fn released(
        &mut self,
        from: Connection,
        incarnation: Incarnation,
        up_to: BTreeMap<TypeKey, Epoch>,
    ) {
        let Some(host) = self.hosts.speaker(incarnation, from) else { return };
        let namespace = host.profile.namespace.clone();
        for (key, epoch) in up_to.into_iter().filter(|(key, _)| key.namespace == namespace) {
            if let State::New(gathering) = &mut self.state {
                gathering.release(key, incarnation, epoch);
            } else {
                self.take_mark(key, incarnation, Mark::Released(epoch));
            }
        }
    }

    fn take_mark(&mut self, key: TypeKey, incarnation: Incarnation, mark: Mark) {
        if self.tables.lines.is_news(&key, incarnation, mark) {
            self.marks.add(key, incarnation, mark);
        }
    }

    /// Marks go to everybody, soon: what one host released opens while others drain.
    fn take_marks(&mut self, namespace: &Namespace, now: Duration) -> Vec<ToHost> {
        let mut told = Vec::new();
        for (key, marks) in self.marks.take(namespace, now, self.config.marks_window) {
            let Some(Grown { message, is_shorter }) = self.tables.lines.release(&key, marks) else {
                continue;
            };
            told.push(message);
            let is_waiting = self.tables.lines.get(&key).is_some_and(|line| line.is_waiting);
            if is_shorter && is_waiting {
                self.tables.changed(namespace, now);
            }
        }
        told
    }

    fn offer(
        &mut self,
        from: Connection,
        incarnation: Incarnation,
        (types, resources): (Vec<TypeOffer>, Vec<Resource>),
        now: Duration,
    ) {
        let Some(host) = self.hosts.speaker(incarnation, from) else { return };
        let profile = Arc::make_mut(&mut host.profile);
        profile.types = types;
        profile.resources = resources;
        let namespace = host.profile.namespace.clone();
        self.claim(from, incarnation);
        self.is_dirty = true;
        self.is_changed = true;
        self.tables.changed(&namespace, now);
    }

    /// Takes in what a host says it holds, and tells it what it must not use.
    fn claim(&mut self, to: Connection, incarnation: Incarnation) {
        for Refusal { resource, reason } in self.hosts.claim(incarnation) {
            self.send(to, ToHost::Refused { incarnation, resource, reason });
        }
    }

    /// Live, Leaving -> the same | an actor is pinned to a host that stays, or its pin ends.
    fn relocate(
        &mut self,
        from: Connection,
        incarnation: Incarnation,
        key: &TypeKey,
        (actor, to): (u64, Option<Incarnation>),
        now: Duration,
    ) {
        let asks = self.hosts.speaker(incarnation, from);
        let is_theirs = asks.is_some_and(|host| host.profile.namespace == key.namespace);
        // A resource is where its lock is; a new leader has no tables yet.
        let may = is_theirs
            && !key.actor_type.is_resource()
            && matches!(self.state, State::Leading)
            && to.is_none_or(|to| self.hosts.stays(to));
        if may && self.tables.pin(key, actor, to) {
            self.tables.changed(&key.namespace, now);
        }
    }

    /// Live -> Leaving | tables without it; it is renewed while it drains.
    fn leave(&mut self, from: Connection, incarnation: Incarnation, now: Duration) {
        let Some(host) = self.hosts.speaker(incarnation, from) else { return };
        let namespace = host.profile.namespace.clone();
        match host.phase {
            Phase::Joining => {
                self.hosts.remove(incarnation);
            }
            Phase::Live { deadline } => host.phase = Phase::Leaving { deadline },
            Phase::Leaving { .. } => return,
        }
        self.is_dirty = true;
        self.is_changed = true;
        self.tables.changed(&namespace, now);
    }

    fn lost(&mut self, connection: Connection) {
        if let State::New(gathering) = &mut self.state {
            gathering.forget(|waiting, _| waiting == connection);
        }
        let has_lease = |host: &&Host| host.phase != Phase::Joining;
        let doubted = self.hosts.on(connection).filter(has_lease).map(|host| {
            let member = &host.profile.member;
            Action::Doubt { incarnation: member.incarnation, address: Arc::clone(&member.address) }
        });
        self.actions.extend(doubted);
        self.is_dirty |= !self.hosts.disconnect(connection).is_empty();
        self.is_changed = true;
    }

    /// Live, Leaving -> gone | its process has ended, so nothing of it runs any more.
    fn dead(&mut self, incarnation: Incarnation, now: Duration) {
        let is_silent = |host: &Host| host.connection.is_none();
        // A stream that came up meanwhile contradicts the proof; then the lease decides.
        if self.hosts.get(incarnation).is_some_and(is_silent) {
            self.end(incarnation, now);
        }
    }

    /// Any -> gone | for ever: everybody learns it, and tables without it follow.
    fn end(&mut self, incarnation: Incarnation, now: Duration) {
        self.gone.retain(|_, at| now < *at + GONE_KEPT);
        self.gone.insert(incarnation, now);
        if let State::New(gathering) = &mut self.state {
            self.is_dirty |= gathering.strike(incarnation).is_some();
            gathering.forget(|_, waiting| waiting == incarnation);
        }
        let Some(host) = self.hosts.remove(incarnation) else { return };
        self.is_dirty = true;
        self.is_changed = true;
        for key in self.tables.lines.of(incarnation) {
            self.marks.add(key, incarnation, Mark::Gone);
        }
        if self.tables.lines.names(incarnation) {
            self.tables.expired(&host.profile.namespace, now);
        }
    }

    /// Unknown -> gone | told that it has no lease, and that is final: a `Join` of the same
    /// incarnation behind this message would make an owner who serves nothing.
    fn refuse(&mut self, to: Connection, incarnation: Incarnation, now: Duration) {
        self.end(incarnation, now);
        self.send(to, ToHost::Expired { incarnation });
    }

    fn send(&mut self, to: Connection, message: ToHost) {
        self.actions.push(Action::Send { to, message });
    }

    fn send_chains(&mut self, to: Connection, namespace: &Namespace) {
        let wholes = self.tables.lines.wholes(namespace).iter().cloned();
        self.actions.extend(wholes.map(|news| Action::Send { to, message: ToHost::News(news) }));
    }

    /// Sends tables and marks to every host of the namespace.
    fn publish(&mut self, namespace: &Namespace, messages: Vec<ToHost>) {
        self.is_changed |= !messages.is_empty();
        let news = lines::news(namespace, messages);
        for to in self.hosts.listeners(namespace) {
            for news in &news {
                self.send(to, ToHost::News(Arc::clone(news)));
            }
        }
    }
}
