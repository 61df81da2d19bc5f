//! What do look-ups and changes of the ring cost, with 100 hosts of 100 virtual nodes?
//!
//! `cargo bench -p odeon-bench --bench ring`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_types,
    reason = "a benchmark"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use odeon_base::{HostName, Incarnation};
use odeon_ring::{Member, Positions, Ring};

fn member(n: u64) -> Arc<Member> {
    let host = format!("10.0.{}.{}:50001", n / 250, n % 250);
    Arc::new(Member {
        incarnation: Incarnation(n + 1),
        host: HostName::parse(&host).unwrap(),
        address: host.as_str().into(),
    })
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn main() {
    let members: Vec<_> = (0..100).map(member).collect();
    let more: Vec<_> = (0..101).map(member).collect();
    let mut cold = Vec::new();
    for _ in 0..31 {
        let start = Instant::now();
        black_box(Ring::build(&members, &mut Positions::default()));
        cold.push(start.elapsed());
    }
    let mut positions = Positions::default();
    let ring = Ring::build(&members, &mut positions);
    let mut joins = Vec::new();
    for _ in 0..31 {
        let mut fresh = Positions::default();
        for member in &members {
            fresh.of(&member.host);
        }
        let start = Instant::now();
        black_box(ring.next(&more, &mut fresh));
        joins.push(start.elapsed());
    }
    let mut lookups = Vec::new();
    for round in 0..31_u64 {
        let start = Instant::now();
        for n in 0..100_000_u64 {
            black_box(ring.owner(black_box((round + n).wrapping_mul(0x9e37_79b9_7f4a_7c15))));
        }
        lookups.push(start.elapsed() / 100_000);
    }
    println!("look-up, hash in hand  {:?}", median(lookups));
    println!("one host joins         {:?}", median(joins));
    println!("cold build             {:?}", median(cold));
}
