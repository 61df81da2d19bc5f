//! The shop's failure cases and loads, with real processes: placement, two hosts, and the
//! shop beside each.
//!
//! Buyers go in by the services, as clients do, and ask again with the same request when an
//! answer got lost. At the end of each, the ledger is closed: nothing was sold that was not
//! there, nothing is held but for orders that can still be paid (`ledger`). `cases` has what
//! goes wrong in a shop, `troubles` what goes wrong below it, `loads` the crowds, `baskets` what they carry, `figures` how
//! many a second; those that are too long for every day are ignored and run by hand.

mod baskets;
mod cases;
mod figures;
mod ledger;
mod loads;
mod replicas;
mod troubles;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::join;
use futures::{StreamExt as _, stream};
use odeon_base::WallClock as _;
use odeon_base::clock::SystemClock;
use odeon_test_support::{Client, until};
use serde_json::{Value, json};

use crate::demo::{Demo, HOSTS, Running};

/// Who asks at once, in the loads.
const AT_ONCE: usize = 64;
/// Who buys all the time, while something is done to the cluster.
const REGULARS: usize = 8;
/// How long orders of a test that is not about time can be paid.
const LONG: u32 = 300;

const ORDER: &str = "/tradeservice/orderusecase/createorder";
const LATER: &str = "/tradeservice/orderusecase/createorderbysaga";
const PAY: &str = "/tradeservice/orderusecase/orderpay";
const CANCEL: &str = "/tradeservice/orderusecase/ordercancel";
const CHECKOUT: &str = "/tradeservice/orderquery/getcheckout";
const SHOWN: &str = "/tradeservice/orderquery/getorder";
const STAFF: &str = "eshopadmin";

/// The shop as it runs.
struct Shop {
    running: Running,
}

/// An answer of the services: status and envelope.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    status: u16,
    envelope: Value,
}

impl Told {
    fn reason(&self) -> &str {
        self.envelope["reason"].as_str().unwrap_or_default()
    }

    fn data(&self) -> &Value {
        assert_eq!(self.envelope["code"], 0, "{self:?}");
        &self.envelope["data"]
    }

    fn order_id(&self) -> String {
        self.data()["orderId"].as_str().expect("an order").to_owned()
    }
}

impl Shop {
    async fn open() -> Self {
        Self { running: Demo::new().start(&[]).await }
    }

    async fn close(self) {
        self.running.stop().await;
    }

    /// Asks once, beside this host.
    async fn once(&self, host: usize, who: &str, path: &str, body: &Value) -> Result<Told, String> {
        let client = Client::new(self.running.shop(host % HOSTS));
        let client =
            if who.is_empty() { client } else { client.with_header("Authentication", who) };
        let answer = client.post(path, &body.to_string()).await?;
        Ok(Told { status: answer.status, envelope: answer.json() })
    }

    /// Asks until there is an answer that is not technical trouble, beside one host after the
    /// other. What is asked has an id, so asking again does no harm.
    async fn ask(&self, who: &str, path: &str, body: &Value) -> Told {
        let tries = AtomicUsize::new(who.len());
        let what = format!("{path} of {who}");
        until(&what, || async {
            let host = tries.fetch_add(1, Ordering::Relaxed);
            let told = self.once(host, who, path, body).await.ok()?;
            // An order that took longer than anybody waits for is asked for once more.
            let is_late = path == ORDER && told.status == 202;
            (told.status < 500 && told.status != 429 && !is_late).then_some(told)
        })
        .await
    }

    async fn ok(&self, who: &str, path: &str, body: Value) -> Value {
        self.ask(who, path, &body).await.data().clone()
    }

    /// New goods on the shelf.
    async fn goods(&self, id: &str, cents: u64, stock: u32) {
        let price = format!("{}.{:02}", cents / 100, cents % 100);
        let price: Value = serde_json::from_str(&price).expect("a number");
        let new =
            json!({"id": id, "goodsName": id, "price": price, "stock": stock, "categoryId": "hot"});
        let told = self.ask(STAFF, "/goodsservice/goodsusecase/creategoods", &new).await;
        assert!(told.status == 200 || told.reason() == "duplicate", "{told:?}");
        self.shelve(id, true).await;
    }

    async fn shelve(&self, id: &str, shelf: bool) {
        let path = "/goodsservice/goodsusecase/upordownshelfgoods";
        self.ok(STAFF, path, json!({"id": id, "shelfState": shelf})).await;
    }

    /// An order with all that happened to it.
    async fn shown(&self, order_id: &str) -> Value {
        self.ok(STAFF, SHOWN, json!({"orderId": order_id})).await
    }

    /// Where an order stands.
    async fn phase(&self, order_id: &str) -> String {
        self.shown(order_id).await["phase"].as_str().expect("a phase").to_owned()
    }

    /// Waits until an order stands there.
    async fn until_phase(&self, order_id: &str, wanted: &str) {
        let what = format!("order {order_id} to be {wanted}");
        until(&what, || async { (self.phase(order_id).await == wanted).then_some(()) }).await;
    }

    /// Waits until a checkout has a result; its answer.
    async fn until_checked_out(&self, who: &str, order_id: &str) -> Told {
        let (what, body) = (format!("checkout {order_id}"), json!({"orderId": order_id}));
        until(&what, || async {
            let told = self.ask(who, CHECKOUT, &body).await;
            (told.status != 202).then_some(told)
        })
        .await
    }

