//! Checkouts: what each step leads to, then any number of them at once in a world
//! where every question and every answer may get lost, be late or come twice.

use proptest::prelude::*;

use super::world::{Fault, Shelf, World};
use super::*;
use crate::domain::bank::{DECLINED, SILENT, SLOW, TWICE};
use crate::domain::basket::Put;
use crate::domain::goods::commands::{SetShelf, SetStock};
use crate::domain::order::Phase;
use crate::domain::sale::Sale;

const GOODS: [&str; 3] = ["noodles", "rice", "tart"];

/// Four of each; the tarts are in a sale of two, one for each buyer.
fn world() -> World {
    let sale = Sale {
        activity_id: "s1".into(),
        price_cents: 700,
        end_at: "2027-01-01T00:00:00Z".parse().unwrap(),
        quota: 2,
        per_buyer: 1,
        ..Sale::default()
    };
    World::new(GOODS.map(|id| Shelf::new(id, 4, (id == "tart").then(|| sale.clone()))))
}

fn wanted(goods_id: &str, count: u32) -> StartLine {
    StartLine { goods_id: goods_id.into(), count, ..StartLine::default() }
}

fn start(buyer_id: &str, request_id: &str, items: Vec<StartLine>) -> Start {
    Start {
        request_id: request_id.into(),
        buyer_id: buyer_id.into(),
        buyer_name: "Ann Lee".into(),
        source: if items.is_empty() { Source::Basket } else { Source::Direct },
        items,
        consignee: Consignee {
            name: "Ann Lee".into(),
            address: "7 Quay Street".into(),
            tel: "13000000000".into(),
        },
        ..Start::default()
    }
}

fn put(world: &mut World, buyer: &str, goods_id: &str, count: u32) {
    let now = world.now();
    let command = Put { goods_id: goods_id.into(), count, ..Put::default() };
    let cart = world.carts.entry(buyer.to_owned()).or_default();
    let _ = cart.basket.set_item(&command, now);
}

fn reason(saga: &Saga) -> Option<Reason> {
    saga.refusal.as_ref().map(|refusal| refusal.reason)
}

#[test]
fn a_checkout_is_checked_before_it_starts() {
    let sound = start("ann", "r1", vec![wanted("rice", 2)]);
    let many = (0..51).map(|n| wanted(&format!("g{n}"), 1)).collect();
    for command in [
        Start { buyer_name: String::new(), ..sound.clone() },
        Start { consignee: Consignee::default(), ..sound.clone() },
        Start { pay_before: Some(Time::default()), ..sound.clone() },
        Start { pay_before: Some("2199-01-01T00:00:00Z".parse().unwrap()), ..sound.clone() },
        Start { pay_within_seconds: Some(0), ..sound.clone() },
        Start { pay_within_seconds: Some(301), ..sound.clone() },
        Start { source: Source::Basket, ..sound.clone() },
        Start { items: Vec::new(), ..sound.clone() },
        start("ann", "r1", vec![wanted("rice", 0)]),
        start("ann", "r1", vec![wanted("rice", 100)]),
        start("ann", "r1", vec![wanted("rice", 60), wanted("rice", 60)]),
        start("ann", "r1", vec![wanted("a||b", 1)]),
        start("ann", "r1", many),
    ] {
        let mut world = world();
        let refused = world.start(&command).unwrap_err();
        assert_eq!(refused.reason, Reason::Invalid, "{command:?}");
        assert!(world.sagas.is_empty() && world.reminders.is_empty());
    }
    let (now, mut effects) = (world().now(), Vec::new());
    let refused = Saga::start(&mut None, "o1", &sound, now, &mut effects).unwrap_err();
    assert!(refused.message.contains("buyerId and requestId"), "{refused:?}");
}

#[test]
fn equal_goods_become_one_line_and_four_are_asked_at_once() {
    let mut items: Vec<_> = (0..6).map(|n| wanted(&format!("g{n}"), 1)).collect();
    items.push(wanted("g2", 3));
    let mut world = world();
    let order_id = world.start(&start("ann", "r1", items)).unwrap();
    let saga = &world.sagas[&order_id];
    assert_eq!((saga.lines.len(), saga.lines[2].wanted.count), (6, 4));
    assert_eq!(saga.next().len(), AT_ONCE);
}

#[test]
fn a_basket_becomes_an_order() {
    let mut world = world();
    put(&mut world, "ann", "noodles", 2);
    put(&mut world, "ann", "tart", 1);
    let order_id = world.start(&start("ann", "r1", Vec::new())).unwrap();
    world.drive(&order_id, &[]);
    let saga = &world.sagas[&order_id];
    assert_eq!((saga.step, saga.lines.len()), (Step::Reserve, 2), "what to undo is stored first");
    world.drive(&order_id, &[]);
    let standing = world.sagas[&order_id].standing();
    assert_eq!((standing.result, standing.total_cents), (Some(Outcome::Created), Some(2_500)));
    let order = &world.orders[&order_id];
    assert_eq!(order.head.pay_before, standing.pay_before);
    assert_eq!(order.items[1].original_price_cents, 900);
    assert_eq!((order.items[1].price_cents, order.items[1].goods_name.as_str()), (700, "tart"));
    assert!(world.carts["ann"].basket.items.is_empty());
    world.settle();
    world.check_quiet();
    let again = world.start(&start("ann", "r1", Vec::new())).unwrap();
    assert_eq!((again, world.orders.len()), (order_id, 1));
}

