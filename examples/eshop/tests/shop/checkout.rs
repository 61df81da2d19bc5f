//! Checkouts: from a basket to an order, by many at once, through restarts, and with
//! somebody away.
//!
//! That whatever gets lost no unit does is shown beside the domain; here the actors
//! really call each other.

use futures::future::join_all;
use odeon_eshop::actors::CheckoutActorClient;
use odeon_eshop::domain::answer::Reason;
use odeon_eshop::domain::basket::Put;
use odeon_eshop::domain::goods::Stock;
use odeon_eshop::domain::goods::commands::Create;
use odeon_eshop::domain::ids;
use odeon_eshop::domain::order::{Consignee, Phase};
use odeon_eshop::domain::saga::commands::{Source, Standing, Start, StartLine};
use odeon_eshop::domain::saga::{LineStatus, Outcome, Saga, Step};
use odeon_eshop::{BasketActor, CheckoutActor, GoodsActor, OrderActor};
use odeon_sdk::testkit::{Running, TestKit};
use serde_json::json;

use crate::{all_equal, json, reason, shop};

/// Puts goods on the shelf at 9.00 each.
async fn stock(kit: &Running, goods_id: &str, stock: u32) {
    let command = Create {
        cmd_id: "c0".into(),
        category_id: "hot".into(),
        name: goods_id.into(),
        price_cents: 900,
        stock,
        shelf: true,
        ..Create::default()
    };
    kit.client().actor::<GoodsActor>(goods_id).unwrap().create(command).await.unwrap().0.unwrap();
}

async fn held(kit: &Running, goods_id: &str) -> (u32, u32) {
    let stock: Stock = kit.state("GoodsActor", goods_id, "stock").await.unwrap().unwrap();
    (stock.on_hand, stock.held)
}

fn start(buyer_id: &str, items: &[(&str, u32)]) -> Start {
    let line = |&(goods_id, count): &(&str, u32)| StartLine {
        goods_id: goods_id.into(),
        count,
        ..StartLine::default()
    };
    Start {
        request_id: "r1".into(),
        buyer_id: buyer_id.into(),
        buyer_name: "Ann Lee".into(),
        source: if items.is_empty() { Source::Basket } else { Source::Direct },
        items: items.iter().map(line).collect(),
        consignee: Consignee {
            name: "Ann Lee".into(),
            address: "7 Quay Street".into(),
            tel: "13000000000".into(),
        },
        ..Start::default()
    }
}

fn checkout(kit: &Running, buyer_id: &str) -> CheckoutActorClient {
    kit.client().actor::<CheckoutActor>(&ids::order(buyer_id, "r1")).unwrap()
}

