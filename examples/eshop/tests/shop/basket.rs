//! Baskets: limits, repetitions, checkouts, restarts.
//!
//! A basket equals its model, beside the domain; here it is asked by many at once
//! and by callers that repeat themselves.

use std::time::Duration;

use futures::future::join_all;
use odeon_eshop::BasketActor;
use odeon_eshop::domain::answer::Reason;
use odeon_eshop::domain::basket::{Item, LineQuote, Merge, Put, Requote, Touch};
use odeon_eshop::domain::checkout::{Begin, End};
use odeon_eshop::domain::ids;
use serde_json::json;

use crate::{all_equal, json, reason, shop};

fn put(cmd_id: &str, goods_id: &str, count: u32) -> Put {
    let (cmd_id, goods_id) = (cmd_id.into(), goods_id.into());
    Put { cmd_id, goods_id, count, price_seen_cents: Some(900), ..Put::default() }
}

#[tokio::test(start_paused = true)]
async fn twenty_equal_additions_at_once_are_one() {
    let kit = shop().await;
    let basket = kit.client().actor::<BasketActor>("ann").unwrap();
    let answers = join_all((0..20).map(|_| basket.add(put("c1", "soup", 2)))).await;
    let receipt = all_equal(answers.into_iter().map(|answer| answer.unwrap()).collect()).0.unwrap();
    assert_eq!((receipt.version, receipt.lines, receipt.total_cents), (1, 1, 1_800));

    let line = Item { goods_id: "soup".into(), count: 3, ..Item::default() };
    let merge = Merge { cmd_id: "c2".into(), items: vec![line] };
    let answers = join_all((0..20).map(|_| basket.merge(merge.clone()))).await;
    all_equal(answers.into_iter().map(|answer| answer.unwrap()).collect()).0.unwrap();
    assert_eq!(basket.get().await.unwrap().0.unwrap().basket.items[0].count, 5);
}

#[tokio::test(start_paused = true)]
async fn a_basket_has_fifty_lines_of_ninety_nine() {
    let kit = shop().await;
    let basket = kit.client().actor::<BasketActor>("ann").unwrap();
    for n in 0..50 {
        let line = put(&format!("c{n}"), &format!("g{n}"), 99);
        basket.set_item(line).await.unwrap().0.unwrap();
    }
    for (cmd_id, goods_id, count) in [("x1", "g50", 1), ("x2", "g0", 100)] {
        let refused = basket.set_item(put(cmd_id, goods_id, count)).await.unwrap();
        assert_eq!(reason(&refused), Some(Reason::Invalid));
    }
    let view = basket.get().await.unwrap().0.unwrap();
    assert_eq!((view.basket.items.len(), view.basket.version), (50, 50));
    assert_eq!(view.total_cents, 50 * 99 * 900);
}

#[tokio::test(start_paused = true)]
async fn a_checkout_survives_a_restart_and_ends_once() {
    let mut kit = shop().await;
    let basket = kit.client().actor::<BasketActor>("ann").unwrap();
    basket.add(put("c1", "soup", 2)).await.unwrap().0.unwrap();
    let begin = Begin { request_id: "r1".into() };
    let begun = basket.begin_checkout(begin.clone()).await.unwrap();
    kit.restart().await;
    let basket = kit.client().actor::<BasketActor>("ann").unwrap();
    assert_eq!(basket.begin_checkout(begin.clone()).await.unwrap(), begun);
    let other = basket.begin_checkout(Begin { request_id: "r2".into() }).await.unwrap();
    assert_eq!(reason(&other), Some(Reason::Conflict));

    basket.add(put("c2", "soup", 1)).await.unwrap().0.unwrap();
    let end = End { order_id: begun.0.unwrap().order_id };
    let answers = join_all((0..20).map(|_| basket.complete_checkout(end.clone()))).await;
    all_equal(answers.into_iter().map(|answer| answer.unwrap()).collect()).0.unwrap();
    assert_eq!(basket.get().await.unwrap().0.unwrap().basket.items[0].count, 1);

    let late = basket.begin_checkout(begin).await.unwrap();
    assert_eq!(reason(&late), Some(Reason::WrongState), "a repetition does not begin again");
    let next = basket.begin_checkout(Begin { request_id: "r2".into() }).await.unwrap();
    assert!(next.0.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_was_aborted_does_not_begin_also_after_a_restart() {
    let mut kit = shop().await;
    let basket = kit.client().actor::<BasketActor>("ann").unwrap();
    basket.add(put("c1", "soup", 2)).await.unwrap().0.unwrap();
    let end = End { order_id: ids::order("ann", "r1") };
    let aborted = basket.abort_checkout(end).await.unwrap();
    assert_eq!(reason(&aborted), Some(Reason::WrongState));
    kit.restart().await;
    let basket = kit.client().actor::<BasketActor>("ann").unwrap();
    let late = basket.begin_checkout(Begin { request_id: "r1".into() }).await.unwrap();
    assert_eq!(reason(&late), Some(Reason::WrongState));
    let next = basket.begin_checkout(Begin { request_id: "r2".into() }).await.unwrap();
    assert!(next.0.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_goods_say_is_kept_and_a_basket_left_alone_is_emptied() {
    let mut kit = shop().await;
    let basket = kit.client().actor::<BasketActor>("ann").unwrap();
    basket.add(put("c1", "soup", 2)).await.unwrap().0.unwrap();
    let quoted = LineQuote { price_cents: 700, available: 1, on_shelf: true };
    let line = Requote { goods_id: "soup".into(), quoted: quoted.clone() };
    let touch = Touch { lines: vec![line] };
    assert_eq!(basket.touch(touch).await.unwrap().0.unwrap().version, 1);
    kit.restart().await;
    let basket = kit.client().actor::<BasketActor>("ann").unwrap();
    let view = basket.get().await.unwrap().0.unwrap();
    assert_eq!(view.basket.items[0].quoted, Some(quoted));

    for (days, lines) in [(0, 1), (1, 1), (5, 1), (1, 0)] {
        kit.advance(Duration::from_secs(days * 24 * 60 * 60)).await;
        let basket = kit.client().actor::<BasketActor>("ann").unwrap();
        assert_eq!(basket.abandon().await.unwrap().0.unwrap().lines, lines, "{days} days later");
        kit.restart().await;
    }
}

#[tokio::test(start_paused = true)]
async fn callers_without_rust_see_plain_json() {
    let kit = shop().await;
    let body = json!({"cmdId": "c1", "goodsId": "soup", "count": 2, "priceSeenCents": 900});
    assert_eq!(
        json(&kit, "BasketActor", "ann", "Add", &body).await,
        json!({"ok": true, "version": 1, "lines": 1, "totalCents": 1800})
    );
    let basket = json(&kit, "BasketActor", "ann", "Get", &json!(null)).await;
    assert_eq!((&basket["ok"], &basket["items"][0]["count"]), (&json!(true), &json!(2)));
    assert_eq!(basket["totalCents"], 1800);
}
