//! All that is there at one moment, and every next moment there may be.
//!
//! The adversary chooses among its own acts and the protocol's; each is one atomic step.
//! Nothing goes in a circle, so a life in which the adversary rests ends in a *quiet*
//! state: no act of the protocol is left. What must hold is in `promises`.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use odeon_base::{Epoch, Incarnation};
use odeon_ring::{Chain, ToHost, ToPlacement, Update};

use super::host::{Activation, Actor, Host, Step, Turn};
use super::leader::{Leader, Said, fingerprint};
use super::scene::{Budget, Scene};
use super::store::{Ask, NOT_REFUSED, Outcome, Request, Row};
use super::trap::Trap;
use crate::view::Route;

pub(super) const HOSTS: usize = 3;

/// The number of no turn.
const NOBODY: u8 = u8::MAX;

/// A piece of the state that most steps leave as it is, with its hash.
#[derive(Debug)]
pub(super) struct Piece<T> {
    value: Arc<T>,
    hash: u64,
}

impl<T> Clone for Piece<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), hash: self.hash }
    }
}

impl<T: Hash + Clone> Piece<T> {
    fn new(value: T) -> Self {
        let mut made = Self { value: Arc::new(value), hash: 0 };
        made.change(|_| ());
        made
    }

    fn change<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(Arc::make_mut(&mut self.value));
        let mut hasher = DefaultHasher::new();
        self.value.hash(&mut hasher);
        self.hash = hasher.finish();
        result
    }
}

impl<T> Hash for Piece<T> {
    fn hash<H: Hasher>(&self, into: &mut H) {
        self.hash.hash(into);
    }
}

/// What is under way on one direction of a stream, with its fingerprints.
type Line<M> = VecDeque<Arc<(u64, M)>>;

/// A place for a host.
#[derive(Debug, Clone, Hash)]
pub(super) enum Place {
    /// Nobody was here yet.
    Empty,
    Up(Piece<Host>),
    /// It crashed.
    Dead,
}

/// One moment.
#[derive(Clone)]
pub(super) struct State {
    pub(super) leader: Piece<Leader>,
    pub(super) places: [Place; HOSTS],
    up: [Line<ToPlacement>; HOSTS],
    down: [Line<ToHost>; HOSTS],
    pub(super) rows: Vec<Row>,
    pub(super) requests: Vec<Request>,
    pub(super) budget: Budget,
    turns: u8,
    /// The promise that a step broke, where the state itself cannot show it.
    pub(super) broken: Option<&'static str>,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, into: &mut H) {
        (&self.leader, &self.places, &self.rows, &self.requests).hash(into);
        for line in &self.up {
            line.iter().for_each(|sent| sent.0.hash(into));
            into.write_u8(0);
        }
        for line in &self.down {
            line.iter().for_each(|sent| sent.0.hash(into));
            into.write_u8(0);
        }
        (self.budget, self.turns, self.broken).hash(into);
    }
}

/// What one wants to see of a counterexample.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chain = |chain: Option<&Chain>| {
            chain.map(|chain| {
                let tables = chain.tables().iter().map(|table| {
                    let members = table.members().iter().map(|member| member.incarnation.0);
                    format!("{} {:?}", table.epoch(), members.collect::<Vec<_>>())
                });
                format!("{} marks {:?}", tables.collect::<Vec<_>>().join(", "), chain.marks())
            })
        };
        writeln!(f, "broken: {:?}", self.broken)?;
        writeln!(f, "placement: {:?}", chain(self.leader().chain()))?;
        for (name, host) in self.hosts() {
            let view = &host.view;
            let lease = (view.me, host.has_lease(), host.is_leaving());
            let tables = chain(view.chain.as_deref());
            writeln!(f, "host {name}: {lease:?} {tables:?} released {:?}", view.released)?;
            writeln!(f, "  {:?} drains {:?}", host.activations, host.drains)?;
            writeln!(f, "  to placement {:?}\n  to host {:?}", self.up[name], self.down[name])?;
        }
        write!(f, "store: {:?} under way {:?}", self.rows, self.requests)
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        let print = |state: &Self| {
            let mut hasher = DefaultHasher::new();
            state.hash(&mut hasher);
            hasher.finish()
        };
        print(self) == print(other)
    }
}

