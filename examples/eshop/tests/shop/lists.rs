//! The lists: what is for sale, and the orders of a buyer.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use odeon_base::Entropy;
use odeon_eshop::domain::time::Time;
use odeon_eshop::http::Services;
use odeon_eshop::seed::seed;
use odeon_sdk::testkit::Running;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::effects::{MINUTE, SECOND};
use crate::shop;

const SHELF: &str = "/goodsservice/goodsquery/getesgoods";
const MINE: &str = "/tradeservice/orderquery/myorders";
const ORDER: &str = "/tradeservice/orderusecase/createorder";

/// The shop as it opens, and its services.
pub(crate) async fn open() -> (Running, Router) {
    let kit = shop().await;
    seed(&kit.client()).await.unwrap();
    kit.advance(SECOND).await;
    let router = services(&kit, 1);
    (kit, router)
}

/// The services before a shop; the ids that they give follow from the seed.
pub(crate) fn services(kit: &Running, seed: u64) -> Router {
    Services::new(kit.client(), Entropy::seeded(seed)).router()
}

pub(crate) async fn ask(router: &Router, who: &str, path: &str, body: Value) -> Value {
    let mut request = Request::post(path);
    if !who.is_empty() {
        request = request.header("Authentication", who);
    }
    let body = Body::from(body.to_string());
    let response = router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let answer: Value = serde_json::from_slice(&bytes).unwrap();
    if answer["code"] == 0 { answer["data"].clone() } else { answer }
}

/// The names in a list.
fn names<'a>(list: &'a Value, name: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|one| one[name].as_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_shelf_is_shown_by_category_and_follows_what_the_shop_changes() {
    let (mut kit, router) = open().await;
    let shelf = ask(&router, "", SHELF, json!({"page": 1, "limit": 50})).await;
    assert_eq!(shelf["pageTotal"], 13);
    let groups = shelf["pageData"].as_array().unwrap();
    let sizes = groups.iter().map(|group| group["foods"].as_array().unwrap().len());
    assert_eq!(sizes.collect::<Vec<_>>(), [3, 2, 4, 4], "{shelf}");
    assert_eq!(
        names(&shelf["pageData"], "name"),
        ["Hot dishes", "Cold dishes", "Snacks", "Porridge"]
    );
    assert_eq!(groups[0]["foods"][0]["price"], 17.0, "{shelf}");

    let edit = json!({"id": "egg-tart", "goodsName": "Custard tart", "price": 5.5});
    ask(&router, "eshopadmin", "/goodsservice/goodsusecase/updategoods", edit).await;
    let off = json!({"id": "pumpkin", "shelfState": false});
    ask(&router, "eshopadmin", "/goodsservice/goodsusecase/upordownshelfgoods", off).await;
    kit.advance(SECOND).await;
    kit.restart().await;
    let router = services(&kit, 2);
    let path = "/goodsservice/goodsquery/getgoodslistbygoodsname";
    let found = ask(&router, "", path, json!({"goodsName": "TART"})).await;
    let tart =
        json!({"id": "egg-tart", "goodsName": "Custard tart", "price": 5.5, "priceCents": 550});
    assert_eq!(found, json!({"pageData": [tart], "pageTotal": 1}));
    let shelf = ask(&router, "", SHELF, json!({"page": 2, "limit": 5})).await;
    assert_eq!(shelf["pageTotal"], 12);
    let all = json!({"limit": 50});
    let path = "/goodsservice/goodsquery/getgoodslist";
    let all = ask(&router, "eshopclerk", path, all).await;
    assert_eq!((&all["pageTotal"], all["pageData"].as_array().unwrap().len()), (&json!(13), 13));
    let no = ask(&router, "", SHELF, json!({"limit": 201})).await;
    assert_eq!((&no["reason"], &no["field"]), (&json!("invalid"), &json!("limit")));
}

