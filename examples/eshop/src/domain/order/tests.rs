//! What each phase takes, as a table; the ways that money can come at the wrong
//! time, and any events in any order.
//!
//! An event is a letter here, so that a way through an order's life is a word.

use proptest::prelude::*;

use super::delivery::{Deliver, RECEIVED_WITHIN, Receive};
use super::payment::{Pay, PaymentResult, PaymentState, RefundDone};
use super::*;
use crate::domain::answer::{Reason, Refusal};
use crate::domain::effects::{Effect, Reminder};
use crate::domain::events::Event;
use crate::domain::samples::at;

fn create() -> Create {
    let line = |goods: &str, price_cents, count| Line {
        goods_id: goods.into(),
        goods_name: goods.into(),
        price_cents,
        count,
        ..Line::default()
    };
    Create {
        user_id: "ann".into(),
        user_name: "Ann Lee".into(),
        items: vec![line("pancake", 1_000, 1), line("porridge", 900, 2)],
        consignee: Consignee {
            name: "Ann Lee".into(),
            address: "7 Quay Street".into(),
            tel: "13000000000".into(),
        },
        pay_before: None,
    }
}

fn order() -> Order {
    let mut slot = None;
    Order::create(&mut slot, "o1", &create(), at(0), &mut Vec::new()).unwrap();
    slot.unwrap()
}

fn pay(request_id: &str) -> Pay {
    Pay { request_id: request_id.into(), card_tail: None }
}

/// What can happen to an order, by a letter each.
fn happen(order: &mut Order, event: char, now: Time) -> Option<Reason> {
    let mut effects = Vec::new();
    let refused = happen_with(order, event, now, &mut effects);
    assert!(effects.is_empty() || refused.is_none_or(|reason| reason == Reason::Expired));
    refused
}

/// The same, and what is to be done about it.
fn happen_with(
    order: &mut Order,
    event: char,
    now: Time,
    effects: &mut Vec<Effect>,
) -> Option<Reason> {
    let cmd_id = String::new;
    let payment_id = order.payments.first().map(|one| one.payment_id.clone()).unwrap_or_default();
    let amount_cents = order.head.total_cents;
    let result = |paid| PaymentResult { payment_id: payment_id.clone(), amount_cents, paid };
    let done: Result<(), Refusal> = match event {
        'p' => order.pay(&pay("r1"), now, effects).map(drop),
        'q' => order.pay(&pay("r2"), now, effects).map(drop),
        '+' => order.payment_result(&result(true), now, effects).map(drop),
        '-' => order.payment_result(&result(false), now, effects).map(drop),
        'r' => order.refund_done(&RefundDone { payment_id }, now, effects).map(drop),
        'c' => {
            let command = Cancel { cmd_id: cmd_id(), by: "Ann".into(), reason: "no".into() };
            order.cancel(&command, now, effects).map(drop)
        }
        'd' => {
            let command = Deliver {
                by: "Clerk".into(),
                logistics_no: "SF1".into(),
                deliver_name: "Shop".into(),
                deliver_address: "Quay".into(),
                ..Deliver::default()
            };
            order.deliver(&command, now, effects).map(drop)
        }
        'e' => {
            let command = Receive { by: "Ann".into(), ..Receive::default() };
            order.receive(&command, now, effects).map(drop)
        }
        't' => {
            order.pay_timeout(now, effects);
            Ok(())
        }
        'a' => {
            order.auto_receive(now, effects);
            Ok(())
        }
        other => panic!("no event {other}"),
    };
    done.err().map(|refusal| refusal.reason)
}

