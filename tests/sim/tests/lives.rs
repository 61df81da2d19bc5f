//! A life is a function of its seed; a few of each scenario keep all promises, and so do
//! those that once did not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use odeon_sim::life::{Birth, live};
use odeon_sim::plant::Plant;
use odeon_sim::report::Membership;
use odeon_sim::scenario::Scenario;
use odeon_test_history::{Promise, What};

#[test]
fn the_same_seed_is_the_same_life() {
    for scenario in Scenario::ALL {
        for seed in 0..3 {
            let birth = Birth { seed, scenario, plant: None };
            assert_eq!(live(birth).trace(), live(birth).trace(), "{birth:?}");
        }
        let other = Birth { seed: 9, scenario, plant: None };
        let first = Birth { seed: 0, scenario, plant: None };
        assert_ne!(live(first).trace(), live(other).trace());
    }
}

#[test]
fn what_once_broke_a_promise_keeps_it() {
    for line in include_str!("../regressions.txt").lines() {
        let mut words = line.split_whitespace().filter(|_| !line.starts_with('#'));
        let Some((scenario, seed)) = words.next().zip(words.next()) else { continue };
        let scenario = Scenario::named(scenario).expect("a scenario");
        let birth = Birth { seed: seed.parse().expect("a seed"), scenario, plant: None };
        assert_eq!(live(birth).violations, [], "{line}");
    }
}

/// The first lives of these scenarios keep every promise.
fn keep_all(scenarios: &[Scenario], seeds: u64) {
    for scenario in scenarios.iter().copied() {
        for seed in 0..seeds {
            let story = live(Birth { seed, scenario, plant: None });
            assert_eq!(story.violations, [], "{scenario:?} {seed}");
        }
    }
}

#[test]
fn join_leave_and_rolling_restart_fail_no_call_and_run_none_twice() {
    keep_all(&[Scenario::Calm, Scenario::Rolling], 20);
}

#[test]
fn actors_that_are_moved_about_lose_nothing_and_no_call_has_to_know() {
    keep_all(&[Scenario::Moves, Scenario::MovesRecalled], 20);
}

#[test]
fn a_frozen_host_delays_nobody_else() {
    keep_all(&[Scenario::Freeze], 30);
}

#[test]
fn a_crash_is_bounded_though_placement_dies_too() {
    keep_all(&[Scenario::CrashBoth], 20);
}

#[test]
fn a_shop_sells_what_it_has_and_every_message_comes_in_order() {
    keep_all(&[Scenario::Shop], 40);
}

#[test]
fn a_store_that_forgets_what_it_acknowledged_shows_in_the_books_and_the_messages() {
    let plant = Some(Plant::AckBeforeSync);
    let lives = (0..60).map(|seed| live(Birth { seed, scenario: Scenario::Shop, plant }));
    let broken: BTreeSet<Promise> =
        lives.flat_map(|story| story.violations).map(|violation| violation.promise).collect();
    for promise in [Promise::BooksClose, Promise::Delivered, Promise::SentInOrder] {
        assert!(broken.contains(&promise), "{broken:?}");
    }
}

#[test]
fn what_a_join_costs_grows_with_the_hosts_and_not_with_their_square() {
    for hosts in [20, 200_usize] {
        let mut membership = Membership::new(10);
        for host in 0..hosts {
            membership.join(host, Duration::from_millis(1));
        }
        membership.run(Duration::from_millis(2_900));
        let cost = membership.join_one(hosts, Duration::from_millis(100));
        let most = 4 * (hosts as u64 + 1) + 5;
        assert!(cost.messages <= most, "{hosts} hosts: {cost:?}");
        assert!(cost.took < Duration::from_millis(70), "{hosts} hosts: {cost:?}");
    }
}

#[test]
fn two_hundred_hosts_that_join_in_a_second_make_twelve_tables_at_most() {
    let mut membership = Membership::new(3);
    for host in 0..200_u64 {
        let at = Duration::from_millis(5 * host);
        membership.join(usize::try_from(host).expect("a small number"), at);
    }
    membership.run(Duration::from_secs(5));
    assert!((1..=12).contains(&membership.versions()), "{}", membership.versions());
}

/// What is seen by nobody breaks no promise.
#[test]
fn a_life_of_reminders_and_timers_sees_all_that_its_checker_looks_at() {
    let mut seen = [0_usize; 5];
    let mut repeated = 0;
    for seed in 0..10 {
        let story = live(Birth { seed, scenario: Scenario::Reminders, plant: None });
        assert_eq!(story.violations, [], "{seed}");
        let mut timers = BTreeMap::<_, usize>::new();
        for event in &story.events {
            let kind = match &event.what {
                What::Reminded { .. } => 0,
                What::Dropped { .. } => 1,
                What::Ticked { missed, .. } if *missed > 0 => 2,
                What::Ticked { .. } => 3,
                What::Timed { timer, since, .. } => {
                    *timers.entry(*timer).or_default() += 1;
                    if since.is_none() {
                        continue;
                    }
                    4
                }
                _ => continue,
            };
            seen[kind] += 1;
        }
        repeated += timers.values().filter(|times| **times > 1).count();
    }
    assert!(seen.iter().all(|times| *times > 0) && repeated > 0, "{seen:?}, {repeated}");
}