/// One step; the first group is the adversary's, the rest is the protocol's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Start(usize),
    Leave(usize),
    /// Its lease ends by its own count: it was frozen, or could not be heard.
    LeaseEnds(usize),
    Crash(usize),
    PlacementRestarts,
    Renew(usize),
    Begin(usize, Actor),
    /// The answer to a commit does not come.
    Unknown(usize, Actor),
    Delete(usize, Actor),

    /// The next message arrives at placement, or at the host.
    Up(usize),
    Down(usize),
    Reconnect(usize),
    /// The host notices that its lease is over.
    Tick(usize),
    /// Placement gives an incarnation up.
    Expire(Incarnation),
    /// A new leader has waited long enough.
    GatherEnds,
    /// A turn's call is let in somewhere.
    Enter(usize, Actor, usize, Actor),
    /// A turn's call finds nobody who offers the type.
    Fail(usize, Actor),
    /// A turn without a store ends.
    Finish(usize, Actor),
    /// A request arrives at the store, and its answer with it.
    Apply(usize),
    Deactivate(usize, Actor),
    Drained(usize, Epoch),
    Farewell(usize),
}

impl State {
    pub(super) fn new(scene: &Scene) -> Self {
        let mut state = Self {
            leader: Piece::new(Leader::new()),
            places: [Place::Empty, Place::Empty, Place::Empty],
            up: Default::default(),
            down: Default::default(),
            rows: vec![Row::default(); scene.actors.len()],
            requests: Vec::new(),
            budget: scene.budget,
            turns: 0,
            broken: None,
        };
        for host in (0..HOSTS).filter(|host| scene.present[*host]) {
            state = state.after(scene, Act::Start(host));
            while let Some(act) = state.progress(scene).first() {
                state = state.after(scene, *act);
            }
        }
        state.budget = scene.budget;
        state
    }

    /// The hosts whose process runs.
    pub(super) fn hosts(&self) -> impl Iterator<Item = (usize, &Host)> {
        self.places.iter().enumerate().filter_map(|(name, place)| match place {
            Place::Up(host) => Some((name, host.value.as_ref())),
            Place::Empty | Place::Dead => None,
        })
    }

    pub(super) fn leader(&self) -> &Leader {
        &self.leader.value
    }

    fn host(&self, name: usize) -> Option<&Host> {
        self.hosts().find(|(other, _)| *other == name).map(|(_, host)| host)
    }

    /// What the adversary may do.
    pub(super) fn choices(&self, scene: &Scene) -> Vec<Act> {
        let (mut acts, budget) = (Vec::new(), self.budget);
        for name in 0..HOSTS {
            if matches!(self.places[name], Place::Empty) && budget.changes > 0 {
                acts.push(Act::Start(name));
            }
        }
        for (name, host) in self.hosts() {
            if budget.crashes > 0 && !host.is_gone() {
                acts.push(Act::Crash(name));
            }
            if !host.has_lease() {
                continue;
            }
            if budget.changes > 0 {
                acts.push(Act::LeaseEnds(name));
                acts.extend((!host.is_leaving()).then_some(Act::Leave(name)));
            }
            if budget.renewals > 0 && host.is_connected() {
                acts.push(Act::Renew(name));
            }
            for (actor, part) in scene.actors.iter().enumerate() {
                let held = host.activations.get(&actor);
                let is_idle = held.is_none_or(|held| held.turn.is_none());
                let is_open = || matches!(host.route(part.hash, false), Route::Here(_));
                if budget.turns > 0 && is_idle && host.may_start() && is_open() {
                    acts.push(Act::Begin(name, actor));
                }
                let step = held.and_then(|held| held.turn).map(|turn| turn.step);
                if budget.unknowns > 0 && step == Some(Step::Commits) {
                    acts.push(Act::Unknown(name, actor));
                }
                let has_state = held.is_some_and(|held| held.state.is_some());
                if budget.deletions > 0 && is_idle && has_state {
                    acts.push(Act::Delete(name, actor));
                }
            }
        }
        acts.extend((budget.restarts > 0).then_some(Act::PlacementRestarts));
        acts
    }

