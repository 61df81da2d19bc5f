//! The book against tables of what should happen, and against a map of what is stored; with it
//! the sheets in which that is kept, and how they are read.

use std::collections::BTreeMap;
use std::ops::Bound;

use odeon_runtime::schedule::ReminderSpec;
use odeon_runtime::{ActorRef, Change};
use proptest::prelude::*;

use super::super::name::{LAST_SHEET, from_place, is_sheet, sheet_before};
use super::super::sheet::{Sheet, exchange};
use super::*;

/// Keys and values, as a store has them.
#[derive(Debug, Default)]
struct Store(BTreeMap<String, Bytes>);

impl Store {
    /// Sheets in the store, each as it is said to be by those who read it.
    fn sheet_of(&self, name: &Name) -> (Arc<str>, Option<Sheet>) {
        let behind = (Bound::Excluded(sheet_before(name)), Bound::Unbounded);
        match self.0.range(behind).find(|(key, _)| is_sheet(key)) {
            Some((key, value)) => (key.as_str().into(), Some(Sheet::decode(value).unwrap())),
            None => (LAST_SHEET.into(), None),
        }
    }

    fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Set { name, value, .. } => drop(self.0.insert(name.to_string(), value)),
                Change::Remove { name, .. } => drop(self.0.remove(&*name).expect("it was there")),
            }
        }
    }

    /// As a turn writes it.
    fn write(&mut self, book: &mut Book, name: &Name, row: Option<&Row>) {
        let (key, before) = self.sheet_of(name);
        let mut after = before.clone().unwrap_or_default();
        match row {
            Some(row) => drop(after.entries.insert(name.clone(), Stored::new(row))),
            None => drop(after.entries.remove(name)),
        }
        let mut changes = Vec::new();
        let written = exchange(&key, before.as_ref(), after, book.loaded_to(), &mut changes);
        self.apply(changes);
        book.wrote([name], &written);
    }

    /// As a turn reads on, so many at once.
    fn read_on(&mut self, book: &mut Book, now: Timestamp, limit: usize) {
        let Some(mut reading) = book.reading(now) else { return };
        reading.limit = limit;
        reading.ahead.truncate(limit);
        let after = reading.after().unwrap_or_default();
        let behind = (Bound::Excluded(after), Bound::Unbounded);
        let all = self.0.range(behind).filter_map(|(key, _)| from_place(key));
        let mut places: Vec<_> = all.map(|(time, sheet)| (time, Arc::from(sheet))).collect();
        let has_more = places.len() > limit;
        places.truncate(limit);
        let (reached, mut changes) = (reading.reached(places, has_more), Vec::new());
        let mut written = Vec::new();
        for (key, place) in &reached.sheets {
            let sheet = Sheet::decode(&self.0[&**key]).unwrap();
            assert!(place.is_none_or(|place| place == sheet.placed()));
            let (before, to) = (sheet.clone(), reached.loaded_to);
            written.extend(exchange(key, Some(&before), sheet, to, &mut changes));
        }
        self.apply(changes);
        assert_eq!(book.read(&reached, &written), []);
    }

    /// Each name lies in the sheet in which it is looked for, and each sheet has one place.
    fn check(&self) {
        let mut places: BTreeMap<&str, u64> = BTreeMap::new();
        for (time, sheet) in self.0.keys().filter_map(|key| from_place(key)) {
            assert!(places.insert(sheet, time).is_none(), "{sheet} has two places");
        }
        for (key, value) in self.0.iter().filter(|(key, _)| is_sheet(key)) {
            let sheet = Sheet::decode(value).unwrap();
            assert_eq!(places.remove(&**key), Some(sheet.placed()));
            assert!(sheet.placed() <= sheet.earliest() && !sheet.entries.is_empty());
            for name in sheet.entries.keys() {
                assert_eq!(&*self.sheet_of(name).0, key);
            }
        }
        assert!(places.is_empty(), "{places:?} are nobody's");
    }
}

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

fn book(window_ms: u64, loaded_max: usize, deliveries_max: usize) -> (Book, Store) {
    let window = Duration::from_millis(window_ms);
    let mut book = Book::new(Limits { window, loaded_max, deliveries_max });
    let mut store = Store::default();
    store.read_on(&mut book, at(0), SHEETS_AT_ONCE);
    (book, store)
}

fn put(kept: &mut (Book, Store), of: &Name, generation: u64, due_ms: i64, period: &str) {
    let (row, _) = reminder(generation, due_ms, period);
    kept.1.write(&mut kept.0, of, Some(&row));
}

fn remove(kept: &mut (Book, Store), of: &Name) {
    kept.1.write(&mut kept.0, of, None);
}

fn fires((book, _): &mut (Book, Store), now: i64) -> Vec<(Name, u64, u32)> {
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
    assert_eq!(book.0.next(), Some(1_000));
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
    remove(&mut book, &one);
    book.0.landed(&one, at(60));
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
    book.0.returned(&one, 1, at(40), |_| Duration::ZERO);
    let (row, plan) = reminder(2, 20, "1s");
    let older = reminder(1, 10, "1s").0.at;
    assert_eq!(row.after(&plan, (1, &older), Outcome::Done, None, at(40)), Err(Stale));
    book.0.landed(&one, at(50));
    assert_eq!(fires(&mut book, 50), [(one, 2, 1)]);
}

