//! The only place that prints: standard output and standard error of the program.
//!
//! Logs go their own way (`logs`); what is said here is for the person at the
//! keyboard. A reader that has gone away is no reason to fail.

use std::fmt::Display;
use std::io::Write as _;

/// A line on standard output.
pub fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A line on standard error.
pub fn error(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
