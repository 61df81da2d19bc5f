//! State stores: the components behind the port `odeon_runtime::store::StateStore`.
//!
//! [`registry`] has the one list of them and opens one by its type; [`memory`] and
//! [`sled`] are components; [`keys`] says what every store of ours refuses as a
//! key, and how keys become bytes; [`row`] how values do. [`actor`] is the system
//! actor that gives requests their turns, [`request`] what it understands in bytes,
//! [`prefix`] what it puts before keys, [`handle`] how it is called from inside, with
//! [`ask`] for what it asks and [`wire`] for the way to another host; [`stores`] is what
//! the state API of a host has of them all, [`write`](mod@write) one write of its callers. A
//! component never knows who asks. To add one: a file here, its line in the list, its
//! `mod` line below.

pub mod actor;
pub mod ask;
pub mod factory;
pub mod handle;
pub mod keys;
pub mod memory;
pub mod prefix;
pub mod registry;
pub mod request;
pub mod row;
pub mod sled;
pub mod stores;
pub mod wire;
pub mod write;

pub use actor::StateActor;
pub use factory::{Context, Factory, Opened};
pub use handle::StateHandle;
pub use prefix::Prefixes;
pub use registry::{FACTORIES, open};
pub use stores::Stores;
