//! The way to the application's actors.
//!
//! Two ways. Workers host actor types over the gRPC stream `SubscribeActorEventsAlpha1`
//! that they open: `stream` reads one stream, `initial` its first message, `link` matches
//! questions and answers on it, `refusals` knows what was never begun, `worker` is the
//! engine's `Behaviour` of one type, `hub` knows who hosts what. Or the application has a
//! port, on which [`mod@http`] calls it. `settings` is what either may set, `marks` what
//! either is told of a turn. None of it knows front doors.

pub mod http;

mod hub;
mod initial;
mod link;
mod marks;
mod own;
mod refusals;
mod settings;
mod stream;
pub(crate) mod tick;
mod worker;

pub use hub::{AppChannel, Hub};
pub use initial::InvalidSettings;
pub use refusals::Refusals;
pub use stream::{Outbound, accept};
