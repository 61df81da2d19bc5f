//! Every process of the demo is killed, one after the other, while the shop takes orders.
//!
//! Callers never call twice. Who calls enters through the host that is not killed: a call
//! ends with its connection. What each call may be answered is held against what was done,
//! by the checkers that the chaos tests use. What the shop's actors do inside is not written
//! down, so of the history the callers' part is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use odeon_base::Tasks;
use odeon_chaos::load::{Call, Done, Due, Fate, Load, Work, call};
use odeon_chaos::run::holds_the_store;
use odeon_chaos::story;
use odeon_chaos::trouble::{Mark, Trouble};
use odeon_chaos::verdict::{self, silence};
use odeon_test_history::{self as history, Effect, Object, Op, Seen, Terms, Trouble as What};
use odeon_test_support::process::kill;
use odeon_test_support::{Client, until};
use serde_json::{Value, json};

use super::{Demo, HOSTS, Running};

/// The lease of the demo's file: that of `odeon placement`.
const LEASE: Duration = Duration::from_secs(5);
/// What the lease is not to blame for, on a machine with much to do.
const SLACK: Duration = Duration::from_secs(1);
/// For how long after its end a process may still be sent what it does not answer: whoever
/// is connected to it has to be told first. `odeon up` lets no less pass before the next life
/// begins, so nothing that this one does is excused.
const UNHEARD: Duration = Duration::from_millis(100);
/// Longest a call may take that has nothing to do with what was killed.
const UNMOVED: Duration = Duration::from_secs(2);
/// How often each process is killed: the second time the other host holds the store.
const ROUNDS: usize = 2;
const CALLERS: usize = 8;
const BASKETS: usize = 26;
const GOODS: [&str; 13] = [
    "beef-noodles",
    "ginger-fish",
    "harbour-rice",
    "cucumber",
    "sesame-tofu",
    "pancake",
    "spring-roll",
    "dumplings",
    "egg-tart",
    "plain-porridge",
    "red-bean",
    "pumpkin",
    "century-egg",
];
/// Actors that are called all the time; orders, which are called once, are counted on.
const REGULARS: usize = BASKETS + GOODS.len();
/// Calls between two kills, so that what moved back is called there.
const CALLS_BETWEEN: usize = 300;

/// Type and id of an actor, by its number.
fn who(actor: usize) -> (&'static str, String) {
    match actor {
        basket if basket < BASKETS => ("BasketActor", format!("buyer-{basket}")),
        goods if goods < REGULARS => ("GoodsActor", GOODS[goods - BASKETS].to_owned()),
        order => ("OrderActor", format!("order-{}", order - REGULARS)),
    }
}

fn path(actor: usize, method: &str) -> String {
    let (actor_type, id) = who(actor);
    format!("/v1.0/actors/{actor_type}/{id}/method/{method}")
}

/// What buyers do: they add to baskets, ask for prices, and order.
#[derive(Debug, Default)]
struct Buyers {
    commands: AtomicUsize,
    orders: AtomicUsize,
    /// The last command of each basket that was acknowledged, and the version it was told.
    acknowledged: Mutex<BTreeMap<usize, (i64, Value)>>,
}

impl Work for Buyers {
    fn call<'a>(&'a self, due: Due<'a>) -> BoxFuture<'a, Done> {
        async move {
            match (due.caller + due.round) % 8 {
                0 => {
                    let actor = REGULARS + self.orders.fetch_add(1, Ordering::Relaxed);
                    Done { actor, op: ADDS_ONE, fate: place(due, actor).await }
                }
                1..=3 => {
                    let actor = BASKETS + due.step() % GOODS.len();
                    Done { actor, op: Op::Other, fate: ask_price(due.client, actor).await }
                }
                _ => {
                    let actor = due.step() % BASKETS;
                    Done { actor, op: ADDS_ONE, fate: self.add(due, actor).await }
                }
            }
        }
        .boxed()
    }
}

/// What a buyer's command is to the history: it adds one to the version of a basket, and an
/// order is there or it is not, so that its count is one.
const ADDS_ONE: Op = Op::Write(Object::Counter, 1);

/// An object that ones are added to.
fn counted(count: i64, by: u64) -> Fate {
    let version = u64::try_from(count).unwrap_or_default();
    Fate::Answered(Some(Seen { version, by, sum: count }))
}