/// Starts a checkout and drives it to its end.
async fn check_out(kit: &Running, command: Start) -> Standing {
    let checkout = checkout(kit, &command.buyer_id);
    checkout.start(command).await.unwrap().0.unwrap();
    loop {
        let standing = checkout.drive().await.unwrap().0.unwrap();
        if standing.result.is_some() {
            return standing;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_basket_becomes_an_order_through_restarts() {
    let mut kit = shop().await;
    stock(&kit, "soup", 5).await;
    stock(&kit, "rice", 5).await;
    for (goods_id, count) in [("soup", 2), ("rice", 1)] {
        let put =
            Put { cmd_id: goods_id.into(), goods_id: goods_id.into(), count, ..Put::default() };
        let basket = kit.client().actor::<BasketActor>("ann").unwrap();
        basket.add(put).await.unwrap().0.unwrap();
    }
    let nothing = checkout(&kit, "ann").drive().await.unwrap();
    assert_eq!(reason(&nothing), Some(Reason::NotFound));
    let started = checkout(&kit, "ann").start(start("ann", &[])).await.unwrap().0.unwrap();
    assert_eq!(started.step, Step::Begin);
    kit.restart().await;
    // Its reminder drives it, too: who comes first drives it a step, who comes next to the end.
    checkout(&kit, "ann").drive().await.unwrap().0.unwrap();
    kit.restart().await;
    let done = checkout(&kit, "ann").drive().await.unwrap().0.unwrap();
    assert_eq!((done.result, done.total_cents), (Some(Outcome::Created), Some(2_700)));
    kit.restart().await;
    assert_eq!(checkout(&kit, "ann").drive().await.unwrap().0.unwrap(), done);
    assert_eq!(checkout(&kit, "ann").get().await.unwrap().0.unwrap(), done);
    assert_eq!((held(&kit, "soup").await, held(&kit, "rice").await), ((5, 2), (5, 1)));
    let order = kit.client().actor::<OrderActor>(&done.order_id).unwrap();
    let order = order.get().await.unwrap().0.unwrap();
    assert_eq!((order.head.phase, Some(order.head.order_no)), (Phase::Unpaid, done.order_no));
    assert_eq!((order.items[0].goods_name.as_str(), order.items[0].price_cents), ("soup", 900));
    let basket = kit.client().actor::<BasketActor>("ann").unwrap();
    assert!(basket.get().await.unwrap().0.unwrap().basket.items.is_empty());
}

#[tokio::test(start_paused = true)]
async fn when_the_second_line_is_sold_out_the_first_goes_back_and_the_basket_stays() {
    let kit = shop().await;
    stock(&kit, "soup", 5).await;
    stock(&kit, "rice", 1).await;
    let basket = kit.client().actor::<BasketActor>("ann").unwrap();
    for goods_id in ["soup", "rice"] {
        let put =
            Put { cmd_id: goods_id.into(), goods_id: goods_id.into(), count: 2, ..Put::default() };
        basket.add(put).await.unwrap().0.unwrap();
    }
    let standing = check_out(&kit, start("ann", &[])).await;
    assert_eq!(standing.result, Some(Outcome::Refused));
    let refusal = standing.refusal.unwrap();
    assert_eq!((refusal.reason, refusal.available), (Reason::OutOfStock, Some(1)));
    let statuses: Vec<_> = standing.lines.iter().map(|line| line.status).collect();
    assert_eq!(statuses, [LineStatus::Released, LineStatus::Refused]);
    assert_eq!((held(&kit, "soup").await, held(&kit, "rice").await), ((5, 0), (1, 0)));
    let order = kit.client().actor::<OrderActor>(&standing.order_id).unwrap();
    assert_eq!(order.get().await.unwrap().0.unwrap().head.phase, Phase::Refused);
    assert_eq!(basket.get().await.unwrap().0.unwrap().basket.items.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn of_a_thousand_checkouts_a_hundred_make_an_order_of_the_last_hundred() {
    let kit = shop().await;
    stock(&kit, "soup", 100).await;
    let buyers: Vec<_> = (0..1_000).map(|n| format!("b{n}")).collect();
    let all = buyers.iter().map(|buyer| check_out(&kit, start(buyer, &[("soup", 1)])));
    let standings = join_all(all).await;
    let created = standings.iter().filter(|one| one.result == Some(Outcome::Created)).count();
    let refused = standings.iter().filter_map(|one| one.refusal.as_ref());
    let sold_out = refused.filter(|refusal| refusal.reason == Reason::OutOfStock).count();
    assert_eq!((created, sold_out), (100, 900));
    assert_eq!(held(&kit, "soup").await, (100, 100));
    // Asked again, each gives the same answer.
    let again = buyers.iter().map(|buyer| check_out(&kit, start(buyer, &[("soup", 1)])));
    assert_eq!(join_all(again).await, standings);
    assert_eq!(held(&kit, "soup").await, (100, 100));
}

#[tokio::test(start_paused = true)]
async fn twenty_equal_requests_at_once_are_one_order() {
    let kit = shop().await;
    stock(&kit, "soup", 100).await;
    let all = (0..20).map(|_| check_out(&kit, start("ann", &[("soup", 3)])));
    let standing = all_equal(join_all(all).await);
    assert_eq!(standing.result, Some(Outcome::Created));
    assert_eq!(held(&kit, "soup").await, (100, 3));
}

#[tokio::test(start_paused = true)]
async fn while_somebody_is_away_the_checkout_waits_and_then_goes_on() {
    // There are no baskets here, and no goods.
    let kit = TestKit::new().actor::<CheckoutActor>().actor::<OrderActor>().start().await;
    checkout(&kit, "ann").start(start("ann", &[("soup", 1)])).await.unwrap().0.unwrap();
    let standing = checkout(&kit, "ann").drive().await.unwrap().0.unwrap();
    assert_eq!((standing.step, standing.result), (Step::Reserve, None));
    let stored: Saga =
        kit.state("CheckoutActor", &standing.order_id, "saga").await.unwrap().unwrap();

    let kit = shop().await;
    stock(&kit, "soup", 1).await;
    kit.put_state("CheckoutActor", &standing.order_id, "saga", &stored).await.unwrap();
    let done = checkout(&kit, "ann").drive().await.unwrap().0.unwrap();
    assert_eq!(done.result, Some(Outcome::Created));
}

#[tokio::test(start_paused = true)]
async fn callers_without_rust_see_plain_json() {
    let kit = shop().await;
    stock(&kit, "soup", 10).await;
    let id = ids::order("ann", "r1");
    let body = json!({
        "requestId": "r1", "buyerId": "ann", "buyerName": "Ann Lee", "source": "direct",
        "items": [{"goodsId": "soup", "count": 2}],
        "consignee": {"name": "Ann Lee", "address": "7 Quay Street", "tel": "13000000000"}
    });
    let started = json(&kit, "CheckoutActor", &id, "Start", &body).await;
    let line = |status, cents| json!([{"goodsId": "soup", "count": 2, "status": status, "unitPriceCents": cents}]);
    let expected = json!({
        "ok": true, "orderId": id, "step": "reserve", "payBefore": started["payBefore"],
        "lines": line("waiting", 0), "buyerId": "ann"
    });
    assert_eq!(started, expected);
    let driven = json(&kit, "CheckoutActor", &id, "Drive", &json!(null)).await;
    let expected = json!({
        "ok": true, "orderId": id, "step": "done", "result": "created",
        "orderNo": driven["orderNo"], "totalCents": 1800, "payBefore": started["payBefore"],
        "lines": line("reserved", 900), "buyerId": "ann"
    });
    assert_eq!(driven, expected);
    let other = json(&kit, "CheckoutActor", "o1", "Start", &body).await;
    assert_eq!((&other["ok"], &other["reason"]), (&json!(false), &json!("invalid")));
}
