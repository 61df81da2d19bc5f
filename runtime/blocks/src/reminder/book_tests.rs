//! The book against tables of what should happen, and against a map of what is stored.

use odeon_runtime::ActorRef;
use odeon_runtime::schedule::ReminderSpec;
use proptest::prelude::*;

use super::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

fn name(id: &str, name: &str) -> Name {
    Name::new(&ActorRef::parse("Order", id).unwrap(), name).unwrap()
}

fn reminder(generation: u64, due_ms: i64, period: &str) -> (Row, ReminderPlan) {
    let spec = ReminderSpec {
        due_time: format!("{due_ms}ms"),
        period: period.to_owned(),
        ..ReminderSpec::default()
    };
    let plan = ReminderPlan::new(&spec, at(0)).unwrap();
    let begun = plan.begin().unwrap();
    let (error, data) = (None, Bytes::from_static(b"{}"));
    let row =
        Row { generation, registered: 0, at: begun, delivered: 0, lost: 0, spec, error, data };
    (row, plan)
}

fn book(window_ms: u64, loaded_max: usize, deliveries_max: usize) -> Book {
    let window = Duration::from_millis(window_ms);
    let mut book = Book::new(Limits { window, loaded_max, deliveries_max });
    book.read(Vec::new(), (window_ms, None));
    book
}

fn put(book: &mut Book, of: &Name, generation: u64, due_ms: i64, period: &str) {
    let (row, plan) = reminder(generation, due_ms, period);
    book.put(of.clone(), row, plan);
}

fn fires(book: &mut Book, now: i64) -> Vec<(Name, u64, u32)> {
    let due = book.due(at(now)).into_iter();
    due.map(|due| match due {
        Due::Fire(firing) => (firing.name, firing.generation, firing.at.tick),
        Due::Over(name, generation) => (name, generation, 0),
    })
    .collect()
}

#[test]
fn rem_1_fires_in_order_of_time_and_never_early() {
    let mut book = book(60_000, 100, 100);
    put(&mut book, &name("b", "x"), 1, 2_000, "");
    put(&mut book, &name("a", "x"), 2, 1_000, "");
    assert_eq!(book.next(), Some(1_000));
    assert_eq!(fires(&mut book, 999), []);
    assert_eq!(fires(&mut book, 2_000), [(name("a", "x"), 2, 1), (name("b", "x"), 1, 1)]);
    assert_eq!(fires(&mut book, 9_000), [], "both are under way");
}

#[test]
fn rem_1_an_actor_has_one_delivery_at_a_time() {
    let mut book = book(60_000, 100, 100);
    let (one, two, other) = (name("a", "1"), name("a", "2"), name("b", "1"));
    put(&mut book, &one, 1, 10, "");
    put(&mut book, &two, 2, 20, "");
    put(&mut book, &other, 3, 30, "");
    assert_eq!(fires(&mut book, 50), [(one.clone(), 1, 1), (other, 3, 1)]);
    book.remove(&one);
    book.landed(&one, at(60));
    assert_eq!(fires(&mut book, 60), [(two, 2, 1)]);
}

#[test]
fn rem_5_what_is_overwritten_waits_for_the_older_delivery() {
    let mut book = book(60_000, 100, 100);
    let one = name("a", "1");
    put(&mut book, &one, 1, 10, "1s");
    assert_eq!(fires(&mut book, 10), [(one.clone(), 1, 1)]);
    put(&mut book, &one, 2, 20, "1s");
    assert_eq!(fires(&mut book, 30), []);
    // The older one cannot put it back, nor advance it.
    book.returned(&one, 1, at(40), |_| Duration::ZERO);
    let (row, plan) = (book.row(&one).unwrap().clone(), reminder(2, 20, "1s").1);
    let older = reminder(1, 10, "1s").0.at;
    assert_eq!(row.after(&plan, (1, &older), Outcome::Done, None, at(40)), Err(Stale));
    book.landed(&one, at(50));
    assert_eq!(fires(&mut book, 50), [(one, 2, 1)]);
}

