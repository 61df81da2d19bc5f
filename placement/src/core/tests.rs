//! The tables of the specification, row by row: events in, actions out.
//!
//! `bench` holds the short language that the rows are written in.

use super::bench::{Bench, In, check, epoch, incarnation};
use super::bench::{
    dead, deposed, elected, farewell, fence_ahead, former, join, leave, lost, offer,
};
use super::bench::{pass, released, relocate, renew, replace, report, report_lapsed, resync, slow};
use super::event::Action;
use super::view::Role;

/// Two hosts, a and b, live and in the committed table 1.1 of type T.
fn two() -> Vec<In> {
    let mut given = vec![elected(1, Some(vec![])), join('a', "T"), join('b', "T"), pass(50)];
    given.extend([released('a', "1.1"), released('b', "1.1")]);
    given
}

/// The same two with c just joined: 1.2 is prepared and nobody has released it.
fn three() -> Vec<In> {
    let mut given = two();
    given.extend([join('c', "T"), pass(50)]);
    given
}

fn after(mut given: Vec<In>, more: impl IntoIterator<Item = In>) -> Vec<In> {
    given.extend(more);
    given
}

#[test]
fn unknown_join_writes_the_roster_then_chains_then_lease_then_tables() {
    check(vec![elected(1, Some(vec![]))], join('a', "T"), &["persist 1 a", "a lease 1 0"]);
    check(vec![elected(1, Some(vec![])), join('a', "T")], pass(50), &["a chain T 1.1[a]"]);
    check(two(), join('c', "T"), &["persist 1 abc", "c chain T 1.1[ab]", "c lease 1 0"]);
    check(
        after(two(), [join('c', "T")]),
        pass(50),
        &["a delta T 1.2+c", "b delta T 1.2+c", "c delta T 1.2+c"],
    );
    // The marks come with the chain.
    check(
        after(three(), [released('a', "1.2")]),
        join('d', "T"),
        &["persist 1 abcd", "d chain T 1.1[ab] 1.2[abc] a=1.2", "d lease 1 0"],
    );
}

#[test]
fn nothing_is_granted_before_the_roster_is_on_disk() {
    let mut bench = Bench::new();
    bench.run(vec![elected(1, Some(vec![])), slow(), join('a', "T"), join('b', "T")]);
    assert_eq!(bench.last(), [""; 0], "the record of a is under way, b waits for the next");
    assert_eq!(bench.save(), ["a lease 1 0", "persist 1 ab"]);
    assert_eq!(bench.step(renew('b', 1)), [""; 0], "a joining host has nothing to renew");
    assert_eq!(bench.save(), ["b lease 1 0"]);
    // A host that hangs up before it was admitted never was here.
    bench.run(vec![join('c', "T"), lost('c')]);
    assert_eq!(bench.save(), ["persist 1 ab"]);
}

#[test]
fn live_and_leaving_are_renewed_and_a_gone_one_is_expired() {
    check(two(), renew('a', 7), &["a lease 1 7"]);
    check(after(two(), [leave('a')]), renew('a', 7), &["a lease 1 7"]);
    // The deadline is 1.1 L from the latest grant.
    check(after(two(), [pass(5400), renew('a', 7), pass(5400)]), renew('a', 8), &["a lease 1 8"]);
    check(after(two(), [renew('b', 1), pass(5499)]), renew('a', 7), &["a expired a"]);
    check(after(two(), [farewell('a')]), renew('a', 7), &["a expired a"]);
    check(two(), renew('x', 7), &["x expired x"]);
}

#[test]
fn live_leave_makes_tables_without_it() {
    check(two(), leave('a'), &["persist 1 a-b"]);
    check(after(two(), [leave('a')]), pass(50), &["a delta T 1.2-a", "b delta T 1.2-a"]);
    check(after(two(), [leave('a'), pass(50)]), leave('a'), &[]);
    check(
        after(two(), [leave('a'), pass(50), released('a', "1.2"), released('b', "1.2")]),
        farewell('a'),
        &["persist 1 b"],
    );
}

