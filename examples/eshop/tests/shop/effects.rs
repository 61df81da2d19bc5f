//! What follows from a turn, without anybody calling it: reminders fire and calls are made,
//! also through a restart of everything.

use std::time::Duration;

use odeon_eshop::domain::answer::Reason;
use odeon_eshop::domain::basket::Put;
use odeon_eshop::domain::flash_sale::commands::{Create as Plan, SetShelf};
use odeon_eshop::domain::goods::commands::{Create as New, StockView};
use odeon_eshop::domain::ids;
use odeon_eshop::domain::order::payment::{Pay, PaymentState};
use odeon_eshop::domain::order::{Cancel, Consignee, Phase};
use odeon_eshop::domain::reservation::State;
use odeon_eshop::domain::reservation::commands::{OfOrder, Reserve};
use odeon_eshop::domain::saga::commands::{Source, Start, StartLine};
use odeon_eshop::domain::time::Time;
use odeon_eshop::{BasketActor, CheckoutActor, FlashSaleActor, GoodsActor, OrderActor};
use odeon_sdk::testkit::Running;
use serde_json::Value;

use crate::shop;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Ten bowls of soup.
pub(crate) async fn soup(kit: &Running) {
    ten(kit, "soup").await;
}

async fn ten(kit: &Running, id: &str) {
    let command = New {
        cmd_id: "c".into(),
        category_id: "hot".into(),
        name: format!("A bowl of {id}"),
        price_cents: 900,
        stock: 10,
        shelf: true,
        ..New::default()
    };
    let goods = kit.client().actor::<GoodsActor>(id).unwrap();
    goods.create(command).await.unwrap().0.unwrap();
}

async fn stock(kit: &Running) -> StockView {
    kit.client().actor::<GoodsActor>("soup").unwrap().get().await.unwrap().0.unwrap().stock
}

/// An order of two bowls that is paid.
async fn paid(kit: &Running) -> String {
    let order_id = start(kit).await;
    kit.advance(SECOND * 10).await;
    let order = kit.client().actor::<OrderActor>(&order_id).unwrap();
    let pay = Pay { request_id: "p1".into(), card_tail: None };
    order.pay(pay).await.unwrap().0.unwrap();
    kit.advance(SECOND * 10).await;
    assert_eq!(phase(kit, &order_id).await, Phase::Paid);
    order_id
}

pub(crate) async fn phase(kit: &Running, order_id: &str) -> Phase {
    let order = kit.client().actor::<OrderActor>(order_id).unwrap();
    order.get().await.unwrap().0.unwrap().head.phase
}

/// What has become of what an order has reserved.
pub(crate) async fn state(kit: &Running, order_id: &str) -> State {
    let kept: Value =
        kit.state("GoodsActor", "soup", &format!("res:{order_id}")).await.unwrap().unwrap();
    serde_json::from_value(kept["state"].clone()).unwrap()
}

/// Starts the checkout of two bowls, and nothing else; the order that it is for.
pub(crate) async fn start(kit: &Running) -> String {
    start_of(kit, "ann").await
}

async fn start_of(kit: &Running, buyer: &str) -> String {
    let order_id = ids::order(buyer, "r1");
    let item = StartLine { goods_id: "soup".into(), count: 2, ..StartLine::default() };
    let command = Start {
        request_id: "r1".into(),
        buyer_id: buyer.into(),
        buyer_name: "Ann Lee".into(),
        source: Source::Direct,
        items: vec![item],
        consignee: Consignee {
            name: "Ann Lee".into(),
            address: "7 Quay Street".into(),
            tel: "13000000000".into(),
        },
        ..Start::default()
    };
    let checkout = kit.client().actor::<CheckoutActor>(&order_id).unwrap();
    checkout.start(command).await.unwrap().0.unwrap();
    order_id
}

