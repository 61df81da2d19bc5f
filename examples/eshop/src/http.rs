//! The services in front of the actors: the shop as its clients see it.
//!
//! A request is posted to `/{service}/{group}/{method}`; `routes` says who may ask there and
//! who answers. Every call of an actor goes to the host beside this process, which knows
//! where the actor lives, so whichever process of the shop is asked, the shop is one.

mod basket;
mod catalogue;
mod categories;
mod checkout;
mod desk;
mod goods;
mod input;
mod listed;
mod logistics;
mod orders;
mod payments;
mod pushes;
mod reply;
mod routes;
mod sales;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response};
use axum::response::IntoResponse as _;
use axum::routing::get;
use odeon_base::Entropy;
use odeon_sdk::Client;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use self::desk::{Ask, Desk, REQUEST_ID};
use self::pushes::{Follower, Pushes};
use self::reply::{No, Outcome, Reply, answer};
use self::routes::{Level, find};

/// Longest body of a request, in bytes: a full basket is a tenth of that.
const BODY_MAX: usize = 64 * 1024;
/// How long whoever asks for health waits for the shop.
const HEALTH_LIMIT: Duration = Duration::from_secs(2);

/// The services, ready to listen.
#[derive(Debug)]
pub struct Services {
    desk: Arc<Desk>,
    pushes: Pushes,
    always_200: bool,
    opened: watch::Receiver<bool>,
}

impl Services {
    /// Services whose actors are reached by this client.
    #[must_use]
    pub fn new(client: Client, entropy: Entropy) -> Self {
        // What is not awaited is there.
        let opened = watch::Sender::new(true).subscribe();
        let desk = Arc::new(Desk::new(client, entropy));
        Self { desk, pushes: Pushes::default(), always_200: false, opened }
    }

    /// Says of itself that it is not well until this says so.
    #[must_use]
    pub fn opened_by(mut self, opened: watch::Receiver<bool>) -> Self {
        self.opened = opened;
        self
    }

    /// Answers with status 200 whatever the answer is, for clients that look at the
    /// envelope only.
    #[must_use]
    pub fn always_200(mut self, always_200: bool) -> Self {
        self.always_200 = always_200;
        self
    }

    /// Serves until told to stop; requests that have begun are answered.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let services = Arc::new(self);
        let served = Arc::clone(&services);
        // Streams would go on for ever.
        let stop = async move {
            stop.await;
            services.pushes.stop();
        };
        axum::serve(listener, served.routes()).with_graceful_shutdown(stop).await
    }

    /// What answers requests, with or without a port.
    pub fn router(self) -> Router {
        Arc::new(self).routes()
    }

    fn routes(self: Arc<Self>) -> Router {
        let health =
            async |State(services): State<Arc<Self>>| answer(services.health().await, false);
        let routes = Router::new()
            .route("/health", get(health))
            .route("/sse/orders", get(order_events))
            .route("/ws/orders", get(order_socket));
        routes.fallback(serve).with_state(self)
    }

    /// Whether a request would be answered now: what this process has to fill is filled, and the
    /// shop behind the host answers.
    async fn health(&self) -> Outcome {
        if !*self.opened.borrow() {
            return Err(No::Unready("the shelf is not filled yet"));
        }
        match timeout(HEALTH_LIMIT, categories::shown(&self.desk)).await {
            Ok(Ok(_)) => Ok(Reply::of("ok")),
            Ok(Err(_)) => Err(No::Unready("the shop behind the host answers with a failure")),
            Err(_) => Err(No::Unready("the shop behind the host has not answered in time")),
        }
    }

    /// Who asks follows their orders.
    fn follower(
        &self,
        headers: &HeaderMap,
        after: Result<Option<u64>, No>,
    ) -> Result<Follower, No> {
        let ask = self.desk.ask(headers, self.desk.request_id(headers)?, Vec::new())?;
        self.pushes.follow(ask.account()?, after?)
    }

    async fn outcome(&self, request: Request, request_id: String) -> Outcome {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let route = find(path).ok_or_else(|| No::Nowhere(path.to_owned()))?;
        if head.method != Method::POST {
            return Err(No::Unposted);
        }
        let body = to_bytes(body, BODY_MAX).await.map_err(|_| No::TooLong(BODY_MAX))?;
        let ask = self.desk.ask(&head.headers, request_id, body.to_vec())?;
        allow(route.level, &ask)?;
        (route.run)(&self.desk, ask).await
    }
}

/// The steps of the orders of who asks, as server-sent events.
async fn order_events(State(services): State<Arc<Services>>, headers: HeaderMap) -> Response<Body> {
    match services.follower(&headers, pushes::last_event_id(&headers)) {
        Ok(follower) => pushes::events(Arc::clone(&services.desk), follower).into_response(),
        Err(no) => answer(Err(no), false),
    }
}

/// The same over a WebSocket.
async fn order_socket(
    State(services): State<Arc<Services>>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response<Body> {
    let after = pushes::last_seen("after", query.get("after").map(String::as_str));
    match (services.follower(&headers, after), upgrade) {
        (Err(no), _) => answer(Err(no), false),
        (_, Err(rejection)) => rejection.into_response(),
        (Ok(follower), Ok(upgrade)) => {
            pushes::socket(upgrade, Arc::clone(&services.desk), follower)
        }
    }
}

async fn serve(State(services): State<Arc<Services>>, request: Request) -> Response<Body> {
    let id = services.desk.request_id(request.headers());
    let on_reply = id.as_ref().ok().and_then(|id| HeaderValue::from_str(id).ok());
    let outcome = match id {
        Ok(id) => services.outcome(request, id).await,
        Err(no) => Err(no),
    };
    if let Err(No::Failed(error)) = &outcome {
        tracing::warn!("a request came to nothing: {}", error.report());
    }
    let mut response = answer(outcome, services.always_200);
    if let Some(id) = on_reply {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Whether who asks may ask there.
fn allow(level: Level, ask: &Ask) -> Result<(), No> {
    match level {
        Level::Anyone => Ok(()),
        Level::Guest => ask.basket().map(drop),
        Level::Buyer => ask.account().map(drop),
        Level::Staff if ask.is_staff() => Ok(()),
        Level::Staff => ask.account().and(Err(No::Forbidden)),
    }
}
