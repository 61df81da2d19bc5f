//! `tradeservice`'s parcels.

use serde::Deserialize;

use super::desk::{Ask, Desk};
use super::orders::owned;
use super::reply::{Outcome, Reply};
use crate::OrderActor;
use crate::domain::checks;
use crate::domain::order::delivery::{Deliver, Receive};
use crate::domain::time::Time;

/// Who sends parcels, and from where.
const SENDER: [&str; 2] = ["Harbour Kitchen", "1 Harbour Road"];

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
    /// That of its order, which clients may call it.
    #[serde(alias = "orderId")]
    logistics_id: String,
    cmd_id: Option<String>,
    receive_time: Option<Time>,
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
    let Received { logistics_id, cmd_id, receive_time } = ask.read()?;
    owned(desk, &ask, &logistics_id).await?;
    let by = ask.account()?.to_owned();
    let command = Receive { cmd_id: ask.id_or(cmd_id), by, receive_time };
    Ok(Reply::of(desk.actor::<OrderActor>(&logistics_id)?.receive(command).await?.0?))
}
