//! Everybody whom a checkout deals with, in one place: baskets, goods, orders and the
//! bank, with a network between them that loses, repeats and delays, and a checkout that
//! may forget what it did since its state was last stored.
//!
//! The reminder that looks after units held for too long is not fired: nothing here may
//! depend on it.

use std::collections::BTreeMap;

use super::commands::{Command, Reply, Start};
use super::{LineStatus, Outcome, Saga, Step};
use crate::domain::answer::Refusal;
use crate::domain::bank::{Deed, DeedState};
use crate::domain::basket::{Basket, Receipt};
use crate::domain::checkout::{ABORT, COMPLETE, Checkout};
use crate::domain::effects::{Effect, Reminder};
use crate::domain::events::Event;
use crate::domain::goods::Goods;
use crate::domain::handlers::{Call, calls};
use crate::domain::ids;
use crate::domain::order::payment::{Pay, PaymentState};
use crate::domain::order::{Cancel, Order, Phase};
use crate::domain::outcomes::Outcomes;
use crate::domain::reservation::commands::Reserved;
use crate::domain::reservation::{Reservation, State};
use crate::domain::sale::Sale;
use crate::domain::samples;
use crate::domain::time::Time;

/// What the network does with a question and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// The question never arrives.
    Lost,
    /// The answer never arrives.
    Mute,
    /// The question arrives some time later.
    Late,
    /// The question arrives again some time later.
    Twice,
    /// The question arrives, and whoever asked dies without having stored anything.
    Crash,
}

/// Goods and what their actor keeps beside them.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) goods: Goods,
    pub(super) slots: BTreeMap<String, Reservation>,
    bought: BTreeMap<String, u32>,
    pub(super) brought: i64,
}

/// A basket and what its actor keeps beside it.
#[derive(Debug, Default)]
pub(super) struct Cart {
    pub(super) basket: Basket,
    pub(super) checkout: Option<Checkout>,
    outcomes: Outcomes,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) seconds: i64,
    pub(super) shelves: BTreeMap<String, Shelf>,
    pub(super) carts: BTreeMap<String, Cart>,
    pub(super) orders: BTreeMap<String, Order>,
    pub(super) deeds: BTreeMap<String, Deed>,
    pub(super) sagas: BTreeMap<String, Saga>,
    /// Calls that events have led to and that are not made yet.
    pub(super) outbox: Vec<Call>,
    /// Questions that arrive some time, by the order that they are about.
    pub(super) late: Vec<(String, Command)>,
    pub(super) reminders: BTreeMap<(Reminder, String), Time>,
}

impl Shelf {
    pub(super) fn new(goods_id: &str, on_hand: u32, sale: Option<Sale>) -> Self {
        let goods = Goods { sale, ..samples::named(goods_id, goods_id, on_hand) };
        Self { goods, slots: BTreeMap::new(), bought: BTreeMap::new(), brought: i64::from(on_hand) }
    }

    fn settle(
        &mut self,
        order_id: &str,
        buyer_id: &str,
        run: impl FnOnce(&mut Goods, &mut Option<Reservation>, &mut u32) -> Result<Reserved, Refusal>,
    ) -> Result<Reserved, Refusal> {
        let mut slot = self.slots.remove(order_id);
        let buyer = slot.as_ref().map_or(buyer_id, |known| &known.buyer_id).to_owned();
        let bought = self.bought.entry(buyer).or_default();
        let answer = run(&mut self.goods, &mut slot, bought);
        self.slots.extend(slot.map(|slot| (order_id.to_owned(), slot)));
        answer
    }

    pub(super) fn count(&self, is_it: impl Fn(State) -> bool) -> u32 {
        self.slots.values().filter(|one| is_it(one.state)).map(|one| one.count).sum()
    }
}

impl Cart {
    fn end(
        &mut self,
        method: &str,
        order_id: &str,
        run: impl FnOnce(&mut Basket, &mut Option<Checkout>) -> Result<Receipt, Refusal>,
    ) -> Result<Receipt, Refusal> {
        let (basket, checkout) = (&mut self.basket, &mut self.checkout);
        self.outcomes.once(method, order_id, || run(basket, checkout)).0
    }
}

