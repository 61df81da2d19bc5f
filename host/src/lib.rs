//! The Odeon host: front doors, workers, configuration and the odeon binary.
//!
//! The binary is a thin shell over this library: [`cli`] reads a command line,
//! [`config`] what it means, [`assemble`] puts a host together and [`shutdown`]
//! takes it apart in order. [`up`] runs several processes from one file. Behind
//! the doors ([`http`]) stands one [`api`]; it knows the engine and no wire, and
//! [`status`] is the one place that mints statuses.

pub mod assemble;
pub mod cli;
pub mod config;
pub mod logs;
pub mod shutdown;
pub mod up;

pub mod api;
mod ask;
pub mod channel;
pub mod grpc;
pub mod http;
pub mod metrics;
pub mod peer;
pub mod placement;
pub mod status;

mod builder;
mod json;

pub use assemble::Host;
pub use builder::Builder;