    /// The host that an actor belongs to, as this host knows.
    async fn home(&self, asked: usize, actor_type: &str, id: &str) -> Option<usize> {
        let path = format!("/odeon/v1/placement/owner?type={actor_type}&id={id}");
        let owner = self.running.client(asked).get(&path).await.ok()?.json();
        for host in 0..HOSTS {
            if owner["host"] == self.running.name(host).await {
                return Some(host);
            }
        }
        None
    }

    /// A name like this whose actor belongs to this host.
    async fn name_at(&self, host: usize, actor_type: &str, like: &str) -> String {
        self.first_at(host, actor_type, like, str::to_owned).await
    }

    /// The first name like this of which an actor's id is made that belongs to this host, once
    /// both hosts have their share.
    async fn first_at(
        &self,
        host: usize,
        actor_type: &str,
        like: &str,
        id: impl Fn(&str) -> String,
    ) -> String {
        until("both hosts to have their share", || async {
            let mut found = [None, None];
            // Each has about half of all.
            for n in 0..32 {
                let name = format!("{like}-{n}");
                let home = self.home(host, actor_type, &id(&name)).await?;
                found[home].get_or_insert(name);
            }
            let [one, two] = found;
            let both = one.zip(two);
            both.map(|(one, two)| if host == 0 { one } else { two })
        })
        .await
    }

    /// Has buyers buy one after the other, a unit each time, while something is done; their
    /// orders, and what came of that. Who loses an answer asks again.
    async fn busy<T>(&self, goods: &str, done: impl Future<Output = T>) -> (Vec<String>, T) {
        self.buying(done, async |who, body| self.ask(&who, ORDER, &body).await, goods).await
    }

    /// As [`Shop::busy`], beside one host, where no answer may get lost.
    async fn busy_beside<T>(
        &self,
        host: usize,
        goods: &str,
        done: impl Future<Output = T>,
    ) -> (Vec<String>, T) {
        let once = async |who: String, body: Value| {
            let told = self.once(host, &who, ORDER, &body).await.expect("an answer");
            assert_eq!(told.status, 200, "{told:?}");
            told
        };
        self.buying(done, once, goods).await
    }

    async fn buying<T>(
        &self,
        done: impl Future<Output = T>,
        ask: impl AsyncFn(String, Value) -> Told,
        goods: &str,
    ) -> (Vec<String>, T) {
        let is_over = AtomicBool::new(false);
        let buying = for_all((0..REGULARS).map(|buyer| {
            let (is_over, ask) = (&is_over, &ask);
            async move {
                let (who, mut orders) = (format!("{goods}-regular-{buyer}"), Vec::new());
                while !is_over.load(Ordering::Relaxed) {
                    let body = order(&format!("r{}", orders.len()), &[(goods, 1)], LONG);
                    orders.push(ask(who.clone(), body).await.order_id());
                }
                orders
            }
        }));
        let doing = async {
            let done = done.await;
            is_over.store(true, Ordering::Relaxed);
            done
        };
        let (orders, done) = join(buying, doing).await;
        (orders.concat(), done)
    }

    /// Waits until so many are held.
    async fn until_held(&self, goods: &str, count: u32) -> u32 {
        until(&format!("{count} {goods} to be held"), || async {
            let held = self.held(goods).await;
            (held >= count).then_some(held)
        })
        .await
    }

    /// Waits until so many more are held than are now: of goods that go on being bought.
    async fn until_more_held(&self, goods: &str, more: u32) -> u32 {
        let before = self.held(goods).await;
        self.until_held(goods, before + more).await
    }
}

/// A request for an order.
fn order(request: &str, items: &[(&str, u32)], pay_within: u32) -> Value {
    let items = items.iter().map(|(id, count)| json!({"goodsId": id, "count": count}));
    let items: Vec<Value> = items.collect();
    let mut body = json!({"requestId": request, "items": items, "payWithinSeconds": pay_within});
    body["consignee"] = consignee();
    body
}

/// A request to pay one.
fn pay(order_id: &str, request: &str) -> Value {
    json!({"orderId": order_id, "requestId": request})
}

fn consignee() -> Value {
    json!({"name": "Ann Lee", "address": "7 Quay Street", "tel": "13000000000"})
}

/// What the clock says, since 1970.
fn now() -> Duration {
    SystemClock.now().duration_since(UNIX_EPOCH).expect("after 1970")
}

/// A time of the services, since 1970.
fn time(text: &Value) -> Duration {
    let time: odeon_eshop::domain::time::Time =
        text.as_str().expect("a time").parse().expect("a time");
    SystemTime::from(time).duration_since(UNIX_EPOCH).expect("after 1970")
}

/// When an order was cancelled, each time.
fn cancellations(shown: &Value) -> Vec<Duration> {
    let log = shown["log"].as_array().expect("a log").iter();
    let cancelled = log
        .filter(|one| one["tradeLogValue"].as_str().is_some_and(|did| did.contains(" cancelled ")));
    cancelled.map(|one| time(&one["tradeDate"])).collect()
}

/// Does something for all, so many at once; the results in order.
async fn for_all<T, F: Future<Output = T>>(all: impl IntoIterator<Item = F>) -> Vec<T> {
    stream::iter(all).buffered(AT_ONCE).collect().await
}

/// What whoever looks on is told.
#[expect(clippy::print_stderr, reason = "it is shown when a test fails, or by hand")]
fn say(line: &str) {
    eprintln!("{line}");
}
