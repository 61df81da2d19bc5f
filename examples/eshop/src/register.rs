//! Names and categories of goods, kept in step with the goods themselves.
//!
//! Goods know what they are called and where they belong; that no others are called so, and
//! that the category is there, know a `GoodsNameActor` and the `CategoryActor`. So both are
//! asked first, and brought in line with what the goods say once those have answered. Whoever
//! dies in between leaves a name that is claimed in vain; the next who wants it takes it over.

use odeon_sdk::{Client, Result};

use crate::domain::answer::{Reason, Refusal};
use crate::domain::categories::{Join, Leave, Shown};
use crate::domain::goods::Meta;
use crate::domain::goods::commands::Classify;
use crate::domain::handlers::CATEGORIES;
use crate::domain::ids;
use crate::domain::names::{Claim, Free};
use crate::{CategoryActor, GoodsActor, GoodsNameActor};

/// Goods as they are now, if they are there.
///
/// # Errors
/// When they cannot be asked.
pub(crate) async fn known(client: &Client, goods_id: &str) -> Result<Option<Meta>> {
    Ok(client.actor::<GoodsActor>(goods_id)?.get().await?.0.ok().map(|view| view.meta))
}

/// Claims a name for goods; `duplicate` when others are called so.
///
/// # Errors
/// When somebody cannot be asked.
pub(crate) async fn claim(
    client: &Client,
    name: &str,
    goods_id: &str,
) -> Result<Result<(), Refusal>> {
    let keeper = client.actor::<GoodsNameActor>(&ids::name(name))?;
    let want = |instead_of| Claim { goods_id: goods_id.to_owned(), instead_of };
    let refusal = match keeper.claim(want(None)).await?.0 {
        Ok(_) => return Ok(Ok(())),
        Err(refusal) if refusal.reason != Reason::Duplicate => return Ok(Err(refusal)),
        Err(refusal) => refusal,
    };
    let Ok(owner) = keeper.get().await?.0 else { return Ok(Err(refusal)) };
    if known(client, &owner.goods_id).await?.is_some_and(|meta| is_called(&meta, name)) {
        return Ok(Err(refusal));
    }
    Ok(keeper.claim(want(Some(owner.goods_id))).await?.0.map(drop))
}

/// Goods are to belong to this category; `invalid` when it is not there.
///
/// # Errors
/// When it cannot be asked.
pub(crate) async fn join(
    client: &Client,
    goods_id: &str,
    category_id: &str,
) -> Result<Result<Shown, Refusal>> {
    let join = Join { goods_id: goods_id.to_owned(), category_id: category_id.to_owned() };
    let joined = client.actor::<CategoryActor>(CATEGORIES)?.join(join).await?.0;
    Ok(joined.map_err(|refusal| match refusal.reason {
        Reason::NotFound => Refusal { reason: Reason::Invalid, ..refusal }.at("categoryId"),
        _ => refusal,
    }))
}

/// Brings their category in line with what the goods say now, and gives up those of the names
/// that they do not bear.
///
/// # Errors
/// When somebody cannot be asked.
pub(crate) async fn settle(client: &Client, goods_id: &str, names: &[&str]) -> Result<()> {
    let known = known(client, goods_id).await?;
    match &known {
        Some(meta) => enter(client, goods_id, &meta.category_id).await?,
        None => {
            let leave = Leave { goods_id: goods_id.to_owned() };
            client.actor::<CategoryActor>(CATEGORIES)?.leave(leave).await?;
        }
    }
    for name in names {
        if !known.as_ref().is_some_and(|meta| is_called(meta, name)) {
            let free = Free { goods_id: goods_id.to_owned() };
            client.actor::<GoodsNameActor>(&ids::name(name))?.release(free).await?;
        }
    }
    Ok(())
}

/// Sees to it that goods are in their category, and know what that is called.
///
/// # Errors
/// When somebody cannot be asked.
pub(crate) async fn enter(client: &Client, goods_id: &str, category_id: &str) -> Result<()> {
    match join(client, goods_id, category_id).await? {
        Ok(category) => classify(client, goods_id, &category).await,
        // The category of old goods is not there, and nobody can help that.
        Err(_) => Ok(()),
    }
}

/// Tells goods what their category is called, unless they are in another one or gone.
///
/// # Errors
/// When they cannot be asked.
pub(crate) async fn classify(
    client: &Client,
    goods_id: impl AsRef<str> + Send,
    category: &Shown,
) -> Result<()> {
    let command = Classify {
        category_id: category.id.clone(),
        category_name: category.category_name.clone(),
    };
    drop(client.actor::<GoodsActor>(goods_id.as_ref())?.classify(command).await?);
    Ok(())
}

fn is_called(meta: &Meta, name: &str) -> bool {
    ids::name(&meta.name) == ids::name(name)
}
