//! How a secret store is made: what it declares, and what it is given.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::store::SecretStore;
use crate::OpenError;
use crate::kind::Named;
use crate::settings::{Setting, Settings};

/// What a component is given besides its settings.
#[derive(Clone)]
pub struct Context {
    /// The variables of the process.
    pub environment: Arc<BTreeMap<String, String>>,
}

/// Values of variables may be secrets.
impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("variables", &self.environment.len()).finish()
    }
}

/// Opens a component; its settings have been checked.
pub type OpenFn =
    fn(Settings, Context) -> BoxFuture<'static, Result<Arc<dyn SecretStore>, OpenError>>;

/// How one component is made.
#[derive(Clone, Copy)]
pub struct Factory {
    /// The type in its file, such as `secretstores.local.env`.
    pub type_name: &'static str,
    /// The versions it answers to; the first is the default.
    pub versions: &'static [&'static str],
    /// What it is, in one sentence.
    pub doc: &'static str,
    /// Its settings.
    pub settings: &'static [Setting],
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