#[test]
fn released_is_passed_on_at_once_and_older_marks_change_nothing() {
    check(
        three(),
        released('a', "1.2"),
        &["a commit T base 1.1 a=1.2", "b commit T base 1.1 a=1.2", "c commit T base 1.1 a=1.2"],
    );
    let one = || after(three(), [released('a', "1.2")]);
    check(one(), released('a', "1.2"), &[]);
    check(one(), released('a', "1.1"), &[]);
    // c stands in no older table, so nobody waits for it.
    check(
        one(),
        released('b', "1.2"),
        &["a commit T base 1.2 b=1.2", "b commit T base 1.2 b=1.2", "c commit T base 1.2 b=1.2"],
    );
    // What cannot be, or is not the speaker's to say, is not believed.
    check(three(), released('a', "1.9"), &[]);
    check(three(), In::As('b', Box::new(released('a', "1.2"))), &[]);
    check(after(three(), [join('n', "other:T")]), released('n', "1.2"), &[]);
}

#[test]
fn deadline_farewell_and_replaces_end_an_incarnation() {
    let mut alive = after(two(), [pass(5000)]);
    alive.extend([renew('b', 1), pass(449)]);
    check(alive.clone(), pass(1), &["a expired a", "b commit T base 1.1 a=gone", "persist 1 b"]);
    check(after(alive, [pass(1)]), pass(50), &["b delta T 1.2-a"]);
    check(two(), farewell('a'), &["b commit T base 1.1 a=gone", "persist 1 b"]);
    check(
        two(),
        replace('c', 'a', "T"),
        &["b commit T base 1.1 a=gone", "persist 1 bc", "c chain T 1.1[ab] a=gone", "c lease 1 0"],
    );
    // Dead means released: what only it held is open elsewhere without another word.
    check(
        after(three(), [released('a', "1.2")]),
        farewell('b'),
        &["a commit T base 1.2 b=gone", "c commit T base 1.2 b=gone", "persist 1 ac"],
    );
    // A leaver that dies draining is watched like everybody, though no new table names it.
    let mut leaver = after(two(), [leave('a'), pass(50), released('b', "1.2"), pass(5000)]);
    leaver.extend([renew('b', 2)]);
    check(leaver, pass(600), &["a expired a", "b commit T base 1.2 a=gone", "persist 1 b"]);
}

#[test]
fn who_is_gone_never_comes_back() {
    check(after(two(), [farewell('a')]), join('a', "T"), &["a expired a"]);
    check(after(two(), [farewell('a')]), report('a', &[]), &["a expired a"]);
    check(after(two(), [replace('c', 'x', "T")]), join('x', "T"), &["x expired x"]);
    // Who was told so comes back under no message that was already under way.
    check(after(two(), [report('x', &[])]), join('x', "T"), &["x expired x"]);
    check(after(two(), [renew('x', 1)]), join('x', "T"), &["x expired x"]);
}

#[test]
fn a_follower_names_the_leader() {
    for message in [join('a', "T"), renew('a', 1), report('a', &[]), fence_ahead('a', 9)] {
        check(vec![], message.clone(), &["a not leader -"]);
        check(after(two(), [deposed("there")]), message, &["a not leader there"]);
    }
    check(after(two(), [deposed("there")]), pass(100_000), &[]);
    let mut bench = Bench::new();
    bench.run(after(two(), [deposed("there")]));
    assert_eq!(bench.core.snapshot().leader.as_deref(), Some("there"));
}

#[test]
fn a_new_leader_hears_everybody_first() {
    let given = || vec![elected(2, Some(vec![former('a', "T"), former('b', "T")]))];
    // Joins wait, who does not lapse is renewed, and who is in no roster has no lease.
    check(given(), join('c', "T"), &[]);
    check(given(), report('x', &[]), &["x expired x"]);
    check(given(), renew('x', 1), &["x expired x"]);
    check(given(), renew('a', 1), &[]);
    check(after(given(), [report('a', &["1.4[ab]"])]), renew('a', 1), &["a lease 2 1"]);
    // All reported: the chains are joined, with a new table for every type.
    let chain = "chain T 1.4[ab] 1.5[a] 2.1[ab] a=1.5";
    check(
        after(given(), [join('c', "T"), report('a', &["1.4[ab]", "1.5[a]", "a=1.5"])]),
        report('b', &["1.3[b]", "1.4[ab]"]),
        &[
            &format!("a {chain}"),
            &format!("b {chain}"),
            "persist 2 abc",
            &format!("c {chain}"),
            "c lease 2 0",
        ],
    );
    // One ended, the other reported.
    for end in [report_lapsed('b'), replace('d', 'b', "U")] {
        let mut bench = Bench::new();
        bench.run(after(given(), [end, report('a', &["1.4[ab]"])]));
        assert_eq!(bench.last()[0], "a chain T 1.4[ab] 2.1[a] a=- b=gone".replace(" a=-", ""));
    }
    // The silent are gone after 1.1 L.
    check(
        after(given(), [pass(5000), report('a', &["1.4[ab]"]), pass(499)]),
        pass(1),
        &["a chain T 1.4[ab] 2.1[a] b=gone", "persist 2 a"],
    );
    check(
        after(given(), [report('a', &[]), pass(5499)]),
        join('b', "T"),
        &["b lease 2 0", "a chain T 2.1[ab]", "b chain T 2.1[ab]", "persist 2 ab"],
    );
}

