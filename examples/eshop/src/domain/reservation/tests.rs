//! Goods and what is held of them: one table per command, then any commands in any
//! order, against the conservation law.
//!
//! What was brought is on hand or sold, what is held is on hand, whatever happens.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::goods::commands::{Create, Deduct, Quote, SetShelf, SetStock, UpdateMeta};
use crate::domain::samples::{goods, now, reason, reserve};

#[test]
fn goods_are_created_once_and_checked() {
    let sound = Create {
        category_id: "hot".into(),
        name: "Rice".into(),
        price_cents: 400,
        stock: 10,
        ..Create::default()
    };
    for (reason_expected, command) in [
        (Reason::Invalid, Create { name: String::new(), ..sound.clone() }),
        (Reason::Invalid, Create { name: "x".repeat(21), ..sound.clone() }),
        (Reason::Invalid, Create { price_cents: 0, ..sound.clone() }),
        (Reason::Invalid, Create { stock: 100_001, ..sound.clone() }),
        (Reason::Invalid, Create { category_id: "a||b".into(), ..sound.clone() }),
    ] {
        let mut goods = Goods::default();
        assert_eq!(reason(goods.create("g1", &command)), Some(reason_expected), "{command:?}");
        assert_eq!(goods, Goods::default());
    }
    let mut goods = Goods::default();
    assert_eq!(goods.create("g1", &sound).unwrap().version, 1);
    assert_eq!((goods.stock.on_hand, goods.meta().unwrap().shelf), (10, false));
    assert_eq!(reason(goods.create("g1", &sound)), Some(Reason::Duplicate));
}

#[test]
fn a_description_changes_in_part_and_a_reservation_keeps_its_price() {
    let mut goods = goods(5);
    let mut slot = None;
    goods.reserve(&mut slot, &mut 0, &reserve("o1", "ann", 2), now()).unwrap();
    let command = UpdateMeta { price_cents: Some(1_000), ..UpdateMeta::default() };
    assert_eq!(goods.update_meta(&command).unwrap().version, 2);
    assert_eq!(goods.meta().unwrap().name, "Noodle soup");
    assert_eq!(
        goods.quote(&Quote { buyer_id: "ann".into() }, 0, now()).unwrap().price_cents,
        1_000
    );
    assert_eq!(goods.commit(&mut slot, "o1", now()).unwrap().unit_price_cents, 900);
    let command = UpdateMeta { price_cents: Some(0), ..UpdateMeta::default() };
    assert_eq!(reason(goods.update_meta(&command)), Some(Reason::Invalid));
    assert_eq!(goods.meta().unwrap().version, 2);
}

#[test]
fn a_reservation_needs_goods_for_sale_at_the_expected_price() {
    let expecting = |cents| Reserve { expect_price_cents: Some(cents), ..reserve("o1", "ann", 1) };
    let past = Reserve { expires_at: Some(now()), ..reserve("o1", "ann", 1) };
    let off_shelf = || {
        let mut goods = goods(3);
        goods.set_shelf(&SetShelf { cmd_id: "c".into(), shelf: false }).unwrap();
        goods
    };
    for (mut goods, command, expected) in [
        (Goods::default(), reserve("o1", "ann", 1), Some(Reason::NotFound)),
        (off_shelf(), reserve("o1", "ann", 1), Some(Reason::OffShelf)),
        (goods(3), expecting(800), Some(Reason::PriceChanged)),
        (goods(3), expecting(900), None),
        (goods(3), reserve("o1", "ann", 3), None),
        (goods(3), reserve("o1", "ann", 4), Some(Reason::OutOfStock)),
        (goods(300), reserve("o1", "ann", 0), Some(Reason::Invalid)),
        (goods(300), reserve("o1", "ann", 100), Some(Reason::Invalid)),
        (goods(3), reserve("", "ann", 1), Some(Reason::Invalid)),
        (goods(3), past, Some(Reason::Invalid)),
    ] {
        let mut slot = None;
        let found = reason(goods.reserve(&mut slot, &mut 0, &command, now()));
        assert_eq!(found, expected, "{command:?}");
        assert_eq!(goods.stock.held, if expected.is_none() { command.count } else { 0 });
        let held = slot.as_ref().is_some_and(|one: &Reservation| one.state == State::Held);
        assert_eq!(held, expected.is_none());
        // What was refused stays so, whatever comes in; what was nonsense may become sense.
        let kept = !matches!(expected, None | Some(Reason::Invalid | Reason::NotFound));
        goods = self::goods(50);
        let again = reason(goods.reserve(&mut slot, &mut 0, &reserve("o1", "ann", 1), now()));
        assert!(again == expected || !kept, "{command:?}: {again:?}");
    }
}

