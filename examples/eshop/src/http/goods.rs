//! `goodsservice`: what there is, and what the shop changes about it.

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use super::desk::{AT_ONCE, Ask, Desk};
use super::input::{Cents, Named, Shelf};
use super::reply::{No, Outcome, Reply};
use crate::domain::answer::Refusal;
use crate::domain::checks;
use crate::domain::goods::NAME_CHARS_MAX;
use crate::domain::goods::commands::{
    Changed, Create, Deduct, Delete, SetShelf, SetStock, SoldSince, UpdateMeta, View,
};
use crate::domain::ids;
use crate::domain::pages::LIMIT_MAX;
use crate::domain::time::Time;
use crate::{GoodsActor, register};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct New {
    /// Default: one that follows from the request's id.
    id: Option<String>,
    goods_name: String,
    #[serde(default)]
    goods_image: String,
    #[serde(default)]
    description: String,
    price: Cents,
    stock: u32,
    category_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Edit {
    id: String,
    cmd_id: Option<String>,
    goods_name: Option<String>,
    goods_image: Option<String>,
    description: Option<String>,
    price: Option<Cents>,
    category_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stock {
    goods_id: String,
    cmd_id: Option<String>,
    deduction_stock: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Query {
    goods_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Counted {
    goods_ids: Vec<String>,
    express_time: Time,
}

/// One kind of goods, as anybody may see it.
pub(super) async fn get(desk: &Desk, ask: Ask) -> Outcome {
    let Query { goods_id } = ask.read()?;
    checks::id("goodsId", &goods_id)?;
    let view = desk.actor::<GoodsActor>(&goods_id)?.get().await?.0?;
    Ok(Reply::Done(shown(&view)))
}

/// Creates goods, off the shelf.
pub(super) async fn create(desk: &Desk, ask: Ask) -> Outcome {
    let New { id, goods_name, goods_image, description, price, stock, category_id } = ask.read()?;
    let goods_id = id.unwrap_or_else(|| ids::goods(&ask.request_id));
    checks::id("id", &goods_id)?;
    // Those that are there have all that they need, and answer as they did or refuse.
    let names = match register::known(desk.client(), &goods_id).await? {
        Some(_) => Vec::new(),
        None => {
            enrol(desk, &goods_id, Some(&goods_name), Some(&category_id)).await?;
            vec![goods_name.clone()]
        }
    };
    let command = Create {
        cmd_id: ask.request_id.clone(),
        category_id,
        name: goods_name,
        image: goods_image,
        description,
        price_cents: price.0,
        stock,
        shelf: false,
    };
    let created = desk.actor::<GoodsActor>(&goods_id)?.create(command).await?.0;
    settled(desk, &goods_id, &names, created).await
}

/// Changes what is said about goods, and their price.
pub(super) async fn update(desk: &Desk, ask: Ask) -> Outcome {
    let edit: Edit = ask.read()?;
    checks::id("id", &edit.id)?;
    let before = desk.actor::<GoodsActor>(&edit.id)?.get().await?.0?.meta;
    enrol(desk, &edit.id, edit.goods_name.as_deref(), edit.category_id.as_deref()).await?;
    let names: Vec<String> =
        [Some(before.name), edit.goods_name.clone()].into_iter().flatten().collect();
    let command = UpdateMeta {
        cmd_id: ask.id_or(edit.cmd_id),
        category_id: edit.category_id,
        name: edit.goods_name,
        image: edit.goods_image,
        description: edit.description,
        price_cents: edit.price.map(|price| price.0),
    };
    let updated = desk.actor::<GoodsActor>(&edit.id)?.update_meta(command).await?.0;
    settled(desk, &edit.id, &names, updated).await
}

/// Claims the name and joins the category that goods are about to have.
async fn enrol(
    desk: &Desk,
    goods_id: &str,
    name: Option<&str>,
    category_id: Option<&str>,
) -> Result<(), No> {
    if let Some(name) = name {
        checks::name("goodsName", name, NAME_CHARS_MAX)?;
        register::claim(desk.client(), name, goods_id).await??;
    }
    if let Some(category_id) = category_id {
        checks::id("categoryId", category_id)?;
        let joined = register::join(desk.client(), goods_id, category_id).await?;
        if let Err(refusal) = joined {
            register::settle(desk.client(), goods_id, name.as_slice()).await?;
            return Err(refusal.into());
        }
    }
    Ok(())
}

/// What goods have answered, once their names and their category are as they say.
async fn settled(
    desk: &Desk,
    goods_id: &str,
    names: &[String],
    answer: Result<Changed, Refusal>,
) -> Outcome {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    register::settle(desk.client(), goods_id, &names).await?;
    Ok(Reply::of(answer?))
}

/// Puts goods on the shelf, or takes them off.
pub(super) async fn shelve(desk: &Desk, ask: Ask) -> Outcome {
    let Shelf { id, cmd_id, shelf_state } = ask.read()?;
    checks::id("id", &id)?;
    let command = SetShelf { cmd_id: ask.id_or(cmd_id), shelf: shelf_state };
    Ok(Reply::of(desk.actor::<GoodsActor>(&id)?.set_shelf(command).await?.0?))
}

/// Deletes goods.
pub(super) async fn delete(desk: &Desk, ask: Ask) -> Outcome {
    let Named { id, cmd_id } = ask.read()?;
    checks::id("id", &id)?;
    let command = Delete { cmd_id: ask.id_or(cmd_id) };
    let known = register::known(desk.client(), &id).await?;
    let names: Vec<String> = known.map(|meta| meta.name).into_iter().collect();
    let deleted = desk.actor::<GoodsActor>(&id)?.delete(command).await?.0;
    settled(desk, &id, &names, deleted).await
}

/// Says how many are in the house.
pub(super) async fn set_stock(desk: &Desk, ask: Ask) -> Outcome {
    let Stock { goods_id, cmd_id, deduction_stock } = ask.read()?;
    checks::id("goodsId", &goods_id)?;
    let command = SetStock { cmd_id: ask.id_or(cmd_id), on_hand: deduction_stock };
    Ok(Reply::of(desk.actor::<GoodsActor>(&goods_id)?.set_stock(command).await?.0?))
}

/// Takes units out of the house that nobody bought.
pub(super) async fn deduct(desk: &Desk, ask: Ask) -> Outcome {
    let Stock { goods_id, cmd_id, deduction_stock } = ask.read()?;
    checks::id("goodsId", &goods_id)?;
    let command = Deduct { cmd_id: ask.id_or(cmd_id), count: deduction_stock };
    Ok(Reply::of(desk.actor::<GoodsActor>(&goods_id)?.deduct(command).await?.0?))
}

/// How many of these goods were sold since a day, as the goods count them; none of those that
/// are not there.
pub(super) async fn sold(desk: &Desk, ask: Ask) -> Outcome {
    let Counted { goods_ids, express_time } = ask.read()?;
    if goods_ids.len() > LIMIT_MAX as usize {
        let message = format!("goodsIds must be at most {LIMIT_MAX}, not {}", goods_ids.len());
        return Err(Refusal::invalid(message).at("goodsIds").into());
    }
    for id in &goods_ids {
        checks::id("goodsIds", id)?;
    }
    let query = SoldSince { since: express_time };
    let asked: Vec<_> = goods_ids.iter().map(|id| sold_of(desk, id, query).boxed()).collect();
    let counts: Vec<_> = stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
    Ok(Reply::Done(counts.into_iter().collect()))
}

async fn sold_of(desk: &Desk, id: &str, query: SoldSince) -> Result<Value, No> {
    let sold = desk.actor::<GoodsActor>(id)?.sold(query).await?.0;
    Ok(json!({"goodsId": id, "cellCount": sold.map_or(0, |sold| sold.count)}))
}

/// The goods as the services' clients know them.
pub(super) fn shown(view: &View) -> Value {
    let (meta, stock) = (&view.meta, &view.stock);
    json!({
        "id": meta.goods_id,
        "categoryId": meta.category_id,
        "goodsName": meta.name,
        "goodsImage": meta.image,
        "description": meta.description,
        "price": decimal(meta.price_cents),
        "priceCents": meta.price_cents,
        "stock": stock.stock.on_hand,
        "held": stock.stock.held,
        "available": stock.available,
        "shelfState": meta.shelf,
        "sellCount": view.sell_count,
        "sale": view.sale,
        "version": meta.version,
    })
}

/// An amount as clients show it; nothing is ever computed with it.
#[expect(clippy::cast_precision_loss, reason = "no amount comes near the end of exact numbers")]
pub(super) fn decimal(cents: u64) -> f64 {
    cents as f64 / 100.0
}

/// An amount where none is set.
pub(super) fn none_or_decimal(cents: u64) -> Option<f64> {
    (cents > 0).then(|| decimal(cents))
}

/// Whether a no says that there are no such goods.
pub(super) fn is_gone(no: &No) -> bool {
    use crate::domain::answer::Reason;
    matches!(no, No::Refused(refusal) if refusal.reason == Reason::NotFound)
}
