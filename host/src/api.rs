//! What the host does for an application, whatever wire the question came by.
//!
//! An [`Api`] is a cheap handle: the engine, who we are, the tokens, the limits,
//! health and the texts of the metadata endpoint. Both front doors (`http/`,
//! `grpc/`) call only this. It knows no status and no route (`status.rs`,
//! `http/routes.rs`), and it is put together in one place only, the assembly.

mod effects;
mod ended;
mod facts;
mod health;
pub mod locks;
mod operations;
mod owners;
mod said;
mod shutdown;
mod trace;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use odeon_base::{ActorType, AppId, Namespace};
use odeon_blocks::lock::Locks;
use odeon_blocks::reminder::Reminders;
use odeon_blocks::secret::{Refused, Secrets};
use odeon_blocks::state::Stores;
use odeon_runtime::{ActorRef, Engine};
use tokio::time::Instant;

pub use effects::is_effect;
pub(crate) use ended::Ended;
pub use facts::{ActorCount, AppConnection, AppHealth, Component, Facts, HostingStatus};
pub use health::Health;
pub use operations::{Operation, OperationError, check_key};
pub use owners::{Owner, Owners};
pub use said::{check_keys, check_page, is_to_the_host, read_activation, read_one_way};
pub use shutdown::{Shutdown, ShutdownHandle};
pub use trace::{TraceContext, TraceError};

/// The version that metadata reports, of the form `X.Y.Z`.
pub const RUNTIME_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The feature of Dapr that allows `ttlInSeconds` on actor state.
pub const FEATURE_STATE_TTL: &str = "ActorStateTTL";

/// Who this host is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The application beside it.
    pub app: AppId,
    /// The namespace of its actor types.
    pub namespace: Namespace,
    /// What metadata reports as the runtime's version. Default: [`RUNTIME_VERSION`].
    pub version: Arc<str>,
}

impl Identity {
    /// An application in a namespace, served by this build.
    #[must_use]
    pub fn new(app: AppId, namespace: Namespace) -> Self {
        Self { app, namespace, version: RUNTIME_VERSION.into() }
    }
}

/// Secrets between the host and its application.
#[derive(Clone, Default)]
pub struct Tokens {
    /// What callers have to show; nothing is checked without one. Source: `DAPR_API_TOKEN`.
    pub api: Option<Arc<str>>,
    /// What the host shows the application. Source: `APP_API_TOKEN`.
    pub app: Option<Arc<str>>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |token: &Option<Arc<str>>| token.as_ref().map(|_| "***");
        f.debug_struct("Tokens")
            .field("api", &shown(&self.api))
            .field("app", &shown(&self.app))
            .finish()
    }
}

impl Tokens {
    /// Whether a caller that shows this may enter. The time it takes does not tell
    /// how much of the token was right.
    #[must_use]
    pub fn admits(&self, shown: Option<&[u8]>) -> bool {
        let Some(expected) = &self.api else { return true };
        let Some(shown) = shown else { return false };
        let expected = expected.as_bytes();
        let differs = expected
            .iter()
            .zip(shown)
            .fold(u8::from(expected.len() != shown.len()), |differs, (a, b)| differs | (a ^ b));
        differs == 0
    }
}

/// How much the front doors accept.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest body of a request or reply, in bytes; `None` for no limit.
    /// Default: 4 MiB. Source: `--max-body-size`.
    pub body_bytes: Option<usize>,
    /// Largest block of request headers over HTTP, in bytes. As in Dapr, 4 KiB more
    /// are let through; beyond that the answer is 431. Default: 4 KiB.
    /// Source: `--read-buffer-size`.
    pub header_bytes: usize,
    /// Calls that may be on their way to one worker stream; beyond it calls wait for
    /// room. Default: 1,024.
    pub stream_queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes: Some(4 << 20), header_bytes: 4 << 10, stream_queue: 1_024 }
    }
}

/// Which origins of web pages may call the HTTP door. Source: `--allowed-origins`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Origins {
    /// Cross-origin requests are not answered specially. The default.
    #[default]
    Off,
    /// Pages of any origin.
    Any,
    /// Pages of these origins.
    List(Vec<String>),
}

impl Origins {
    /// Reads the setting: empty is off, `*` is any, else a list separated by commas.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let listed: Vec<String> =
            text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(Into::into).collect();
        match listed.as_slice() {
            [] => Self::Off,
            _ if listed.iter().any(|one| one == "*") => Self::Any,
            _ => Self::List(listed),
        }
    }
}