impl Buyers {
    async fn add(&self, due: Due<'_>, basket: usize) -> Fate {
        let number = self.commands.fetch_add(1, Ordering::Relaxed);
        let goods = GOODS[number % GOODS.len()];
        let command = json!({"cmdId": format!("c{number}"), "goodsId": goods, "count": 1});
        let answer = match tell(due.client, basket, "Add", &command).await {
            Ok(answer) => answer,
            Err(fate) => return fate,
        };
        let Some(version) = answer["version"].as_i64() else {
            return Fate::unclear(format!("no version: {answer}"));
        };
        let mut all = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        let last = all.entry(basket).or_default();
        if version > last.0 {
            *last = (version, command);
        }
        counted(version, due.number)
    }
}

async fn ask_price(client: &Client, goods: usize) -> Fate {
    match tell(client, goods, "Quote", &json!({"buyerId": "ann"})).await {
        Ok(answer) if answer["available"].is_u64() => Fate::Answered(None),
        Ok(other) => Fate::unclear(format!("not a quote: {other}")),
        Err(fate) => fate,
    }
}

async fn place(due: Due<'_>, order: usize) -> Fate {
    let line =
        json!({"goodsId": "egg-tart", "goodsName": "Egg tart", "priceCents": 500, "count": 3});
    let to = json!({"name": "Ann Lee", "address": "7 Quay Street", "tel": "13000000000"});
    let command = json!({"userId": "ann", "userName": "Ann Lee", "items": [line], "consignee": to});
    match tell(due.client, order, "Create", &command).await {
        Ok(answer) if answer["totalCents"] == 1_500 => counted(1, due.number),
        Ok(other) => Fate::unclear(format!("not an order: {other}")),
        Err(fate) => fate,
    }
}

/// A call of the shop, which answers what is no error with `ok` and more.
async fn tell(client: &Client, actor: usize, method: &str, body: &Value) -> Result<Value, Fate> {
    let answer = call(client, &path(actor, method), &body.to_string()).await?.json();
    match answer["ok"] == true {
        true => Ok(answer),
        false => Err(Fate::unclear(answer.to_string())),
    }
}

/// What is killed.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Worker(usize),
    Host(usize),
    Placement,
}

/// The owner of each actor, by a host's copy of the tables.
async fn owners(client: &Client, actors: impl Iterator<Item = usize>) -> Option<Vec<String>> {
    let owner = |actor| async move {
        let (actor_type, id) = who(actor);
        let path = format!("/odeon/v1/placement/owner?type={actor_type}&id={id}");
        client.get(&path).await.ok()?.json()["host"].as_str().map(str::to_owned)
    };
    let owners: Vec<_> = stream::iter(actors).map(owner).buffered(8).collect().await;
    owners.into_iter().collect()
}

/// Waits for as many calls as it takes for all actors to be called.
async fn until_called(load: &Load) {
    let enough = load.count() + CALLS_BETWEEN;
    until("calls", || async { (load.count() >= enough).then_some(()) }).await;
}

/// The demo, and what was done to it.
struct Scene {
    demo: Running,
    /// The hosts by name, in their order.
    names: Vec<String>,
    /// Who owns the regulars while all is well.
    home: Vec<String>,
    kills: Vec<Kill>,
}

/// What was done, and until when it was felt.
struct Kill {
    victim: Victim,
    trouble: Trouble,
    over: Duration,
}

impl Scene {
    async fn open(demo: Running) -> Self {
        let mut names = Vec::new();
        for host in 0..HOSTS {
            names.push(demo.name(host).await);
        }
        let home = until("each host to have its share of all types", || async {
            let home = owners(&demo.client(0), 0..REGULARS).await?;
            let is_shared = |part: &[String]| names.iter().all(|name| part.contains(name));
            (is_shared(&home[..BASKETS]) && is_shared(&home[BASKETS..])).then_some(home)
        })
        .await;
        Self { demo, names, home, kills: Vec::new() }
    }