    /// What the protocol does next, in any order.
    pub(super) fn progress(&self, scene: &Scene) -> Vec<Act> {
        let mut acts = Vec::new();
        acts.extend((0..self.requests.len()).map(Act::Apply));
        for name in 0..HOSTS {
            acts.extend((!self.up[name].is_empty()).then_some(Act::Up(name)));
            acts.extend((!self.down[name].is_empty()).then_some(Act::Down(name)));
        }
        for (name, host) in self.hosts() {
            acts.extend((!host.is_connected() && !host.is_gone()).then_some(Act::Reconnect(name)));
            acts.extend(host.is_late().then_some(Act::Tick(name)));
            acts.extend(host.is_done.then_some(Act::Farewell(name)));
            self.turns_of(scene, name, host, &mut acts);
            let is_early = scene.trap == Some(Trap::ReleasedTooEarly);
            let is_clear = |actor: &Actor| is_open(host, scene, *actor);
            if is_early || host.activations.keys().all(is_clear) {
                acts.extend(host.drains.iter().map(|epoch| Act::Drained(name, *epoch)));
            }
        }
        self.ends(scene, &mut acts);
        acts
    }

    /// What running turns and idle activations of a host may do.
    fn turns_of(&self, scene: &Scene, name: usize, host: &Host, acts: &mut Vec<Act>) {
        for (actor, held) in &host.activations {
            let Some(turn) = held.turn else {
                acts.extend(
                    (!is_open(host, scene, *actor)).then_some(Act::Deactivate(name, *actor)),
                );
                continue;
            };
            match turn.step {
                Step::Waits(callee) => {
                    let nobody = |chain: &Arc<Chain>| chain.newest().members().is_empty();
                    let is_lost = host.view.chain.as_ref().is_some_and(nobody);
                    acts.extend(is_lost.then_some(Act::Fail(name, *actor)));
                    let hash = scene.actors[callee].hash;
                    for (at, other) in self.hosts() {
                        let held = other.activations.get(&callee);
                        let is_idle = held.is_none_or(|held| held.turn.is_none());
                        if is_idle
                            && other.may_start()
                            && matches!(other.route(hash, true), Route::Here(_))
                        {
                            acts.push(Act::Enter(at, callee, name, *actor));
                        }
                    }
                }
                Step::Runs => acts.push(Act::Finish(name, *actor)),
                Step::Calls(_) | Step::Claims | Step::Commits => {}
            }
        }
    }

    /// What placement may conclude from silence.
    fn ends(&self, scene: &Scene, acts: &mut Vec<Act>) {
        let leader = self.leader();
        if !leader.is_leading() {
            let is_over = leader.awaited().iter().all(|other| !self.may_live(*other));
            let is_trap = scene.trap == Some(Trap::LeaderDoesNotWait);
            acts.extend((is_over || is_trap).then_some(Act::GatherEnds));
            return;
        }
        for incarnation in leader.snapshot.hosts.keys() {
            let is_unwatched =
                scene.trap == Some(Trap::LeaverIsNotWatched) && leader.is_leaver(*incarnation);
            if !self.may_live(*incarnation) && !is_unwatched {
                acts.push(Act::Expire(*incarnation));
            }
        }
    }

    /// The one fact about time: whoever placement gives up has stopped by its own count, if
    /// no clock runs more than a tenth off.
    fn may_live(&self, incarnation: Incarnation) -> bool {
        match &self.places[name_of(incarnation)] {
            Place::Up(host) => host.value.may_live_as(incarnation),
            Place::Empty | Place::Dead => false,
        }
    }

    /// The state after an act.
    pub(super) fn after(&self, scene: &Scene, act: Act) -> Self {
        let mut next = self.clone();
        next.act(scene, act);
        next.resume(scene);
        for name in 0..HOSTS {
            next.release_idle(scene, name);
            next.collect(scene, name);
        }
        next.requests.sort_unstable();
        next
    }