#[test]
fn each_phase_takes_only_its_own_events() {
    use Phase::*;
    // The way there, the phase, and what p q + - r c d e then say: the phase they lead
    // to, or the reason why not.
    const W: Result<Phase, Reason> = Err(Reason::WrongState);
    const N: Result<Phase, Reason> = Err(Reason::NotFound);
    const A: Result<Phase, Reason> = Err(Reason::AlreadyPaid);
    let conflict = Err(Reason::Conflict);
    let table = [
        ("", [Ok(Paying), Ok(Paying), N, N, N, Ok(Cancelled), W, W]),
        ("p", [Ok(Paying), conflict, Ok(Paid), Ok(Unpaid), W, W, W, W]),
        ("p-", [Ok(Unpaid), Ok(Paying), W, Ok(Unpaid), W, Ok(Cancelled), W, W]),
        ("p+", [Ok(Paid), A, Ok(Paid), W, W, Ok(Refunding), Ok(Shipped), W]),
        ("p+d", [Ok(Shipped), A, Ok(Shipped), W, W, W, W, Ok(Finished)]),
        ("p+de", [Ok(Finished), A, Ok(Finished), W, W, W, W, W]),
        ("c", [W, W, N, N, N, W, W, W]),
        ("p+c", [Ok(Refunding), W, Ok(Refunding), W, Ok(Refunded), W, W, W]),
        ("p+cr", [Ok(Refunded), W, Ok(Refunded), W, Ok(Refunded), W, W, W]),
        ("ptttttt", [Ok(Cancelled), W, Ok(RefundingLate), W, W, W, W, W]),
        ("ptttttt+", [Ok(RefundingLate), W, Ok(RefundingLate), W, Ok(Cancelled), W, W, W]),
    ];
    for (way, expected) in table {
        let mut there = order();
        for event in way.chars() {
            // A timeout comes when it is due; the other events at once.
            let overdue = i64::from(there.head.overdue);
            let now = if event == 't' { at(300 + 60 * overdue) } else { at(1) };
            assert_eq!(happen(&mut there, event, now), None, "{way}");
        }
        for (event, expected) in "pq+-rcde".chars().zip(expected) {
            let mut order = there.clone();
            let found = match happen(&mut order, event, at(2)) {
                None => Ok(order.head.phase),
                Some(reason) => Err(reason),
            };
            assert_eq!(found, expected, "{way} then {event}");
            if found.is_err() {
                assert_eq!(order, there, "{way} then {event}");
            }
        }
    }
}

#[test]
fn an_order_is_placed_once_and_checked() {
    let mut slot = None;
    let placed = Order::create(&mut slot, "o1", &create(), at(0), &mut Vec::new()).unwrap();
    assert_eq!((placed.total_cents, placed.pay_before), (2_800, at(300)));
    assert!(placed.order_no.starts_with("20260101000000"));
    assert_eq!(Order::create(&mut slot, "o1", &create(), at(9), &mut Vec::new()), Ok(placed));
    let other = Create { user_id: "bob".into(), ..create() };
    let refused = Order::create(&mut slot, "o1", &other, at(0), &mut Vec::new()).unwrap_err();
    assert_eq!(refused.reason, Reason::Conflict);
    let reject = Reject { reason: "sold out".into(), ..Reject::default() };
    let refused = Order::reject(&mut slot, "o1", &reject, at(0), &mut Vec::new()).unwrap_err();
    assert_eq!(refused.reason, Reason::WrongState);

    let line = create().items[0].clone();
    let with = |line: Line| Create { items: vec![line], ..create() };
    for command in [
        Create { items: Vec::new(), ..create() },
        Create { items: vec![line.clone(); 2], ..create() },
        with(Line { count: 0, ..line.clone() }),
        with(Line { count: 100, ..line.clone() }),
        with(Line { price_cents: 0, ..line }),
        Create { consignee: Consignee::default(), ..create() },
        Create { pay_before: Some(at(0)), ..create() },
    ] {
        let mut slot = None;
        let refused = Order::create(&mut slot, "o1", &command, at(0), &mut Vec::new()).unwrap_err();
        assert_eq!((refused.reason, slot), (Reason::Invalid, None), "{command:?}");
    }
}

#[test]
fn a_refused_order_leaves_a_trace_and_stays_refused() {
    let mut slot = None;
    let reject =
        Reject { user_id: "ann".into(), user_name: "Ann Lee".into(), reason: "sold out".into() };
    let standing = Order::reject(&mut slot, "o1", &reject, at(0), &mut Vec::new()).unwrap();
    assert_eq!(standing.phase, Phase::Refused);
    assert_eq!(Order::reject(&mut slot, "o1", &reject, at(1), &mut Vec::new()), Ok(standing));
    let refused = Order::create(&mut slot, "o1", &create(), at(1), &mut Vec::new()).unwrap_err();
    assert_eq!(refused.reason, Reason::WrongState);
    let log = &slot.unwrap().log;
    assert!(log[0].trade_log_value.ends_with(": sold out"), "{log:?}");
}

#[test]
fn who_pays_too_late_finds_the_order_cancelled() {
    let mut order = order();
    assert_eq!(happen(&mut order, 'p', at(300)), Some(Reason::Expired));
    assert_eq!((order.head.phase, order.payments.len()), (Phase::Cancelled, 0));

    let mut order = self::order();
    happen(&mut order, 'p', at(299));
    assert_eq!(happen(&mut order, '-', at(301)), None);
    assert_eq!(order.head.phase, Phase::Cancelled, "the time passed while the bank was asked");
}

