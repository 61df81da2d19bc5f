//! A host inside a program of your own: configured in code, with actors of its own.

use std::path::Path;

use odeon_runtime::TypeSpec;

use crate::assemble::{self, Error, Host};
use crate::config::{Config, Environment, Given, Role, Source as _};

/// Makes a standalone host: placement and host in this process, a store in a folder.
///
/// Settings are those of `odeon standalone`, with its defaults; no log is started
/// and no signal is listened to: both belong to the program.
///
/// ```no_run
/// # async fn run(counter: odeon_runtime::TypeSpec) -> Result<(), Box<dyn std::error::Error>> {
/// let host = odeon_host::Builder::new("shop")
///     .data_dir("data")
///     .http_port(0)
///     .grpc_port(0)
///     .without_metrics()
///     .actors(vec![counter]) // `odeon_sdk::actors![Counter]`
///     .start()
///     .await?;
/// host.ready().await;
/// println!("HTTP at {:?}", host.addresses().http);
/// host.stop().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Builder {
    given: Given,
    environment: Environment,
    types: Vec<TypeSpec>,
}

impl Builder {
    /// A host for an application of this id.
    #[must_use]
    pub fn new(app_id: &str) -> Self {
        let given = Given::from([("app-id", app_id)]);
        Self { given, environment: Environment::default(), types: Vec::new() }
    }

    /// Sets anything that has a flag, by the flag's name without dashes.
    #[must_use]
    pub fn setting(mut self, name: &str, value: impl Into<String>) -> Self {
        self.given.push(name, value);
        self
    }

    /// The folder for what must survive a restart. Default: `.odeon`.
    #[must_use]
    pub fn data_dir(self, folder: impl AsRef<Path>) -> Self {
        self.setting("data-dir", folder.as_ref().display().to_string())
    }

    /// Joins the hosts of a placement service at this address, such as `localhost:50005`.
    ///
    /// Without it placement is inside, and the host is a cluster of its own. With it, settings
    /// are those of `odeon host`: name a store in a component file.
    #[must_use]
    pub fn placement(self, address: &str) -> Self {
        self.setting("placement-host-address", address)
    }

    /// The port of the HTTP API; 0 takes any free one. Default: 3500.
    #[must_use]
    pub fn http_port(self, port: u16) -> Self {
        self.setting("dapr-http-port", port.to_string())
    }

    /// The port of the gRPC API; 0 takes any free one. Default: 50001.
    #[must_use]
    pub fn grpc_port(self, port: u16) -> Self {
        self.setting("dapr-grpc-port", port.to_string())
    }

    /// No metrics are served.
    #[must_use]
    pub fn without_metrics(self) -> Self {
        self.setting("enable-metrics", "false")
    }

    /// A folder with component files; may be repeated. Without any there is one
    /// store, which keeps actors' state.
    #[must_use]
    pub fn resources(self, folder: impl AsRef<Path>) -> Self {
        self.setting("resources-path", folder.as_ref().display().to_string())
    }

    /// The variables that settings and components may read. Default: none.
    #[must_use]
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Actor types that live in this process.
    #[must_use]
    pub fn actors(mut self, types: Vec<TypeSpec>) -> Self {
        self.types.extend(types);
        self
    }

    /// Starts the host. It listens when this returns; await [`Host::ready`] before
    /// the first call, or let that call wait.
    ///
    /// # Errors
    /// [`Error`]: a setting, a port, the data folder or a component.
    ///
    /// # Cancel safety
    /// When dropped, what was begun is dropped too.
    pub async fn start(self) -> Result<Host, Error> {
        let is_alone = self.given.read("placement-host-address").is_empty();
        let role = if is_alone { Role::Standalone } else { Role::Host };
        let config = Config::read(role, &self.given, &self.environment)?;
        assemble::start(config, &self.environment, self.types).await
    }
}
