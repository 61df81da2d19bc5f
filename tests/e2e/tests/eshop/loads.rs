//! Crowds of buyers, and the ledger at the end.
//!
//! Each is run small every day, and as large as it was meant by hand.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, UNIX_EPOCH};

use futures::future::join;
use odeon_test_support::process::kill;
use odeon_test_support::until;
use serde_json::json;
use tokio::time::Instant;

use super::replicas::Replica;
use super::{
    CANCEL, LONG, ORDER, PAY, STAFF, Shop, Told, cancellations, for_all, now, order, pay, say, time,
};

/// How long orders can be paid that nobody pays.
const SHORT: u32 = 2;
/// How much later than that such an order may be cancelled.
const LATE: Duration = Duration::from_secs(10);

/// Every buyer orders one; what each was told, in order.
async fn each_orders_one(shop: &Shop, buyers: u32, pay_within: u32) -> Vec<Told> {
    let ask = |buyer: u32| async move {
        let body = order("r1", &[("soup", 1)], pay_within);
        shop.ask(&format!("buyer-{buyer}"), ORDER, &body).await
    };
    for_all((0..buyers).map(ask)).await
}

fn placed(told: &[Told]) -> Vec<String> {
    told.iter().filter(|told| told.status == 200).map(Told::order_id).collect()
}

/// That so many have got one, and the others were told that there is none.
fn sold_out(told: &[Told], stock: u32) {
    assert_eq!(placed(told).len(), stock as usize);
    let refused = told.iter().filter(|told| told.reason() == "out_of_stock").count();
    assert_eq!(refused, told.len() - stock as usize);
}