/// What a timeout asks for, and the phase it leads to.
fn time_out(order: &mut Order, now: Time) -> (Phase, Option<Time>) {
    let mut effects = Vec::new();
    order.pay_timeout(now, &mut effects);
    let again = effects.iter().find_map(|effect| match effect {
        Effect::Remind(Reminder::PayTimeout, at) => Some(*at),
        _ => None,
    });
    (order.head.phase, again)
}

#[test]
fn the_timeout_cancels_or_waits_for_the_bank() {
    let mut unpaid = order();
    assert_eq!(time_out(&mut unpaid, at(200)), (Phase::Unpaid, Some(at(300))), "too early");
    assert_eq!(time_out(&mut unpaid, at(300)), (Phase::Cancelled, None));

    let mut paying = order();
    happen(&mut paying, 'p', at(1));
    for n in 0..5 {
        let (due, again) = (at(300 + 60 * n), at(360 + 60 * n));
        assert_eq!(time_out(&mut paying, due), (Phase::Paying, Some(again)));
        assert_eq!(time_out(&mut paying, due), (Phase::Paying, Some(again)), "it came twice");
    }
    assert_eq!(time_out(&mut paying, at(600)), (Phase::Cancelled, None));
}

#[test]
fn a_parcel_that_nobody_confirms_is_received_after_a_week() {
    let mut order = order();
    for event in "p+d".chars() {
        happen(&mut order, event, at(60));
    }
    let due = at(60).after(RECEIVED_WITHIN);
    let mut effects = Vec::new();
    order.auto_receive(due.before(Duration::from_secs(1)), &mut effects);
    assert_eq!(effects, [Effect::Remind(Reminder::AutoReceive, due)]);
    assert_eq!(order.head.phase, Phase::Shipped);
    order.auto_receive(due, &mut effects);
    assert_eq!(order.head.phase, Phase::Finished);
    assert!(order.log[3].trade_log_value.starts_with("system received order"));
}

#[test]
fn only_the_tail_of_a_card_is_taken() {
    for tail in ["4111111111111111", "12", "abcd", "１２３４"] {
        let mut order = order();
        let command = Pay { card_tail: Some(tail.into()), ..pay("r1") };
        let refused = order.pay(&command, at(1), &mut Vec::new()).unwrap_err();
        assert_eq!(refused.reason, Reason::Invalid);
        assert!(!refused.message.contains(tail), "{}", refused.message);
    }
}

#[test]
fn the_bank_must_name_the_right_amount() {
    let mut order = order();
    let payment_id = order.pay(&pay("r1"), at(1), &mut Vec::new()).unwrap().payment_id;
    let result = PaymentResult { payment_id, amount_cents: 2_799, paid: true };
    assert_eq!(
        order.payment_result(&result, at(2), &mut Vec::new()).unwrap_err().reason,
        Reason::Invalid
    );
    assert_eq!(order.head.phase, Phase::Paying);
}

#[test]
fn the_log_tells_who_did_what_to_which_order_when() {
    let mut order = order();
    for event in "p+de".chars() {
        happen(&mut order, event, at(60));
    }
    let no = &order.head.order_no;
    let log: Vec<_> = order.log.iter().map(|entry| entry.trade_log_value.clone()).collect();
    assert_eq!(
        log,
        [
            format!("Ann Lee placed order {no} at 2026-01-01T00:00:00Z"),
            format!("Ann Lee paid order {no} at 2026-01-01T00:01:00Z"),
            format!("Clerk shipped order {no} at 2026-01-01T00:01:00Z: parcel SF1 with SF"),
            format!("Ann received order {no} at 2026-01-01T00:01:00Z: parcel SF1"),
        ]
    );
}