    /// Kills a process, and waits until all is as it was before.
    async fn kill(&mut self, load: &Load, victim: Victim) {
        let enters = match victim {
            Victim::Host(host) => {
                load.avoid(host).await;
                1 - host
            }
            Victim::Worker(host) => 1 - host,
            Victim::Placement => 0,
        };
        let is_holder = match victim {
            Victim::Host(host) => self.holds(host).await,
            Victim::Worker(_) | Victim::Placement => false,
        };
        let (process, says) = match victim {
            Victim::Worker(host) => (self.demo.worker(host).await, ["shop", "shop-2"][host]),
            Victim::Host(host) => (self.demo.host(host).await, ["node", "node-2"][host]),
            Victim::Placement => (self.demo.placement().await, "placement"),
        };
        let said = self.demo.up.lines();
        let began = load.elapsed();
        kill(process);
        self.demo.up.line_after(said, &format!("{says} was ended by signal 9")).await;
        let ended = load.elapsed();
        self.demo.up.line_after(said, &format!("{says} is ready")).await;
        let (client, home) = (self.demo.client(enters), &self.home);
        until("the share to be back", || async {
            (owners(&client, 0..REGULARS).await.as_ref() == Some(home)).then_some(())
        })
        .await;
        if let Victim::Host(host) = victim {
            load.use_again(host);
        }
        until_called(load).await;
        let of_victim = |name: &String| match victim {
            Victim::Worker(host) | Victim::Host(host) => is_holder || *name == self.names[host],
            Victim::Placement => false,
        };
        let concerned = (0..REGULARS).filter(|actor| of_victim(&home[*actor])).collect();
        let (holder, is_hard) =
            (if is_holder { ", the holder" } else { "" }, !matches!(victim, Victim::Placement));
        let name = format!("{victim:?}{holder}");
        let mark = Mark { trouble: What::All, began, ended };
        let trouble = Trouble {
            name,
            began,
            ended,
            is_hard,
            victim: None,
            concerned,
            silence: None,
            marks: if is_hard { vec![mark] } else { Vec::new() },
            silences: None,
        };
        self.kills.push(Kill { victim, trouble, over: load.elapsed() });
    }

    async fn holds(&self, host: usize) -> bool {
        holds_the_store(&self.demo.client(1 - host), &self.names[host], "statestore").await
    }

    /// Whoever has only been ordered once belongs to whom the ring gives it now: hosts come
    /// back under their names.
    async fn whose_orders(&mut self, calls: &[Call]) {
        let failed: BTreeSet<usize> = calls
            .iter()
            .filter(|call| call.actor >= REGULARS && !call.fate.is_answer())
            .map(|call| call.actor)
            .collect();
        let owners = owners(&self.demo.client(0), failed.iter().copied()).await.expect("owners");
        for Kill { victim, trouble, .. } in &mut self.kills {
            let is_all = trouble.concerned.len() == REGULARS;
            let (Victim::Worker(host) | Victim::Host(host)) = *victim else { continue };
            let name = &self.names[host];
            let of_it = failed.iter().zip(&owners).filter(|(_, owner)| is_all || *owner == name);
            trouble.concerned.extend(of_it.map(|(order, _)| *order));
        }
    }
}

/// What each actor says it was told: versions of baskets, and whether an order is there.
async fn finals(client: &Client, buyers: &Buyers) -> BTreeMap<usize, i64> {
    let orders = buyers.orders.load(Ordering::Relaxed);
    let ask = |actor: usize| async move {
        let answer = client.put(&path(actor, "Get"), "").await.expect("an answer").json();
        let found = match actor {
            basket if basket < BASKETS => {
                let items = answer["items"].as_array().cloned().unwrap_or_default();
                let counts = items.iter().filter_map(|item| item["count"].as_i64());
                let version = answer["version"].as_i64().unwrap_or(-1);
                assert_eq!(counts.sum::<i64>(), version, "each change added one: {answer}");
                version
            }
            // Nobody changed them.
            goods if goods < REGULARS => 0,
            _ if answer["ok"] == true => {
                assert_eq!(answer["totalCents"], 1_500, "{answer}");
                1
            }
            _ => {
                assert_eq!(answer["reason"], "not_found", "{answer}");
                0
            }
        };
        (actor, found)
    };
    stream::iter(0..REGULARS + orders).map(ask).buffered(CALLERS).collect().await
}

/// The last acknowledged command of each basket, sent again, is answered again.
async fn repeat(client: &Client, buyers: &Buyers) {
    let all = buyers.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(all.len(), BASKETS);
    for (basket, (version, command)) in all {
        let again = tell(client, basket, "Add", &command).await.expect("an answer");
        assert_eq!(again["version"], version, "{command}");
    }
}