#[tokio::test(start_paused = true)]
async fn a_checkout_that_was_started_comes_to_its_end_also_through_a_restart() {
    let mut kit = shop().await;
    soup(&kit).await;
    let order_id = start(&kit).await;
    kit.restart().await;
    kit.advance(SECOND * 10).await;
    assert_eq!(phase(&kit, &order_id).await, Phase::Unpaid);
    assert_eq!(stock(&kit).await.stock.held, 2);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_nobody_pays_cancels_itself_and_its_goods_go_back() {
    let mut kit = shop().await;
    soup(&kit).await;
    let order_id = start(&kit).await;
    kit.advance(MINUTE * 4).await;
    assert_eq!(phase(&kit, &order_id).await, Phase::Unpaid);
    kit.restart().await;
    kit.advance(MINUTE * 2).await;
    assert_eq!(phase(&kit, &order_id).await, Phase::Cancelled);
    assert_eq!(state(&kit, &order_id).await, State::Released);
    assert_eq!((stock(&kit).await.stock.held, stock(&kit).await.available), (0, 10));
}

#[tokio::test(start_paused = true)]
async fn what_is_paid_is_sold_and_what_is_refunded_comes_back() {
    let kit = shop().await;
    soup(&kit).await;
    let order_id = paid(&kit).await;
    let order = kit.client().actor::<OrderActor>(&order_id).unwrap();
    assert_eq!(state(&kit, &order_id).await, State::Committed);
    assert_eq!(stock(&kit).await.stock.on_hand, 8);
    // The time to pay has nothing to say any more.
    kit.advance(MINUTE * 10).await;
    assert_eq!(phase(&kit, &order_id).await, Phase::Paid);
    let gone = Cancel { cmd_id: "c".into(), by: "Ann Lee".into(), reason: "no".into() };
    order.cancel(gone).await.unwrap().0.unwrap();
    kit.advance(SECOND * 10).await;
    assert_eq!(phase(&kit, &order_id).await, Phase::Refunded);
    assert_eq!(state(&kit, &order_id).await, State::Returned);
    assert_eq!(stock(&kit).await.stock.on_hand, 10);
    let payments = order.get().await.unwrap().0.unwrap().payments;
    assert_eq!(payments.len(), 1);
    assert_eq!(payments[0].state, PaymentState::Refunded);
}

#[tokio::test(start_paused = true)]
async fn a_bank_that_never_answers_is_given_up() {
    let kit = shop().await;
    soup(&kit).await;
    let order_id = start(&kit).await;
    kit.advance(SECOND * 10).await;
    let order = kit.client().actor::<OrderActor>(&order_id).unwrap();
    let pay = Pay { request_id: "p1".into(), card_tail: Some("0005".into()) };
    order.pay(pay).await.unwrap().0.unwrap();
    kit.advance(MINUTE * 6).await;
    assert_eq!(phase(&kit, &order_id).await, Phase::Paying);
    kit.advance(MINUTE * 6).await;
    assert_eq!(phase(&kit, &order_id).await, Phase::Cancelled);
    assert_eq!(stock(&kit).await.stock.held, 0);
}

#[tokio::test(start_paused = true)]
async fn units_that_nobody_wants_any_more_are_released() {
    let mut kit = shop().await;
    soup(&kit).await;
    let goods = kit.client().actor::<GoodsActor>("soup").unwrap();
    let reserve = Reserve {
        order_id: "nobody".into(),
        buyer_id: "ann".into(),
        count: 3,
        expect_price_cents: None,
        expires_at: None,
    };
    goods.reserve(reserve).await.unwrap().0.unwrap();
    kit.advance(MINUTE * 6).await;
    assert_eq!(state(&kit, "nobody").await, State::Held);
    kit.restart().await;
    kit.advance(MINUTE * 3).await;
    assert_eq!(state(&kit, "nobody").await, State::Released);
    assert_eq!(stock(&kit).await.stock.held, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_to_come_back_before_it_is_sold_is_refused() {
    let kit = shop().await;
    soup(&kit).await;
    let order_id = start(&kit).await;
    kit.advance(SECOND * 10).await;
    let goods = kit.client().actor::<GoodsActor>("soup").unwrap();
    let refusal = goods.take_back(OfOrder { order_id: order_id.clone() }).await.unwrap().0;
    assert_eq!(refusal.unwrap_err().reason, Reason::WrongState);
    assert_eq!(state(&kit, &order_id).await, State::Held);
}

/// What an order has reserved anew under an id of a paid one, as if its sale had never come.
#[tokio::test(start_paused = true)]
async fn units_of_a_paid_order_whose_sale_got_lost_are_sold_when_their_time_is_over() {
    let kit = shop().await;
    soup(&kit).await;
    let order_id = paid(&kit).await;
    ten(&kit, "cake").await;
    let other = kit.client().actor::<GoodsActor>("cake").unwrap();
    let reserve = Reserve {
        order_id: order_id.clone(),
        buyer_id: "ann".into(),
        count: 3,
        expect_price_cents: None,
        expires_at: None,
    };
    other.reserve(reserve).await.unwrap().0.unwrap();
    kit.advance(MINUTE * 9).await;
    let view = other.get().await.unwrap().0.unwrap().stock;
    assert_eq!((view.stock.held, view.stock.on_hand), (0, 7));
}

#[tokio::test(start_paused = true)]
async fn a_sale_begins_and_ends_by_itself() {
    let kit = shop().await;
    soup(&kit).await;
    let now = Time::from(kit.now());
    let plan = Plan {
        cmd_id: "c".into(),
        name: "Soup week".into(),
        goods_id: "soup".into(),
        price_cents: 700,
        original_cents: 900,
        start_at: now.after(MINUTE),
        end_at: now.after(MINUTE * 10),
        ..Plan::default()
    };
    let sale = kit.client().actor::<FlashSaleActor>("s1").unwrap();
    sale.create(plan).await.unwrap().0.unwrap();
    sale.set_shelf(SetShelf { cmd_id: "c".into(), shelf: true }).await.unwrap().0.unwrap();
    let goods = kit.client().actor::<GoodsActor>("soup").unwrap();
    for (wait, attached) in [(SECOND, false), (MINUTE * 2, true), (MINUTE * 9, false)] {
        kit.advance(wait).await;
        assert_eq!(goods.get().await.unwrap().0.unwrap().sale.is_some(), attached, "{wait:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_basket_that_nobody_touches_is_emptied_after_a_week() {
    let kit = shop().await;
    let basket = kit.client().actor::<BasketActor>("ann").unwrap();
    let put = Put { cmd_id: "c".into(), goods_id: "soup".into(), count: 1, ..Put::default() };
    basket.add(put).await.unwrap().0.unwrap();
    for (wait, lines) in [(DAY * 6, 1), (DAY * 2, 0)] {
        kit.advance(wait).await;
        assert_eq!(basket.get().await.unwrap().0.unwrap().basket.items.len(), lines);
    }
}

/// What a host has to make durable, until nothing is on its way any more.
#[tokio::test(start_paused = true)]
async fn an_order_is_so_many_commits() {
    let kit = shop().await;
    soup(&kit).await;
    // The first order of a day begins its lists.
    paid(&kit).await;
    kit.advance(MINUTE).await;
    let before = kit.writes();
    let order_id = start_of(&kit, "bob").await;
    let checkout = kit.client().actor::<CheckoutActor>(&order_id).unwrap();
    while checkout.drive().await.unwrap().0.unwrap().result.is_none() {}
    kit.advance(SECOND * 10).await;
    let placed = kit.writes();
    let order = kit.client().actor::<OrderActor>(&order_id).unwrap();
    order.pay(Pay { request_id: "p1".into(), card_tail: None }).await.unwrap().0.unwrap();
    kit.advance(SECOND * 10).await;
    let paid = kit.writes();
    assert_eq!(phase(&kit, &order_id).await, Phase::Paid);
    let placing = (placed.commits - before.commits, placed.claims - before.claims);
    let paying = (paid.commits - placed.commits, paid.claims - placed.claims);
    assert_eq!((placing, paying), ((9, 3), (15, 1)));
}
