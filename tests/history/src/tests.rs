//! Each promise is broken by a history of a few lines, and kept by its sound neighbour.

use super::*;

fn terms() -> Terms {
    Terms {
        are_clocks_kept: true,
        pause_max: ms(100),
        takeover: ms(6_000),
        recovery: ms(9_000),
        alone: ms(2_500),
        renewal: ms(1_000),
        drain: ms(60_000),
        patience: ms(5_000),
        late_max: ms(50),
        reminder_late_max: ms(9_000),
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn history(events: impl IntoIterator<Item = (u64, What)>) -> Vec<Event> {
    events.into_iter().map(|(at, what)| Event { at: ms(at), what }).collect()
}

fn promises(events: impl IntoIterator<Item = (u64, What)>) -> Vec<Promise> {
    let mut found: Vec<_> =
        check(&history(events), &terms()).into_iter().map(|violation| violation.promise).collect();
    found.dedup();
    found
}

fn invoked(call: Call, via: Host, op: Op) -> What {
    What::Invoked { call, parent: None, actor: 1, via, op, deadline: ms(30_000) }
}

fn began(turn: u64, call: Call, host: Host) -> What {
    What::TurnBegan { turn, call, actor: 1, host }
}

fn answered(call: Call, version: u64, by: Call) -> What {
    What::Answered { call, seen: Some(seen(version, by)) }
}

fn seen(version: u64, by: Call) -> Seen {
    Seen { version, by, sum: i64::try_from(version).unwrap() }
}

const WRITE: Op = Op::Write(Object::Register, 1);
const READ: Op = Op::Read(Object::Register);

#[test]
fn a_quiet_day_breaks_nothing() {
    let events = [
        (0, What::Owner { actor: 1, host: Some(1) }),
        (10_000, invoked(1, 2, WRITE)),
        (10_001, began(1, 1, 1)),
        (10_002, What::Claimed { actor: 1, host: 1, fence: Fence(1, 1, 1) }),
        (10_003, What::TurnRead { turn: 1, object: Object::Register, seen: seen(0, 0) }),
        (10_004, What::Landed { actor: 1, fence: Fence(1, 1, 1) }),
        (10_005, What::Committed { turn: 1, object: Object::Register, seen: seen(1, 1) }),
        (10_006, What::TurnEnded { turn: 1 }),
        (10_007, answered(1, 1, 1)),
        (10_008, invoked(2, 1, READ)),
        (10_009, began(2, 2, 1)),
        (10_010, What::TurnEnded { turn: 2 }),
        (10_011, answered(2, 1, 1)),
    ];
    assert_eq!(promises(events), []);
}

#[test]
fn two_hosts_with_a_live_turn_break_o1() {
    let overlap = |second, lost: &[What]| {
        let mut events =
            vec![(0, invoked(1, 9, READ)), (0, invoked(2, 9, READ)), (1, began(1, 1, 1))];
        events.extend(lost.iter().map(|what| (2, what.clone())));
        events.push((3, began(2, 2, second)));
        events.extend([(4, What::TurnEnded { turn: 1 }), (4, What::TurnEnded { turn: 2 })]);
        events.extend([
            (5, What::Answered { call: 1, seen: None }),
            (5, What::Answered { call: 2, seen: None }),
        ]);
        promises(events)
    };
    assert_eq!(overlap(2, &[]), [Promise::O1]);
    assert_eq!(overlap(1, &[]), [Promise::O1], "two turns at a time");
    assert_eq!(overlap(2, &[What::TurnLost { turn: 1 }]), []);
    assert_eq!(overlap(2, &[What::TurnEnded { turn: 1 }]), []);
}

#[test]
fn a_commit_that_a_later_turn_does_not_see_breaks_o2() {
    let events = |version| {
        let by = u64::from(version > 0);
        [
            (0, invoked(1, 9, WRITE)),
            (1, began(1, 1, 1)),
            (2, What::Committed { turn: 1, object: Object::Register, seen: seen(1, 1) }),
            (3, What::TurnEnded { turn: 1 }),
            (3, answered(1, 1, 1)),
            (4, invoked(2, 9, READ)),
            (4, began(2, 2, 2)),
            (5, What::TurnRead { turn: 2, object: Object::Register, seen: seen(version, by) }),
            (6, What::TurnEnded { turn: 2 }),
            (6, What::Answered { call: 2, seen: None }),
        ]
    };
    assert_eq!(promises(events(0)), [Promise::O2]);
    assert_eq!(promises(events(1)), []);
}

#[test]
fn a_commit_behind_a_newer_claim_breaks_o3() {
    let claim = |host, fence| What::Claimed { actor: 1, host, fence };
    let landed = |fence| What::Landed { actor: 1, fence };
    let (low, high) = (Fence(1, 9, 9), Fence(2, 1, 1));
    assert_eq!(
        promises([(0, claim(1, low)), (1, claim(2, high)), (2, landed(low))]),
        [Promise::O3]
    );
    assert_eq!(promises([(0, claim(2, high)), (1, claim(1, low))]), [Promise::O3]);
    assert_eq!(promises([(0, claim(1, low)), (1, claim(2, low))]), [Promise::O3], "shared");
    assert_eq!(promises([(0, claim(1, low)), (1, landed(low)), (2, claim(2, high))]), []);
}

#[test]
fn the_order_of_versions_is_the_order_of_time() {
    let write = |call, start, end, version| {
        [(start, invoked(call, 9, WRITE)), (end, answered(call, version, call))]
    };
    let sorted = |parts: &[[(u64, What); 2]]| {
        let mut events: Vec<_> = parts.iter().flatten().cloned().collect();
        events.sort_by_key(|(at, _)| *at);
        promises(events)
    };
    let read = |call, start, end, version, by| {
        [(start, invoked(call, 9, READ)), (end, answered(call, version, by))]
    };
    assert_eq!(sorted(&[write(1, 0, 5, 1), write(2, 1, 6, 2)]), []);
    assert_eq!(sorted(&[write(1, 0, 5, 1), write(2, 1, 6, 1)]), [Promise::Linearizable], "lost");
    assert_eq!(sorted(&[write(1, 0, 2, 2), write(2, 3, 6, 1)]), [Promise::Linearizable], "late");
    assert_eq!(sorted(&[write(1, 0, 2, 1), read(2, 3, 4, 0, 0)]), [Promise::Linearizable], "stale");
    assert_eq!(sorted(&[read(2, 0, 1, 1, 1), write(1, 2, 3, 1)]), [Promise::Linearizable], "early");
    assert_eq!(sorted(&[write(1, 0, 2, 3)]), [Promise::Linearizable], "from nowhere");
}

#[test]
fn what_callers_are_told_of_their_turns_is_true() {
    let failed = |effect| What::Failed { call: 1, effect, why: String::new() };
    let crash = |host| What::Troubled { id: 1, trouble: Trouble::Crash(host) };
    let story = |effect| {
        [
            (0, crash(1)),
            (0, invoked(1, 1, READ)),
            (1, began(1, 1, 1)),
            (2, What::TurnEnded { turn: 1 }),
            (3, failed(effect)),
        ]
    };
    assert_eq!(promises(story(Effect::Maybe)), []);
    assert_eq!(promises(story(Effect::None)), [Promise::NoneNeverRan]);
    let twice = [
        (0, invoked(1, 9, READ)),
        (1, began(1, 1, 1)),
        (2, What::TurnEnded { turn: 1 }),
        (3, began(2, 1, 2)),
        (4, What::TurnEnded { turn: 2 }),
        (5, What::Answered { call: 1, seen: None }),
    ];
    assert_eq!(promises(twice), [Promise::RanOnce]);
    assert_eq!(
        promises([(0, invoked(1, 9, READ)), (30_051, What::Answered { call: 1, seen: None })]),
        [Promise::InTime]
    );
    assert_eq!(
        promises([(0, invoked(1, 9, READ)), (30_051, What::HungUp { call: 2 })]),
        [Promise::InTime]
    );
    // Its time was up before it was made.
    let failed = What::Failed { call: 1, effect: Effect::None, why: String::new() };
    assert_eq!(promises([(40_000, invoked(1, 9, READ)), (40_001, failed.clone())]), []);
    assert_eq!(promises([(40_000, invoked(1, 9, READ)), (40_051, failed)]), [Promise::InTime]);
}

#[test]
fn a_turn_is_cut_by_nothing_but_trouble() {
    let cut = |trouble: Option<Trouble>| {
        let mut events = vec![(0, invoked(1, 9, READ)), (1, began(1, 1, 1))];
        events.extend(trouble.map(|trouble| (2, What::Troubled { id: 1, trouble })));
        events.extend([(3, What::HungUp { call: 1 }), (4, What::TurnCut { turn: 1 })]);
        promises(events)
    };
    assert_eq!(cut(None), [Promise::O7]);
    assert_eq!(cut(Some(Trouble::Frozen(2))), [Promise::O7]);
    assert_eq!(cut(Some(Trouble::Frozen(1))), []);
}

#[test]
fn service_is_owed_to_whom_no_trouble_concerns() {
    let owner = |host| What::Owner { actor: 1, host: Some(host) };
    let failed = |effect| What::Failed { call: 1, effect, why: String::new() };
    let served = |before: &[(u64, What)], how: What| {
        let mut events = vec![(0, owner(1))];
        events.extend_from_slice(before);
        events.extend([(20_000, invoked(1, 2, READ)), (20_040, how)]);
        promises(events)
    };
    let trouble =
        |at, trouble| [(at, What::Troubled { id: 1, trouble }), (at, What::Calmed { id: 1 })];
    assert_eq!(served(&[], failed(Effect::None)), [Promise::O5]);
    assert_eq!(served(&[(19_990, owner(3))], failed(Effect::None)), [Promise::O5], "a move");
    assert_eq!(served(&trouble(19_000, Trouble::Host(3)), failed(Effect::None)), [Promise::O4]);
    assert_eq!(served(&trouble(19_000, Trouble::Host(1)), failed(Effect::None)), []);
    assert_eq!(served(&trouble(19_000, Trouble::Crash(1)), failed(Effect::None)), [Promise::O6]);
    assert_eq!(served(&trouble(19_970, Trouble::Crash(1)), failed(Effect::Maybe)), []);
    let away = [(19_000, What::Troubled { id: 1, trouble: Trouble::Placement })];
    assert_eq!(served(&away, failed(Effect::None)), [Promise::O8]);
    let twice = |back: u64| {
        let away = |at, id| (at, What::Troubled { id, trouble: Trouble::Placement });
        [away(16_000, 1), (18_000, What::Calmed { id: 1 }), away(18_000 + back, 2)]
    };
    assert_eq!(served(&twice(50), failed(Effect::None)), [], "back for a moment only");
    assert_eq!(served(&twice(1_000), failed(Effect::None)), [Promise::O8]);
    let within = [
        (16_000, What::Troubled { id: 1, trouble: Trouble::Placement }),
        (18_000, What::Troubled { id: 2, trouble: Trouble::Placement }),
        (19_000, What::Calmed { id: 2 }),
    ];
    assert_eq!(served(&within, failed(Effect::None)), [], "the one absence in the other");
    let long = |again: u64| {
        let away = |at, id| (at, What::Troubled { id, trouble: Trouble::Placement });
        let back = |at, id| (at, What::Calmed { id });
        [away(4_000, 1), back(10_000, 1), away(10_000 + again, 2), back(again + 10_500, 2)]
    };
    assert_eq!(served(&long(5_999), failed(Effect::None)), [], "leases ended, and nobody led");
    assert_eq!(served(&long(6_000), failed(Effect::None)), [Promise::O5]);
}

#[test]
fn a_call_may_wait_in_vain_for_a_turn_that_takes_all_its_time() {
    let queued = |until: u64| {
        [
            (0, What::Owner { actor: 1, host: Some(1) }),
            (19_950, invoked(2, 2, READ)),
            (19_960, began(2, 2, 1)),
            (20_000, invoked(1, 2, READ)),
            (until, What::TurnEnded { turn: 2 }),
            (until, What::Answered { call: 2, seen: None }),
        ]
    };
    let busy = |until: u64| {
        let failed = What::Failed { call: 1, effect: Effect::None, why: String::new() };
        promises(queued(until).into_iter().chain([(30_000, failed)]))
    };
    assert_eq!(busy(29_950), []);
    assert_eq!(busy(29_000), [Promise::O5], "it was free in time");
    // What was left was too short for its own turn.
    let late = |until: u64| {
        let failed = What::Failed { call: 1, effect: Effect::Maybe, why: String::new() };
        let own =
            [(until + 1, began(1, 1, 1)), (30_000, failed), (30_010, What::TurnEnded { turn: 1 })];
        promises(queued(until).into_iter().chain(own))
    };
    assert_eq!(late(29_950), []);
    assert_eq!(late(29_000), [Promise::O5]);
}

#[test]
fn a_free_actor_that_does_not_move_keeps_nobody_waiting() {
    let waited = |moved: Option<Host>, pause: u64| {
        promises([
            (0, What::Owner { actor: 1, host: Some(1) }),
            (19_000, What::Owner { actor: 1, host: moved }),
            (20_000, invoked(1, 2, READ)),
            (20_000 + pause, began(1, 1, 1)),
            (20_001 + pause, What::TurnEnded { turn: 1 }),
            (20_002 + pause, What::Answered { call: 1, seen: None }),
        ])
    };
    assert_eq!(waited(Some(1), 99), []);
    assert_eq!(waited(Some(1), 101), [Promise::O4], "named again by who leads anew");
    assert_eq!(waited(Some(2), 101), [], "it moved");
}

#[test]
fn a_move_may_outlive_a_leader_until_the_actor_has_come_over() {
    let waited = |back: u64, host: Host| {
        promises([
            (0, What::Owner { actor: 1, host: Some(1) }),
            (9_000, What::Owner { actor: 1, host: Some(2) }),
            (back - 500, What::Troubled { id: 1, trouble: Trouble::Placement }),
            (back, What::Calmed { id: 1 }),
            (10_000, invoked(1, 3, READ)),
            (10_001, began(1, 1, host)),
            (10_002, What::TurnEnded { turn: 1 }),
            (10_003, What::Answered { call: 1, seen: None }),
            (20_000, invoked(2, 3, READ)),
            (20_101, began(2, 2, 2)),
            (20_102, What::TurnEnded { turn: 2 }),
            (20_103, What::Answered { call: 2, seen: None }),
        ])
    };
    assert_eq!(waited(15_000, 1), [], "it drained where it was before");
    assert_eq!(waited(15_000, 2), [Promise::O4], "it had come over");
    assert_eq!(waited(10_900, 1), [Promise::O4], "that leader is long there");
}

#[test]
fn a_crash_is_bounded() {
    let taken_over = |at: u64| {
        promises([
            (0, What::Owner { actor: 1, host: Some(1) }),
            (10_000, What::Troubled { id: 1, trouble: Trouble::Crash(1) }),
            (10_000, What::Calmed { id: 1 }),
            (10_500, invoked(1, 2, READ)),
            (15_600, What::Owner { actor: 1, host: Some(2) }),
            (at, began(1, 1, 2)),
            (at + 1, What::TurnEnded { turn: 1 }),
            (at + 2, What::Answered { call: 1, seen: None }),
        ])
    };
    assert_eq!(taken_over(16_050), []);
    assert_eq!(taken_over(16_150), [Promise::O6]);
}

#[test]
fn a_crash_is_not_that_of_an_actor_which_had_not_come_over() {
    let taken_over = |on: Host| {
        promises([
            (0, What::Owner { actor: 1, host: Some(on) }),
            (9_000, invoked(7, 2, READ)),
            (9_001, began(7, 7, on)),
            (9_500, What::Owner { actor: 1, host: Some(1) }),
            (10_000, What::Troubled { id: 1, trouble: Trouble::Crash(1) }),
            (10_000, What::Calmed { id: 1 }),
            (10_500, invoked(1, 2, READ)),
            (12_000, What::TurnEnded { turn: 7 }),
            (12_001, What::Answered { call: 7, seen: None }),
            (15_600, What::Owner { actor: 1, host: Some(2) }),
            (17_000, began(1, 1, 2)),
            (17_001, What::TurnEnded { turn: 1 }),
            (17_002, What::Answered { call: 1, seen: None }),
        ])
    };
    assert_eq!(taken_over(3), [], "it ran on host 3 until then, which drained on");
    assert_eq!(taken_over(1), [Promise::O6]);
}

#[test]
fn a_crash_of_both_is_bounded_from_the_start_of_placement() {
    let taken_over = |away: u64, back: u64, at: u64| {
        let placement = What::Troubled { id: 2, trouble: Trouble::Placement };
        let crash = What::Troubled { id: 1, trouble: Trouble::Crash(1) };
        let mut events = vec![
            (0, What::Owner { actor: 1, host: Some(1) }),
            (10_000, crash),
            (10_000, What::Calmed { id: 1 }),
            (away, placement),
            (back, What::Calmed { id: 2 }),
            (10_500, invoked(1, 2, READ)),
            (at - 400, What::Owner { actor: 1, host: Some(2) }),
            (at, began(1, 1, 2)),
            (at + 1, What::TurnEnded { turn: 1 }),
            (at + 2, What::Answered { call: 1, seen: None }),
        ];
        events.sort_by_key(|(at, _)| *at);
        promises(events)
    };
    assert_eq!(taken_over(14_000, 16_000, 22_050), []);
    assert_eq!(taken_over(14_000, 16_000, 22_150), [Promise::O6]);
    assert_eq!(taken_over(7_000, 9_000, 16_050), []);
    assert_eq!(taken_over(7_000, 9_000, 16_150), [Promise::O6], "it was back before");
    assert_eq!(taken_over(16_200, 18_000, 16_150), [Promise::O6], "it went too late");
}

#[test]
fn who_took_over_from_a_crash_of_both_may_have_to_wait_for_it() {
    // Host 2 joined and was to have the actor before anybody knew that host 1 had died.
    let waited = |earlier: Host, at: u64| {
        let mut events = vec![
            (0, What::Owner { actor: 1, host: Some(earlier) }),
            (10_000, What::Troubled { id: 1, trouble: Trouble::Crash(1) }),
            (10_000, What::Calmed { id: 1 }),
            (10_100, What::Owner { actor: 1, host: Some(2) }),
        ];
        if earlier != 1 {
            events.extend([
                (11_000, invoked(2, 2, READ)),
                (11_050, began(2, 2, 2)),
                (11_060, What::TurnEnded { turn: 2 }),
                (11_070, What::Answered { call: 2, seen: None }),
            ]);
        }
        events.extend([
            (15_900, What::Troubled { id: 2, trouble: Trouble::Placement }),
            (17_900, What::Calmed { id: 2 }),
            (20_000, invoked(1, 2, READ)),
            (at, began(1, 1, 2)),
            (at + 1, What::TurnEnded { turn: 1 }),
            (at + 2, What::Answered { call: 1, seen: None }),
        ]);
        promises(events)
    };
    assert_eq!(waited(1, 23_900), []);
    assert_eq!(waited(1, 24_100), [Promise::O6]);
    assert_eq!(waited(3, 20_200), [Promise::O4], "its owner was another, and it had come over");
}

#[test]
fn a_crash_of_both_excuses_no_call_that_had_the_time() {
    let refused = |deadline: u64| {
        let failed = What::Failed { call: 1, effect: Effect::None, why: String::new() };
        let deadline = ms(deadline);
        let asked = What::Invoked { call: 1, parent: None, actor: 1, via: 2, op: READ, deadline };
        promises([
            (0, What::Owner { actor: 1, host: Some(1) }),
            (10_000, What::Troubled { id: 1, trouble: Trouble::Crash(1) }),
            (10_000, What::Calmed { id: 1 }),
            (10_500, asked),
            (14_000, What::Troubled { id: 2, trouble: Trouble::Placement }),
            (16_000, What::Calmed { id: 2 }),
            (20_000, failed),
        ])
    };
    assert_eq!(refused(20_000), []);
    assert_eq!(refused(30_000), [Promise::O6]);
}

/// A reminder of every second from the tenth on, kept; and what comes then.
fn reminded(times: Option<u32>, rest: impl IntoIterator<Item = (u64, What)>) -> Vec<Promise> {
    let every = Some(ms(1_000));
    let mut events = vec![
        (1, What::Reminding { reminder: 1, first: ms(10_000), every, times }),
        (2, What::Reminded { reminder: 1, now: ms(2) }),
    ];
    events.extend(rest);
    promises(events)
}

/// The turns of ticks, each of a millisecond.
fn ticks(all: &[(u64, u32, u32)]) -> Vec<(u64, What)> {
    let tick = |(turn, (due, tick, missed)): (usize, &(u64, u32, u32))| {
        let (turn, due, tick, missed) = (turn as u64 + 1, *due, *tick, *missed);
        let now = ms(due);
        [
            (due, began(turn, 100 + turn, 1)),
            (due, What::Ticked { reminder: 1, turn, tick, missed, due: now, now }),
            (due + 1, What::TurnEnded { turn }),
        ]
    };
    all.iter().enumerate().flat_map(tick).collect()
}

#[test]
fn each_time_of_a_reminder_comes_or_is_told_of() {
    let by = |now, times, came: &[(u64, u32, u32)]| {
        let end = (40_000, What::Calendar { now: ms(now) });
        reminded(times, ticks(came).into_iter().chain([end]))
    };
    let three = [(10_000, 1, 0), (11_000, 2, 0), (12_000, 3, 0)];
    assert_eq!(by(21_500, None, &three), []);
    assert_eq!(by(22_500, None, &three), [Promise::AtLeastOnce]);
    assert_eq!(by(22_500, Some(3), &three), []);
    assert_eq!(by(21_500, None, &[(10_000, 1, 0), (12_000, 3, 0)]), [Promise::AtLeastOnce]);
    assert_eq!(by(21_500, None, &[(10_000, 1, 0), (12_000, 3, 1)]), [], "it tells of another");
    assert_eq!(by(19_000, None, &[(10_000, 1, 0)]), []);
    assert_eq!(by(19_000, None, &[(10_000, 1, 0), (10_000, 1, 0)]), [], "twice is once, too");
    assert_eq!(by(21_500, Some(2), &three), [Promise::NeverEarly], "one too many");
}

#[test]
fn no_time_of_a_reminder_comes_early_or_unasked() {
    let one = |due, now| {
        let what = What::Ticked { reminder: 1, turn: 1, tick: 1, missed: 0, due, now };
        reminded(None, [(9, began(1, 7, 1)), (9, what), (10, What::TurnEnded { turn: 1 })])
    };
    assert_eq!(one(ms(10_000), ms(10_000)), []);
    assert_eq!(one(ms(10_000), ms(9_999)), [Promise::NeverEarly]);
    assert_eq!(one(ms(9_000), ms(10_000)), [Promise::NeverEarly]);
    let off_grid = ticks(&[(10_000, 1, 0), (11_500, 2, 0)]);
    assert_eq!(reminded(None, off_grid), [Promise::NeverEarly]);
    let came = ticks(&[(10_000, 1, 0)]);
    let refused = [(3, What::NotReminded { reminder: 1, why: String::new() })];
    assert_eq!(reminded(None, refused.into_iter().chain(came)), [Promise::NeverEarly]);
    let dropped = |at| {
        let dropped = [(3, What::Dropping { reminder: 1 }), (at, What::Dropped { reminder: 1 })];
        reminded(None, dropped.into_iter().chain(ticks(&[(10_000, 1, 0)])))
    };
    assert_eq!(dropped(4_999), [Promise::NeverEarly]);
    assert_eq!(dropped(5_001), [], "it may have been on its way");
}

#[test]
fn a_timer_is_of_its_activation_and_not_early() {
    let came = |since| {
        promises([(9, began(1, 7, 1)), (9, What::Timed { timer: 1, turn: 1, since, due: ms(5) })])
    };
    assert_eq!(came(Some(ms(5))), []);
    assert_eq!(came(Some(ms(4))), [Promise::NeverEarly]);
    assert_eq!(came(None), [Promise::EndsWithItsActivation]);
}

#[test]
fn a_reminder_overlaps_itself_nowhere() {
    let tick = |turn, tick, due| What::Ticked {
        reminder: 1,
        turn,
        tick,
        missed: 0,
        due: ms(due),
        now: ms(due),
    };
    let events = |lost: &[What]| {
        let mut events = vec![(10_000, began(1, 7, 1)), (10_000, tick(1, 1, 10_000))];
        events.extend(lost.iter().map(|what| (10_500, what.clone())));
        // The history does not say whose turns they are but by the reminder.
        events.push((11_000, What::TurnBegan { turn: 2, call: 8, actor: 2, host: 1 }));
        events.push((11_000, tick(2, 2, 11_000)));
        reminded(None, events)
    };
    assert_eq!(events(&[]), [Promise::OneAtATime]);
    assert_eq!(events(&[What::TurnEnded { turn: 1 }]), []);
    assert_eq!(events(&[What::TurnLost { turn: 1 }]), []);
}
