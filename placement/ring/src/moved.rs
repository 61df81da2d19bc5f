//! What moves between two rings: the exact ranges of hashes that change owner.
//!
//! This is what a drain, a console or a test asks after a membership change
//! (RING-4). It looks at nothing but two rings.

use std::sync::Arc;

use crate::change::Member;
use crate::ring::{Ring, VirtualNode};

/// A range of hashes with another owner than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedRange {
    /// The first hash.
    pub start: u64,
    /// The last hash, included.
    pub end: u64,
    /// Who owned it; `None` if the ring was empty.
    pub from: Option<Arc<Member>>,
    /// Who owns it now; `None` if the ring is empty.
    pub to: Option<Arc<Member>>,
}

/// The ranges that change owner from `old` to `new`: ascending, disjoint, as few as possible.
///
/// The owner is an incarnation: a host that came back as another one takes over all it had.
#[must_use]
pub fn diff(old: &Ring, new: &Ring) -> Vec<MovedRange> {
    let mut moved: Vec<MovedRange> = Vec::new();
    let mut start = 0;
    for end in ends(old.points(), new.points()) {
        let (from, to) = (old.owner(end), new.owner(end));
        if from.map(|m| m.incarnation) != to.map(|m| m.incarnation) {
            let range = MovedRange { start, end, from: from.cloned(), to: to.cloned() };
            push(&mut moved, range);
        }
        match end.checked_add(1) {
            Some(next) => start = next,
            None => break,
        }
    }
    moved
}

/// Where owners can change in either ring: every position, once, and the last hash of all.
///
/// A position belongs to the range that it ends, since an owner is the first node at or
/// after a hash; the range past the last position has the owner of the first.
fn ends(old: &[VirtualNode], new: &[VirtualNode]) -> Vec<u64> {
    let both = old.iter().chain(new).map(|node| node.position);
    let mut ends: Vec<u64> = both.chain([u64::MAX]).collect();
    ends.sort_unstable();
    ends.dedup();
    ends
}

fn push(moved: &mut Vec<MovedRange>, range: MovedRange) {
    match moved.last_mut() {
        Some(last)
            if last.end.checked_add(1) == Some(range.start)
                && last.from == range.from
                && last.to == range.to =>
        {
            last.end = range.end;
        }
        _ => moved.push(range),
    }
}

#[cfg(test)]
mod tests {
    use odeon_base::{HostName, Incarnation};

    use super::*;
    use crate::ring::Positions;

    fn ring(members: &[(u64, &str)]) -> Ring {
        let members: Vec<_> = members
            .iter()
            .map(|(incarnation, host)| {
                Arc::new(Member {
                    incarnation: Incarnation(*incarnation),
                    host: HostName::parse(host).unwrap(),
                    address: (*host).into(),
                })
            })
            .collect();
        Ring::build(&members, &mut Positions::default())
    }

    /// Number of hashes in all ranges.
    fn size(moved: &[MovedRange]) -> u128 {
        moved.iter().map(|range| u128::from(range.end - range.start) + 1).sum()
    }

    #[test]
    fn all_or_nothing_moves_at_the_extremes() {
        let (nobody, one, again) = (ring(&[]), ring(&[(1, "a:1")]), ring(&[(2, "a:1")]));
        assert_eq!(diff(&nobody, &nobody), []);
        assert_eq!(diff(&one, &one), []);
        for (old, new) in [(&nobody, &one), (&one, &nobody), (&one, &again)] {
            let moved = diff(old, new);
            assert_eq!(moved.len(), 1, "one range: all of it");
            assert_eq!((moved[0].start, moved[0].end), (0, u64::MAX));
            assert_eq!(moved[0].from.as_ref(), old.owner(7));
            assert_eq!(moved[0].to.as_ref(), new.owner(7));
        }
    }

    #[test]
    fn a_range_is_exact_at_both_ends() {
        let old = ring(&[(1, "a:1"), (2, "b:1")]);
        let new = ring(&[(1, "a:1"), (2, "b:1"), (3, "c:1")]);
        let moved = diff(&old, &new);
        assert!(!moved.is_empty());
        for range in &moved {
            for hash in [range.start, range.end] {
                assert_eq!(old.owner(hash), range.from.as_ref());
                assert_eq!(new.owner(hash), range.to.as_ref());
            }
            for outside in [range.start.checked_sub(1), range.end.checked_add(1)] {
                let Some(hash) = outside else { continue };
                assert!(
                    old.owner(hash) == new.owner(hash)
                        || (old.owner(hash), new.owner(hash))
                            != (range.from.as_ref(), range.to.as_ref())
                );
            }
        }
        let share = size(&moved) as f64 / 2_f64.powi(64);
        assert!((0.2..0.5).contains(&share), "about a third moves: {share}");
    }
}