#[test]
fn when_one_line_is_refused_the_others_go_back_and_the_basket_stays() {
    let mut world = world();
    for (goods_id, count) in [("noodles", 2), ("rice", 5)] {
        put(&mut world, "ann", goods_id, count);
    }
    let order_id = world.start(&start("ann", "r1", Vec::new())).unwrap();
    world.settle();
    let saga = &world.sagas[&order_id];
    assert_eq!((saga.result, reason(saga)), (Some(Outcome::Refused), Some(Reason::OutOfStock)));
    let statuses: Vec<_> = saga.lines.iter().map(|line| line.status).collect();
    assert_eq!(statuses, [LineStatus::Released, LineStatus::Refused]);
    assert_eq!(world.orders[&order_id].head.phase, Phase::Refused);
    assert_eq!(world.carts["ann"].basket.items.len(), 2);
    world.check_quiet();
    assert!(world.reminders.is_empty(), "{:?}", world.reminders);
}

#[test]
fn another_price_or_goods_that_are_gone_are_told_as_such() {
    let priced = |cents| StartLine { expect_price_cents: Some(cents), ..wanted("noodles", 1) };
    let total =
        |cents, items| Start { expect_total_cents: Some(cents), ..start("ann", "r1", items) };
    for (command, expected) in [
        (start("ann", "r1", vec![priced(900)]), None),
        (start("ann", "r1", vec![priced(800)]), Some(Reason::PriceChanged)),
        (total(1_800, vec![wanted("noodles", 1), wanted("rice", 1)]), None),
        (total(1_700, vec![wanted("noodles", 1), wanted("rice", 1)]), Some(Reason::PriceChanged)),
        (start("ann", "r1", vec![wanted("rice", 1), wanted("none", 1)]), Some(Reason::NotFound)),
    ] {
        let mut world = world();
        let order_id = world.start(&command).unwrap();
        world.settle();
        world.check_quiet();
        let saga = &world.sagas[&order_id];
        assert_eq!(reason(saga), expected, "{saga:?}");
        assert_eq!(saga.result == Some(Outcome::Refused), expected.is_some());
    }
    let mut world = world();
    let off = SetShelf { cmd_id: "c".into(), shelf: false };
    world.shelves.get_mut("rice").unwrap().goods.set_shelf(&off).unwrap();
    let command = start("ann", "r1", vec![wanted("noodles", 1), wanted("rice", 1)]);
    let order_id = world.start(&command).unwrap();
    world.run_out();
    assert_eq!(reason(&world.sagas[&order_id]), Some(Reason::OffShelf));
}

#[test]
fn one_request_at_a_time_checks_a_basket_out() {
    let mut world = world();
    put(&mut world, "ann", "noodles", 1);
    let first = world.start(&start("ann", "r1", Vec::new())).unwrap();
    world.drive(&first, &[]);
    let second = world.start(&start("ann", "r2", Vec::new())).unwrap();
    world.drive(&second, &[]);
    assert_eq!(reason(&world.sagas[&second]), Some(Reason::Conflict));
    assert!(!world.orders.contains_key(&second));
    world.run_out();
}

#[test]
fn a_beginning_that_comes_late_does_not_keep_the_basket_from_others() {
    let mut world = world();
    put(&mut world, "ann", "noodles", 1);
    let first = world.start(&start("ann", "r1", Vec::new())).unwrap();
    world.drive(&first, &[]);
    let second = world.start(&start("ann", "r2", Vec::new())).unwrap();
    world.drive(&second, &[Fault::Late]);
    world.drive(&second, &[]);
    world.drive(&second, &[]);
    world.drive(&first, &[]);
    put(&mut world, "ann", "noodles", 1);
    world.arrive(0);
    world.check_quiet();
}

#[test]
fn a_creation_that_comes_late_finds_the_order_rejected_or_keeps_its_units() {
    // The order is asked for, the question is late, and then the time to pay is over.
    for arrives_first in [false, true] {
        let mut world = world();
        let order_id = world.start(&start("ann", "r1", vec![wanted("rice", 2)])).unwrap();
        world.drive(&order_id, &[Fault::None, Fault::Late]);
        if arrives_first {
            world.arrive(0);
        }
        world.seconds += 301;
        world.drive(&order_id, &[Fault::None, Fault::Late]);
        // The clock is set back: what was too late is in time again.
        world.seconds -= 301;
        world.settle();
        world.check_quiet();
        let created = world.sagas[&order_id].result == Some(Outcome::Created);
        assert_eq!(created, arrives_first);
    }
}

