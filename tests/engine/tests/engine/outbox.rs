//! What turns send out: with their commit or not at all, at least once, in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::clock::{TokioClock, WallClock};
use odeon_base::{ActorId, ActorType};
use odeon_blocks::reminder::Reminders;
use odeon_blocks::reminder::actor::{partition_of, type_of};
use odeon_blocks::reminder::forms::Registration;
use odeon_blocks::reminder::name::LAST_SHEET;
use odeon_runtime::config::{TypeConfig, TypeSpec};
use odeon_runtime::effect::{Emitted, Stored};
use odeon_runtime::error::{AppFailure, Error};
use odeon_runtime::metrics::OutboxMetrics;
use odeon_runtime::schedule::ReminderSpec;
use odeon_runtime::seams::{self, Behaviour, Call, Instance};
use odeon_runtime::store::{self, ActorScope, Condition, Expiry, Key, Op, StateStore, Transaction};
use odeon_runtime::{ActorRef, Caller, Change, Commit, Effect, Invocation, Reply, Turn, TurnKind};
use odeon_test_engine::store::Fate;
use odeon_test_engine::world::{COMPONENT, until};
use odeon_test_engine::{Host, Kind, World};
use tokio::time::{Instant, sleep};

const SENDER: &str = "Order";
const RECEIVER: &str = "Goods";
const PARTITIONS: u32 = 4;

/// A call or a reminder as the actor saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    /// `type/id`.
    who: String,
    what: String,
    body: String,
    /// The id by which a repeat is told.
    id: String,
    /// Milliseconds after the test began.
    at: u128,
}

/// Senders and receivers. What a sender does stands in the body of its call.
#[derive(Debug, Clone)]
struct Shop {
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Receivers that fail so many more times.
    failing: Arc<Mutex<BTreeMap<String, u32>>>,
    began: Instant,
}

impl Shop {
    fn new() -> Self {
        Self { seen: Arc::default(), failing: Arc::default(), began: Instant::now() }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a receiver was told, in order.
    fn told(&self, who: &str) -> Vec<String> {
        self.seen().into_iter().filter(|seen| seen.who == who).map(|seen| seen.body).collect()
    }

    fn fail(&self, who: &str, times: u32) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        failing.insert(who.to_owned(), times);
    }

    fn fails_now(&self, who: &str) -> bool {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(times) = failing.get_mut(who).filter(|times| **times > 0) else { return false };
        *times -= 1;
        true
    }

    fn note(&self, turn: &Turn, call: &Call) -> String {
        let who = format!("{}/{}", turn.actor().actor_type, turn.actor().id);
        let seen = Seen {
            who: who.clone(),
            what: call.method.as_ref().to_owned(),
            body: String::from_utf8(call.body.to_vec()).unwrap(),
            id: call.headers.get("odeon-idempotency-key").unwrap_or_default().to_owned(),
            at: self.began.elapsed().as_millis(),
        };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        who
    }

    async fn host(&self, host: &Host, actor_type: &str) {
        self.host_as(host, actor_type, TypeConfig::default()).await;
    }

    async fn host_as(&self, host: &Host, actor_type: &str, config: TypeConfig) {
        let spec = TypeSpec {
            actor_type: ActorType::parse(actor_type).unwrap(),
            config,
            behaviour: Arc::new(self.clone()),
        };
        host.engine.offer(vec![spec]).await.unwrap();
    }
}

impl Behaviour for Shop {
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
            let body = String::from_utf8(call.body.to_vec()).unwrap();
            match &*call.method {
                // Commits what is said, and sends that out.
                "emit" => turn.commit(committed(&body)).await?,
                // The same, and fails afterwards without having committed.
                "think-better" => {
                    let _ = committed(&body);
                    return Err(Error::App(AppFailure { message: "no".to_owned() }));
                }
                _ => {
                    let who = self.note(turn, &call);
                    if who.ends_with("/hangs") {
                        std::future::pending::<()>().await;
                    }
                    if who.ends_with("/commits") {
                        turn.commit(committed(&format!("n={}", self.seen().len()))).await?;
                    }
                    if call.kind == TurnKind::Method && self.fails_now(&who) {
                        return Err(Error::App(AppFailure { message: "not now".to_owned() }));
                    }
                }
            }
            Ok(Reply::default())
        }
        .boxed()
    }

    fn is_shared(&self) -> bool {
        false
    }
}

