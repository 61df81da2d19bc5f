//! The shop: its own actors on every host, buyers, and books that have to close at the end.
//!
//! There is less of everything than buyers want. Buyers ask again until they are told; some
//! pay, some give up, some forget. What the actors send out is told to the history, and so is
//! when it comes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::TaskKind;
use odeon_base::ident::ring_hash;
use odeon_blocks::reminder::Outbox;
use odeon_eshop::domain::goods::commands::Create;
use odeon_eshop::domain::ids;
use odeon_eshop::domain::order::payment::Pay;
use odeon_eshop::domain::order::{Cancel, Consignee};
use odeon_eshop::domain::saga::commands::{Source, Start, StartLine};
use odeon_eshop::{
    CatalogIndexActor, CheckoutActor, GoodsActor, OrderActor, OrderIndexActor, PaymentActor,
};
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::{ActorRef, Error, Reply, Turn, TypeSpec};
use odeon_sdk::Client;
use odeon_test_history::{Host, What};
use serde_json::Value;
use tokio::time::Instant;

use crate::chance::Chance;
use crate::clients::PATIENT;
use crate::host::Process;
use crate::peers::Guest;
use crate::reminders::{PARTITIONS, STORE};
use crate::world::{Told, World};

/// What there is, and how much of it.
const GOODS: [(&str, u32); 3] = [("soup", 10), ("tart", 14), ("tea", 40)];
/// Who wants it.
pub(crate) const BUYERS: u64 = 24;
/// Within which a buyer comes.
const COMING_MILLIS: u64 = 17_000;
/// Most that an order can be paid for, in seconds.
const PAY_WITHIN_MAX: u64 = 20;
/// Within which everything has come to its end, once nothing is done to anybody any more: the
/// last reminder about units that nobody wants is two minutes behind the last time to pay.
const END: Duration = Duration::from_secs(400);
/// What numbers of the shop's actors begin at, in the history.
const FROM: u32 = 1_000_000;

/// The number of one of the shop's actors in the history.
pub(crate) fn number(actor_type: &str, id: &str) -> u32 {
    let hash = ring_hash(format!("{actor_type}/{id}").as_bytes());
    FROM + u32::try_from(hash % 2_000_000_000).unwrap_or_default()
}

/// Has what turns send out delivered.
pub(crate) fn use_outbox(process: &Process) {
    let engine = &process.engine;
    let outbox = Outbox::new(engine, STORE, PARTITIONS, process.tasks.clone());
    engine.use_outbox(Arc::new(outbox.expect("these are names")));
}

/// The shop's types on one host.
pub(crate) fn specs(world: &Arc<World>, life: Host) -> Vec<TypeSpec> {
    let all = [
        odeon_sdk::spec::<CatalogIndexActor>(),
        odeon_sdk::spec::<CheckoutActor>(),
        odeon_sdk::spec::<GoodsActor>(),
        odeon_sdk::spec::<OrderActor>(),
        odeon_sdk::spec::<OrderIndexActor>(),
        odeon_sdk::spec::<PaymentActor>(),
    ];
    let watched = all.map(|spec| {
        let (world, behaviour) = (Arc::clone(world), spec.behaviour);
        TypeSpec { behaviour: Arc::new(Watched { world, life, behaviour }), ..spec }
    });
    watched.into()
}

/// A behaviour of which the history is told when messages come.
#[derive(Debug)]
struct Watched {
    world: Arc<World>,
    life: Host,
    behaviour: Arc<dyn Behaviour>,
}

impl Behaviour for Watched {
    fn activate<'a>(&'a self, turn: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>> {
        self.behaviour.activate(turn)
    }

    fn invoke<'a>(
        &'a self,
        instance: &'a mut Instance,
        turn: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, Error>> {
        async move {
            let actor = of(turn.actor());
            let number = self.world.begin(self.world.number(), actor, self.life, turn.right());
            let world = &self.world;
            let mut running = Told { world, actor, turn: number, is_cut: true };
            if let Some(message) = &call.once {
                world.log.add(What::Received { message: message.as_str().to_owned(), by: actor });
            }
            let answer = self.behaviour.invoke(instance, turn, call).await;
            running.is_cut = false;
            answer
        }
        .boxed()
    }

    fn deactivate<'a>(&'a self, actor: &'a ActorRef, instance: Instance) -> BoxFuture<'a, ()> {
        self.behaviour.deactivate(actor, instance)
    }

    fn is_shared(&self) -> bool {
        self.behaviour.is_shared()
    }
}

