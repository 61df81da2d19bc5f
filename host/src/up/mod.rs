//! `odeon up FILE`: placement, hosts and applications from one file; `odeon run`: one of each.
//!
//! Reading order: [`mod@file`] is what may be written, [`plan`] what it means, [`single`] the
//! plan of one command line;
//! [`supervisor`] starts, watches, restarts and stops the processes. A process is
//! run by `process`, its output goes through `console`, whether it is ready is
//! asked by `probe`. Nothing here knows actors: a host is a child process like any
//! other, asked over HTTP.

pub mod child;
pub mod file;
pub mod plan;
pub mod ports;
pub mod single;
pub mod supervisor;

mod console;
mod fresh;
mod notice;
mod process;
mod restarts;
mod unit;
mod variables;
mod written;

pub mod probe;

use std::path::PathBuf;

/// What `odeon up` was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// The file.
    pub file: PathBuf,
    /// Whether to remove the data folders that the file names, first.
    pub is_fresh: bool,
}

pub use supervisor::{Failure, run, run_single};
