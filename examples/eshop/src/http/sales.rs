//! `goodsservice`'s sales for a limited time.

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use super::desk::{AT_ONCE, Ask, Desk};
use super::goods::decimal;
use super::input::{Cents, Named, Shelf};
use super::reply::{No, Outcome, Reply, page};
use crate::domain::checks;
use crate::domain::events::PlanFacts;
use crate::domain::flash_sale::SalePhase;
use crate::domain::flash_sale::commands::{Create, Delete, SetShelf, Update};
use crate::domain::handlers::SALES;
use crate::domain::ids;
use crate::domain::sales::Planned;
use crate::domain::time::Time;
use crate::{FlashSaleActor, GoodsActor, SaleIndexActor};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct New {
    /// Default: one that follows from the request's id.
    id: Option<String>,
    activitie_name: String,
    goods_id: String,
    activitie_price: Cents,
    start_time: Time,
    end_time: Time,
    #[serde(default)]
    quota: u32,
    #[serde(default)]
    per_buyer: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Edit {
    id: String,
    cmd_id: Option<String>,
    activitie_name: Option<String>,
    activitie_price: Option<Cents>,
    start_time: Option<Time>,
    end_time: Option<Time>,
    quota: Option<u32>,
    per_buyer: Option<u32>,
}

/// One sale.
pub(super) async fn get(desk: &Desk, ask: Ask) -> Outcome {
    let Named { id, .. } = ask.read()?;
    checks::id("id", &id)?;
    Ok(Reply::of(desk.actor::<FlashSaleActor>(&id)?.get().await?.0?))
}

/// The sales, those that begin last first, with their goods as those are now.
pub(super) async fn list(desk: &Desk, ask: Ask) -> Outcome {
    let Planned { sales, total, at } =
        desk.actor::<SaleIndexActor>(SALES)?.list(ask.read()?).await?.0?;
    let asked: Vec<_> = sales.iter().map(|sale| shown(desk, sale, at).boxed()).collect();
    let shown: Vec<_> = stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
    Ok(Reply::Done(page(shown, total)))
}

/// A sale with what its goods say, who may be gone.
async fn shown(desk: &Desk, sale: &PlanFacts, now: Time) -> Result<Value, No> {
    let goods = desk.actor::<GoodsActor>(&sale.goods_id)?.get().await?.0.ok();
    let price = goods.as_ref().map_or(sale.original_cents, |goods| goods.meta.price_cents);
    // While it runs, only the goods know how many are gone.
    let running = goods.as_ref().and_then(|goods| goods.sale.as_ref());
    let running = running.filter(|running| running.activity_id == sale.activity_id);
    let state = match SalePhase::at(now, sale.start_at, sale.end_at) {
        SalePhase::NotBegun => 0,
        SalePhase::Running => 1,
        SalePhase::Over => 2,
    };
    Ok(json!({
        "id": sale.activity_id,
        "goodsId": sale.goods_id,
        "activitieName": sale.name,
        "goodsName": goods.as_ref().map(|goods| &goods.meta.name),
        "price": decimal(price),
        "priceCents": price,
        "activitiePrice": decimal(sale.price_cents),
        "activitiePriceCents": sale.price_cents,
        "activitieState": state,
        "startTime": sale.start_at,
        "endTime": sale.end_at,
        "shelfState": sale.shelf,
        "quota": sale.quota,
        "sold": running.map_or(sale.sold, |running| running.sold),
        "perBuyer": sale.per_buyer,
    }))
}

/// Plans a sale, off the shelf.
pub(super) async fn create(desk: &Desk, ask: Ask) -> Outcome {
    let new: New = ask.read()?;
    let id = new.id.unwrap_or_else(|| ids::sale(&ask.request_id));
    checks::id("id", &id)?;
    checks::id("goodsId", &new.goods_id)?;
    let goods = desk.actor::<GoodsActor>(&new.goods_id)?.get().await?.0?;
    let command = Create {
        cmd_id: ask.request_id.clone(),
        name: new.activitie_name,
        goods_id: new.goods_id,
        price_cents: new.activitie_price.0,
        original_cents: goods.meta.price_cents,
        start_at: new.start_time,
        end_at: new.end_time,
        quota: new.quota,
        per_buyer: new.per_buyer,
    };
    Ok(Reply::of(desk.actor::<FlashSaleActor>(&id)?.create(command).await?.0?))
}

/// Changes a plan.
pub(super) async fn update(desk: &Desk, ask: Ask) -> Outcome {
    let edit: Edit = ask.read()?;
    checks::id("id", &edit.id)?;
    let command = Update {
        cmd_id: ask.id_or(edit.cmd_id),
        name: edit.activitie_name,
        price_cents: edit.activitie_price.map(|price| price.0),
        original_cents: None,
        start_at: edit.start_time,
        end_at: edit.end_time,
        quota: edit.quota,
        per_buyer: edit.per_buyer,
    };
    Ok(Reply::of(desk.actor::<FlashSaleActor>(&edit.id)?.update(command).await?.0?))
}

/// Puts a sale on the shelf, or takes it off; the goods know of it before the answer.
pub(super) async fn shelve(desk: &Desk, ask: Ask) -> Outcome {
    let Shelf { id, cmd_id, shelf_state } = ask.read()?;
    checks::id("id", &id)?;
    let sale = desk.actor::<FlashSaleActor>(&id)?;
    sale.set_shelf(SetShelf { cmd_id: ask.id_or(cmd_id), shelf: shelf_state }).await?.0?;
    Ok(Reply::of(sale.settle().await?.0?))
}

/// Gives a sale up.
pub(super) async fn delete(desk: &Desk, ask: Ask) -> Outcome {
    let Named { id, cmd_id } = ask.read()?;
    checks::id("id", &id)?;
    let sale = desk.actor::<FlashSaleActor>(&id)?;
    sale.delete(Delete { cmd_id: ask.id_or(cmd_id) }).await?.0?;
    Ok(Reply::of(sale.settle().await?.0?))
}