/// `n=7 Goods/1=a Goods/2=b#id pay@5s -pay`: a key, two calls, a reminder set and one dropped.
fn committed(text: &str) -> Commit {
    let mut commit = Commit::default();
    for word in text.split_whitespace() {
        if let Some(name) = word.strip_prefix('-') {
            commit.effects.push(Effect::DropReminder { name: name.into() });
        } else if let Some((name, due_time)) = word.split_once('@') {
            commit.effects.push(set(name, due_time));
        } else if let Some((path, body)) = word.split_once('=').filter(|(key, _)| key.contains('/'))
        {
            let (actor_type, id) = path.split_once('/').unwrap();
            let (body, own) = match body.split_once('#') {
                Some((body, own)) => (body, Some(own)),
                None => (body, None),
            };
            commit.effects.push(Effect::Call {
                actor: ActorRef::parse(actor_type, id).unwrap(),
                method: "take".into(),
                body: body.to_owned().into(),
                id: own.map(Into::into),
            });
        } else {
            let (key, value) = word.split_once('=').unwrap();
            commit.changes.push(Change::set(key, value.to_owned()));
        }
    }
    commit
}

fn set(name: &str, due_time: &str) -> Effect {
    let spec = ReminderSpec { due_time: due_time.to_owned(), ..ReminderSpec::default() };
    let (name, data) = (name.into(), "7".into());
    Effect::SetReminder { name, spec: Box::new(spec), data, should_replace: true }
}

async fn emit(host: &Host, id: &str, what: &str) -> Result<String, Error> {
    let sender = ActorRef::parse(SENDER, id).unwrap();
    host.invoke(Invocation::new(sender, "emit", what.to_owned())).await
}

fn sent(host: &Host) -> OutboxMetrics {
    host.engine.sent().snapshot()
}

fn scope_of_sender(id: &str) -> ActorScope {
    ActorScope { prefix: "app".into(), actor_type: SENDER.into(), actor_id: id.into() }
}

/// The inbox of a sender's partition.
async fn rows_of_inbox(world: &World, id: &str) -> Vec<(Key, store::Item)> {
    let scan = store::Scan {
        scope: scope_of_inbox(id),
        starts_with: "out/".into(),
        after: None,
        limit: 1_000,
    };
    world.store.scan(scan).await.unwrap().items
}

async fn inbox(world: &World, id: &str) -> Vec<String> {
    let rows = rows_of_inbox(world, id).await;
    rows.iter().map(|(key, _)| key.name().to_owned()).collect()
}

fn scope_of_inbox(id: &str) -> ActorScope {
    let partition = partition_of(&ActorId::parse(id).unwrap(), PARTITIONS);
    let app = odeon_base::AppId::parse("app").unwrap();
    ActorScope {
        prefix: "app".into(),
        actor_type: type_of(&app, COMPONENT).unwrap().as_str().into(),
        actor_id: partition.to_string().into(),
    }
}

/// A host with senders, receivers and their partitions.
async fn add_host(world: &World, shop: &Shop, name: &str) -> (Host, Reminders) {
    let host = world.bare_host(name);
    shop.host(&host, SENDER).await;
    shop.host(&host, RECEIVER).await;
    let reminders = host.offer_reminders(PARTITIONS, Arc::new(TokioClock::start())).await;
    (host, reminders)
}

async fn one_host() -> (World, Host, Shop, Reminders) {
    let (world, shop) = (World::of_neighbours(Kind::Placed), Shop::new());
    let (host, reminders) = add_host(&world, &shop, "a:1").await;
    (world, host, shop, reminders)
}

#[tokio::test(start_paused = true)]
async fn dx_2_calls_are_delivered_in_order_soon_after_the_commit() {
    let (world, host, shop, _) = one_host().await;
    sleep(Duration::from_secs(3)).await;
    let begun = shop.began.elapsed().as_millis();
    emit(&host, "1", "n=7 Goods/1=a Goods/2=b Goods/1=c#own").await.unwrap();
    until("all are delivered", || shop.seen().len() == 3).await;
    let seen = shop.seen();
    assert!(seen[2].at - begun < 50, "it waited for no look: {seen:?} after {begun}");
    let told: Vec<_> = seen.iter().map(|seen| (&*seen.who, &*seen.what, &*seen.body)).collect();
    assert_eq!(
        told,
        [("Goods/1", "take", "a"), ("Goods/2", "take", "b"), ("Goods/1", "take", "c")]
    );
    assert_eq!(seen[2].id, "own");
    assert!(!seen[0].id.is_empty() && seen[0].id != seen[1].id, "{seen:?}");
    assert_eq!(world.store.text(&scope_of_sender("1"), "n").unwrap(), "7");
    until("they are counted", || sent(&host).delivered == 3).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(inbox(&world, "1").await, [""; 0], "what was delivered is removed");
    assert_eq!(sent(&host), OutboxMetrics { stored: 3, delivered: 3, given_up: 0, waiting: 0 });
    sleep(Duration::from_secs(60)).await;
    assert_eq!(shop.seen().len(), 3, "each once");
}

