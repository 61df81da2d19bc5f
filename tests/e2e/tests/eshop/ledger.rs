//! The conservation law, read from what the goods keep.
//!
//! `brought = on hand + committed`, where what came back is on hand again; `held` is the sum
//! of what is held; each reservation is what its order says; and no order is without its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use odeon_test_support::until;
use serde_json::{Value, json};

use super::Shop;
use crate::demo::HOSTS;

/// Most keys in one page.
const PAGE: usize = 1_000;
/// After which another host is asked.
const SILENT: Duration = Duration::from_secs(3);

/// What goods keep of the orders that they were reserved for: state and count.
type Book = BTreeMap<String, (String, u32)>;

impl Shop {
    /// Waits until nothing is on its way and closes the ledger of some goods, of which so many
    /// were brought; units by state.
    pub(super) async fn close_ledger(&self, goods: &str, brought: u32) -> BTreeMap<String, u32> {
        let what = format!("the ledger of {goods} to close");
        let last = Mutex::new(String::new());
        until(&what, || async {
            let wrong = match self.ledger(goods, brought).await {
                Ok(units) => return Some(units),
                Err(wrong) => wrong,
            };
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if *last != wrong {
                super::say(&wrong);
                *last = wrong;
            }
            None
        })
        .await
    }

    async fn ledger(&self, goods: &str, brought: u32) -> Result<BTreeMap<String, u32>, String> {
        let stock = self.stored(goods, "stock").await;
        let number = |name: &str| u32::try_from(stock[name].as_u64().unwrap_or_default());
        let (on_hand, held) = (number("onHand").expect("few"), number("held").expect("few"));
        let book = self.book(goods).await;
        let mut units = BTreeMap::new();
        for (state, count) in book.values() {
            *units.entry(state.clone()).or_default() += count;
        }
        let of = |state: &str| units.get(state).copied().unwrap_or_default();
        if on_hand + of("committed") != brought {
            return Err(format!("{brought} were brought: {stock} {units:?}"));
        }
        if held != of("held") || held > on_hand {
            return Err(format!("{held} are held: {stock} {units:?}"));
        }
        let asked = book.iter().map(|(order_id, (state, _))| self.agrees(order_id, state));
        let asked = super::for_all(asked).await;
        asked.into_iter().collect::<Result<Vec<()>, _>>()?;
        Ok(units)
    }

    /// Whether an order stands where its reservation says.
    async fn agrees(&self, order_id: &str, state: &str) -> Result<(), String> {
        let told = self.ask(super::STAFF, super::SHOWN, &json!({"orderId": order_id})).await;
        let order = match told.status {
            200 => told.data().clone(),
            _ => Value::Null,
        };
        is_of(state, &order)
            .then_some(())
            .ok_or_else(|| format!("{order_id} is {state}, and the order is {}", order["phase"]))
    }

    /// Holds each of these orders against what its goods keep of it: no line is without its
    /// units. To be called once the ledgers are closed.
    pub(super) async fn close_orders(&self, orders: &[String]) {
        let closed = orders.iter().map(|order_id| async move {
            let order = self.shown(order_id).await;
            for line in order["orderItems"].as_array().expect("lines") {
                let goods = line["goodsId"].as_str().expect("goods");
                let kept = self.stored(goods, &format!("res:{order_id}")).await;
                let state = kept["state"].as_str().unwrap_or_default();
                let is_backed = is_of(state, &order) && kept["count"] == line["count"];
                assert!(is_backed, "{goods} keep {kept} of {order}");
            }
        });
        super::for_all(closed).await;
    }

    async fn book(&self, goods: &str) -> Book {
        let (mut book, mut after) = (Book::new(), None::<String>);
        loop {
            let mut body = json!({"startsWith": "res:", "limit": PAGE});
            if let Some(after) = &after {
                body["after"] = json!(after);
            }
            let page = self.of_state(goods, "keys", body).await;
            let keys: Vec<String> = page["keys"]
                .as_array()
                .expect("keys")
                .iter()
                .filter_map(|key| key.as_str().map(str::to_owned))
                .collect();
            let values = super::for_all(keys.iter().map(|key| self.stored(goods, key))).await;
            for (key, value) in keys.iter().zip(values) {
                let state = value["state"].as_str().expect("a state").to_owned();
                let count =
                    u32::try_from(value["count"].as_u64().unwrap_or_default()).expect("few");
                let order_id = key.strip_prefix("res:").expect("a reservation");
                book.insert(order_id.to_owned(), (state, count));
            }
            match page["next"].as_str() {
                Some(next) => after = Some(next.to_owned()),
                None => return book,
            }
        }
    }

    /// How many are held.
    pub(super) async fn held(&self, goods: &str) -> u32 {
        let held = self.stored(goods, "stock").await["held"].as_u64();
        held.and_then(|held| u32::try_from(held).ok()).expect("a number")
    }

    async fn stored(&self, goods: &str, key: &str) -> Value {
        self.of_state(goods, "get", json!({"key": key})).await
    }

    /// Asks the store about what goods keep.
    async fn of_state(&self, goods: &str, method: &str, mut body: Value) -> Value {
        body["actorType"] = json!("GoodsActor");
        body["actorId"] = json!(goods);
        let path = format!("/v1.0/actors/sys.state/statestore/method/{method}");
        let tries = AtomicUsize::new(0);
        until(&format!("{method} of {goods}"), || async {
            let client = self.running.client(tries.fetch_add(1, Ordering::Relaxed) % HOSTS);
            let body = body.to_string();
            // One that stands still says nothing; the other may know.
            let asked = tokio::time::timeout(SILENT, client.put(&path, &body));
            let answer = asked.await.ok()?.ok()?;
            (answer.status == 200).then(|| answer.json())
        })
        .await
    }
}

/// Whether units of this state may belong to an order that stands there; to none, if it is null.
fn is_of(state: &str, order: &Value) -> bool {
    let phase = order["phase"].as_str().unwrap_or_default();
    match state {
        "held" => ["unpaid", "paying"].contains(&phase),
        "committed" => {
            ["paid", "shipped", "finished"].contains(&phase)
                || (phase == "refunding" && order["orderState"] == 1)
        }
        "returned" => phase == "refunded",
        "released" | "refused" => {
            ["", "cancelled", "refused"].contains(&phase)
                || (phase == "refunding" && order["orderState"] == -1)
        }
        _ => false,
    }
}
