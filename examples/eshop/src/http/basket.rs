//! `basketservice`: what a buyer, or a guest, means to order.

use futures::{FutureExt as _, StreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use super::checkout::{self, Wanted};
use super::desk::{AT_ONCE, Ask, Desk};
use super::goods::{decimal, is_gone};
use super::reply::{No, Outcome, Reply};
use crate::domain::answer::Answer;
use crate::domain::basket::{Clear, Item, Merge, PricedLine, Put, Receipt, Requote, Touch, View};
use crate::domain::checks;
use crate::domain::goods::commands::{Quote, Quoted};
use crate::domain::ids;
use crate::domain::order::Consignee;
use crate::domain::saga::commands::Source;
use crate::{BasketActor, GoodsActor};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    cmd_id: Option<String>,
    goods_id: String,
    count: u32,
    version: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Emptied {
    cmd_id: Option<String>,
    version: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Bought {
    request_id: Option<String>,
    consignee: Option<Consignee>,
    expect_total_cents: Option<u64>,
    pay_within_seconds: Option<u32>,
}

/// The basket, each line with what its goods say now.
pub(super) async fn get(desk: &Desk, ask: Ask) -> Outcome {
    let who = ask.basket()?;
    let view = desk.actor::<BasketActor>(who)?.get().await?.0?;
    Ok(Reply::Done(shown(desk, who, &view).await?))
}

/// Sets the count of a line; 0 removes it.
pub(super) async fn set_item(desk: &Desk, ask: Ask) -> Outcome {
    let put = seen(desk, &ask).await?;
    told(desk, &ask, desk.actor::<BasketActor>(ask.basket()?)?.set_item(put).await?).await
}

/// Adds to the count of a line.
pub(super) async fn add(desk: &Desk, ask: Ask) -> Outcome {
    let put = seen(desk, &ask).await?;
    told(desk, &ask, desk.actor::<BasketActor>(ask.basket()?)?.add(put).await?).await
}

/// Empties the basket.
pub(super) async fn clear(desk: &Desk, ask: Ask) -> Outcome {
    let Emptied { cmd_id, version } = ask.read()?;
    let command = Clear { cmd_id: ask.id_or(cmd_id), version };
    told(desk, &ask, desk.actor::<BasketActor>(ask.basket()?)?.clear(command).await?).await
}

/// Puts a guest's lines into the basket of the account that the guest turns out to be.
pub(super) async fn merge(desk: &Desk, ask: Ask) -> Outcome {
    let (account, guest) = (ask.account()?, ask.guest()?);
    let guests = desk.actor::<BasketActor>(guest)?;
    let basket = guests.get().await?.0?.basket;
    let own = desk.actor::<BasketActor>(account)?;
    // The same for the same lines: who asks again, because they were not taken out yet, must
    // not have them twice.
    let cmd_id = ids::merge(guest, basket.version);
    let merged = own.merge(Merge { cmd_id, items: basket.items }).await?;
    merged.0?;
    let emptied = guests.clear(Clear { cmd_id: ask.request_id.clone(), version: None }).await?;
    emptied.0?;
    Ok(Reply::Done(shown(desk, account, &own.get().await?.0?).await?))
}

/// Begins to make an order of it.
pub(super) async fn check_out(desk: &Desk, ask: Ask) -> Outcome {
    let Bought { request_id, consignee, expect_total_cents, pay_within_seconds } = ask.read()?;
    let wanted = Wanted {
        request_id: ask.id_or(request_id),
        source: Source::Basket,
        items: Vec::new(),
        consignee,
        expect_total_cents,
        pay_within_seconds,
    };
    let standing = checkout::start(desk, ask.account()?, wanted).await?;
    Ok(Reply::Accepted(json!({"orderId": standing.order_id})))
}

/// The line that is meant, with what the buyer has just seen of its goods.
async fn seen(desk: &Desk, ask: &Ask) -> Result<Put, No> {
    let Line { cmd_id, goods_id, count, version } = ask.read()?;
    checks::id("goodsId", &goods_id)?;
    let mut put = Put { cmd_id: ask.id_or(cmd_id), goods_id, count, version, ..Put::default() };
    if count > 0 {
        checks::count(count)?;
        let goods = desk.actor::<GoodsActor>(&put.goods_id)?;
        let found = async { Ok(goods.get().await?.0?.meta) };
        let (meta, quoted) = futures::try_join!(found, quote(desk, &put.goods_id, ask.basket()?))?;
        put.price_seen_cents = Some(quoted.price_cents);
        (put.name, put.image) = (Some(meta.name), Some(meta.image));
    }
    Ok(put)
}

async fn quote(desk: &Desk, goods_id: &str, buyer: &str) -> Result<Quoted, No> {
    let query = Quote { buyer_id: buyer.to_owned() };
    Ok(desk.actor::<GoodsActor>(goods_id)?.quote(query).await?.0?)
}

/// The basket after a command.
async fn told(desk: &Desk, ask: &Ask, answer: Answer<Receipt>) -> Outcome {
    answer.0?;
    let who = ask.basket()?;
    let view = desk.actor::<BasketActor>(who)?.get().await?.0?;
    Ok(Reply::Done(shown(desk, who, &view).await?))
}

async fn shown(desk: &Desk, who: &str, view: &View) -> Result<Value, No> {
    let asked: Vec<_> =
        view.basket.items.iter().map(|item| priced(desk, who, item).boxed()).collect();
    let lines: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    let lines: Vec<PricedLine> = lines.into_iter().collect::<Result<_, No>>()?;
    let news = view.basket.items.iter().zip(&lines).filter_map(|(item, line)| item.news(line));
    mark(desk, who, news.collect()).await;
    let total: u64 = lines.iter().map(|line| line.total_cents).sum();
    let items = view.basket.items.iter().zip(&lines);
    Ok(json!({
        "items": items.map(|(item, line)| shown_line(item, line)).collect::<Vec<_>>(),
        "total": decimal(total),
        "totalCents": total,
        "version": view.basket.version,
    }))
}

/// Tells the basket what has changed about its lines, if anything: whoever looks at the basket
/// only, and not at the goods, sees it then. Who looks now has the answer without that.
async fn mark(desk: &Desk, who: &str, lines: Vec<Requote>) {
    if lines.is_empty() {
        return;
    }
    let marked = async { desk.actor::<BasketActor>(who)?.touch(Touch { lines }).await };
    if let Err(error) = marked.await {
        tracing::debug!("a basket is not marked: {}", error.report());
    }
}

/// A line with what its goods say, who may be gone.
async fn priced(desk: &Desk, who: &str, item: &Item) -> Result<PricedLine, No> {
    match quote(desk, &item.goods_id, who).await {
        Ok(quoted) => Ok(item.priced(Some(&quoted))),
        Err(no) if is_gone(&no) => Ok(item.priced(None)),
        Err(no) => Err(no),
    }
}

fn shown_line(item: &Item, line: &PricedLine) -> Value {
    json!({
        "goodsId": item.goods_id,
        "name": item.name,
        "image": item.image,
        "count": item.count,
        "price": decimal(line.cents),
        "priceCents": line.cents,
        "totalCents": line.total_cents,
        "priceChanged": line.is_changed,
        "available": line.available,
        "onShelf": line.is_on_shelf,
    })
}
