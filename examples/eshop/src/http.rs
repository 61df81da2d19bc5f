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
mod reply;
mod routes;
mod sales;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, Response};
use axum::routing::get;
use odeon_base::Entropy;
use odeon_sdk::Client;
use tokio::net::TcpListener;

use self::desk::{Ask, Desk};
use self::reply::{No, Outcome, answer};
use self::routes::{Level, find};

/// Longest body of a request, in bytes: a full basket is a tenth of that.
const BODY_MAX: usize = 64 * 1024;

/// The services, ready to listen.
#[derive(Debug)]
pub struct Services {
    desk: Desk,
    always_200: bool,
}

impl Services {
    /// Services whose actors are reached by this client.
    #[must_use]
    pub fn new(client: Client, entropy: Entropy) -> Self {
        Self { desk: Desk::new(client, entropy), always_200: false }
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
        axum::serve(listener, self.router()).with_graceful_shutdown(stop).await
    }

    /// What answers requests, with or without a port.
    pub fn router(self) -> Router {
        let routes = Router::new().route("/health", get(async || "ok"));
        routes.fallback(serve).with_state(Arc::new(self))
    }

    async fn outcome(&self, request: Request) -> Outcome {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let route = find(path).ok_or_else(|| No::Nowhere(path.to_owned()))?;
        if head.method != Method::POST {
            return Err(No::Unposted);
        }
        let body = to_bytes(body, BODY_MAX).await.map_err(|_| No::TooLong(BODY_MAX))?;
        let ask = self.desk.ask(&head.headers, body.to_vec())?;
        allow(route.level, &ask)?;
        (route.run)(&self.desk, ask).await
    }
}

async fn serve(State(services): State<Arc<Services>>, request: Request) -> Response<Body> {
    let outcome = services.outcome(request).await;
    if let Err(No::Failed(error)) = &outcome {
        tracing::warn!("a request came to nothing: {}", error.report());
    }
    answer(outcome, services.always_200)
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
