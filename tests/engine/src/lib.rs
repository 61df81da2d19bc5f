//! The engine's promises, held to by every way of hosting an actor.
//!
//! `board` is a placement that a test can move by hand, `placed` the one of a release,
//! `store` a state store whose commits it can hold up, `app` what the actors of the tests
//! do, `kinds` the ways to host them, in one list (`worker` is one of them, `called`
//! another, `wire` their way to the host), `neighbours` the way between hosts, `streams` the
//! one of a release, and `world` puts hosts together. The tests are in `tests/`: `turns`
//! (mailbox, turns, life), `fences` (O3), `moves` (O1, O4, O5), `forward` (calls that cross
//! hosts), `streams` (the same over sockets), `holder` and `operators`.

#![expect(
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    reason = "test support panics where a test would"
)]

pub mod app;
pub mod board;
mod called;
pub mod kinds;
pub mod neighbours;
pub mod placed;
pub mod store;
pub mod streams;
pub mod wire;
mod worker;
pub mod world;

pub use app::Probe;
pub use board::Board;
pub use kinds::Kind;
pub use store::MemoryStore;
pub use world::{Host, World, eventually};
