//! What goes wrong in a shop, one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use odeon_test_support::until;
use serde_json::{Value, json};

use super::{
    LONG, ORDER, PAY, STAFF, Shop, Told, cancellations, consignee, for_all, now, order, pay, time,
};
use crate::demo::Demo;

// F1, F2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_had_is_told_and_the_basket_stays() {
    let shop = Shop::open().await;
    shop.goods("plenty", 900, 10).await;
    shop.goods("few", 500, 2).await;
    shop.goods("off", 700, 5).await;
    shop.goods("gone", 700, 5).await;
    let add = |id: &str, count: u32| json!({"goodsId": id, "count": count});
    for (who, second, count, reason) in [
        ("ann", "few", 3, "out_of_stock"),
        ("bob", "off", 1, "off_shelf"),
        ("cat", "gone", 1, "off_shelf"),
    ] {
        shop.ok(who, "/basketservice/basket/setitem", add("plenty", 2)).await;
        shop.ok(who, "/basketservice/basket/setitem", add(second, count)).await;
        if second != "few" {
            shop.shelve(second, false).await;
        }
        if second == "gone" {
            let path = "/goodsservice/goodsusecase/deletegoods";
            shop.ok(STAFF, path, json!({"id": second})).await;
        }
        let bought = json!({"requestId": "r1", "consignee": consignee()});
        let started = shop.ok(who, "/basketservice/basket/checkout", bought).await;
        let order_id = started["orderId"].as_str().expect("an order");
        let told = shop.until_checked_out(who, order_id).await;
        assert_eq!((told.status, told.reason()), (409, reason), "{told:?}");
        assert_eq!(shop.phase(order_id).await, "refused");
        let basket = shop.ok(who, "/basketservice/basket/get", Value::Null).await;
        assert_eq!(basket["items"].as_array().expect("lines").len(), 2, "{basket}");
        assert_eq!(basket["items"][1]["onShelf"], json!(second == "few"), "{basket}");
    }
    for (goods, brought, state, count) in [
        ("plenty", 10, "released", 6),
        ("few", 2, "refused", 3),
        ("off", 5, "refused", 1),
        ("gone", 5, "refused", 1),
    ] {
        let units = shop.close_ledger(goods, brought).await;
        assert_eq!(units, BTreeMap::from([(state.to_owned(), count)]), "{goods}");
    }
    shop.close().await;
}

// F3, F5, F6, F21, F22.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_twice_late_or_wrong_does_no_harm() {
    let shop = Shop::open().await;
    shop.goods("soup", 900, 10).await;
    let order_id = the_same_request_is_one_order(&shop).await;

    // The release comes first; what it undoes must come to nothing.
    let client = shop.running.client(1);
    let of = |method: &str| format!("/v1.0/actors/GoodsActor/soup/method/{method}");
    client.post(&of("Release"), r#"{"orderId":"o-late"}"#).await.expect("an answer");
    let late = r#"{"orderId":"o-late","buyerId":"ann","count":1}"#;
    let late = client.post(&of("Reserve"), late).await.expect("an answer").json();
    assert_eq!(late["reason"], "wrong_state", "{late}");
    assert_eq!(shop.held("soup").await, 2);

    paid_many_times_is_paid_once(&shop, &order_id).await;
    nonsense_is_refused(&shop).await;
    let held = shop.ask("ann", ORDER, &order("r4", &[("soup", 3)], LONG)).await;
    for (stock, status, reason) in [(2, 409, "conflict"), (100_001, 400, "invalid")] {
        let lower = json!({"goodsId": "soup", "deductionStock": stock});
        let told = shop.ask(STAFF, "/goodsservice/goodsusecase/updategoodsstock", &lower).await;
        assert_eq!((told.status, told.reason()), (status, reason), "{told:?}");
    }
    let units = shop.close_ledger("soup", 10).await;
    assert_eq!((units["committed"], units["held"]), (2, 3), "{units:?}");
    shop.close_orders(&[order_id, held.order_id()]).await;
    shop.close().await;
}

async fn the_same_request_is_one_order(shop: &Shop) -> String {
    let body = order("r1", &[("soup", 2)], LONG);
    let same = for_all((0..20).map(|host| shop.once(host, "ann", ORDER, &body))).await;
    let first = same[0].clone().expect("an answer");
    assert!(same.iter().all(|told| told.as_ref() == Ok(&first)), "{same:?}");
    first.order_id()
}

async fn paid_many_times_is_paid_once(shop: &Shop, order_id: &str) {
    let paid = for_all((0..10).map(|n| async move {
        let request = if n % 2 == 0 { "p".to_owned() } else { format!("p{n}") };
        let told = shop.ask("ann", PAY, &pay(order_id, &request)).await;
        (request, told)
    }))
    .await;
    let (yes, no): (Vec<_>, Vec<_>) = paid.iter().partition(|(_, told)| told.status < 300);
    let of_one: BTreeSet<&str> = yes.iter().map(|(request, _)| request.as_str()).collect();
    assert_eq!(of_one.len(), 1, "{paid:?}");
    let is_no = |told: &Told| ["conflict", "already_paid"].contains(&told.reason());
    assert!(no.iter().all(|(_, told)| told.status == 409 && is_no(told)), "{no:?}");
    shop.until_phase(order_id, "paid").await;
    let shown = shop.shown(order_id).await;
    let states: Vec<_> = shown["payments"].as_array().expect("payments").iter().collect();
    assert_eq!(states.len(), 1, "{shown}");
    assert_eq!(states[0]["state"], "succeeded", "{shown}");
    // The bank was asked for none of the others.
    for (request, _) in &no {
        let payment = odeon_eshop::domain::ids::payment(order_id, request);
        let known = json!({"paymentId": payment});
        let told = shop.ask(STAFF, "/paymentservice/paymentquery/getpayment", &known).await;
        assert_eq!(told.status, 404, "{told:?}");
    }
}

