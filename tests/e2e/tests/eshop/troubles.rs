//! What goes wrong below a shop: processes are killed, leave, and stand still while it sells.

use std::time::Duration;

use futures::future::join;
use odeon_chaos::run::holds_the_store;
use odeon_eshop::domain::ids;
use odeon_test_support::process::{kill, pause, resume, terminate};
use odeon_test_support::until;
use tokio::time::Instant;

use super::{LATER, LONG, ORDER, Shop, for_all, now, order};
use crate::demo::HOSTS;

/// Within which a checkout goes on that nobody asks about, whoever was killed.
const RESUMED: Duration = Duration::from_secs(10);
/// How long the store is away.
const AWAY: Duration = Duration::from_secs(10);
/// No turn takes that long by itself, in milliseconds.
const STUCK_MS: u64 = 500;
/// More than a host can sell meanwhile.
const PLENTY: u32 = 20_000;

impl Shop {
    /// The host that holds the store for all.
    async fn holder(&self) -> usize {
        until("a host to hold the store", || async {
            for host in 0..HOSTS {
                let name = self.running.name(host).await;
                if holds_the_store(&self.running.client(host), &name, "statestore").await {
                    return Some(host);
                }
            }
            None
        })
        .await
    }

    /// A buyer whose first checkout belongs to this host.
    async fn buyer_at(&self, host: usize, like: &str) -> String {
        self.first_at(host, "CheckoutActor", like, |who| ids::order(who, "r1")).await
    }

    /// Whether a turn of these goods runs on this host and does not get on.
    async fn is_running(&self, host: usize, goods: &str) -> bool {
        let client = self.running.client(host);
        let listed = client.get("/odeon/v1/actors/GoodsActor").await.expect("an answer").json();
        let actors = listed["actors"].as_array().expect("actors").clone();
        actors
            .iter()
            .any(|actor| actor["id"] == goods && actor["runningMs"].as_u64() > Some(STUCK_MS))
    }
}

// F4: one line is reserved and the other cannot be, so nobody can create the order yet; then
// whoever runs the checkout is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_goes_on_though_it_was_killed_between_two_steps() {
    let shop = Shop::open().await;
    let slow = shop.running.worker(1).await;
    for victim in ["worker", "host"] {
        let near = shop.name_at(0, "GoodsActor", &format!("near-{victim}")).await;
        let far = shop.name_at(1, "GoodsActor", &format!("far-{victim}")).await;
        let who = shop.buyer_at(0, victim).await;
        shop.goods(&near, 900, 5).await;
        shop.goods(&far, 500, 5).await;
        let id = match victim {
            "worker" => shop.running.worker(0).await,
            _ => shop.running.host(0).await,
        };
        pause(slow);
        let body = order("r1", &[(&near, 1), (&far, 2)], LONG);
        let started = shop.once(0, &who, LATER, &body).await.expect("an answer");
        assert_eq!(started.status, 202, "{started:?}");
        shop.until_held(&near, 1).await;
        assert_eq!(shop.held(&far).await, 0);
        kill(id);
        resume(slow);
        let killed = Instant::now();
        let told = shop.until_checked_out(&who, &started.order_id()).await;
        assert_eq!(told.status, 200, "{told:?}");
        super::say(&format!("{victim} killed: resumed after {:?}", killed.elapsed()));
        assert!(killed.elapsed() < RESUMED, "{:?}", killed.elapsed());
        assert_eq!(shop.close_ledger(&near, 5).await["held"], 1);
        assert_eq!(shop.close_ledger(&far, 5).await["held"], 2);
        shop.close_orders(&[started.order_id()]).await;
    }
    shop.close().await;
}

// F4, F16.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checkouts_go_on_whoever_is_killed() {
    /// How many are begun before each kill.
    const BUYERS: u32 = 12;
    const TARTS: u32 = 40;
    let shop = Shop::open().await;
    shop.goods("soup", 900, 4 * BUYERS).await;
    shop.goods("tart", 500, TARTS).await;
    let ask = |buyer: u32| {
        let shop = &shop;
        async move {
            let who = format!("buyer-{buyer}");
            let body = order("r1", &[("soup", 1), ("tart", 1)], LONG);
            (who.clone(), shop.ask(&who, LATER, &body).await.order_id())
        }
    };
    let mut orders = Vec::new();
    for round in 0..4 {
        let first = round * BUYERS;
        // Those who come too late for a tart are given their soup back.
        let before = shop.held("soup").await;
        let started = for_all((first..first + BUYERS).map(ask));
        let killed = async {
            shop.until_held("soup", before + 1).await;
            match round {
                0 => kill(shop.running.worker(0).await),
                1 => kill(shop.running.worker(1).await),
                2 => kill(shop.running.host(0).await),
                _ => kill(shop.running.host(1).await),
            }
        };
        let (started, ()) = join(started, killed).await;
        let ended = for_all(started.iter().map(|(who, id)| shop.until_checked_out(who, id))).await;
        orders.extend(started.into_iter().zip(ended).map(|((_, id), told)| (id, told)));
    }
    let placed: Vec<String> =
        orders.iter().filter(|(_, told)| told.status == 200).map(|(id, _)| id.clone()).collect();
    assert_eq!(placed.len(), TARTS as usize, "{orders:?}");
    assert_eq!(shop.close_ledger("soup", 4 * BUYERS).await["held"], TARTS);
    assert_eq!(shop.close_ledger("tart", TARTS).await["held"], TARTS);
    shop.close_orders(&placed).await;
    shop.close().await;
}

