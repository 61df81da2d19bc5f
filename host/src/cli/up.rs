//! `odeon up` and `odeon child`: what they answer to whoever started them.

use std::ffi::OsString;
use std::process::ExitCode;

use super::{FAILED, OK, USAGE, say};
use crate::up::{self, Failure, Options};

/// Runs what a file describes until it is told to stop; the code to end with.
#[must_use]
pub fn up(options: &Options) -> ExitCode {
    let code = match up::run(options) {
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
