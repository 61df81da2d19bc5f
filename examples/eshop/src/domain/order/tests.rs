//! What each phase takes, as a table; the ways that money can come at the wrong
//! time, and any events in any order.
//!
//! An event is a letter here, so that a way through an order's life is a word.

use proptest::prelude::*;

use super::delivery::{Deliver, Receive};
use super::payment::{Pay, PaymentResult, PaymentState, RefundDone};
use super::*;
use crate::domain::answer::{Reason, Refusal};

fn at(seconds: i64) -> Time {
    Time::from_millis((1_767_225_600 + seconds) * 1_000)
}

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
    Order::create(&mut slot, "o1", &create(), at(0)).unwrap();
    slot.unwrap()
}

/// What can happen to an order, by a letter each.
fn happen(order: &mut Order, event: char, now: Time) -> Option<Reason> {
    let cmd_id = String::new;
    let payment_id = order.payments.first().map(|one| one.payment_id.clone()).unwrap_or_default();
    let amount_cents = order.head.total_cents;
    let result = |paid| PaymentResult { payment_id: payment_id.clone(), amount_cents, paid };
    let done: Result<(), Refusal> = match event {
        'p' => order.pay(&Pay { request_id: "r1".into() }, now).map(drop),
        'q' => order.pay(&Pay { request_id: "r2".into() }, now).map(drop),
        '+' => order.payment_result(&result(true), now).map(drop),
        '-' => order.payment_result(&result(false), now).map(drop),
        'r' => order.refund_done(&RefundDone { payment_id }, now).map(drop),
        'c' => {
            let command = Cancel { cmd_id: cmd_id(), by: "Ann".into(), reason: "no".into() };
            order.cancel(&command, now).map(drop)
        }
        'd' => {
            let command = Deliver {
                by: "Clerk".into(),
                logistics_no: "SF1".into(),
                deliver_name: "Shop".into(),
                deliver_address: "Quay".into(),
                ..Deliver::default()
            };
            order.deliver(&command, now).map(drop)
        }
        'e' => order.receive(&Receive { by: "Ann".into(), ..Receive::default() }, now).map(drop),
        't' => {
            order.pay_timeout(now);
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
            assert_eq!(happen(&mut there, event, at(1)), None, "{way}");
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
    let placed = Order::create(&mut slot, "o1", &create(), at(0)).unwrap();
    assert_eq!((placed.total_cents, placed.pay_before), (2_800, at(300)));
    assert!(placed.order_no.starts_with("20260101000000"));
    assert_eq!(Order::create(&mut slot, "o1", &create(), at(9)), Ok(placed));
    let other = Create { user_id: "bob".into(), ..create() };
    let refused = Order::create(&mut slot, "o1", &other, at(0)).unwrap_err();
    assert_eq!(refused.reason, Reason::Conflict);
    let reject = Reject { reason: "sold out".into(), ..Reject::default() };
    let refused = Order::reject(&mut slot, "o1", &reject, at(0)).unwrap_err();
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
        let refused = Order::create(&mut slot, "o1", &command, at(0)).unwrap_err();
        assert_eq!((refused.reason, slot), (Reason::Invalid, None), "{command:?}");
    }
}

#[test]
fn a_refused_order_leaves_a_trace_and_stays_refused() {
    let mut slot = None;
    let reject =
        Reject { user_id: "ann".into(), user_name: "Ann Lee".into(), reason: "sold out".into() };
    let standing = Order::reject(&mut slot, "o1", &reject, at(0)).unwrap();
    assert_eq!(standing.phase, Phase::Refused);
    assert_eq!(Order::reject(&mut slot, "o1", &reject, at(1)), Ok(standing));
    let refused = Order::create(&mut slot, "o1", &create(), at(1)).unwrap_err();
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

#[test]
fn the_timeout_cancels_or_waits_for_the_bank() {
    let mut unpaid = order();
    assert_eq!(unpaid.pay_timeout(at(200)), Some(Duration::from_secs(100)));
    assert_eq!(unpaid.head.phase, Phase::Unpaid);
    assert_eq!(unpaid.pay_timeout(at(300)), None);
    assert_eq!(unpaid.head.phase, Phase::Cancelled);

    let mut paying = order();
    happen(&mut paying, 'p', at(1));
    for _ in 0..5 {
        assert_eq!(paying.pay_timeout(at(300)), Some(Duration::from_secs(60)));
        assert_eq!(paying.head.phase, Phase::Paying);
    }
    assert_eq!(paying.pay_timeout(at(600)), None);
    assert_eq!(paying.head.phase, Phase::Cancelled);
}

#[test]
fn the_bank_must_name_the_right_amount() {
    let mut order = order();
    let payment_id = order.pay(&Pay { request_id: "r1".into() }, at(1)).unwrap().payment_id;
    let result = PaymentResult { payment_id, amount_cents: 2_799, paid: true };
    assert_eq!(order.payment_result(&result, at(2)).unwrap_err().reason, Reason::Invalid);
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

proptest! {
    #[test]
    fn no_events_break_the_invariants(events in prop::collection::vec((prop::sample::select("pq+-rcdet".chars().collect::<Vec<_>>()), 0_i64..40), 1..60)) {
        let mut order = order();
        let mut now = 0;
        for (event, passed) in events {
            now += passed;
            let before = order.clone();
            let refused = happen(&mut order, event, at(now));
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
