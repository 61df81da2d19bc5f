//! Sales: rules of a plan, a life on the shelf, and any commands, reminders and lost
//! answers against the goods that are in the sale.
//!
//! Time only goes on here; that the price follows the clock of the turn is shown beside
//! the goods.

use proptest::prelude::*;

use super::*;
use crate::domain::goods::Goods;
use crate::domain::outcomes::Outcomes;
use crate::domain::reservation::commands::Reserve;
use crate::domain::samples::{at, goods};

/// From the tenth second to before the twentieth, four units.
fn create() -> Create {
    Create {
        cmd_id: "c1".into(),
        name: "Soup week".into(),
        goods_id: "g1".into(),
        price_cents: 700,
        original_cents: 900,
        start_at: at(10),
        end_at: at(20),
        quota: 4,
        per_buyer: 0,
    }
}

fn plan() -> FlashSale {
    let mut slot = None;
    FlashSale::create(&mut slot, "s1", &create(), at(0)).unwrap();
    slot.unwrap()
}

fn shelf(shelf: bool) -> SetShelf {
    SetShelf { cmd_id: "c".into(), shelf }
}

#[test]
fn a_plan_is_checked() {
    let changed = |change: fn(&mut Create)| {
        let mut command = create();
        change(&mut command);
        command
    };
    for command in [
        changed(|one| one.name = "x".repeat(41)),
        changed(|one| one.name = String::new()),
        changed(|one| one.goods_id = "a||b".into()),
        changed(|one| one.price_cents = 0),
        changed(|one| one.price_cents = 900),
        changed(|one| one.end_at = at(10)),
        changed(|one| (one.start_at, one.end_at) = (at(-9), at(0))),
        changed(|one| one.end_at = at(1).after(AHEAD_MAX)),
    ] {
        let mut slot = None;
        let refused = FlashSale::create(&mut slot, "s1", &command, at(0)).unwrap_err();
        assert_eq!((refused.reason, slot), (Reason::Invalid, None), "{command:?}");
    }
    let mut slot = Some(plan());
    let refused = FlashSale::create(&mut slot, "s1", &create(), at(0)).unwrap_err();
    assert_eq!(refused.reason, Reason::Duplicate);
}

#[test]
fn a_plan_is_edited_only_off_the_shelf() {
    let (mut plan, mut effects) = (plan(), Vec::new());
    let cheaper = Update { price_cents: Some(600), ..Update::default() };
    plan.update(&cheaper, at(0)).unwrap();
    assert_eq!((plan.price_cents, plan.name.as_str()), (600, "Soup week"));
    let dear = Update { price_cents: Some(900), ..Update::default() };
    assert_eq!(plan.update(&dear, at(0)).unwrap_err().reason, Reason::Invalid);
    plan.set_shelf(&shelf(true), at(0), &mut effects).unwrap();
    assert_eq!(plan.update(&cheaper, at(0)).unwrap_err().reason, Reason::WrongState);
    plan.set_shelf(&shelf(false), at(0), &mut effects).unwrap();
    let refused = plan.update(&cheaper, at(0)).unwrap_err();
    assert_eq!(refused.reason, Reason::WrongState, "the goods may know of it");
    let wanted = plan.wanted(at(0)).unwrap();
    let Wanted::Detach(command) = &wanted else { panic!("{wanted:?}") };
    plan.settled(&wanted, goods(1_000).detach_sale(command), at(0), &mut effects);
    plan.update(&cheaper, at(0)).unwrap();
    let refused = plan.set_shelf(&shelf(true), at(20), &mut effects).unwrap_err();
    assert_eq!(refused.reason, Reason::Expired);
    plan.delete(at(0), &mut effects).unwrap();
    assert_eq!(plan.update(&cheaper, at(0)).unwrap_err().reason, Reason::NotFound);
}

#[test]
fn a_sale_begins_and_ends_by_its_reminders() {
    let (mut plan, mut goods, mut effects) = (plan(), goods(1_000), Vec::new());
    plan.set_shelf(&shelf(true), at(0), &mut effects).unwrap();
    let [start, end] = [(Reminder::Start, at(10)), (Reminder::End, at(20))]
        .map(|(reminder, at)| Effect::Remind(reminder, at));
    assert_eq!(effects, [start.clone(), end]);
    effects.clear();
    plan.due(Reminder::Start, at(9), &mut effects);
    assert_eq!((plan.wanted(at(9)), effects), (None, vec![start]));
    let mut effects = Vec::new();
    let wanted = plan.wanted(at(10)).unwrap();
    let Wanted::Attach(command) = &wanted else { panic!("{wanted:?}") };
    plan.settled(&wanted, goods.attach_sale(command, at(10)), at(10), &mut effects);
    assert_eq!((plan.wanted(at(19)), plan.phase(at(19))), (None, SalePhase::Running));
    let wanted = plan.wanted(at(20)).unwrap();
    let Wanted::Detach(command) = &wanted else { panic!("{wanted:?}") };
    plan.settled(&wanted, goods.detach_sale(command), at(20), &mut effects);
    assert_eq!((plan.wanted(at(20)), goods.sale), (None, None));
    assert!(
        matches!(
            &effects[..],
            [
                Effect::Publish(Event::LimitedTimeActivitieStarted(_)),
                Effect::Publish(Event::LimitedTimeActivitieEnded(_)),
            ]
        ),
        "{effects:?}"
    );
}

