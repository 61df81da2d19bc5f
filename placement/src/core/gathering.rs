//! What a new leader hears before it decides anything.
//!
//! Tables and marks live in the hosts; a leader that has just begun joins what they
//! report. It knows who has not reported yet and who waits to be taken in; when the
//! waiting ends, and what follows, is decided in `leader`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use odeon_base::{Epoch, Incarnation};
use odeon_ring::{Join, Mark, Marks, TableData, TypeKey, TypeReport, raise};

use super::event::Connection;
use crate::record::{Entry, Roster};

/// The state of a leader that still listens.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gathering {
    /// Those of the roster who have neither reported nor ended; `None` if there is no roster.
    awaited: Option<Roster>,
    /// When the silent are gone.
    pub(crate) until: Duration,
    /// Who reported with a lease and is in no roster, since there is none.
    strangers: BTreeSet<Incarnation>,
    types: BTreeMap<TypeKey, Heard>,
    /// Joins that wait until this leader leads.
    waiting: Vec<(Connection, Join)>,
}

/// What was heard of one type.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    base: Epoch,
    tables: BTreeMap<Epoch, TableData>,
    marks: Marks,
}

impl Gathering {
    pub(crate) fn new(roster: Option<Roster>, until: Duration) -> Self {
        Self { awaited: roster, until, ..Self::default() }
    }

    /// Whether everybody who may have a lease has been heard.
    pub(crate) fn is_complete(&self) -> bool {
        self.awaited.as_ref().is_some_and(BTreeMap::is_empty)
    }

    /// Whether it is known who may have a lease.
    pub(crate) fn has_roster(&self) -> bool {
        self.awaited.is_some()
    }

    /// Whether this incarnation is on the list.
    pub(crate) fn is_awaited(&self, incarnation: Incarnation) -> bool {
        self.awaited.as_ref().is_some_and(|roster| roster.contains_key(&incarnation))
    }

    /// Takes somebody off the list: reported, or ended.
    pub(crate) fn strike(&mut self, incarnation: Incarnation) -> Option<Entry> {
        self.strangers.remove(&incarnation);
        self.awaited.as_mut()?.remove(&incarnation)
    }

    /// Those who have not been heard.
    pub(crate) fn silent(&self) -> Roster {
        self.awaited.clone().unwrap_or_default()
    }

    pub(crate) fn add_stranger(&mut self, incarnation: Incarnation) {
        self.strangers.insert(incarnation);
    }

    pub(crate) fn is_stranger(&self, incarnation: Incarnation) -> bool {
        self.strangers.contains(&incarnation)
    }

    /// Joins a report to what was heard before. A base is a fact: whoever says that a table
    /// is committed has it from a leader who knew.
    pub(crate) fn hear(&mut self, report: TypeReport) {
        let heard = self.types.entry(report.key).or_default();
        if let Some(first) = report.chain.first() {
            heard.base = heard.base.max(first.epoch);
        }
        for table in report.chain {
            heard.tables.entry(table.epoch).or_insert(table);
        }
        for (incarnation, mark) in report.marks {
            raise(&mut heard.marks, incarnation, mark);
        }
    }

    /// A release that comes while this leader still listens.
    pub(crate) fn release(&mut self, key: TypeKey, incarnation: Incarnation, epoch: Epoch) {
        let heard = self.types.entry(key).or_default();
        raise(&mut heard.marks, incarnation, Mark::Released(epoch));
    }

    pub(crate) fn wait(&mut self, connection: Connection, join: Join) {
        self.waiting.retain(|(_, waiting)| waiting.member.incarnation != join.member.incarnation);
        self.waiting.push((connection, join));
    }

    /// Somebody who waits will not come.
    pub(crate) fn forget(&mut self, is_meant: impl Fn(Connection, Incarnation) -> bool) {
        self.waiting.retain(|(connection, join)| !is_meant(*connection, join.member.incarnation));
    }

    /// The chains, and the joins that waited, in the order in which they came.
    pub(crate) fn finish(self) -> (BTreeMap<TypeKey, Heard>, Vec<(Connection, Join)>) {
        (self.types, self.waiting)
    }
}

impl Heard {
    /// The tables from the newest base on, and the marks.
    pub(crate) fn into_parts(self) -> (Vec<TableData>, Marks) {
        let Self { base, mut tables, marks } = self;
        (tables.split_off(&base).into_values().collect(), marks)
    }
}