#[tokio::test(start_paused = true)]
async fn st_7_a_reminder_is_set_and_dropped_with_the_commit() {
    let (world, host, shop, reminders) = one_host().await;
    sleep(Duration::from_secs(3)).await;
    let begun = shop.began.elapsed().as_millis();
    emit(&host, "1", "n=7 pay@5s gone@5s late@1h").await.unwrap();
    emit(&host, "1", "-gone pay@4s pay@6s").await.unwrap();
    sleep(Duration::from_secs(60)).await;
    let [seen] = &shop.seen()[..] else { panic!("not once: {:?}", shop.seen()) };
    assert_eq!((&*seen.who, &*seen.what, &*seen.body), ("Order/1", "pay", "7"));
    // The calendars of engine and partition were started one after the other.
    assert!((6_000..6_300).contains(&(seen.at - begun)), "{} after {begun}", seen.at);
    let order = ActorRef::parse(SENDER, "1").unwrap();
    let late = reminders.get(&order, "late", Caller::default()).await.unwrap();
    assert_eq!(late.unwrap().due_time, "1h");
    assert_eq!(inbox(&world, "1").await, [""; 0]);
    assert_eq!(sent(&host), OutboxMetrics { stored: 6, delivered: 6, given_up: 0, waiting: 0 });
}

#[tokio::test(start_paused = true)]
async fn st_7_one_that_stands_stays_where_it_is_not_to_be_replaced() {
    let (_world, host, shop, reminders) = one_host().await;
    let order = ActorRef::parse(SENDER, "1").unwrap();
    emit(&host, "1", "pay@1h").await.unwrap();
    sleep(Duration::from_secs(1)).await;
    // As the wire says `overwrite: false`.
    let Effect::SetReminder { name, spec, data, .. } = set("pay", "1s") else { unreachable!() };
    let kept = Effect::SetReminder { name, spec, data, should_replace: false };
    let commit = Commit { changes: Vec::new(), effects: vec![kept] };
    host.engine.write_state(&order, None, commit).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(shop.seen(), []);
    let found = reminders.get(&order, "pay", Caller::default()).await.unwrap().unwrap();
    assert_eq!(found.due_time, "1h");
    // One that ends before it fires would be none; it replaces nothing either.
    let Effect::SetReminder { name, mut spec, data, .. } = set("pay", "5s") else { unreachable!() };
    spec.ttl = "1s".to_owned();
    let over = |name, spec, data, should_replace| Commit {
        changes: Vec::new(),
        effects: vec![Effect::SetReminder { name, spec, data, should_replace }],
    };
    let kept = over(Arc::clone(&name), spec.clone(), data.clone(), false);
    host.engine.write_state(&order, None, kept).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    assert!(reminders.get(&order, "pay", Caller::default()).await.unwrap().is_some());
    host.engine.write_state(&order, None, over(name, spec, data, true)).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    assert!(reminders.get(&order, "pay", Caller::default()).await.unwrap().is_none());
}