#[test]
fn without_a_roster_a_new_leader_always_waits() {
    let given = || vec![elected(1, None)];
    check(given(), pass(5499), &[]);
    check(after(given(), [join('c', "T"), pass(5499)]), pass(1), &["persist 1 c", "c lease 1 0"]);
    // A host that has a lease reports, joins once more, and keeps all it had. Its tables are
    // of a higher term, so one above them is taken first.
    check(given(), report('a', &["7.4[a]"]), &["persist 8 ?"]);
    let stranger = || after(given(), [report('a', &["7.4[a]"])]);
    check(stranger(), join('a', "T"), &["a lease 8 0", "persist 8 ?"]);
    check(
        after(stranger(), [join('a', "T"), pass(5000), renew('a', 1)]),
        pass(500),
        &["a chain T 7.4[a] 8.1[a]", "persist 8 a"],
    );
    let mut bench = Bench::new();
    bench.run(after(given(), [report('a', &["7.4[ab]"]), join('a', "T"), pass(5000)]));
    bench.run(vec![renew('a', 1), pass(500)]);
    assert_eq!(bench.last(), ["a chain T 7.4[ab] 8.1[a] b=gone", "persist 8 a"]);
    check(stranger(), renew('a', 1), &[]);
}

#[test]
fn former_hosts_gone_clears_the_roster_and_waits_for_nobody() {
    for roster in [None, Some(vec![former('a', "T")])] {
        let mut bench = Bench::standalone();
        assert_eq!(bench.step(elected(3, roster)), ["persist 3 "]);
        assert_eq!(bench.core.snapshot().role, Role::Leading);
        assert_eq!(bench.step(renew('a', 1)), ["a expired a"]);
    }
}

#[test]
fn an_empty_roster_leads_at_once() {
    let mut bench = Bench::new();
    bench.step(elected(1, Some(vec![])));
    assert_eq!(bench.core.snapshot().role, Role::Leading);
}

#[test]
fn a_leaver_and_the_order_of_joining_survive_the_leader() {
    let mut old = former('a', "T");
    old.1.joined = 5;
    let mut new = former('b', "T");
    new.1.joined = 4;
    new.1.is_leaving = true;
    let mut bench = Bench::new();
    bench.run(vec![elected(2, Some(vec![old, new])), report('a', &[]), report('b', &[])]);
    assert_eq!(bench.last(), ["a chain T 2.1[a]", "b chain T 2.1[a]", "persist 2 ab-"]);
    bench.step(join('c', "T"));
    let joined = bench.persisted().roster.unwrap()[&incarnation('c')].joined;
    assert_eq!(joined, 6);
}

#[test]
fn offer_changes_the_tables_of_its_types() {
    check(two(), offer('a', "U"), &["persist 1 ab"]);
    check(
        after(two(), [offer('a', "U")]),
        pass(50),
        &["a delta T 1.2-a", "a chain U 1.3[a]", "b delta T 1.2-a", "b chain U 1.3[a]"],
    );
    check(after(two(), [offer('a', "T")]), pass(50), &[]);
}

#[test]
fn resync_gets_the_whole_chain() {
    check(three(), resync('b', "T"), &["b chain T 1.1[ab] 1.2[abc]"]);
    check(three(), resync('b', "other:T"), &[]);
    check(three(), resync('x', "T"), &[]);
}

