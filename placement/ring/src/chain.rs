//! The chain of a type's tables, and the gate: may this host serve this actor now?
//!
//! This is step 3 and the second half of step 4 of `design/ownership.md`, "A
//! membership change". A chain is mostly one table; while hosts hand actors over it
//! is several. It knows no clock: whether the lease runs is asked elsewhere. What
//! placement makes of marks, and when it sends what, is in the placement crate.

use std::sync::Arc;

use odeon_base::{Epoch, Incarnation};

use crate::change::{Mark, Marks, Member, Pins, TableData, Update, raise};
use crate::rings::Rings;
use crate::table::Table;

/// Why a table could not be appended: the host asks for the whole chain (`Resync`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Gap {
    /// The delta starts from another table than the newest one here.
    #[error("the table {epoch} follows {previous}, but the newest one here is {newest}")]
    Previous {
        /// The table that was sent.
        epoch: Epoch,
        /// Where its delta starts.
        previous: Epoch,
        /// What is here.
        newest: Epoch,
    },
    /// The table's members are not those that placement meant.
    #[error("the table {epoch} came out with the hash {found:016x} in place of {expected:016x}")]
    Hash {
        /// The table that was sent.
        epoch: Epoch,
        /// The hash that came with it.
        expected: u64,
        /// The hash of what it led to.
        found: u64,
    },
    /// The epoch is not above the newest one here, or the chain that was sent is out of order.
    #[error("the table {epoch} is out of order; the newest one here is {newest}")]
    Order {
        /// The table that was sent.
        epoch: Epoch,
        /// What is here.
        newest: Epoch,
    },
}

/// Whether a host may serve an actor under the tables that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// It may; an activation made now bears this epoch in its fence.
    Open {
        /// The newest table under which the gate is open.
        epoch: Epoch,
    },
    /// It is the owner, but an earlier owner has not let go yet: the call waits.
    Shut {
        /// The newest table.
        epoch: Epoch,
    },
    /// Another incarnation is the owner.
    Elsewhere {
        /// The newest table.
        epoch: Epoch,
        /// Who it is.
        owner: Arc<Member>,
    },
    /// No host offers the type.
    NoHost,
}

/// The committed table of a type and the prepared ones after it, with the marks known.
///
/// Cheap to clone: tables are shared.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Oldest first. Invariant: never empty, epochs ascend.
    tables: Vec<Arc<Table>>,
    marks: Marks,
    rings: Rings,
}

impl Chain {
    /// A chain of one empty table named `0.0`: nobody offers the type.
    #[must_use]
    pub fn new(rings: &Rings) -> Self {
        let nobody = Table::new(Epoch::default(), &[], Pins::new(), rings, None);
        Self { tables: vec![Arc::new(nobody)], marks: Marks::new(), rings: rings.clone() }
    }

    /// Appends the table that placement prepared, or takes over the whole chain it sent.
    ///
    /// # Errors
    /// [`Gap`] when the table does not follow the newest one here or its members
    /// are not those that were meant. The chain is then as it was.
    pub fn prepare(&mut self, epoch: Epoch, update: &Update, hash: u64) -> Result<(), Gap> {
        match update {
            Update::Delta { previous, joined, left, pins } => {
                let newest = self.newest();
                if *previous != newest.epoch() {
                    let newest = newest.epoch();
                    return Err(Gap::Previous { epoch, previous: *previous, newest });
                }
                if epoch <= newest.epoch() {
                    return Err(Gap::Order { epoch, newest: newest.epoch() });
                }
                let table = newest.next(epoch, joined, left, pins, &self.rings);
                check_hash(&table, hash)?;
                self.tables.push(Arc::new(table));
            }
            Update::Chain { tables, marks } => {
                self.tables = self.whole(epoch, tables, hash)?;
                self.merge(marks);
                self.forget_marks();
            }
        }
        Ok(())
    }

    /// The tables of a chain that was sent, without those before the own base:
    /// that everybody has released them is a fact, known or not to the sender.
    fn whole(&self, epoch: Epoch, sent: &[TableData], hash: u64) -> Result<Vec<Arc<Table>>, Gap> {
        let newest = self.newest().epoch();
        let is_ordered = sent.windows(2).all(|pair| pair[0].epoch < pair[1].epoch);
        let ends_with_epoch = sent.last().is_some_and(|last| last.epoch == epoch);
        if !is_ordered || !ends_with_epoch || epoch < newest {
            return Err(Gap::Order { epoch, newest });
        }
        let mut tables: Vec<Arc<Table>> = Vec::with_capacity(sent.len());
        for data in sent.iter().filter(|data| data.epoch >= self.base().epoch()) {
            let earlier = tables.last().unwrap_or_else(|| self.newest());
            tables.push(Arc::new(Table::from_data(data, &self.rings, Some(earlier))));
        }
        if let Some(last) = tables.last() {
            check_hash(last, hash)?;
        }
        Ok(tables)
    }

    /// Takes in marks that grew and forgets the tables before `base`.
    pub fn commit(&mut self, marks: &Marks, base: Epoch) {
        self.merge(marks);
        // A base that is not here is older than ours, or comes after a gap that `Resync` closes.
        if let Some(first) = self.tables.iter().position(|table| table.epoch() == base) {
            self.tables.drain(..first);
        }
        self.forget_marks();
    }

