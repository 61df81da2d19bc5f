//! One ring for all types that the same hosts offer.
//!
//! A host's types mostly come and go together, so their tables have equal
//! members; sharing makes a change cost one ring instead of one for each type.
//! It knows members only, no types and no epochs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use odeon_base::ident::ring_hash;

use crate::change::Member;
use crate::ring::{Positions, Ring};

/// The rings in use, by their members. Cheap to clone; clones share what they know.
///
/// The lock is taken while a table is made, never while an owner is looked up.
#[derive(Clone, Default)]
pub struct Rings {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    positions: Positions,
    /// Weak, so that a ring lives as long as the last table that uses it.
    rings: BTreeMap<u64, Weak<Ring>>,
}

impl Rings {
    /// The ring of these members; `earlier` is where to start from if it must be built.
    #[must_use]
    pub fn ring(&self, members: &[Arc<Member>], earlier: Option<&Ring>) -> Arc<Ring> {
        let mut sorted = members.to_vec();
        sorted.sort_by_key(|member| member.incarnation);
        let hash = content_hash(&sorted);
        // Whatever panics in here leaves at worst an entry missing.
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = inner.rings.get(&hash).and_then(Weak::upgrade)
            && has_members(&known, &sorted)
        {
            return known;
        }
        let built = Arc::new(match earlier {
            Some(ring) => ring.next(members, &mut inner.positions),
            None => Ring::build(members, &mut inner.positions),
        });
        inner.rings.retain(|_, ring| ring.strong_count() > 0);
        inner.rings.insert(hash, Arc::downgrade(&built));
        built
    }

    /// Number of rings that some table uses.
    #[must_use]
    pub fn len(&self) -> usize {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.rings.values().filter(|ring| ring.strong_count() > 0).count()
    }

    /// Whether no table uses a ring.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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
pub fn content_hash(members: &[Arc<Member>]) -> u64 {
    let mut bytes = Vec::with_capacity(members.len() * 64);
    for member in members {
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

fn has_members(ring: &Ring, sorted: &[Arc<Member>]) -> bool {
    let mut of_ring = ring.members().to_vec();
    of_ring.sort_by_key(|member| member.incarnation);
    of_ring == sorted
}

#[cfg(test)]
mod tests {
    use odeon_base::{HostName, Incarnation};

    use super::*;

    fn member(incarnation: u64, host: &str) -> Arc<Member> {
        Arc::new(Member {
            incarnation: Incarnation(incarnation),
            host: HostName::parse(host).unwrap(),
            address: host.into(),
        })
    }

    #[test]
    fn equal_members_share_one_ring_for_as_long_as_it_is_used() {
        let rings = Rings::default();
        let (a, b) = (member(1, "a:1"), member(2, "b:1"));
        let one = rings.ring(&[Arc::clone(&a), Arc::clone(&b)], None);
        let two = rings.ring(&[b, Arc::clone(&a)], None);
        assert!(Arc::ptr_eq(&one, &two));
        let other = rings.ring(&[a, member(3, "b:1")], Some(&one));
        assert!(!Arc::ptr_eq(&one, &other), "another incarnation is another member");
        assert_eq!(rings.len(), 2);
        drop((one, two, other));
        assert!(rings.is_empty());
    }

    #[test]
    fn the_hash_of_members_is_a_wire_format() {
        let members = [member(1, "10.0.0.1:50001"), member(2, "10.0.0.2:50001")];
        assert_eq!(content_hash(&[]), 241_225_442_164_632_184, "RING-1: the hash of nothing");
        assert_eq!(content_hash(&members), 102_486_447_469_031_790);
    }
}