#[test]
fn rem_6_what_was_not_delivered_uses_up_no_attempt() {
    let mut book = book(60_000, 100, 100);
    let one = name("a", "1");
    put(&mut book, &one, 1, 10, "");
    for (now, waited) in [(10, 100), (110, 200), (310, 400)] {
        let due = book.due(at(now));
        assert!(matches!(&due[..], [Due::Fire(firing)] if firing.at.failures == 0), "{due:?}");
        book.returned(&one, 1, at(now), |n| Duration::from_millis(100 << n));
        book.landed(&one, at(now));
        assert_eq!(book.next(), Some(u64::try_from(now + waited).unwrap()));
    }
}

#[test]
fn rem_5_an_acknowledgement_counts_once() {
    let (row, plan) = reminder(7, 10, "1s");
    let first = row.at;
    let after = |row: &Row, generation, at_: &Progress, outcome| {
        row.after(&plan, (generation, at_), outcome, Some("no"), at(20))
    };
    let second = after(&row, 7, &first, Outcome::Done).unwrap().unwrap();
    assert_eq!((second.at.tick, second.delivered), (2, 1));
    assert_eq!(after(&second, 7, &first, Outcome::Done), Err(Stale));
    assert_eq!(after(&row, 8, &first, Outcome::Done), Err(Stale));
    let failed = after(&row, 7, &first, Outcome::Failed).unwrap().unwrap();
    assert_eq!((failed.at.tick, failed.at.failures, failed.lost), (1, 1, 0));
    assert_eq!(failed.error.as_deref(), Some("no"));
    assert_eq!(after(&failed, 7, &first, Outcome::Failed), Err(Stale));
    assert_eq!(after(&row, 7, &first, Outcome::Cancelled), Ok(None));
}

#[test]
fn rem_12_what_is_far_ahead_is_not_in_memory() {
    let mut book = book(60_000, 100, 100);
    put(&mut book, &name("a", "1"), 1, 60_000, "");
    put(&mut book, &name("a", "2"), 1, 60_001, "");
    assert_eq!(book.len(), 1);
    assert!(!book.wants(at(29_999)));
    assert!(book.wants(at(30_000)));
    assert_eq!(book.read_to(), Some("d/000000000000ea600".to_owned()));
    assert_eq!(book.read_until(at(30_000)), 90_000);
    let (row, plan) = reminder(1, 60_001, "");
    book.read(vec![(name("a", "2"), row, plan)], (90_000, None));
    assert_eq!((book.len(), book.wants(at(30_000))), (2, false));
}

#[test]
fn rem_12_too_many_for_memory_are_read_again_in_time() {
    let mut book = book(60_000, 10, 100);
    for n in 0..21 {
        put(&mut book, &name("a", &format!("{n:02}")), 1, 1_000 + n, "");
    }
    assert_eq!(book.len(), 10);
    assert_eq!(book.read_to(), Some("d/00000000000003f10".to_owned()), "1009 ms");
    put(&mut book, &name("a", "30"), 1, 1_010, "");
    assert_eq!(book.len(), 10);
    assert!(!book.wants(at(0)), "there is no room");
}

#[test]
fn rem_13_one_that_hangs_holds_up_no_other_actor() {
    let mut book = book(60_000, 100, 2);
    for id in ["a", "b", "c"] {
        put(&mut book, &name(id, "1"), 1, 10, "");
    }
    assert_eq!(fires(&mut book, 10).len(), 2);
    assert_eq!(book.next(), Some(30_000), "when to read on");
    book.remove(&name("a", "1"));
    book.landed(&name("a", "1"), at(20));
    assert_eq!(fires(&mut book, 20), [(name("c", "1"), 1, 1)]);
}

#[derive(Debug, Clone)]
enum Event {
    Put(u8, u8, i64, bool),
    Remove(u8, u8),
    Pass(i64),
    Land(prop::sample::Index, u8),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0..3_u8, 0..4_u8, 0..50_000_i64, any::<bool>())
            .prop_map(|(id, n, due, repeats)| Event::Put(id, n, due, repeats)),
        1 => (0..3_u8, 0..4_u8).prop_map(|(id, n)| Event::Remove(id, n)),
        3 => (0..20_000_i64).prop_map(Event::Pass),
        3 => (any::<prop::sample::Index>(), 0..4_u8).prop_map(|(which, how)| Event::Land(which, how)),
    ]
}

