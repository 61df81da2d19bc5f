//! What must hold in every state, by name; and the checker's view of the world.

use odeon_ring::Policy;
use stateright::{Model, Property};

use super::host::{Actor, Host};
use super::scene::Scene;
use super::trap::Trap;
use super::world::{Act, State};
use crate::view::Route;

impl Model for Scene {
    type State = State;
    type Action = Act;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self)]
    }

    fn actions(&self, state: &State, acts: &mut Vec<Act>) {
        if state.broken.is_none() {
            acts.extend(state.progress(self));
            acts.extend(state.choices(self));
        }
    }

    fn next_state(&self, state: &State, act: Act) -> Option<State> {
        Some(state.after(self, act))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(O1, at_most_one_is_live),
            Property::always(O2, nothing_acknowledged_is_lost),
            Property::always(O3, |_, state: &State| state.broken != Some(O3)),
            Property::always(O4, only_movers_wait),
            Property::always(RELEASED, released_means_nothing_active),
            Property::always(super::store::UNIQUE, |_, state: &State| {
                state.broken != Some(super::store::UNIQUE)
            }),
            Property::always(super::store::NOT_REFUSED, |_, state: &State| {
                state.broken != Some(super::store::NOT_REFUSED)
            }),
            Property::always(LEFT, who_has_left_serves_nothing),
            Property::always(ENDS, drains_and_turns_end),
            Property::always(OPENS, every_gate_opens),
        ]
    }
}

pub(super) const O1: &str = "O1";
pub(super) const O2: &str = "O2";
pub(super) const O3: &str = "O3";
pub(super) const O4: &str = "O4";
/// Nothing is active behind a gate that its host has released.
pub(super) const RELEASED: &str = "released means nothing active";
/// Who may say farewell owns nothing and will not.
pub(super) const LEFT: &str = "who has left serves nothing";
/// When the adversary rests, every drain and every turn ends.
pub(super) const ENDS: &str = "drains and turns end";
/// When the adversary rests, each actor's gate is open on one host.
pub(super) const OPENS: &str = "every gate opens";

/// O1: at most one host has a live turn of an actor, or may begin one.
fn at_most_one_is_live(scene: &Scene, state: &State) -> bool {
    let outlives = scene.trap == Some(Trap::TurnsOutliveTheLease);
    scene.actors.iter().enumerate().all(|(actor, part)| {
        let is_able = |host: &Host| {
            let runs = host.activations.get(&actor).is_some_and(|held| held.turn.is_some());
            let is_open = || matches!(host.route(part.hash, false), Route::Here(_));
            (runs && outlives) || (host.has_lease() && (runs || is_open()))
        };
        state.hosts().filter(|(_, host)| is_able(host)).count() <= 1
    })
}

/// O2: what was acknowledged is what the next claim reads.
fn nothing_acknowledged_is_lost(_: &Scene, state: &State) -> bool {
    state.broken != Some(O2) && state.rows.iter().all(|row| row.acknowledged & !row.state == 0)
}

/// O4: an actor whose owner is the same in all tables has an open gate.
fn only_movers_wait(scene: &Scene, state: &State) -> bool {
    state.hosts().filter(|(_, host)| host.has_lease()).all(|(_, host)| {
        let Some(chain) = &host.view.chain else { return true };
        scene.actors.iter().all(|part| {
            let owners = chain.tables().iter().map(|table| table.owner(part.hash));
            let is_mine = owners.map(|owner| owner.map(|owner| owner.incarnation) == host.view.me);
            !is_mine.into_iter().all(|mine| mine)
                || matches!(host.route(part.hash, false), Route::Here(_))
        })
    })
}

/// Step 5: `Released(e)` is said when nothing is active behind the gates that `e` shut. What is
/// active is always what a running turn's call would still be let in to.
fn released_means_nothing_active(scene: &Scene, state: &State) -> bool {
    state.hosts().filter(|(_, host)| host.has_lease()).all(|(_, host)| {
        let is_let_in = |actor: &Actor| {
            let hash = scene.actors[*actor].hash;
            matches!(host.view.route(Policy::Ring, hash, true), Route::Here(_))
        };
        host.activations.keys().all(is_let_in)
    })
}

/// O5, O7: behind its last release nothing can begin on a host that leaves.
fn who_has_left_serves_nothing(scene: &Scene, state: &State) -> bool {
    state.hosts().filter(|(_, host)| host.is_done).all(|(_, host)| {
        let is_open = |hash| matches!(host.route(hash, false), Route::Here(_));
        host.activations.is_empty() && !scene.actors.iter().any(|part| is_open(part.hash))
    })
}

fn is_quiet(scene: &Scene, state: &State) -> bool {
    state.broken.is_none() && state.progress(scene).is_empty()
}

/// No call waits for a drain that waits for the call, and no drain for what never ends.
fn drains_and_turns_end(scene: &Scene, state: &State) -> bool {
    let is_idle = |(_, host): (usize, &Host)| {
        host.drains.is_empty() && host.activations.values().all(|held| held.turn.is_none())
    };
    !is_quiet(scene, state) || state.hosts().all(is_idle)
}

/// Every actor has one host that serves it, by the table that everybody has.
fn every_gate_opens(scene: &Scene, state: &State) -> bool {
    if !is_quiet(scene, state) {
        return true;
    }
    let stays = |(_, host): &(usize, &Host)| host.has_lease() && !host.is_leaving();
    let live: Vec<&Host> = state.hosts().filter(stays).map(|(_, host)| host).collect();
    let newest = state.leader().chain().map(|chain| chain.newest().epoch());
    let is_settled = state.leader().chain().is_none_or(|chain| chain.is_committed());
    let agrees = |host: &&Host| host.view.chain.as_ref().map(|c| c.newest().epoch()) == newest;
    let opens = |hash| live.iter().filter(move |h| matches!(h.route(hash, false), Route::Here(_)));
    state.leader().is_leading()
        && is_settled
        && live.iter().all(agrees)
        && scene.actors.iter().all(|part| opens(part.hash).count() == usize::from(!live.is_empty()))
}
