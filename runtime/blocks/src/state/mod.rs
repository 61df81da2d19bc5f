//! State stores: the components behind the port `odeon_runtime::store::StateStore`.
//!
//! [`registry`] has the one list of them and opens one by its type; [`memory`] and
//! [`sled`] are components; [`keys`] says what every store of ours refuses as a
//! key, and how keys become bytes; [`row`] how values do. The engine, and the system
//! actor that gives requests their turns, are elsewhere; a component never knows
//! who asks. To add one: a file here, its line in the list, its `mod` line below.

pub mod keys;
pub mod memory;
pub mod registry;
pub mod row;
pub mod sled;

pub use registry::{Context, FACTORIES, Factory, Opened, open};
