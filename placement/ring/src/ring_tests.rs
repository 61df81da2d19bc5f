//! Golden vectors (RING-1), properties (RING-5) and a measurement on demand.

use odeon_base::{ActorId, Incarnation};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;
use crate::moved::diff;

fn member(incarnation: u64, host: &str) -> Arc<Member> {
    Arc::new(Member {
        incarnation: Incarnation(incarnation),
        host: HostName::parse(host).unwrap(),
        address: host.into(),
    })
}

fn members(hosts: &[u8]) -> Vec<Arc<Member>> {
    hosts.iter().map(|h| member(u64::from(*h), &format!("10.0.0.{h}:50001"))).collect()
}

fn build(hosts: &[u8]) -> Ring {
    Ring::build(&members(hosts), &mut Positions::default())
}

#[test]
fn owners_are_daprs() {
    let ring = build(&[1, 2, 3]);
    let (first, last) = (ring.points()[0], ring.points()[ring.len() - 1]);
    assert_eq!(ring.len(), 300);
    assert_eq!((first.position, first.member), (31_182_002_556_585_040, 1));
    assert_eq!((last.position, last.member), (18_443_167_824_965_865_677, 2));
    for (id, host) in [
        ("actor-1", 2),
        ("actor-2", 2),
        ("actor-3", 1),
        ("order||42", 2),
        ("Ä", 3),
        ("0", 3),
        ("user@example.com", 3),
    ] {
        let owner = ring.owner(ActorId::parse(id).unwrap().hash()).unwrap();
        assert_eq!(owner.host.as_str(), format!("10.0.0.{host}:50001"), "{id}");
    }
    // The empty id is no actor's, but the vector holds for its hash.
    assert_eq!(ring.owner(ring_hash(b"")).unwrap().host.as_str(), "10.0.0.3:50001");
}

#[test]
fn a_position_of_two_hosts_belongs_to_the_smaller_one() {
    // `ip:5000` with index 12 hashes the text of `ip:50001` with index 2.
    let (short, long) = (member(1, "10.0.0.1:5000"), member(2, "10.0.0.1:50001"));
    let mut positions = Positions::default();
    let shared = ring_hash(b"10.0.0.1:500012");
    let both = [Arc::clone(&short), Arc::clone(&long)];
    let reversed = [Arc::clone(&long), Arc::clone(&short)];
    for given in [both.as_slice(), &reversed] {
        let ring = Ring::build(given, &mut positions);
        assert!(ring.has_ties && ring.len() < 200);
        assert_eq!(ring.owner(shared).unwrap().incarnation, short.incarnation);
    }
    // The loser gets its position back when the winner goes.
    let both = Ring::build(&both, &mut positions);
    let left = both.next(&[Arc::clone(&long)], &mut positions);
    assert_eq!(left.points(), Ring::build(&[long], &mut positions).points());
}

#[test]
fn a_ring_of_one_or_none_needs_no_search() {
    assert_eq!(build(&[]).owner(7), None);
    assert!(build(&[]).is_empty());
    let one = build(&[9]);
    assert_eq!(one.owner(0).unwrap().incarnation.0, 9);
    assert_eq!(one.owner(u64::MAX).unwrap().incarnation.0, 9);
}

#[test]
fn positions_are_kept_up_to_a_limit() {
    let mut positions = Positions::default();
    let host = HostName::parse("a:1").unwrap();
    assert!(Arc::ptr_eq(&positions.of(&host), &positions.of(&host)));
    for n in 0..POSITIONS_MAX {
        let name = HostName::parse(&format!("h{n}")).unwrap();
        positions.known.insert(name, Arc::from([0].as_slice()));
    }
    positions.of(&HostName::parse("one-more").unwrap());
    assert_eq!(positions.known.len(), 1);
}

