//! Sales: whose price it is at which second, and any commands of any buyers against
//! the quota, the allowance and the conservation law.
//!
//! The quota and the allowance count what is held or sold at the sale's price; what
//! came back after it was sold stays counted.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::effects::{Effect, Reminder};
use crate::domain::events::Event;
use crate::domain::goods::commands::{Deduct, SetShelf, SetStock};
use crate::domain::reservation::commands::{Extend, Reserve, Reserved};
use crate::domain::reservation::{Reservation, State};
use crate::domain::samples;
use crate::domain::samples::{at, goods, reason};

/// From the tenth second to before the twentieth.
fn sale(activity_id: &str, quota: u32, per_buyer: u32) -> AttachSale {
    AttachSale {
        cmd_id: "c".into(),
        activity_id: activity_id.into(),
        price_cents: 700,
        start_at: at(10),
        end_at: at(20),
        quota,
        per_buyer,
        sold: 0,
    }
}

fn reserve(order_id: &str, buyer_id: &str, count: u32, expected: Option<u64>) -> Reserve {
    Reserve {
        expect_price_cents: expected,
        expires_at: Some(at(1_000)),
        ..samples::reserve(order_id, buyer_id, count)
    }
}

#[test]
fn a_sale_is_attached_once_and_checked() {
    let changed = |change: fn(&mut AttachSale)| {
        let mut command = sale("s1", 0, 0);
        change(&mut command);
        command
    };
    for command in [
        changed(|one| one.activity_id = "a||b".into()),
        changed(|one| one.price_cents = 0),
        changed(|one| one.price_cents = 900),
        changed(|one| one.end_at = one.start_at),
    ] {
        let mut goods = goods(5);
        assert_eq!(reason(goods.attach_sale(&command, at(0))), Some(Reason::Invalid));
        assert_eq!(goods, self::goods(5), "{command:?}");
    }
    let mut goods = goods(5);
    let nothing = Goods::default().attach_sale(&sale("s1", 0, 0), at(0));
    assert_eq!(reason(nothing), Some(Reason::NotFound));
    goods.attach_sale(&sale("s1", 5, 0), at(0)).unwrap();
    assert_eq!(reason(goods.attach_sale(&sale("s2", 0, 0), at(19))), Some(Reason::Conflict));
    goods.reserve(&mut None, &mut 0, &reserve("o1", "ann", 2, None), at(10)).unwrap();
    let again = goods.attach_sale(&sale("s1", 6, 0), at(11)).unwrap();
    assert_eq!(again.sold, 2, "what is gone of a quota stays gone");
    goods.attach_sale(&sale("s2", 0, 0), at(20)).unwrap();
    let detach = |id: &str| DetachSale { cmd_id: "c".into(), activity_id: id.into() };
    assert_eq!(goods.detach_sale(&detach("s1")).unwrap().sold, 0, "it has ended already");
    assert!(goods.sale.is_some());
    goods.detach_sale(&detach("s2")).unwrap();
    assert_eq!((goods.sale.clone(), goods.mark().meta), (None, 5));
}

#[test]
fn the_clock_of_the_turn_decides_whose_price_it_is() {
    let reason = |order: Reserve, bought, now| {
        let mut goods = goods(50);
        goods.attach_sale(&sale("s1", 4, 2), at(0)).unwrap();
        goods.sale.as_mut().unwrap().sold = 2;
        let mut bought = bought;
        let reserved = goods.reserve(&mut None, &mut bought, &order, now);
        (reserved.as_ref().ok().map(|one| one.unit_price_cents), reason(reserved))
    };
    let order = |count, expected| reserve("o1", "ann", count, expected);
    for (count, expected, bought, now, price, refusal) in [
        (1, None, 0, 9, Some(900), None),
        (1, None, 0, 10, Some(700), None),
        (1, None, 0, 19, Some(700), None),
        (1, None, 0, 20, Some(900), None),
        (1, Some(700), 0, 9, None, Some(Reason::PriceChanged)),
        (1, Some(700), 0, 20, None, Some(Reason::PriceChanged)),
        (1, Some(900), 0, 15, None, Some(Reason::PriceChanged)),
        (1, Some(900), 0, 20, Some(900), None),
        (2, Some(700), 0, 15, Some(700), None),
        (3, None, 0, 15, Some(900), None),
        (3, Some(700), 0, 15, None, Some(Reason::QuotaExceeded)),
        (2, Some(700), 1, 15, None, Some(Reason::PerBuyerLimit)),
        (2, None, 1, 15, Some(900), None),
        (2, Some(800), 1, 15, None, Some(Reason::PriceChanged)),
    ] {
        let found = reason(order(count, expected), bought, at(now));
        assert_eq!(found, (price, refusal), "{count} at {expected:?} after {now} s");
    }
}

