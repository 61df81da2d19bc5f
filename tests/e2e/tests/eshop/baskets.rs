//! L6: many baskets, each compared with a model, and what they leave in memory.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use odeon_test_support::process::resident;
use odeon_test_support::until;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Shop, for_all, now, say};
use crate::demo::HOSTS;

/// Within which baskets leave memory that nobody asks for: the idle timeout of ten minutes,
/// and what it takes to look at all of them.
const IDLE_WITHIN: Duration = Duration::from_secs(13 * 60);
/// Between two looks at what is in memory.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

impl Shop {
    /// What the hosts and the shop beside each hold in memory, in MiB.
    async fn resident(&self) -> Vec<u64> {
        let mut found = Vec::new();
        for host in 0..HOSTS {
            found.push(resident(self.running.host(host).await));
            found.push(resident(self.running.worker(host).await));
        }
        found
    }

    /// Waits until no basket is in memory; how long that took.
    async fn until_baskets_are_idle(&self) -> Duration {
        let began = now();
        loop {
            let path = "/odeon/v1/actors/BasketActor?limit=1";
            let listed = self.running.client(0).get(path).await.expect("an answer").json();
            if listed["actors"].as_array().expect("actors").is_empty() {
                return now().abs_diff(began);
            }
            assert!(now() < began + IDLE_WITHIN, "{listed}");
            let soon = now() + LOOK_AGAIN;
            until("the next look", || async { (now() > soon).then_some(()) }).await;
        }
    }
}

async fn every_basket_is_its_model(shop: &Shop, baskets: Range<u32>) {
    let began = Instant::now();
    let edit = |basket: u32| async move {
        let who = format!("buyer-{basket}");
        let mut model: BTreeMap<&str, u32> = BTreeMap::new();
        for (n, id) in ["egg-tart", "pancake", "egg-tart", "cucumber", "pancake"].iter().enumerate()
        {
            let count = (basket + n as u32) % 4;
            let line = json!({"cmdId": format!("c{n}"), "goodsId": id, "count": count});
            shop.ok(&who, "/basketservice/basket/setitem", line).await;
            match count {
                0 => model.remove(id),
                _ => model.insert(id, count),
            };
        }
        let shown = shop.ok(&who, "/basketservice/basket/get", Value::Null).await;
        let lines = shown["items"].as_array().expect("lines").iter().map(|line| {
            let count = line["count"].as_u64().and_then(|count| u32::try_from(count).ok());
            (line["goodsId"].as_str().expect("goods"), count.expect("few"))
        });
        assert_eq!(lines.collect::<BTreeMap<_, _>>(), model, "{who}");
    };
    let count = baskets.len();
    for_all(baskets.map(edit)).await;
    say(&format!("{count} baskets: {:?}", began.elapsed()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn baskets_are_what_was_put_in() {
    let shop = Shop::open().await;
    every_basket_is_its_model(&shop, 0..100).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a quarter of an hour: fifty thousand edits, and ten minutes until all are idle"]
async fn ten_thousand_baskets_are_what_was_put_in_and_leave_memory() {
    let shop = Shop::open().await;
    let fresh = shop.resident().await;
    every_basket_is_its_model(&shop, 0..10_000).await;
    let full = shop.resident().await;
    let took = shop.until_baskets_are_idle().await;
    let idle = shop.resident().await;
    // What is free may stay the process's: then as many others need no more.
    every_basket_is_its_model(&shop, 10_000..20_000).await;
    let again = shop.resident().await;
    say("| each host and its shop, MiB | fresh | 10,000 baskets | all idle | 10,000 others |");
    say(&format!("| idle after {took:?} | {fresh:?} | {full:?} | {idle:?} | {again:?} |"));
    let sum = |all: &[u64]| all.iter().sum::<u64>();
    let grown = sum(&full) - sum(&fresh);
    assert!(sum(&again) < sum(&full) + grown / 2, "what idle baskets held is not used again");
    shop.close().await;
}