    /// May this incarnation start a turn of the actor? (Its lease is checked elsewhere.)
    ///
    /// Open if the newest table names it owner, and for each older table with another
    /// owner, that owner is gone or has released the table that took the actor from it.
    #[must_use]
    pub fn gate(&self, me: Incarnation, hash: u64) -> Gate {
        let newest = self.newest();
        let epoch = newest.epoch();
        match newest.owner(hash) {
            None => Gate::NoHost,
            Some(owner) if owner.incarnation != me => {
                Gate::Elsewhere { epoch, owner: Arc::clone(owner) }
            }
            Some(_) if self.have_let_go(self.tables.len() - 1, me, hash) => Gate::Open { epoch },
            Some(_) => Gate::Shut { epoch },
        }
    }

    /// The gate for a call made by a running turn: a draining turn may wait for it, so it
    /// is let in while a shorter piece of the chain opens the gate and this host has not
    /// `released` the table that shut it.
    ///
    /// The epoch is then that of the piece's newest table, so that the fence of an
    /// activation made for the call stays below that of the next owner.
    #[must_use]
    pub fn gate_for_chain(&self, me: Incarnation, hash: u64, released: Option<Epoch>) -> Gate {
        let whole = self.gate(me, hash);
        if matches!(whole, Gate::Open { .. }) {
            return whole;
        }
        let is_open = |last: usize| {
            self.tables[last].owner(hash).is_some_and(|owner| owner.incarnation == me)
                && self.have_let_go(last, me, hash)
        };
        // The longest piece decides: a mark that covers the table after it covers all before.
        match (0..self.tables.len() - 1).rev().find(|&last| is_open(last)) {
            Some(last) if released < Some(self.tables[last + 1].epoch()) => {
                Gate::Open { epoch: self.tables[last].epoch() }
            }
            _ => whole,
        }
    }

    /// Whom a call of the actor is sent to, and by which table; `None` if nobody offers the type.
    ///
    /// That is the owner by the newest table. A call made by a running turn goes to the owner
    /// under the longest piece of the chain that is open, as [`Chain::gate_for_chain`] has it
    /// there: behind the newest owner's gate it might wait for the very turn that made it.
    #[must_use]
    pub fn target(&self, hash: u64, is_nested: bool) -> Option<(&Arc<Member>, Epoch)> {
        let newest = self.tables.len() - 1;
        let still_open = |last: &usize| {
            let Some(owner) = self.tables[*last].owner(hash) else { return false };
            let owner = owner.incarnation;
            let has_let_go = |table: &Arc<Table>| self.has_released(owner, table.epoch());
            self.have_let_go(*last, owner, hash)
                && !self.tables.get(last + 1).is_some_and(has_let_go)
        };
        let open = is_nested.then(|| (0..=newest).rev().find(still_open)).flatten();
        let table = &self.tables[open.unwrap_or(newest)];
        table.owner(hash).map(|owner| (owner, table.epoch()))
    }

    /// Whether every owner but `me` in the piece of the chain up to `last` has let go.
    ///
    /// An owner is asked for the first table in which it no longer owns the actor, so
    /// a mark cannot pass over an actor that was taken and given back.
    fn have_let_go(&self, last: usize, me: Incarnation, hash: u64) -> bool {
        self.tables[..=last].windows(2).all(|pair| {
            let Some(before) = pair[0].owner(hash) else { return true };
            let after = pair[1].owner(hash).map(|owner| owner.incarnation);
            before.incarnation == me
                || after == Some(before.incarnation)
                || self.has_released(before.incarnation, pair[1].epoch())
        })
    }

    /// Whether this incarnation is gone or has released the table and all before it.
    #[must_use]
    pub fn has_released(&self, incarnation: Incarnation, epoch: Epoch) -> bool {
        self.marks.get(&incarnation).is_some_and(|mark| *mark >= Mark::Released(epoch))
    }

    /// The newest table: where calls are routed.
    #[must_use]
    pub fn newest(&self) -> &Arc<Table> {
        // Invariant: never empty.
        &self.tables[self.tables.len() - 1]
    }

    /// The committed table.
    #[must_use]
    pub fn base(&self) -> &Arc<Table> {
        &self.tables[0]
    }

    /// All tables, oldest first.
    #[must_use]
    pub fn tables(&self) -> &[Arc<Table>] {
        &self.tables
    }

    /// The marks that are known and still matter.
    #[must_use]
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Whether nothing is being handed over: the newest table is the base.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        self.tables.len() == 1
    }

    /// The whole chain as a message carries it.
    #[must_use]
    pub fn to_update(&self) -> Update {
        let tables = self.tables.iter().map(|table| table.to_data()).collect();
        Update::Chain { tables, marks: self.marks.clone() }
    }

    fn merge(&mut self, marks: &Marks) {
        for (incarnation, mark) in marks {
            raise(&mut self.marks, *incarnation, *mark);
        }
    }

    /// Only later tables than the base are asked for, and only of those who stand in one:
    /// other marks can never matter again.
    fn forget_marks(&mut self) {
        let tables = &self.tables;
        let committed = Mark::Released(self.base().epoch());
        self.marks.retain(|incarnation, mark| {
            *mark > committed && tables.iter().any(|table| table.has(*incarnation))
        });
    }
}

fn check_hash(table: &Table, expected: u64) -> Result<(), Gap> {
    let found = table.hash();
    if found == expected {
        Ok(())
    } else {
        Err(Gap::Hash { epoch: table.epoch(), expected, found })
    }
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