#[test]
fn an_order_reads_back_as_it_was_written() {
    let mut order = order();
    for event in "p+cr".chars() {
        happen(&mut order, event, at(60));
    }
    let text = serde_json::to_string(&order).unwrap();
    assert_eq!(serde_json::from_str::<Order>(&text).unwrap(), order);
    assert!(text.contains(r#""state":-1,"phase":"refunded""#), "{text}");
}

/// Which phase may follow which: the whole order of phases.
fn may_follow(from: Phase, to: Phase) -> bool {
    use Phase::*;
    matches!(
        (from, to),
        (Unpaid, Paying | Cancelled)
            | (Paying, Paid | Unpaid | Cancelled)
            | (Paid, Shipped | Refunding)
            | (Shipped, Finished)
            | (Cancelled, RefundingLate)
            | (RefundingLate, Cancelled)
            | (Refunding, Refunded)
    )
}

/// What has been told and asked for since the order was placed.
#[derive(Debug, Default)]
struct Told {
    pay_timeout: Option<Time>,
    auto_receive: Option<Time>,
    version: u64,
    paid: u32,
    cancelled: u32,
    refunded: u32,
    payments: Vec<String>,
    refunds: Vec<String>,
}

impl Told {
    fn hear(&mut self, effect: &Effect) {
        match effect {
            Effect::Remind(Reminder::PayTimeout, at) => self.pay_timeout = Some(*at),
            Effect::Remind(Reminder::AutoReceive, at) => self.auto_receive = Some(*at),
            Effect::Forget(Reminder::PayTimeout) => self.pay_timeout = None,
            Effect::Forget(Reminder::AutoReceive) => self.auto_receive = None,
            Effect::Publish(Event::OrderStateChanged(step)) => {
                assert_eq!(step.version, self.version + 1, "each step is told once, in order");
                self.version = step.version;
            }
            Effect::Publish(Event::PayOrderSucc(_)) => self.paid += 1,
            Effect::Publish(Event::OrderCancelled(_)) => self.cancelled += 1,
            Effect::Publish(Event::OrderRefunded(_)) => self.refunded += 1,
            Effect::Publish(Event::PaymentRequested(asked)) => {
                self.payments.push(asked.payment_id.clone());
            }
            Effect::Publish(Event::RefundRequested(asked)) => {
                self.refunds.push(asked.payment_id.clone());
            }
            Effect::Publish(
                Event::CreateOrderSucc(_)
                | Event::LogisticsDeliverSucc(_)
                | Event::LogisticsReceiveSucc(_),
            ) => {}
            other => panic!("{other:?}"),
        }
    }

    /// What was asked for and told is what the order needs, no more.
    fn check(&self, order: &Order) {
        let phase = order.head.phase;
        let is_open = matches!(phase, Phase::Unpaid | Phase::Paying);
        assert_eq!(self.pay_timeout.is_some(), is_open, "{phase:?}");
        assert_eq!(self.auto_receive.is_some(), phase == Phase::Shipped);
        assert_eq!(self.version, order.head.version);
        let asked: Vec<_> = order.payments.iter().map(|one| one.payment_id.clone()).collect();
        assert_eq!(self.payments, asked, "each payment is asked for once");
        let back = |state| matches!(state, PaymentState::Refunding | PaymentState::Refunded);
        let back = order.payments.iter().filter(|one| back(one.state));
        assert_eq!(self.refunds, back.map(|one| one.payment_id.clone()).collect::<Vec<_>>());
        let is_cancelled = matches!(phase, Phase::Cancelled | Phase::RefundingLate);
        assert_eq!(self.cancelled, u32::from(is_cancelled));
        let was_paid = !is_open && !is_cancelled;
        assert_eq!(self.paid, u32::from(was_paid), "{phase:?}");
        assert_eq!(self.refunded, u32::from(phase == Phase::Refunded));
    }
}

proptest! {
    #[test]
    fn no_events_break_the_invariants(events in prop::collection::vec((prop::sample::select("pq+-rcdeat".chars().collect::<Vec<_>>()), 0_i64..40), 1..60)) {
        let (mut slot, mut told, mut effects) = (None, Told::default(), Vec::new());
        Order::create(&mut slot, "o1", &create(), at(0), &mut effects).unwrap();
        let mut order = slot.unwrap();
        let mut now = 0;
        for (event, passed) in events {
            now += passed;
            let before = order.clone();
            let refused = happen_with(&mut order, event, at(now), &mut effects);
            effects.drain(..).for_each(|effect| told.hear(&effect));
            told.check(&order);
            let (from, to) = (before.head.phase, order.head.phase);
            let steps = order.head.version - before.head.version;
            match steps {
                0 => prop_assert_eq!(from, to),
                1 => prop_assert!(may_follow(from, to), "{:?} to {:?}", from, to),
                // The bank said no after the time was over.
                _ => prop_assert_eq!((from, to, steps), (Phase::Paying, Phase::Cancelled, 2)),
            }
            if refused.is_some_and(|reason| reason != Reason::Expired) {
                prop_assert_eq!(&order, &before);
            }
            let quiet = u64::from(to == Phase::Paying && steps > 0);
            prop_assert_eq!((order.log.len() - before.log.len()) as u64, steps - quiet);
            let sum: u64 = order.items.iter().map(|line| line.price_cents * u64::from(line.count)).sum();
            prop_assert_eq!(order.head.total_cents, sum);
            let kept = order.payments.iter().filter(|one| one.state == PaymentState::Succeeded).count();
            let is_paid = matches!(to, Phase::Paid | Phase::Shipped | Phase::Finished);
            prop_assert_eq!(kept, usize::from(is_paid));
        }
    }
}