#[test]
fn a_release_gives_back_quota_and_allowance() {
    let mut goods = goods(50);
    goods.attach_sale(&sale("s1", 2, 2), at(0)).unwrap();
    let (mut first, mut bought) = (None, 0);
    let two = |order_id: &str| reserve(order_id, "ann", 2, Some(700));
    goods.reserve(&mut first, &mut bought, &two("o1"), at(10)).unwrap();
    assert_eq!((goods.sale.as_ref().unwrap().sold, bought), (2, 2));
    let refused = goods.reserve(&mut None, &mut bought, &two("o2"), at(10));
    assert_eq!(refused.as_ref().unwrap_err().price_cents, Some(900));
    assert_eq!(reason(refused), Some(Reason::QuotaExceeded));
    goods.release(&mut first, &mut bought, "o1", at(11)).unwrap();
    assert_eq!((goods.sale.as_ref().unwrap().sold, bought), (0, 0));
    goods.reserve(&mut None, &mut bought, &two("o3"), at(12)).unwrap();
    let quoted = |buyer: &str, bought, now| {
        let asked = goods.quote(&Quote { buyer_id: buyer.into() }, bought, now).unwrap();
        (asked.price_cents, asked.original_price_cents, asked.count_max)
    };
    assert_eq!(quoted("bob", 0, at(12)), (900, None, 48), "the quota is used up");
    goods.sale.as_mut().unwrap().sold = 1;
    let quoted = |bought, now| {
        let asked = goods.quote(&Quote { buyer_id: "bob".into() }, bought, now).unwrap();
        (asked.price_cents, asked.original_price_cents, asked.count_max)
    };
    assert_eq!(quoted(0, at(12)), (700, Some(900), 1));
    assert_eq!(quoted(2, at(12)), (900, None, 48));
    assert_eq!(quoted(0, at(20)), (900, None, 48));
}

#[test]
fn a_catalogue_hears_of_what_it_shows() {
    let mut goods = goods(12);
    let before = goods.mark();
    goods.attach_sale(&sale("s1", 0, 0), at(0)).unwrap();
    let told = goods.effects(before, at(10));
    let [Effect::Publish(Event::GoodsChanged(facts))] = &told[..] else { panic!("{told:?}") };
    assert_eq!((facts.price_cents, facts.old_price_cents), (700, Some(900)));
    assert_eq!((facts.sale_ends_at, facts.available, facts.version), (Some(at(20)), 12, 2));
    assert_eq!(goods.hot(), None);
    let before = goods.mark();
    goods.set_stock(&SetStock { cmd_id: "c".into(), on_hand: 9 }).unwrap();
    assert_eq!(goods.effects(before, at(20)).len(), 1);
    assert!(matches!(goods.hot(), Some(Event::GoodsStockLow(low)) if low.available == 9));
}

#[derive(Debug, Clone)]
enum Step {
    Reserve { order: usize, count: u32, expects_sale: bool },
    Commit(usize),
    Release(usize),
    Return(usize),
    Extend(usize),
    SetStock(u32),
    Deduct(u32),
    SetShelf(bool),
    Attach,
    Detach,
    Pass(u32),
}

/// Ten orders of three buyers.
fn step() -> impl Strategy<Value = Step> {
    let order = 0..10_usize;
    prop_oneof![
        6 => (order.clone(), 0_u32..5, any::<bool>()).prop_map(|(order, count, expects_sale)| {
            Step::Reserve { order, count, expects_sale }
        }),
        2 => order.clone().prop_map(Step::Commit),
        3 => order.clone().prop_map(Step::Release),
        1 => order.clone().prop_map(Step::Return),
        1 => order.prop_map(Step::Extend),
        1 => (0_u32..30).prop_map(Step::SetStock),
        1 => (0_u32..4).prop_map(Step::Deduct),
        1 => any::<bool>().prop_map(Step::SetShelf),
        1 => Just(Step::Attach),
        1 => Just(Step::Detach),
        2 => (0_u32..4).prop_map(Step::Pass),
    ]
}

/// Goods with all that an actor keeps beside them.
struct Shelf {
    goods: Goods,
    slots: BTreeMap<usize, Option<Reservation>>,
    bought: BTreeMap<(String, usize), u32>,
    now: u32,
    brought: i64,
    /// What was gone of the quota when the sale was detached.
    sold: u32,
    is_reminded: bool,
    version_told: u64,
}

impl Shelf {
    fn new() -> Self {
        Self {
            goods: goods(20),
            slots: BTreeMap::new(),
            bought: BTreeMap::new(),
            now: 0,
            brought: 20,
            sold: 0,
            is_reminded: false,
            version_told: 0,
        }
    }

    /// A command about an order, with what the actor reads and writes around it.
    fn settle(
        &mut self,
        order: usize,
        run: impl FnOnce(&mut Goods, &mut Option<Reservation>, &mut u32) -> Result<Reserved, Refusal>,
    ) -> Result<Reserved, Refusal> {
        let slot = self.slots.entry(order).or_default();
        let of_sale = self.goods.sale.as_ref().map(|sale| sale.activity_id.clone());
        let activity = match slot {
            Some(known) => known.activity_id.clone(),
            None => of_sale,
        };
        let mut unlimited = 0;
        let bought = match activity {
            Some(activity) => self.bought.entry((activity, order % 3)).or_default(),
            None => &mut unlimited,
        };
        run(&mut self.goods, slot, bought)
    }