fn of(actor: &ActorRef) -> u32 {
    number(actor.actor_type.as_str(), actor.id.as_str())
}

/// Puts everything on the shelf, before anything is done to anybody.
pub(crate) async fn open(world: &Arc<World>) {
    let chance = world.chance.child();
    for (id, stock) in GOODS {
        let command = Create {
            cmd_id: "c".to_owned(),
            category_id: "hot".to_owned(),
            name: id.to_owned(),
            price_cents: 900,
            stock,
            shelf: true,
            ..Create::default()
        };
        let create = |client: Client| {
            let command = command.clone();
            async move { client.actor::<GoodsActor>(id)?.create(command).await }
        };
        asked(world, &chance, create).await;
    }
}

/// Asks through one host after the other until there is an answer.
async fn asked<T: Send + 'static, F>(
    world: &Arc<World>,
    chance: &Chance,
    ask: impl Fn(Client) -> F,
) -> T
where
    F: Future<Output = odeon_sdk::Result<T>> + Send + 'static,
{
    loop {
        let open: Vec<_> =
            world.running().into_iter().filter(|process| process.is_open()).collect();
        if let Some(process) = chance.pick(&open) {
            let guest = Guest::enter(process);
            let patience = if chance.one_in(4) { chance.millis(20, 800) } else { PATIENT };
            let client = Client::embedded(process.engine.clone()).with_timeout(patience);
            let asking = ask(client);
            // It ends with the process if that dies.
            let asking = process.tasks.spawn(TaskKind::Connection, async move {
                let _guest = guest;
                asking.await
            });
            if let Ok(Ok(Ok(answer))) = tokio::time::timeout(PATIENT, asking).await {
                return answer;
            }
        }
        tokio::time::sleep(chance.millis(50, 700)).await;
    }
}

/// What a buyer does about an order that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Pays,
    GivesUp,
    PaysAndGivesUp,
    Forgets,
}

/// Comes, orders, and pays or not.
pub(crate) async fn buyer(world: Arc<World>, chance: Chance, number: u64) {
    tokio::time::sleep(chance.millis(0, COMING_MILLIS)).await;
    let buyer = format!("buyer-{number}");
    let order_id = ids::order(&buyer, "r1");
    let start = start(&chance, &buyer);
    let moods = [Mood::Pays, Mood::Pays, Mood::GivesUp, Mood::PaysAndGivesUp, Mood::Forgets];
    let mood = chance.pick(&moods).copied().unwrap_or(Mood::Forgets);
    let begin = || {
        asked(&world, &chance, |client| {
            let (order_id, start) = (order_id.clone(), start.clone());
            async move { client.actor::<CheckoutActor>(&order_id)?.start(start).await }
        })
    };
    // Some press twice.
    if chance.one_in(3) {
        futures::join!(begin(), begin());
    } else {
        begin().await;
    }
    // Some wait for it, and some let it come.
    let drives = chance.one_in(2);
    let standing = loop {
        let order_id = order_id.clone();
        let answer = asked(&world, &chance, |client| {
            let order_id = order_id.clone();
            async move {
                let checkout = client.actor::<CheckoutActor>(&order_id)?;
                if drives { checkout.drive().await } else { checkout.get().await }
            }
        })
        .await;
        match answer.0 {
            Ok(standing) if standing.result.is_none() => {}
            Ok(standing) => break standing,
            Err(refusal) => {
                return world.log.add(What::Unsound { why: format!("{order_id}: {refusal}") });
            }
        }
        tokio::time::sleep(chance.millis(20, 900)).await;
    };
    if standing.refusal.is_some() {
        return;
    }
    if matches!(mood, Mood::Pays | Mood::PaysAndGivesUp) {
        tokio::time::sleep(chance.millis(0, 6_000)).await;
        asked(&world, &chance, |client| {
            let (order_id, pay) =
                (order_id.clone(), Pay { request_id: "p".into(), card_tail: None });
            async move { client.actor::<OrderActor>(&order_id)?.pay(pay).await }
        })
        .await;
    }
    if matches!(mood, Mood::GivesUp | Mood::PaysAndGivesUp) {
        tokio::time::sleep(chance.millis(0, 3_000)).await;
        asked(&world, &chance, |client| {
            let (cmd_id, by) = ("c".to_owned(), "a buyer".to_owned());
            let cancel = Cancel { cmd_id, by, reason: "changed my mind".to_owned() };
            let order_id = order_id.clone();
            async move { client.actor::<OrderActor>(&order_id)?.cancel(cancel).await }
        })
        .await;
    }
}

