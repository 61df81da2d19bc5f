//! How a state component is made: what it declares, and what it is given.
//!
//! A component's file holds one [`Factory`]; the list of them is in `registry.rs`,
//! which knows the components, while they know only this.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
use odeon_base::{Entropy, WallClock};
use odeon_runtime::store::{Capabilities, StateStore};

use crate::OpenError;
use crate::embedded::{SetAside, Taken};
use crate::kind::Named;
use crate::settings::{Setting, Settings};

/// What a component is given besides its settings.
#[derive(Debug, Clone)]
pub struct Context {
    /// The component's name in its file.
    pub name: String,
    /// The data folder of this host; components that keep files keep them below.
    pub data: PathBuf,
    /// The calendar, for expiry.
    pub clock: Arc<dyn WallClock>,
    /// Randomness, for ETags.
    pub entropy: Arc<Entropy>,
    /// What to do while another process holds what the component needs.
    pub taken: Taken,
}

/// A store that is open.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Arc<dyn StateStore>,
    /// The id of what it holds, kept there; `None` for what nobody else can hold or reach.
    pub id: Option<Arc<str>>,
    /// Data that could not be read was moved out of the way; a person should look.
    pub set_aside: Option<SetAside>,
}

/// Opens a component; its settings have been checked.
pub type OpenFn = fn(Settings, Context) -> BoxFuture<'static, Result<Opened, OpenError>>;

/// How one component is made.
#[derive(Clone, Copy)]
pub struct Factory {
    /// The type in its file, such as `state.in-memory`.
    pub type_name: &'static str,
    /// The versions it answers to; the first is the default.
    pub versions: &'static [&'static str],
    /// What it is, in one sentence.
    pub doc: &'static str,
    /// Its own settings; those that all stores share come on top.
    pub settings: &'static [Setting],
    /// What it will be able to do once it is open.
    pub capabilities: Capabilities,
    /// Whether opening it takes something that one process at a time can hold.
    pub is_held: bool,
    /// The server it talks to, if it needs one.
    pub server: Option<&'static str>,
    /// Opens it.
    pub open: OpenFn,
}

impl fmt::Debug for Factory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Factory").field("type_name", &self.type_name).finish_non_exhaustive()
    }
}

impl Named for Factory {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    fn versions(&self) -> &'static [&'static str] {
        self.versions
    }
}