#[test]
fn a_fence_ahead_raises_the_term_and_goes_on() {
    check(two(), fence_ahead('a', 0), &[]);
    check(two(), fence_ahead('a', 1), &["persist 2 ab", "a delta T 2.1", "b delta T 2.1"]);
    check(two(), fence_ahead('x', 9), &[]);
    check(two(), fence_ahead('a', u64::MAX), &[]);
    check(two(), fence_ahead('a', 9), &["persist 10 ab", "a delta T 10.1", "b delta T 10.1"]);
    check(after(two(), [fence_ahead('a', 9)]), renew('a', 1), &["a lease 10 1"]);
    // Until it is durable the old term serves.
    let mut bench = Bench::new();
    bench.run(after(two(), [slow(), fence_ahead('a', 9)]));
    assert_eq!(bench.step(renew('a', 1)), ["a lease 1 1"]);
    assert_eq!(bench.step(fence_ahead('a', 12)), [""; 0]);
    assert_eq!(bench.save(), ["a delta T 10.1", "b delta T 10.1", "persist 13 ab"]);
    assert_eq!(bench.save(), ["a delta T 13.1", "b delta T 13.1"]);
}

#[test]
fn a_broken_stream_is_only_a_hint() {
    check(two(), lost('a'), &["doubt a"]);
    // Back in time it keeps everything, and hears what it missed as whole chains; the release
    // that was lost with the stream is in its report.
    check(
        after(three(), [lost('a'), released('b', "1.2")]),
        In::On('z', Box::new(report('a', &["1.1[ab]", "1.2[abc]", "a=1.2"]))),
        &[
            "z chain T 1.1[ab] 1.2[abc] b=1.2",
            "b commit T base 1.2 a=1.2",
            "c commit T base 1.2 a=1.2",
            "z commit T base 1.2 a=1.2",
        ],
    );
    // The old stream speaks for it no more.
    let moved = || after(two(), [In::On('z', Box::new(report('a', &[])))]);
    check(moved(), renew('a', 1), &[]);
    check(moved(), In::On('z', Box::new(renew('a', 1))), &["z lease 1 1"]);
    // A join of one who is known says the same once more.
    check(
        two(),
        In::On('z', Box::new(join('a', "T"))),
        &["z chain T 1.1[ab]", "z lease 1 0", "persist 1 ab"],
    );
    check(after(two(), [report_lapsed('a')]), renew('a', 1), &["a expired a"]);
}

#[test]
fn the_dead_end_as_if_they_had_said_farewell() {
    let gone = "b commit T base 1.1 a=gone";
    check(after(two(), [lost('a')]), dead('a'), &[gone, "persist 1 b"]);
    check(after(two(), [lost('a'), dead('a')]), pass(50), &["b delta T 1.2-a"]);
    // A leaver, too, whose doubt is as good as another's.
    let leaver = || after(two(), [leave('a'), pass(50), released('b', "1.2")]);
    check(leaver(), lost('a'), &["doubt a"]);
    let ended = ["b commit T base 1.2 a=gone", "persist 1 b"];
    check(after(leaver(), [lost('a')]), dead('a'), &ended);
    // Whose stream is up again, lives; of strangers and the gone there is nothing to say.
    let back = || after(two(), [lost('a'), In::On('z', Box::new(report('a', &[])))]);
    check(back(), dead('a'), &[]);
    check(back(), lost('a'), &[]);
    check(two(), dead('x'), &[]);
    check(after(two(), [farewell('a')]), lost('a'), &[]);
    check(after(two(), [deposed("there"), lost('a')]), dead('a'), &[]);
    // Who was never admitted is forgotten with its stream, and a new leader believes it, too.
    check(vec![elected(1, Some(vec![])), slow(), join('a', "T")], lost('a'), &[]);
    let given = vec![elected(2, Some(vec![former('a', "T"), former('b', "T")]))];
    let given = after(given, [report('a', &["1.4[ab]"]), lost('a'), dead('a')]);
    let chain = "b chain T 1.4[ab] 2.1[b] a=gone";
    check(given, report('b', &["1.4[ab]"]), &[chain, "persist 2 b"]);
}

#[test]
fn namespaces_never_meet() {
    let given = || vec![elected(1, Some(vec![])), join('a', "T"), join('n', "other:T")];
    check(given(), pass(50), &["a chain T 1.1[a]", "n chain other:T 1.2[n]"]);
    check(
        after(given(), [pass(50)]),
        join('m', "other:T"),
        &["persist 1 amn", "m chain other:T 1.2[n]", "m lease 1 0"],
    );
}

