//! The promises of the ownership specification under an adversary's hand: crashes,
//! broken streams, slow disks, lost memory, clocks a tenth off.
//!
//! `world` does what the adversary chooses and checks after each step; `host` is a
//! host as it should be. More cases: set `PROPTEST_CASES`.

mod host;
mod world;

use proptest::prelude::*;
use proptest::test_runner::Config;

use self::world::{ACTORS, HOSTS, Op, World};

fn op() -> impl Strategy<Value = Op> {
    let host = || 0..HOSTS;
    prop_oneof![
        8 => (host(), any::<bool>()).prop_map(|(host, is_proved)| Op::Start { host, is_proved }),
        2 => host().prop_map(Op::Leave),
        2 => host().prop_map(Op::Crash),
        2 => host().prop_map(Op::Prove),
        2 => host().prop_map(Op::Break),
        6 => host().prop_map(Op::Reconnect),
        12 => (host(), 1_u8..6).prop_map(|(host, count)| Op::Up(host, count)),
        12 => (host(), 1_u8..6).prop_map(|(host, count)| Op::Down(host, count)),
        12 => Just(Op::DeliverAll),
        10 => Just(Op::Saved),
        16 => (1_u16..900).prop_map(Op::Pass),
        2 => (1000_u16..6000).prop_map(Op::Pass),
        8 => (host(), 0..ACTORS).prop_map(|(host, actor)| Op::Serve { host, actor }),
        20 => (0..ACTORS).prop_map(Op::Call),
        4 => (host(), 0..ACTORS).prop_map(|(host, actor)| Op::Finish { host, actor }),
        6 => host().prop_map(Op::Release),
        10 => host().prop_map(Op::Settle),
        2 => host().prop_map(Op::Offer),
        1 => host().prop_map(Op::FenceAhead),
        1 => Just(Op::RestartPlacement),
        1 => Just(Op::LoseMemory),
    ]
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn no_adversary_breaks_a_promise(ops in proptest::collection::vec(op(), 1..300)) {
        let mut world = World::new();
        ops.iter().for_each(|op| world.apply(op));
        world.rest();
    }
}
