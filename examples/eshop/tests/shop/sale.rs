//! Sales: planned, begun and over by the clock, and sold to a crowd.
//!
//! What a sale costs at which second, and that its quota holds whatever gets lost, is
//! shown beside the domain.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use odeon_eshop::actors::FlashSaleActorClient;
use odeon_eshop::domain::answer::Reason;
use odeon_eshop::domain::flash_sale::SalePhase;
use odeon_eshop::domain::flash_sale::commands::{Create, SetShelf, Update};
use odeon_eshop::domain::goods::commands::Create as Goods;
use odeon_eshop::domain::reservation::commands::Reserve;
use odeon_eshop::domain::time::Time;
use odeon_eshop::{FlashSaleActor, GoodsActor};
use odeon_sdk::testkit::Running;

use crate::{reason, shop};

fn sale(kit: &Running) -> FlashSaleActorClient {
    kit.client().actor::<FlashSaleActor>("s1").unwrap()
}

fn shelf(cmd_id: &str, shelf: bool) -> SetShelf {
    SetShelf { cmd_id: cmd_id.into(), shelf }
}

/// A hundred bowls of soup, and a sale of fifty in a minute, for a minute.
async fn planned() -> Running {
    let kit = shop().await;
    let goods = Goods {
        cmd_id: "c0".into(),
        category_id: "hot".into(),
        name: "Noodle soup".into(),
        price_cents: 900,
        stock: 100,
        shelf: true,
        ..Goods::default()
    };
    let soup = kit.client().actor::<GoodsActor>("soup").unwrap();
    soup.create(goods).await.unwrap().0.unwrap();
    let (now, minute) = (Time::from(kit.now()), Duration::from_secs(60));
    let plan = Create {
        cmd_id: "c1".into(),
        name: "Soup minute".into(),
        goods_id: "soup".into(),
        price_cents: 700,
        original_cents: 900,
        start_at: now.after(minute),
        end_at: now.after(2 * minute),
        quota: 50,
        per_buyer: 1,
    };
    sale(&kit).create(plan).await.unwrap().0.unwrap();
    sale(&kit).set_shelf(shelf("c2", true)).await.unwrap().0.unwrap();
    kit
}

async fn price(kit: &Running) -> (u64, Option<u64>) {
    let soup = kit.client().actor::<GoodsActor>("soup").unwrap();
    let quote = odeon_eshop::domain::goods::commands::Quote { buyer_id: "new".into() };
    let quoted = soup.quote(quote).await.unwrap().0.unwrap();
    (quoted.price_cents, quoted.original_price_cents)
}

#[tokio::test(start_paused = true)]
async fn a_sale_begins_sells_its_quota_and_ends() {
    let mut kit = planned().await;
    let early = sale(&kit).settle().await.unwrap().0.unwrap();
    assert_eq!((early.phase, price(&kit).await), (SalePhase::NotBegun, (900, None)));
    kit.advance(Duration::from_secs(60)).await;
    kit.restart().await;
    let settled = join_all((0..20).map(|_| async { sale(&kit).settle().await.unwrap() })).await;
    let phases: BTreeSet<_> = settled.iter().map(|one| format!("{:?}", one.0)).collect();
    assert_eq!((phases.len(), price(&kit).await), (1, (700, Some(900))));

    let soup = kit.client().actor::<GoodsActor>("soup").unwrap();
    let order = |n: usize| Reserve {
        order_id: format!("o{n}"),
        buyer_id: format!("b{}", n / 2),
        count: 1,
        expect_price_cents: Some(700),
        expires_at: None,
    };
    let answers = join_all((0..1_000).map(|n| soup.reserve(order(n)))).await;
    let sold = answers.into_iter().filter(|answer| answer.as_ref().unwrap().0.is_ok()).count();
    assert_eq!((sold, price(&kit).await), (50, (900, None)));

    kit.advance(Duration::from_secs(60)).await;
    assert_eq!(price(&kit).await, (900, None), "also before the goods are told");
    kit.restart().await;
    let over = sale(&kit).settle().await.unwrap().0.unwrap();
    assert_eq!((over.phase, over.shelf), (SalePhase::Over, false));
    let plan = sale(&kit).get().await.unwrap().0.unwrap();
    assert_eq!((plan.sold, plan.attached), (50, false));
    let soup = kit.client().actor::<GoodsActor>("soup").unwrap();
    assert_eq!(soup.get().await.unwrap().0.unwrap().sale, None);
}

#[tokio::test(start_paused = true)]
async fn a_sale_is_taken_off_the_shelf_and_changed() {
    let kit = planned().await;
    kit.advance(Duration::from_secs(60)).await;
    sale(&kit).settle().await.unwrap().0.unwrap();
    let cheaper = |cmd_id: &str| Update {
        cmd_id: cmd_id.into(),
        price_cents: Some(600),
        ..Update::default()
    };
    let refused = sale(&kit).update(cheaper("c3")).await.unwrap();
    assert_eq!(reason(&refused), Some(Reason::WrongState));
    sale(&kit).set_shelf(shelf("c4", false)).await.unwrap().0.unwrap();
    sale(&kit).settle().await.unwrap().0.unwrap();
    assert_eq!(price(&kit).await, (900, None));
    sale(&kit).update(cheaper("c5")).await.unwrap().0.unwrap();
    sale(&kit).set_shelf(shelf("c6", true)).await.unwrap().0.unwrap();
    sale(&kit).settle().await.unwrap().0.unwrap();
    assert_eq!(price(&kit).await, (600, Some(900)));
}
