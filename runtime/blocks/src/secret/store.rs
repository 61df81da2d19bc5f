//! The port of secret stores.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};

use futures::future::BoxFuture;

/// What a caller says beside the name of a secret; a component may give it a meaning.
pub type Metadata = BTreeMap<String, String>;

/// A secret: one value under its own name, or several.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(pub BTreeMap<String, String>);

impl Secret {
    /// One of a single value.
    #[must_use]
    pub fn single(name: &str, value: String) -> Self {
        Self(BTreeMap::from([(name.to_owned(), value)]))
    }
}

/// The names alone.
impl Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Why a secret cannot be had. Its text holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The store has none of this name.
    #[error("secret {name} not found")]
    NotFound {
        /// The name.
        name: String,
    },
    /// The store cannot be asked now.
    #[error("{reason}")]
    Unavailable {
        /// What happened.
        reason: String,
    },
}

/// A component that has secrets. Reading changes nothing, so every call may be repeated and
/// dropped at will.
pub trait SecretStore: Debug + Send + Sync + 'static {
    /// Whether one secret may have several values.
    fn has_many_values(&self) -> bool;

    /// One secret.
    fn get<'a>(
        &'a self,
        name: &'a str,
        metadata: &'a Metadata,
    ) -> BoxFuture<'a, Result<Secret, Error>>;

    /// All of them, by name.
    fn all<'a>(
        &'a self,
        metadata: &'a Metadata,
    ) -> BoxFuture<'a, Result<BTreeMap<String, Secret>, Error>>;
}
