//! One ring for all types that the same hosts offer.
//!
//! A host's types mostly come and go together, so their tables have equal
//! members; sharing makes a change cost one ring instead of one for each type.
//! It knows members only, no types and no epochs.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use odeon_base::ident::ring_hash;
use odeon_base::{HostName, Incarnation};

use crate::change::Member;
use crate::ring::{Positions, Ring};

/// Those who stand in a table, with their ring. It never changes.
#[derive(Debug, PartialEq, Eq)]
pub struct Roll {
    /// In order of incarnation, one for each host.
    members: Vec<Arc<Member>>,
    ring: Ring,
    hash: u64,
}

impl Roll {
    /// The members, in order of incarnation.
    #[must_use]
    pub fn members(&self) -> &[Arc<Member>] {
        &self.members
    }

    /// Their ring.
    #[must_use]
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Their [`content_hash`].
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }
}

/// The rolls in use, by their members. Cheap to clone; clones share what they know.
///
/// The lock is taken while a table is made, never while an owner is looked up.
#[derive(Clone, Default)]
pub struct Rings {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    positions: Positions,
    /// Weak, so that a roll lives as long as the last table that uses it.
    rolls: BTreeMap<u64, Weak<Roll>>,
    /// What the leader asked last for a type, and what came of it: it asks the same for the next.
    last_asked: Option<(Vec<Arc<Member>>, Weak<Roll>)>,
    /// The delta that was taken last: a host gets the same for the next type.
    last_step: Option<Step>,
}

/// How one roll was made of another.
struct Step {
    from: Weak<Roll>,
    joined: Vec<Member>,
    left: Vec<Incarnation>,
    to: Weak<Roll>,
}

impl Rings {
    /// The roll of these members, who come in order of joining: of two incarnations of one host
    /// the later stands, since a ring has one place for each. `earlier` is where to start from if a ring must be built.
    #[must_use]
    pub fn roll(&self, members: &[Arc<Member>], earlier: Option<&Roll>) -> Arc<Roll> {
        self.with(|inner| {
            let last = inner.last_asked.as_ref().filter(|(asked, _)| asked == members);
            if let Some(known) = last.and_then(|(_, roll)| roll.upgrade()) {
                return known;
            }
            let roll = inner.roll(members.iter().cloned(), earlier);
            inner.last_asked = Some((members.to_vec(), Arc::downgrade(&roll)));
            roll
        })
    }

    /// The roll of members that were told one by one, mostly in order of incarnation.
    #[must_use]
    pub fn roll_of(&self, members: &[Member], earlier: Option<&Roll>) -> Arc<Roll> {
        self.with(|inner| {
            let is_same = |roll: &Arc<Roll>| roll.members.iter().map(AsRef::as_ref).eq(members);
            let known = inner.rolls.get(&content_hash(members)).and_then(Weak::upgrade);
            known
                .filter(is_same)
                .unwrap_or_else(|| inner.roll(members.iter().cloned().map(Arc::new), earlier))
        })
    }

    /// What a roll becomes when some join and others leave.
    #[must_use]
    pub fn next(&self, from: &Arc<Roll>, joined: &[Member], left: &[Incarnation]) -> Arc<Roll> {
        if joined.is_empty() && left.is_empty() {
            return Arc::clone(from);
        }
        self.with(|inner| {
            let is_same = |step: &&Step| {
                std::ptr::eq(step.from.as_ptr(), Arc::as_ptr(from))
                    && step.joined == joined
                    && step.left == left
            };
            let last = inner.last_step.as_ref().filter(is_same);
            if let Some(known) = last.and_then(|step| step.to.upgrade()) {
                return known;
            }
            let gone: BTreeSet<_> = left.iter().collect();
            let stay = from.members.iter().filter(|m| !gone.contains(&m.incarnation)).cloned();
            let come = joined.iter().cloned().map(Arc::new);
            let to = inner.roll(stay.chain(come), Some(from));
            let (joined, left) = (joined.to_vec(), left.to_vec());
            // The weak count keeps the memory of `from`, so no other roll can have its place.
            let (from, made) = (Arc::downgrade(from), Arc::downgrade(&to));
            inner.last_step = Some(Step { from, joined, left, to: made });
            to
        })
    }

    /// Number of rolls that some table uses.
    #[must_use]
    pub fn len(&self) -> usize {
        self.with(|inner| inner.rolls.values().filter(|roll| roll.strong_count() > 0).count())
    }

