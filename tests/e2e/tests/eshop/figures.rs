//! What the shop does in a second, by hand: rows of a table.
//!
//! Buyers order one line each, one after the other, a connection for each request, beside both
//! hosts in turn. All of it is on one machine: the buyers, placement, both hosts, the shop
//! beside each, and the disk. How many commits an order is, the shop's own tests say.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::{LONG, ORDER, Shop, order};

/// How long each row is measured, after a tenth of it.
const LENGTH: Duration = Duration::from_secs(10);
/// Units of each kind: as many as fit into the house.
const STOCK: u32 = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute: a table of checkouts a second"]
async fn checkouts_a_second() {
    let shop = Shop::open().await;
    super::say("| buyers at once | kinds of goods | checkouts a second | p50 | p99 |");
    super::say("|---|---|---|---|---|");
    for (buyers, kinds) in [(1, 20), (16, 20), (64, 20), (64, 1)] {
        let like = format!("goods-{buyers}-{kinds}");
        let names: Vec<String> = (0..kinds).map(|n| format!("{like}-{n}")).collect();
        for name in &names {
            shop.goods(name, 900, STOCK).await;
        }
        measure(&shop, &names, buyers, LENGTH / 10).await;
        let mut took = measure(&shop, &names, buyers, LENGTH).await;
        took.sort();
        let part = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)];
        let a_second = took.len() as f64 / LENGTH.as_secs_f64();
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        let (half, most) = (millis(part(50)), millis(part(99)));
        super::say(&format!(
            "| {buyers} | {kinds} | {a_second:.0} | {half:.1} ms | {most:.1} ms |"
        ));
    }
    shop.close().await;
}

/// Has so many buy at once; how long each order took that was placed in time.
async fn measure(shop: &Shop, names: &[String], buyers: usize, length: Duration) -> Vec<Duration> {
    let (next, end) = (AtomicUsize::new(0), Instant::now() + length);
    let mut before = 0;
    for name in names {
        before += shop.held(name).await;
    }
    let buying = super::for_all((0..buyers).map(|buyer| {
        let next = &next;
        async move {
            let mut took = Vec::new();
            while Instant::now() < end {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let (who, goods) =
                    (format!("buyer-{before}-{buyer}"), &names[number % names.len()]);
                let body = order(&format!("{goods}-{number}"), &[(goods, 1)], LONG);
                let began = Instant::now();
                let told = shop.once(buyer, &who, ORDER, &body).await.expect("an answer");
                assert_eq!(told.status, 200, "{told:?}");
                took.push(began.elapsed());
            }
            took
        }
    }))
    .await;
    let took = buying.concat();
    let mut after = 0;
    for name in names {
        after += shop.held(name).await;
    }
    assert_eq!(after - before, u32::try_from(took.len()).expect("few"), "each holds one");
    took
}
