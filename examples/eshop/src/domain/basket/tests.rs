//! A basket against its limits, and against a model that is just a list.
//!
//! The model has no idea of versions, prices or names; what it and the basket must
//! agree on is which goods are in, how many, and what is refused.

use proptest::prelude::*;

use super::*;
use crate::domain::samples::{now, reason};

pub(crate) fn put(goods_id: &str, count: u32) -> Put {
    Put { goods_id: goods_id.into(), count, ..Put::default() }
}

pub(crate) fn counts(basket: &Basket) -> Vec<(&str, u32)> {
    basket.items.iter().map(|item| (item.goods_id.as_str(), item.count)).collect()
}

#[test]
fn lines_are_set_added_to_and_removed() {
    let mut basket = Basket::default();
    let seen = Put { price_seen_cents: Some(900), name: Some("Soup".into()), ..put("a", 2) };
    assert_eq!(basket.set_item(&seen, now()).unwrap().total_cents, 1_800);
    basket.add(&put("a", 1), now()).unwrap();
    basket.add(&put("b", 1), now()).unwrap();
    assert_eq!(counts(&basket), [("a", 3), ("b", 1)]);
    assert_eq!((basket.items[0].price_seen_cents, basket.items[0].name.as_str()), (900, "Soup"));
    let receipt = basket.set_item(&put("a", 0), now()).unwrap();
    assert_eq!(receipt, Receipt { version: 4, lines: 1, total_cents: 0 });
}

#[test]
fn limits_refuse_and_change_nothing() {
    let mut basket = Basket::default();
    for n in 0..LINES_MAX {
        basket.add(&put(&format!("g{n}"), 1), now()).unwrap();
    }
    basket.set_item(&put("g0", 99), now()).unwrap();
    let before = basket.clone();
    let stale = Put { version: Some(1), ..put("g1", 2) };
    let dear = Put { price_seen_cents: Some(PRICE_CENTS_MAX + 1), ..put("g1", 2) };
    for (expected, result) in [
        (Reason::Invalid, basket.add(&put("g0", 1), now())),
        (Reason::Invalid, basket.add(&put("g1", 0), now())),
        (Reason::Invalid, basket.set_item(&put("g1", 100), now())),
        (Reason::Invalid, basket.set_item(&put("g1", 1_000_000_000), now())),
        (Reason::Invalid, basket.add(&put("g51", 1), now())),
        (Reason::Invalid, basket.set_item(&put("a||b", 1), now())),
        (Reason::Invalid, basket.set_item(&dear, now())),
        (Reason::Conflict, basket.set_item(&stale, now())),
        (Reason::Conflict, basket.clear(&Clear { version: Some(1), ..Clear::default() }, now())),
    ] {
        assert_eq!(reason(result.clone()), Some(expected), "{result:?}");
    }
    assert_eq!(basket, before);
}

#[test]
fn a_guests_lines_come_in_as_far_as_there_is_room() {
    let mut basket = Basket::default();
    for n in 0..LINES_MAX - 1 {
        basket.add(&put(&format!("g{n}"), 60), now()).unwrap();
    }
    let item = |goods_id: &str, count| Item { goods_id: goods_id.into(), count, ..Item::default() };
    let items = vec![item("g0", 60), item("new", 1), item("no room", 1)];
    let command = Merge { cmd_id: "c".into(), items };
    assert_eq!(reason(basket.merge(&command, now())), Some(Reason::Invalid), "a blank in an id");
    let items = vec![item("g0", 60), item("new", 1), item("no-room", 1)];
    basket.merge(&Merge { cmd_id: "c".into(), items }, now()).unwrap();
    assert_eq!((basket.items.len(), basket.items[0].count), (LINES_MAX, 99));
    assert!(basket.line("new").is_some() && basket.line("no-room").is_none());
}

#[test]
fn goods_mark_their_line_and_the_buyer_need_not_know() {
    let mut basket = Basket::default();
    basket.add(&put("a", 2), now()).unwrap();
    let quoted = LineQuote { price_cents: 700, available: 1, on_shelf: true };
    let line = |goods_id: &str| Requote { goods_id: goods_id.into(), quoted: quoted.clone() };
    let command = Touch { lines: vec![line("a"), line("gone")] };
    assert_eq!(basket.touch(&command).unwrap().version, 1);
    assert_eq!((&basket.items[0].quoted, basket.items.len()), (&Some(quoted.clone()), 1));
    let item =
        Item { goods_id: "b".into(), count: 1, quoted: Some(quoted.clone()), ..Item::default() };
    basket.merge(&Merge { cmd_id: "c".into(), items: vec![item] }, now()).unwrap();
    assert_eq!(basket.items[1].quoted, None, "only goods say what they say");
    let many = Touch { lines: vec![line("a"); 51] };
    assert_eq!(reason(basket.touch(&many)), Some(Reason::Invalid));
}

#[test]
fn a_line_is_marked_when_its_price_changes_or_whether_it_can_be_had() {
    let quote = |price_cents, available, on_shelf| LineQuote { price_cents, available, on_shelf };
    let priced = |quoted: &LineQuote| PricedLine {
        cents: quoted.price_cents,
        total_cents: 2 * quoted.price_cents,
        is_changed: quoted.price_cents != 700,
        available: quoted.available,
        is_on_shelf: quoted.on_shelf,
    };
    for (known, now, is_news) in [
        (None, quote(700, 2, true), false),
        (None, quote(700, 9, true), false),
        (None, quote(800, 9, true), true),
        (None, quote(700, 1, true), true),
        (None, quote(700, 9, false), true),
        (Some(quote(800, 9, true)), quote(800, 3, true), false),
        (Some(quote(800, 9, true)), quote(700, 9, true), true),
        (Some(quote(700, 1, true)), quote(700, 0, true), false),
        (Some(quote(700, 1, true)), quote(700, 9, false), false),
        (Some(quote(700, 1, true)), quote(700, 2, true), true),
    ] {
        let item = Item {
            goods_id: "a".into(),
            count: 2,
            price_seen_cents: 700,
            quoted: known.clone(),
            ..Item::default()
        };
        let marked = item.news(&priced(&now)).map(|news| news.quoted);
        assert_eq!(marked, is_news.then(|| now.clone()), "{known:?} then {now:?}");
    }
}

