//! Orders: a whole life, ways to end early, repetitions, restarts.
//!
//! Which command is allowed when is a table beside the domain; here an order keeps
//! its place through restarts, crowds and the passing of time.

use std::time::Duration;

use futures::future::join_all;
use odeon_eshop::OrderActor;
use odeon_eshop::actors::OrderActorClient;
use odeon_eshop::domain::answer::Reason;
use odeon_eshop::domain::bank::SILENT;
use odeon_eshop::domain::order::delivery::{Deliver, Receive};
use odeon_eshop::domain::order::payment::{Pay, PaymentResult, RefundDone};
use odeon_eshop::domain::order::{Cancel, Consignee, Create, Line, Phase};
use odeon_sdk::testkit::Running;
use serde_json::json;

use crate::{all_equal, json, reason, shop};

fn create() -> Create {
    let consignee = Consignee {
        name: "Ann Lee".into(),
        address: "7 Quay Street".into(),
        tel: "13000000000".into(),
    };
    let line = Line {
        goods_id: "soup".into(),
        goods_name: "Noodle soup".into(),
        price_cents: 900,
        count: 2,
        ..Line::default()
    };
    Create {
        user_id: "ann".into(),
        user_name: "Ann Lee".into(),
        items: vec![line],
        consignee,
        pay_before: None,
    }
}

fn order(kit: &Running) -> OrderActorClient {
    kit.client().actor::<OrderActor>("o1").unwrap()
}

fn cancel(cmd_id: &str) -> Cancel {
    Cancel { cmd_id: cmd_id.into(), by: "Ann Lee".into(), reason: "changed my mind".into() }
}

async fn phase(order: &OrderActorClient) -> Phase {
    order.get().await.unwrap().0.unwrap().head.phase
}

fn ask() -> Pay {
    Pay { request_id: "r1".into(), card_tail: None }
}

/// Pays the order; the payment's id.
async fn pay(order: &OrderActorClient) -> String {
    let asked = order.pay(ask()).await.unwrap().0.unwrap();
    let (payment_id, amount_cents) = (asked.payment_id.clone(), asked.amount_cents);
    let result = PaymentResult { payment_id, amount_cents, paid: true };
    order.payment_result(result).await.unwrap().0.unwrap();
    asked.payment_id
}

#[tokio::test(start_paused = true)]
async fn an_order_is_placed_paid_sent_and_received() {
    let mut kit = shop().await;
    order(&kit).create(create()).await.unwrap().0.unwrap();
    pay(&order(&kit)).await;
    kit.restart().await;
    let order = order(&kit);
    let deliver = Deliver {
        cmd_id: "c1".into(),
        by: "Clerk".into(),
        logistics_no: "SF1".into(),
        deliver_name: "Harbour Kitchen".into(),
        deliver_address: "1 Quay Street".into(),
        ..Deliver::default()
    };
    order.deliver(deliver).await.unwrap().0.unwrap();
    let receive = Receive { cmd_id: "c2".into(), by: "Ann Lee".into(), receive_time: None };
    assert_eq!(order.receive(receive).await.unwrap().0.unwrap().phase, Phase::Finished);
    let before = order.get().await.unwrap();
    assert_eq!(before.0.as_ref().unwrap().log.len(), 4);
    kit.restart().await;
    let after = kit.client().actor::<OrderActor>("o1").unwrap().get().await.unwrap();
    assert_eq!(after, before);
}

#[tokio::test(start_paused = true)]
async fn twenty_equal_orders_at_once_are_one_and_so_is_each_command() {
    let kit = shop().await;
    let order = order(&kit);
    let answers = join_all((0..20).map(|_| order.create(create()))).await;
    let placed = all_equal(answers.into_iter().map(|answer| answer.unwrap()).collect()).0.unwrap();
    assert_eq!((placed.order_id.as_str(), placed.total_cents), ("o1", 1_800));
    let answers = join_all((0..20).map(|_| order.pay(ask()))).await;
    all_equal(answers.into_iter().map(|answer| answer.unwrap()).collect()).0.unwrap();
    pay(&order).await;
    let answers = join_all((0..20).map(|_| order.cancel(cancel("c1")))).await;
    all_equal(answers.into_iter().map(|answer| answer.unwrap()).collect()).0.unwrap();
    let order = order.get().await.unwrap().0.unwrap();
    assert_eq!((order.payments.len(), order.head.version, order.log.len()), (1, 4, 3));
}