#[test]
fn goods_that_do_not_want_a_sale_take_it_off_the_shelf() {
    let (mut plan, mut goods, mut effects) = (plan(), goods(1_000), Vec::new());
    goods.meta.as_mut().unwrap().price_cents = 700;
    plan.set_shelf(&shelf(true), at(0), &mut effects).unwrap();
    let wanted = plan.wanted(at(10)).unwrap();
    let Wanted::Attach(command) = &wanted else { panic!("{wanted:?}") };
    plan.settled(&wanted, goods.attach_sale(command, at(10)), at(10), &mut effects);
    assert_eq!(plan.trouble.as_ref().unwrap().reason, Reason::Invalid);
    assert!(!plan.shelf);
    assert_eq!(effects[2..], [Reminder::Start, Reminder::End].map(Effect::Forget));
    assert!(matches!(plan.wanted(at(11)), Some(Wanted::Detach(_))));
}

#[derive(Debug, Clone)]
enum Step {
    Shelf(bool),
    Update(u64),
    Delete,
    /// Asks the goods what is wanted; the answer may get lost.
    Settle(bool),
    Reserve(u32),
    Pass(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<bool>().prop_map(Step::Shelf),
        1 => (500_u64..1_000).prop_map(Step::Update),
        1 => Just(Step::Delete),
        8 => any::<bool>().prop_map(Step::Settle),
        4 => (1_u32..4).prop_map(Step::Reserve),
        4 => (0_i64..6).prop_map(Step::Pass),
    ]
}

/// A plan, its goods with the answers they remember, and what was told.
struct Shop {
    plan: FlashSale,
    goods: Goods,
    outcomes: Outcomes,
    told: Vec<Effect>,
    now: i64,
    orders: u32,
    at_sale: u32,
}

impl Shop {
    fn settle(&mut self, is_heard: bool) {
        let now = at(self.now);
        let Some(wanted) = self.plan.wanted(now) else { return };
        let goods = &mut self.goods;
        let answer = match &wanted {
            Wanted::Attach(command) => self
                .outcomes
                .once("AttachSale", &command.cmd_id, || goods.attach_sale(command, now)),
            Wanted::Detach(command) => {
                self.outcomes.once("DetachSale", &command.cmd_id, || goods.detach_sale(command))
            }
        };
        if is_heard {
            self.plan.settled(&wanted, answer.0, now, &mut self.told);
        }
    }

    fn run(&mut self, step: &Step) {
        let now = at(self.now);
        match *step {
            Step::Shelf(on) => drop(self.plan.set_shelf(&shelf(on), now, &mut self.told)),
            Step::Update(price_cents) => {
                let command = Update { price_cents: Some(price_cents), ..Update::default() };
                let _ = self.plan.update(&command, now);
            }
            Step::Delete => drop(self.plan.delete(now, &mut self.told)),
            Step::Settle(is_heard) => self.settle(is_heard),
            Step::Reserve(count) => {
                self.orders += 1;
                let command = Reserve {
                    order_id: format!("o{}", self.orders),
                    buyer_id: "ann".into(),
                    count,
                    expect_price_cents: None,
                    expires_at: None,
                };
                let (mut slot, mut bought) = (None, 0);
                self.goods.reserve(&mut slot, &mut bought, &command, now).unwrap();
                if slot.is_some_and(|known| known.activity_id.is_some()) {
                    assert!((10..20).contains(&self.now));
                    self.at_sale += count;
                }
            }
            Step::Pass(seconds) => self.now += seconds,
        }
    }
}

proptest! {
    #[test]
    fn a_quota_holds_though_the_sale_comes_and_goes(steps in prop::collection::vec(step(), 1..80)) {
        let mut shop = Shop {
            plan: plan(),
            goods: goods(1_000),
            outcomes: Outcomes::default(),
            told: Vec::new(),
            now: 0,
            orders: 0,
            at_sale: 0,
        };
        for step in steps {
            shop.run(&step);
            prop_assert!(shop.at_sale <= 4, "{} of 4 at the sale's price", shop.at_sale);
        }
        shop.now = shop.now.max(20);
        while shop.plan.wanted(at(shop.now)).is_some() {
            shop.settle(true);
        }
        prop_assert_eq!((&shop.goods.sale, shop.plan.attached), (&None, false));
        let mut is_running = false;
        for effect in &shop.told {
            match effect {
                Effect::Publish(Event::LimitedTimeActivitieStarted(_)) => {
                    prop_assert!(!std::mem::replace(&mut is_running, true));
                }
                Effect::Publish(Event::LimitedTimeActivitieEnded(_)) => {
                    prop_assert!(std::mem::replace(&mut is_running, false));
                }
                Effect::Remind(..) | Effect::Forget(_) => {}
                other => panic!("{other:?}"),
            }
        }
        prop_assert!(!is_running);
    }
}

#[test]
fn what_is_asked_of_the_goods_has_an_id_that_they_accept() {
    let long = "s".repeat(checks::ID_CHARS_MAX);
    let mut slot = None;
    FlashSale::create(&mut slot, &long, &create(), at(0)).unwrap();
    let mut plan = slot.unwrap();
    plan.rounds = u64::MAX;
    plan.set_shelf(&shelf(true), at(0), &mut Vec::new()).unwrap();
    let wanted = plan.wanted(at(10)).unwrap();
    let Wanted::Attach(command) = &wanted else { panic!("{wanted:?}") };
    checks::id("cmdId", &command.cmd_id).unwrap();
}
