//! The way to the application's actors.
//!
//! Here: workers, which host actor types over the gRPC stream
//! `SubscribeActorEventsAlpha1` that they open. `stream` reads one stream,
//! `link` matches questions and answers on it, `refusals` knows what was never begun, `worker` is the engine's
//! `Behaviour` of one type, `hub` knows who hosts what. None of it knows front
//! doors or statuses over HTTP.

mod hub;
mod link;
mod refusals;
mod settings;
mod stream;
mod worker;

pub use hub::{AppChannel, Hub};
pub use refusals::Refusals;
pub use settings::InvalidSettings;
pub use stream::{Outbound, accept};