    fn act(&mut self, scene: &Scene, act: Act) {
        match act {
            Act::Start(name) => {
                self.budget.changes = self.budget.changes.saturating_sub(1);
                self.places[name] = Place::Up(Piece::new(Host::start(name, scene.trap)));
            }
            Act::Leave(name) => {
                self.budget.changes -= 1;
                self.change(name, Host::leave);
            }
            Act::LeaseEnds(name) => {
                self.budget.changes -= 1;
                self.change(name, Host::run_out);
            }
            Act::Crash(name) => {
                self.budget.crashes -= 1;
                self.places[name] = Place::Dead;
                self.down[name].clear();
            }
            Act::PlacementRestarts => {
                self.budget.restarts -= 1;
                self.leader.change(Leader::start);
                for name in 0..HOSTS {
                    self.up[name].clear();
                    self.down[name].clear();
                    self.change(name, Host::disconnect);
                }
            }
            Act::Renew(name) => {
                self.budget.renewals -= 1;
                self.change(name, Host::renew);
            }
            Act::Begin(name, actor) => {
                self.budget.turns -= 1;
                self.begin(scene, name, actor, false);
            }
            Act::Unknown(name, actor) => self.unknown(scene, name, actor),
            Act::Delete(name, actor) => self.delete(scene, name, actor),
            Act::Up(name) => {
                if let Some(sent) = self.up[name].pop_front() {
                    let said = self.leader.change(|leader| leader.hear(name, sent.1.clone()));
                    self.send(scene, said);
                }
            }
            Act::Down(name) => self.arrive(scene, name),
            Act::Reconnect(name) => self.change(name, Host::connect),
            Act::Tick(name) => self.change(name, Host::tick),
            Act::Expire(incarnation) => {
                self.change(name_of(incarnation), Host::is_given_up);
                let said = self.leader.change(|leader| leader.pass(&BTreeSet::from([incarnation])));
                self.send(scene, said);
            }
            Act::GatherEnds => {
                let said = self.leader.change(|leader| leader.pass(&BTreeSet::new()));
                self.send(scene, said);
            }
            Act::Enter(at, callee, name, actor) => {
                let number = self.begin(scene, at, callee, true);
                self.turn(name, actor, Some(Step::Calls(number)));
            }
            Act::Fail(name, actor) => self.turn(name, actor, Some(Step::Calls(NOBODY))),
            Act::Finish(name, actor) => self.turn(name, actor, None),
            Act::Apply(at) => self.apply(scene, at),
            Act::Deactivate(name, actor) => {
                self.change(name, |host| host.end(actor));
            }
            Act::Drained(name, epoch) => self.change(name, |host| host.drained(epoch)),
            Act::Farewell(name) => self.change(name, Host::farewell),
        }
    }

    fn change(&mut self, name: usize, change: impl FnOnce(&mut Host)) {
        if let Place::Up(host) = &mut self.places[name] {
            host.change(change);
        }
    }

    fn turn(&mut self, name: usize, actor: Actor, step: Option<Step>) {
        self.change(name, |host| {
            if let Some(held) = host.activations.get_mut(&actor)
                && let Some(turn) = held.turn
            {
                held.turn = step.map(|step| Turn { step, ..turn });
            }
        });
    }

    /// Puts what placement says on the streams.
    fn send(&mut self, scene: &Scene, said: Said) {
        for (name, message) in said {
            if self.host(name).is_some_and(Host::is_connected) {
                let last = self.down[name].back().filter(|_| scene.is_prompt);
                let message = match last.and_then(|last| together(&last.1, &message)) {
                    Some(both) => {
                        self.down[name].pop_back();
                        both
                    }
                    None => message,
                };
                let print = fingerprint(&format!("{message:?}"));
                self.down[name].push_back(Arc::new((print, message)));
            }
        }
    }

    /// Nothing is active, so nothing is waited for.
    fn release_idle(&mut self, scene: &Scene, name: usize) {
        let is_idle = |host: &Host| host.activations.is_empty() && !host.drains.is_empty();
        if scene.is_prompt && self.host(name).is_some_and(is_idle) {
            self.change(name, |host| {
                for epoch in std::mem::take(&mut host.drains) {
                    host.drained(epoch);
                }
            });
        }
    }

