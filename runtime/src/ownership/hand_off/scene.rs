//! Who is there, what the adversary may do how often, and which actors there are.

use odeon_base::ActorId;
use odeon_ring::{Member, Positions, Ring};
use std::sync::Arc;

use odeon_base::Incarnation;

use super::host::{Actor, host_name};
use super::trap::Trap;
use super::world::HOSTS;

/// What the adversary may still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Budget {
    /// Starts, leaves and lapses of hosts.
    pub(super) changes: u8,
    /// Hosts that end without a word.
    pub(super) crashes: u8,
    /// Starts of placement anew.
    pub(super) restarts: u8,
    /// Renewals that are granted late, or in time.
    pub(super) renewals: u8,
    /// Commits whose answer does not come.
    pub(super) unknowns: u8,
    /// Deletions of an actor's state.
    pub(super) deletions: u8,
    /// Turns that clients begin.
    pub(super) turns: u8,
}

/// One actor of the scene.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) hash: u64,
    /// Whom its turns call.
    pub(super) calls: Option<Actor>,
}

/// The beginning of a check.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    /// The hosts that are there when it begins.
    pub(super) present: [bool; HOSTS],
    pub(super) actors: Vec<Part>,
    pub(super) budget: Budget,
    /// Whether turns claim and commit; else they just end.
    pub(super) is_stored: bool,
    /// Whether steps that nobody can tell from others are left out: what a host says arrives
    /// at placement at once, a host on which nothing is active releases at once, and marks
    /// that wait for a host arrive together. Each of these may still come late, as the host
    /// that is to hear of it takes its time; only who acts on what, and when, matters.
    pub(super) is_prompt: bool,
    /// The one deviation.
    pub(super) trap: Option<Trap>,
}

impl Scene {
    /// Hosts present, as in `"AB"`, and actors as in `"CAB"`: the host that owns it if it is
    /// there, else the next. `"CAB>1"` calls the actor numbered 1 in each turn.
    pub(super) fn new(present: &str, actors: &[&str], budget: Budget) -> Self {
        let hosts = ["A", "B", "C"];
        let part = |text: &&str| {
            let (wishes, calls) = text.split_once('>').unwrap_or((text, ""));
            let order = wishes.chars().map(|c| hosts.iter().position(|h| h.contains(c)).unwrap());
            Part { hash: find(&order.collect::<Vec<_>>()), calls: calls.parse().ok() }
        };
        Self {
            present: hosts.map(|host| present.contains(host)),
            actors: actors.iter().map(part).collect(),
            budget,
            is_stored: true,
            is_prompt: false,
            trap: None,
        }
    }

    pub(super) fn without_store(self) -> Self {
        Self { is_stored: false, ..self }
    }

    pub(super) fn prompt(self) -> Self {
        Self { is_prompt: true, ..self }
    }

    pub(super) fn with(&self, trap: Trap) -> Self {
        Self { trap: Some(trap), ..self.clone() }
    }
}

/// The hash of an actor that the ring gives to the first of these hosts that is there.
fn find(order: &[usize]) -> u64 {
    let member = |host: &usize| {
        let name = host_name(*host);
        let incarnation = Incarnation(*host as u64);
        Arc::new(Member { incarnation, address: name.as_str().into(), host: name })
    };
    let mut positions = Positions::default();
    let rings: Vec<(Ring, usize)> = [[0, 1, 2].as_slice(), &[0, 1], &[0, 2], &[1, 2]]
        .iter()
        .map(|present| {
            let members: Vec<_> = present.iter().map(member).collect();
            let owner = order.iter().find(|host| present.contains(host)).unwrap();
            (Ring::build(&members, &mut positions), *owner)
        })
        .collect();
    let mut hashes = (0..).map(|n| ActorId::parse(&format!("actor-{n}")).unwrap().hash());
    let is_meant = |hash: &u64| {
        rings.iter().all(|(ring, owner)| {
            ring.owner(*hash).is_some_and(|found| found.incarnation.0 == *owner as u64)
        })
    };
    hashes.find(is_meant).unwrap()
}
