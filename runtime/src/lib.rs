//! The virtual-actor engine: routes a call, activates the actor, runs one turn
//! at a time and keeps its state behind a fence.
//!
//! It knows no HTTP, no gRPC and no vendor. What it needs from outside is a
//! trait in [`seams`], implemented further out, which is why the whole engine
//! runs in a simulation. Reading order: [`invocation`], [`error`], [`seams`],
//! [`store`], then the engine itself.

pub mod error;
pub mod invocation;
pub mod store;

pub use error::Error;
pub use invocation::{ActorRef, CallChain, Headers, Invocation, Reply};
