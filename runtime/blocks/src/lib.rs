//! Building blocks: what an application asks of the runtime besides calling
//! actors, one file per component.
//!
//! A component stands behind a port of `odeon-runtime` and knows neither HTTP nor
//! gRPC nor the engine; the system actors in front of the components give them
//! turns. Reading order: [`settings`] and [`error`], then [`state`], whose list of
//! factories is the one place that names state stores, then [`embedded`], the
//! database in a data folder that durable components share, and [`host`], by which
//! operators ask. [`secret`] is made as [`state`] is; [`lock`] keeps its locks in a state store of its own.

pub mod embedded;
pub mod error;
pub mod host;
mod json;
mod kind;
pub mod lock;
pub mod reminder;
pub mod secret;
pub mod settings;
pub mod state;

pub use error::OpenError;
