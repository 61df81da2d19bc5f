//! Components: found in files, opened by type, and which of them keeps actors' state.
//!
//! Log lines are daprd's, since tools wait for them. What a component does is not
//! known here; that some categories are not there yet, is.

use std::collections::BTreeMap;
use std::sync::Arc;

use odeon_base::{Entropy, WallClock};
use odeon_blocks::OpenError;
use odeon_blocks::embedded::Taken;
use odeon_blocks::lock;
use odeon_blocks::state::{self, Context, prefix};
use odeon_runtime::store::Capabilities;

use super::{Error, secrets};
use crate::api;
use crate::config::components::{self, Component, Surroundings};
use crate::config::{Config, Environment, Role};

/// The store of a standalone host that has no component files.
const DEFAULT_NAME: &str = "statestore";
const DEFAULT_TYPE: &str = "state.sled";
/// By this setting a component asks to keep actors' state.
const FOR_ACTORS: &str = "actorStateStore";

/// All components that are open.
#[derive(Debug, Default)]
pub(super) struct Opened {
    /// Stores by name.
    pub(super) stores: BTreeMap<String, Store>,
    /// The name of the one that keeps actors' state.
    pub(super) for_actors: Option<String>,
    /// Secret stores by name.
    pub(super) secrets: secrets::Stores,
    /// Lock components by name.
    pub(super) locks: BTreeMap<String, Lock>,
    /// As metadata lists them.
    pub(super) listed: Vec<api::Component>,
}

impl Opened {
    /// Tells that a component is open, and lists it as this makes it of name, type and version.
    fn loaded(
        &mut self,
        component: &Component,
        list: impl FnOnce(&str, &str, &str) -> api::Component,
    ) {
        tracing::info!("Component loaded: {}", component.label());
        let version = if component.version.is_empty() { "v1" } else { &component.version };
        self.listed.push(list(&component.name, &component.type_name, version));
    }
}

/// A store of this host's application.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) place: Place,
    /// What it can do, open or not.
    pub(super) can: Capabilities,
    /// What is put before each key of the state API.
    pub(super) prefix: Arc<str>,
}

/// A lock component of this host's application.
#[derive(Debug)]
pub(super) struct Lock {
    pub(super) place: Place,
    /// What is put before each name of a lock.
    pub(super) prefix: Arc<str>,
}

/// Where a store is open.
#[derive(Debug)]
pub(super) enum Place {
    /// Here.
    Here(state::Opened),
    /// In another process of this machine, which holds what it needs.
    Elsewhere(Box<Pending>),
}

/// A store that this host opens when nobody else has it open.
#[derive(Debug)]
pub(super) struct Pending {
    component: Component,
    context: Context,
}

impl Pending {
    /// What it is called in the log.
    pub(super) fn label(&self) -> String {
        self.component.label()
    }

    /// Opens it as soon as it can be had.
    ///
    /// # Errors
    /// As for any component; never that somebody else has it.
    ///
    /// # Cancel safety
    /// What was opened is closed again.
    pub(super) async fn open(self) -> Result<state::Opened, Error> {
        let Self { component, context } = self;
        let context = Context { taken: Taken::Wait, ..context };
        let failed = |source| Error::Component { component: Box::new(component.clone()), source };
        open(&component, context).await.map_err(failed)
    }
}

/// Opens what keeps the rows of a state store, or of a lock component.
async fn open(component: &Component, context: Context) -> Result<state::Opened, OpenError> {
    let Component { type_name, version, settings, .. } = component;
    match is_lock(component) {
        true => lock::open(type_name, version, settings, context).await,
        false => state::open(type_name, version, settings, context).await,
    }
}

/// What opening a component takes besides its file.
#[derive(Debug)]
pub(super) struct Opener<'a> {
    pub(super) config: &'a Config,
    pub(super) environment: &'a Environment,
    pub(super) clock: Arc<dyn WallClock>,
    pub(super) entropy: &'a Entropy,
    /// Whether hosts of other processes may hold what a component needs.
    pub(super) is_shared: bool,
}

