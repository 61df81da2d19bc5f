//! `paymentservice`: the bank that only pretends, as the shop's staff may look into it.

use serde::Deserialize;

use super::desk::{Ask, Desk};
use super::reply::{Outcome, Reply};
use crate::PaymentActor;
use crate::domain::checks;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Query {
    payment_id: String,
}

/// What the bank knows of a payment.
pub(super) async fn get(desk: &Desk, ask: Ask) -> Outcome {
    let Query { payment_id } = ask.read()?;
    checks::id("paymentId", &payment_id)?;
    Ok(Reply::of(desk.actor::<PaymentActor>(&payment_id)?.get().await?.0?))
}
