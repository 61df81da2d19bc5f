//! When tables are made, and with whom.
//!
//! Changes of a namespace wait in its window; what comes out follows from who is
//! live. Long chains hold joins and leaves back, never an end. What a chain is and
//! how marks move its base is in `lines`; who gets the messages is in `leader`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use odeon_base::{Epoch, Incarnation, Namespace};
use odeon_ring::{Member, PINS_MAX, PinChanges, Pins, Table, ToHost, TypeKey, repin};

use super::hosts::Hosts;
use super::lines::Lines;
use super::window::Window;
use crate::config::Config;

/// The tables of all types, and the changes that wait to become tables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tables {
    pub(crate) lines: Lines,
    windows: BTreeMap<Namespace, Window>,
    /// Moves of actors that wait to become tables. What came of earlier ones stands in the
    /// tables, and so it lives on in the hosts as those do.
    moves: BTreeMap<TypeKey, PinChanges>,
    /// The count of tables of this term.
    n: u64,
}

impl Tables {
    /// A new term begins: its tables are counted from one again.
    pub(crate) fn begin_term(&mut self) {
        self.n = 0;
    }

    /// Something that tables follow from changed.
    pub(crate) fn changed(&mut self, namespace: &Namespace, now: Duration) {
        let window = self.windows.entry(namespace.clone());
        window.and_modify(|window| window.touch(now)).or_insert_with(|| Window::open(now));
    }

    /// Somebody is gone whom a newest table names.
    pub(crate) fn expired(&mut self, namespace: &Namespace, now: Duration) {
        let window = self.windows.entry(namespace.clone());
        window.or_insert_with(|| Window::open(now)).expire(now);
    }

    /// An actor is to be owned by a host that stands in the newest table, or by the ring's again;
    /// whether that changes anything. With too many pins no more are taken.
    pub(crate) fn pin(&mut self, key: &TypeKey, actor: u64, to: Option<Incarnation>) -> bool {
        let Some(line) = self.lines.get(key) else { return false };
        let newest = line.chain.newest();
        let mut pins = self.pins(key);
        let is_possible = to.is_none_or(|to| newest.has(to));
        if !is_possible || pins.get(&actor).copied() == to {
            return false;
        }
        if let Some(to) = to {
            pins.insert(actor, to);
        }
        if pins.len() > PINS_MAX {
            return false;
        }
        self.moves.entry(key.clone()).or_default().insert(actor, to);
        true
    }

    /// The pins of the newest table, and what became of them since.
    fn pins(&self, key: &TypeKey) -> Pins {
        let newest = self.lines.get(key).map(|line| line.chain.newest());
        let mut pins = newest.map(|table| table.pins().clone()).unwrap_or_default();
        if let Some(moves) = self.moves.get(key) {
            repin(&mut pins, moves);
        }
        pins
    }

    /// When the next tables are due.
    pub(crate) fn next_due(&self, config: &Config) -> Option<Duration> {
        self.windows.values().map(|window| window.due(config)).min()
    }

    /// The namespaces whose window is over; the window closes with this.
    pub(crate) fn take_due(&mut self, config: &Config, now: Duration) -> Vec<Namespace> {
        let is_due = |window: &Window| window.due(config) <= now;
        self.windows.extract_if(.., |_, window| is_due(window)).map(|(name, _)| name).collect()
    }

    /// Makes a table for each type whose members or pins are others now.
    pub(crate) fn change(
        &mut self,
        namespace: &Namespace,
        term: u64,
        hosts: &Hosts,
        config: &Config,
        now: Duration,
    ) -> Vec<ToHost> {
        let mut messages = Vec::new();
        for (key, mut members) in self.wanted(namespace, hosts) {
            let epoch = Epoch { term, n: self.n + 1 };
            let newest = self.lines.get(&key).map(|line| line.chain.newest().clone());
            let differs = |table: &Table| match &newest {
                Some(newest) => !newest.says_as(table),
                None => !table.members().is_empty(),
            };
            let mut pins = self.pins(&key);
            let length = self.lines.get(&key).map_or(0, |line| line.chain.tables().len());
            if length >= config.chain_max {
                let wanted = self.lines.draft(&key, epoch, &members, pins);
                let is_waiting = differs(&wanted);
                self.lines.set_waiting(&key, is_waiting);
                // With a chain this long only the gone are taken out; the rest waits.
                let stand = newest.iter().flat_map(|table| table.members());
                members = stand.filter(|m| hosts.has(m.incarnation)).cloned().collect();
                pins = newest.as_ref().map(|table| table.pins().clone()).unwrap_or_default();
            } else {
                self.moves.remove(&key);
                self.lines.set_waiting(&key, false);
            }
            let table = self.lines.draft(&key, epoch, &members, pins);
            if differs(&table) {
                self.n = epoch.n;
                messages.extend(self.lines.append(&key, &table, now));
            }
        }
        messages
    }

    /// Makes a table of this term for every type, whether or not its members are others now.
    pub(crate) fn renew(
        &mut self,
        namespace: &Namespace,
        term: u64,
        hosts: &Hosts,
        now: Duration,
    ) -> Vec<ToHost> {
        // All changes up to now are in these.
        self.windows.remove(namespace);
        let mut messages = Vec::new();
        for (key, members) in self.wanted(namespace, hosts) {
            self.n += 1;
            let pins = self.pins(&key);
            self.moves.remove(&key);
            let table = self.lines.draft(&key, Epoch { term, n: self.n }, &members, pins);
            messages.extend(self.lines.append(&key, &table, now));
        }
        messages
    }

    /// The namespaces that have hosts or tables.
    pub(crate) fn namespaces(&self, hosts: &Hosts) -> BTreeSet<Namespace> {
        let of_types = self.lines.iter().map(|(key, _)| key.namespace.clone());
        hosts.namespaces().into_iter().chain(of_types).collect()
    }

    /// Who should stand in the table of each type, in order of joining; nobody for a type
    /// that had tables and is offered no more.
    fn wanted(&self, namespace: &Namespace, hosts: &Hosts) -> BTreeMap<TypeKey, Vec<Arc<Member>>> {
        let mut wanted = hosts.offered(namespace);
        for key in self.lines.keys(namespace) {
            wanted.entry(key).or_default();
        }
        wanted
    }
}