    fn run(&mut self, step: &Step) -> Result<(), Refusal> {
        let now = at(i64::from(self.now));
        match *step {
            Step::Reserve { order, count, expects_sale } => {
                let buyer = format!("b{}", order % 3);
                let expected = expects_sale.then_some(700);
                let command = reserve(&format!("o{order}"), &buyer, count, expected);
                let first = self.settle(order, |goods, slot, bought| {
                    goods.reserve(slot, bought, &command, now)
                });
                let again = self.settle(order, |goods, slot, bought| {
                    goods.reserve(slot, bought, &command, now)
                });
                assert_eq!(again, first, "a repetition gets the same answer");
                first.map(drop)
            }
            Step::Commit(order) => {
                self.settle(order, |goods, slot, _| goods.commit(slot, "o", now)).map(drop)
            }
            Step::Release(order) => {
                self.settle(order, |goods, slot, had| goods.release(slot, had, "o", now)).map(drop)
            }
            Step::Return(order) => {
                self.settle(order, |goods, slot, _| goods.take_back(slot, "o", now)).map(drop)
            }
            Step::Extend(order) => {
                let command = Extend { order_id: "o".into(), until: at(i64::from(self.now) + 9) };
                self.settle(order, |goods, slot, _| goods.extend(slot, &command, now)).map(drop)
            }
            Step::SetStock(on_hand) => {
                let old = i64::from(self.goods.stock.on_hand);
                self.goods.set_stock(&SetStock { cmd_id: "c".into(), on_hand })?;
                self.brought += i64::from(on_hand) - old;
                Ok(())
            }
            Step::Deduct(count) => {
                self.goods.deduct(&Deduct { cmd_id: "c".into(), count })?;
                self.brought -= i64::from(count);
                Ok(())
            }
            Step::SetShelf(shelf) => {
                self.goods.set_shelf(&SetShelf { cmd_id: "c".into(), shelf }).map(drop)
            }
            Step::Attach => {
                let command = AttachSale { sold: self.sold, ..sale("s1", 6, 3) };
                self.goods.attach_sale(&command, now).map(drop)
            }
            Step::Detach => {
                let command = DetachSale { cmd_id: "c".into(), activity_id: "s1".into() };
                let is_attached = self.goods.sale.is_some();
                let detached = self.goods.detach_sale(&command)?;
                if is_attached {
                    self.sold = detached.sold;
                }
                Ok(())
            }
            Step::Pass(seconds) => {
                self.now += seconds;
                Ok(())
            }
        }
    }

    fn count(&self, is_it: impl Fn(&Reservation) -> bool) -> u32 {
        self.slots.values().flatten().filter(|one| is_it(one)).map(|one| one.count).sum()
    }

    fn check(&mut self, before: &Goods) {
        let stock = &self.goods.stock;
        assert!(stock.held <= stock.on_hand && stock.on_hand <= 100_000);
        assert_eq!(stock.held, self.count(|one| one.state == State::Held));
        let sold = self.count(|one| one.state == State::Committed);
        assert_eq!(stock.sold_total, u64::from(sold));
        assert_eq!(self.brought, i64::from(stock.on_hand) + i64::from(sold));
        assert_eq!(self.goods.days.sum(at(i64::from(self.now))), sold);
        let is_gone = |state| matches!(state, State::Held | State::Committed | State::Returned);
        let at_sale = self.count(|one| one.activity_id.is_some() && is_gone(one.state));
        assert!(at_sale <= 6, "{at_sale} of a quota of 6");
        for buyer in 0..3 {
            let had: u32 = self
                .slots
                .iter()
                .filter(|(order, _)| **order % 3 == buyer)
                .filter_map(|(_, slot)| slot.as_ref())
                .filter(|one| one.activity_id.is_some() && is_gone(one.state))
                .map(|one| one.count)
                .sum();
            assert!(had <= 3, "buyer {buyer} has {had} of 3");
            let known = self.bought.get(&("s1".to_owned(), buyer)).copied().unwrap_or_default();
            assert_eq!(known, had);
        }
        for effect in self.goods.effects(before.mark(), at(i64::from(self.now))) {
            match effect {
                Effect::Remind(Reminder::Holds, _) => self.is_reminded = true,
                Effect::Forget(Reminder::Holds) => self.is_reminded = false,
                Effect::Publish(Event::GoodsChanged(facts)) => {
                    assert!(facts.version > self.version_told);
                    self.version_told = facts.version;
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(self.is_reminded, self.goods.stock.held > 0);
    }
}

proptest! {
    #[test]
    fn no_sale_sells_too_much_or_outside_its_time(steps in prop::collection::vec(step(), 1..120)) {
        let mut shelf = Shelf::new();
        for step in steps {
            let before = shelf.goods.clone();
            if shelf.run(&step).is_err() {
                prop_assert_eq!(&shelf.goods, &before, "{:?}", step);
            }
            shelf.check(&before);
            for one in shelf.slots.values().flatten() {
                let price = if one.activity_id.is_some() { 700 } else { 900 };
                let is_priced = !matches!(one.state, State::Refused) && one.count > 0;
                prop_assert!(!is_priced || one.unit_price_cents == price);
            }
        }
    }
}