impl Opener<'_> {
    /// Opens all components of this host, in the order of their files.
    ///
    /// # Errors
    /// Mistakes in files, or the first component that cannot be opened and is not
    /// to be ignored; those opened before are closed by being dropped.
    pub(super) async fn open_all(&self) -> Result<Opened, Error> {
        let around = Surroundings {
            app_id: self.config.app_id.as_str(),
            environment: self.environment,
            entropy: self.entropy,
        };
        let mut wanted = components::load(&self.config.resources, around)?;
        if self.config.resources.is_empty() && self.config.role == Role::Standalone {
            wanted.push(default_store());
        }
        let mut opened = Opened::default();
        let (mut vaults, others): (Vec<_>, Vec<_>) = wanted.into_iter().partition(secrets::is_one);
        while let Some(component) = secrets::take_next(&mut vaults, &opened.secrets) {
            self.process(component, &mut opened).await?;
        }
        for component in others {
            self.process(component, &mut opened).await?;
        }
        tracing::info!("All outstanding components processed");
        Ok(opened)
    }

    async fn process(&self, mut component: Component, opened: &mut Opened) -> Result<(), Error> {
        let ignore = component.ignore_errors;
        let processed = async {
            secrets::fill(&mut component, &opened.secrets).await?;
            match () {
                () if secrets::is_one(&component) => self.open_secrets(component, opened).await,
                () if is_lock(&component) => self.open_lock(component, opened).await,
                () => self.open(component, opened).await,
            }
        };
        match processed.await {
            Err(error) if ignore => {
                tracing::warn!("Ignoring error processing component: {error}");
                Ok(())
            }
            other => other,
        }
    }

    async fn open_secrets(&self, component: Component, opened: &mut Opened) -> Result<(), Error> {
        let store = secrets::open(&component, self.environment).await?;
        opened.loaded(&component, api::Component::plain);
        opened.secrets.insert(component.name, store);
        Ok(())
    }

    async fn open_lock(&self, component: Component, opened: &mut Opened) -> Result<(), Error> {
        let prefix = self.prefix(&component, lock::locks::prefix_of)?;
        let place = self.place(&component).await?;
        opened.loaded(&component, api::Component::plain);
        opened.locks.insert(component.name, Lock { place, prefix });
        Ok(())
    }

    /// Opens what a component keeps its rows in, or leaves it to the process that has it.
    async fn place(&self, component: &Component) -> Result<Place, Error> {
        let context = Context {
            name: component.name.clone(),
            data: self.config.data_dir.clone(),
            clock: Arc::clone(&self.clock),
            entropy: Arc::new(self.entropy.child()),
            taken: Taken::Refuse,
        };
        match open(component, context.clone()).await {
            Ok(made) => Ok(Place::Here(made)),
            Err(OpenError::Locked { pid, .. }) if self.is_shared => {
                let label = component.label();
                let holder = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
                tracing::info!(
                    "{label} is open in another process{holder}: this host uses it through the \
                     host that holds it, and opens it when that one is gone"
                );
                let component = component.clone();
                Ok(Place::Elsewhere(Box::new(Pending { component, context })))
            }
            Err(source) => Err(Error::Component { component: Box::new(component.clone()), source }),
        }
    }

    async fn open(&self, component: Component, opened: &mut Opened) -> Result<(), Error> {
        let prefix = self.prefix(&component, prefix::of_keys)?;
        let label = component.label();
        let place = self.place(&component).await?;
        let can = match &place {
            Place::Here(made) => made.store.capabilities(),
            Place::Elsewhere(_) => {
                let found = state::registry::find(&component.type_name, &component.version);
                found.map(|factory| factory.capabilities).unwrap_or_default()
            }
        };
        if is_for_actors(&component) {
            let unfit = |reason| Error::Unfit {
                place: component.place.clone(),
                label: label.clone(),
                reason,
            };
            if let Some(first) = &opened.for_actors {
                return Err(unfit(format!(
                    "cannot keep actors' state: {first} is already the actor state store, only one actor state store is allowed"
                )));
            }
            if !can.holds_actors() {
                let reason = "cannot keep actors' state: it has no ETags, transactions or fences";
                return Err(unfit(reason.to_owned()));
            }
            if self.is_shared && matches!(&place, Place::Here(made) if made.id.is_none()) {
                tracing::warn!(
                    "{label} is this host's alone: an actor that moves to another host finds \
                     nothing of its state there"
                );
            }
            opened.for_actors = Some(component.name.clone());
            tracing::info!("Using '{}' as actor state store", component.name);
        }
        opened.loaded(&component, |name, kind, version| {
            api::Component::state(name, kind, version, can)
        });
        opened.stores.insert(component.name, Store { place, can, prefix });
        Ok(())
    }

    /// What is put before each key that callers of this component name, by the rule of its kind.
    fn prefix(
        &self,
        component: &Component,
        rule: impl FnOnce(&str, prefix::Names<'_>) -> Result<Arc<str>, prefix::Illegal>,
    ) -> Result<Arc<str>, Error> {
        let names = prefix::Names {
            app: self.config.app_id.as_str(),
            namespace: self.environment.get("NAMESPACE"),
            component: &component.name,
        };
        let written = component.setting(prefix::SETTING).unwrap_or_default();
        rule(written, names).map_err(|illegal| Error::Unfit {
            place: component.place.clone(),
            label: component.label(),
            reason: format!("cannot be used: {illegal}"),
        })
    }
}

fn default_store() -> Component {
    Component {
        name: DEFAULT_NAME.to_owned(),
        type_name: DEFAULT_TYPE.to_owned(),
        version: "v1".to_owned(),
        ignore_errors: false,
        settings: vec![(FOR_ACTORS.to_owned(), "true".to_owned())],
        secrets: Vec::new(),
        secret_store: None,
        place: "default component".to_owned(),
    }
}

fn is_lock(component: &Component) -> bool {
    component.is_of(lock::registry::CATEGORY)
}

fn is_for_actors(component: &Component) -> bool {
    let value = component.setting(FOR_ACTORS).unwrap_or_default().trim().to_ascii_lowercase();
    matches!(value.as_str(), "true" | "yes" | "y" | "on" | "t" | "1")
}
