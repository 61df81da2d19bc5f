//! Names that no two kinds of goods bear, and categories that goods belong to.

use odeon_eshop::domain::categories::Join;
use odeon_eshop::domain::goods::commands::{Delete, SetShelf};
use odeon_eshop::domain::handlers::CATEGORIES;
use odeon_eshop::domain::names::Claim;
use odeon_eshop::{CategoryActor, GoodsActor, GoodsNameActor};
use serde_json::{Value, json};

use crate::effects::{MINUTE, SECOND};
use crate::lists::{ask, open};

const STAFF: &str = "eshopadmin";
const CREATE: &str = "/goodsservice/goodsusecase/creategoods";
const UPDATE: &str = "/goodsservice/goodsusecase/updategoods";
const CATEGORY: &str = "/goodsservice/categoryusecase";

fn new(id: &str, name: &str, category: &str) -> Value {
    json!({"id": id, "goodsName": name, "price": 4, "stock": 1, "categoryId": category})
}

#[tokio::test(start_paused = true)]
async fn no_two_kinds_of_goods_bear_one_name() {
    let (kit, router) = open().await;
    let send = |path: &'static str, body: Value| ask(&router, STAFF, path, body);
    let no = send(CREATE, new("tea", "EGG TART", "snacks")).await;
    assert_eq!((&no["reason"], &no["field"]), (&json!("duplicate"), &json!("goodsName")));
    send(CREATE, new("tea", "Green tea", "snacks")).await;
    let no = send(CREATE, new("tea", "Black tea", "snacks")).await;
    assert_eq!(no["reason"], "duplicate", "the id is in use: {no}");
    let no = send(UPDATE, json!({"id": "tea", "goodsName": "egg tart"})).await;
    assert_eq!(no["reason"], "duplicate", "{no}");
    // One that others gave up is free; so is one that came to nothing, and one's own.
    for (id, name) in [
        ("egg-tart", "Custard tart"),
        ("tea", "Egg tart"),
        ("pumpkin", "green TEA"),
        ("tea", "Egg Tart"),
    ] {
        let yes = send(UPDATE, json!({"id": id, "goodsName": name})).await;
        assert_eq!(yes["goodsId"], id, "{name}: {yes}");
    }
    let wrong =
        json!({"id": "cake", "goodsName": "Cake", "price": 0, "stock": 1, "categoryId": "snacks"});
    assert_eq!(send(CREATE, wrong).await["reason"], "invalid");
    let cake = send(CREATE, new("cake-2", "cake", "snacks")).await;
    assert_eq!(cake["goodsId"], "cake-2", "{cake}");
    // Whoever deletes goods, be it past the services, frees their name.
    let goods = kit.client().actor::<GoodsActor>("cake-2").unwrap();
    goods.delete(Delete { cmd_id: "d".into() }).await.unwrap().0.unwrap();
    kit.advance(SECOND).await;
    let cake = send(CREATE, new("cake-3", "Cake", "snacks")).await;
    assert_eq!(cake["goodsId"], "cake-3", "{cake}");
}

#[tokio::test(start_paused = true)]
async fn of_ten_who_want_a_name_at_once_one_gets_it() {
    let (_kit, router) = open().await;
    let asked = (0..10).map(|n| ask(&router, STAFF, CREATE, new(&format!("g{n}"), "Tea", "hot")));
    let told = futures::future::join_all(asked).await;
    let made: Vec<_> = told.iter().filter(|one| one["goodsId"].is_string()).collect();
    assert_eq!(made.len(), 1, "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_was_claimed_by_who_died_is_taken_over() {
    let (mut kit, router) = open().await;
    let name = kit.client().actor::<GoodsNameActor>("tea").unwrap();
    let lost = Claim { goods_id: "lost".into(), instead_of: None };
    name.claim(lost).await.unwrap().0.unwrap();
    let no = ask(&router, STAFF, CREATE, new("tea", "Tea", "hot")).await;
    assert_eq!(no["reason"], "duplicate", "they may be on the way to it: {no}");
    kit.advance(MINUTE).await;
    kit.restart().await;
    let router = crate::lists::services(&kit, 2);
    let made = ask(&router, STAFF, CREATE, new("tea", "Tea", "hot")).await;
    assert_eq!(made["goodsId"], "tea", "{made}");
}

// F23.
#[tokio::test(start_paused = true)]
async fn a_category_is_there_while_goods_use_it() {
    let (mut kit, router) = open().await;
    let to = |method: &str| format!("{CATEGORY}/{method}");
    let names = |list: &Value| {
        let list = list.as_array().unwrap().iter();
        list.map(|one| one["categoryName"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let list = "/goodsservice/categoryquery/getallcategorylist";
    let all = ask(&router, "", list, Value::Null).await;
    assert_eq!(names(&all), ["Hot dishes", "Cold dishes", "Snacks", "Porridge"]);
    let no = ask(&router, STAFF, CREATE, new("tea", "Tea", "drinks")).await;
    assert_eq!((&no["reason"], &no["field"]), (&json!("invalid"), &json!("categoryId")));
    let drinks = json!({"id": "drinks", "categoryName": "Drinks", "sort": 1});
    assert_eq!(
        ask(&router, "ann", &to("createcategory"), drinks.clone()).await["reason"],
        "forbidden"
    );
    ask(&router, STAFF, &to("createcategory"), drinks.clone()).await;
    let again = json!({"categoryName": "drinks"});
    assert_eq!(ask(&router, STAFF, &to("createcategory"), again).await["reason"], "duplicate");
    // The name is still free, since nobody got it with the wrong category.
    ask(&router, STAFF, CREATE, new("tea", "Tea", "drinks")).await;
    let gone = json!({"id": "drinks"});
    assert_eq!(
        ask(&router, STAFF, &to("deletecategory"), gone.clone()).await["reason"],
        "conflict"
    );
    let first = json!({"id": "drinks", "categoryName": "To drink", "sort": 0});
    ask(&router, STAFF, &to("updatecategory"), first).await;
    kit.restart().await;
    let router = crate::lists::services(&kit, 2);
    let some = json!({"page": 1, "limit": 2});
    let some = ask(&router, STAFF, "/goodsservice/categoryquery/getcategorylist", some).await;
    assert_eq!(
        (names(&some["pageData"]), &some["pageTotal"]),
        (vec!["To drink".to_owned(), "Hot dishes".to_owned()], &json!(5))
    );
    ask(&router, STAFF, UPDATE, json!({"id": "tea", "categoryId": "hot"})).await;
    ask(&router, STAFF, &to("deletecategory"), gone.clone()).await;
    // Whoever deletes goods, be it past the services, is no user any more.
    ask(&router, STAFF, &to("createcategory"), json!({"id": "wet", "categoryName": "Wet"})).await;
    ask(&router, STAFF, UPDATE, json!({"id": "tea", "categoryId": "wet"})).await;
    let goods = kit.client().actor::<GoodsActor>("tea").unwrap();
    goods.set_shelf(SetShelf { cmd_id: "s".into(), shelf: false }).await.unwrap().0.unwrap();
    goods.delete(Delete { cmd_id: "d".into() }).await.unwrap().0.unwrap();
    kit.advance(SECOND).await;
    let wet = ask(&router, STAFF, &to("deletecategory"), json!({"id": "wet"})).await;
    assert_eq!(wet["id"], "wet", "{wet}");
    let all = kit.client().actor::<CategoryActor>(CATEGORIES).unwrap();
    let join = Join { goods_id: "tea".into(), category_id: "wet".into() };
    assert!(all.join(join).await.unwrap().0.is_err());
}
