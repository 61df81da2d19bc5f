//! Goods among many buyers.
//!
//! Nothing is sold twice, a release may overtake its reservation, and a repeated
//! request is answered as the first was.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use odeon_eshop::domain::answer::Reason;
use odeon_eshop::domain::goods::Stock;
use odeon_eshop::domain::goods::commands::{Create, Quote, SetStock};
use odeon_eshop::domain::reservation::commands::{OfOrder, Reserve};
use odeon_eshop::domain::reservation::{Reservation, State};
use odeon_eshop::domain::sale::{AttachSale, DetachSale};
use odeon_eshop::domain::time::Time;
use odeon_eshop::{GoodsActor, actors::GoodsActorClient};
use odeon_sdk::testkit::Running;
use serde_json::json;

use crate::{all_equal, json, reason, shop};

async fn soup(kit: &Running, stock: u32) -> GoodsActorClient {
    let soup = kit.client().actor::<GoodsActor>("soup").unwrap();
    let command = Create {
        cmd_id: "c0".into(),
        category_id: "hot".into(),
        name: "Noodle soup".into(),
        price_cents: 900,
        stock,
        shelf: true,
        ..Create::default()
    };
    soup.create(command).await.unwrap().0.unwrap();
    soup
}

fn reserve(order_id: &str, count: u32) -> Reserve {
    Reserve {
        order_id: order_id.into(),
        buyer_id: format!("buyer-of-{order_id}"),
        count,
        expect_price_cents: None,
        expires_at: None,
    }
}

fn of(order_id: &str) -> OfOrder {
    OfOrder { order_id: order_id.into() }
}