#[test]
fn local_types_need_no_tables() {
    check(vec![elected(1, Some(vec![])), join('a', "~L T")], pass(50), &["a chain T 1.1[a]"]);
}

#[test]
fn the_newest_incarnation_of_a_host_stands_in_tables() {
    // A and a are two lives of one host.
    check(
        after(two(), [join('A', "T")]),
        pass(50),
        &["A delta T 1.2+A-a", "a delta T 1.2+A-a", "b delta T 1.2+A-a"],
    );
}

#[test]
fn an_earlier_incarnation_does_not_come_back_when_the_later_one_goes() {
    let mut bench = Bench::new();
    bench.run(after(two(), [join('A', "T"), pass(50)]));
    assert!(bench.persisted().roster.unwrap()[&incarnation('a')].is_leaving);
    bench.run(vec![farewell('A'), pass(50)]);
    assert_eq!(newest(&bench), "b", "a may have a lease still, but it is the life before");
    assert_eq!(bench.step(renew('a', 1)), ["a lease 1 1"], "it may be running turns");
}

#[test]
fn an_earlier_incarnation_taken_in_with_the_later_one_does_not_come_back() {
    let mut bench = Bench::new();
    bench.run(vec![elected(1, Some(vec![])), join('b', "T"), slow(), join('c', "T")]);
    bench.run(vec![join('a', "T"), join('A', "T")]);
    bench.save();
    // A is admitted before a, and joined after it.
    assert_eq!(bench.save(), ["A lease 1 0", "a lease 1 0", "persist 1 Aa-bc"]);
    bench.run(vec![farewell('A'), pass(50)]);
    assert_eq!(newest(&bench), "bc");
    // A leader that ended between the two records leaves a roster with both.
    let mut bench = Bench::new();
    let (incarnation, mut later) = former('A', "T");
    later.joined = 2;
    let roster = vec![former('a', "T"), (incarnation, later), former('b', "T")];
    bench.run(vec![elected(2, Some(roster)), report('a', &["1.4[ab]"])]);
    bench.run(vec![report('A', &["1.4[ab]"]), report('b', &["1.4[ab]"])]);
    assert_eq!(newest(&bench), "Ab");
    bench.run(vec![farewell('A'), pass(50)]);
    assert_eq!(newest(&bench), "b");
}

/// Who stands in the newest table of T.
fn newest(bench: &Bench) -> String {
    let snapshot = bench.core.snapshot();
    let table = snapshot.types[&super::bench::key("T")].chain.newest().clone();
    table.members().iter().map(|member| super::bench::name(member.incarnation)).collect()
}

#[test]
fn changes_are_taken_together() {
    let mut bench = Bench::new();
    bench.run(vec![elected(1, Some(vec![])), join('a', "T"), pass(49), join('b', "T"), pass(49)]);
    assert_eq!(bench.last(), [""; 0]);
    assert_eq!(bench.step(pass(1)).len(), 2, "both hosts get the one table");
    // DIS-7: two hundred hosts within a second make at most a dozen tables.
    let mut bench = Bench::new();
    bench.step(elected(1, Some(vec![])));
    for n in 0..200 {
        bench.step(In::Join(1000 + n));
        bench.step(pass(5));
    }
    bench.step(pass(500));
    let snapshot = bench.core.snapshot();
    let view = snapshot.types.values().next().unwrap();
    assert_eq!(view.chain.newest().members().len(), 200);
    assert!(view.chain.newest().epoch() <= epoch("1.12"), "{}", view.chain.newest().epoch());
}

