//! What the tests of the domain begin with: a time, some noodle soup, an order for it.

use crate::domain::answer::{Reason, Refusal};
use crate::domain::goods::{Goods, Meta, Stock};
use crate::domain::reservation::commands::Reserve;
use crate::domain::time::Time;

/// So many seconds after the year began.
pub(crate) fn at(seconds: i64) -> Time {
    Time::from_millis((1_767_225_600 + seconds) * 1_000)
}

/// The beginning of the year.
pub(crate) fn now() -> Time {
    at(0)
}

/// So many noodle soups at 900 cents, on the shelf.
pub(crate) fn goods(on_hand: u32) -> Goods {
    named("g1", "Noodle soup", on_hand)
}

/// So many of other goods at the same price.
pub(crate) fn named(goods_id: &str, name: &str, on_hand: u32) -> Goods {
    let meta = Meta {
        goods_id: goods_id.into(),
        category_id: "hot".into(),
        name: name.into(),
        price_cents: 900,
        shelf: true,
        version: 1,
        ..Meta::default()
    };
    Goods { meta: Some(meta), stock: Stock { on_hand, ..Stock::default() }, ..Goods::default() }
}

/// An order that wants so many, at any price.
pub(crate) fn reserve(order_id: &str, buyer_id: &str, count: u32) -> Reserve {
    Reserve {
        order_id: order_id.into(),
        buyer_id: buyer_id.into(),
        count,
        expect_price_cents: None,
        expires_at: None,
    }
}

/// Why it was refused, if it was.
pub(crate) fn reason<T>(result: Result<T, Refusal>) -> Option<Reason> {
    result.err().map(|refusal| refusal.reason)
}
