//! What a placement service shows on its health port.
//!
//! `door` answers requests, `dapr` has the form that Dapr's tools know, `odeon` all there is.
//! All of it comes from a [`Handle`], which reads what was published and never holds up the one who decides.
//!
//! [`Handle`]: odeon_placement::Handle

mod dapr;
mod door;
mod odeon;

pub use door::Door;
