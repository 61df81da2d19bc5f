//! The clock of the machine is set forward by an hour and back: nothing happens twice, and
//! what things cost is what the clock says at the turn.

use std::time::Duration;

use odeon_eshop::domain::flash_sale::commands::{Create as Plan, SetShelf};
use odeon_eshop::domain::goods::commands::Quote;
use odeon_eshop::domain::order::Phase;
use odeon_eshop::domain::reservation::State;
use odeon_eshop::domain::time::Time;
use odeon_eshop::{FlashSaleActor, GoodsActor, OrderActor};
use odeon_sdk::testkit::Running;

use crate::effects::{MINUTE, SECOND, phase, soup, start, state};
use crate::shop;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// How often an order was cancelled, and the steps that it has made.
async fn cancelled(kit: &Running, order_id: &str) -> (usize, u64) {
    let order = kit.client().actor::<OrderActor>(order_id).unwrap();
    let order = order.get().await.unwrap().0.unwrap();
    let log = order.log.iter().filter(|entry| entry.trade_log_value.contains(" cancelled "));
    (log.count(), order.head.version)
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_forward_and_back_cancels_an_order_once() {
    let kit = shop().await;
    soup(&kit).await;
    let order_id = start(&kit).await;
    kit.advance(SECOND * 10).await;
    kit.set_forward(HOUR);
    kit.advance(SECOND * 10).await;
    assert_eq!(phase(&kit, &order_id).await, Phase::Cancelled);
    let once = cancelled(&kit, &order_id).await;
    assert_eq!(once.0, 1);
    kit.set_back(HOUR);
    kit.advance(MINUTE * 70).await;
    assert_eq!(cancelled(&kit, &order_id).await, once);
    assert_eq!(state(&kit, &order_id).await, State::Released);
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_and_forward_cancels_an_order_once_and_not_early() {
    let mut kit = shop().await;
    soup(&kit).await;
    let order_id = start(&kit).await;
    kit.advance(SECOND * 10).await;
    kit.set_back(HOUR);
    kit.advance(MINUTE * 20).await;
    kit.restart().await;
    kit.advance(MINUTE * 20).await;
    assert_eq!(phase(&kit, &order_id).await, Phase::Unpaid);
    kit.set_forward(HOUR);
    kit.advance(SECOND * 10).await;
    let once = cancelled(&kit, &order_id).await;
    assert_eq!(once.0, 1);
    kit.set_back(HOUR);
    kit.set_forward(HOUR);
    kit.advance(MINUTE * 10).await;
    assert_eq!(cancelled(&kit, &order_id).await, once);
    assert_eq!(state(&kit, &order_id).await, State::Released);
}

async fn price(kit: &Running) -> u64 {
    let soup = kit.client().actor::<GoodsActor>("soup").unwrap();
    soup.quote(Quote { buyer_id: "ann".into() }).await.unwrap().0.unwrap().price_cents
}

#[tokio::test(start_paused = true)]
async fn the_price_of_a_sale_is_that_of_the_clock_at_the_turn() {
    let kit = shop().await;
    soup(&kit).await;
    let now = Time::from(kit.now());
    let plan = Plan {
        cmd_id: "c".into(),
        name: "Soup hour".into(),
        goods_id: "soup".into(),
        price_cents: 700,
        original_cents: 900,
        start_at: now.after(MINUTE),
        end_at: now.after(MINUTE * 50),
        ..Plan::default()
    };
    let sale = kit.client().actor::<FlashSaleActor>("s1").unwrap();
    sale.create(plan).await.unwrap().0.unwrap();
    sale.set_shelf(SetShelf { cmd_id: "c".into(), shelf: true }).await.unwrap().0.unwrap();
    kit.advance(MINUTE * 2).await;
    assert_eq!(price(&kit).await, 700);
    // Before any reminder can have come.
    kit.set_forward(HOUR);
    assert_eq!(price(&kit).await, 900);
    kit.set_back(HOUR);
    assert_eq!(price(&kit).await, 700);
    kit.set_back(MINUTE * 10);
    assert_eq!(price(&kit).await, 900);
    kit.set_forward(MINUTE * 10);
    assert_eq!(price(&kit).await, 700);
    // Once it is over for everybody, it is over.
    kit.set_forward(HOUR);
    kit.advance(SECOND * 10).await;
    kit.set_back(HOUR);
    kit.advance(MINUTE).await;
    assert_eq!(price(&kit).await, 900);
}