#[tokio::test(start_paused = true)]
async fn goods_are_listed_by_category_and_by_their_ids() {
    let (_kit, router) = open().await;
    let all = "/goodsservice/goodsquery/getgoodslist";
    for (who, path, total) in [("", SHELF, 2), ("eshopclerk", all, 2)] {
        let found = ask(&router, who, path, json!({"categoryId": "cold"})).await;
        assert_eq!(found["pageTotal"], total, "{path}: {found}");
    }
    let none = ask(&router, "", SHELF, json!({"categoryId": "none"})).await;
    assert_eq!(none, json!({"pageData": [], "pageTotal": 0}));
    let no = ask(&router, "", SHELF, json!({"categoryId": "a b"})).await;
    assert_eq!((&no["reason"], &no["field"]), (&json!("invalid"), &json!("categoryId")));

    let path = "/goodsservice/goodsquery/getgoodslistbyids";
    let these = json!({"ids": ["pumpkin", "none", "egg-tart"]});
    let found = ask(&router, "eshopclerk", path, these.clone()).await;
    assert_eq!(names(&found, "goodsId"), ["pumpkin", "egg-tart"]);
    assert_eq!(
        found[1],
        json!({"goodsId": "egg-tart", "categoryName": "Snacks", "goodsName": "Egg tart",
            "goodsImage": "egg-tart.svg", "originalPrice": 5.0, "originalPriceCents": 500,
            "price": 5.0, "priceCents": 500})
    );
    assert_eq!(ask(&router, "eshopclerk", path, json!({"ids": []})).await, json!([]));
    let many = json!({"ids": vec!["egg-tart"; 201]});
    assert_eq!(ask(&router, "eshopclerk", path, many).await["field"], "ids");
    // Only the shop itself asks like this.
    assert_eq!(ask(&router, "ann", path, these).await["reason"], "forbidden");
}