    /// Whether no table uses a roll.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        // Whatever panics in here leaves at worst an entry missing.
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    fn roll(
        &mut self,
        members: impl Iterator<Item = Arc<Member>>,
        earlier: Option<&Roll>,
    ) -> Arc<Roll> {
        let by_host: BTreeMap<HostName, Arc<Member>> =
            members.map(|member| (member.host.clone(), member)).collect();
        let mut members: Vec<_> = by_host.into_values().collect();
        members.sort_by_key(|member| member.incarnation);
        let hash = content_hash(&members);
        let known = self.rolls.get(&hash).and_then(Weak::upgrade);
        if let Some(known) = known.filter(|roll| roll.members == members) {
            return known;
        }
        let ring = match earlier {
            Some(roll) => roll.ring.next(&members, &mut self.positions),
            None => Ring::build(&members, &mut self.positions),
        };
        let built = Arc::new(Roll { members, ring, hash });
        self.rolls.retain(|_, roll| roll.strong_count() > 0);
        self.rolls.insert(hash, Arc::downgrade(&built));
        built
    }
}

impl fmt::Debug for Rings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rings").field("len", &self.len()).finish()
    }
}

/// Stable hash of members in order of incarnation.
///
/// Wire: for each its incarnation (8 bytes), the length of its host's name (4 bytes)
/// and the name, the length of its address and the address; all big endian; the
/// whole through the hash of the ring.
#[must_use]
pub fn content_hash<M: Borrow<Member>>(members: &[M]) -> u64 {
    let mut bytes = Vec::with_capacity(members.len() * 64);
    for member in members.iter().map(Borrow::borrow) {
        bytes.extend_from_slice(&member.incarnation.0.to_be_bytes());
        for text in [member.host.as_str(), &member.address] {
            // Names are bounded to a few hundred bytes, so the length always fits.
            let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    ring_hash(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(incarnation: u64, host: &str) -> Arc<Member> {
        Arc::new(Member {
            incarnation: Incarnation(incarnation),
            host: HostName::parse(host).unwrap(),
            address: host.into(),
        })
    }

    #[test]
    fn equal_members_share_one_roll_for_as_long_as_it_is_used() {
        let rings = Rings::default();
        let (a, b) = (member(1, "a:1"), member(2, "b:1"));
        let one = rings.roll(&[Arc::clone(&a), Arc::clone(&b)], None);
        let two = rings.roll(&[Arc::clone(&b), Arc::clone(&a)], None);
        assert!(Arc::ptr_eq(&one, &two));
        assert!(Arc::ptr_eq(&one, &rings.roll_of(&[(*a).clone(), (*b).clone()], None)));
        let other = rings.roll(&[a, member(3, "b:1")], Some(&one));
        assert!(!Arc::ptr_eq(&one, &other), "another incarnation is another member");
        assert_eq!(rings.len(), 2);
        drop((one, two, other));
        assert!(rings.is_empty());
    }

    #[test]
    fn what_is_asked_twice_is_made_once() {
        let rings = Rings::default();
        let (a, b, c) = (member(1, "a:1"), member(2, "b:1"), member(3, "c:1"));
        let one = rings.roll(&[Arc::clone(&a), b], None);
        let joined = [(*c).clone()];
        let two = rings.next(&one, &joined, &[Incarnation(2)]);
        assert!(Arc::ptr_eq(&two, &rings.next(&one, &joined, &[Incarnation(2)])));
        assert!(Arc::ptr_eq(&one, &rings.next(&one, &[], &[])));
        let names =
            |roll: &Roll| roll.members().iter().map(|m| m.incarnation.0).collect::<Vec<_>>();
        assert_eq!(names(&two), [1, 3]);
        assert_eq!(names(&rings.next(&two, &joined, &[Incarnation(1)])), [3]);
        assert_eq!(names(&rings.next(&one, &joined, &[])), [1, 2, 3]);
        assert_eq!(names(&rings.roll_of(&[(*a).clone()], None)), [1]);
        assert_eq!(names(&rings.roll_of(&joined, None)), [3]);
    }

    #[test]
    fn the_hash_of_members_is_a_wire_format() {
        let members = [member(1, "10.0.0.1:50001"), member(2, "10.0.0.2:50001")];
        let nobody: [Member; 0] = [];
        assert_eq!(content_hash(&nobody), 241_225_442_164_632_184, "RING-1: the hash of nothing");
        assert_eq!(content_hash(&members), 102_486_447_469_031_790);
    }
}
