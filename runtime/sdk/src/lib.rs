//! Write actors in Rust: embedded, as a worker, or under test.

mod actor;
mod changes;
mod client;
mod ctx;
mod error;
mod handle;
mod hold;
#[doc(hidden)]
pub mod macro_support;
mod native;
mod place;
mod remote;
pub mod testkit;
mod turn;
mod wire;
mod worker;

pub use odeon_sdk_macros::actor;

pub use crate::actor::{Actor, Make, Settings};
pub use crate::client::Client;
pub use crate::ctx::Ctx;
pub use crate::error::{Cause, Error, Result};
pub use crate::handle::{Door, Handle};
pub use crate::native::{spec, spec_with};
pub use crate::worker::Worker;

/// The types of an embedded application, for the host library or for
/// [`odeon_runtime::Engine::offer`].
///
/// ```
/// # use odeon_sdk::{Result, actor, actors};
/// # #[derive(Default)] struct Counter;
/// # #[actor] impl Counter {}
/// # fn main() -> Result<()> {
/// let types = actors![Counter]?;
/// assert_eq!(types[0].actor_type.as_str(), "Counter");
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! actors {
    ($($actor:ty),+ $(,)?) => {
        (|| $crate::Result::Ok(::std::vec![$($crate::spec::<$actor>()?),+]))()
    };
}
