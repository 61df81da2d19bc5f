//! `goodsservice`'s categories.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use serde_json::json;

use super::desk::{AT_ONCE, Ask, Desk};
use super::input::Named;
use super::reply::{No, Outcome, Reply, page};
use crate::domain::catalogue::{Browse, Browsed};
use crate::domain::categories::{Create, Delete, Shown, Update};
use crate::domain::handlers::{CATALOGUE, CATEGORIES};
use crate::domain::ids;
use crate::domain::pages::{ENTRIES_MAX, LIMIT_MAX, Pages};
use crate::{CatalogIndexActor, CategoryActor, register};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct New {
    /// Default: one that follows from the request's id.
    id: Option<String>,
    category_name: String,
    #[serde(default)]
    sort: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Edit {
    id: String,
    cmd_id: Option<String>,
    category_name: Option<String>,
    sort: Option<u32>,
}

/// The categories, in the order in which they are shown.
pub(super) async fn shown(desk: &Desk) -> Result<Vec<Shown>, No> {
    Ok(desk.actor::<CategoryActor>(CATEGORIES)?.list().await?.0?.categories)
}

/// All of them.
pub(super) async fn all(desk: &Desk, _: Ask) -> Outcome {
    Ok(Reply::of(shown(desk).await?))
}

/// Some of them.
pub(super) async fn some(desk: &Desk, ask: Ask) -> Outcome {
    let range = ask.read::<Pages>()?.range()?;
    let all = shown(desk).await?;
    let some = all.iter().skip(range.start).take(range.len()).map(|one| json!(one));
    Ok(Reply::Done(page(some, all.len() as u64)))
}

/// Creates a category.
pub(super) async fn create(desk: &Desk, ask: Ask) -> Outcome {
    let New { id, category_name, sort } = ask.read()?;
    let id = id.unwrap_or_else(|| ids::category(&ask.request_id));
    let command = Create { cmd_id: ask.request_id.clone(), id, category_name, sort };
    Ok(Reply::of(desk.actor::<CategoryActor>(CATEGORIES)?.create(command).await?.0?))
}

/// Changes a category, and tells its goods what it is called. Asked again, it goes through them
/// again, so who has got no answer asks until there is one.
pub(super) async fn update(desk: &Desk, ask: Ask) -> Outcome {
    let Edit { id, cmd_id, category_name, sort } = ask.read()?;
    let is_renamed = category_name.is_some();
    let command = Update { cmd_id: ask.id_or(cmd_id), id, category_name, sort };
    let changed = desk.actor::<CategoryActor>(CATEGORIES)?.update(command).await?.0?;
    if is_renamed {
        let goods = goods_of(desk, &changed.id).await?;
        let told = stream::iter(goods)
            .map(|id| register::classify(desk.client(), id, &changed))
            .buffer_unordered(AT_ONCE);
        told.try_collect::<()>().await?;
    }
    Ok(Reply::of(changed))
}

/// The ids of all goods of a category, on the shelf or not.
async fn goods_of(desk: &Desk, id: &str) -> Result<Vec<String>, No> {
    let (list, mut ids) = (desk.actor::<CatalogIndexActor>(CATALOGUE)?, Vec::new());
    for page in 1.. {
        let query = Browse {
            pages: Pages { page, limit: LIMIT_MAX },
            category_id: Some(id.to_owned()),
            hidden: true,
            ..Browse::default()
        };
        let Browsed { goods, total } = list.browse(query).await?.0?;
        let is_last = goods.is_empty();
        ids.extend(goods.into_iter().map(|facts| facts.id));
        if is_last || ids.len() as u64 >= total.min(ENTRIES_MAX) {
            break;
        }
    }
    Ok(ids)
}

/// Deletes a category that no goods belong to.
pub(super) async fn delete(desk: &Desk, ask: Ask) -> Outcome {
    let Named { id, cmd_id } = ask.read()?;
    let command = Delete { cmd_id: ask.id_or(cmd_id), id };
    Ok(Reply::of(desk.actor::<CategoryActor>(CATEGORIES)?.delete(command).await?.0?))
}