/// What somebody answers, as whoever asked sees it.
fn reply<T>(answer: Result<T, Refusal>, yes: impl FnOnce(T) -> Reply) -> Reply {
    answer.map_or_else(Reply::Refused, yes)
}

impl World {
    pub(super) fn new(shelves: impl IntoIterator<Item = Shelf>) -> Self {
        let named = |shelf: Shelf| (shelf.goods.meta.as_ref().unwrap().goods_id.clone(), shelf);
        Self {
            seconds: 0,
            shelves: shelves.into_iter().map(named).collect(),
            carts: BTreeMap::new(),
            orders: BTreeMap::new(),
            deeds: BTreeMap::new(),
            sagas: BTreeMap::new(),
            outbox: Vec::new(),
            late: Vec::new(),
            reminders: BTreeMap::new(),
        }
    }

    pub(super) fn now(&self) -> Time {
        Time::from_millis((1_767_225_600 + self.seconds) * 1_000)
    }

    /// Effects that were stored with the state of whoever has this id.
    fn hear(&mut self, id: &str, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Remind(reminder, at) => {
                    self.reminders.insert((reminder, id.to_owned()), at);
                }
                Effect::Forget(reminder) => {
                    self.reminders.remove(&(reminder, id.to_owned()));
                }
                Effect::Publish(event) => {
                    assert!(!matches!(event, Event::StockHoldExpired(_)));
                    self.outbox.extend(calls(&event));
                }
            }
        }
    }

    pub(super) fn start(&mut self, command: &Start) -> Result<String, Refusal> {
        let order_id = ids::order(&command.buyer_id, &command.request_id);
        let (mut slot, mut effects) = (self.sagas.remove(&order_id), Vec::new());
        let started = Saga::start(&mut slot, &order_id, command, self.now(), &mut effects);
        self.sagas.extend(slot.map(|saga| (order_id.clone(), saga)));
        self.hear(&order_id, effects);
        started.map(|standing| standing.order_id)
    }

    /// One turn of a checkout.
    pub(super) fn drive(&mut self, order_id: &str, faults: &[Fault]) {
        let Some(mut saga) = self.sagas.get(order_id).cloned() else { return };
        let (now, mut effects, mut faults) = (self.now(), Vec::new(), faults.iter());
        loop {
            let (step, commands) = (saga.step, saga.next());
            let mut is_stuck = commands.is_empty() || step == Step::Begin;
            for command in commands {
                let fault = faults.next().copied().unwrap_or(Fault::None);
                if matches!(fault, Fault::Late | Fault::Twice) {
                    self.late.push((order_id.to_owned(), command.clone()));
                }
                let reply = match fault {
                    Fault::Lost | Fault::Late => Reply::Unknown,
                    Fault::None | Fault::Twice | Fault::Mute | Fault::Crash => {
                        self.answer(order_id, &command)
                    }
                };
                let reply = match fault {
                    Fault::Crash => return,
                    Fault::Mute => Reply::Unknown,
                    Fault::None | Fault::Lost | Fault::Late | Fault::Twice => reply,
                };
                is_stuck |= matches!(reply, Reply::Unknown);
                saga.take(&command, reply, now, &mut effects);
            }
            if is_stuck {
                break;
            }
        }
        self.sagas.insert(order_id.to_owned(), saga);
        self.hear(order_id, effects);
    }

    /// A question of a checkout arrives.
    fn answer(&mut self, order_id: &str, command: &Command) -> Reply {
        let now = self.now();
        match command {
            Command::Begin(buyer, begin) => {
                let cart = self.carts.entry(buyer.clone()).or_default();
                let Cart { basket, checkout, outcomes } = cart;
                let begun = basket.begin_checkout(checkout, outcomes, buyer, begin, now);
                reply(begun, Reply::Begun)
            }
            Command::Complete(buyer, end) => {
                let cart = self.carts.entry(buyer.clone()).or_default();
                let ended = cart.end(COMPLETE, &end.order_id, |basket, slot| {
                    basket.complete_checkout(slot, end, now)
                });
                reply(ended, |_| Reply::Done)
            }
            Command::Abort(buyer, end) => {
                let cart = self.carts.entry(buyer.clone()).or_default();
                let ended =
                    cart.end(ABORT, &end.order_id, |basket, slot| basket.abort_checkout(slot, end));
                reply(ended, |_| Reply::Done)
            }
            Command::Reserve(goods_id, command) => {
                let reserved = self.shelf(goods_id).settle(
                    &command.order_id,
                    &command.buyer_id,
                    |goods, slot, bought| goods.reserve(slot, bought, command, now),
                );
                reply(reserved, Reply::Reserved)
            }
            Command::Release(goods_id, order) => {
                reply(self.release(goods_id, &order.order_id), |_| Reply::Done)
            }
            Command::Create(command) => self.order(order_id, |slot, effects| {
                reply(Order::create(slot, order_id, command, now, effects), Reply::Placed)
            }),
            Command::Reject(command) => self.order(order_id, |slot, effects| {
                reply(Order::reject(slot, order_id, command, now, effects), |_| Reply::Done)
            }),
        }
    }

    /// One of the late questions arrives; nobody hears the answer.
    pub(super) fn arrive(&mut self, at: usize) {
        if !self.late.is_empty() {
            let (order_id, command) = self.late.swap_remove(at % self.late.len());
            let _ = self.answer(&order_id, &command);
        }
    }

    /// One of the calls is made; perhaps not for the last time.
    pub(super) fn call(&mut self, at: usize, is_last: bool) {
        if self.outbox.is_empty() {
            return;
        }
        let at = at % self.outbox.len();
        let call = if is_last { self.outbox.swap_remove(at) } else { self.outbox[at].clone() };
        let now = self.now();
        match call {
            Call::Commit(goods_id, order) => {
                let committed =
                    self.shelf(&goods_id).settle(&order.order_id, "", |goods, slot, _| {
                        goods.commit(slot, &order.order_id, now)
                    });
                assert!(committed.is_ok(), "what was paid can be had: {committed:?}");
            }
            Call::Release(goods_id, order) => {
                let released = self.release(&goods_id, &order.order_id);
                assert!(released.is_ok(), "what was cancelled is not sold: {released:?}");
            }
            Call::Return(goods_id, order) => {
                // The commit may be still on its way; then this is tried again.
                let returned =
                    self.shelf(&goods_id).settle(&order.order_id, "", |goods, slot, _| {
                        goods.take_back(slot, &order.order_id, now)
                    });
                if returned.is_err() && is_last {
                    self.outbox.push(Call::Return(goods_id, order));
                }
            }
            Call::Extend(..) | Call::HoldExpired(..) => {
                panic!("nobody looks after units held for too long")
            }
            // Lists are only to be looked at, and no goods are ever gone.
            Call::ListGoods(..)
            | Call::ListSale(..)
            | Call::LeaveCategory(..)
            | Call::FreeName(..)
            | Call::ListOrder(..)
            | Call::FollowOrder(..) => {}
            Call::Charge(payment_id, command) => {
                let (mut slot, mut effects) = (self.deeds.remove(&payment_id), Vec::new());
                Deed::charge(&mut slot, &payment_id, &command, 1_000_000, now, &mut effects)
                    .unwrap();
                self.deeds.extend(slot.map(|deed| (payment_id.clone(), deed)));
                self.hear(&payment_id, effects);
            }
            Call::Refund(payment_id, command) => {
                let mut effects = Vec::new();
                self.deeds.get_mut(&payment_id).unwrap().refund(&command, &mut effects).unwrap();
                self.hear(&payment_id, effects);
            }
            Call::PaymentResult(order_id, result) => self.order(&order_id, |slot, effects| {
                let _ = slot.as_mut().unwrap().payment_result(&result, now, effects);
            }),
            Call::RefundDone(order_id, done) => self.order(&order_id, |slot, effects| {
                slot.as_mut().unwrap().refund_done(&done, now, effects).unwrap();
            }),
        }
    }

    pub(super) fn pay(&mut self, order_id: &str, request: &str, tail: Option<&str>) {
        let (now, card_tail) = (self.now(), tail.map(str::to_owned));
        let command = Pay { request_id: request.into(), card_tail };
        self.order(order_id, |slot, effects| {
            let _ = slot.as_mut().map(|order| order.pay(&command, now, effects));
        });
    }

    pub(super) fn cancel(&mut self, order_id: &str) {
        let now = self.now();
        let command = Cancel { cmd_id: "c".into(), by: "Ann".into(), reason: "no".into() };
        self.order(order_id, |slot, effects| {
            let _ = slot.as_mut().map(|order| order.cancel(&command, now, effects));
        });
    }

    /// A reminder fires that is due; perhaps not for the last time.
    pub(super) fn remind(&mut self, at: usize, is_last: bool) {
        let now = self.now();
        let due: Vec<_> = self
            .reminders
            .iter()
            .filter(|((reminder, _), due)| *reminder != Reminder::Holds && **due <= now)
            .map(|(key, _)| key.clone())
            .collect();
        let Some((reminder, id)) = due.get(at % due.len().max(1)).cloned() else { return };
        // That of a checkout comes again and again.
        if is_last && reminder != Reminder::Drive {
            self.reminders.remove(&(reminder, id.clone()));
        }
        let mut effects = Vec::new();
        match reminder {
            Reminder::Drive => self.drive(&id, &[]),
            Reminder::PayTimeout => self.order(&id, |slot, effects| {
                slot.as_mut().unwrap().pay_timeout(now, effects);
            }),
            Reminder::Answer => self.deeds.get_mut(&id).unwrap().answer(now, &mut effects),
            other => panic!("{other:?}"),
        }
        self.hear(&id, effects);
    }

    fn shelf(&mut self, goods_id: &str) -> &mut Shelf {
        let none = || Shelf {
            goods: Goods::default(),
            slots: BTreeMap::new(),
            bought: BTreeMap::new(),
            brought: 0,
        };
        self.shelves.entry(goods_id.to_owned()).or_insert_with(none)
    }

    fn release(&mut self, goods_id: &str, order_id: &str) -> Result<Reserved, Refusal> {
        let now = self.now();
        self.shelf(goods_id)
            .settle(order_id, "", |goods, slot, bought| goods.release(slot, bought, order_id, now))
    }

    /// A turn of an order; it may not come back from its end.
    fn order<T>(
        &mut self,
        order_id: &str,
        run: impl FnOnce(&mut Option<Order>, &mut Vec<Effect>) -> T,
    ) -> T {
        let (mut slot, mut effects) = (self.orders.remove(order_id), Vec::new());
        let before = slot.as_ref().map(|order| order.head.phase);
        let done = run(&mut slot, &mut effects);
        let after = slot.as_ref().map(|order| order.head.phase);
        if before.is_some_and(|phase| phase.state() == -1) {
            assert_eq!(after.map(Phase::state), Some(-1), "{before:?} was revived: {after:?}");
        }
        self.orders.extend(slot.map(|order| (order_id.to_owned(), order)));
        self.hear(order_id, effects);
        done
    }

    /// The network is whole again: everything that was on its way arrives, and every
    /// checkout is driven to its end.
    pub(super) fn settle(&mut self) {
        for _ in 0..100 {
            let open = |saga: &&Saga| saga.step != Step::Done;
            let open: Vec<_> =
                self.sagas.values().filter(open).map(|one| one.order_id.clone()).collect();
            if open.is_empty() && self.late.is_empty() && self.outbox.is_empty() {
                return;
            }
            open.iter().for_each(|order_id| self.drive(order_id, &[]));
            while !self.late.is_empty() {
                self.arrive(0);
            }
            for at in (0..self.outbox.len()).rev() {
                self.call(at, true);
            }
        }
        panic!("it does not come to an end: {self:#?}");
    }

    /// Time passes until nobody waits for anything.
    pub(super) fn run_out(&mut self) {
        for _ in 0..100 {
            self.settle();
            self.check_quiet();
            let next = self.reminders.iter().filter(|((one, _), _)| *one != Reminder::Holds);
            let Some(next) = next.map(|(_, at)| *at).min() else { return };
            self.seconds += i64::try_from(next.since(self.now()).as_secs()).unwrap();
            self.remind(0, true);
        }
        panic!("time does not run out: {self:#?}");
    }

    /// What is true after every turn.
    pub(super) fn check(&self) {
        for shelf in self.shelves.values() {
            let stock = &shelf.goods.stock;
            assert!(stock.held <= stock.on_hand, "{stock:?}");
            assert_eq!(stock.held, shelf.count(|state| state == State::Held));
            let sold = shelf.count(|state| state == State::Committed);
            assert_eq!(shelf.brought, i64::from(stock.on_hand) + i64::from(sold));
            assert!(shelf.goods.sale.as_ref().is_none_or(|sale| sale.sold <= sale.quota));
        }
        for order in self.orders.values() {
            let paid = |state| state == PaymentState::Succeeded;
            let paid = order.payments.iter().filter(|one| paid(one.state)).count();
            assert!(paid <= 1, "{order:?}");
        }
    }

    /// What is true once nothing is on its way: every checkout has ended, no unit is
    /// held but for an order that can be paid, and none is sold but to one that was.
    pub(super) fn check_quiet(&self) {
        self.check();
        for (order_id, saga) in &self.sagas {
            let phase = self.orders.get(order_id).map(|order| order.head.phase);
            match saga.result {
                Some(Outcome::Created) => {
                    assert!(phase.is_some_and(|phase| phase != Phase::Refused), "{saga:?}");
                }
                Some(Outcome::Refused) => {
                    assert!(matches!(phase, None | Some(Phase::Refused)), "{phase:?} {saga:?}");
                    assert!(saga.refusal.is_some(), "{saga:?}");
                    let is_over = |status| status != LineStatus::Reserved;
                    assert!(saga.lines.iter().all(|line| is_over(line.status)), "{saga:?}");
                }
                None => panic!("{saga:?}"),
            }
            self.check_units(order_id, phase);
            self.check_money(order_id, phase);
        }
        for cart in self.carts.values() {
            assert_eq!(cart.checkout, None);
        }
    }

    fn check_units(&self, order_id: &str, phase: Option<Phase>) {
        let expected = match phase {
            Some(Phase::Unpaid | Phase::Paying) => State::Held,
            Some(Phase::Paid | Phase::Shipped | Phase::Finished | Phase::Refunding) => {
                State::Committed
            }
            Some(Phase::Refunded) => State::Returned,
            None | Some(Phase::Cancelled | Phase::RefundingLate | Phase::Refused) => {
                State::Released
            }
        };
        let lines = self.orders.get(order_id).map_or(&[][..], |order| &order.items);
        for shelf in self.shelves.values() {
            let goods_id = shelf.goods.meta.as_ref().map(|meta| &meta.goods_id);
            let line = lines.iter().find(|line| Some(&line.goods_id) == goods_id);
            match (shelf.slots.get(order_id), line) {
                (Some(known), Some(line)) => {
                    assert_eq!(known.state, expected, "{goods_id:?} of {order_id}: {phase:?}");
                    assert_eq!(
                        (known.count, known.unit_price_cents),
                        (line.count, line.price_cents)
                    );
                }
                (Some(known), None) => {
                    let is_free = matches!(known.state, State::Released | State::Refused);
                    assert!(is_free, "{goods_id:?} of {order_id}: {known:?}");
                }
                (None, Some(_)) => panic!("{order_id} has {goods_id:?} that it never reserved"),
                (None, None) => {}
            }
        }
    }

    fn check_money(&self, order_id: &str, phase: Option<Phase>) {
        let of_order = self.deeds.values().filter(|deed| deed.order_id == *order_id);
        let taken = of_order.filter(|deed| deed.state == DeedState::Taken).count();
        let is_paid = matches!(phase, Some(Phase::Paid | Phase::Shipped | Phase::Finished));
        assert_eq!(taken, usize::from(is_paid), "{order_id} is {phase:?}");
    }
}