proptest! {
    // Against a map of what is stored: what is due is found, once, and nothing else.
    #[test]
    fn rem_1_all_that_is_due_is_delivered(events in proptest::collection::vec(event(), 1..80)) {
        let mut book = book(10_000, 5, 3);
        let mut stored: HashMap<Name, (Row, ReminderPlan)> = HashMap::new();
        let mut flying: Vec<Firing> = Vec::new();
        let (mut now, mut generation) = (0, 0);
        let settle = |book: &mut Book, stored: &mut HashMap<Name, (Row, ReminderPlan)>,
                          firing: Firing, how: u8, now: i64| {
            let outcome = match how {
                0 => None,
                1 => Some(Outcome::Failed),
                2 => Some(Outcome::Cancelled),
                _ => Some(Outcome::Done),
            };
            match (outcome, stored.get(&firing.name).cloned()) {
                (None, _) => book.returned(
                    &firing.name, firing.generation, at(now), |_| Duration::from_millis(5),
                ),
                (Some(_), None) => {}
                (Some(outcome), Some((row, plan))) => {
                    let shown = (firing.generation, &firing.at);
                    match row.after(&plan, shown, outcome, None, at(now)) {
                        Err(Stale) => {}
                        Ok(None) => {
                            stored.remove(&firing.name);
                            book.remove(&firing.name);
                        }
                        Ok(Some(row)) => {
                            stored.insert(firing.name.clone(), (row.clone(), plan.clone()));
                            book.put(firing.name.clone(), row, plan);
                        }
                    }
                }
            }
            book.landed(&firing.name, at(now));
        };
        let step = |book: &mut Book, stored: &HashMap<Name, (Row, ReminderPlan)>,
                        flying: &mut Vec<Firing>, now: i64| {
            while book.wants(at(now)) {
                let (after, until) = (book.read_to(), book.read_until(at(now)));
                let mut rows: Vec<_> = stored
                    .iter()
                    .map(|(name, (row, plan))| (row.next(), name.clone(), row, plan))
                    .filter(|(next, name, ..)| after.as_ref().is_none_or(|to| name.order(*next) > *to))
                    .filter(|(next, ..)| *next <= until)
                    .collect();
                rows.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
                let is_page = rows.len() > 2;
                rows.truncate(2);
                let last = rows.last().map(|(next, name, ..)| (*next, Some(name.clone())));
                let horizon = last.filter(|_| is_page).unwrap_or((until, None));
                let rows = rows.into_iter().map(|(_, name, row, plan)| (name, row.clone(), plan.clone()));
                book.read(rows.collect(), horizon);
            }
            for due in book.due(at(now)) {
                let Due::Fire(firing) = due else { panic!("none has an end") };
                assert!(firing.at.next() <= at(now));
                assert!(!flying.iter().any(|other| other.name.actor() == firing.name.actor()));
                assert_eq!(stored[&firing.name].0.generation, firing.generation);
                flying.push(firing);
            }
        };
        for event in events {
            match event {
                Event::Put(id, n, due, repeats) => {
                    generation += 1;
                    let of = name(&format!("{id}"), &format!("{n}"));
                    let period = if repeats { "3s" } else { "" };
                    let (row, plan) = reminder(generation, now + due, period);
                    stored.insert(of.clone(), (row.clone(), plan.clone()));
                    book.put(of, row, plan);
                }
                Event::Remove(id, n) => {
                    let of = name(&format!("{id}"), &format!("{n}"));
                    stored.remove(&of);
                    book.remove(&of);
                }
                Event::Pass(by) => now += by,
                Event::Land(which, how) => {
                    if !flying.is_empty() {
                        let firing = flying.swap_remove(which.index(flying.len()));
                        settle(&mut book, &mut stored, firing, how, now);
                    }
                }
            }
            step(&mut book, &stored, &mut flying, now);
        }
        // In the end each that is stored fires.
        let mut left: HashSet<Name> = stored.keys().cloned().collect();
        for _ in 0..400 {
            while let Some(firing) = flying.pop() {
                left.remove(&firing.name);
                settle(&mut book, &mut stored, firing, 3, now);
            }
            left.retain(|name| stored.contains_key(name));
            if left.is_empty() {
                break;
            }
            now += 1_000;
            step(&mut book, &stored, &mut flying, now);
        }
        prop_assert!(left.is_empty(), "{left:?} never fired");
    }
}
