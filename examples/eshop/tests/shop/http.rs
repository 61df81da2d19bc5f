//! The services in front, without a port: who may ask, what is refused and how that is told,
//! and an order from the basket to its log.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use odeon_base::Entropy;
use odeon_eshop::domain::basket::Merge;
use odeon_eshop::domain::categories::Create as Category;
use odeon_eshop::domain::goods::commands::Create;
use odeon_eshop::domain::handlers::CATEGORIES;
use odeon_eshop::domain::ids;
use odeon_eshop::http::Services;
use odeon_eshop::{BasketActor, CategoryActor, GoodsActor};
use odeon_sdk::testkit::Running;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::shop;

/// The services before a shop, and somebody who asks there.
struct Desk {
    kit: Running,
    router: Router,
}

impl Desk {
    /// With ten bowls of soup and two tarts on the shelf.
    async fn new() -> Self {
        let kit = shop().await;
        let hot = Category {
            cmd_id: "c".into(),
            id: "hot".into(),
            category_name: "Hot dishes".into(),
            sort: 0,
        };
        let categories = kit.client().actor::<CategoryActor>(CATEGORIES).unwrap();
        categories.create(hot).await.unwrap().0.unwrap();
        for (id, name, price_cents, stock) in
            [("soup", "Noodle soup", 900, 10), ("tart", "Egg tart", 500, 2)]
        {
            let command = Create {
                cmd_id: "c".into(),
                category_id: "hot".into(),
                name: name.into(),
                price_cents,
                stock,
                shelf: true,
                ..Create::default()
            };
            let goods = kit.client().actor::<GoodsActor>(id).unwrap();
            goods.create(command).await.unwrap().0.unwrap();
        }
        let router = Services::new(kit.client(), Entropy::seeded(1)).router();
        Self { kit, router }
    }

