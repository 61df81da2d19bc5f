//! The HTTP door: Dapr's API, and ours below `/odeon/v1`, over HTTP/1.1 and h2c.
//!
//! A request passes [`door`] (order of processing), is matched in `routes` (the
//! one list), and is answered in the file of its API group. Matching is matchit's,
//! the router inside axum, without axum around it: Dapr matches the escaped path,
//! decodes parameters as queries, and answers a wrong verb with 404, none of which
//! axum's extractors do. It mints no status: see `status.rs`.

pub mod door;
pub mod inbound;
pub mod serve;

mod actors;
mod answer;
mod cors;
mod headers;
mod health;
mod keys;
mod lock;
mod metadata;
mod odeon;
mod path;
mod patience;
mod reminders;
mod request;
mod routes;
mod secrets;
mod shutdown;
mod state;
mod stores;
mod timers;
mod written;

pub use answer::Answer;
pub use door::{Audience, Door};
pub use inbound::Inbound;
pub(crate) use request::query_item;
pub use serve::{Protocol, serve, serve_connection};

use std::convert::Infallible;
use std::pin::Pin;

use http::Request;
use hyper::body::Incoming;

impl hyper::service::Service<Request<Incoming>> for Door {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let door = self.clone();
        Box::pin(async move { Ok(door.answer(request.map(Inbound::Wire)).await) })
    }
}
