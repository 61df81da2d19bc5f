//! `odeon up`, `odeon run` and `odeon child`: what they answer to whoever started them.

use std::ffi::OsString;
use std::process::ExitCode;

use super::{FAILED, OK, USAGE, say};
use crate::config::Environment;
use crate::up::single::Command;
use crate::up::{self, Failure, Options};

/// Runs what a file describes until it is told to stop; the code to end with.
#[must_use]
pub fn up(options: &Options) -> ExitCode {
    ended(up::run(options))
}

/// Runs a host and an application until either ends; the code to end with.
#[must_use]
pub fn run(command: &Command, environment: &Environment) -> ExitCode {
    ended(up::run_single(command, environment))
}

fn ended(how: Result<(), Failure>) -> ExitCode {
    let code = match how {
        Ok(()) => OK,
        Err(failure) => {
            say::error(&failure);
            match failure {
                Failure::File(_) => USAGE,
                Failure::Broken(_) => FAILED,
            }
        }
    };
    ExitCode::from(code)
}

/// Becomes another program; returns only when that cannot be done.
#[must_use]
pub fn child(words: &[OsString]) -> ExitCode {
    say::error(up::child::become_program(words));
    ExitCode::from(FAILED)
}