#[tokio::test(start_paused = true)]
async fn an_order_is_cancelled_before_it_is_paid_and_refunded_after() {
    let kit = shop().await;
    let order = order(&kit);
    let nothing = order.cancel(cancel("c0")).await.unwrap();
    assert_eq!(reason(&nothing), Some(Reason::NotFound));
    order.create(create()).await.unwrap().0.unwrap();
    assert_eq!(order.cancel(cancel("c1")).await.unwrap().0.unwrap().phase, Phase::Cancelled);
    let again = order.cancel(cancel("c2")).await.unwrap();
    assert_eq!(reason(&again), Some(Reason::WrongState));

    let paid = kit.client().actor::<OrderActor>("o2").unwrap();
    paid.create(create()).await.unwrap().0.unwrap();
    let payment_id = pay(&paid).await;
    assert_eq!(paid.cancel(cancel("c1")).await.unwrap().0.unwrap().phase, Phase::Refunding);
    paid.refund_done(RefundDone { payment_id }).await.unwrap().0.unwrap();
    assert_eq!(phase(&paid).await, Phase::Refunded);
}

#[tokio::test(start_paused = true)]
async fn who_pays_too_late_is_refused_and_the_order_is_cancelled_for_good() {
    let mut kit = shop().await;
    order(&kit).create(create()).await.unwrap().0.unwrap();
    kit.advance(Duration::from_secs(5 * 60)).await;
    let late = order(&kit).pay(ask()).await.unwrap();
    assert_eq!(reason(&late), Some(Reason::Expired));
    kit.restart().await;
    let order = order(&kit);
    assert_eq!(phase(&order).await, Phase::Cancelled);
    assert_eq!(order.pay(ask()).await.unwrap(), late);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_nobody_pays_is_cancelled_when_its_time_is_over_and_not_before() {
    let mut kit = shop().await;
    let nothing = order(&kit).pay_timeout().await.unwrap();
    assert_eq!(reason(&nothing), Some(Reason::NotFound));
    order(&kit).create(create()).await.unwrap().0.unwrap();
    kit.advance(Duration::from_secs(5 * 60 - 1)).await;
    assert_eq!(order(&kit).pay_timeout().await.unwrap().0.unwrap().phase, Phase::Unpaid);
    kit.restart().await;
    kit.advance(Duration::from_secs(1)).await;
    assert_eq!(order(&kit).pay_timeout().await.unwrap().0.unwrap().phase, Phase::Cancelled);
    let again = order(&kit).pay_timeout().await.unwrap().0.unwrap();
    assert_eq!((again.phase, again.version), (Phase::Cancelled, 2));

    // While the bank is asked, it is waited for five minutes more.
    let paying = kit.client().actor::<OrderActor>("o2").unwrap();
    paying.create(create()).await.unwrap().0.unwrap();
    let silent = Pay { card_tail: Some(SILENT.into()), ..ask() };
    paying.pay(silent).await.unwrap().0.unwrap();
    for _ in 0..9 {
        kit.advance(Duration::from_secs(60)).await;
        assert_eq!(paying.pay_timeout().await.unwrap().0.unwrap().phase, Phase::Paying);
        paying.pay_timeout().await.unwrap().0.unwrap();
    }
    kit.restart().await;
    let paying = kit.client().actor::<OrderActor>("o2").unwrap();
    assert_eq!(paying.pay_timeout().await.unwrap().0.unwrap().phase, Phase::Paying);
    kit.advance(Duration::from_secs(60)).await;
    assert_eq!(paying.pay_timeout().await.unwrap().0.unwrap().phase, Phase::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_parcel_is_received_after_a_week() {
    let mut kit = shop().await;
    order(&kit).create(create()).await.unwrap().0.unwrap();
    pay(&order(&kit)).await;
    let deliver = Deliver {
        cmd_id: "c1".into(),
        by: "Clerk".into(),
        logistics_no: "SF1".into(),
        deliver_name: "Harbour Kitchen".into(),
        deliver_address: "1 Quay Street".into(),
        ..Deliver::default()
    };
    order(&kit).deliver(deliver).await.unwrap().0.unwrap();
    assert_eq!(order(&kit).auto_receive().await.unwrap().0.unwrap().phase, Phase::Shipped);
    kit.advance(Duration::from_secs(7 * 24 * 60 * 60)).await;
    kit.restart().await;
    assert_eq!(order(&kit).auto_receive().await.unwrap().0.unwrap().phase, Phase::Finished);
}

#[tokio::test(start_paused = true)]
async fn callers_without_rust_see_plain_json() {
    let kit = shop().await;
    order(&kit).create(create()).await.unwrap().0.unwrap();
    let body = json!({"cmdId": "c1", "by": "Ann Lee", "reason": "changed my mind"});
    assert_eq!(
        json(&kit, "OrderActor", "o1", "Cancel", &body).await,
        json!({"ok": true, "orderId": "o1", "state": -1, "phase": "cancelled", "version": 2})
    );
    let order = json(&kit, "OrderActor", "o1", "Get", &json!(null)).await;
    assert_eq!((&order["totalCents"], &order["phase"]), (&json!(1800), &json!("cancelled")));
    assert_eq!(order["items"][0]["goodsName"], "Noodle soup");
    assert_eq!(
        json(&kit, "OrderActor", "o1", "Pay", &json!({"requestId": "r1"})).await,
        json!({"ok": false, "reason": "wrong_state", "message": "the order is cancelled"})
    );
}