/// The looks at the end as calls: whoever wrote the version that was found, or may have.
fn last_looks(calls: &[Call], finals: &BTreeMap<usize, i64>) -> Vec<Call> {
    let end = calls.iter().map(|call| call.ended).max().unwrap_or_default();
    let author = |actor: usize, count: i64| {
        let mut of_actor = calls.iter().filter(|call| call.actor == actor && call.op == ADDS_ONE);
        let wrote = |call: &&Call| match &call.fate {
            Fate::Answered(Some(seen)) => seen.sum == count,
            Fate::Answered(None) | Fate::Failed(..) | Fate::HungUp => false,
        };
        let known = of_actor.clone().find(wrote);
        let author = known.or_else(|| {
            of_actor.find(|call| matches!(call.fate, Fate::Failed(Effect::Maybe | Effect::Done, _)))
        });
        author.map(|call| call.number).unwrap_or_default()
    };
    let looks = (1..).zip(finals).map(|(number, (actor, count))| Call {
        number: calls.len() as u64 + number,
        actor: *actor,
        op: Op::Read(Object::Counter),
        via: 0,
        began: end + Duration::from_millis(1),
        ended: end + Duration::from_millis(2),
        fate: counted(*count, if *count == 0 { 0 } else { author(*actor, *count) }),
    });
    looks.collect()
}

/// All that is wrong, and a line for each kill.
fn judge(scene: &Scene, calls: &[Call], finals: &BTreeMap<usize, i64>) -> (String, String) {
    let (mut wrong, mut report) = (String::new(), String::new());
    let troubles: Vec<_> = scene.kills.iter().map(|kill| kill.trouble.clone()).collect();
    let told: Vec<_> = calls.iter().cloned().chain(last_looks(calls, finals)).collect();
    let events = story::of_calls(&told, &troubles, |host, _| u32::try_from(host).unwrap_or(0));
    let terms = Terms { recovery: UNHEARD, ..verdict::terms(LEASE) };
    let mut violations = history::check(&events, &terms);
    violations.extend(verdict::unexcused(calls, &troubles, UNHEARD));
    for violation in violations {
        let _ = writeln!(wrong, "{violation}");
    }
    for Kill { trouble, over, .. } in &scene.kills {
        let regulars = Trouble {
            concerned: trouble.concerned.iter().copied().filter(|one| *one < REGULARS).collect(),
            ..trouble.clone()
        };
        let back = silence(&regulars, calls).unwrap_or_default();
        if back > LEASE + SLACK {
            let _ = writeln!(wrong, "{}: no answer for {back:?}", trouble.name);
        }
        let others = calls.iter().filter(|call| {
            call.ended >= trouble.began
                && call.began <= *over
                && !trouble.concerned.contains(&call.actor)
                && call.actor < REGULARS
        });
        let longest = others.map(|call| call.ended.saturating_sub(call.began)).max();
        let longest = longest.unwrap_or_default();
        if trouble.concerned.len() < REGULARS && longest > UNMOVED {
            let _ = writeln!(wrong, "{}: another's call took {longest:?}", trouble.name);
        }
        let failed = calls.iter().filter(|call| {
            call.fate.is_failure() && call.ended >= trouble.began && call.began <= *over
        });
        let _ = writeln!(
            report,
            "{} from {:?} to {:?}, over at {over:?}: {} of {REGULARS} concerned, back after {back:?}, longest of others {longest:?}, {} failed",
            trouble.name,
            trouble.began,
            trouble.ended,
            regulars.concerned.len(),
            failed.count(),
        );
    }
    for call in calls.iter().filter(|call| !call.fate.is_answer()) {
        let _ = writeln!(report, "{call:?}");
    }
    (wrong, report)
}

// O2, O4, O5, O6, O8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_the_shop_takes_orders() {
    let demo = Demo::new();
    let (buyers, tasks) = (Arc::new(Buyers::default()), Tasks::new("buyers"));
    let mut scene = Scene::open(demo.start(&[]).await).await;
    let clients = (0..HOSTS).map(|host| scene.demo.client(host)).collect();
    let work: Arc<dyn Work> = Arc::<Buyers>::clone(&buyers);
    let mut load = Load::start(clients, CALLERS, work, &tasks);
    until_called(&load).await;
    for _ in 0..ROUNDS {
        scene.kill(&load, Victim::Worker(0)).await;
        scene.kill(&load, Victim::Worker(1)).await;
        let holder = usize::from(!scene.holds(0).await);
        scene.kill(&load, Victim::Host(1 - holder)).await;
        scene.kill(&load, Victim::Host(holder)).await;
        scene.kill(&load, Victim::Placement).await;
    }
    load.stop().await;
    let calls = load.take();
    scene.whose_orders(&calls).await;
    let client = scene.demo.client(0);
    let finals = finals(&client, &buyers).await;
    repeat(&client, &buyers).await;
    let (wrong, report) = judge(&scene, &calls, &finals);
    let told = calls.iter().filter(|call| call.fate.is_answer()).count();
    assert!(wrong.is_empty(), "{wrong}\n{report}\n{told} calls were answered");
    scene.demo.stop().await;
}
