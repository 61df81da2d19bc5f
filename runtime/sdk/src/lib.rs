//! Write actors in Rust: embedded in a host, as a worker beside one, or under test.
//!
//! An actor is a type with an id: it is there when it is called, runs one call at a
//! time, and keeps its state when it is not in memory. One file of code serves all
//! the ways to run it.
//!
//! ```
//! use odeon_sdk::{Ctx, Result, actor};
//!
//! /// Counts.
//! #[derive(Default)]
//! pub struct Counter {
//!     n: i64,
//! }
//!
//! #[actor]
//! impl Counter {
//!     /// Runs before the first turn.
//!     async fn activate(&mut self, ctx: &mut Ctx) -> Result<()> {
//!         self.n = ctx.get("n").await?.unwrap_or_default();
//!         Ok(())
//!     }
//!
//!     async fn add(&mut self, ctx: &mut Ctx, by: i64) -> Result<i64> {
//!         self.n += by;
//!         ctx.set("n", &self.n)?; // stored before the answer leaves
//!         Ok(self.n)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<()> {
//! // Under test: the whole engine in this process, on paused time.
//! let mut kit = odeon_sdk::testkit::TestKit::new().actor::<Counter>().start().await;
//! assert_eq!(kit.client().actor::<Counter>("c1")?.add(2).await?, 2);
//! kit.restart().await;
//! assert_eq!(kit.client().actor::<Counter>("c1")?.add(3).await?, 5);
//! # Ok(())
//! # }
//! ```
//!
//! - **As a worker**: [`Worker`]`::connect("http://127.0.0.1:50001").actor::<Counter>().run(stop)`.
//! - **Embedded**: [`actors!`]`[Counter]` is what the host library, or an engine, is offered.
//! - **Called**: [`Client`], from anywhere; [`Ctx::call`], from another actor.
//!
//! # What an author may rely on
//! - One turn at a time, unless the type is reentrant; `&mut self` is nobody else's.
//! - What a method sets is committed at once when it returns `Ok`, before its answer
//!   leaves; if the commit fails the caller hears of it.
//! - A timer that a method sets is set after that commit, and ends with the activation.
//! - Reminders and messages ([`Ctx::set_reminder`], [`Ctx::send`]) are part of that commit:
//!   they happen if it does, at least once, even if this process dies meanwhile.
//! - When a method returns an error, nothing it set is kept; if it could have changed
//!   memory, the instance is dropped and made anew from its state.
//! - A typed call within a process is never encoded. The same method is reached in
//!   JSON by any Dapr SDK: no argument is an empty body, one is its JSON, several are
//!   an object with their names in camelCase.
//!
//! # Where to read on
//! [`macro@actor`] lists the options, [`guide`] what the compiler says to mistakes,
//! [`testkit`] how to test. Inside, in reading order: `actor`, `ctx`, `turn`; then
//! `native` and `worker`, which run turns, and `handle` and `client`, which ask for
//! them. What an activation, a lease or a fence is, this crate does not know.

mod actor;
mod changes;
mod client;
mod ctx;
mod effects;
mod error;
pub mod guide;
mod handle;
mod hold;
#[doc(hidden)]
pub mod macro_support;
mod message;
mod native;
mod page;
mod place;
mod reminder;
mod remote;
pub mod testkit;
mod timer;
mod turn;
mod wire;
mod worker;

pub use odeon_runtime::schedule::CatchUp;
pub use odeon_sdk_macros::actor;

pub use crate::actor::{Actor, Make, Settings};
pub use crate::client::Client;
pub use crate::ctx::Ctx;
pub use crate::error::{Cause, Error, Result};
pub use crate::handle::Handle;
pub use crate::message::Message;
pub use crate::native::{spec, spec_with};
pub use crate::page::Page;
pub use crate::reminder::Reminder;
pub use crate::timer::Timer;
pub use crate::worker::Worker;

/// The types of an embedded application, for the host library or for
/// [`odeon_runtime::Engine::offer`].
///
/// ```
/// # use odeon_sdk::{actor, actors};
/// # #[derive(Default)] struct Counter;
/// # #[actor] impl Counter {}
/// let types = actors![Counter];
/// assert_eq!(types[0].actor_type.as_str(), "Counter");
/// ```
#[macro_export]
macro_rules! actors {
    ($($actor:ty),+ $(,)?) => {
        ::std::vec![$($crate::spec::<$actor>()),+]
    };
}
