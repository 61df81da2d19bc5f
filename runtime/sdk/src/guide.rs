//! What the compiler says to an actor that is not one yet. Nothing but words.
//!
//! `#[actor]` reports what is wrong with the shape of the block, all of it at once;
//! the compiler reports the rest at the author's own line.
//!
//! # Nobody can make it
//!
//! `the trait Default is not implemented for Counter`: derive it, declare
//! `fn new(id: &str) -> Self` in the block, or say `#[actor(factory)]` and hand a
//! function in where the type is offered ([`crate::spec_with`],
//! [`crate::Worker::actor_with`]).
//!
//! ```compile_fail,E0277
//! # use odeon_sdk::{Result, actor};
//! struct Counter { n: i64 }
//! #[actor]
//! impl Counter {
//!     async fn value(&self) -> Result<i64> { Ok(self.n) }
//! }
//! ```
//!
//! # An argument or an answer cannot travel
//!
//! `the trait Serialize is not implemented for Order`: derive serde's `Serialize` and
//! `Deserialize` for it.
//!
//! ```compile_fail,E0277
//! # use odeon_sdk::{Result, actor};
//! struct Order;
//! #[derive(Default)] struct Shop;
//! #[actor]
//! impl Shop {
//!     async fn place(&self, order: Order) -> Result<()> { Ok(drop(order)) }
//! }
//! ```
//!
//! # Something is held across an await that may not change threads
//!
//! `future cannot be sent between threads safely`, with the value and the await: end
//! the value's scope before the await, or use its counterpart for threads (`Arc` for
//! `Rc`, `tokio::sync::Mutex` for a guard that must be held).
//!
//! ```compile_fail
//! # use odeon_sdk::{Ctx, Result, actor};
//! # use std::rc::Rc;
//! #[derive(Default)] struct Shop;
//! #[actor]
//! impl Shop {
//!     async fn stock(&self, ctx: &Ctx) -> Result<Option<u32>> {
//!         let held = Rc::new(1);
//!         let stock = ctx.get("stock").await;
//!         drop(held);
//!         stock
//!     }
//! }
//! ```
//!
//! # An error is somebody else's
//!
//! `the trait From<ParseIntError> is not implemented for odeon_sdk::Error`: a method's
//! error goes to its caller, so say what the caller should read.
//!
//! ```
//! # use odeon_sdk::{Error, Result, actor};
//! # #[derive(Default)] struct Shop;
//! # #[actor] impl Shop {
//! async fn number(&self, text: String) -> Result<i64> {
//!     text.parse().map_err(|error| Error::failed(format!("'{text}': {error}")))
//! }
//! # }
//! ```
//!
//! # The block has the wrong shape
//!
//! Not `async`, no `Result`, a reference or `impl Trait` as an argument, generics,
//! `self` by value, two methods of one name, `&mut self` in a reentrant actor: each is
//! said in words, with what to write instead.
//!
//! ```compile_fail
//! # use odeon_sdk::{Result, actor};
//! #[derive(Default)] struct Counter;
//! #[actor]
//! impl Counter {
//!     async fn rename(&mut self, name: &str) -> Result<()> { Ok(()) } // write `String`
//! }
//! ```
