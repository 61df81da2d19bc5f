//! Each planted fault is found, by a promise that it breaks, within 500 seeds.
//!
//! Most faults are lines of the product under its feature `defects`, so all of this runs
//! only with that feature of this crate: `cargo test -p odeon-sim --features defects`.

#![cfg(feature = "defects")]

use odeon_sim::life::{Birth, live};
use odeon_sim::plant::Plant;
use odeon_sim::scenario::Scenario;

/// Seeds within which a fault is to be found.
const SEEDS: u64 = 500;

/// Who finds a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finder {
    /// The simulation; in this scenario soonest.
    Life(Scenario),
    /// This test of the model in stateright: no life gets there within so many seeds.
    Model(&'static str),
}

/// Which finds which.
const FOUND_BY: [(Plant, Finder); 21] = [
    (Plant::TurnsOutliveTheLease, Finder::Life(Scenario::Freeze)),
    (Plant::NoSeqInTheFence, Finder::Life(Scenario::Storm)),
    (Plant::OutlivesUnknownOutcome, Finder::Life(Scenario::Store)),
    (Plant::DeletionRemovesFence, Finder::Life(Scenario::Calm)),
    (Plant::LateGrantRevives, Finder::Life(Scenario::Storm)),
    (Plant::TableSkipped, Finder::Life(Scenario::CrashBoth)),
    (Plant::MarkPassesOver, Finder::Life(Scenario::Storm)),
    (Plant::OpensWhenAllReleased, Finder::Life(Scenario::Crash)),
    (Plant::DrainShutsOutNestedCalls, Finder::Life(Scenario::Calm)),
    (Plant::NestedCallTakesTheNewestEpoch, Finder::Life(Scenario::Placement)),
    (Plant::OnlyTheOwnMarkLetsIn, Finder::Model("trap_let_in_by_the_own_mark_only")),
    (Plant::LeaverIsNotWatched, Finder::Life(Scenario::Crash)),
    (Plant::NewLeaderDoesNotWait, Finder::Life(Scenario::Placement)),
    (Plant::OldLeaderAdmits, Finder::Life(Scenario::OldLeader)),
    (Plant::SystemActorWaits, Finder::Life(Scenario::Bells)),
    (Plant::NoFenceCheck, Finder::Life(Scenario::Partition)),
    (Plant::NoLeaseCheck, Finder::Life(Scenario::Freeze)),
    (Plant::AckBeforeSync, Finder::Life(Scenario::Store)),
    (Plant::ResendAfterMaybe, Finder::Life(Scenario::Partition)),
    (Plant::StaleTableAccepted, Finder::Life(Scenario::Partition)),
    (Plant::LeaseFromTheAnswer, Finder::Life(Scenario::Partition)),
];

#[test]
#[expect(clippy::print_stdout, reason = "says which life found which")]
fn every_planted_fault_is_found() {
    let mut missed = Vec::new();
    for (plant, finder) in FOUND_BY {
        let Finder::Life(scenario) = finder else { continue };
        let found = (0..SEEDS).find_map(|seed| {
            let story = live(Birth { seed, scenario, plant: Some(plant) });
            story.violations.into_iter().next().map(|violation| (seed, violation))
        });
        match found {
            Some((seed, violation)) => {
                let sound = live(Birth { seed, scenario, plant: None });
                assert_eq!(sound.violations, [], "without the fault, {scenario:?} {seed}");
                println!("{}: {}, seed {seed}: {violation}", plant.name(), scenario.name());
            }
            None => missed.push(plant.name()),
        }
    }
    assert_eq!(missed, Vec::<String>::new());
}

#[test]
fn every_fault_has_a_finder() {
    let listed: Vec<Plant> = FOUND_BY.iter().map(|(plant, _)| *plant).collect();
    assert_eq!(listed, Plant::ALL);
    let model = include_str!("../../../runtime/src/ownership/hand_off.rs");
    for (plant, finder) in FOUND_BY {
        if let Finder::Model(test) = finder {
            assert!(model.contains(&format!("fn {test}()")), "{}: no {test}", plant.name());
        }
    }
}
