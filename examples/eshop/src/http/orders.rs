//! `tradeservice`: orders, from their checkout to their end.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::checkout::{self, Wanted};
use super::desk::{Ask, Desk};
use super::goods::{decimal, none_or_decimal};
use super::reply::{No, Outcome, Reply};
use crate::domain::answer::{Reason, Refusal};
use crate::domain::checks;
use crate::domain::order::payment::{Paid, Pay, PaymentState};
use crate::domain::order::{Cancel, Consignee, Order};
use crate::domain::saga::commands::{Source, Standing, StartLine};
use crate::{CheckoutActor, OrderActor};

/// How long a buyer who pays is kept waiting for the bank.
const PAID_WITHIN: Duration = Duration::from_secs(2);
/// Between two looks at a payment.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

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

/// What happened to an order, newest first.
pub(super) async fn log(desk: &Desk, ask: Ask) -> Outcome {
    let Query { order_id } = ask.read()?;
    let mut log = owned(desk, &ask, &order_id).await?.log;
    log.reverse();
    Ok(Reply::of(log))
}

/// The order, if it is that of who asks, or if they belong to the shop.
pub(super) async fn owned(desk: &Desk, ask: &Ask, order_id: &str) -> Result<Order, No> {
    checks::id("orderId", order_id)?;
    let order = desk.actor::<OrderActor>(order_id)?.get().await?.0?;
    if ask.is_staff() || order.head.user_id == ask.account()? {
        return Ok(order);
    }
    Err(No::Forbidden)
}

pub(super) fn shown(order: &Order) -> Value {
    let head = &order.head;
    let lines = order.items.iter().map(|line| {
        json!({
            "goodsId": line.goods_id,
            "goodsName": line.goods_name,
            "goodsImage": line.goods_image,
            "categoryName": line.category_name,
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