#[test]
fn a_checkout_that_forgot_everything_finds_its_order_though_it_is_cancelled() {
    let mut world = world();
    let order_id = world.start(&start("ann", "r1", vec![wanted("rice", 2)])).unwrap();
    let before = world.sagas[&order_id].clone();
    world.drive(&order_id, &[]);
    world.cancel(&order_id);
    world.settle();
    world.sagas.insert(order_id.clone(), before);
    world.settle();
    world.check_quiet();
    assert_eq!(world.sagas[&order_id].result, Some(Outcome::Created));
    assert_eq!(world.orders[&order_id].head.phase, Phase::Cancelled);
}

#[derive(Debug, Clone)]
enum Act {
    Start(usize),
    Drive(usize, Vec<Fault>),
    Arrive(usize),
    Call(usize, bool),
    Pay(usize, u8, usize),
    Cancel(usize),
    Remind(usize, bool),
    Pass(i64),
    Put(usize, u32),
    SetStock(usize, u32),
    SetShelf(usize, bool),
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        6 => Just(Fault::None),
        1 => Just(Fault::Lost),
        1 => Just(Fault::Mute),
        2 => Just(Fault::Late),
        1 => Just(Fault::Twice),
        1 => Just(Fault::Crash),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let some = 0..100_usize;
    let goods = 0..GOODS.len();
    let drive = (some.clone(), prop::collection::vec(fault(), 0..8));
    prop_oneof![
        3 => some.clone().prop_map(Act::Start),
        12 => drive.prop_map(|(at, faults)| Act::Drive(at, faults)),
        4 => some.clone().prop_map(Act::Arrive),
        6 => (some.clone(), any::<bool>()).prop_map(|(at, last)| Act::Call(at, last)),
        5 => (some.clone(), 0..2_u8, 0..5_usize).prop_map(|(at, n, tail)| Act::Pay(at, n, tail)),
        1 => some.clone().prop_map(Act::Cancel),
        4 => (some, any::<bool>()).prop_map(|(at, last)| Act::Remind(at, last)),
        2 => (-400_i64..400).prop_map(Act::Pass),
        1 => (goods.clone(), 0_u32..4).prop_map(|(at, count)| Act::Put(at, count)),
        1 => (goods.clone(), 0_u32..8).prop_map(|(at, count)| Act::SetStock(at, count)),
        1 => (goods, any::<bool>()).prop_map(|(at, shelf)| Act::SetShelf(at, shelf)),
    ]
}

/// Two of a basket, and three of lists, of three buyers.
fn requests() -> [Start; 5] {
    let sale = StartLine { expect_price_cents: Some(700), ..wanted("tart", 1) };
    [
        start("ann", "r1", Vec::new()),
        start("ann", "r2", Vec::new()),
        start("bob", "r1", vec![wanted("noodles", 2), wanted("rice", 2), wanted("tart", 1)]),
        start("bob", "r2", vec![wanted("rice", 3), sale]),
        start("cat", "r1", vec![wanted("tart", 2), wanted("none", 1), wanted("noodles", 1)]),
    ]
}

fn perform(world: &mut World, act: &Act) {
    let some = |world: &World, at: usize| {
        let ids: Vec<_> = world.sagas.keys().cloned().collect();
        ids.get(at % ids.len().max(1)).cloned().unwrap_or_default()
    };
    match act {
        Act::Start(at) => {
            let command = &requests()[at % 5];
            world.start(command).unwrap();
        }
        Act::Drive(at, faults) => world.drive(&some(world, *at), faults),
        Act::Arrive(at) => world.arrive(*at),
        Act::Call(at, is_last) => world.call(*at, *is_last),
        Act::Pay(at, request, tail) => {
            let tails = [None, Some(DECLINED), Some(SLOW), Some(TWICE), Some(SILENT)];
            world.pay(&some(world, *at), &format!("p{request}"), tails[*tail]);
        }
        Act::Cancel(at) => world.cancel(&some(world, *at)),
        Act::Remind(at, is_last) => world.remind(*at, *is_last),
        Act::Pass(seconds) => world.seconds += seconds,
        Act::Put(at, count) => put(world, "ann", GOODS[*at], *count),
        Act::SetStock(at, on_hand) => {
            let shelf = world.shelves.get_mut(GOODS[*at]).unwrap();
            let old = i64::from(shelf.goods.stock.on_hand);
            let command = SetStock { cmd_id: "c".into(), on_hand: *on_hand };
            if shelf.goods.set_stock(&command).is_ok() {
                shelf.brought += i64::from(*on_hand) - old;
            }
        }
        Act::SetShelf(at, shelf) => {
            let command = SetShelf { cmd_id: "c".into(), shelf: *shelf };
            world.shelves.get_mut(GOODS[*at]).unwrap().goods.set_shelf(&command).unwrap();
        }
    }
}

proptest! {
    #[test]
    fn whatever_gets_lost_every_checkout_ends_and_every_unit_is_accounted_for(
        acts in prop::collection::vec(act(), 1..80)
    ) {
        let mut world = world();
        for (goods_id, count) in [("noodles", 2), ("rice", 1)] {
            put(&mut world, "ann", goods_id, count);
        }
        for act in acts {
            perform(&mut world, &act);
            world.check();
        }
        world.run_out();
        for shelf in world.shelves.values() {
            prop_assert_eq!(shelf.goods.stock.held, 0);
        }
    }
}
