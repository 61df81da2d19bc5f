//! Payments: the bank's moods, and an order's money from the request to the refund.
//!
//! Here each event's calls are made by hand; that they may be lost, late or doubled is
//! shown beside the domain.

use std::time::Duration;

use futures::future::join_all;
use odeon_eshop::domain::answer::Reason;
use odeon_eshop::domain::bank::{Charge, DeedState, Refund, SLOW};
use odeon_eshop::domain::order::payment::{Pay, PaymentResult, RefundDone};
use odeon_eshop::domain::order::{Cancel, Consignee, Create, Line, Phase};
use odeon_eshop::{OrderActor, PaymentActor};

use crate::{all_equal, reason, shop};

fn charge(tail: Option<&str>) -> Charge {
    Charge { order_id: "o1".into(), amount_cents: 900, card_tail: tail.map(str::to_owned) }
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_is_asked_for_twenty_times_is_made_once() {
    let mut kit = shop().await;
    let payment = kit.client().actor::<PaymentActor>("p1").unwrap();
    let nothing = payment.refund(Refund { amount_cents: 900 }).await.unwrap();
    assert_eq!(reason(&nothing), Some(Reason::NotFound));
    let answers = join_all((0..20).map(|_| payment.charge(charge(None)))).await;
    let deed = all_equal(answers.into_iter().map(|answer| answer.unwrap()).collect()).0.unwrap();
    assert_eq!(deed.state, DeedState::Taken);
    kit.restart().await;
    let payment = kit.client().actor::<PaymentActor>("p1").unwrap();
    assert_eq!(payment.get().await.unwrap().0.unwrap(), deed);
    let other = Charge { amount_cents: 901, ..charge(None) };
    assert_eq!(reason(&payment.charge(other).await.unwrap()), Some(Reason::Conflict));
    let refund = || payment.refund(Refund { amount_cents: 900 });
    let answers = join_all((0..20).map(|_| refund())).await;
    let deed = all_equal(answers.into_iter().map(|answer| answer.unwrap()).collect()).0.unwrap();
    assert_eq!(deed.state, DeedState::Returned);
}

#[tokio::test(start_paused = true)]
async fn the_slow_bank_takes_five_seconds_also_through_a_restart() {
    let mut kit = shop().await;
    let payment = kit.client().actor::<PaymentActor>("p1").unwrap();
    payment.charge(charge(Some(SLOW))).await.unwrap().0.unwrap();
    kit.advance(Duration::from_secs(4)).await;
    assert_eq!(payment.answer_now().await.unwrap().0.unwrap().state, DeedState::Pending);
    kit.restart().await;
    kit.advance(Duration::from_secs(1)).await;
    let payment = kit.client().actor::<PaymentActor>("p1").unwrap();
    assert_eq!(payment.answer_now().await.unwrap().0.unwrap().state, DeedState::Taken);
}

#[tokio::test(start_paused = true)]
async fn an_orders_money_is_taken_and_given_back() {
    let kit = shop().await;
    let order = kit.client().actor::<OrderActor>("o1").unwrap();
    let line = Line {
        goods_id: "soup".into(),
        goods_name: "Noodle soup".into(),
        price_cents: 900,
        count: 1,
        ..Line::default()
    };
    let create = Create {
        user_id: "ann".into(),
        user_name: "Ann Lee".into(),
        items: vec![line],
        consignee: Consignee {
            name: "Ann Lee".into(),
            address: "7 Quay Street".into(),
            tel: "13000000000".into(),
        },
        pay_before: None,
    };
    order.create(create).await.unwrap().0.unwrap();
    let pay = Pay { request_id: "r1".into(), card_tail: Some("1234".into()) };
    let asked = order.pay(pay).await.unwrap().0.unwrap();
    let payment = kit.client().actor::<PaymentActor>(&asked.payment_id).unwrap();
    let command = Charge { amount_cents: asked.amount_cents, ..charge(Some("1234")) };
    let deed = payment.charge(command).await.unwrap().0.unwrap();
    let (payment_id, amount_cents) = (deed.payment_id, deed.amount_cents);
    let paid = deed.state == DeedState::Taken;
    let result = PaymentResult { payment_id: payment_id.clone(), amount_cents, paid };
    order.payment_result(result).await.unwrap().0.unwrap();
    let cancel = Cancel { cmd_id: "c1".into(), by: "Ann Lee".into(), reason: "no".into() };
    assert_eq!(order.cancel(cancel).await.unwrap().0.unwrap().phase, Phase::Refunding);
    payment.refund(Refund { amount_cents }).await.unwrap().0.unwrap();
    order.refund_done(RefundDone { payment_id }).await.unwrap().0.unwrap();
    assert_eq!(order.get().await.unwrap().0.unwrap().head.phase, Phase::Refunded);
}
