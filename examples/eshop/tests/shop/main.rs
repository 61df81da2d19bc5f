//! The shop's actors on the SDK's test kit: the real engine, a store in memory, time
//! that a test can pass.
//!
//! What each command decides is tested beside the domain; here is what only actors
//! can show: equal requests at once, many buyers at once, state after a restart, and
//! the JSON that callers in other languages see.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod basket;
mod checkout;
mod clock;
mod effects;
mod goods;
mod http;
mod lists;
mod order;
mod payment;
mod pushes;
mod register;
mod sale;
mod seed;

use odeon_eshop::domain::answer::{Answer, Reason};
use odeon_eshop::{
    BasketActor, CatalogIndexActor, CategoryActor, CheckoutActor, FlashSaleActor, GoodsActor,
    GoodsNameActor, OrderActor, OrderIndexActor, PaymentActor, SaleIndexActor,
};
use odeon_sdk::testkit::{Running, TestKit};
use serde_json::Value;

/// The shop, with nothing in it.
async fn shop() -> Running {
    TestKit::new()
        .actor::<BasketActor>()
        .actor::<CatalogIndexActor>()
        .actor::<CategoryActor>()
        .actor::<CheckoutActor>()
        .actor::<FlashSaleActor>()
        .actor::<GoodsActor>()
        .actor::<GoodsNameActor>()
        .actor::<OrderActor>()
        .actor::<OrderIndexActor>()
        .actor::<PaymentActor>()
        .actor::<SaleIndexActor>()
        .start()
        .await
}

/// The answer to a call in JSON, as a caller without Rust sees it.
async fn json(kit: &Running, actor_type: &str, id: &str, method: &str, body: &Value) -> Value {
    let bytes = kit.client().invoke(actor_type, id, method, body.to_string()).await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// Why an answer is a no, if it is one.
fn reason<T>(answer: &Answer<T>) -> Option<Reason> {
    answer.0.as_ref().err().map(|refusal| refusal.reason)
}

/// That all are equal, and what they are.
fn all_equal<T: PartialEq + std::fmt::Debug>(mut answers: Vec<T>) -> T {
    let first = answers.remove(0);
    for answer in answers {
        assert_eq!(answer, first);
    }
    first
}
