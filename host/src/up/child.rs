//! `odeon child`: what a supervised process is started through.
//!
//! It asks the system to be killed when its parent dies, then becomes the program
//! it was told to run, which keeps that. So nothing that `up` started outlives it,
//! even if `up` itself is killed. This is a program of its own because setting it
//! between fork and exec would need unsafe code.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{Pid, Signal};

/// Becomes the program in `words`; the first of them is the process id of the
/// parent that this process is to end with. Returns only the reason it could not.
#[must_use]
pub fn become_program(words: &[OsString]) -> String {
    let [parent, program, arguments @ ..] = words else {
        return "a parent and a program are needed".to_owned();
    };
    let parent = parent.to_str().and_then(|text| text.parse().ok()).and_then(Pid::from_raw);
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
        return format!("cannot be tied to its parent: {error}");
    }
    // The parent may have died before the line above; then nobody would tell us.
    if parent.is_none() || rustix::process::getppid() != parent {
        return "its parent has ended".to_owned();
    }
    let error = Command::new(program).args(arguments).exec();
    format!("cannot start {}: {error}", program.to_string_lossy())
}
