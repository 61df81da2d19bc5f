//! Reminders over the engine: durable, on time, one at a time, wherever their partition is.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::clock::TokioClock;
use odeon_base::{ActorId, ActorType, WallClock};
use odeon_blocks::reminder::Reminders;
use odeon_blocks::reminder::actor::{partition_of, type_of};
use odeon_blocks::reminder::forms::{Listing, PolicyForm, Registration};
use odeon_blocks::reminder::name::LAST_SHEET;
use odeon_blocks::reminder::sheet::Sheet;
use odeon_runtime::config::{TypeConfig, TypeSpec};
use odeon_runtime::error::{AppFailure, Error};
use odeon_runtime::metrics::ReminderMetrics;
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::store::{ActorScope, Condition, Expiry, Key, Op, StateStore, Transaction};
use odeon_runtime::{ActorRef, Caller, Compat, Reply, Turn, TurnKind};
use odeon_test_engine::store::Fate;
use odeon_test_engine::world::{COMPONENT, until};
use odeon_test_engine::{Host, Kind, World};
use serde_json::value::RawValue;
use tokio::time::sleep;

const TYPE: &str = "Order";
const PARTITIONS: u32 = 4;

/// The calendar of all hosts, which a test can set.
#[derive(Debug)]
struct Wall(TokioClock, AtomicI64);

impl Wall {
    fn start() -> Arc<Self> {
        Arc::new(Self(TokioClock::start(), AtomicI64::new(0)))
    }

    fn set_by(&self, seconds: i64) {
        self.1.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl WallClock for Wall {
    fn now(&self) -> SystemTime {
        let offset = Duration::from_secs(self.1.load(Ordering::SeqCst).unsigned_abs());
        let now = WallClock::now(&self.0);
        if self.1.load(Ordering::SeqCst) < 0 { now - offset } else { now + offset }
    }
}

/// A delivery as the actor saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    /// `id/name`.
    who: String,
    /// Milliseconds after the test began.
    at: u128,
    tick: String,
    attempt: String,
    missed: String,
    scheduled: String,
    body: String,
}

/// Actors that see their reminders, and do what a reminder's name says.
#[derive(Debug, Clone)]
struct Orders {
    seen: Arc<Mutex<Vec<Seen>>>,
    began: tokio::time::Instant,
}

impl Orders {
    fn new() -> Self {
        Self { seen: Arc::default(), began: tokio::time::Instant::now() }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When the reminder of this `id/name` came, in milliseconds.
    fn times(&self, who: &str) -> Vec<u128> {
        self.seen().into_iter().filter(|seen| seen.who == who).map(|seen| seen.at).collect()
    }

    async fn host(&self, host: &Host) {
        let spec = TypeSpec {
            actor_type: ActorType::parse(TYPE).unwrap(),
            config: TypeConfig::default(),
            behaviour: Arc::new(self.clone()),
        };
        host.engine.offer(vec![spec]).await.unwrap();
    }
}

impl Behaviour for Orders {
    fn activate<'a>(&'a self, _: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>> {
        async { Ok(Instance::Shared(Arc::new(()))) }.boxed()
    }

    fn invoke<'a>(
        &'a self,
        _: &'a mut Instance,
        turn: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, Error>> {
        async move {
            assert_eq!(call.kind, TurnKind::Reminder);
            let header = |name| call.headers.get(name).unwrap_or_default().to_owned();
            let seen = Seen {
                who: format!("{}/{}", turn.actor().id, call.method),
                at: self.began.elapsed().as_millis(),
                tick: header("odeon-reminder-tick"),
                attempt: header("odeon-reminder-attempt"),
                missed: header("odeon-reminder-missed"),
                scheduled: header("odeon-reminder-scheduled"),
                body: String::from_utf8(call.body.to_vec()).unwrap(),
            };
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
            match &*call.method {
                "fail" => Err(Error::App(AppFailure { message: "as asked".to_owned() })),
                "last" => Ok(Reply { is_last: true, ..Reply::default() }),
                "hang" => std::future::pending().await,
                _ => Ok(Reply::default()),
            }
        }
        .boxed()
    }

