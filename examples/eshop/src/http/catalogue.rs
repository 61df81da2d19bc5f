//! `goodsservice`: the lists of what there is.

use futures::{FutureExt as _, StreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use super::categories;
use super::desk::{AT_ONCE, Ask, Desk};
use super::goods::{decimal, is_gone, none_or_decimal, shown};
use super::reply::{No, Outcome, Reply, page};
use crate::domain::catalogue::{Browse, Browsed};
use crate::domain::categories::Shown;
use crate::domain::checks;
use crate::domain::events::GoodsFacts;
use crate::domain::handlers::CATALOGUE;
use crate::domain::pages::{LIMIT_MAX, Pages};
use crate::{CatalogIndexActor, GoodsActor};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Named {
    goods_name: String,
    page: Option<u32>,
    limit: Option<u32>,
}

/// A page of the goods, perhaps of one category only.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Menu {
    category_id: Option<String>,
    page: Option<u32>,
    limit: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct These {
    ids: Vec<String>,
}

/// What is for sale, by category.
pub(super) async fn shelf(desk: &Desk, ask: Ask) -> Outcome {
    let (categories, Browsed { goods, total }) = browse(desk, ask.read()?, false).await?;
    let mut groups: Vec<(&str, Vec<Value>)> = Vec::new();
    for facts in &goods {
        match groups.last_mut().filter(|group| group.0 == facts.category_id) {
            Some(group) => group.1.push(food(facts)),
            None => groups.push((&facts.category_id, vec![food(facts)])),
        }
    }
    let groups = groups.into_iter().map(|(id, foods)| {
        let place = categories.iter().position(|category| category.id == id);
        let place = place.unwrap_or(categories.len());
        json!({"name": called(&categories, id), "type": place, "foods": foods})
    });
    Ok(Reply::Done(page(groups, total)))
}

/// What is for sale under a name like this.
pub(super) async fn by_name(desk: &Desk, ask: Ask) -> Outcome {
    let Named { goods_name, page: number, limit } = ask.read()?;
    let query =
        Browse { pages: Pages::or_first(number, limit), name: goods_name, ..Browse::default() };
    let Browsed { goods, total } = found(desk, query).await?;
    let found = goods.iter().map(|facts| {
        let price = decimal(facts.price_cents);
        json!({"id": facts.id, "goodsName": facts.name, "price": price, "priceCents": facts.price_cents})
    });
    Ok(Reply::Done(page(found, total)))
}

/// Goods by their ids, on the shelf or not, at the prices of now; those that are not there are
/// left out.
pub(super) async fn by_ids(desk: &Desk, ask: Ask) -> Outcome {
    let These { ids } = ask.read()?;
    for id in &ids {
        checks::id("ids", id)?;
    }
    if ids.is_empty() {
        return Ok(Reply::Done(json!([])));
    }
    let pages = Pages { limit: LIMIT_MAX, ..Pages::default() };
    let query = Browse { pages, ids: ids.clone(), hidden: true, ..Browse::default() };
    let (categories, Browsed { goods, .. }) =
        futures::try_join!(categories::shown(desk), found(desk, query))?;
    let one = |id: &String| goods.iter().find(|facts| facts.id == *id);
    let shown = ids.iter().filter_map(one).map(|facts| {
        let original = facts.old_price_cents.unwrap_or(facts.price_cents);
        json!({
            "goodsId": facts.id,
            "categoryName": called(&categories, &facts.category_id),
            "goodsName": facts.name,
            "goodsImage": facts.image,
            "originalPrice": decimal(original),
            "originalPriceCents": original,
            "price": decimal(facts.price_cents),
            "priceCents": facts.price_cents,
        })
    });
    Ok(Reply::Done(shown.collect()))
}

/// All goods, as they are now.
pub(super) async fn all(desk: &Desk, ask: Ask) -> Outcome {
    let (categories, Browsed { goods, total }) = browse(desk, ask.read()?, true).await?;
    let asked: Vec<_> = goods.iter().map(|facts| now(desk, &categories, facts).boxed()).collect();
    let now: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    // Who was deleted a moment ago is left out.
    let now = now.into_iter().filter(|one| !one.as_ref().is_err_and(is_gone));
    Ok(Reply::Done(page(now.collect::<Result<Vec<_>, _>>()?, total)))
}

/// Goods as they are now.
async fn now(desk: &Desk, categories: &[Shown], facts: &GoodsFacts) -> Result<Value, No> {
    let view = desk.actor::<GoodsActor>(&facts.id)?.get().await?.0?;
    let mut shown = shown(&view);
    shown["categoryName"] = json!(called(categories, &view.meta.category_id));
    Ok(shown)
}

/// Goods in the order of their categories, and those.
async fn browse(desk: &Desk, menu: Menu, hidden: bool) -> Result<(Vec<Shown>, Browsed), No> {
    let Menu { category_id, page, limit } = menu;
    if let Some(id) = &category_id {
        checks::id("categoryId", id)?;
    }
    let shown = categories::shown(desk).await?;
    let order = shown.iter().map(|category| category.id.clone()).collect();
    let pages = Pages::or_first(page, limit);
    let query = Browse { pages, category_id, hidden, order, ..Browse::default() };
    let browsed = found(desk, query).await?;
    Ok((shown, browsed))
}

async fn found(desk: &Desk, query: Browse) -> Result<Browsed, No> {
    Ok(desk.actor::<CatalogIndexActor>(CATALOGUE)?.browse(query).await?.0?)
}

/// What a category is called; one that is not there by its id.
fn called<'a>(categories: &'a [Shown], id: &'a str) -> &'a str {
    let known = categories.iter().find(|category| category.id == id);
    known.map_or(id, |category| &category.category_name)
}

/// Goods as a menu shows them; the fields that nobody fills are those that its clients read.
fn food(facts: &GoodsFacts) -> Value {
    json!({
        "id": facts.id,
        "name": facts.name,
        "description": facts.description,
        "info": facts.description,
        "icon": facts.image,
        "image": facts.image,
        "price": decimal(facts.price_cents),
        "priceCents": facts.price_cents,
        "oldPrice": facts.old_price_cents.and_then(none_or_decimal),
        "sellCount": facts.sell_count,
        "available": facts.available,
        "saleEndsAt": facts.sale_ends_at,
        "rating": Value::Null,
        "ratings": [],
    })
}
