//! What the code written by `#[actor]` calls. Not for anybody else: it changes
//! together with the macro.

pub use bytes::Bytes;
pub use serde;

pub use crate::actor::{Actor, Held, Make, Method, Settings};
pub use crate::client::{call, post};
pub use crate::ctx::Ctx;
pub use crate::error::{Result, TurnError};
pub use crate::hold::{Exclusive, Shared};
pub use crate::turn::{no_method, serve};

/// Makes an actor that has no constructor. The name is what the compiler prints
/// beside the missing `Default`.
#[must_use]
pub fn by_default_if_there_is_no_fn_new_with_id<A: Default>(_: &str) -> A {
    A::default()
}
