//! O1, O7, and what callers are told of turns: who ran, how often, to what end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::event::{Actor, Call, Effect, Event, Host, Trouble, Turn, What};
use crate::{Promise, Terms, Violation};

#[derive(Debug, Clone, Copy)]
struct Running {
    actor: Actor,
    host: Host,
    call: Call,
    since: Duration,
    is_live: bool,
}

#[derive(Debug, Default)]
struct Turns {
    running: BTreeMap<Turn, Running>,
    by_actor: BTreeMap<Actor, BTreeSet<Turn>>,
    began: BTreeMap<Call, (Turn, Host)>,
    refused: BTreeSet<Call>,
    /// What every host has been through so far, `None` for all of them: whoever was troubled
    /// may have lost its lease, and with it the right to end its turns.
    troubled: BTreeSet<Option<Host>>,
    violations: Vec<Violation>,
}

pub(crate) fn check(events: &[Event], terms: &Terms) -> Vec<Violation> {
    let mut turns = Turns::default();
    for Event { at, what } in events {
        turns.event(*at, what, terms);
    }
    turns.violations
}

impl Turns {
    fn event(&mut self, at: Duration, what: &What, terms: &Terms) {
        match *what {
            What::TurnBegan { turn, call, actor, host } => {
                self.began(at, turn, call, actor, host, terms);
            }
            What::TurnEnded { turn } => self.over(turn),
            What::TurnLost { turn } => {
                if let Some(running) = self.running.get_mut(&turn) {
                    running.is_live = false;
                }
            }
            What::TurnCut { turn } => self.cut(at, turn, terms),
            What::Failed { call, effect: Effect::None, .. } => {
                self.refused.insert(call);
                if let Some((_, host)) = self.began.get(&call).copied() {
                    let text = format!(
                        "call {call} was answered `none`, and its turn had begun on host {host}"
                    );
                    self.broken(Promise::NoneNeverRan, at, text, &[host]);
                }
            }
            What::Troubled { trouble, .. } => {
                if let Trouble::Crash(host) = trouble {
                    self.running.retain(|_, running| running.host != host);
                }
                self.troubled.insert(match trouble {
                    Trouble::Crash(host) | Trouble::Frozen(host) | Trouble::Host(host) => {
                        Some(host)
                    }
                    // The leases of all may end.
                    Trouble::Placement | Trouble::All => None,
                });
            }
            _ => {}
        }
    }

    fn began(
        &mut self,
        at: Duration,
        turn: Turn,
        call: Call,
        actor: Actor,
        host: Host,
        terms: &Terms,
    ) {
        let others = self.by_actor.entry(actor).or_default();
        others.retain(|other| self.running.contains_key(other));
        let live = others.iter().filter_map(|other| self.running.get(other));
        let live = live.filter(|other| other.is_live).copied().collect::<Vec<_>>();
        others.insert(turn);
        for other in live {
            let text = format!(
                "actor {actor} began call {call} on host {host} while host {} had a live turn of it, call {}, since {:.3} s",
                other.host,
                other.call,
                other.since.as_secs_f64()
            );
            // Two at a time on one host is worse, and no lease excuses it.
            if terms.are_clocks_kept || other.host == host {
                self.broken(Promise::O1, at, text, &[host, other.host]);
            }
        }
        if self.began.insert(call, (turn, host)).is_some() {
            let text =
                format!("call {call} of actor {actor} ran twice, the second time on host {host}");
            self.broken(Promise::RanOnce, at, text, &[host]);
        }
        if self.refused.contains(&call) {
            let text = format!("call {call} ran on host {host} after it was answered `none`");
            self.broken(Promise::NoneNeverRan, at, text, &[host]);
        }
        let running = Running { actor, host, call, since: at, is_live: true };
        self.running.insert(turn, running);
    }

    fn cut(&mut self, at: Duration, turn: Turn, terms: &Terms) {
        let Some(running) = self.running.get(&turn).copied() else { return };
        self.over(turn);
        let is_excused = self.troubled.contains(&None)
            || self.troubled.contains(&Some(running.host))
            || at.saturating_sub(running.since) >= terms.drain;
        if !is_excused {
            let Running { actor, host, call, .. } = running;
            self.broken(Promise::O7, at, format!("the turn of call {call} of actor {actor} on host {host} was cut, and nothing had happened to that host"), &[host]);
        }
    }

    fn over(&mut self, turn: Turn) {
        self.running.remove(&turn);
    }

    fn broken(&mut self, promise: Promise, at: Duration, text: String, hosts: &[Host]) {
        self.violations.push(Violation { promise, at, text, hosts: hosts.to_vec() });
    }
}
