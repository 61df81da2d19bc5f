//! The gate in tables: each trap of `design/ownership.md` that can be told here.
//!
//! Tables of one host make the owner of every actor plain: `"A B A"` is a chain in
//! which A owns it, then B, then A again, under the epochs 1.1, 1.2 and 1.3.

use odeon_base::HostName;

use super::*;

const A: Incarnation = Incarnation(0xA);
const B: Incarnation = Incarnation(0xB);
const C: Incarnation = Incarnation(0xC);
const D: Incarnation = Incarnation(0xD);
const HASH: u64 = 7;

fn epoch(n: u64) -> Epoch {
    Epoch { term: 1, n }
}

fn member(name: char) -> Member {
    let digit = name.to_digit(16).unwrap();
    let host = format!("{name}:1");
    Member {
        incarnation: Incarnation(u64::from(digit)),
        host: HostName::parse(&host).unwrap(),
        address: host.into(),
    }
}

/// A letter is a table with that host alone, `-` one without any, `AB` one with both.
fn chain(owners: &str) -> Chain {
    let rings = Rings::default();
    let tables: Vec<TableData> = (1..)
        .zip(owners.split(' '))
        .map(|(n, names)| TableData {
            epoch: epoch(n),
            members: names.chars().filter(|c| *c != '-').map(member).collect(),
            pins: Pins::new(),
        })
        .collect();
    let last = tables.last().unwrap().clone();
    let hash = Table::from_data(&last, &rings, None).hash();
    let mut chain = Chain::new(&rings);
    let update = Update::Chain { tables, marks: Marks::new() };
    chain.prepare(last.epoch, &update, hash).unwrap();
    chain
}

fn with_marks(owners: &str, marks: &[(Incarnation, Mark)]) -> Chain {
    let mut chain = chain(owners);
    let base = chain.base().epoch();
    chain.commit(&marks.iter().copied().collect(), base);
    chain
}

fn released(n: u64) -> Mark {
    Mark::Released(epoch(n))
}

fn open(n: u64) -> Gate {
    Gate::Open { epoch: epoch(n) }
}

fn shut(n: u64) -> Gate {
    Gate::Shut { epoch: epoch(n) }
}

fn elsewhere(n: u64, owner: char) -> Gate {
    Gate::Elsewhere { epoch: epoch(n), owner: Arc::new(member(owner)) }
}

#[test]
fn the_gate_opens_when_every_earlier_owner_has_let_go() {
    for (owners, marks, me, expected) in [
        ("-", vec![], A, Gate::NoHost),
        ("A -", vec![], A, Gate::NoHost),
        ("A", vec![], A, open(1)),
        ("A", vec![], B, elsewhere(1, 'A')),
        // Taken: the former owner is shut out at once, the new one waits for its mark.
        ("A B", vec![], A, elsewhere(2, 'B')),
        ("A B", vec![], B, shut(2)),
        ("A B", vec![(A, released(1))], B, shut(2)),
        ("A B", vec![(A, released(2))], B, open(2)),
        // A leaver stands in no newer table and is still waited for; its death ends the wait.
        ("A - B", vec![], B, shut(3)),
        ("A - B", vec![(A, released(2))], B, open(3)),
        ("A B", vec![(A, Mark::Gone)], B, open(2)),
        // The type had nobody before: there is nobody to wait for.
        ("- A", vec![], A, open(2)),
        // An owner is asked for the table that took the actor, not for later ones.
        ("A B C", vec![(A, released(2)), (B, released(2))], C, shut(3)),
        ("A B C", vec![(A, released(2)), (B, released(3))], C, open(3)),
        ("A B C", vec![(B, released(3))], C, shut(3)),
        ("A A B", vec![(A, released(2))], B, shut(3)),
        ("A A B", vec![(A, released(3))], B, open(3)),
    ] {
        assert_eq!(with_marks(owners, &marks).gate(me, HASH), expected, "{owners} {marks:?}");
    }
}