#[test]
fn a_basket_is_told_of_after_a_day_and_emptied_after_a_week() {
    let (mut basket, mut effects) = (Basket::default(), Vec::new());
    let remind = |at| Effect::Remind(Reminder::Abandon, at);
    let before = basket.mark();
    basket.add(&put("a", 2), now()).unwrap();
    let day = now().after(ABANDONED_AFTER);
    assert_eq!(basket.effects(before), Some(remind(day)));
    let (before, hour) = (basket.mark(), now().after(Duration::from_secs(3_600)));
    basket.add(&put("a", 1), hour).unwrap();
    assert_eq!(basket.effects(before), None, "one reminder does for all changes");
    basket.abandon("ann", day, &mut effects);
    let later = hour.after(ABANDONED_AFTER);
    assert_eq!(std::mem::take(&mut effects), [remind(later)]);
    basket.abandon("ann", later, &mut effects);
    let facts = BasketFacts { account_id: "ann".into(), lines: 1 };
    let week = later.after(EMPTIED_AFTER);
    let told = [Effect::Publish(Event::BasketAbandoned(facts)), remind(week)];
    assert_eq!(std::mem::take(&mut effects), told);
    basket.abandon("ann", later, &mut effects);
    assert_eq!(std::mem::take(&mut effects), [remind(week)], "it is told once");

    // Whoever comes back has a day again.
    let mut back = basket.clone();
    let before = back.mark();
    back.add(&put("b", 1), later).unwrap();
    assert_eq!(back.effects(before), Some(remind(later.after(ABANDONED_AFTER))));

    basket.abandon("ann", week, &mut effects);
    assert_eq!((effects, basket.items.len()), (vec![Effect::Forget(Reminder::Abandon)], 0));
    let before = back.mark();
    back.clear(&Clear::default(), week).unwrap();
    assert_eq!(back.effects(before), Some(Effect::Forget(Reminder::Abandon)));
}

#[derive(Debug, Clone)]
enum Step {
    Set(u8, u32),
    Add(u8, u32),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..60, 0_u32..110).prop_map(|(goods, count)| Step::Set(goods, count)),
        4 => (0_u8..60, 0_u32..60).prop_map(|(goods, count)| Step::Add(goods, count)),
        1 => Just(Step::Clear),
    ]
}

/// What a step makes of a plain list; `None` if it breaks a limit.
fn modelled(model: &[(String, u32)], step: &Step) -> Option<Vec<(String, u32)>> {
    let mut model = model.to_vec();
    let (goods, count, add) = match step {
        Step::Set(goods, count) => (goods, *count, false),
        Step::Add(goods, count) => (goods, *count, true),
        Step::Clear => return Some(Vec::new()),
    };
    let id = format!("g{goods}");
    let line = model.iter_mut().find(|line| line.0 == id);
    match (line, add, count) {
        (_, true, 0) => return None,
        (_, false, 0) => model.retain(|line| line.0 != id),
        (Some(line), true, count) => line.1 += count,
        (Some(line), false, count) => line.1 = count,
        (None, _, count) => model.push((id, count)),
    }
    (model.len() <= 50 && model.iter().all(|line| line.1 <= 99)).then_some(model)
}

proptest! {
    #[test]
    fn a_basket_is_its_model(steps in prop::collection::vec(step(), 1..120)) {
        let mut basket = Basket::default();
        let mut model: Vec<(String, u32)> = Vec::new();
        for step in steps {
            let before = basket.clone();
            let done = match &step {
                Step::Set(goods, count) => basket.set_item(&put(&format!("g{goods}"), *count), now()),
                Step::Add(goods, count) => basket.add(&put(&format!("g{goods}"), *count), now()),
                Step::Clear => basket.clear(&Clear::default(), now()),
            };
            let expected = modelled(&model, &step);
            prop_assert_eq!(done.is_ok(), expected.is_some());
            if done.is_err() {
                prop_assert_eq!(&basket, &before);
            }
            model = expected.unwrap_or(model);
            let owned = basket.items.iter().map(|item| (item.goods_id.clone(), item.count));
            prop_assert_eq!(owned.collect::<Vec<_>>(), model.clone());
            prop_assert_eq!(basket.version, before.version + u64::from(done.is_ok()));
        }
    }
}

#[test]
fn a_line_costs_what_the_goods_say_or_what_was_seen() {
    let item = Item { count: 3, price_seen_cents: 900, ..Item::default() };
    let quoted = |price_cents, off_shelf| Quoted {
        goods_id: "g".to_owned(),
        price_cents,
        available: 4,
        count_max: 4,
        off_shelf,
        original_price_cents: None,
        sale_ends_at: None,
    };
    for (quoted, cents, is_changed, available, is_on_shelf) in [
        (None, 900, false, 0, false),
        (Some(quoted(900, false)), 900, false, 4, true),
        (Some(quoted(700, false)), 700, true, 4, true),
        (Some(quoted(900, true)), 900, false, 4, false),
    ] {
        let total_cents = cents * 3;
        let expected = PricedLine { cents, total_cents, is_changed, available, is_on_shelf };
        assert_eq!(item.priced(quoted.as_ref()), expected, "{quoted:?}");
    }
}