    async fn send(&self, request: Request<Body>) -> (u16, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Asks as somebody; as nobody if the name is empty.
    async fn ask(&self, account: &str, path: &str, body: Value) -> (u16, Value) {
        let mut request = Request::post(path);
        if let Some(guest) = account.strip_prefix("guest:") {
            request = request.header("x-eshop-guest", guest);
        } else if !account.is_empty() {
            request = request.header("Authentication", account);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send(request.body(body).unwrap()).await
    }

    async fn ok(&self, account: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(account, path, body).await;
        assert!(status < 300 && answer["code"] == 0, "{path}: {status} {answer}");
        answer["data"].clone()
    }

    /// That the answer is no, and in which words for programs.
    async fn no(&self, account: &str, path: &str, body: Value) -> (u16, String, String) {
        let (status, answer) = self.ask(account, path, body).await;
        assert_eq!(answer["code"], -1, "{path}: {status} {answer}");
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        assert!(!text("message").is_empty(), "{answer}");
        (status, text("reason"), text("field"))
    }

    /// How many are in the house, and how many of them are held.
    async fn goods(&self, id: &str) -> (u64, u64) {
        let goods = self.ok("", "/goodsservice/goodsquery/getgoods", json!({"goodsId": id})).await;
        (goods["stock"].as_u64().unwrap(), goods["held"].as_u64().unwrap())
    }
}

const ORDER: &str = "/tradeservice/orderusecase/createorder";

fn order(request: &str, items: Value) -> Value {
    let to = json!({"name": "Ann Lee", "address": "7 Quay Street", "tel": "13000000000"});
    let mut body = json!({"requestId": request, "consignee": to});
    body["items"] = items;
    body
}

#[tokio::test]
async fn a_basket_becomes_an_order() {
    let desk = Desk::new().await;
    let line = json!({"GoodsId": "soup", "Count": 2});
    let basket = desk.ok("guest:xyz", "/BasketService/Basket/Add", line).await;
    assert_eq!(basket["items"][0]["name"], "Noodle soup");
    assert_eq!((&basket["total"], &basket["version"]), (&json!(18.0), &json!(1)));
    let line = json!({"goodsId": "tart", "count": 1});
    desk.ok("ann", "/basketservice/basket/setitem", line).await;
    let mut request = Request::post("/basketservice/basket/merge");
    request = request.header("Authorization", "Bearer ann").header("x-eshop-guest", "xyz");
    let (status, merged) = desk.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!((status, merged["data"]["items"].as_array().unwrap().len()), (200, 2), "{merged}");
    let guests = desk.ok("guest:xyz", "/basketservice/basket/get", Value::Null).await;
    assert_eq!(guests["items"], json!([]));

    let mut checkout = order("r1", json!([]));
    checkout.as_object_mut().unwrap().remove("items");
    let started = desk.ok("ann", "/basketservice/basket/checkout", checkout).await;
    let id = json!({"orderId": started["orderId"]});
    let saga = desk.kit.client();
    let saga = saga.actor::<odeon_eshop::CheckoutActor>(started["orderId"].as_str().unwrap());
    let saga = saga.unwrap();
    let mut rounds = 0..10;
    while saga.drive().await.unwrap().0.unwrap().result.is_none() {
        assert!(rounds.next().is_some(), "it does not get on: {:?}", saga.get().await);
    }
    let placed = desk.ok("ann", "/tradeservice/orderquery/getcheckout", id.clone()).await;
    assert_eq!(placed["totalCents"], 2_300);
    let shown = desk.ok("ann", "/tradeservice/orderquery/getorder", id.clone()).await;
    assert_eq!((&shown["phase"], &shown["orderState"]), (&json!("unpaid"), &json!(0)));
    assert_eq!(shown["orderItems"][1]["price"], 9.0, "{shown}");
    let basket = desk.ok("ann", "/basketservice/basket/get", Value::Null).await;
    assert_eq!(basket["items"], json!([]));

    // It is hers, and nobody else's.
    for (who, status) in [("bob", 403), ("eshopadmin", 200)] {
        let found = desk.ask(who, "/tradeservice/orderquery/getorder", id.clone()).await;
        assert_eq!(found.0, status, "{who}");
    }
    let gone = json!({"orderId": id["orderId"], "reason": "changed my mind"});
    let no = desk.no("bob", "/tradeservice/orderusecase/ordercancel", gone.clone()).await;
    assert_eq!(no.1, "forbidden");
    desk.ok("ann", "/tradeservice/orderusecase/ordercancel", gone).await;
    let log = desk.ok("ann", "/tradeservice/tradelogquery/gettradeloglistbyorderid", id).await;
    let newest = log[0]["tradeLogValue"].as_str().unwrap();
    assert!(newest.contains("cancelled") && newest.contains("changed my mind"), "{log}");
}

#[tokio::test]
async fn a_basket_that_was_merged_and_not_emptied_is_not_merged_twice() {
    let desk = Desk::new().await;
    let line = json!({"goodsId": "soup", "count": 2});
    desk.ok("guest:xyz", "/basketservice/basket/add", line).await;
    // As far as an earlier request came.
    let client = desk.kit.client();
    let guests = client.actor::<BasketActor>("guest:xyz").unwrap().get().await.unwrap().0.unwrap();
    let cmd_id = ids::merge("guest:xyz", guests.basket.version);
    let merge = Merge { cmd_id, items: guests.basket.items };
    client.actor::<BasketActor>("ann").unwrap().merge(merge).await.unwrap().0.unwrap();
    for _ in 0..2 {
        let mut request = Request::post("/basketservice/basket/merge");
        request = request.header("Authentication", "ann").header("x-eshop-guest", "xyz");
        let (status, merged) = desk.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((status, &merged["data"]["items"][0]["count"]), (200, &json!(2)), "{merged}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_is_told_as_the_bank_answers() {
    const PAY: &str = "/tradeservice/orderusecase/orderpay";
    let desk = Desk::new().await;
    for (request, card, status) in [("r1", "", 200), ("r2", "0002", 409), ("r3", "0005", 202)] {
        let items = json!([{"goodsId": "soup", "count": 1}]);
        let placed = desk.ok("ann", ORDER, order(request, items)).await;
        let mut pay = json!({"orderId": placed["orderId"], "requestId": "p1"});
        if !card.is_empty() {
            pay["cardTail"] = json!(card);
        }
        let (found, answer) = desk.ask("ann", PAY, pay).await;
        assert_eq!(found, status, "{card}: {answer}");
    }
}

#[tokio::test]
async fn the_same_request_twenty_times_at_once_is_one_order() {
    let desk = Desk::new().await;
    let request = || desk.ok("ann", ORDER, order("r1", json!([{"goodsId": "soup", "count": 1}])));
    let answers = futures::future::join_all((0..20).map(|_| request())).await;
    let first = crate::all_equal(answers);
    assert_eq!((&first["totalCents"], &first["totalPrice"]), (&json!(900), &json!(9.0)));
    assert_eq!(desk.goods("soup").await, (10, 1));
}

#[tokio::test]
async fn what_cannot_be_had_is_refused_and_nothing_stays_reserved() {
    let desk = Desk::new().await;
    let two = json!([{"goodsId": "soup", "count": 1}, {"goodsId": "tart", "count": 3}]);
    let (status, answer) = desk.ask("ann", ORDER, order("r1", two)).await;
    assert_eq!(
        (status, &answer["reason"], &answer["available"]),
        (409, &json!("out_of_stock"), &json!(2))
    );
    assert_eq!(desk.goods("soup").await, (10, 0));
    let dear = json!([{"goodsId": "soup", "count": 1, "expectPriceCents": 800}]);
    let (status, answer) = desk.ask("ann", ORDER, order("r2", dear)).await;
    assert_eq!((status, &answer["priceCents"]), (409, &json!(900)), "{answer}");
    let shelf = json!({"id": "tart", "shelfState": false});
    desk.ok("eshopadmin", "/goodsservice/goodsusecase/upordownshelfgoods", shelf).await;
    let tart = json!([{"goodsId": "tart", "count": 1}]);
    assert_eq!(desk.no("ann", ORDER, order("r3", tart)).await.1, "off_shelf");
    assert_eq!(desk.goods("tart").await, (2, 0));
}

#[tokio::test]
async fn wrong_input_is_refused_with_its_field() {
    let desk = Desk::new().await;
    let line = |count: Value| json!([{"goodsId": "soup", "count": count}]);
    let many: Vec<_> = (0..51).map(|n| json!({"goodsId": format!("g{n}"), "count": 1})).collect();
    for (items, field) in [
        (line(json!(0)), "count"),
        (line(json!(100)), "count"),
        (line(json!(-1)), "items[0].count"),
        (line(json!(1e9)), "items[0].count"),
        (line(json!("1")), "items[0].count"),
        (json!(many), "items"),
        (json!([]), "items"),
        (json!([{"goodsId": "caviar", "count": 1}]), "items"),
        (json!([{"goodsId": "soup", "amount": 1}]), "items[0].amount"),
    ] {
        let no = desk.no("ann", ORDER, order("r1", items.clone())).await;
        assert_eq!(no, (400, "invalid".into(), field.into()), "{items}");
    }
    let priced = |price: Value| json!({"goodsName": "Rice", "price": price, "stock": 1, "categoryId": "hot"});
    for (price, field) in [(json!(1.999), "price"), (json!("4"), "price"), (json!(0), "priceCents")]
    {
        let no =
            desk.no("eshopadmin", "/goodsservice/goodsusecase/creategoods", priced(price)).await;
        assert_eq!((no.0, no.2.as_str()), (400, field));
    }
    for (stock, status) in [(100_001, 400), (0, 200)] {
        let stock = json!({"goodsId": "tart", "deductionStock": stock});
        let path = "/goodsservice/goodsusecase/updategoodsstock";
        assert_eq!(desk.ask("eshopadmin", path, stock).await.0, status);
    }
    assert_eq!(desk.goods("soup").await, (10, 0), "nothing is reserved");
}

#[tokio::test]
async fn stock_that_is_promised_cannot_be_taken_away() {
    let desk = Desk::new().await;
    desk.ok("ann", ORDER, order("r1", json!([{"goodsId": "soup", "count": 4}]))).await;
    let stock = |left: u32| json!({"goodsId": "soup", "deductionStock": left});
    let path = "/goodsservice/goodsusecase/updategoodsstock";
    assert_eq!(desk.no("eshopclerk", path, stock(3)).await.1, "conflict");
    let path = "/goodsservice/goodsusecase/deductiongoodsstock";
    assert_eq!(desk.no("eshopclerk", path, stock(7)).await.1, "conflict");
    desk.ok("eshopclerk", path, stock(6)).await;
    assert_eq!(desk.goods("soup").await, (4, 4));
}

#[tokio::test]
async fn each_path_says_who_may_ask() {
    let desk = Desk::new().await;
    for (who, path, status) in [
        ("", "/basketservice/basket/get", 401),
        ("guest:g", "/basketservice/basket/get", 200),
        ("guest:g", ORDER, 401),
        ("", "/goodsservice/goodsusecase/deletegoods", 401),
        ("ann", "/goodsservice/goodsusecase/deletegoods", 403),
        ("eshopadmin", "/goodsservice/goodsusecase/deletegoods", 400),
        ("ann", "/goodsservice/goodsusecase/nothing", 404),
        ("ann", "/actors/GoodsActor/soup/method/Get", 404),
        ("a||b", "/basketservice/basket/get", 400),
    ] {
        assert_eq!(desk.ask(who, path, Value::Null).await.0, status, "{who} {path}");
    }
    // A guest's basket cannot be had by saying that one is that guest.
    let mut request = Request::post("/basketservice/basket/get");
    request = request.header("Authentication", "guest:g");
    assert_eq!(desk.send(request.body(Body::empty()).unwrap()).await.0, 401);
    let get = Request::get(ORDER).body(Body::empty()).unwrap();
    assert_eq!(desk.send(get).await.0, 405);
    assert_eq!(desk.send(Request::get("/health").body(Body::empty()).unwrap()).await.0, 200);
    // What cannot be read is not taken for what was not sent: a repeat would be another request.
    let mut request = Request::post("/basketservice/basket/get");
    request = request.header("Authentication", "ann").header("x-request-id", &b"r\xe9"[..]);
    let (status, answer) = desk.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!((status, &answer["field"]), (400, &json!("x-request-id")), "{answer}");
    let name = "n".repeat(41);
    assert_eq!(desk.ask(&name, "/basketservice/basket/get", Value::Null).await.0, 400);
    let long = json!({"requestId": "r".repeat(70_000)});
    assert_eq!(desk.ask("ann", ORDER, long).await.0, 413);
}

#[tokio::test]
async fn a_reply_has_the_id_of_its_request_and_one_without_is_given_one() {
    let desk = Desk::new().await;
    let id = async |path: &str, sent: Option<&str>| {
        let mut request = Request::post(path);
        if let Some(sent) = sent {
            request = request.header("x-request-id", sent);
        }
        let request = request.body(Body::from(r#"{"goodsId":"soup"}"#)).unwrap();
        let response = desk.router.clone().oneshot(request).await.unwrap();
        let id = response.headers().get("x-request-id");
        (response.status().as_u16(), id.map(|id| id.to_str().unwrap().to_owned()))
    };
    let soup = "/goodsservice/goodsquery/getgoods";
    assert_eq!(id(soup, Some("r1")).await, (200, Some("r1".to_owned())));
    assert_eq!(id("/nowhere", Some("r1")).await, (404, Some("r1".to_owned())));
    let (first, second) = (id(soup, None).await.1.unwrap(), id(soup, None).await.1.unwrap());
    assert_ne!(first, second);
    assert_eq!(id(soup, Some("a||b")).await, (400, None), "what cannot be is not repeated");
}

/// F19.
#[tokio::test]
async fn headers_that_only_the_shop_may_set_have_no_effect_from_outside() {
    let desk = Desk::new().await;
    for (name, value) in [
        ("AuthIgnore", "true"),
        ("dapr-caller-app-id", "tradeservice"),
        ("dapr-app-id", "goodsservice"),
        ("X-Forwarded-For", "127.0.0.1"),
    ] {
        for (path, who, status) in [
            ("/goodsservice/goodsquery/getgoodslist", "", 401),
            ("/goodsservice/goodsquery/getgoodslist", "ann", 403),
            ("/goodsservice/goodsquery/getgoodslistbyids", "ann", 403),
            ("/basketservice/basket/get", "", 401),
        ] {
            let mut request = Request::post(path).header(name, value);
            if !who.is_empty() {
                request = request.header("Authentication", who);
            }
            let request = request.body(Body::from(r#"{"ids":[]}"#)).unwrap();
            assert_eq!(desk.send(request).await.0, status, "{name} {path} {who}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_shop_is_well_once_its_shelf_is_filled_and_whoever_runs_it_answers() {
    let kit = shop().await;
    let (opens, opened) = tokio::sync::watch::channel(false);
    let services = Services::new(kit.client(), Entropy::seeded(1)).opened_by(opened);
    let desk = Desk { router: services.router(), kit };
    let health = async || desk.send(Request::get("/health").body(Body::empty()).unwrap()).await.0;
    assert_eq!(health().await, 503);
    opens.send_replace(true);
    assert_eq!(health().await, 200);
    let client = odeon_sdk::Client::connect("http://127.0.0.1:1").unwrap();
    let router = Services::new(client, Entropy::seeded(1)).router();
    let away = Desk { router, ..desk };
    let request = Request::get("/health").body(Body::empty()).unwrap();
    assert_eq!(away.send(request).await.0, 503);
}

#[tokio::test]
async fn a_sale_is_planned_and_sells_at_its_price() {
    let desk = Desk::new().await;
    let now = odeon_eshop::domain::time::Time::from(desk.kit.now());
    let plan = json!({
        "id": "s1", "activitieName": "Soup week", "goodsId": "soup", "activitiePrice": 7.5,
        "startTime": now, "endTime": now.after(std::time::Duration::from_secs(60)),
        "quota": 3, "perBuyer": 2,
    });
    let path = |method: &str| format!("/goodsservice/activitiusecase/{method}");
    desk.ok("eshopadmin", &path("createlimitedtimeactivitie"), plan).await;
    let shelf = json!({"id": "s1", "shelfState": true});
    desk.ok("eshopadmin", &path("upordownshelfactivitie"), shelf).await;
    let two = json!([{"goodsId": "soup", "count": 2, "expectPriceCents": 750}]);
    let placed = desk.ok("ann", ORDER, order("r1", two.clone())).await;
    assert_eq!(placed["totalPrice"], 15.0);
    assert_eq!(desk.no("ann", ORDER, order("r2", two.clone())).await.1, "quota_exceeded");
    let one = json!([{"goodsId": "soup", "count": 1, "expectPriceCents": 750}]);
    assert_eq!(desk.no("ann", ORDER, order("r3", one)).await.1, "per_buyer_limit");
    desk.ok("eshopadmin", &path("deletelimitedtimeactivitie"), json!({"id": "s1"})).await;
    let path = "/goodsservice/activitiquery/getlimitedtimeactivitie";
    assert_eq!(desk.no("", path, json!({"id": "s1"})).await.0, 404);
}