#[test]
fn trap_a_mark_does_not_pass_over_an_actor_taken_and_given_back() {
    for (owners, marks, me, expected) in [
        // Given back: A waits for B, which may have begun once A let go; its own past is no obstacle.
        ("A B A", vec![], A, shut(3)),
        ("A B A", vec![(B, released(2))], A, shut(3)),
        ("A B A", vec![(B, released(3))], A, open(3)),
        ("A B A", vec![(B, Mark::Gone)], A, open(3)),
        // Taken once more: what A released the first time says nothing of the second.
        ("A B A B", vec![(A, released(2))], B, shut(4)),
        ("A B A B", vec![(A, released(3))], B, shut(4)),
        ("A B A B", vec![(A, released(4))], B, open(4)),
    ] {
        assert_eq!(with_marks(owners, &marks).gate(me, HASH), expected, "{owners} {marks:?}");
    }
}

#[test]
fn trap_what_one_host_released_opens_while_another_drains() {
    // C takes over from A and B; only B has released.
    let chain = with_marks("AB C", &[(B, released(2))]);
    let base = chain.base();
    let hashes = || (0..64_u64).map(|n| n << 58);
    let of = |owner: Incarnation| {
        hashes().filter(move |hash| base.owner(*hash).unwrap().incarnation == owner)
    };
    assert!(of(A).next().is_some() && of(B).next().is_some());
    assert!(of(A).all(|hash| chain.gate(C, hash) == shut(2)));
    assert!(of(B).all(|hash| chain.gate(C, hash) == open(2)));
}

#[test]
fn only_movers_wait() {
    let chain = chain("AB ABC");
    for hash in (0..64_u64).map(|n| n << 58) {
        let before = chain.base().owner(hash).unwrap().incarnation;
        let after = chain.newest().owner(hash).unwrap().incarnation;
        let expected = if before == after { open(2) } else { shut(2) };
        assert_eq!(chain.gate(after, hash), expected);
    }
}

#[test]
fn traps_calls_of_running_turns_are_let_in_behind_a_shut_gate() {
    let gone = |who| vec![(who, Mark::Gone)];
    for (owners, marks, me, own, expected) in [
        // Open anyhow: the newest epoch.
        ("A", vec![], A, None, open(1)),
        // Shut for others, open for a running turn's call, under the epoch of the
        // piece and not the newest: its fence must stay below the next owner's.
        ("A B", vec![], A, None, open(1)),
        ("A B", vec![], A, Some(1), open(1)),
        // Once A has released that table, B may have begun.
        ("A B", vec![], A, Some(2), elsewhere(2, 'B')),
        // C died, so A gained the actor in 2, and 3 takes it: no mark of A's covers it, let in.
        ("C A D", gone(C), A, None, open(2)),
        ("C A D", gone(C), A, Some(2), open(2)),
        ("C A D", gone(C), A, Some(3), elsewhere(3, 'D')),
        // Never opened here: C still drains, so there is no piece that opens it.
        ("C A D", vec![], A, None, elsewhere(3, 'D')),
        // A piece in the middle opens when the mark comes late.
        ("C A D", vec![(C, released(2))], A, None, open(2)),
        // The next owner itself has no shorter piece that names it.
        ("A B", vec![], B, None, shut(2)),
        // Given back: shut for new calls until B lets go, open for running turns under 1.
        ("A B A", vec![], A, None, open(1)),
        ("A B A", vec![], A, Some(2), shut(3)),
        // The longest piece that opens counts, its successor is the table that shut it.
        ("A A B", vec![], A, Some(2), open(2)),
        ("A -", vec![], A, None, open(1)),
        ("A -", vec![], A, Some(2), Gate::NoHost),
    ] {
        let chain = with_marks(owners, &marks);
        let found = chain.gate_for_chain(me, HASH, own.map(epoch));
        assert_eq!(found, expected, "{owners} {marks:?} {own:?}");
    }
}

