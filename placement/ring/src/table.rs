//! A table: which incarnations offer a type under one epoch, and their ring.
//!
//! A table never changes. How tables follow each other, and when an actor may be
//! served while several stand in a row, is the business of `chain`.

use std::sync::Arc;

use odeon_base::ident::ring_hash;
use odeon_base::{Epoch, Incarnation};

use crate::change::{Member, PinChanges, Pins, TableData, Update, repin};
use crate::rings::{Rings, Roll};

/// One table of an actor type. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    epoch: Epoch,
    roll: Arc<Roll>,
    /// Invariant: each names somebody on the roll.
    pins: Arc<Pins>,
    hash: u64,
}

impl Table {
    /// Makes a table. `members` come in order of joining: of two incarnations of
    /// one host the later stands, since the earlier can only be on its way out.
    /// A pin on somebody who does not stand in it ends.
    #[must_use]
    pub fn new(
        epoch: Epoch,
        members: &[Arc<Member>],
        pins: Pins,
        rings: &Rings,
        earlier: Option<&Self>,
    ) -> Self {
        let roll = rings.roll(members, earlier.map(|table| table.roll.as_ref()));
        Self::of(epoch, roll, pins)
    }

    /// A table from its plain content.
    #[must_use]
    pub fn from_data(data: &TableData, rings: &Rings, earlier: Option<&Self>) -> Self {
        let earlier = earlier.map(|table| table.roll.as_ref());
        Self::of(data.epoch, rings.roll_of(&data.members, earlier), data.pins.clone())
    }

    fn of(epoch: Epoch, roll: Arc<Roll>, mut pins: Pins) -> Self {
        pins.retain(|_, owner| find(&roll, *owner).is_some());
        let hash = content_hash_with(roll.hash(), &pins);
        Self { epoch, roll, pins: Arc::new(pins), hash }
    }

    /// The plain content.
    #[must_use]
    pub fn to_data(&self) -> TableData {
        let members = self.members().iter().map(|member| (**member).clone()).collect();
        TableData { epoch: self.epoch, members, pins: Pins::clone(&self.pins) }
    }

    /// The table that a delta makes of this one.
    #[must_use]
    pub fn next(
        &self,
        epoch: Epoch,
        joined: &[Member],
        left: &[Incarnation],
        pins: &PinChanges,
        rings: &Rings,
    ) -> Self {
        let mut pinned = Pins::clone(&self.pins);
        repin(&mut pinned, pins);
        Self::of(epoch, rings.next(&self.roll, joined, left), pinned)
    }

    /// The delta that leads from this table to `later`.
    #[must_use]
    pub fn delta_to(&self, later: &Self) -> Update {
        let joined = later.members().iter().filter(|member| !self.has_member(member));
        let left = self.members().iter().filter(|member| !later.has_member(member));
        let pinned = later.pins.iter().filter(|(actor, owner)| self.pins.get(actor) != Some(owner));
        let pinned = pinned.map(|(actor, owner)| (*actor, Some(*owner)));
        let ended = self.pins.iter().filter(|(actor, owner)| {
            !later.pins.contains_key(actor) && find(&later.roll, **owner).is_some()
        });
        Update::Delta {
            previous: self.epoch,
            joined: joined.map(|member| (**member).clone()).collect(),
            left: left.map(|member| member.incarnation).collect(),
            pins: pinned.chain(ended.map(|(actor, _)| (*actor, None))).collect(),
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
        self.roll == other.roll && self.pins == other.pins
    }

    /// Actors that are not where the ring would have them.
    #[must_use]
    pub fn pins(&self) -> &Pins {
        &self.pins
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
        find(&self.roll, incarnation)
    }

    /// Who owns the actor with this hash.
    #[must_use]
    pub fn owner(&self, hash: u64) -> Option<&Arc<Member>> {
        if !self.pins.is_empty()
            && let Some(pinned) = self.pins.get(&hash).and_then(|owner| self.find(*owner))
        {
            return Some(pinned);
        }
        self.roll.ring().owner(hash)
    }

    /// Stable hash of members and pins, to detect a gap between two machines.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }
}

fn find(roll: &Roll, incarnation: Incarnation) -> Option<&Arc<Member>> {
    let members = roll.members();
    let at = members.binary_search_by_key(&incarnation, |member| member.incarnation);
    at.ok().map(|at| &members[at])
}

/// The hash of a table whose members have the hash `members`.
///
/// Wire: without pins it is that of the members; else those eight bytes, then for each pin the
/// hash of the actor's id and the incarnation, eight bytes each, big endian, through the hash
/// of the ring.
#[must_use]
pub fn content_hash_with(members: u64, pins: &Pins) -> u64 {
    if pins.is_empty() {
        return members;
    }
    let mut bytes = members.to_be_bytes().to_vec();
    for (actor, owner) in pins {
        bytes.extend_from_slice(&actor.to_be_bytes());
        bytes.extend_from_slice(&owner.0.to_be_bytes());
    }
    ring_hash(&bytes)
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
        Table::new(Epoch { term: 1, n }, members, Pins::new(), rings, None)
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
        let Update::Delta { previous, joined, left, pins } = one.delta_to(&two) else {
            unreachable!("a delta")
        };
        assert_eq!(
            (previous, left.as_slice()),
            (one.epoch(), &[Incarnation(1), Incarnation(2)][..])
        );
        let next = one.next(two.epoch(), &joined, &left, &pins, &rings);
        assert_eq!((&next, next.hash()), (&two, two.hash()));
        assert_ne!(one.hash(), two.hash());
    }
    #[test]
    fn a_pin_decides_for_one_actor_and_ends_with_its_host() {
        let rings = Rings::default();
        let members = [member(1, "a:1"), member(2, "b:1"), member(3, "c:1")];
        let plain = table(1, &members, &rings);
        let (actor, other) = (7, 99);
        let owner = plain.owner(actor).unwrap().incarnation;
        let to = members.iter().map(|m| m.incarnation).find(|m| *m != owner).unwrap();
        let epoch = |n| Epoch { term: 1, n };
        let pinned = Table::new(epoch(2), &members, [(actor, to)].into(), &rings, None);
        assert_eq!(pinned.owner(actor).unwrap().incarnation, to);
        assert_eq!(pinned.owner(other), plain.owner(other));
        assert!(pinned.hash() != plain.hash() && !pinned.says_as(&plain));
        let next = |from: &Table, later: &Table| {
            let Update::Delta { joined, left, pins, .. } = from.delta_to(later) else {
                unreachable!("a delta")
            };
            (pins.clone(), from.next(later.epoch(), &joined, &left, &pins, &rings))
        };
        // There, and back, and moved on.
        assert_eq!(next(&plain, &pinned), ([(actor, Some(to))].into(), pinned.clone()));
        let back = table(3, &members, &rings);
        assert_eq!(next(&pinned, &back), ([(actor, None)].into(), back.clone()));
        let on = Table::new(epoch(4), &members, [(actor, owner)].into(), &rings, None);
        assert_eq!(next(&pinned, &on), ([(actor, Some(owner))].into(), on.clone()));
        // Without its host the pin ends without a word.
        let rest: Vec<_> = members.iter().filter(|m| m.incarnation != to).cloned().collect();
        let left = Table::new(epoch(5), &rest, pinned.pins().clone(), &rings, Some(&pinned));
        assert!(left.pins().is_empty());
        assert_eq!(next(&pinned, &left), (PinChanges::new(), left.clone()));
        assert_eq!(Table::from_data(&pinned.to_data(), &rings, None), pinned);
    }
}