async fn nonsense_is_refused(shop: &Shop) {
    let before = shop.held("soup").await;
    let line = |count: Value| json!([{"goodsId": "soup", "count": count}]);
    let many: Vec<_> = (0..51).map(|n| json!({"goodsId": format!("g{n}"), "count": 1})).collect();
    let wrong = [
        line(json!(0)),
        line(json!(-1)),
        line(json!(100)),
        line(json!(1e9)),
        line(json!("1")),
        json!(many),
        json!([{"goodsId": "soup", "count": 1}, {"goodsId": "caviar", "count": 1}]),
    ];
    for (n, items) in wrong.into_iter().enumerate() {
        let mut wrong = order(&format!("wrong-{n}"), &[], LONG);
        wrong["items"] = items;
        let told = shop.ask("ann", ORDER, &wrong).await;
        assert_eq!((told.status, told.reason()), (400, "invalid"), "{wrong}: {told:?}");
    }
    let new = json!({"goodsName": "Rice", "price": 1.999, "stock": 1, "categoryId": "hot"});
    let told = shop.ask(STAFF, "/goodsservice/goodsusecase/creategoods", &new).await;
    assert_eq!((told.status, told.reason()), (400, "invalid"), "{told:?}");
    assert_eq!(shop.held("soup").await, before);
}

/// Pays just before, at and after the instant at which the time to pay is over.
async fn pay_at_the_last_instant(orders: u32) {
    /// Within this time of it.
    const AROUND: u32 = 120;
    let shop = Shop::open().await;
    shop.goods("soup", 900, orders).await;
    let race = |buyer: u32| {
        let shop = &shop;
        async move {
            let who = format!("buyer-{buyer}");
            let placed = shop.ask(&who, ORDER, &order("r1", &[("soup", 1)], 3)).await;
            let (order_id, over) = (placed.order_id(), time(&placed.data()["payBefore"]));
            let early = Duration::from_millis((buyer * 7 % AROUND).into());
            until("the last instant", || async { (now() + early >= over).then_some(()) }).await;
            shop.ask(&who, PAY, &pay(&order_id, "p1")).await;
            order_id
        }
    };
    let ids = for_all((0..orders).map(race)).await;
    let mut ends = BTreeMap::<String, u32>::new();
    for id in &ids {
        let what = format!("the end of {id}");
        let shown = until(&what, || async {
            let shown = shop.shown(id).await;
            ["paid", "cancelled"].contains(&shown["phase"].as_str()?).then_some(shown)
        })
        .await;
        let (end, is_paid) = (shown["phase"].as_str().expect("a phase"), shown["phase"] == "paid");
        let payments = shown["payments"].as_array().expect("payments").iter();
        let kept = payments.filter(|one| one["state"] == "succeeded").count();
        assert_eq!(kept, usize::from(is_paid), "{shown}");
        assert_eq!(cancellations(&shown).len(), usize::from(!is_paid), "{shown}");
        *ends.entry(end.to_owned()).or_default() += 1;
    }
    super::say(&format!("{orders} orders: {ends:?}"));
    // Or nothing was tried.
    assert_eq!(ends.len(), 2, "{ends:?}");
    let units = shop.close_ledger("soup", orders).await;
    assert_eq!(units["committed"], ends["paid"], "{units:?}");
    assert_eq!(units["released"], ends["cancelled"], "{units:?}");
    shop.close().await;
}

// F7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_paid_or_cancelled_and_never_both() {
    pay_at_the_last_instant(100).await;
}

// F7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute: a thousand orders, 64 at once"]
async fn an_order_is_paid_or_cancelled_and_never_both_a_thousand_times() {
    pay_at_the_last_instant(1_000).await;
}

// F10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_paid_while_nothing_ran_is_cancelled_once() {
    let demo = Demo::new();
    let shop = Shop { running: demo.start(&[]).await };
    shop.goods("soup", 900, 5).await;
    let placed = shop.ask("ann", ORDER, &order("r1", &[("soup", 2)], 5)).await;
    let (order_id, over) = (placed.order_id(), time(&placed.data()["payBefore"]));
    shop.close().await;
    until("the time to pay to be over", || async { (now() > over).then_some(()) }).await;
    let again = now();
    let shop = Shop { running: demo.start(&[]).await };
    shop.until_phase(&order_id, "cancelled").await;
    let units = shop.close_ledger("soup", 5).await;
    assert_eq!(units, BTreeMap::from([("released".to_owned(), 2)]));
    let shown = shop.shown(&order_id).await;
    let cancelled = cancellations(&shown);
    assert!(cancelled.len() == 1 && cancelled[0] >= again, "{shown}");
    shop.close().await;
}