    fn is_shared(&self) -> bool {
        false
    }
}

fn asked(id: &str, name: &str, due_time: &str, period: &str) -> Registration {
    let [id, name, due_time, period] = [id, name, due_time, period].map(str::to_owned);
    Registration { r#type: TYPE.to_owned(), id, name, due_time, period, ..Registration::default() }
}

async fn register(reminders: &Reminders, asked: Registration) -> bool {
    reminders.register(asked, Caller::default()).await.unwrap()
}

fn order(id: &str) -> ActorRef {
    ActorRef::parse(TYPE, id).unwrap()
}

/// A world with one host that has orders and their reminders.
async fn one_host() -> (World, Host, Orders, Reminders, Arc<Wall>) {
    let world = World::of_neighbours(Kind::Placed);
    let (wall, orders) = (Wall::start(), Orders::new());
    let host = world.bare_host("a:1");
    orders.host(&host).await;
    let reminders = host.offer_reminders(PARTITIONS, Arc::<Wall>::clone(&wall)).await;
    (world, host, orders, reminders, wall)
}

/// A world with one host that goes by Dapr's ways.
fn a_host_of_dapr_s_ways() -> (World, Host, Orders, Arc<Wall>) {
    let world = World::of_neighbours(Kind::Placed);
    let clock = Arc::new(TokioClock::start());
    let host = world.host_with("a:1", clock, |config| config.compat = Compat::Dapr);
    (world, host, Orders::new(), Wall::start())
}

/// Waits until the order has no reminder of this name.
async fn until_gone(reminders: &Reminders, name: &str) {
    while reminders.get(&order("1"), name, Caller::default()).await.unwrap().is_some() {
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rem_1_a_reminder_fires_on_time_with_what_it_carries() {
    let (_world, _host, orders, reminders, _) = one_host().await;
    let begun = orders.began.elapsed().as_millis();
    let data = RawValue::from_string(r#"{"a":1}"#.to_owned()).unwrap();
    let pay = Registration { data: Some(data), ..asked("1", "pay", "5s", "") };
    assert!(register(&reminders, pay).await);
    sleep(Duration::from_secs(20)).await;
    let [seen] = &orders.seen()[..] else { panic!("not once: {:?}", orders.seen()) };
    assert!((5_000..5_010).contains(&(seen.at - begun)), "{} after {begun}", seen.at);
    assert_eq!((&*seen.who, &*seen.body), ("1/pay", r#"{"a":1}"#));
    assert_eq!((&*seen.tick, &*seen.attempt, &*seen.missed), ("1", "1", "0"));
    assert!(seen.scheduled.starts_with("2001-09-09T01:46:"), "{}", seen.scheduled);
    assert!(reminders.get(&order("1"), "pay", Caller::default()).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn rem_3_one_that_repeats_keeps_to_its_grid() {
    let (_world, _host, orders, reminders, _) = one_host().await;
    let begun = orders.began.elapsed().as_millis();
    register(&reminders, asked("1", "poll", "", "2s")).await;
    register(&reminders, asked("1", "twice", "1s", "R2/PT90S")).await;
    sleep(Duration::from_secs(200)).await;
    let polls = orders.times("1/poll");
    assert_eq!(polls.len(), 99 + usize::from(polls.len() == 100));
    for (n, at) in (1_u128..).zip(&polls) {
        assert!((n * 2_000..n * 2_000 + 20).contains(&(at - begun)), "{n}: {at} after {begun}");
    }
    assert_eq!(orders.times("1/twice").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn rem_5_one_of_the_same_name_takes_its_place_or_is_refused() {
    let (_world, _host, orders, reminders, _) = one_host().await;
    assert!(register(&reminders, asked("1", "pay", "5s", "")).await);
    let second = Registration { overwrite: false, ..asked("1", "pay", "1s", "") };
    assert!(!register(&reminders, second).await);
    assert!(register(&reminders, asked("1", "pay", "1h", "")).await);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(orders.seen(), [], "the first was replaced, and the second refused");
    let found = reminders.get(&order("1"), "pay", Caller::default()).await.unwrap().unwrap();
    assert_eq!((&*found.due_time, &*found.period, found.tick), ("1h", "", 1));
    reminders.delete(&order("1"), "pay", Caller::default()).await.unwrap();
    reminders.delete(&order("1"), "pay", Caller::default()).await.unwrap();
    assert!(reminders.get(&order("1"), "pay", Caller::default()).await.unwrap().is_none());
    sleep(Duration::from_secs(7_200)).await;
    assert_eq!(orders.seen(), []);
}

#[tokio::test(start_paused = true)]
async fn rem_6_a_failed_tick_is_tried_three_times_more_and_the_schedule_goes_on() {
    let (_world, host, orders, reminders, _) = one_host().await;
    register(&reminders, asked("1", "fail", "1s", "R2/PT60S")).await;
    sleep(Duration::from_secs(30)).await;
    let attempts = |orders: &Orders| {
        orders
            .seen()
            .iter()
            .map(|seen| (seen.tick.clone(), seen.attempt.clone()))
            .collect::<Vec<_>>()
    };
    let four = |tick: &str| {
        ["1", "2", "3", "4"].map(|attempt| (tick.to_owned(), attempt.to_owned())).to_vec()
    };
    assert_eq!(attempts(&orders), four("1"));
    let found = reminders.get(&order("1"), "fail", Caller::default()).await.unwrap().unwrap();
    assert_eq!((found.tick, found.lost, found.failures), (2, 1, 0));
    assert!(found.last_error.unwrap().contains("as asked"));
    let dropped =
        Registration { failure_policy: Some(PolicyForm::Drop {}), ..asked("2", "fail", "1s", "") };
    register(&reminders, dropped).await;
    sleep(Duration::from_secs(120)).await;
    assert_eq!(orders.times("2/fail").len(), 1);
    assert_eq!(orders.times("1/fail").len(), 8);
    assert!(reminders.get(&order("1"), "fail", Caller::default()).await.unwrap().is_none());
    register(&reminders, asked("3", "pay", "1s", "")).await;
    sleep(Duration::from_secs(10)).await;
    let counted = ReminderMetrics { delivered: 1, failed: 9, lost: 3 };
    assert_eq!(host.engine.reminded().snapshot(), counted);
}

#[tokio::test(start_paused = true)]
async fn rem_6_what_nobody_can_take_waits_without_an_attempt() {
    let world = World::of_neighbours(Kind::Placed);
    let (wall, orders) = (Wall::start(), Orders::new());
    let host = world.bare_host("a:1");
    let reminders = host.offer_reminders(PARTITIONS, wall).await;
    register(&reminders, asked("1", "pay", "1s", "")).await;
    sleep(Duration::from_secs(100)).await;
    orders.host(&host).await;
    sleep(Duration::from_secs(10)).await;
    let [seen] = &orders.seen()[..] else { panic!("not once: {:?}", orders.seen()) };
    assert_eq!((&*seen.tick, &*seen.attempt), ("1", "1"));
}

#[tokio::test(start_paused = true)]
async fn rem_8_cancelled_by_its_callback_it_fires_no_more() {
    let (_world, _host, orders, reminders, _) = one_host().await;
    register(&reminders, asked("1", "last", "", "1s")).await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(orders.times("1/last").len(), 1);
    assert!(reminders.get(&order("1"), "last", Caller::default()).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn under_dapr_s_ways_a_callback_cannot_cancel_its_reminder() {
    let (_world, host, orders, wall) = a_host_of_dapr_s_ways();
    orders.host(&host).await;
    let reminders = host.offer_reminders(PARTITIONS, wall).await;
    register(&reminders, asked("1", "last", "", "R4/PT1S")).await;
    until("all have come", || orders.times("1/last").len() == 4).await;
    until_gone(&reminders, "last").await;
}

#[tokio::test(start_paused = true)]
async fn under_dapr_s_ways_all_ticks_of_a_time_without_hosts_come() {
    let (world, host, orders, wall) = a_host_of_dapr_s_ways();
    orders.host(&host).await;
    let reminders = host.offer_reminders(PARTITIONS, Arc::<Wall>::clone(&wall)).await;
    let refused = reminders.register(asked("1", "daily", "", "@daily"), Caller::default()).await;
    let Err(Error::Arguments(refused)) = refused else { panic!("{refused:?}") };
    assert_eq!(refused, "unsupported period format: @daily");
    register(&reminders, asked("1", "poll", "", "1s")).await;
    sleep(Duration::from_millis(5_500)).await;
    host.kill().await;
    sleep(Duration::from_secs(60)).await;
    // What it was registered with counts, whoever delivers it.
    let host = world.bare_host("b:1");
    orders.host(&host).await;
    let _reminders = host.offer_reminders(PARTITIONS, wall).await;
    until("they are back", || orders.times("1/poll").len() >= 65).await;
    let ticks: Vec<_> = orders.seen().into_iter().map(|seen| (seen.tick, seen.missed)).collect();
    let all = (1..=ticks.len()).map(|tick| (tick.to_string(), "0".to_owned()));
    assert_eq!(ticks, all.collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn rem_10_and_14_whole_types_and_ids_are_listed_and_deleted() {
    let (_world, _host, _orders, reminders, _) = one_host().await;
    for id in ["a", "ab", "a||b", "c"] {
        for name in ["x", "y"] {
            register(&reminders, asked(id, name, "1h", "")).await;
        }
    }
    let line = Registration { r#type: "OrderLine".to_owned(), ..asked("a", "x", "1h", "") };
    register(&reminders, line).await;
    let list = async |id: Option<&str>, limit| {
        let mut listing =
            Listing { r#type: TYPE.to_owned(), id: id.map(str::to_owned), after: None, limit };
        let mut all = Vec::new();
        loop {
            let page = reminders.list(&listing, Caller::default()).await.unwrap();
            assert!(page.reminders.len() <= limit);
            all.extend(page.reminders.into_iter().map(|one| format!("{}/{}", one.id, one.name)));
            match page.next {
                Some(next) => listing.after = Some(next),
                None => break,
            }
        }
        all.sort();
        all
    };
    let eight = ["a/x", "a/y", "ab/x", "ab/y", "a||b/x", "a||b/y", "c/x", "c/y"];
    assert_eq!(list(None, 3).await, eight);
    assert_eq!(list(None, 1_000).await, eight);
    assert_eq!(list(Some("a"), 1).await, ["a/x", "a/y"]);
    let order = ActorType::parse(TYPE).unwrap();
    let deleted = reminders.delete_all(&order, Some("a"), Caller::default()).await;
    assert_eq!(deleted.unwrap(), 2);
    assert_eq!(list(None, 1_000).await, eight[2..]);
    assert_eq!(reminders.delete_all(&order, None, Caller::default()).await.unwrap(), 6);
    assert_eq!(list(None, 1_000).await, [""; 0]);
    let lines = Listing { r#type: "OrderLine".to_owned(), ..Listing::default() };
    assert_eq!(reminders.list(&lines, Caller::default()).await.unwrap().reminders.len(), 1);
}

/// Where a partition keeps what it has.
fn scope_of(id: &str) -> ActorScope {
    let partition = partition_of(&ActorId::parse(id).unwrap(), PARTITIONS);
    let app = odeon_base::AppId::parse("app").unwrap();
    ActorScope {
        prefix: "app".into(),
        actor_type: type_of(&app, COMPONENT).unwrap().as_str().into(),
        actor_id: partition.to_string().into(),
    }
}

#[tokio::test(start_paused = true)]
async fn rem_13_a_row_that_cannot_be_read_stops_no_other() {
    let (world, host, orders, reminders, wall) = one_host().await;
    let scope = scope_of("1");
    register(&reminders, asked("1", "pay", "600s", "")).await;
    register(&reminders, asked("1", "torn", "600s", "")).await;
    host.kill().await;
    let key = Key::Actor(scope.clone(), LAST_SHEET.into());
    let mut sheet = Sheet::decode(&world.store.get(&key).await.unwrap().unwrap().value).unwrap();
    for (name, entry) in &mut sheet.entries {
        if name.parts().2 == "torn" {
            entry.row = "torn".into();
        }
    }
    by_hand(&world, key, sheet.encode()).await;
    let host = world.bare_host("b:1");
    orders.host(&host).await;
    let reminders = host.offer_reminders(PARTITIONS, wall).await;
    sleep(Duration::from_secs(700)).await;
    assert_eq!(orders.times("1/pay").len(), 1);
    let listing = Listing { r#type: TYPE.to_owned(), ..Listing::default() };
    let page = reminders.list(&listing, Caller::default()).await.unwrap();
    let [torn] = &page.reminders[..] else { panic!("{page:?}") };
    assert!(torn.malformed.is_some() && torn.name == "torn", "{torn:?}");
    // It can be replaced, and deleted.
    register(&reminders, asked("1", "torn", "1s", "")).await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(orders.times("1/torn").len(), 1);
}

// REM-11: with another number they would lie elsewhere, and never fire.
#[tokio::test(start_paused = true)]
async fn a_host_with_another_number_of_partitions_is_refused_and_loses_nothing() {
    let (world, host, orders, reminders, wall) = one_host().await;
    register(&reminders, asked("1", "pay", "600s", "")).await;
    host.kill().await;
    let other = world.bare_host("b:1");
    orders.host(&other).await;
    let reminders = other.offer_reminders(2 * PARTITIONS, Arc::<Wall>::clone(&wall)).await;
    let refused = reminders.register(asked("2", "pay", "1s", ""), Caller::default()).await;
    let error = refused.unwrap_err().to_string();
    let (ours, theirs) = (PARTITIONS.to_string(), (2 * PARTITIONS).to_string());
    assert!(error.contains(&ours) && error.contains(&theirs), "{error}");
    sleep(Duration::from_secs(700)).await;
    assert_eq!(orders.times("1/pay").len(), 0);
    other.kill().await;
    let host = world.bare_host("c:1");
    orders.host(&host).await;
    let _reminders = host.offer_reminders(PARTITIONS, wall).await;
    until("it fires late", || orders.times("1/pay").len() == 1).await;
}

/// Writes a value past all fences.
async fn by_hand(world: &World, key: Key, value: impl Into<Bytes>) {
    let (condition, expiry) = (Condition::None, Expiry::Never);
    let ops = vec![Op::Upsert { key, value: value.into(), condition, expiry }];
    world.store.transact(Transaction { fence: None, ops }).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn rem_13_a_sheet_that_cannot_be_read_is_set_aside() {
    let (world, host, orders, reminders, wall) = one_host().await;
    let scope = scope_of("1");
    register(&reminders, asked("1", "pay", "600s", "")).await;
    host.kill().await;
    by_hand(&world, Key::Actor(scope.clone(), LAST_SHEET.into()), "torn").await;
    let host = world.bare_host("b:1");
    orders.host(&host).await;
    let reminders = host.offer_reminders(PARTITIONS, wall).await;
    let listing = Listing { r#type: TYPE.to_owned(), ..Listing::default() };
    let page = reminders.list(&listing, Caller::default()).await.unwrap();
    assert_eq!(page.reminders.len(), 0);
    sleep(Duration::from_secs(700)).await;
    register(&reminders, asked("1", "poll", "5s", "")).await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!((orders.times("1/pay").len(), orders.times("1/poll").len()), (0, 1));
    let aside = world.store.text(&scope, &format!("torn/{LAST_SHEET}"));
    assert_eq!(aside.as_deref(), Some("torn"), "it is there to be looked at");
}

#[tokio::test(start_paused = true)]
async fn rem_13_one_that_hangs_stops_no_other() {
    let (_world, _host, orders, reminders, _) = one_host().await;
    register(&reminders, asked("1", "hang", "1s", "1s")).await;
    register(&reminders, asked("2", "poll", "", "R20/PT1S")).await;
    sleep(Duration::from_secs(30)).await;
    assert_eq!(orders.times("1/hang").len(), 1, "it never overlaps itself");
    assert_eq!(orders.times("2/poll").len(), 20);
}

#[tokio::test(start_paused = true)]
async fn rem_12_whoever_has_the_partition_next_delivers_without_being_called() {
    let world = World::of_neighbours(Kind::Placed);
    let (wall, orders) = (Wall::start(), Orders::new());
    let mut hosts = Vec::new();
    for name in ["a:1", "b:1"] {
        let host = world.bare_host(name);
        orders.host(&host).await;
        let reminders = host.offer_reminders(PARTITIONS, Arc::<Wall>::clone(&wall)).await;
        hosts.push((host, reminders));
    }
    for n in 0..20 {
        register(&hosts[0].1, asked(&n.to_string(), "pay", "30s", "")).await;
        register(&hosts[1].1, asked(&n.to_string(), "poll", "", "10s")).await;
    }
    sleep(Duration::from_secs(5)).await;
    let (first, _) = hosts.remove(0);
    first.kill().await;
    sleep(Duration::from_secs(31)).await;
    for n in 0..20 {
        assert_eq!(orders.times(&format!("{n}/pay")).len(), 1, "{n}");
        assert_eq!(orders.times(&format!("{n}/poll")).len(), 3, "{n}");
    }
}

#[tokio::test(start_paused = true)]
async fn rem_7_after_a_time_without_hosts_one_late_tick_goes_before_the_grid() {
    let (world, host, orders, reminders, wall) = one_host().await;
    register(&reminders, asked("1", "poll", "", "1s")).await;
    register(&reminders, asked("1", "three", "", "R3/PT20S")).await;
    sleep(Duration::from_millis(5_500)).await;
    let before = orders.times("1/poll").len();
    host.kill().await;
    sleep(Duration::from_secs(60)).await;
    let host = world.bare_host("b:1");
    orders.host(&host).await;
    let _reminders = host.offer_reminders(PARTITIONS, wall).await;
    until("it is back", || orders.times("1/three").len() == 3).await;
    sleep(Duration::from_millis(3_000)).await;
    let seen = orders.seen();
    let polls: Vec<_> = seen.iter().filter(|seen| seen.who == "1/poll").skip(before).collect();
    let missed: u32 = polls[0].missed.parse().unwrap();
    assert!((58..75).contains(&missed), "{missed}");
    assert_eq!(polls[0].tick, (u32::try_from(before).unwrap() + missed + 1).to_string());
    assert!(polls[1..].iter().all(|poll| poll.missed == "0"));
    assert!((3..6).contains(&polls.len()), "{}", polls.len());
    let ticks: Vec<_> =
        seen.iter().filter(|seen| seen.who == "1/three").map(|seen| &*seen.tick).collect();
    assert_eq!(ticks, ["1", "2", "3"], "all of what is counted");
}

#[tokio::test(start_paused = true)]
async fn rem_15_a_clock_that_is_set_repeats_nothing_and_catches_up() {
    let (_world, _host, orders, reminders, wall) = one_host().await;
    register(&reminders, asked("1", "poll", "", "10s")).await;
    sleep(Duration::from_secs(25)).await;
    assert_eq!(orders.times("1/poll").len(), 2);
    wall.set_by(-3_600);
    sleep(Duration::from_secs(3_000)).await;
    assert_eq!(orders.times("1/poll").len(), 2, "its time has not come again");
    wall.set_by(3_600);
    sleep(Duration::from_secs(2)).await;
    let seen = orders.seen();
    assert_eq!(seen.len(), 3, "one for all that were missed, within a second");
    assert_eq!(seen[2].missed, "299");
}

#[tokio::test(start_paused = true)]
async fn rem_2_what_says_no_time_is_refused_and_named() {
    let (_world, _host, _orders, reminders, _) = one_host().await;
    for (due_time, period, words) in [
        ("", "", "job must have either a due time or a schedule"),
        ("soon", "", "dueTime is 'soon': expected a duration"),
        ("", "0s", "period is '0s': expected a duration"),
    ] {
        let wrong = asked("1", "x", due_time, period);
        let refused = reminders.register(wrong, Caller::default()).await;
        let error = refused.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

/// Registers all of these at the same time.
async fn register_all(
    reminders: &Reminders,
    all: impl IntoIterator<Item = Registration>,
    caller: &Caller,
) -> Vec<Result<bool, Error>> {
    let all = all.into_iter().map(|asked| reminders.register(asked, caller.clone()));
    futures::future::join_all(all).await
}

#[tokio::test(start_paused = true)]
async fn those_that_come_at_the_same_time_share_a_commit_and_each_has_its_own_answer() {
    let (world, _host, orders, reminders, _) = one_host().await;
    // So that the partition is there.
    register(&reminders, asked("1", "first", "1h", "")).await;
    let before = world.store.commits();
    let names = (0..50).map(|n| asked("1", &format!("n{n}"), "5s", ""));
    let kept = |due_time| Registration { overwrite: false, ..asked("1", "pay", due_time, "") };
    let others = [asked("1", "wrong", "soon", ""), kept("5s"), kept("1s")];
    let answers = register_all(&reminders, names.chain(others), &Caller::default()).await;
    assert!(answers[..50].iter().all(|answer| matches!(answer, Ok(true))), "{answers:?}");
    let wrong = answers[50].as_ref().unwrap_err().to_string();
    assert!(wrong.contains("dueTime is 'soon'"), "{wrong}");
    assert!(matches!(answers[51..], [Ok(true), Ok(false)]), "{answers:?}");
    assert!(world.store.commits() - before <= 2, "{} commits", world.store.commits() - before);
    sleep(Duration::from_secs(20)).await;
    assert_eq!(orders.seen().len(), 51, "each once");
    assert_eq!(orders.times("1/pay").len(), 1);
}

// TURN-7: nothing is registered behind the back of who has left.
#[tokio::test(start_paused = true)]
async fn a_registration_whose_time_is_up_before_its_turn_is_none() {
    let (world, host, orders, reminders, wall) = one_host().await;
    register(&reminders, asked("1", "first", "1h", "")).await;
    world.store.next_commit(Fate::Late);
    let all = ["slow", "a", "b"].map(|name| asked("1", name, "5s", ""));
    let deadline = Some(tokio::time::Instant::now() + Duration::from_millis(100));
    let caller = Caller { deadline, ..Caller::default() };
    let [slow, others @ ..] = all;
    let first = reminders.register(slow, caller.clone());
    let then = async {
        until("the first is under way", || world.store.fates() == 0).await;
        register_all(&reminders, others, &caller).await
    };
    let (first, late) = futures::future::join(first, then).await;
    assert!(matches!(first, Err(Error::TurnTimeout { .. })), "{first:?}");
    assert!(late.iter().all(|one| matches!(one, Err(Error::QueueTimeout { .. }))), "{late:?}");
    host.kill().await;
    let host = world.bare_host("b:1");
    orders.host(&host).await;
    let reminders = host.offer_reminders(PARTITIONS, wall).await;
    let listing = Listing { r#type: TYPE.to_owned(), ..Listing::default() };
    let page = reminders.list(&listing, Caller::default()).await.unwrap();
    let names: Vec<_> = page.reminders.iter().map(|one| &*one.name).collect();
    assert_eq!(names, ["first"]);
}

#[tokio::test(start_paused = true)]
async fn those_that_share_a_commit_that_fails_are_all_told() {
    let (world, _host, orders, reminders, _) = one_host().await;
    register(&reminders, asked("1", "first", "1h", "")).await;
    world.store.next_commit(Fate::Refused);
    let all = ["a", "b", "c"].map(|name| asked("1", name, "5s", ""));
    let answers = register_all(&reminders, all, &Caller::default()).await;
    assert!(answers.iter().all(Result::is_err), "{answers:?}");
    register(&reminders, asked("1", "d", "5s", "")).await;
    sleep(Duration::from_secs(60)).await;
    let seen: Vec<_> = orders.seen().into_iter().map(|seen| seen.who).collect();
    assert_eq!(seen, ["1/d"]);
}