// F16: each host leaves in order and comes back, and whoever does not ask there sees nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_leaves_fails_no_checkout() {
    let mut shop = Shop::open().await;
    let mut orders = Vec::new();
    for host in (0..HOSTS).rev() {
        let goods = shop.name_at(host, "GoodsActor", &format!("soup-{host}")).await;
        shop.goods(&goods, 900, PLENTY).await;
        let said = shop.running.up.lines();
        let (placed, ()) = shop
            .busy_beside(1 - host, &goods, async {
                shop.until_more_held(&goods, 5).await;
                terminate(shop.running.host(host).await);
                // Others are asked meanwhile, and later it again.
                let moved = || async {
                    (shop.home(1 - host, "GoodsActor", &goods).await == Some(1 - host))
                        .then_some(())
                };
                until("its goods to move", moved).await;
                shop.until_more_held(&goods, 5).await;
                let back = || async {
                    (shop.home(1 - host, "GoodsActor", &goods).await == Some(host)).then_some(())
                };
                until("its goods to come back", back).await;
                shop.until_more_held(&goods, 5).await;
            })
            .await;
        let name = ["node", "node-2"][host];
        shop.running.up.line_after(said, &format!("{name} ended with exit code 0")).await;
        let held = shop.close_ledger(&goods, PLENTY).await["held"];
        assert_eq!(held as usize, placed.len(), "{goods}");
        orders.extend(placed);
    }
    shop.close_orders(&orders).await;
    shop.close().await;
}

// F17: a host stands still in the middle of a turn, until another has its actors and sells; when
// it wakes up, the turn's code has come to its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_stands_still_saves_nothing_when_it_wakes_up() {
    let shop = Shop::open().await;
    let holder = shop.holder().await;
    let other = 1 - holder;
    let goods = shop.name_at(other, "GoodsActor", "soup").await;
    shop.goods(&goods, 900, PLENTY).await;
    let (placed, ()) = shop
        .busy(&goods, async {
            shop.until_more_held(&goods, 5).await;
            let (host, worker) = (shop.running.host(other).await, shop.running.worker(other).await);
            pause(worker);
            let runs = || async { shop.is_running(other, &goods).await.then_some(()) };
            until("a turn to be stuck", runs).await;
            pause(host);
            let moved = || async {
                (shop.home(holder, "GoodsActor", &goods).await == Some(holder)).then_some(())
            };
            until("its goods to move", moved).await;
            resume(worker);
            shop.until_more_held(&goods, 5).await;
            resume(host);
            shop.until_more_held(&goods, 5).await;
        })
        .await;
    let units = shop.close_ledger(&goods, PLENTY).await;
    assert_eq!(units["held"] as usize, placed.len(), "{units:?}");
    shop.close_orders(&placed).await;
    shop.close().await;
}

// F15: whoever holds the store stands still, so that nobody can write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_is_away_buyers_are_told_and_nothing_is_half_written() {
    let shop = Shop::open().await;
    let holder = shop.holder().await;
    let other = 1 - holder;
    let goods = shop.name_at(other, "GoodsActor", "soup").await;
    shop.goods(&goods, 900, PLENTY).await;
    let (placed, told) = shop
        .busy(&goods, async {
            shop.until_more_held(&goods, 5).await;
            let (id, back) = (shop.running.host(holder).await, now() + AWAY);
            pause(id);
            let body = order("r1", &[(&goods, 1)], LONG);
            let told = shop.once(other, "ann", LATER, &body).await;
            until("the store to be away for so long", || async { (now() > back).then_some(()) })
                .await;
            resume(id);
            shop.until_more_held(&goods, 5).await;
            told
        })
        .await;
    let told = told.expect("an answer");
    assert_eq!((told.status, told.reason()), (503, "unavailable"), "{told:?}");
    // Who was told so asks again and gets one.
    let late = shop.ask("ann", ORDER, &order("r1", &[(&goods, 1)], LONG)).await.order_id();
    let units = shop.close_ledger(&goods, PLENTY).await;
    assert_eq!(units["held"] as usize, placed.len() + 1, "{units:?}");
    shop.close_orders(&placed).await;
    shop.close_orders(&[late]).await;
    shop.close().await;
}
