//! `odeon standalone`, `odeon host` and daprd: run one host until it is told to stop.

use std::process::ExitCode;

use crate::config::{Environment, Given, Role};

/// Runs a host; the code to end with.
#[must_use]
pub fn serve(_role: Role, _given: &Given, _environment: &Environment) -> ExitCode {
    ExitCode::from(super::FAILED)
}

/// Waits until the host on a port can be used, at most 60 s; ends well in every case, as daprd's does.
#[must_use]
pub fn wait(_port: &str) -> ExitCode {
    ExitCode::from(super::OK)
}
