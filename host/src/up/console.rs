//! The output of all processes on one console, each line with its process's name.
//!
//! The form of the prefix is that of Dapr's multi-app runs. Keeps the last lines of
//! each process, for the report when one dies. Knows nothing of processes.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Lines that are kept of each process.
const KEPT_LINES: usize = 20;
/// Colours for names, in turn: those that can be read on dark and light.
const COLOURS: [&str; 5] = ["\u{1b}[36m", "\u{1b}[35m", "\u{1b}[34m", "\u{1b}[32m", "\u{1b}[33m"];
const PLAIN: &str = "\u{1b}[0m";

/// What is written by whom. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub(super) struct Console {
    has_colour: bool,
}

impl Console {
    pub(super) fn new() -> Self {
        Self { has_colour: std::io::stdout().is_terminal() }
    }

    /// The voice of one process; `index` chooses its colour.
    pub(super) fn voice(&self, role: &str, name: &str, index: usize) -> Voice {
        let prefix = format!("== {role} - {name} ==");
        let prefix = match self.has_colour {
            true => format!("{}{prefix}{PLAIN}", COLOURS[index % COLOURS.len()]),
            false => prefix,
        };
        Voice { prefix, last: Arc::default() }
    }

    /// A line of our own.
    pub(super) fn say(&self, text: impl std::fmt::Display) {
        write_line(&text.to_string());
    }
}

/// The output of one process. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    prefix: String,
    last: Arc<Mutex<VecDeque<String>>>,
}

impl Voice {
    /// A line that the process wrote.
    pub(super) fn line(&self, text: &str) {
        write_line(&format!("{} {text}", self.prefix));
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == KEPT_LINES {
            last.pop_front();
        }
        last.push_back(text.to_owned());
    }

    /// The last lines it wrote.
    pub(super) fn last_lines(&self) -> Vec<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// One write a line, so that lines of several processes never mix. A reader that
/// has gone away is no reason to stop what is running.
fn write_line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(format!("{text}\n").as_bytes());
    let _ = out.flush();
}