#[test]
fn an_actor_is_moved_by_a_table_of_its_own() {
    // From nobody but a host, to nobody but one that stands in the tables and stays.
    check(two(), relocate('a', 7, 'z'), &[]);
    check(two(), In::As('b', Box::new(relocate('a', 7, 'b'))), &[]);
    check(after(two(), [relocate('a', 7, 'z')]), pass(50), &[]);
    check(
        after(two(), [leave('b'), relocate('a', 7, 'b')]),
        pass(50),
        &["a delta T 1.2-b", "b delta T 1.2-b"],
    );
    // There, and nothing more for the same; on, and back.
    let mut bench = Bench::new();
    bench.run(after(two(), [relocate('a', 7, 'b')]));
    assert_eq!(bench.step(pass(50)), ["a delta T 1.2 7>b", "b delta T 1.2 7>b"]);
    bench.run(vec![released('a', "1.2"), released('b', "1.2"), relocate('b', 7, 'b')]);
    assert_eq!(bench.step(pass(50)), [""; 0]);
    bench.run(vec![relocate('b', 7, 'a'), relocate('b', 8, 'a'), pass(50)]);
    assert_eq!(bench.last(), ["a delta T 1.3 7>a 8>a", "b delta T 1.3 7>a 8>a"]);
    bench.run(vec![released('a', "1.3"), released('b', "1.3"), relocate('b', 7, '-'), pass(50)]);
    assert_eq!(bench.last(), ["a delta T 1.4 7>-", "b delta T 1.4 7>-"]);
    // Without its host a pin ends; who joins hears of what stands.
    bench.run(vec![released('a', "1.4"), released('b', "1.4"), join('c', "T")]);
    assert_eq!(bench.last()[1], "c chain T 1.4[ab|8>a]");
    bench.run(vec![pass(50), farewell('a'), pass(50)]);
    assert_eq!(bench.last()[0], "b delta T 1.6-a");
    let snapshot = bench.core.snapshot();
    assert!(snapshot.types.values().all(|view| view.chain.newest().pins().is_empty()));
}

#[test]
fn pins_are_bounded_and_outlive_the_leader() {
    let mut bench = Bench::new();
    bench.run(two());
    for actor in 0..=odeon_ring::PINS_MAX as u64 {
        bench.step(relocate('a', actor, 'b'));
    }
    bench.step(pass(50));
    let pins = |bench: &Bench| {
        let snapshot = bench.core.snapshot();
        let view = snapshot.types.values().next().unwrap();
        view.chain.newest().pins().len()
    };
    assert_eq!(pins(&bench), odeon_ring::PINS_MAX);
    // A new leader has them from the hosts, as all else that stands in tables.
    let mut given = vec![elected(2, Some(vec![former('a', "T"), former('b', "T")]))];
    given.extend([report('a', &["1.4[ab|7>b]"])]);
    let chain = "chain T 1.4[ab|7>b] 2.1[ab|7>b]";
    let told = [format!("a {chain}"), format!("b {chain}"), "persist 2 ab".to_owned()];
    let told: Vec<_> = told.iter().map(String::as_str).collect();
    check(given, report('b', &["1.4[ab|7>b]"]), &told);
}

#[test]
fn a_move_waits_while_the_chain_is_long() {
    let long = || {
        let mut bench = Bench::new();
        bench.run(two());
        for actor in 2..=8 {
            bench.run(vec![relocate('a', actor, 'b'), pass(50)]);
        }
        assert_eq!(bench.step(relocate('a', 9, 'b')), [""; 0]);
        assert_eq!(bench.step(pass(50)), [""; 0], "1.1 to 1.8 stand");
        bench
    };
    let mut bench = long();
    bench.run(vec![released('a', "1.8"), released('b', "1.8"), pass(50)]);
    assert_eq!(bench.last(), ["a delta T 1.9 9>b", "b delta T 1.9 9>b"]);
    // With the host that it should go to, the move ends too.
    let mut bench = long();
    bench.run(vec![farewell('b'), pass(50), released('a', "1.9"), pass(50)]);
    let snapshot = bench.core.snapshot();
    assert!(snapshot.types.values().all(|view| view.chain.newest().pins().is_empty()));
    assert_eq!(newest(&bench), "a");
}

#[test]
fn marks_that_come_together_go_together() {
    let mut bench = Bench::gathering_marks();
    bench.run(three());
    bench.run(vec![pass(5)]);
    // The first goes at once; what follows within the window waits for its end, and no longer.
    assert_eq!(bench.step(released('a', "1.2"))[0], "a commit T base 1.1 a=1.2");
    assert_eq!(bench.step(released('a', "1.2")), [""; 0], "an old one is no news");
    assert_eq!(bench.step(pass(2)), [""; 0]);
    assert_eq!(bench.step(released('c', "1.2")), [""; 0]);
    assert_eq!(bench.step(farewell('b')), ["persist 1 ac"]);
    assert_eq!(bench.step(pass(2)), [""; 0]);
    let told = "commit T base 1.2 b=gone c=1.2";
    assert_eq!(bench.step(pass(1)), [format!("a {told}"), format!("c {told}")]);
    assert_eq!(bench.step(pass(47))[0], "a delta T 1.3-b");
    // A table takes along what waits; the marks of it are the first again.
    let mut bench = Bench::gathering_marks();
    bench.run(three());
    bench.run(vec![released('c', "1.2"), join('d', "T"), pass(48), released('a', "1.2")]);
    bench.run(vec![released('b', "1.2")]);
    assert_eq!(bench.last(), [""; 0]);
    let told = ["a delta T 1.3+d", "a commit T base 1.2 b=1.2"];
    assert_eq!(bench.step(pass(2))[..2], told);
    assert_eq!(bench.step(released('a', "1.3")), [""; 0]);
    assert_eq!(bench.step(pass(5))[0], "a commit T base 1.2 a=1.3");
}