#[test]
fn deleted_goods_are_not_for_sale_and_say_so() {
    let mut goods = goods(3);
    goods.set_shelf(&SetShelf { cmd_id: "c".into(), shelf: false }).unwrap();
    goods.delete().unwrap();
    let refused = goods.reserve(&mut None, &mut 0, &reserve("o1", "ann", 1), now());
    assert_eq!(reason(refused), Some(Reason::OffShelf));
}

#[test]
fn units_held_for_too_long_are_told_of_until_none_are_held() {
    let mut goods = goods(5);
    let mut slot = None;
    let before = goods.mark();
    goods.reserve(&mut slot, &mut 0, &reserve("o1", "ann", 2), now()).unwrap();
    let later = now().after(LOOK_AFTER_HOLDS);
    let look = Effect::Remind(Reminder::Holds, later);
    assert_eq!(goods.effects(before, now()), [look]);
    let looked = goods.holds([("o1", slot.as_ref().unwrap())], later);
    assert_eq!(looked, [Effect::Remind(Reminder::Holds, later.after(LOOK_AFTER_HOLDS))]);
    let over = now().after(HOLD);
    let looked = goods.holds([("o1", slot.as_ref().unwrap())], over);
    assert!(
        matches!(
            &looked[..],
            [Effect::Publish(Event::StockHoldExpired(told)), Effect::Remind(Reminder::Holds, _)]
                if told.order_id == "o1" && told.expires_at == over
        ),
        "{looked:?}"
    );
    let until = over.after(HOLD);
    goods.extend(&mut slot, &Extend { order_id: "o1".into(), until }, over).unwrap();
    assert_eq!(goods.holds([("o1", slot.as_ref().unwrap())], over).len(), 1);
    let before = goods.mark();
    goods.release(&mut slot, &mut 0, "o1", over).unwrap();
    assert_eq!(goods.effects(before, over), [Effect::Forget(Reminder::Holds)]);
    assert_eq!(goods.holds([], over), [Effect::Forget(Reminder::Holds)]);
}

#[test]
fn each_state_of_a_reservation_takes_only_its_own_commands() {
    type Command = fn(&mut Goods, &mut Option<Reservation>) -> Result<Reserved, Refusal>;
    let take: Command = |goods, slot| goods.reserve(slot, &mut 0, &reserve("o1", "ann", 2), now());
    let commit: Command = |goods, slot| goods.commit(slot, "o1", now());
    let release: Command = |goods, slot| goods.release(slot, &mut 0, "o1", now());
    let take_back: Command = |goods, slot| goods.take_back(slot, "o1", now());
    let (not_found, wrong_state) = (Some(Reason::NotFound), Some(Reason::WrongState));
    // What was done before, and what Reserve, Commit, Release and Return then say.
    let table: [(&[Command], [Option<Reason>; 4]); 6] = [
        (&[], [None, not_found, None, not_found]),
        (&[take], [None, None, None, wrong_state]),
        (&[release], [wrong_state, wrong_state, None, wrong_state]),
        (&[take, release], [wrong_state, wrong_state, None, wrong_state]),
        (&[take, commit], [None, None, wrong_state, None]),
        (&[take, commit, take_back], [None, None, wrong_state, None]),
    ];
    for (row, (before, expected)) in table.into_iter().enumerate() {
        for (command, expected) in [take, commit, release, take_back].iter().zip(expected) {
            let (mut goods, mut slot) = (goods(5), None);
            for step in before {
                step(&mut goods, &mut slot).unwrap();
            }
            let first = command(&mut goods, &mut slot);
            assert_eq!(reason(first.clone()), expected, "row {row}");
            let after = (goods.clone(), slot.clone());
            assert_eq!(command(&mut goods, &mut slot), first, "row {row}");
            assert_eq!((goods, slot), after, "row {row}: the second time changes nothing");
        }
    }
}

#[test]
fn goods_leave_only_when_nobody_waits_for_them() {
    let mut goods = goods(5);
    let mut slot = None;
    goods.reserve(&mut slot, &mut 0, &reserve("o1", "ann", 2), now()).unwrap();
    let set = |on_hand| SetStock { cmd_id: "c".into(), on_hand };
    assert_eq!(reason(goods.set_stock(&set(1))), Some(Reason::Conflict));
    assert_eq!(goods.set_stock(&set(2)).unwrap().available, 0);
    assert_eq!(reason(goods.set_stock(&set(100_001))), Some(Reason::Invalid));
    let deduct = |count| Deduct { cmd_id: "c".into(), count };
    assert_eq!(reason(goods.deduct(&deduct(0))), Some(Reason::Invalid));
    assert_eq!(reason(goods.deduct(&deduct(1))), Some(Reason::Conflict));
    goods.set_stock(&set(4)).unwrap();
    assert_eq!(goods.deduct(&deduct(2)).unwrap().available, 0);
    assert_eq!(reason(goods.delete()), Some(Reason::Conflict));
    goods.set_shelf(&SetShelf { cmd_id: "c".into(), shelf: false }).unwrap();
    assert_eq!(reason(goods.delete()), Some(Reason::Conflict));
    goods.release(&mut slot, &mut 0, "o1", now()).unwrap();
    goods.delete().unwrap();
    assert_eq!(reason(goods.view(now())), Some(Reason::NotFound));
    let again = Create { stock: 1, ..serde_json::from_str(CREATE).unwrap() };
    assert_eq!(reason(goods.create("g1", &again)), Some(Reason::Duplicate));
}

