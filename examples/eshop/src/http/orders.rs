//! `tradeservice`: orders, from their checkout to their parcel.

use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use super::checkout::{self, Wanted};
use super::desk::{Ask, Desk};
use super::goods::{decimal, none_or_decimal};
use super::reply::{No, Outcome, Reply, page};
use crate::domain::answer::{Reason, Refusal};
use crate::domain::checks;
use crate::domain::handlers::orders_of;
use crate::domain::listed::Listed;
use crate::domain::order::delivery::{Deliver, Receive};
use crate::domain::order::payment::{Paid, Pay, PaymentState};
use crate::domain::order::{Cancel, Consignee, Order};
use crate::domain::pages::Pages;
use crate::domain::saga::commands::{Source, Standing, StartLine};
use crate::domain::time::Time;
use crate::{CheckoutActor, OrderActor, OrderIndexActor};

/// How long a buyer who pays is kept waiting for the bank.
const PAID_WITHIN: Duration = Duration::from_secs(2);
/// Between two looks at a payment.
const LOOK_AGAIN: Duration = Duration::from_millis(25);
/// How many orders are asked at once.
const AT_ONCE: usize = 8;
/// Who sends parcels, and from where.
const SENDER: [&str; 2] = ["Harbour Kitchen", "1 Harbour Road"];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct New {
    items: Vec<StartLine>,
    consignee: Option<Consignee>,
    request_id: Option<String>,
    expect_total_cents: Option<u64>,
    pay_within_seconds: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Payment {
    order_id: String,
    request_id: Option<String>,
    card_tail: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GivenUp {
    order_id: String,
    cmd_id: Option<String>,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Query {
    order_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Parcel {
    order_id: String,
    cmd_id: Option<String>,
    logistics_type: usize,
    logistics_no: String,
    delive_time: Option<Time>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Received {
    order_id: String,
    cmd_id: Option<String>,
    receive_time: Option<Time>,
}

/// Places an order and waits for it.
pub(super) async fn create(desk: &Desk, ask: Ask) -> Outcome {
    let started = start(desk, &ask).await?;
    match checkout::result(desk, &started.order_id).await? {
        Some(standing) => Ok(Reply::Done(placed(&standing))),
        None => Ok(Reply::Accepted(json!({"orderId": started.order_id}))),
    }
}

/// Places an order; how that ends is to be asked for.
pub(super) async fn create_later(desk: &Desk, ask: Ask) -> Outcome {
    let started = start(desk, &ask).await?;
    Ok(Reply::Accepted(json!({"orderId": started.order_id})))
}

/// How a checkout has ended, if it has.
pub(super) async fn get_checkout(desk: &Desk, ask: Ask) -> Outcome {
    let Query { order_id } = ask.read()?;
    checks::id("orderId", &order_id)?;
    let standing = desk.actor::<CheckoutActor>(&order_id)?.get().await?.0?;
    if !ask.is_staff() && standing.buyer_id != ask.account()? {
        return Err(No::Forbidden);
    }
    if standing.result.is_none() {
        return Ok(Reply::Accepted(json!({"orderId": order_id})));
    }
    Ok(Reply::Done(placed(&checkout::placed(standing)?)))
}

async fn start(desk: &Desk, ask: &Ask) -> Result<Standing, No> {
    let New { items, consignee, request_id, expect_total_cents, pay_within_seconds } =
        ask.read()?;
    let wanted = Wanted {
        request_id: ask.id_or(request_id),
        source: Source::Direct,
        items,
        consignee,
        expect_total_cents,
        pay_within_seconds,
    };
    checkout::start(desk, ask.account()?, wanted).await
}

fn placed(standing: &Standing) -> Value {
    let total = standing.total_cents.unwrap_or_default();
    json!({
        "orderId": standing.order_id,
        "orderNo": standing.order_no,
        "totalPrice": decimal(total),
        "totalCents": total,
        "payBefore": standing.pay_before,
    })
}

/// Pays, and waits a little for the bank.
pub(super) async fn pay(desk: &Desk, ask: Ask) -> Outcome {
    let Payment { order_id, request_id, card_tail } = ask.read()?;
    owned(desk, &ask, &order_id).await?;
    let order = desk.actor::<OrderActor>(&order_id)?;
    let command = Pay { request_id: ask.id_or(request_id), card_tail };
    let asked = order.pay(command).await?.0?;
    let answered = async {
        loop {
            let payments = order.get().await?.0?.payments;
            let known = payments.into_iter().find(|one| one.payment_id == asked.payment_id);
            match known.map(|one| one.state) {
                None | Some(PaymentState::Requested) => tokio::time::sleep(LOOK_AGAIN).await,
                Some(state) => return Ok::<_, No>(state),
            }
        }
    };
    match tokio::time::timeout(PAID_WITHIN, answered).await {
        Ok(Ok(PaymentState::Failed)) => {
            Err(Refusal::new(Reason::Conflict, "the bank has declined the payment").into())
        }
        Ok(Ok(state)) => Ok(Reply::of(Paid { state, ..asked })),
        // What was asked for is on its way, whatever became of looking.
        Ok(Err(_)) | Err(_) => Ok(Reply::Accepted(json!(asked))),
    }
}

/// Gives an order up.
pub(super) async fn cancel(desk: &Desk, ask: Ask) -> Outcome {
    let GivenUp { order_id, cmd_id, reason } = ask.read()?;
    owned(desk, &ask, &order_id).await?;
    let by = ask.account()?.to_owned();
    let command = Cancel { cmd_id: ask.id_or(cmd_id), by, reason };
    Ok(Reply::of(desk.actor::<OrderActor>(&order_id)?.cancel(command).await?.0?))
}

/// The order with all that happened to it.
pub(super) async fn get(desk: &Desk, ask: Ask) -> Outcome {
    let Query { order_id } = ask.read()?;
    Ok(Reply::Done(shown(&owned(desk, &ask, &order_id).await?)))
}

/// The orders of who asks, newest first, as they stand now.
pub(super) async fn mine(desk: &Desk, ask: Ask) -> Outcome {
    let list = desk.actor::<OrderIndexActor>(&orders_of(ask.account()?))?;
    let Listed { order_ids, total } = list.list(ask.read::<Pages>()?).await?.0?;
    let asked: Vec<_> = order_ids.iter().map(|order_id| now(desk, order_id).boxed()).collect();
    let orders: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    Ok(Reply::Done(page(orders.into_iter().collect::<Result<Vec<_>, _>>()?, total)))
}

/// An order as it stands now.
async fn now(desk: &Desk, order_id: &str) -> Result<Value, No> {
    Ok(shown(&desk.actor::<OrderActor>(order_id)?.get().await?.0?))
}

/// What happened to an order, newest first.
pub(super) async fn log(desk: &Desk, ask: Ask) -> Outcome {
    let Query { order_id } = ask.read()?;
    let mut log = owned(desk, &ask, &order_id).await?.log;
    log.reverse();
    Ok(Reply::of(log))
}

/// Sends the parcel.
pub(super) async fn deliver(desk: &Desk, ask: Ask) -> Outcome {
    let Parcel { order_id, cmd_id, logistics_type, logistics_no, delive_time } = ask.read()?;
    checks::id("orderId", &order_id)?;
    let [deliver_name, deliver_address] = SENDER.map(str::to_owned);
    let command = Deliver {
        cmd_id: ask.id_or(cmd_id),
        by: ask.account()?.to_owned(),
        logistics_type,
        logistics_no,
        deliver_name,
        deliver_address,
        deliver_time: delive_time,
    };
    Ok(Reply::of(desk.actor::<OrderActor>(&order_id)?.deliver(command).await?.0?))
}

/// Receives the parcel.
pub(super) async fn receive(desk: &Desk, ask: Ask) -> Outcome {
    let Received { order_id, cmd_id, receive_time } = ask.read()?;
    owned(desk, &ask, &order_id).await?;
    let by = ask.account()?.to_owned();
    let command = Receive { cmd_id: ask.id_or(cmd_id), by, receive_time };
    Ok(Reply::of(desk.actor::<OrderActor>(&order_id)?.receive(command).await?.0?))
}

/// The order, if it is that of who asks, or if they belong to the shop.
async fn owned(desk: &Desk, ask: &Ask, order_id: &str) -> Result<Order, No> {
    checks::id("orderId", order_id)?;
    let order = desk.actor::<OrderActor>(order_id)?.get().await?.0?;
    if ask.is_staff() || order.head.user_id == ask.account()? {
        return Ok(order);
    }
    Err(No::Forbidden)
}

fn shown(order: &Order) -> Value {
    let head = &order.head;
    let lines = order.items.iter().map(|line| {
        json!({
            "goodsId": line.goods_id,
            "goodsName": line.goods_name,
            "goodsImage": line.goods_image,
            "price": decimal(line.price_cents),
            "priceCents": line.price_cents,
            "originalPrice": none_or_decimal(line.original_price_cents),
            "count": line.count,
        })
    });
    json!({
        "orderId": head.order_id,
        "orderNo": head.order_no,
        "orderState": head.phase.state(),
        "phase": head.phase.name(),
        "totalPrice": decimal(head.total_cents),
        "totalCents": head.total_cents,
        "createTime": head.create_time,
        "payBefore": head.pay_before,
        "userName": head.user_name,
        "consignee": order.consignee,
        "orderItems": lines.collect::<Vec<_>>(),
        "payments": order.payments,
        "logistics": order.logistics,
        "log": order.log,
    })
}
