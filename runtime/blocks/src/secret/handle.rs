//! The secret stores of a host as its doors reach them: by turns of `sys.secret`.

use std::collections::BTreeMap;
use std::sync::Arc;

use odeon_base::ident::Invalid;
use odeon_runtime::seams::SharedWork;
use odeon_runtime::{ActorRef, Caller, Engine, Error, Target, Turn};

use super::actor::{Component, TYPE};
use super::store::{self, Metadata, Secret};

/// The secret stores of a host, by name.
#[derive(Debug, Clone)]
pub struct Secrets {
    engine: Engine,
    stores: Arc<BTreeMap<String, Target>>,
}

/// Why a secret cannot be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refused {
    /// There are no stores at all.
    #[error("secret store is not configured")]
    NoStores,
    /// There is none of this name.
    #[error("{}", super::actor::unknown(.0))]
    NoStore(String),
    /// The store has it not, or cannot say.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// There was no turn for it.
    #[error(transparent)]
    Engine(#[from] Error),
}

impl Secrets {
    /// Those of these names; [`SecretActor::spec`](super::actor::SecretActor::spec) is what
    /// answers, and is best offered before.
    ///
    /// # Errors
    /// The name's own when a component's cannot be an actor's id.
    pub fn new<'a>(
        engine: &Engine,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Invalid> {
        let targets = names.into_iter().map(|name| {
            let actor = ActorRef::parse(TYPE, name)?;
            Ok((name.to_owned(), engine.target(&actor)))
        });
        let stores = targets.collect::<Result<_, Invalid>>()?;
        Ok(Self { engine: engine.clone(), stores: Arc::new(stores) })
    }

    /// One secret of a store.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn get(&self, store: &str, key: &str, metadata: Metadata) -> Result<Secret, Refused> {
        self.ask(store, Get { key: key.to_owned(), metadata }).await
    }

    /// All secrets of a store.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn all(
        &self,
        store: &str,
        metadata: Metadata,
    ) -> Result<BTreeMap<String, Secret>, Refused> {
        self.ask(store, All(metadata)).await
    }

    async fn ask<T, W>(&self, store: &str, work: W) -> Result<T, Refused>
    where
        T: Send + 'static,
        W: SharedWork<Component, Output = Result<T, store::Error>>,
    {
        if self.stores.is_empty() {
            return Err(Refused::NoStores);
        }
        let target = self.stores.get(store).ok_or_else(|| Refused::NoStore(store.to_owned()))?;
        Ok(self.engine.run_shared(target, Caller::default(), work).await??)
    }
}

#[derive(Debug)]
struct Get {
    key: String,
    metadata: Metadata,
}

impl SharedWork<Component> for Get {
    type Output = Result<Secret, store::Error>;

    async fn run(self, Component(store): &Component, _: &Turn) -> Result<Self::Output, Error> {
        Ok(store.get(&self.key, &self.metadata).await)
    }
}

#[derive(Debug)]
struct All(Metadata);

impl SharedWork<Component> for All {
    type Output = Result<BTreeMap<String, Secret>, store::Error>;

    async fn run(self, Component(store): &Component, _: &Turn) -> Result<Self::Output, Error> {
        Ok(store.all(&self.0).await)
    }
}
