//! `odeon run`: one host and one application beside it, from a command line.
//!
//! A plan as a run file's would be, and run as one; but it ends when either ends, as
//! with `dapr run`.

use std::path::PathBuf;

use crate::config::mistakes::{Mistake, Mistakes};
use crate::config::settings::SETTINGS;
use crate::config::{Config, Environment, Given, Listener, Role, Source};

use super::plan::{AppPlan, HostPlan, Launch, Plan, surroundings};
use super::ports::{Free, Port};

/// What `odeon run` was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    /// Settings of the host, as they were written.
    pub given: Given,
    /// The application's program and its arguments.
    pub words: Vec<String>,
}

impl Command {
    /// The one host and the one application.
    ///
    /// # Errors
    /// Every mistake in the settings.
    pub fn plan(&self, environment: &Environment) -> Result<Plan, Mistakes> {
        let config = Config::read(Role::Standalone, &self.given, environment)?;
        let mut free = Free::besides([].into());
        let http = port(&mut free, Some(&config.http))?;
        let grpc = port(&mut free, Some(&config.grpc))?;
        let metrics = port(&mut free, config.metrics.as_ref())?;
        let id = config.app_id.to_string();
        let dir = PathBuf::from(".");
        let host = HostPlan {
            name: format!("{id}-host"),
            launch: Launch {
                arguments: self.arguments([&http, &grpc, &metrics]),
                env: [].into(),
                dir: dir.clone(),
                data_dir: config.data_dir,
            },
            waits_for_app: config.app.is_some(),
            http,
            grpc,
            metrics,
        };
        let app = AppPlan {
            env: surroundings(&id, config.app.map(|app| app.port), &host),
            name: id.clone(),
            dir,
            build: None,
            command: self.words.clone(),
            port: None,
            host: 0,
            actor_types: Vec::new(),
        };
        Ok(Plan {
            name: id,
            placement: None,
            hosts: vec![host],
            apps: vec![app],
            show: Vec::new(),
            ends_with_any: true,
        })
    }

    fn arguments(&self, [http, grpc, metrics]: [&Port; 3]) -> Vec<String> {
        let mut arguments = vec!["standalone".to_owned()];
        let mut push = |name: &str, value: &str| arguments.push(format!("--{name}={value}"));
        for setting in SETTINGS {
            for value in self.given.read(setting.name) {
                push(setting.name, &value);
            }
        }
        for (name, port) in
            [("dapr-http-port", http), ("dapr-grpc-port", grpc), ("metrics-port", metrics)]
        {
            // The last one counts.
            push(name, &port.number.to_string());
        }
        for (name, value) in [("log-style", "plain"), ("log-level", "warn")] {
            if self.given.read(name).is_empty() {
                push(name, value);
            }
        }
        arguments
    }
}

/// The port of a server, chosen now where it may be any.
fn port(free: &mut Free, listener: Option<&Listener>) -> Result<Port, Mistakes> {
    match listener {
        Some(listener) if listener.port() > 0 => {
            let place = Some(format!("--{}", listener.flag));
            Ok(Port { number: listener.port(), place })
        }
        _ => match free.next() {
            Ok(number) => Ok(Port { number, place: None }),
            Err(error) => Err(Mistake::new("odeon run", format!("no free port: {error}")).into()),
        },
    }
}