    /// Puts what a host says on its stream.
    fn collect(&mut self, scene: &Scene, name: usize) {
        if self.host(name).is_none_or(|host| host.said.is_empty()) {
            return;
        }
        let mut said = Vec::new();
        self.change(name, |host| said = std::mem::take(&mut host.said));
        if scene.is_prompt {
            for message in said {
                let said = self.leader.change(|leader| leader.hear(name, message));
                self.send(scene, said);
            }
            return;
        }
        self.up[name].extend(said.into_iter().map(|message| {
            let print = fingerprint(&format!("{message:?}"));
            Arc::new((print, message))
        }));
    }

    /// A message arrives at a host.
    fn arrive(&mut self, scene: &Scene, name: usize) {
        let Some(sent) = self.down[name].pop_front() else { return };
        let mut message = sent.1.clone();
        if scene.trap == Some(Trap::TableIsSkipped)
            && let ToHost::Prepare { epoch, update, .. } = &mut message
        {
            let is_table = |sent: &Arc<(u64, ToHost)>| matches!(sent.1, ToHost::Prepare { .. });
            if self.down[name].iter().any(is_table) {
                return;
            }
            let chain = self.host(name).and_then(|host| host.view.chain.clone());
            if let (Some(chain), Update::Delta { previous, .. }) = (chain, &*update)
                && *previous != chain.newest().epoch()
            {
                let mut tables: Vec<_> = chain.tables().iter().map(|t| t.to_data()).collect();
                tables.extend(self.leader().tables.get(epoch).cloned());
                *update = Update::Chain { tables, marks: chain.marks().clone() };
            }
        }
        self.change(name, |host| host.hear(&message));
    }

    /// A turn begins, in an activation that is there or made for it.
    fn begin(&mut self, scene: &Scene, name: usize, actor: Actor, nested: bool) -> u8 {
        let (part, number) = (scene.actors[actor], self.turns);
        self.turns += 1;
        let acknowledged = self.rows[actor].acknowledged;
        let mut is_stale = false;
        self.change(name, |host| {
            let Route::Here(epoch) = host.route(part.hash, nested) else { return };
            if !host.activations.contains_key(&actor) {
                let (who, fence) = host.next_fence(epoch);
                let made = Activation { who, fence, state: None, turn: None };
                host.activations.insert(actor, made);
            }
            let Some(held) = host.activations.get_mut(&actor) else { return };
            is_stale = held.state.is_some_and(|state| acknowledged & !state != 0);
            // A call that is over at once, if there is none to make.
            let step = part.calls.map_or(Step::Calls(NOBODY), Step::Waits);
            held.turn = Some(Turn { number, step });
        });
        if is_stale {
            self.broken = Some("O2");
        }
        number
    }

    /// Turns whose call is over, or was cut, go on to the store.
    fn resume(&mut self, scene: &Scene) {
        let running: BTreeSet<u8> = self
            .hosts()
            .flat_map(|(_, host)| host.activations.values())
            .filter_map(|held| held.turn.map(|turn| turn.number))
            .collect();
        let is_over = |turn: Turn| matches!(turn.step, Step::Calls(n) if !running.contains(&n));
        let mut ready = Vec::new();
        for (name, host) in self.hosts() {
            // Before anything is sent the lease is looked at.
            let may = host.has_lease() || scene.trap == Some(Trap::TurnsOutliveTheLease);
            for (actor, held) in host.activations.iter().filter(|_| may) {
                if held.turn.is_some_and(is_over) {
                    ready.push((name, *actor));
                }
            }
        }
        for (name, actor) in ready {
            self.ask(scene, name, actor);
        }
    }

