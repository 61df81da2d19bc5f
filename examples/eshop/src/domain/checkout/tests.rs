//! Checkouts: what an order takes out of a basket that goes on changing.
//!
//! Each begins with two lines or none; what is compared is the basket afterwards,
//! line by line.

use super::*;
use crate::domain::basket::tests::{counts, put};
use crate::domain::samples::{now, reason};

fn begin(request_id: &str) -> Begin {
    Begin { request_id: request_id.into() }
}

#[test]
fn a_checkout_takes_what_was_in_the_basket_when_it_began() {
    let (mut basket, mut slot) = (Basket::default(), None);
    assert_eq!(
        reason(basket.begin_checkout(&mut slot, &Outcomes::default(), "ann", &begin("r1"), now())),
        Some(Reason::Invalid),
        "an empty basket"
    );
    basket.add(&put("a", 2), now()).unwrap();
    basket.add(&put("b", 1), now()).unwrap();
    let begun =
        basket.begin_checkout(&mut slot, &Outcomes::default(), "ann", &begin("r1"), now()).unwrap();
    basket.add(&put("a", 3), now()).unwrap();
    basket.set_item(&put("b", 0), now()).unwrap();
    basket.add(&put("c", 1), now()).unwrap();
    let again = basket.begin_checkout(&mut slot, &Outcomes::default(), "ann", &begin("r1"), now());
    assert_eq!(again, Ok(begun.clone()));
    let other = basket.begin_checkout(&mut slot, &Outcomes::default(), "ann", &begin("r2"), now());
    assert_eq!(reason(other), Some(Reason::Conflict));
    let end = |order_id: &str| End { order_id: order_id.into() };
    let wrong = basket.complete_checkout(&mut slot, &end("other"), now());
    assert_eq!((reason(wrong), slot.is_some()), (Some(Reason::WrongState), true));
    basket.complete_checkout(&mut slot, &end(&begun.order_id), now()).unwrap();
    assert_eq!((counts(&basket), slot), (vec![("a", 3), ("c", 1)], None));
}

#[test]
fn an_aborted_checkout_leaves_the_basket_alone() {
    let mut basket = Basket::default();
    basket.add(&put("a", 2), now()).unwrap();
    let mut slot: Option<Checkout> = None;
    let begun =
        basket.begin_checkout(&mut slot, &Outcomes::default(), "ann", &begin("r1"), now()).unwrap();
    let before = basket.clone();
    basket.abort_checkout(&mut slot, &End { order_id: begun.order_id }).unwrap();
    assert_eq!((basket, slot), (before, None));
}

#[test]
fn what_was_aborted_before_it_began_does_not_begin() {
    let (mut basket, mut slot, mut outcomes) = (Basket::default(), None, Outcomes::default());
    basket.add(&put("a", 2), now()).unwrap();
    let command = End { order_id: ids::order("ann", "r1") };
    let aborted =
        outcomes.once(ABORT, &command.order_id, || basket.abort_checkout(&mut slot, &command));
    assert_eq!(reason(aborted.0), Some(Reason::WrongState));
    let late = basket.begin_checkout(&mut slot, &outcomes, "ann", &begin("r1"), now());
    assert_eq!((reason(late), slot.is_some()), (Some(Reason::WrongState), false));
    let other = basket.begin_checkout(&mut slot, &outcomes, "ann", &begin("r2"), now());
    assert!(other.is_ok());
}