/// What an [`Api`] is made of; filled in by the assembly.
#[derive(Debug)]
pub struct Parts {
    /// Runs the actors.
    pub engine: Engine,
    /// Who this host is.
    pub identity: Identity,
    /// Secrets between the host and its application.
    pub tokens: Tokens,
    /// How much is accepted.
    pub limits: Limits,
    /// Which web pages may call.
    pub origins: Origins,
    /// What is up and what is still awaited.
    pub health: Health,
    /// Where reminders are kept; `None` where there is no store for actors' state.
    pub reminders: Option<Reminders>,
    /// The stores of the state API.
    pub stores: Stores,
    /// The lock components.
    pub locks: Locks,
    /// The secret stores; `None` where there are none.
    pub secrets: Option<Secrets>,
    /// Where reminders of types are managed that are hosted elsewhere; `None` where they are not
    /// (REM-9).
    pub reminders_elsewhere: Option<Reminders>,
    /// Answers who owns an actor; `None` where no placement can be asked from here.
    pub owners: Option<Arc<dyn Owners>>,
    /// Where a request to stop goes.
    pub shutdown: ShutdownHandle,
    /// Components and their abilities, as metadata lists them.
    pub components: Vec<Component>,
    /// Features switched on, by Dapr's names.
    pub features: Vec<String>,
    /// How the application is reached, if it has a port.
    pub app_connection: Option<AppConnection>,
    /// Whether a placement service is configured at all; without one, actors are disabled.
    pub has_placement: bool,
}

impl Parts {
    /// An engine with defaults for all else.
    #[must_use]
    pub fn new(engine: Engine, identity: Identity) -> Self {
        Self {
            engine,
            identity,
            tokens: Tokens::default(),
            limits: Limits::default(),
            origins: Origins::default(),
            health: Health::default(),
            reminders: None,
            stores: Stores::default(),
            locks: Locks::default(),
            secrets: None,
            reminders_elsewhere: None,
            owners: None,
            shutdown: ShutdownHandle::default(),
            components: Vec::new(),
            features: vec![FEATURE_STATE_TTL.into()],
            app_connection: None,
            has_placement: true,
        }
    }
}

/// Why an actor can have no reminders here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unremindable {
    /// Actors are turned off.
    NotRunnable,
    /// Actors of this type run in several copies.
    Pooled(ActorType),
    /// Its type is not hosted here (REM-9).
    NotHosted,
    /// There is no store for actors' state.
    NoStore,
}

/// The host's services behind its front doors. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: Parts,
    extended: Mutex<BTreeMap<String, String>>,
}