fn start(chance: &Chance, buyer: &str) -> Start {
    let goods = GOODS.iter().filter(|_| !chance.one_in(4)).map(|(id, _)| StartLine {
        goods_id: (*id).to_owned(),
        count: 1 + u32::try_from(chance.below(2)).unwrap_or_default(),
        ..StartLine::default()
    });
    let mut items: Vec<StartLine> = goods.collect();
    if items.is_empty() {
        items.push(StartLine { goods_id: "soup".to_owned(), count: 1, ..StartLine::default() });
    }
    let within = 2 + chance.below(usize::try_from(PAY_WITHIN_MAX - 2).unwrap_or_default());
    Start {
        request_id: "r1".to_owned(),
        buyer_id: buyer.to_owned(),
        buyer_name: buyer.to_owned(),
        source: Source::Direct,
        items,
        consignee: Consignee {
            name: "Ann Lee".to_owned(),
            address: "7 Quay Street".to_owned(),
            tel: "13000000000".to_owned(),
        },
        pay_within_seconds: u32::try_from(within).ok(),
        ..Start::default()
    }
}

/// Waits until everything has come to its end; what does not add up then is told.
pub(crate) async fn close(world: &World) {
    let until = Instant::now() + END;
    loop {
        let wrong = wrong(world);
        if wrong.is_empty() {
            return;
        }
        if Instant::now() >= until {
            return wrong.into_iter().for_each(|why| world.log.add(What::Unsound { why }));
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

/// What does not add up, or has not come to its end.
fn wrong(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let orders: BTreeMap<String, Value> = (0..BUYERS)
        .map(|number| ids::order(&format!("buyer-{number}"), "r1"))
        .filter_map(|id| {
            let order = kept(world, "OrderActor", &id, "order")?;
            Some((id, order))
        })
        .collect();
    if orders.len() < usize::try_from(BUYERS).unwrap_or_default() {
        wrong.push(format!("{} of {BUYERS} orders have come about or not", orders.len()));
    }
    let phase = |id: &str| orders.get(id).and_then(|order| order["phase"].as_str()).unwrap_or("");
    for id in orders.keys().filter(|id| ["unpaid", "paying", "refunding"].contains(&phase(id))) {
        wrong.push(format!("order {id} is {} for ever", phase(id)));
    }
    let mut sold = BTreeMap::<(String, String), u64>::new();
    for (goods, brought) in GOODS {
        let stock = kept(world, "GoodsActor", goods, "stock").unwrap_or_default();
        let mut units = BTreeMap::<String, u64>::new();
        for (key, kept) in world.store.rows("GoodsActor", goods) {
            let Some(order_id) = key.strip_prefix("res:") else { continue };
            let kept: Value = serde_json::from_slice(&kept).unwrap_or_default();
            let state = kept["state"].as_str().unwrap_or_default().to_owned();
            let count = kept["count"].as_u64().unwrap_or_default();
            let is_so = match state.as_str() {
                "committed" => phase(order_id) == "paid",
                "returned" => phase(order_id) == "refunded",
                "released" | "refused" => ["cancelled", "refused"].contains(&phase(order_id)),
                _ => false,
            };
            if !is_so {
                wrong.push(format!("{goods} are {state} for {order_id}: {}", phase(order_id)));
            }
            *units.entry(state).or_default() += count;
            sold.insert((goods.to_owned(), order_id.to_owned()), count);
        }
        let of = |state: &str| units.get(state).copied().unwrap_or_default();
        let (on_hand, held) = (stock["onHand"].as_u64(), stock["held"].as_u64());
        if on_hand != Some(u64::from(brought) - of("committed").min(brought.into()))
            || held != Some(0)
        {
            wrong.push(format!("{brought} {goods} were brought: {stock} {units:?}"));
        }
    }
    for id in orders.keys().filter(|id| phase(id) != "refused") {
        let items = kept(world, "OrderActor", id, "items").unwrap_or_default();
        for line in items.as_array().into_iter().flatten() {
            let goods = line["goodsId"].as_str().unwrap_or_default().to_owned();
            if sold.get(&(goods, id.clone())).copied() != line["count"].as_u64() {
                wrong.push(format!("order {id} is without its {line}"));
            }
        }
    }
    wrong
}

fn kept(world: &World, actor_type: &str, id: &str, key: &str) -> Option<Value> {
    let rows = world.store.rows(actor_type, id);
    let (_, value) = rows.into_iter().find(|(name, _)| &**name == key)?;
    serde_json::from_slice(&value).ok()
}