#[test]
fn rem_6_what_was_not_delivered_uses_up_no_attempt() {
    let mut book = book(60_000, 100, 100);
    let one = name("a", "1");
    put(&mut book, &one, 1, 10, "");
    for (now, waited) in [(10, 100), (110, 200), (310, 400)] {
        let due = book.0.due(at(now));
        assert!(matches!(&due[..], [Due::Fire(firing)] if firing.at.failures == 0), "{due:?}");
        book.0.returned(&one, 1, at(now), |n| Duration::from_millis(100 << n));
        book.0.landed(&one, at(now));
        assert_eq!(book.0.next(), Some(u64::try_from(now + waited).unwrap()));
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
    assert_eq!(book.0.len(), 1);
    assert!(!book.0.wants(at(29_999)));
    assert!(book.0.wants(at(30_000)));
    let reading = book.0.reading(at(30_000)).unwrap();
    assert_eq!((reading.position.clone(), reading.until), (Some((60_000, None)), 90_000));
    // Both lie in one sheet, whose place is behind the position.
    assert_eq!(reading.ahead, [(60_001, LAST_SHEET.into())]);
    book.1.read_on(&mut book.0, at(30_000), 100);
    assert_eq!((book.0.len(), book.0.wants(at(30_000))), (2, false));
}

#[test]
fn rem_12_too_many_for_memory_are_read_again_in_time() {
    let mut book = book(60_000, 10, 100);
    for n in 0..21 {
        put(&mut book, &name("a", &format!("{n:02}")), 1, 1_000 + n, "");
    }
    assert_eq!(book.0.len(), 10);
    assert_eq!(book.0.loaded_to(), 1_009);
    put(&mut book, &name("a", "30"), 1, 1_010, "");
    assert_eq!(book.0.len(), 10);
    assert!(!book.0.wants(at(0)), "there is no room");
    for n in 0..5 {
        remove(&mut book, &name("a", &format!("{n:02}")));
    }
    assert!(book.0.wants(at(0)), "there is");
    book.1.read_on(&mut book.0, at(0), 100);
    assert_eq!((book.0.len(), book.0.loaded_to()), (17, 60_000));
}

#[test]
fn rem_13_one_that_hangs_holds_up_no_other_actor() {
    let mut book = book(60_000, 100, 2);
    for id in ["a", "b", "c"] {
        put(&mut book, &name(id, "1"), 1, 10, "");
    }
    assert_eq!(fires(&mut book, 10).len(), 2);
    assert_eq!(book.0.next(), Some(30_000), "when to read on");
    remove(&mut book, &name("a", "1"));
    book.0.landed(&name("a", "1"), at(20));
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
        3 => (0..3_u8, 0..20_u8, 0..50_000_i64, any::<bool>())
            .prop_map(|(id, n, due, repeats)| Event::Put(id, n, due, repeats)),
        1 => (0..3_u8, 0..20_u8).prop_map(|(id, n)| Event::Remove(id, n)),
        3 => (0..20_000_i64).prop_map(Event::Pass),
        3 => (any::<prop::sample::Index>(), 0..4_u8).prop_map(|(which, how)| Event::Land(which, how)),
    ]
}

proptest! {
    // Against a map of what is stored: what is due is found, once, and nothing else.
    #[test]
    fn rem_1_all_that_is_due_is_delivered(events in proptest::collection::vec(event(), 1..160)) {
        let (mut book, mut store) = book(10_000, 5, 3);
        let mut stored: HashMap<Name, (Row, ReminderPlan)> = HashMap::new();
        let mut flying: Vec<Firing> = Vec::new();
        let (mut now, mut generation) = (0, 0);
        let settle = |book: &mut Book, store: &mut Store,
                          stored: &mut HashMap<Name, (Row, ReminderPlan)>,
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
                            store.write(book, &firing.name, None);
                        }
                        Ok(Some(row)) => {
                            stored.insert(firing.name.clone(), (row.clone(), plan.clone()));
                            store.write(book, &firing.name, Some(&row));
                        }
                    }
                }
            }
            book.landed(&firing.name, at(now));
        };
        let step = |book: &mut Book, store: &mut Store,
                    stored: &HashMap<Name, (Row, ReminderPlan)>,
                        flying: &mut Vec<Firing>, now: i64| {
            for _ in 0..100 {
                store.read_on(book, at(now), 2);
            }
            assert!(!book.wants(at(now)), "it reads for ever");
            store.check();
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
                    store.write(&mut book, &of, Some(&row));
                    stored.insert(of, (row, plan));
                }
                Event::Remove(id, n) => {
                    let of = name(&format!("{id}"), &format!("{n}"));
                    stored.remove(&of);
                    store.write(&mut book, &of, None);
                }
                Event::Pass(by) => now += by,
                Event::Land(which, how) => {
                    if !flying.is_empty() {
                        let firing = flying.swap_remove(which.index(flying.len()));
                        settle(&mut book, &mut store, &mut stored, firing, how, now);
                    }
                }
            }
            step(&mut book, &mut store, &stored, &mut flying, now);
        }
        // In the end each that is stored fires.
        let mut left: HashSet<Name> = stored.keys().cloned().collect();
        for _ in 0..400 {
            while let Some(firing) = flying.pop() {
                left.remove(&firing.name);
                settle(&mut book, &mut store, &mut stored, firing, 3, now);
            }
            left.retain(|name| stored.contains_key(name));
            if left.is_empty() {
                break;
            }
            now += 1_000;
            step(&mut book, &mut store, &stored, &mut flying, now);
        }
        prop_assert!(left.is_empty(), "{left:?} never fired");
    }
}
