//! `tradeservice`'s lists: the orders of a buyer, all orders, and the parcels.
//!
//! A list knows which orders there are; each is asked where it stands.

use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::{Value, json};

use super::desk::{AT_ONCE, Ask, Desk};
use super::goods::decimal;
use super::orders::shown;
use super::reply::{No, Outcome, Reply, page};
use crate::domain::handlers::orders_of;
use crate::domain::listed::{Kind, Listed, Part, parts};
use crate::domain::order::{Order, Phase};
use crate::domain::pages::{LIMIT_MAX, Pages};
use crate::{OrderActor, OrderIndexActor};

/// The orders of who asks, newest first, as they stand now.
pub(super) async fn mine(desk: &Desk, ask: Ask) -> Outcome {
    let part = Part::of(&ask.read::<Pages>()?.range()?);
    let Listed { order_ids, total } = list(desk, &orders_of(ask.account()?), part).await?;
    let orders = orders(desk, &order_ids).await?;
    Ok(Reply::Done(page(orders.iter().map(shown), total)))
}

/// The orders of all, newest first, as they stand now.
pub(super) async fn all(desk: &Desk, ask: Ask) -> Outcome {
    let Listed { order_ids, total } = across(desk, Kind::Placed, ask.read()?).await?;
    let orders = orders(desk, &order_ids).await?;
    Ok(Reply::Done(page(orders.iter().map(in_short), total)))
}

/// The parcels of orders that are paid, sent or not, those that were paid last first.
pub(super) async fn parcels(desk: &Desk, ask: Ask) -> Outcome {
    let Listed { order_ids, total } = across(desk, Kind::Paid, ask.read()?).await?;
    let orders = orders(desk, &order_ids).await?;
    // Who has their money back gets none, but has a place in the list.
    let sent = orders.iter().filter(|order| parcel_state(order).is_some());
    Ok(Reply::Done(page(sent.map(parcel), total)))
}

/// Some of the orders of all days of a kind: of the last days on which there were any.
async fn across(desk: &Desk, kind: Kind, pages: Pages) -> Result<Listed, No> {
    let range = pages.range()?;
    let days = list(desk, kind.days(), Part { skip: 0, take: LIMIT_MAX }).await?.order_ids;
    let lists: Vec<String> = days.iter().map(|day| kind.list(day)).collect();
    let none = Part { skip: 0, take: 0 };
    let totals = lists.iter().map(|id| list(desk, id, none).boxed()).collect();
    let totals: Vec<u64> = all_of(totals).await?.iter().map(|listed| listed.total).collect();
    let needed = lists.iter().zip(parts(&totals, &range)).filter(|(_, part)| part.take > 0);
    let found = all_of(needed.map(|(id, part)| list(desk, id, part).boxed()).collect()).await?;
    let order_ids = found.into_iter().flat_map(|listed| listed.order_ids).collect();
    Ok(Listed { order_ids, total: totals.iter().sum() })
}

async fn list(desk: &Desk, id: &str, part: Part) -> Result<Listed, No> {
    Ok(desk.actor::<OrderIndexActor>(id)?.list(part).await?.0?)
}

/// Orders as they stand now.
async fn orders(desk: &Desk, ids: &[String]) -> Result<Vec<Order>, No> {
    let now = |id| async move { Ok(desk.actor::<OrderActor>(id)?.get().await?.0?) };
    all_of(ids.iter().map(|id| now(id).boxed()).collect()).await
}

/// What all of them say, in their order.
async fn all_of<T>(
    asked: Vec<futures::future::BoxFuture<'_, Result<T, No>>>,
) -> Result<Vec<T>, No> {
    let told: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    told.into_iter().collect()
}

/// An order as the staff's list shows it: the price of a line is that of all its units.
fn in_short(order: &Order) -> Value {
    let head = &order.head;
    let lines = order.items.iter().map(|line| {
        let price = decimal(line.price_cents * u64::from(line.count));
        json!({"goodsName": line.goods_name, "price": price, "count": line.count})
    });
    json!({
        "orderId": head.order_id,
        "orderNo": head.order_no,
        "orderState": head.phase.state(),
        "phase": head.phase.name(),
        "totalPrice": decimal(head.total_cents),
        "totalCents": head.total_cents,
        "orderItems": lines.collect::<Vec<_>>(),
        "userName": head.user_name,
        "createTime": head.create_time,
    })
}

/// How far the parcel of an order is: not sent, on its way, received; or there is to be none.
fn parcel_state(order: &Order) -> Option<u8> {
    match order.head.phase {
        Phase::Paid => Some(0),
        Phase::Shipped => Some(1),
        Phase::Finished => Some(2),
        _ => None,
    }
}

fn parcel(order: &Order) -> Value {
    let (sent, to) = (order.logistics.as_ref(), order.consignee.as_ref());
    json!({
        "orderId": order.head.order_id,
        "id": sent.map(|parcel| &parcel.id),
        "orderNo": order.head.order_no,
        "logisticsType": sent.map(|parcel| parcel.carrier),
        "logisticsNo": sent.map(|parcel| &parcel.no),
        "deliverName": sent.map(|parcel| &parcel.deliver_name),
        "deliverAddress": sent.map(|parcel| &parcel.deliver_address),
        "receiverName": to.map(|to| &to.name),
        "receiverAddress": to.map(|to| &to.address),
        "deliveTime": sent.map(|parcel| parcel.deliver_time),
        "receiveTime": sent.and_then(|parcel| parcel.receive_time),
        "logisticsState": parcel_state(order),
    })
}