// Found by a review: a reminder that a turn had set was set after the actor's were deleted.
#[tokio::test(start_paused = true)]
async fn st_7_who_asks_after_a_commit_sees_it() {
    let (world, host, shop, reminders) = one_host().await;
    let (order, caller) = (ActorRef::parse(SENDER, "1").unwrap(), Caller::default);
    let at = |due_time: &str, name: &str| Registration {
        r#type: SENDER.to_owned(),
        id: "1".to_owned(),
        name: name.to_owned(),
        due_time: due_time.to_owned(),
        overwrite: true,
        ..Registration::default()
    };
    emit(&host, "1", "dropped@1h").await.unwrap();
    sleep(Duration::from_secs(3)).await;

    // Each question is there before the partition was told of the commit before it.
    emit(&host, "1", "got@1h").await.unwrap();
    assert!(reminders.get(&order, "got", caller()).await.unwrap().is_some());
    emit(&host, "1", "-dropped").await.unwrap();
    assert!(reminders.register(at("2h", "dropped"), caller()).await.unwrap());
    emit(&host, "1", "deleted@5s").await.unwrap();
    reminders.delete(&order, "deleted", caller()).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(shop.seen(), []);
    let found = reminders.get(&order, "dropped", caller()).await.unwrap();
    assert_eq!(found.unwrap().due_time, "2h");

    emit(&host, "1", "late@5s").await.unwrap();
    let all = reminders.delete_all(&order.actor_type, Some("1"), caller()).await.unwrap();
    assert_eq!(all, 3, "got, dropped, late");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(shop.seen(), []);
    assert_eq!(inbox(&world, "1").await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_is_refused_sends_nothing_out() {
    let (world, host, shop, _) = one_host().await;
    emit(&host, "1", "n=1").await.unwrap();
    let sender = ActorRef::parse(SENDER, "1").unwrap();
    let failed = Invocation::new(sender, "think-better", "n=9 Goods/1=a");
    assert!(host.invoke(failed).await.is_err());
    for (wrong, words) in [
        ("n=9 Goods/1=a a/b@5s", "name"),
        ("n=9 Goods/1=a pay@soon", "dueTime is 'soon'"),
        ("n=9 Goods/1=a sys.state/x=b", "actorType is 'sys.state'"),
        ("n=9 Goods/1=a __fence=x", "'__fence' is the runtime's own"),
    ] {
        let error = emit(&host, "1", wrong).await.unwrap_err().to_string();
        assert!(error.contains(words), "{wrong}: {error}");
    }
    // A store that refuses, and one that nobody can reach.
    world.store.next_commit(Fate::Refused);
    assert!(emit(&host, "1", "n=9 Goods/1=a pay@1s").await.is_err());
    sleep(Duration::from_secs(60)).await;
    assert_eq!(shop.seen(), []);
    assert_eq!(inbox(&world, "1").await, [""; 0]);
    assert_eq!(world.store.text(&scope_of_sender("1"), "n").unwrap(), "1");
}

/// A calendar that is an hour later at each look.
#[derive(Debug, Default)]
struct Leaping(AtomicU64);

impl Leaping {
    fn looks(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl WallClock for Leaping {
    fn now(&self) -> SystemTime {
        let hours = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        SystemTime::UNIX_EPOCH + Duration::from_secs(hours * 3_600)
    }
}

/// Keeps nothing but the times at which something was sent out.
#[derive(Debug, Default)]
struct Times(Mutex<Vec<SystemTime>>);

impl seams::Outbox for Times {
    fn rows(&self, emitted: &Emitted<'_>, _: Vec<Effect>) -> Vec<(Key, Bytes)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(emitted.at);
        Vec::new()
    }

    fn stored(&self, _: &ActorRef, _: Stored) {}

    fn keep(&self, _: Invocation) -> BoxFuture<'_, Result<(), Error>> {
        async { Err(Error::NoOutbox) }.boxed()
    }
}

// What was in time when it was checked must not be late when it is stored.
#[tokio::test(start_paused = true)]
async fn what_is_sent_out_is_checked_and_stored_by_one_time() {
    let (world, shop) = (World::of_neighbours(Kind::Placed), Shop::new());
    let (calendar, times) = (Arc::<Leaping>::default(), Arc::<Times>::default());
    let host = world.host_by("a:1", Arc::<Leaping>::clone(&calendar));
    host.engine.use_outbox(Arc::<Times>::clone(&times));
    shop.host(&host, SENDER).await;
    emit(&host, "1", "n=6").await.unwrap();
    let before = calendar.looks();
    emit(&host, "1", "n=7 pay@5s").await.unwrap();
    assert_eq!(calendar.looks() - before, 1);
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs((before + 1) * 3_600);
    assert_eq!(*times.0.lock().unwrap(), [at]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_leaves_both_or_neither() {
    // What becomes of the commit, whether the next life claims before it arrives, and what stays.
    for (fate, is_claimed, stays) in [
        (Fate::AnswerLost, true, true),
        (Fate::Lost, true, false),
        (Fate::Late, false, true),
        (Fate::Late, true, false),
    ] {
        let (world, host, shop, _) = one_host().await;
        world.store.next_commit(fate);
        let turn = emit(&host, "1", "n=9 Goods/1=a pay@1h");
        let turn = tokio::time::timeout(Duration::from_secs(1), turn).await;
        assert!(!matches!(turn, Ok(Ok(_))), "{fate:?}");
        host.kill().await;
        let (host, _) = add_host(&world, &shop, "b:1").await;
        if is_claimed {
            emit(&host, "1", "other=1").await.unwrap();
        }
        let _ = world.store.deliver_late();
        sleep(Duration::from_secs(60)).await;
        let is_written = world.store.text(&scope_of_sender("1"), "n").is_some();
        assert_eq!(is_written, stays, "{fate:?}");
        assert_eq!(shop.told("Goods/1").len(), usize::from(stays), "{fate:?}");
        let sheet = world.store.text(&scope_of_inbox("1"), LAST_SHEET);
        assert_eq!(sheet.is_some_and(|sheet| sheet.contains("Order/1/pay")), stays, "{fate:?}");
        assert_eq!(inbox(&world, "1").await, [""; 0], "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_dies_after_the_commit_takes_nothing_with_it() {
    let (world, shop) = (World::of_neighbours(Kind::Placed), Shop::new());
    // Nobody takes the calls yet.
    let host = world.bare_host("a:1");
    shop.host(&host, SENDER).await;
    host.offer_reminders(PARTITIONS, Arc::new(TokioClock::start())).await;
    for n in 0..3 {
        emit(&host, "1", &format!("Goods/1={n} r{n}@10s")).await.unwrap();
    }
    host.kill().await;
    let (host, _) = add_host(&world, &shop, "b:1").await;
    until("all are delivered", || shop.told("Goods/1").len() == 3).await;
    assert_eq!(shop.told("Goods/1"), ["0", "1", "2"]);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(shop.told("Order/1").len(), 3, "{:?}", shop.seen());
    assert_eq!(inbox(&world, "1").await, [""; 0]);
    assert_eq!(sent(&host).given_up, 0);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_away_has_everything_when_it_is_back() {
    let (world, shop) = (World::of_neighbours(Kind::Placed), Shop::new());
    let host = world.bare_host("a:1");
    shop.host(&host, SENDER).await;
    host.offer_reminders(PARTITIONS, Arc::new(TokioClock::start())).await;
    // More than a lane has room for.
    for n in 0..100 {
        emit(&host, "1", &format!("Goods/1={n}")).await.unwrap();
    }
    sleep(Duration::from_secs(600)).await;
    assert!(sent(&host).waiting <= 32, "{:?}", sent(&host));
    shop.host(&host, RECEIVER).await;
    sleep(Duration::from_secs(30)).await;
    let all: Vec<_> = (0..100).map(|n| n.to_string()).collect();
    assert_eq!(shop.told("Goods/1"), all, "in order, and none was given up");
    assert_eq!(inbox(&world, "1").await, [""; 0]);
    assert_eq!(sent(&host), OutboxMetrics { stored: 100, delivered: 100, given_up: 0, waiting: 0 });
}

#[tokio::test(start_paused = true)]
async fn a_repeat_has_the_same_id_and_holds_up_nobody_else() {
    let (_world, host, shop, _) = one_host().await;
    shop.fail("Goods/1", 3);
    emit(&host, "1", "Goods/1=a Goods/2=b").await.unwrap();
    emit(&host, "2", "Goods/3=c").await.unwrap();
    until("another sender's is delivered", || shop.told("Goods/3").len() == 1).await;
    assert_eq!(shop.told("Goods/2"), [""; 0], "it waits for the one before it");
    until("all are delivered", || shop.told("Goods/2").len() == 1).await;
    assert_eq!(shop.told("Goods/1"), ["a"; 4]);
    let mut ids: Vec<_> =
        shop.seen().into_iter().filter(|seen| seen.who == "Goods/1").map(|seen| seen.id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
}

/// What a partition that dies between delivery and removal leaves behind.
#[tokio::test(start_paused = true)]
async fn rt_4_one_that_is_delivered_again_runs_once_where_state_is_kept() {
    for (stateless, runs) in [(false, 1), (true, 2)] {
        let (world, shop) = (World::of_neighbours(Kind::Placed), Shop::new());
        let host = world.bare_host("a:1");
        shop.host(&host, SENDER).await;
        host.offer_reminders(PARTITIONS, Arc::new(TokioClock::start())).await;
        emit(&host, "1", "Goods/1=a").await.unwrap();
        let rows = rows_of_inbox(&world, "1").await;
        shop.host_as(&host, RECEIVER, TypeConfig { stateless, ..TypeConfig::default() }).await;
        let delivered = |n| {
            let (host, world) = (&host, &world);
            async move {
                sleep(Duration::from_secs(20)).await;
                assert_eq!(inbox(world, "1").await, [""; 0]);
                assert_eq!(sent(host).delivered, n);
            }
        };
        delivered(1).await;
        let again = rows.into_iter().map(|(key, item)| Op::Upsert {
            key,
            value: item.value,
            condition: Condition::None,
            expiry: Expiry::Never,
        });
        let again = Transaction { fence: None, ops: again.collect() };
        world.store.transact(again).await.unwrap();
        delivered(2).await;
        assert_eq!(shop.told("Goods/1").len(), runs, "stateless: {stateless}");
    }
}

#[tokio::test(start_paused = true)]
async fn rt_4_one_that_committed_and_failed_is_not_made_again() {
    let (_world, host, shop, _) = one_host().await;
    shop.fail("Goods/commits", 1);
    emit(&host, "1", "Goods/commits=a Goods/2=b").await.unwrap();
    until("the next one is delivered", || shop.told("Goods/2").len() == 1).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(shop.told("Goods/commits"), ["a"]);
    assert_eq!(sent(&host), OutboxMetrics { stored: 2, delivered: 2, given_up: 0, waiting: 0 });
}

#[tokio::test(start_paused = true)]
async fn one_that_is_refused_for_ever_is_given_up_and_the_next_goes_on() {
    let (world, host, shop, _) = one_host().await;
    shop.fail("Goods/1", u32::MAX);
    emit(&host, "1", "Goods/1=a Goods/2=b").await.unwrap();
    sleep(Duration::from_secs(200)).await;
    assert_eq!(shop.told("Goods/1").len(), 20);
    assert_eq!(shop.told("Goods/2"), ["b"]);
    assert_eq!(sent(&host), OutboxMetrics { stored: 2, delivered: 1, given_up: 1, waiting: 0 });
    assert_eq!(inbox(&world, "1").await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_hangs_holds_up_its_own_sender_only() {
    let (_world, host, shop, _) = one_host().await;
    emit(&host, "1", "Goods/hangs=a Goods/2=b pay@1s").await.unwrap();
    for n in 0..200 {
        emit(&host, &format!("other-{n}"), &format!("Goods/3={n}")).await.unwrap();
    }
    sleep(Duration::from_secs(10)).await;
    assert_eq!(shop.told("Goods/3").len(), 200);
    assert_eq!(shop.told("Goods/2"), [""; 0]);
    assert_eq!(shop.told("Order/1"), ["7"], "its reminder does not wait for its calls");
}

#[tokio::test(start_paused = true)]
async fn rem_13_rows_that_cannot_be_read_are_left_out() {
    let (world, host, shop, _) = one_host().await;
    let fence = "0".repeat(48);
    let torn = [
        format!("out/call/Order/1/{fence}/{:016x}", 1),
        format!("out/rem/Order/1/{fence}/{:016x}", 2),
        "out/call/what".to_owned(),
        "out/rem/".to_owned(),
    ];
    let ops = torn.map(|name| Op::Upsert {
        key: Key::Actor(scope_of_inbox("1"), name.as_str().into()),
        value: "torn".into(),
        condition: Condition::None,
        expiry: Expiry::Never,
    });
    world.store.transact(Transaction { fence: None, ops: ops.into() }).await.unwrap();
    emit(&host, "1", "Goods/1=a pay@1s").await.unwrap();
    sleep(Duration::from_secs(30)).await;
    assert_eq!((shop.told("Goods/1").len(), shop.told("Order/1").len()), (1, 1));
    assert_eq!(inbox(&world, "1").await, [""; 0]);
    assert_eq!(sent(&host).given_up, 4);
}

#[tokio::test(start_paused = true)]
async fn they_go_on_wherever_their_partition_is() {
    let (world, shop) = (World::of_neighbours(Kind::Placed), Shop::new());
    let (a, _) = add_host(&world, &shop, "a:1").await;
    let mut emitted = BTreeMap::<String, Vec<String>>::new();
    let mut hosts = vec![a];
    for n in 0..60 {
        if n == 20 {
            hosts.push(add_host(&world, &shop, "b:1").await.0);
        }
        if n == 40 {
            let a = hosts.remove(0);
            a.engine.leave(Duration::from_secs(60)).await.unwrap();
            a.engine.farewell(Duration::from_secs(60)).await;
            a.kill().await;
        }
        for sender in ["1", "2", "3", "4", "5"] {
            let receiver = format!("of-{sender}");
            emit(&hosts[0], sender, &format!("Goods/{receiver}={n}")).await.unwrap();
            emitted.entry(receiver).or_default().push(n.to_string());
        }
        sleep(Duration::from_millis(200)).await;
    }
    sleep(Duration::from_secs(60)).await;
    for (receiver, all) in emitted {
        let mut told = shop.told(&format!("Goods/{receiver}"));
        // A partition that moved makes the call again that was under way.
        told.dedup();
        assert_eq!(told, all, "{receiver}");
    }
    for sender in ["1", "2", "3", "4", "5"] {
        assert_eq!(inbox(&world, sender).await, [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_whose_commits_fail_repeats_and_loses_nothing() {
    // The next commit of all is the receiver's own, that it took the call; of one that keeps no
    // state there is none, and the next is the partition's, which removes it.
    for stateless in [false, true] {
        let (world, shop) = (World::of_neighbours(Kind::Placed), Shop::new());
        let host = world.bare_host("a:1");
        shop.host(&host, SENDER).await;
        shop.host_as(&host, RECEIVER, TypeConfig { stateless, ..TypeConfig::default() }).await;
        host.offer_reminders(PARTITIONS, Arc::new(TokioClock::start())).await;
        sleep(Duration::from_secs(3)).await;
        for fate in [Fate::Refused, Fate::AnswerLost, Fate::Lost] {
            let before = shop.told("Goods/1").len();
            emit(&host, "1", "Goods/1=a").await.unwrap();
            world.store.next_commit(fate);
            until("it is delivered", || shop.told("Goods/1").len() > before).await;
            sleep(Duration::from_secs(60)).await;
            assert_eq!(inbox(&world, "1").await, [""; 0], "{fate:?}");
            assert_eq!(world.store.fates(), 0, "{fate:?} befell a commit");
        }
        let ids: BTreeSet<_> = shop.seen().into_iter().map(|seen| seen.id).collect();
        assert_eq!(ids.len(), 3, "repeats, if there are any, have the id of the first");
    }
}

#[tokio::test(start_paused = true)]
async fn limits_are_told_before_anything_is_written() {
    let (world, host, _, _) = one_host().await;
    let order = ActorRef::parse(SENDER, "1").unwrap();
    emit(&host, "1", "n=1").await.unwrap();
    let call = |bytes: usize| Effect::Call {
        actor: ActorRef::parse(RECEIVER, "1").unwrap(),
        method: "take".into(),
        body: vec![b' '; bytes].into(),
        id: None,
    };
    let many = Commit { changes: Vec::new(), effects: vec![call(0); 1_001] };
    let large = Commit { changes: Vec::new(), effects: vec![call((1 << 20) + 1)] };
    let much = Commit { changes: vec![Change::set("n", "9")], effects: vec![call(1 << 20); 5] };
    for (commit, limit) in [(many, 1_000), (large, 1 << 20), (much, 4 << 20)] {
        let refused = host.engine.write_state(&order, None, commit).await;
        let Err(Error::TooLarge { limit: found, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(found, limit);
    }
    assert_eq!(inbox(&world, "1").await, [""; 0]);
    assert_eq!(world.store.text(&scope_of_sender("1"), "n").unwrap(), "1");
    let most = Commit { changes: Vec::new(), effects: vec![call((1 << 20) - 100); 4] };
    host.engine.write_state(&order, None, most).await.unwrap();
    until("all are delivered", || sent(&host).delivered == 4).await;
}

#[tokio::test(start_paused = true)]
async fn without_an_outbox_nothing_can_be_sent_out() {
    let (world, shop) = (World::of_neighbours(Kind::Placed), Shop::new());
    let host = world.bare_host("a:1");
    shop.host(&host, SENDER).await;
    emit(&host, "1", "n=1").await.unwrap();
    let refused = emit(&host, "1", "n=2 Goods/1=a").await;
    assert!(matches!(refused, Err(Error::NoOutbox)), "{refused:?}");
    assert_eq!(world.store.text(&scope_of_sender("1"), "n").unwrap(), "1");
}