    /// A turn's next request to the store: a claim if there was none, then its commit.
    fn ask(&mut self, scene: &Scene, name: usize, actor: Actor) {
        if !scene.is_stored {
            return self.turn(name, actor, Some(Step::Runs));
        }
        let Some(held) = self.host(name).and_then(|host| host.activations.get(&actor)) else {
            return;
        };
        let Some(turn) = held.turn else { return };
        let (ask, step) = match held.state {
            None => (Ask::Claim, Step::Claims),
            Some(state) => {
                let bit = 1 << (turn.number % 8);
                (Ask::Commit { state: state | bit, bit }, Step::Commits)
            }
        };
        let (who, fence) = (held.who, held.fence);
        self.requests.push(Request { actor, host: name, who, fence, ask });
        self.turn(name, actor, Some(step));
    }

    /// A request arrives; whoever waits for the answer gets it, if it is still there.
    fn apply(&mut self, scene: &Scene, at: usize) {
        let request = self.requests.remove(at);
        let Request { actor, host: name, who, .. } = request;
        let outcome = self.rows[actor].take(&request, scene.trap);
        let is_trap = scene.trap == Some(Trap::TurnsOutliveTheLease);
        let asker = self.host(name).and_then(|host| Some((host, host.activations.get(&actor)?)));
        let waits = |held: &Activation| {
            let step = held.turn.map(|turn| turn.step);
            held.who == who && matches!(step, Some(Step::Claims | Step::Commits))
        };
        let (is_waiting, may_answer) =
            asker.map_or((false, false), |(host, held)| (waits(held), host.has_lease() || is_trap));
        let state = match outcome {
            Outcome::Broken(promise) => {
                self.broken = Some(promise);
                return;
            }
            Outcome::Refused if is_waiting => {
                if may_answer {
                    self.broken = Some(NOT_REFUSED);
                }
                return self.change(name, |host| host.end(actor));
            }
            Outcome::Refused => return,
            Outcome::Done(state) => state,
        };
        if !is_waiting {
            return;
        }
        self.change(name, |host| {
            if let Some(held) = host.activations.get_mut(&actor) {
                held.state = Some(state);
            }
        });
        match request.ask {
            Ask::Claim if self.rows[actor].acknowledged & !state != 0 => self.broken = Some("O2"),
            Ask::Claim if may_answer => self.ask(scene, name, actor),
            Ask::Claim => {}
            Ask::Commit { bit, .. } => {
                self.turn(name, actor, None);
                if may_answer {
                    self.rows[actor].acknowledged |= bit;
                }
            }
        }
    }

    /// Nobody knows whether the commit was done: the activation ends.
    fn unknown(&mut self, scene: &Scene, name: usize, actor: Actor) {
        self.budget.unknowns -= 1;
        if scene.trap == Some(Trap::OutlivesAnUnknownCommit) {
            self.turn(name, actor, None);
        } else {
            self.change(name, |host| host.end(actor));
        }
    }

    fn delete(&mut self, scene: &Scene, name: usize, actor: Actor) {
        self.budget.deletions -= 1;
        let held = self.host(name).and_then(|host| host.activations.get(&actor));
        let Some(fence) = held.map(|held| held.fence) else { return };
        if self.rows[actor].delete(fence, scene.trap) {
            self.change(name, |host| {
                if let Some(held) = host.activations.get_mut(&actor) {
                    held.state = Some(0);
                }
            });
        } else {
            self.broken = Some(NOT_REFUSED);
        }
    }
}

/// Whether the gate is open for calls from outside.
fn is_open(host: &Host, scene: &Scene, actor: Actor) -> bool {
    matches!(host.route(scene.actors[actor].hash, false), Route::Here(_))
}

/// Which host a number of `Host::fresh` belongs to.
fn name_of(incarnation: Incarnation) -> usize {
    (incarnation.0 % 10) as usize
}

/// Two commits as one: marks are facts, and the later base counts.
fn together(one: &ToHost, two: &ToHost) -> Option<ToHost> {
    let (ToHost::Commit { key, marks: earlier, .. }, ToHost::Commit { marks, base, .. }) =
        (one, two)
    else {
        return None;
    };
    let mut both = earlier.clone();
    for (incarnation, mark) in marks {
        let known = both.entry(*incarnation).or_insert(*mark);
        *known = (*known).max(*mark);
    }
    Some(ToHost::Commit { key: key.clone(), marks: both, base: *base })
}