#[tokio::test(start_paused = true)]
async fn of_a_thousand_buyers_a_hundred_get_one_of_a_hundred() {
    let kit = shop().await;
    let soup = soup(&kit, 100).await;
    let answers = join_all((0..1_000).map(|n| soup.reserve(reserve(&format!("o{n}"), 1)))).await;
    let (sold, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().map(|answer| answer.unwrap().0).partition(Result::is_ok);
    assert_eq!((sold.len(), refused.len()), (100, 900));
    assert!(refused.iter().all(|no| no.as_ref().unwrap_err().reason == Reason::OutOfStock));

    // Seventy pay, thirty do not.
    for (n, reserved) in sold.into_iter().enumerate() {
        let order = OfOrder { order_id: reserved.unwrap().order_id };
        let answer = if n < 70 { soup.commit(order).await } else { soup.release(order).await };
        answer.unwrap().0.unwrap();
    }
    let stock = soup.get().await.unwrap().0.unwrap().stock;
    assert_eq!((stock.available, stock.stock.held, stock.stock.sold_total), (30, 0, 70));
}

#[tokio::test(start_paused = true)]
async fn twenty_equal_requests_at_once_are_one() {
    let kit = shop().await;
    let soup = soup(&kit, 100).await;
    let answers = join_all((0..20).map(|_| soup.reserve(reserve("o1", 3)))).await;
    let reserved =
        all_equal(answers.into_iter().map(|answer| answer.unwrap()).collect()).0.unwrap();
    assert_eq!((reserved.count, reserved.unit_price_cents), (3, 900));
    let answers = join_all((0..20).map(|_| soup.commit(of("o1")))).await;
    all_equal(answers.into_iter().map(|answer| answer.unwrap()).collect()).0.unwrap();

    let command = SetStock { cmd_id: "c1".into(), on_hand: 50 };
    let answers = join_all((0..20).map(|_| soup.set_stock(command.clone()))).await;
    let stock = all_equal(answers.into_iter().map(|answer| answer.unwrap()).collect()).0.unwrap();
    assert_eq!((stock.available, stock.stock.sold_total, stock.stock.version), (50, 3, 4));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_repeated_though_stock_has_come_in() {
    let kit = shop().await;
    let soup = soup(&kit, 1).await;
    let refused = soup.reserve(reserve("o1", 2)).await.unwrap();
    assert_eq!(reason(&refused), Some(Reason::OutOfStock));
    let more = SetStock { cmd_id: "c1".into(), on_hand: 10 };
    soup.set_stock(more).await.unwrap().0.unwrap();
    assert_eq!(soup.reserve(reserve("o1", 2)).await.unwrap(), refused);
    assert!(soup.reserve(reserve("o2", 2)).await.unwrap().0.is_ok());
}

#[tokio::test(start_paused = true)]
async fn of_a_quota_of_fifty_no_buyer_gets_two_whatever_a_thousand_try() {
    let mut kit = shop().await;
    soup(&kit, 100).await;
    let soup = kit.client().actor::<GoodsActor>("soup").unwrap();
    let command = AttachSale {
        cmd_id: "c1".into(),
        activity_id: "s1".into(),
        price_cents: 700,
        start_at: Time::default(),
        end_at: Time::from(kit.now()).after(Duration::from_secs(60)),
        quota: 50,
        per_buyer: 1,
        sold: 0,
    };
    soup.attach_sale(command).await.unwrap().0.unwrap();
    let order = |n: usize| Reserve {
        buyer_id: format!("b{}", n / 2),
        expect_price_cents: Some(700),
        ..reserve(&format!("o{n}"), 1)
    };
    let answers = join_all((0..2_000).map(|n| soup.reserve(order(n)))).await;
    let mut buyers = BTreeSet::new();
    let mut refusals = BTreeMap::new();
    for (n, answer) in answers.into_iter().enumerate() {
        match answer.unwrap().0 {
            Ok(reserved) => {
                assert_eq!(reserved.unit_price_cents, 700);
                assert!(buyers.insert(n / 2), "buyer {} has two", n / 2);
            }
            Err(refusal) => *refusals.entry(format!("{:?}", refusal.reason)).or_default() += 1,
        }
    }
    assert_eq!(buyers.len(), 50);
    let expected = [("PerBuyerLimit", 49), ("QuotaExceeded", 1_901)];
    assert_eq!(refusals, expected.map(|(reason, count)| (reason.to_owned(), count)).into());

    // One gives theirs back, after a restart; another buyer gets it.
    kit.restart().await;
    let soup = kit.client().actor::<GoodsActor>("soup").unwrap();
    soup.release(of("o0")).await.unwrap().0.unwrap();
    assert!(soup.reserve(order(5_000)).await.unwrap().0.is_ok());
    let late = soup.reserve(order(5_002)).await.unwrap();
    assert_eq!(reason(&late), Some(Reason::QuotaExceeded));
    let quote = Quote { buyer_id: "b0".into() };
    let quoted = soup.quote(quote).await.unwrap().0.unwrap();
    assert_eq!((quoted.price_cents, quoted.original_price_cents), (900, None));
    let detach = DetachSale { cmd_id: "c2".into(), activity_id: "s1".into() };
    assert_eq!(soup.detach_sale(detach).await.unwrap().0.unwrap().sold, 50);
    kit.restart().await;
    let soup = kit.client().actor::<GoodsActor>("soup").unwrap();
    let view = soup.get().await.unwrap().0.unwrap();
    assert_eq!((view.sale, view.stock.stock.held), (None, 50));
}

#[tokio::test(start_paused = true)]
async fn a_release_that_comes_first_undoes_the_reservation_that_follows() {
    let kit = shop().await;
    let soup = soup(&kit, 10).await;
    soup.release(of("o1")).await.unwrap().0.unwrap();
    let late = soup.reserve(reserve("o1", 2)).await.unwrap();
    assert_eq!(reason(&late), Some(Reason::WrongState));
    assert_eq!(soup.get().await.unwrap().0.unwrap().stock.stock.held, 0);
}

#[tokio::test(start_paused = true)]
async fn goods_and_reservations_survive_a_restart() {
    let mut kit = shop().await;
    let soup = soup(&kit, 10).await;
    soup.reserve(reserve("o1", 2)).await.unwrap().0.unwrap();
    soup.reserve(reserve("o2", 3)).await.unwrap().0.unwrap();
    soup.commit(of("o2")).await.unwrap().0.unwrap();
    let before = soup.get().await.unwrap();
    kit.restart().await;
    let soup = kit.client().actor::<GoodsActor>("soup").unwrap();
    assert_eq!(soup.get().await.unwrap(), before);
    assert_eq!(soup.commit(of("o1")).await.unwrap().0.unwrap().count, 2);

    let stock: Stock = kit.state("GoodsActor", "soup", "stock").await.unwrap().unwrap();
    assert_eq!((stock.on_hand, stock.held, stock.sold_total), (5, 0, 5));
    let stored: Option<Reservation> = kit.state("GoodsActor", "soup", "res:o2").await.unwrap();
    assert_eq!(stored.unwrap().state, State::Committed);
}

#[tokio::test(start_paused = true)]
async fn callers_without_rust_see_plain_json() {
    let kit = shop().await;
    soup(&kit, 10).await;
    let call = |method, body| json_call(&kit, method, body);
    assert_eq!(
        call("Reserve", json!({"orderId": "o1", "buyerId": "ann", "count": 2})).await,
        json!({
            "ok": true, "orderId": "o1", "count": 2, "unitPriceCents": 900, "state": "held",
            "goodsName": "Noodle soup", "goodsImage": "", "originalPriceCents": 900
        })
    );
    assert_eq!(
        call("Reserve", json!({"orderId": "o2", "buyerId": "ann", "count": 9})).await,
        json!({"ok": false, "reason": "out_of_stock", "message": "only 8 available", "available": 8})
    );
    assert_eq!(
        call("Get", json!(null)).await["stock"],
        json!({"onHand": 10, "held": 2, "available": 8, "soldTotal": 0, "version": 2})
    );
    let body = json!({"orderId": "o3", "buyer": "ann", "count": 1}).to_string();
    let error = kit.client().invoke("GoodsActor", "soup", "Reserve", body).await.unwrap_err();
    assert!(error.to_string().contains("unknown field `buyer`"), "{error}");
}

async fn json_call(kit: &Running, method: &str, body: serde_json::Value) -> serde_json::Value {
    json(kit, "GoodsActor", "soup", method, &body).await
}