/// The rule in its plainest form: sort all (position, host), search.
fn plain_owner(hosts: &[Arc<Member>], hash: u64) -> Option<Arc<Member>> {
    let mut points: Vec<(u64, &HostName, &Arc<Member>)> = hosts
        .iter()
        .flat_map(|m| (0..VIRTUAL_NODES).map(move |i| (m, format!("{}{i}", m.host))))
        .map(|(m, text)| (ring_hash(text.as_bytes()), &m.host, m))
        .collect();
    points.sort();
    points.dedup_by_key(|point| point.0);
    let at = points.partition_point(|point| point.0 < hash);
    points.get(at).or(points.first()).map(|point| Arc::clone(point.2))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_agrees_with_a_plain_binary_search(
        hosts in btree_set(1_u8..40, 0..12),
        hashes in vec(any::<u64>(), 1..50),
    ) {
        let hosts = members(&hosts.into_iter().collect::<Vec<_>>());
        let ring = Ring::build(&hosts, &mut Positions::default());
        let on_points = ring.points().iter().take(20).flat_map(|p| [p.position, p.position + 1]);
        for hash in hashes.into_iter().chain(on_points) {
            prop_assert_eq!(ring.owner(hash).cloned(), plain_owner(&hosts, hash));
        }
    }

    #[test]
    fn every_id_has_an_owner_iff_there_are_hosts(
        hosts in btree_set(1_u8..40, 0..8),
        hash in any::<u64>(),
    ) {
        let ring = build(&hosts.iter().copied().collect::<Vec<_>>());
        prop_assert_eq!(ring.owner(hash).is_some(), !hosts.is_empty());
    }

    #[test]
    fn a_join_moves_only_to_the_joiner_and_a_leave_only_from_the_leaver(
        hosts in btree_set(1_u8..40, 1..10),
        joiner in 40_u8..50,
    ) {
        let few: Vec<u8> = hosts.into_iter().collect();
        let many: Vec<u8> = few.iter().copied().chain([joiner]).collect();
        let (small, large) = (build(&few), build(&many));
        let joiner = Incarnation(u64::from(joiner));
        let joined = diff(&small, &large);
        let left = diff(&large, &small);
        prop_assert!(!joined.is_empty());
        for range in joined {
            prop_assert_eq!(range.to.map(|m| m.incarnation), Some(joiner));
        }
        for range in left {
            prop_assert_eq!(range.from.map(|m| m.incarnation), Some(joiner));
        }
    }

    #[test]
    fn neither_order_nor_history_matters(
        before in btree_set(1_u8..30, 0..10),
        after in btree_set(1_u8..30, 0..10),
        rotate in 0_usize..10,
    ) {
        let mut hosts: Vec<u8> = after.into_iter().collect();
        let plain = build(&hosts);
        if !hosts.is_empty() {
            let by = rotate % hosts.len();
            hosts.rotate_left(by);
        }
        let mut positions = Positions::default();
        let earlier: Vec<u8> = before.into_iter().collect();
        let earlier = Ring::build(&members(&earlier), &mut positions);
        let next = earlier.next(&members(&hosts), &mut positions);
        prop_assert_eq!(&next, &plain);
        prop_assert_eq!(next.points(), plain.points());
    }

    #[test]
    fn the_moved_ranges_are_exactly_what_changed(
        before in btree_set(1_u8..20, 0..6),
        after in btree_set(1_u8..20, 0..6),
        hashes in vec(any::<u64>(), 1..50),
    ) {
        let (old, new) = (
            build(&before.into_iter().collect::<Vec<_>>()),
            build(&after.into_iter().collect::<Vec<_>>()),
        );
        let moved = diff(&old, &new);
        prop_assert!(moved.windows(2).all(|pair| pair[0].end < pair[1].start));
        for hash in hashes {
            let range = moved.iter().find(|r| (r.start..=r.end).contains(&hash));
            match range {
                Some(range) => {
                    prop_assert_eq!(range.from.as_ref(), old.owner(hash));
                    prop_assert_eq!(range.to.as_ref(), new.owner(hash));
                    prop_assert_ne!(&range.from, &range.to);
                }
                None => prop_assert_eq!(old.owner(hash), new.owner(hash)),
            }
        }
    }
}