const CREATE: &str = r#"{"cmdId":"c","categoryId":"hot","name":"Rice","priceCents":4,"stock":1}"#;

#[test]
fn a_misspelt_field_is_named() {
    let text = CREATE.replace("priceCents", "price");
    let error = serde_json::from_str::<Create>(&text).unwrap_err().to_string();
    assert!(error.contains("unknown field `price`") && error.contains("`priceCents`"), "{error}");
    let error = serde_json::from_str::<Create>(&CREATE.replace("\":4", "\":4.5")).unwrap_err();
    assert!(error.to_string().contains("floating point `4.5`"), "{error}");
}

#[derive(Debug, Clone)]
enum Step {
    Reserve(u8, u32),
    Commit(u8),
    Release(u8),
    Return(u8),
    SetStock(u32),
    SetShelf(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let order = 0_u8..6;
    prop_oneof![
        4 => (order.clone(), 0_u32..8).prop_map(|(order, count)| Step::Reserve(order, count)),
        2 => order.clone().prop_map(Step::Commit),
        2 => order.clone().prop_map(Step::Release),
        1 => order.prop_map(Step::Return),
        1 => (0_u32..30).prop_map(Step::SetStock),
        1 => any::<bool>().prop_map(Step::SetShelf),
    ]
}

proptest! {
    /// The invariants and the conservation law, after each of any commands.
    #[test]
    fn nothing_is_oversold_lost_or_made(steps in prop::collection::vec(step(), 1..80)) {
        let mut goods = goods(20);
        let mut known: BTreeMap<String, Option<Reservation>> = BTreeMap::new();
        let mut brought: i64 = 20;
        for step in steps {
            let before = goods.clone();
            let mut slot_of = |order: u8| known.remove(&format!("o{order}")).flatten();
            let (order, slot, refused) = match step {
                Step::Reserve(order, count) => {
                    let mut slot = slot_of(order);
                    let command = reserve(&format!("o{order}"), "ann", count);
                    let refused = goods.reserve(&mut slot, &mut 0, &command, now()).is_err();
                    (Some(order), slot, refused)
                }
                Step::Commit(order) => {
                    let mut slot = slot_of(order);
                    let refused = goods.commit(&mut slot, "o", now()).is_err();
                    (Some(order), slot, refused)
                }
                Step::Release(order) => {
                    let mut slot = slot_of(order);
                    let refused = goods.release(&mut slot, &mut 0, "o", now()).is_err();
                    (Some(order), slot, refused)
                }
                Step::Return(order) => {
                    let mut slot = slot_of(order);
                    let refused = goods.take_back(&mut slot, "o", now()).is_err();
                    (Some(order), slot, refused)
                }
                Step::SetStock(on_hand) => {
                    let old = i64::from(goods.stock.on_hand);
                    let set = goods.set_stock(&SetStock { cmd_id: "c".into(), on_hand });
                    if set.is_ok() {
                        brought += i64::from(on_hand) - old;
                    }
                    (None, None, set.is_err())
                }
                Step::SetShelf(shelf) => {
                    let set = goods.set_shelf(&SetShelf { cmd_id: "c".into(), shelf });
                    (None, None, set.is_err())
                }
            };
            if let Some(order) = order {
                known.insert(format!("o{order}"), slot);
            }
            if refused {
                prop_assert_eq!(&goods, &before);
            }
            let held = known.values().flatten().filter(|one| one.state == State::Held);
            prop_assert_eq!(goods.stock.held, held.map(|one| one.count).sum::<u32>());
            prop_assert!(goods.stock.held <= goods.stock.on_hand);
            let sold = known.values().flatten().filter(|one| one.state == State::Committed);
            let sold: u32 = sold.map(|one| one.count).sum();
            prop_assert_eq!(goods.stock.sold_total, u64::from(sold));
            prop_assert_eq!(brought, i64::from(goods.stock.on_hand) + i64::from(sold));
        }
    }
}
