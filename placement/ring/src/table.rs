//! A table: which incarnations offer a type under one epoch, and their ring.
//!
//! A table never changes. How tables follow each other, and when an actor may be
//! served while several stand in a row, is the business of `chain`.

use std::sync::Arc;

use odeon_base::{Epoch, Incarnation};

use crate::change::{Member, TableData, Update};
use crate::rings::{Rings, Roll};

/// One table of an actor type. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    epoch: Epoch,
    roll: Arc<Roll>,
}

impl Table {
    /// Makes a table. `members` come in order of joining: of two incarnations of
    /// one host the later stands, since the earlier can only be on its way out.
    #[must_use]
    pub fn new(
        epoch: Epoch,
        members: &[Arc<Member>],
        rings: &Rings,
        earlier: Option<&Self>,
    ) -> Self {
        Self { epoch, roll: rings.roll(members, earlier.map(|table| table.roll.as_ref())) }
    }

    /// A table from its plain content.
    #[must_use]
    pub fn from_data(data: &TableData, rings: &Rings, earlier: Option<&Self>) -> Self {
        let earlier = earlier.map(|table| table.roll.as_ref());
        Self { epoch: data.epoch, roll: rings.roll_of(&data.members, earlier) }
    }

    /// The plain content.
    #[must_use]
    pub fn to_data(&self) -> TableData {
        let members = self.members().iter().map(|member| (**member).clone()).collect();
        TableData { epoch: self.epoch, members }
    }

    /// The table that a delta makes of this one.
    #[must_use]
    pub fn next(
        &self,
        epoch: Epoch,
        joined: &[Member],
        left: &[Incarnation],
        rings: &Rings,
    ) -> Self {
        Self { epoch, roll: rings.next(&self.roll, joined, left) }
    }

    /// The delta that leads from this table to `later`.
    #[must_use]
    pub fn delta_to(&self, later: &Self) -> Update {
        let joined = later.members().iter().filter(|member| !self.has_member(member));
        let left = self.members().iter().filter(|member| !later.has_member(member));
        Update::Delta {
            previous: self.epoch,
            joined: joined.map(|member| (**member).clone()).collect(),
            left: left.map(|member| member.incarnation).collect(),
        }
    }

    /// The table's name.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Who offers the type, in order of incarnation.
    #[must_use]
    pub fn members(&self) -> &[Arc<Member>] {
        self.roll.members()
    }

    /// Whether both say the same of who owns what.
    #[must_use]
    pub fn says_as(&self, other: &Self) -> bool {
        self.roll == other.roll
    }

    /// Whether this incarnation stands in the table.
    #[must_use]
    pub fn has(&self, incarnation: Incarnation) -> bool {
        self.find(incarnation).is_some()
    }

    fn has_member(&self, member: &Member) -> bool {
        self.find(member.incarnation).is_some_and(|found| **found == *member)
    }

    fn find(&self, incarnation: Incarnation) -> Option<&Arc<Member>> {
        let members = self.members();
        let at = members.binary_search_by_key(&incarnation, |member| member.incarnation);
        at.ok().map(|at| &members[at])
    }

    /// Who owns the actor with this hash.
    #[must_use]
    pub fn owner(&self, hash: u64) -> Option<&Arc<Member>> {
        self.roll.ring().owner(hash)
    }

    /// Stable hash of the members, to detect a gap between two machines.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.roll.hash()
    }
}

#[cfg(test)]
mod tests {
    use odeon_base::HostName;

    use super::*;

    fn member(incarnation: u64, host: &str) -> Arc<Member> {
        Arc::new(Member {
            incarnation: Incarnation(incarnation),
            host: HostName::parse(host).unwrap(),
            address: host.into(),
        })
    }

    fn table(n: u64, members: &[Arc<Member>], rings: &Rings) -> Table {
        Table::new(Epoch { term: 1, n }, members, rings, None)
    }

    #[test]
    fn the_newest_joined_incarnation_of_a_host_stands() {
        let rings = Rings::default();
        let made = table(1, &[member(9, "a:1"), member(5, "b:1"), member(2, "a:1")], &rings);
        let incarnations: Vec<_> = made.members().iter().map(|m| m.incarnation.0).collect();
        assert_eq!(incarnations, [2, 5]);
        assert!(made.has(Incarnation(2)) && !made.has(Incarnation(9)));
    }

    #[test]
    fn data_and_delta_lead_to_the_same_table() {
        let rings = Rings::default();
        let one = table(1, &[member(1, "a:1"), member(2, "b:1")], &rings);
        let two = table(2, &[member(3, "a:1"), member(4, "c:1")], &rings);
        assert_eq!(Table::from_data(&two.to_data(), &rings, None), two);
        let Update::Delta { previous, joined, left } = one.delta_to(&two) else {
            unreachable!("a delta")
        };
        assert_eq!(
            (previous, left.as_slice()),
            (one.epoch(), &[Incarnation(1), Incarnation(2)][..])
        );
        let next = one.next(two.epoch(), &joined, &left, &rings);
        assert_eq!((&next, next.hash()), (&two, two.hash()));
        assert_ne!(one.hash(), two.hash());
    }
}