// L1, L2.
async fn never_sold_twice(buyers: u32, stock: u32, is_killed: bool) {
    let shop = Shop::open().await;
    shop.goods("soup", 900, stock).await;
    let (began, done) = (Instant::now(), Cell::new(false));
    let crowd = async {
        let told = each_orders_one(&shop, buyers, LONG).await;
        done.set(true);
        told
    };
    let trouble = async {
        if is_killed {
            shop.until_held("soup", stock / 2).await;
            kill(shop.running.host(1).await);
            kill(shop.running.worker(0).await);
            assert!(!done.get(), "the crowd was gone before anybody was killed");
            return vec![Replica::start(&shop).await, Replica::start(&shop).await];
        }
        Vec::new()
    };
    let (told, replicas) = join(crowd, trouble).await;
    for replica in &replicas {
        replica.until_it_has_its_share(&shop).await;
    }
    say(&format!("{buyers} buyers and {stock} units: {:?}", began.elapsed()));
    sold_out(&told, stock);
    // Asked again, everybody is told the same.
    assert_eq!(each_orders_one(&shop, buyers, LONG).await, told);
    assert_eq!(shop.close_ledger("soup", stock).await["held"], stock);
    shop.close_orders(&placed(&told)).await;
    for replica in replicas {
        replica.stop().await;
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_gets_what_there_is_and_no_more() {
    never_sold_twice(200, 50, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_gets_what_there_is_though_some_are_killed_and_others_come() {
    never_sold_twice(200, 50, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute or two: a thousand buyers, with and without kills"]
async fn a_thousand_buyers_get_a_hundred() {
    never_sold_twice(1_000, 100, false).await;
    never_sold_twice(1_000, 100, true).await;
}

// L3.
async fn seven_in_ten_pay(buyers: u32, stock: u32, pay_within: u32) {
    let shop = Shop::open().await;
    shop.goods("soup", 900, stock).await;
    let told = each_orders_one(&shop, buyers, pay_within).await;
    sold_out(&told, stock);
    let pays = |n: usize| n % 10 < 7;
    let orders: Vec<_> = told.iter().enumerate().filter(|(_, told)| told.status == 200).collect();
    let paid =
        for_all(orders.iter().enumerate().filter(|(n, _)| pays(*n)).map(|(_, (buyer, told))| {
            let (shop, who, id) = (&shop, format!("buyer-{buyer}"), told.order_id());
            async move { shop.ask(&who, PAY, &pay(&id, "p1")).await.status }
        }))
        .await;
    assert!(paid.iter().all(|status| [200, 202].contains(status)), "{paid:?}");
    for (n, (_, told)) in orders.iter().enumerate() {
        if pays(n) {
            shop.until_phase(&told.order_id(), "paid").await;
        } else {
            until_timed_out(&shop, &told.order_id(), time(&told.data()["payBefore"])).await;
        }
    }
    let units = shop.close_ledger("soup", stock).await;
    let (sold, back) = (stock * 7 / 10, stock * 3 / 10);
    assert_eq!((units["committed"], units["released"]), (sold, back), "{units:?}");
    assert_eq!(units.get("held"), None, "{units:?}");
    shop.close_orders(&placed(&told)).await;
    shop.close().await;
}

/// Waits until an order that nobody paid was cancelled for that, in time.
async fn until_timed_out(shop: &Shop, order_id: &str, pay_before: Duration) {
    while now() < pay_before {
        let soon = now() + Duration::from_secs(1);
        until("the time to pay to be over", || async {
            (now() > soon.min(pay_before)).then_some(())
        })
        .await;
    }
    shop.until_phase(order_id, "cancelled").await;
    let shown = shop.shown(order_id).await;
    let cancelled = cancellations(&shown);
    let is_in_time = |at: &Duration| (pay_before..pay_before + LATE).contains(at);
    assert!(cancelled.len() == 1 && is_in_time(&cancelled[0]), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_paid_is_sold_and_the_rest_goes_back_on_the_shelf() {
    seven_in_ten_pay(60, 20, 8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "two minutes: a hundred of a thousand orders, thirty of which time out"]
async fn what_is_paid_is_sold_and_the_rest_goes_back_of_a_hundred() {
    seven_in_ten_pay(1_000, 100, 90).await;
}

// L4.
async fn nobody_has_two_of_a_sale(buyers: u32, quota: u32) {
    let shop = Shop::open().await;
    shop.goods("soup", 900, 2 * quota).await;
    let time = |after: Duration| {
        odeon_eshop::domain::time::Time::from(UNIX_EPOCH + now() + after).to_string()
    };
    let plan = json!({
        "id": "s1", "activitieName": "Soup week", "goodsId": "soup", "activitiePrice": 7,
        "startTime": time(Duration::ZERO), "endTime": time(Duration::from_secs(600)),
        "quota": quota, "perBuyer": 1,
    });
    let path = |method: &str| format!("/goodsservice/activitiusecase/{method}");
    shop.ok(STAFF, &path("createlimitedtimeactivitie"), plan).await;
    let shelf = json!({"id": "s1", "shelfState": true});
    shop.ok(STAFF, &path("upordownshelfactivitie"), shelf).await;
    let ask = |n: u32| {
        let shop = &shop;
        async move {
            let mut body = order(&format!("r{}", n % 2), &[("soup", 1)], LONG);
            body["items"][0]["expectPriceCents"] = json!(700);
            shop.ask(&format!("buyer-{}", n / 2), ORDER, &body).await
        }
    };
    let told = for_all((0..2 * buyers).map(ask)).await;
    let orders = placed(&told);
    assert_eq!(orders.len(), quota as usize);
    let twice = told.chunks(2).filter(|both| placed(both).len() == 2).count();
    assert_eq!(twice, 0);
    let reasons: BTreeMap<&str, usize> =
        told.iter().filter(|told| told.status != 200).fold(BTreeMap::new(), |mut all, told| {
            *all.entry(told.reason()).or_default() += 1;
            all
        });
    let known = ["quota_exceeded", "per_buyer_limit"];
    assert!(reasons.keys().all(|reason| known.contains(reason)), "{reasons:?}");
    assert_eq!(shop.close_ledger("soup", 2 * quota).await["held"], quota);
    for id in &orders {
        assert_eq!(shop.shown(id).await["totalCents"], 700);
    }
    shop.close_orders(&orders).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sale_sells_its_quota_and_one_to_each() {
    nobody_has_two_of_a_sale(60, 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute: two thousand orders"]
async fn a_sale_sells_its_quota_to_a_thousand_buyers() {
    nobody_has_two_of_a_sale(1_000, 50).await;
}

// L5.
async fn all_sorts_of_buyers(buyers: u32, kinds: u32, brought: u32) {
    let shop = Shop::open().await;
    let names: Vec<String> = (0..kinds).map(|n| format!("goods-{n}")).collect();
    // Not enough of any for all who want them, though half of what is ordered comes back.
    for name in &names {
        shop.goods(name, 900, brought).await;
    }
    let began = Instant::now();
    let live = |buyer: u32| {
        let (shop, names) = (&shop, &names);
        async move {
            let who = format!("buyer-{buyer}");
            // Some numbers that have little to do with each other.
            let draw = |n: u32| (buyer.wrapping_mul(2_654_435_761) >> n) as usize;
            let lines: BTreeMap<usize, u32> = (0..=draw(3) % 5)
                .map(|n| ((draw(7) + n * 7) % names.len(), 1 + (draw(11) + n) as u32 % 3))
                .collect();
            let lines: Vec<(&str, u32)> =
                lines.iter().map(|(at, count)| (names[*at].as_str(), *count)).collect();
            let (is_short, gives_up) = (draw(17) % 3 == 0, draw(23) % 4 == 0);
            let pay_within = if is_short { SHORT } else { LONG };
            let told = shop.ask(&who, ORDER, &order("r1", &lines, pay_within)).await;
            if told.status != 200 {
                assert_eq!(told.reason(), "out_of_stock", "{told:?}");
                return None;
            }
            let order_id = told.order_id();
            if !is_short && draw(19) % 3 > 0 {
                shop.ask(&who, PAY, &pay(&order_id, "p1")).await;
            }
            if gives_up {
                let reason = "changed my mind";
                let given_up = json!({"orderId": order_id, "cmdId": "c1", "reason": reason});
                shop.ask(&who, CANCEL, &given_up).await;
            }
            let pay_before = time(&told.data()["payBefore"]);
            Some(Bought { order_id, pay_before, is_left: is_short && !gives_up })
        }
    };
    // Meanwhile some of each get spoilt.
    let spoils = for_all(names.iter().map(|name| {
        let shop = &shop;
        async move {
            let spoilt = json!({"goodsId": name, "cmdId": "spoilt", "deductionStock": 2});
            let path = "/goodsservice/goodsusecase/deductiongoodsstock";
            let told = shop.ask(STAFF, path, &spoilt).await;
            // None may be left that is promised to nobody.
            assert!(told.status == 200 || told.reason() == "conflict", "{told:?}");
            if told.status == 200 { brought - 2 } else { brought }
        }
    }));
    let (orders, brought) = join(for_all((0..buyers).map(live)), spoils).await;
    let orders: Vec<Bought> = orders.into_iter().flatten().collect();
    let took = began.elapsed();
    say(&format!("{buyers} buyers of {kinds} kinds: {} orders, {took:?}", orders.len()));
    for bought in orders.iter().filter(|bought| bought.is_left) {
        until_timed_out(&shop, &bought.order_id, bought.pay_before).await;
    }
    let mut seen = BTreeSet::new();
    for (name, brought) in names.iter().zip(brought) {
        seen.extend(shop.close_ledger(name, brought).await.into_keys());
    }
    // Or nothing of that was tried.
    for state in ["committed", "released", "returned", "refused"] {
        assert!(seen.contains(state), "{state}: {seen:?}");
    }
    let orders: Vec<String> = orders.into_iter().map(|bought| bought.order_id).collect();
    shop.close_orders(&orders).await;
    shop.close().await;
}

/// What a buyer has ordered.
struct Bought {
    order_id: String,
    pay_before: Duration,
    /// Nobody pays it, and nobody gives it up.
    is_left: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_closes_whatever_buyers_do() {
    all_sorts_of_buyers(100, 5, 40).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "some minutes: five thousand buyers of twenty kinds of goods"]
async fn the_ledger_closes_whatever_five_thousand_buyers_do() {
    all_sorts_of_buyers(5_000, 20, 500).await;
}
