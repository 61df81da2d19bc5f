//! The virtual-actor engine: routes a call, activates the actor, runs one turn
//! at a time and keeps its state behind a fence.
//!
//! It knows no HTTP, no gRPC and no vendor. What it needs from outside is a
//! trait in [`seams`] or [`store`], implemented further out, which is why the
//! whole engine runs in a simulation.
//!
//! Reading order, the way a call goes: [`invocation`], [`engine`], `router`,
//! `directory`, `activation`, `mailbox`, `execute`, [`turn`], [`effect`], [`state`]; beside
//! it `ownership`, `membership` and `drain`, which decide whether it may.

pub mod compat;
pub mod config;
pub mod effect;
pub mod engine;
pub mod error;
pub mod invocation;
pub mod metrics;
pub mod once;
pub mod peers;
pub mod schedule;
pub mod seams;
pub mod state;
pub mod status;
pub mod store;
pub mod timers;
pub mod turn;

mod activation;
mod closing;
mod core;
#[cfg(all(test, feature = "model"))]
mod defect;
mod directory;
mod drain;
mod execute;
mod idle;
mod keyed;
mod lease;
mod mailbox;
mod membership;
mod ownership;
mod parked;
mod place;
mod router;
mod sync;
mod types;
mod view;

pub use compat::Compat;
pub use config::{Config, TypeConfig, TypeSpec};
pub use effect::Effect;
pub use engine::{Engine, Seams, Target, WeakEngine};
pub use error::Error;
pub use invocation::{ActorRef, Awaits, CallChain, CallKind, Headers, Invocation, Reply, TurnKind};
pub use turn::{Caller, Change, Commit, Right, Turn};