#[test]
fn long_chains_hold_joins_back_but_no_end() {
    let mut bench = Bench::new();
    bench.run(two());
    for name in ['c', 'd', 'e', 'f', 'g', 'h', 'i'] {
        bench.run(vec![join(name, "T"), pass(50)]);
        assert!(bench.last()[0].contains("delta"), "{name}");
    }
    bench.run(vec![join('j', "T"), leave('d'), pass(500)]);
    assert_eq!(bench.last(), [""; 0], "eight tables stand: a join and a leave wait");
    bench.run(vec![farewell('e')]);
    assert_eq!(bench.step(pass(50))[0], "a delta T 1.9-e", "an end does not wait");
    // A shorter chain lets the others through.
    bench.run(vec![released('a', "1.3"), released('b', "1.3"), released('c', "1.3")]);
    bench.run(vec![released('d', "1.3")]);
    assert_eq!(bench.step(pass(50))[0], "a delta T 1.10+j-d");
}

#[test]
fn who_does_not_release_in_time_is_renewed_no_more() {
    let mut bench = Bench::new();
    bench.run(after(three(), [released('a', "1.2")]));
    let mut seq = 0;
    let mut renew_all = |bench: &mut Bench| {
        seq += 1;
        ['a', 'b', 'c'].map(|name| bench.step(renew(name, seq)).len())
    };
    for _ in 0..64 {
        assert_eq!(renew_all(&mut bench), [1, 1, 1]);
        bench.step(pass(1000));
    }
    assert_eq!(renew_all(&mut bench), [1, 1, 1], "64 s after 1.2 was made b is still waited for");
    bench.step(pass(1000));
    assert_eq!(renew_all(&mut bench), [1, 0, 1], "drain limit + L are over");
    bench.step(pass(4499));
    assert_eq!(renew_all(&mut bench), [1, 0, 1]);
    assert_eq!(bench.step(pass(1))[1], "a commit T base 1.2 b=gone");
}

#[test]
fn it_wants_to_be_woken_for_what_comes_next() {
    let mut bench = Bench::new();
    let mut wake = |input| {
        bench.step(input);
        bench.raw.iter().rev().find_map(|action| match action {
            Action::Wake(at) => Some(at.as_millis()),
            Action::Persist(_) | Action::Send { .. } | Action::Doubt { .. } => None,
        })
    };
    assert_eq!(wake(elected(1, Some(vec![former('x', "T")]))), Some(5500), "the silent");
    assert_eq!(wake(pass(5500)), None);
    assert_eq!(wake(join('a', "T")), Some(5550), "the window");
    assert_eq!(wake(pass(50)), Some(11_000), "a's deadline");
    assert_eq!(wake(deposed("-")), None);
}

#[test]
fn who_owns_an_actor_is_told_by_the_newest_table() {
    let mut bench = Bench::new();
    bench.run(two());
    let id = odeon_base::ActorId::parse("actor-1").unwrap();
    let key = super::bench::key("T");
    let owner = bench.core.snapshot().owner(&key, &id).unwrap();
    assert_eq!((owner.epoch, owner.is_open), (epoch("1.1"), true));
    assert_eq!(bench.core.snapshot().owner(&super::bench::key("U"), &id), None);
    let name = super::bench::name(owner.member.incarnation);
    bench.run(vec![leave(name), pass(50)]);
    let next = bench.core.snapshot().owner(&key, &id).unwrap();
    assert_ne!(next.member, owner.member);
    assert_eq!((next.epoch, next.is_open), (epoch("1.2"), false));
    assert_eq!(bench.core.snapshot().moving(), 1);
    bench.step(farewell(name));
    assert!(bench.core.snapshot().owner(&key, &id).unwrap().is_open);
}
