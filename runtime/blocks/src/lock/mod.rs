//! Distributed locks: a name that one owner at a time holds, until it lets go or its time is over.
//!
//! A lock is one row of a state store that belongs to the lock component alone. It is taken by a
//! write that succeeds only where no live row is, and given back by a deletion that succeeds only
//! for the row that was seen: the store decides both in one atomic step, so no two owners hold a
//! lock, whoever asks and however turns interleave. Who may have the store open is decided by
//! the lock of its folder. Reading order: [`registry`] has the list of components; [`locks`] is
//! taking and giving back; [`actor`] is the system actor in front, and [`handle`] how the doors
//! of a host reach it. Source: http-api.md 11, grpc-api.md 3.8, resources.md 3.1.

pub mod actor;
pub mod handle;
pub mod locks;
pub mod registry;

pub use actor::LockActor;
pub use handle::{LockHandle, Locks, Refused};
pub use locks::{Component, Unlocked};
pub use registry::open;
