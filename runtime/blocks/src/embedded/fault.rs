//! What goes wrong with the engine, in the words of the store's port.
//!
//! Only words: who fails, and what is done about it, is decided by those who call.

use std::any::Any;

use odeon_runtime::store::Error;

pub(crate) fn closed() -> Error {
    Error::Unavailable { reason: "the database is closed".to_owned() }
}

#[expect(clippy::needless_pass_by_value, reason = "this is the shape that `map_err` wants")]
pub(crate) fn unavailable(error: sled::Error) -> Error {
    Error::Unavailable { reason: error.to_string() }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the engine panicked: {}", text.unwrap_or("without a message"))
}
