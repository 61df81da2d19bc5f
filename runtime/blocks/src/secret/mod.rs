//! Secrets: what an application may read and must not show, kept elsewhere.
//!
//! Reading order: [`store`] is the port; [`registry`] has the one list of components and opens
//! one by its type; `local_env` and `local_file` are components; [`actor`] is the system actor
//! in front of them, and [`handle`] how the doors of a host reach it. No secret is ever logged,
//! shown by `Debug`, or part of an error. Source: http-api.md 9, grpc-api.md 3.5.

pub mod actor;
pub mod factory;
pub mod handle;
pub mod registry;
pub mod store;

mod local_env;
mod local_file;

pub use factory::{Context, Factory};
pub use handle::{Refused, Secrets};
pub use registry::{FACTORIES, open};
pub use store::{Metadata, Secret, SecretStore};
