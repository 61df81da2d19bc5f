//! What the baskets' and the orders' services share: a checkout, started and awaited.

use std::time::Duration;

use super::desk::Desk;
use super::reply::No;
use crate::CheckoutActor;
use crate::domain::answer::{Reason, Refusal};
use crate::domain::checks;
use crate::domain::ids;
use crate::domain::order::Consignee;
use crate::domain::saga::commands::{Source, Standing, Start, StartLine};

/// The account that the shop opens with, and to whom its orders go.
const BUYER: &str = "eshopuser";
/// How long an order that has been asked for is awaited.
const PLACED_WITHIN: Duration = Duration::from_secs(5);
/// Between two looks at a checkout that does not get on.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What a buyer wants.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) request_id: String,
    pub(super) source: Source,
    pub(super) items: Vec<StartLine>,
    pub(super) consignee: Option<Consignee>,
    pub(super) expect_total_cents: Option<u64>,
    /// Less time to pay than there is.
    pub(super) pay_within_seconds: Option<u32>,
}

/// Starts a checkout; where it stands.
///
/// # Errors
/// `invalid`.
pub(super) async fn start(desk: &Desk, buyer: &str, wanted: Wanted) -> Result<Standing, No> {
    let Wanted { request_id, source, items, consignee, expect_total_cents, pay_within_seconds } =
        wanted;
    checks::id("requestId", &request_id)?;
    let order_id = ids::order(buyer, &request_id);
    let command = Start {
        request_id,
        buyer_id: buyer.to_owned(),
        buyer_name: buyer.to_owned(),
        source,
        items,
        consignee: consignee.or_else(|| known(buyer)).unwrap_or_default(),
        expect_total_cents,
        pay_before: None,
        pay_within_seconds,
    };
    Ok(desk.actor::<CheckoutActor>(&order_id)?.start(command).await?.0?)
}

/// Drives a checkout until it has a result, or for as long as anybody waits for that.
///
/// # Errors
/// Why there is no order.
pub(super) async fn result(desk: &Desk, order_id: &str) -> Result<Option<Standing>, No> {
    let checkout = desk.actor::<CheckoutActor>(order_id)?;
    let driven = async {
        loop {
            match checkout.drive().await {
                Ok(answer) => {
                    let standing = answer.0?;
                    if standing.result.is_some() {
                        return Ok(standing);
                    }
                }
                // Its reminder drives it on; so does the next round here.
                Err(error) => tracing::debug!("{order_id} is not driven: {}", error.report()),
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    match tokio::time::timeout(PLACED_WITHIN, driven).await {
        Ok(Ok(standing)) => placed(standing).map(Some),
        Ok(Err(refusal)) => Err(No::Refused(refusal)),
        Err(_) => Ok(None),
    }
}

/// The order, or why there is none.
///
/// # Errors
/// As it says.
pub(super) fn placed(standing: Standing) -> Result<Standing, No> {
    match standing.refusal {
        None => Ok(standing),
        // To the shop there are no such goods; to the buyer the order is wrong.
        Some(refusal) if refusal.reason == Reason::NotFound => {
            Err(Refusal { reason: Reason::Invalid, ..refusal }.at("items").into())
        }
        Some(refusal) => Err(refusal.into()),
    }
}

/// What is known of the one account that there is.
fn known(buyer: &str) -> Option<Consignee> {
    (buyer == BUYER).then(|| Consignee {
        name: "Ann Lee".to_owned(),
        address: "7 Quay Street".to_owned(),
        tel: "13000000000".to_owned(),
    })
}