#[tokio::test(start_paused = true)]
async fn sales_are_listed_with_where_they_stand_and_how_many_are_gone() {
    const LIST: &str = "/goodsservice/activitiquery/getlimitedtimeactivitielist";
    let (mut kit, router) = open().await;
    let staff = async |router: &Router, path: &str, body: Value| {
        ask(router, "eshopclerk", &format!("/goodsservice/{path}"), body).await
    };
    let now = Time::from(kit.now());
    for (id, goods, from) in [("s1", "egg-tart", 1), ("s2", "pumpkin", 2), ("s3", "dumplings", 3)] {
        let plan = json!({"id": id, "activitieName": format!("Sale {id}"), "goodsId": goods,
            "activitiePrice": 1.5, "quota": 50, "perBuyer": 2,
            "startTime": now.after(MINUTE * from), "endTime": now.after(MINUTE * 10)});
        staff(&router, "activitiusecase/createlimitedtimeactivitie", plan).await;
        let on = json!({"id": id, "shelfState": true});
        staff(&router, "activitiusecase/upordownshelfactivitie", on).await;
    }
    staff(&router, "activitiusecase/deletelimitedtimeactivitie", json!({"id": "s2"})).await;
    kit.advance(MINUTE * 2).await;
    let to = json!({"name": "Ann Lee", "address": "7 Quay Street", "tel": "13000000000"});
    let lines = json!([{"goodsId": "egg-tart", "count": 2}]);
    let order = json!({"requestId": "r1", "items": lines, "consignee": to});
    let order = ask(&router, "ann", ORDER, order).await;
    assert_eq!(order["totalCents"], 300, "{order}");
    kit.restart().await;
    let router = services(&kit, 2);
    let sales = ask(&router, "eshopclerk", LIST, json!({})).await;
    assert_eq!(
        (&sales["pageTotal"], names(&sales["pageData"], "id")),
        (&json!(2), vec!["s3", "s1"])
    );
    let running = json!({"id": "s1", "goodsId": "egg-tart", "activitieName": "Sale s1",
        "goodsName": "Egg tart", "price": 5.0, "priceCents": 500, "activitiePrice": 1.5,
        "activitiePriceCents": 150, "activitieState": 1, "startTime": now.after(MINUTE),
        "endTime": now.after(MINUTE * 10), "shelfState": true, "quota": 50, "sold": 2,
        "perBuyer": 2});
    assert_eq!(sales["pageData"][1], running);
    assert_eq!(sales["pageData"][0]["activitieState"], 0);

    let pay = json!({"orderId": order["orderId"], "requestId": "p1"});
    ask(&router, "ann", "/tradeservice/orderusecase/orderpay", pay).await;
    kit.advance(MINUTE * 9).await;
    let sales = ask(&router, "eshopclerk", LIST, json!({})).await;
    let over = &sales["pageData"][1];
    assert_eq!(
        (&over["activitieState"], &over["shelfState"], &over["sold"]),
        (&json!(2), &json!(false), &json!(2)),
        "{over}"
    );
    let counts = "/tradeservice/orderquery/getordersellcountbygoodsid";
    let query = json!({"goodsIds": ["egg-tart", "pumpkin", "none"], "expressTime": now});
    let sold = ask(&router, "eshopclerk", counts, query).await;
    let count = |id: &str, count: u32| json!({"goodsId": id, "cellCount": count});
    assert_eq!(sold, json!([count("egg-tart", 2), count("pumpkin", 0), count("none", 0)]));
    let later = json!({"goodsIds": ["egg-tart"], "expressTime": now.after(MINUTE * 60 * 24)});
    let sold = ask(&router, "eshopclerk", counts, later).await;
    assert_eq!(sold, json!([count("egg-tart", 0)]));
    for path in [LIST, counts] {
        assert_eq!(ask(&router, "ann", path, json!({})).await["reason"], "forbidden");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_looks_at_a_basket_has_it_marked_with_what_goods_say_by_then() {
    let (kit, router) = open().await;
    let line = json!({"goodsId": "egg-tart", "count": 2});
    ask(&router, "ann", "/basketservice/basket/add", line).await;
    let kept =
        async || -> Value { kit.state("BasketActor", "ann", "basket").await.unwrap().unwrap() };
    let look = async || ask(&router, "ann", "/basketservice/basket/get", json!({})).await;
    let before = kept().await;
    look().await;
    assert_eq!(kept().await, before, "there is no news");
    let edit = json!({"id": "egg-tart", "price": 5.5});
    ask(&router, "eshopadmin", "/goodsservice/goodsusecase/updategoods", edit).await;
    let seen = look().await;
    assert_eq!((&seen["items"][0]["priceChanged"], &seen["version"]), (&json!(true), &json!(1)));
    let quoted = json!({"priceCents": 550, "available": 100, "onShelf": true});
    assert_eq!(kept().await["items"][0]["quoted"], quoted);
    let off = json!({"id": "egg-tart", "shelfState": false});
    ask(&router, "eshopadmin", "/goodsservice/goodsusecase/upordownshelfgoods", off).await;
    look().await;
    assert_eq!(kept().await["items"][0]["quoted"]["onShelf"], false);
}

#[tokio::test(start_paused = true)]
async fn an_order_keeps_what_the_category_was_called_when_it_was_placed() {
    let (kit, router) = open().await;
    let order = async |request: &str| {
        let to = json!({"name": "Ann Lee", "address": "7 Quay Street", "tel": "13000000000"});
        let lines = json!([{"goodsId": "egg-tart", "count": 1}]);
        let body = json!({"requestId": request, "items": lines, "consignee": to});
        ask(&router, "ann", ORDER, body).await["orderId"].clone()
    };
    let category = async |order: &Value| {
        let path = "/tradeservice/orderquery/getorder";
        let shown = ask(&router, "ann", path, json!({"orderId": order})).await;
        shown["orderItems"][0]["categoryName"].clone()
    };
    let first = order("r1").await;
    let edit = json!({"id": "snacks", "categoryName": "Bites"});
    ask(&router, "eshopadmin", "/goodsservice/categoryusecase/updatecategory", edit).await;
    let second = order("r2").await;
    let edit = json!({"id": "egg-tart", "categoryId": "hot"});
    ask(&router, "eshopadmin", "/goodsservice/goodsusecase/updategoods", edit).await;
    kit.advance(SECOND).await;
    let third = order("r3").await;
    assert_eq!(category(&first).await, "Snacks");
    assert_eq!(category(&second).await, "Bites");
    assert_eq!(category(&third).await, "Hot dishes");
}

#[tokio::test(start_paused = true)]
async fn a_buyers_orders_are_listed_newest_first_with_where_they_stand() {
    let (mut kit, router) = open().await;
    let order = |request: &str, count: u32| {
        let to = json!({"name": "Ann Lee", "address": "7 Quay Street", "tel": "13000000000"});
        json!({"requestId": request, "items": [{"goodsId": "egg-tart", "count": count}], "consignee": to})
    };
    for (who, request, count) in
        [("ann", "r1", 1), ("bob", "r1", 1), ("ann", "r2", 2), ("ann", "r3", 99)]
    {
        ask(&router, who, ORDER, order(request, count)).await;
        kit.advance(SECOND).await;
    }
    let mine = ask(&router, "ann", MINE, json!({})).await;
    assert_eq!(
        (&mine["pageTotal"], names(&mine["pageData"], "phase")),
        (&json!(3), vec!["refused", "unpaid", "unpaid"]),
        "{mine}"
    );
    assert_eq!(mine["pageData"][1]["orderItems"][0]["count"], 2);
    kit.advance(MINUTE * 6).await;
    kit.restart().await;
    let router = services(&kit, 2);
    let mine = ask(&router, "ann", MINE, json!({"page": 2, "limit": 2})).await;
    assert_eq!(
        (&mine["pageTotal"], names(&mine["pageData"], "phase")),
        (&json!(3), vec!["cancelled"]),
        "{mine}"
    );
    let nobodys = ask(&router, "cat", MINE, json!({})).await;
    assert_eq!(nobodys, json!({"pageData": [], "pageTotal": 0}));
    assert_eq!(ask(&router, "", MINE, json!({})).await["reason"], "unauthorised");
}

#[tokio::test(start_paused = true)]
async fn the_shop_sees_the_orders_of_all_day_by_day_and_which_are_to_be_sent() {
    const ALL: &str = "/tradeservice/orderquery/getorderlist";
    const PARCELS: &str = "/tradeservice/logisticsquery/getlogisticslist";
    let (mut kit, router) = open().await;
    let to = json!({"name": "Ann Lee", "address": "7 Quay Street", "tel": "13000000000"});
    let mut placed = Vec::new();
    for (day, who, count) in [(0, "ann", 1), (0, "bob", 2), (2, "ann", 3), (2, "cat", 4)] {
        if day == 2 && placed.len() == 2 {
            kit.advance(MINUTE * 60 * 48).await;
        }
        let body = json!({"requestId": format!("r{count}"), "consignee": to, "payWithinSeconds": 300,
            "items": [{"goodsId": "egg-tart", "count": count}]});
        placed.push(ask(&router, who, ORDER, body).await["orderId"].clone());
        kit.advance(SECOND).await;
    }
    let pay = json!({"orderId": placed[2], "requestId": "p1"});
    ask(&router, "ann", "/tradeservice/orderusecase/orderpay", pay).await;
    kit.advance(SECOND).await;
    kit.restart().await;
    let router = services(&kit, 2);
    let all = ask(&router, "eshopclerk", ALL, json!({})).await;
    let phases = vec!["unpaid", "paid", "cancelled", "cancelled"];
    assert_eq!((&all["pageTotal"], names(&all["pageData"], "phase")), (&json!(4), phases), "{all}");
    assert_eq!(names(&all["pageData"], "userName"), ["cat", "ann", "bob", "ann"]);
    let line = json!({"goodsName": "Egg tart", "price": 15.0, "count": 3});
    assert_eq!(all["pageData"][1]["orderItems"], json!([line]));
    // A page of both days.
    let some = ask(&router, "eshopclerk", ALL, json!({"page": 1, "limit": 3})).await;
    assert_eq!(names(&some["pageData"], "userName"), ["cat", "ann", "bob"]);
    let rest = ask(&router, "eshopclerk", ALL, json!({"page": 2, "limit": 3})).await;
    assert_eq!(
        (names(&rest["pageData"], "userName"), &rest["pageTotal"]),
        (vec!["ann"], &json!(4))
    );
    assert_eq!(ask(&router, "ann", ALL, json!({})).await["reason"], "forbidden");

    let parcels = ask(&router, "eshopclerk", PARCELS, json!({})).await;
    assert_eq!(
        (&parcels["pageTotal"], &parcels["pageData"][0]["logisticsState"]),
        (&json!(1), &json!(0))
    );
    let sent = json!({"orderId": placed[2], "logisticsType": 0, "logisticsNo": "SF1"});
    ask(&router, "eshopclerk", "/tradeservice/logisticsusecase/deliver", sent).await;
    let parcels = ask(&router, "eshopclerk", PARCELS, json!({})).await;
    let parcel = &parcels["pageData"][0];
    assert_eq!(
        (&parcel["orderId"], &parcel["logisticsState"]),
        (&placed[2], &json!(1)),
        "{parcel}"
    );
    assert_eq!(
        (&parcel["logisticsNo"], &parcel["receiverName"]),
        (&json!("SF1"), &json!("Ann Lee"))
    );
    let received = json!({"logisticsId": parcel["id"]});
    ask(&router, "ann", "/tradeservice/logisticsusecase/receive", received).await;
    let parcels = ask(&router, "eshopclerk", PARCELS, json!({})).await;
    assert_eq!(parcels["pageData"][0]["logisticsState"], 2, "{parcels}");
}
