//! Opening the shop, more than once.
//!
//! What somebody has changed since the first time must stay as they left it.

use std::collections::BTreeSet;

use odeon_eshop::GoodsActor;
use odeon_eshop::domain::goods::commands::{SetShelf, SetStock, UpdateMeta};
use odeon_eshop::domain::outcomes::OUTCOMES_MAX;
use odeon_eshop::seed::{GOODS, STOCK, seed};

use crate::shop;

#[tokio::test(start_paused = true)]
async fn the_shelf_is_filled_once() {
    let mut kit = shop().await;
    seed(&kit.client()).await.unwrap();
    for (id, _, name, price_cents, _) in GOODS {
        let goods = kit.client().actor::<GoodsActor>(id).unwrap().get().await.unwrap().0.unwrap();
        assert_eq!((goods.meta.name.as_str(), goods.meta.price_cents), (name, price_cents));
        assert_eq!((goods.meta.shelf, goods.stock.available), (true, STOCK));
    }

    let soup = kit.client().actor::<GoodsActor>(GOODS[0].0).unwrap();
    let cmd_id = || "c1".to_owned();
    let price = UpdateMeta { cmd_id: cmd_id(), price_cents: Some(1), ..UpdateMeta::default() };
    soup.update_meta(price).await.unwrap().0.unwrap();
    soup.set_stock(SetStock { cmd_id: cmd_id(), on_hand: 7 }).await.unwrap().0.unwrap();
    soup.set_shelf(SetShelf { cmd_id: cmd_id(), shelf: false }).await.unwrap().0.unwrap();
    let before = soup.get().await.unwrap();
    kit.restart().await;
    seed(&kit.client()).await.unwrap();
    let soup = kit.client().actor::<GoodsActor>(GOODS[0].0).unwrap();
    assert_eq!(soup.get().await.unwrap(), before, "what the shop has changed stays");
}

#[tokio::test(start_paused = true)]
async fn workers_that_open_at_once_fill_the_shelf_once() {
    let kit = shop().await;
    let client = kit.client();
    let opened = futures::future::join_all((0..3).map(|_| seed(&client))).await;
    opened.into_iter().for_each(Result::unwrap);
    let soup = client.actor::<GoodsActor>(GOODS[0].0).unwrap();
    let changes = 2 * OUTCOMES_MAX as u64;
    for n in 1..=changes {
        let (cmd_id, price_cents) = (format!("c{n}"), Some(n));
        let price = UpdateMeta { cmd_id, price_cents, ..UpdateMeta::default() };
        soup.update_meta(price).await.unwrap().0.unwrap();
    }
    // The answer to the opening is no longer among the last ones; the goods are there.
    seed(&client).await.unwrap();
    for (id, _, _, price_cents, _) in GOODS {
        let goods = client.actor::<GoodsActor>(id).unwrap().get().await.unwrap().0.unwrap();
        // Created, and told what their category is called.
        let expected = if id == GOODS[0].0 { (2 + changes, changes) } else { (2, price_cents) };
        assert_eq!((goods.meta.version, goods.meta.price_cents), expected);
        assert_eq!(goods.stock.available, STOCK);
    }
}

#[test]
fn the_goods_are_as_many_and_as_dear_as_they_should_be() {
    let ids: BTreeSet<_> = GOODS.iter().map(|goods| goods.0).collect();
    assert_eq!(ids.len(), 13);
    let in_category = |category| GOODS.iter().filter(|goods| goods.1 == category).count();
    assert_eq!(["hot", "cold", "snacks", "porridge"].map(in_category), [3, 2, 4, 4]);
    assert!(GOODS.iter().all(|goods| (400..=1_700).contains(&goods.3)));
}
