//! `odeon placement`: runs one placement service until it is told to stop.
//!
//! Codes are those of a host: 0 after a clean stop, 1 when it could not start or was told
//! twice, 64 for wrong settings. A hangup ends it and starts it again in the same process,
//! so that a new token is read; hosts keep their leases meanwhile.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use super::signals::{Heard, Signals};
use super::{DAPRD_USAGE, FAILED, OK, USAGE, say};
use crate::assemble::Error;
use crate::assemble::service::{self, Service};
use crate::config::placement::Config;
use crate::config::{Environment, Given};
use crate::logs;

/// Under which name the program was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// `odeon placement`.
    Odeon,
    /// Dapr's, with its flags of one dash, its logs and its exit codes.
    Dapr,
}

/// Runs a placement service; the code to end with.
#[must_use]
pub fn serve(name: Name, given: &Given, environment: &Environment) -> ExitCode {
    let config = match Config::read(given, environment) {
        Ok(config) => config,
        Err(mistakes) => {
            say::error(mistakes);
            return ExitCode::from(if name == Name::Dapr { DAPRD_USAGE } else { USAGE });
        }
    };
    start_logs(name, &config);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say::error(format_args!("odeon: cannot start: {error}"));
            return ExitCode::from(FAILED);
        }
    };
    let code = runtime.block_on(run(name, config, given, environment));
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// One service after the other, each from what files say by then.
async fn run(name: Name, config: Config, given: &Given, environment: &Environment) -> u8 {
    let is_on_terminal = name == Name::Odeon && std::io::stdin().is_terminal();
    let mut signals = match Signals::listen(is_on_terminal) {
        Ok(signals) => signals,
        Err(error) => {
            say::error(format_args!("odeon: cannot listen to signals: {error}"));
            return FAILED;
        }
    };
    let mut config = config;
    loop {
        let started = tokio::select! {
            biased;
            signal = signals.stop() => {
                tracing::info!("Received signal '{signal}'; beginning shutdown");
                return OK;
            }
            started = service::start(config) => started,
        };
        let service = match started {
            Ok(service) => service,
            Err(error) => return refuse(name, &error),
        };
        let heard = signals.next().await;
        if !stop(service, &mut signals).await {
            return FAILED;
        }
        if heard == Heard::Stop {
            return OK;
        }
        config = match Config::read(given, environment) {
            Ok(config) => config,
            Err(mistakes) => {
                tracing::error!(fatal = true, "{mistakes}");
                return FAILED;
            }
        };
    }
}

/// Whether it stopped as it should.
async fn stop(service: Service, signals: &mut Signals) -> bool {
    tokio::select! {
        biased;
        _ = signals.stop() => {
            tracing::warn!("Received a second signal; exiting immediately");
            false
        }
        stopped = service.stop() => match stopped {
            Ok(()) => {
                tracing::info!("Placement service shut down gracefully");
                true
            }
            Err(overrun) => {
                tracing::error!(fatal = true, "{overrun}");
                false
            }
        }
    }
}

/// Says why it did not start: to tools in a log line, to people in one of its own.
fn refuse(name: Name, error: &Error) -> u8 {
    match name {
        Name::Odeon => {
            say::error(format_args!("odeon: {error}"));
            if error.is_mistake() { USAGE } else { FAILED }
        }
        Name::Dapr => {
            tracing::error!(fatal = true, "{error}");
            FAILED
        }
    }
}

fn start_logs(name: Name, config: &Config) {
    let style = config.logs.style.unwrap_or_else(|| match name {
        Name::Dapr => logs::Style::Text,
        Name::Odeon => logs::style_for_terminal(),
    });
    let instance = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let format =
        logs::Format::new(style, "", &instance).with_colour(std::io::stdout().is_terminal());
    logs::start(config.logs.level, format);
}