#[test]
fn a_new_incarnation_waits_for_the_one_before_it() {
    let again = |incarnation| Member { incarnation, ..member('A') };
    let rings = Rings::default();
    let one = Table::new(epoch(1), &[Arc::new(again(A))], Pins::new(), &rings, None);
    let two = Table::new(epoch(2), &[Arc::new(again(D))], Pins::new(), &rings, None);
    let mut chain = Chain::new(&rings);
    chain.prepare(epoch(1), &chain.newest().delta_to(&one), one.hash()).unwrap();
    chain.prepare(epoch(2), &one.delta_to(&two), two.hash()).unwrap();
    assert_eq!(chain.gate(D, HASH), shut(2));
    chain.commit(&Marks::from([(A, Mark::Gone)]), epoch(2));
    assert_eq!(chain.gate(D, HASH), open(2));
    assert!(chain.is_committed());
    assert_eq!(chain.marks().len(), 0, "who stands in no table is forgotten");
}

#[test]
fn marks_only_grow_and_a_base_only_advances() {
    let mut chain = with_marks("A B C", &[(A, released(3))]);
    chain.commit(&Marks::from([(A, released(2))]), epoch(1));
    assert!(chain.has_released(A, epoch(3)));
    chain.commit(&Marks::from([(A, Mark::Gone)]), epoch(2));
    chain.commit(&Marks::from([(A, released(3)), (B, released(3))]), epoch(1));
    assert_eq!(chain.base().epoch(), epoch(2));
    assert!(!chain.is_committed());
    chain.commit(&Marks::new(), epoch(3));
    assert_eq!((chain.base().epoch(), chain.is_committed()), (epoch(3), true));
}

#[test]
fn trap_no_table_is_skipped() {
    let rings = Rings::default();
    let table =
        |n, name| Table::new(epoch(n), &[Arc::new(member(name))], Pins::new(), &rings, None);
    let (one, two, three) = (table(1, 'A'), table(2, 'B'), table(3, 'C'));
    let mut chain = chain("A");
    let before = chain.to_update();
    for (epoch_sent, update, hash, gap) in [
        (
            epoch(3),
            two.delta_to(&three),
            three.hash(),
            Gap::Previous { epoch: epoch(3), previous: epoch(2), newest: epoch(1) },
        ),
        (
            epoch(2),
            one.delta_to(&two),
            1,
            Gap::Hash { epoch: epoch(2), expected: 1, found: two.hash() },
        ),
        (
            epoch(1),
            one.delta_to(&one),
            one.hash(),
            Gap::Order { epoch: epoch(1), newest: epoch(1) },
        ),
        (
            epoch(3),
            Update::Chain { tables: vec![three.to_data(), two.to_data()], marks: Marks::new() },
            three.hash(),
            Gap::Order { epoch: epoch(3), newest: epoch(1) },
        ),
    ] {
        assert_eq!(chain.prepare(epoch_sent, &update, hash), Err(gap));
        assert_eq!(chain.to_update(), before, "a refused table leaves the chain as it was");
    }
}

#[test]
fn a_whole_chain_replaces_the_tables_but_not_what_is_committed() {
    let mut far = with_marks("A B C", &[(A, released(3)), (B, released(3))]);
    let sent = far.to_update();
    let hash = far.newest().hash();
    far.commit(&Marks::new(), epoch(3));
    // A leader that knows an older base sends it all; what is committed here stays so.
    far.prepare(epoch(3), &sent, hash).unwrap();
    assert!(far.is_committed());
    // One that lags behind takes the tables and the marks.
    let mut near = chain("A");
    near.prepare(epoch(3), &sent, hash).unwrap();
    assert_eq!((near.tables().len(), near.gate(C, HASH)), (3, open(3)));
    // One that knows more is not set back.
    let mut ahead = chain("A B C D");
    assert!(matches!(ahead.prepare(epoch(3), &sent, hash), Err(Gap::Order { .. })));
}