impl Api {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let extended =
            BTreeMap::from([("daprRuntimeVersion".into(), parts.identity.version.to_string())]);
        Self(Arc::new(Inner { parts, extended: Mutex::new(extended) }))
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.0.parts.engine
    }

    /// Who this host is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.0.parts.identity
    }

    /// Secrets.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.0.parts.tokens
    }

    /// How much is accepted.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.0.parts.limits
    }

    /// Which web pages may call.
    #[must_use]
    pub fn origins(&self) -> &Origins {
        &self.0.parts.origins
    }

    /// What is up and what is still awaited.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.0.parts.health
    }

    /// Where reminders are kept, if anywhere.
    #[must_use]
    pub fn reminders(&self) -> Option<&Reminders> {
        self.0.parts.reminders.as_ref()
    }

    /// Where an actor's reminders are kept. While it is not known whether its type is hosted
    /// here this waits, as calls do (RT-6). If it is not they are reached by way of another host,
    /// where that is allowed (REM-9).
    ///
    /// # Errors
    /// The first reason why it can have none.
    ///
    /// # Cancel safety
    /// Can be dropped at will.
    pub async fn reminders_of(
        &self,
        actor: &ActorRef,
        deadline: Option<Instant>,
    ) -> Result<&Reminders, Unremindable> {
        let actor_type = &actor.actor_type;
        if !self.can_run(actor_type) {
            return Err(Unremindable::NotRunnable);
        }
        let elsewhere = self.0.parts.reminders_elsewhere.as_ref();
        let is_hosted = match elsewhere {
            // Whoever is asked there waits for a host, which may come to be this one.
            Some(_) => self.engine().is_hosted(&self.engine().target(actor)),
            None => tokio::select! {
                biased;
                is_hosted = self.engine().until_hosted(actor, deadline) => is_hosted,
                () = self.health().ruled_out(actor_type) => false,
            },
        };
        if self.engine().is_pooled(actor_type) {
            return Err(Unremindable::Pooled(actor_type.clone()));
        }
        if !is_hosted {
            return elsewhere.ok_or(Unremindable::NotHosted);
        }
        self.reminders().ok_or(Unremindable::NoStore)
    }

    /// The stores of the state API.
    #[must_use]
    pub fn stores(&self) -> &Stores {
        &self.0.parts.stores
    }

    /// The lock components.
    #[must_use]
    pub fn locks(&self) -> &Locks {
        &self.0.parts.locks
    }

    /// The secret stores.
    ///
    /// # Errors
    /// [`Refused::NoStores`] where there are none.
    pub fn secrets(&self) -> Result<&Secrets, Refused> {
        self.0.parts.secrets.as_ref().ok_or(Refused::NoStores)
    }

    /// Where the reminders of a type are listed: by any host of its application, whether or not
    /// that hosts the type, and where it is allowed by any other host too (REM-9).
    ///
    /// # Errors
    /// That there is no store.
    pub fn reminders_to_list(&self, actor_type: &str) -> Result<&Reminders, Unremindable> {
        let is_elsewhere = || {
            let hosts = self.engine().hosts();
            let offers = |one: &ActorType| one.as_str() == actor_type;
            hosts.iter().any(|host| host.types.iter().any(offers)) && !self.hosts(actor_type)
        };
        let elsewhere = self.0.parts.reminders_elsewhere.as_ref().filter(|_| is_elsewhere());
        elsewhere.or(self.reminders()).ok_or(Unremindable::NoStore)
    }

    fn hosts(&self, actor_type: &str) -> bool {
        let types = self.engine().status().types;
        types.iter().any(|one| one.is_hosted && one.actor_type.as_str() == actor_type)
    }

    /// Who answers ownership questions, if somebody does.
    #[must_use]
    pub fn owners(&self) -> Option<&Arc<dyn Owners>> {
        self.0.parts.owners.as_ref()
    }

    /// Where a request to stop goes.
    #[must_use]
    pub fn shutdown(&self) -> &ShutdownHandle {
        &self.0.parts.shutdown
    }

    /// Whether a feature of Dapr is switched on.
    #[must_use]
    pub fn has_feature(&self, name: &str) -> bool {
        self.0.parts.features.iter().any(|feature| feature == name)
    }

    /// Adds a text to the metadata of this host; kept in memory only.
    pub fn set_metadata(&self, key: &str, value: &str) {
        let mut extended = self.0.extended.lock().unwrap_or_else(PoisonError::into_inner);
        extended.insert(key.to_owned(), value.to_owned());
    }

    /// Whether actors of a type can run here at all: without placement, only those of
    /// the host itself do.
    #[must_use]
    pub fn can_run(&self, actor_type: &ActorType) -> bool {
        self.has_placement() || actor_type.is_system()
    }

    /// Whether a placement service is configured; without one, actors are turned off.
    #[must_use]
    pub fn has_placement(&self) -> bool {
        self.0.parts.has_placement
    }

    /// What the metadata endpoint tells, collected now.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let extended = self.0.extended.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Facts::collect(&self.0.parts, extended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_admits_only_itself() {
        let tokens = Tokens { api: Some("s3cret".into()), app: None };
        for (shown, admitted) in [
            (Some("s3cret"), true),
            (Some("s3cre"), false),
            (Some("s3cretx"), false),
            (Some("S3cret"), false),
            (Some(""), false),
            (None, false),
        ] {
            assert_eq!(tokens.admits(shown.map(str::as_bytes)), admitted, "{shown:?}");
        }
        assert!(Tokens::default().admits(None), "without a token nothing is checked");
        assert!(!format!("{tokens:?}").contains("s3cret"));
    }

    #[test]
    fn origins_are_read_as_their_flag_is_written() {
        assert_eq!(Origins::parse(""), Origins::Off);
        assert_eq!(Origins::parse("*"), Origins::Any);
        assert_eq!(
            Origins::parse("http://a, http://b"),
            Origins::List(vec!["http://a".into(), "http://b".into()])
        );
    }
}
