//! The steps of a buyer's orders, pushed as they happen.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use futures::{SinkExt as _, StreamExt as _};
use odeon_base::Entropy;
use odeon_eshop::http::Services;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tower::ServiceExt as _;

use crate::effects::SECOND;
use crate::lists::{ask, open, services};

const DEADLINE: Duration = Duration::from_secs(30);

async fn place(router: &Router, who: &str, request: &str) -> Value {
    let to = json!({"name": "Ann Lee", "address": "7 Quay Street", "tel": "13000000000"});
    let lines = json!([{"goodsId": "egg-tart", "count": 1}]);
    let body = json!({"requestId": request, "items": lines, "consignee": to});
    ask(router, who, "/tradeservice/orderusecase/createorder", body).await["orderId"].clone()
}

async fn pay(router: &Router, who: &str, order: &Value) {
    let body = json!({"orderId": order, "requestId": "p1"});
    ask(router, who, "/tradeservice/orderusecase/orderpay", body).await;
}

/// Events as a browser reads them.
struct Events {
    body: BodyDataStream,
    read: String,
}

impl Events {
    async fn of(router: &Router, who: &str, last: Option<&str>) -> Self {
        let mut request = Request::get("/sse/orders").header("Authentication", who);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body().into_data_stream(), read: String::new() }
    }

    /// The next event: its id, its name and its data; nothing when the stream is over.
    async fn next(&mut self) -> Option<(String, String, Value)> {
        let block = loop {
            if let Some((block, rest)) = self.read.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.read = rest;
                // A comment keeps the stream alive.
                if !block.starts_with(':') {
                    break block;
                }
                continue;
            }
            let bytes = self.body.next().await?.unwrap();
            self.read.push_str(std::str::from_utf8(&bytes).unwrap());
        };
        let field = |name: &str| {
            let line = block.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim_start_matches(':').trim().to_owned()
        };
        Some((field("id"), field("event"), serde_json::from_str(&field("data")).unwrap()))
    }

    async fn step(&mut self) -> (String, String) {
        let (id, event, data) = self.next().await.unwrap();
        assert_eq!(event, "OrderStateChanged", "{data}");
        (id, data["phase"].as_str().unwrap().to_owned())
    }
}

fn step(id: &str, phase: &str) -> (String, String) {
    (id.to_owned(), phase.to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_buyer_sees_each_step_of_their_orders_and_goes_on_where_they_were() {
    let (mut kit, router) = open().await;
    // A list that nobody is in has nothing to tell, but can be followed.
    let mut events = Events::of(&router, "ann", Some("0")).await;
    let order = place(&router, "ann", "r1").await;
    place(&router, "bob", "r1").await;
    assert_eq!(events.step().await, step("1", "unpaid"));
    pay(&router, "ann", &order).await;
    assert_eq!(events.step().await, step("2", "paying"));
    assert_eq!(events.step().await, step("3", "paid"));
    drop(events);

    kit.restart().await;
    let router = services(&kit, 2);
    let mut events = Events::of(&router, "ann", Some("1")).await;
    assert_eq!(events.step().await, step("2", "paying"));
    assert_eq!(events.step().await, step("3", "paid"));
    let cancel = json!({"orderId": order, "reason": "changed my mind"});
    ask(&router, "ann", "/tradeservice/orderusecase/ordercancel", cancel).await;
    assert_eq!(events.step().await, step("4", "refunding"));
    assert_eq!(events.step().await, step("5", "refunded"));
}

#[tokio::test(start_paused = true)]
async fn who_was_away_for_too_long_is_told_how_many_steps_they_missed() {
    let (kit, router) = open().await;
    for n in 0..70 {
        place(&router, "ann", &format!("r{n}")).await;
    }
    kit.advance(SECOND).await;
    let mut last = Events::of(&router, "ann", Some("69")).await;
    assert_eq!(last.step().await.0, "70");
    let mut events = Events::of(&router, "ann", Some("2")).await;
    let (id, event, data) = events.next().await.unwrap();
    assert_eq!((&*id, &*event, data), ("", "missed", json!({"count": 4})));
    assert_eq!(events.step().await.0, "7");
}

#[tokio::test(start_paused = true)]
async fn who_may_not_follow_or_says_nonsense_is_refused() {
    let (_kit, router) = open().await;
    let status = async |path: &str, headers: &[(&str, &str)]| {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap().status().as_u16()
    };
    let ann = ("Authentication", "ann");
    for (path, headers, expected) in [
        ("/sse/orders", vec![], 401),
        ("/sse/orders", vec![("x-eshop-guest", "g")], 401),
        ("/sse/orders", vec![ann, ("Last-Event-ID", "x")], 400),
        ("/sse/orders", vec![ann, ("Last-Event-ID", "-1")], 400),
        ("/ws/orders", vec![], 401),
        ("/ws/orders?after=x", vec![ann], 400),
        ("/ws/orders", vec![ann], 400),
    ] {
        assert_eq!(status(path, &headers).await, expected, "{path} {headers:?}");
    }
}

/// With a port, and time that passes by itself.
#[tokio::test]
async fn steps_come_over_a_websocket_and_it_ends_when_the_shop_closes() {
    let (kit, router) = open().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (close, closes) = tokio::sync::oneshot::channel::<()>();
    let services = Services::new(kit.client(), Entropy::seeded(9));
    let served = services.serve(listener, async { drop(closes.await) });

    let connect = async |query: &str| {
        let url = format!("ws://{address}/ws/orders{query}");
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("Authentication", "ann".parse().unwrap());
        connect_async(request).await.unwrap().0
    };
    let followed = async {
        let mut socket = connect("?after=0").await;
        let order = place(&router, "ann", "r1").await;
        pay(&router, "ann", &order).await;
        socket.send(Message::text("hello")).await.unwrap();
        for (id, phase) in [(1, "unpaid"), (2, "paying"), (3, "paid")] {
            let message = tokio::time::timeout(DEADLINE, socket.next()).await.unwrap();
            let message: Value =
                serde_json::from_str(message.unwrap().unwrap().to_text().unwrap()).unwrap();
            assert_eq!(
                (&message["id"], &message["type"], &message["data"]["phase"]),
                (&json!(id), &json!("OrderStateChanged"), &json!(phase)),
                "{message}"
            );
            assert_eq!(message["data"]["orderId"], order);
        }
        close.send(()).unwrap();
        let end = tokio::time::timeout(DEADLINE, socket.next()).await.unwrap().unwrap().unwrap();
        let Message::Close(Some(frame)) = end else { panic!("{end:?}") };
        assert_eq!(u16::from(frame.code), 1001);
    };
    let both = async { tokio::join!(served, followed).0 };
    tokio::time::timeout(DEADLINE * 2, both).await.unwrap().unwrap();
}
