//! `odeon standalone`, `odeon host` and daprd: run one host until it is told to stop.
//!
//! Signals and requests to stop over the wire meet here and take one path. Codes:
//! 0 after a clean stop, also one that came during the start; 1 when the host could
//! not start, did not stop in time, or was told twice; 64 for wrong settings. A
//! hangup puts a new host into the same process, which reads component files again.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use super::signals::{Heard, Signals};
use super::{FAILED, OK, USAGE, say};
use crate::api::Shutdown;
use crate::assemble::{self, Error, Host};
use crate::config::{Config, Environment, Given, Role};
use crate::up::probe;
use crate::{logs, shutdown};

/// How long `--wait` waits, and how often it asks. Source: daprd.
const WAIT_LIMIT: Duration = Duration::from_secs(60);
const WAIT_EVERY: Duration = Duration::from_millis(100);

/// Runs a host; the code to end with.
#[must_use]
pub fn serve(role: Role, given: &Given, environment: &Environment) -> ExitCode {
    let config = match Config::read(role, given, environment) {
        Ok(config) => config,
        Err(mistakes) => {
            say::error(mistakes);
            return ExitCode::from(if role == Role::Daprd { FAILED } else { USAGE });
        }
    };
    start_logs(role, &config);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say::error(format_args!("odeon: cannot start: {error}"));
            return ExitCode::from(FAILED);
        }
    };
    let code = runtime.block_on(run(role, config, environment));
    // What is left has been named; nobody waits for it.
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// What comes after a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// The end, with this code.
    End(u8),
    /// Another one.
    Again,
}

/// One host after the other, each from what the component files say by then.
async fn run(role: Role, config: Config, environment: &Environment) -> u8 {
    // A person started this: a hangup says that their terminal has gone. daprd does not ask.
    let is_on_terminal = role != Role::Daprd && std::io::stdin().is_terminal();
    let mut signals = match Signals::listen(is_on_terminal) {
        Ok(signals) => signals,
        Err(error) => {
            say::error(format_args!("odeon: cannot listen to signals: {error}"));
            return FAILED;
        }
    };
    loop {
        match run_one(role, config.clone(), environment, &mut signals).await {
            After::End(code) => return code,
            After::Again => {}
        }
    }
}

async fn run_one(
    role: Role,
    config: Config,
    environment: &Environment,
    signals: &mut Signals,
) -> After {
    let started = tokio::select! {
        biased;
        name = signals.stop() => {
            tracing::info!("Received signal '{name}'; beginning shutdown");
            return After::End(OK);
        }
        started = assemble::start(config, environment, Vec::new()) => started,
    };
    let host = match started {
        Ok(host) => host,
        Err(error) => return After::End(refuse(role, &error)),
    };
    let asked = host.shutdown().clone();
    let mut after = tokio::select! {
        biased;
        // A hangup that came during the start is heard now: files may have been read before it.
        heard = signals.next() => match heard {
            Heard::Stop => After::End(OK),
            Heard::Again => After::Again,
        },
        how = asked.requested() => match how {
            Shutdown::Graceful => After::End(OK),
            Shutdown::Force => return After::End(end_at_once().await),
        },
    };
    let mut stopping = std::pin::pin!(stop(host));
    loop {
        tokio::select! {
            biased;
            name = signals.stop() => {
                if after != After::Again {
                    tracing::warn!("Received a second signal; exiting immediately");
                    return After::End(FAILED);
                }
                tracing::info!("Received signal '{name}'; ending instead of restarting");
                after = After::End(OK);
            }
            () = asked.forced() => return After::End(end_at_once().await),
            _ = asked.requested(), if after == After::Again => after = After::End(OK),
            code = &mut stopping => return if code == OK { after } else { After::End(code) },
        }
    }
}

async fn stop(host: Host) -> u8 {
    match host.stop().await {
        Ok(()) => {
            tracing::info!("Daprd shutdown gracefully");
            OK
        }
        Err(overrun) => {
            tracing::error!(
                fatal = true,
                "Graceful shutdown timeout exceeded, forcing shutdown: {overrun}"
            );
            FAILED
        }
    }
}

async fn end_at_once() -> u8 {
    tracing::warn!("Force shutdown requested, exiting immediately without graceful shutdown");
    tokio::time::sleep(shutdown::FORCED_STOP_DELAY).await;
    FAILED
}

/// Says why the host did not start: to tools in daprd's lines, to people in one.
fn refuse(role: Role, error: &Error) -> u8 {
    if role != Role::Daprd {
        say::error(format_args!("odeon: {error}"));
        return if error.is_mistake() { USAGE } else { FAILED };
    }
    for line in error.daprd_lines() {
        tracing::error!("{line}");
    }
    tracing::error!(fatal = true, "Fatal error from runtime: {error}");
    FAILED
}

fn start_logs(role: Role, config: &Config) {
    let style = config.logs.style.unwrap_or_else(|| match role {
        Role::Daprd => logs::Style::Text,
        Role::Standalone | Role::Host => logs::style_for_terminal(),
    });
    let instance = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let format = logs::Format::new(style, config.app_id.as_str(), &instance)
        .with_colour(std::io::stdout().is_terminal());
    logs::start(config.logs.level, format);
}

/// Waits until the host on a port can be used, at most 60 s; ends well in every
/// case, as daprd's does.
#[must_use]
pub fn wait(port: &str) -> ExitCode {
    let Ok(port) = port.parse::<u16>() else {
        say::error(format_args!("--dapr-http-port: '{port}' is not a port"));
        return ExitCode::from(OK);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return ExitCode::from(OK) };
    let became_usable = runtime.block_on(async {
        let asking = async {
            let mut interval = tokio::time::interval(WAIT_EVERY);
            while !probe::is_outbound(port).await {
                interval.tick().await;
            }
        };
        tokio::time::timeout(WAIT_LIMIT, asking).await.is_ok()
    });
    let outcome = if became_usable { "can be used" } else { "cannot be used yet" };
    say::error(format_args!("the host on port {port} {outcome}"));
    ExitCode::from(OK)
}
