//! What every part of Odeon shares: names and numbers of the ownership
//! specification, time and randomness as things that are handed in, tasks that
//! belong to somebody, and the small closed set of error kinds.
//!
//! This crate knows nothing of actors running, of rings or of the wire. It
//! performs no I/O but reading the clocks that it wraps.

pub mod backoff;
pub mod clock;
#[cfg(feature = "defects")]
pub mod defect;
pub mod entropy;
pub mod epoch;
pub mod ident;
pub mod kind;
pub mod suggest;
pub mod tasks;
pub mod valve;

pub use clock::{LeaseClock, WallClock};
pub use entropy::Entropy;
pub use epoch::{Epoch, Fence, Incarnation};
pub use ident::{ActorId, ActorType, AppId, HostName, IdempotencyKey, Namespace};
pub use kind::{Execution, Kind};
pub use tasks::{TaskKind, Tasks};
pub use valve::Valve;
