//! The database in a data folder, which durable components of our own share.
//!
//! [`EmbeddedDb`] (`db`) holds one sled database: [`folder`] opens it and keeps other
//! processes out or waits for them (`waiting`), the committer (`committer`) is the one thread that writes, and
//! nothing is acknowledged, nor shown to a reader, before it is synced to disk
//! (`progress`). What rows mean is not known here: a component hands in changes
//! that look at the tree and say what to write. [`ledger`] is the small durable
//! map for records such as placement's term and roster.

pub mod folder;
pub mod ledger;

mod committer;
mod db;
mod fault;
mod progress;
mod view;
mod waiting;

pub use db::EmbeddedDb;
pub(crate) use fault::unavailable;
pub use folder::{CACHE_BYTES, Config, SetAside, Taken};
pub(crate) use view::{Glance, View};
