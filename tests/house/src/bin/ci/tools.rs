//! What the tests need besides Rust: looked for, installed where that is allowed,
//! else named.
//!
//! Debian's packages come by apt-get, when this runs as root. Python's packages
//! stand with their versions in `tests/e2e/python/requirements.txt` and go into a
//! virtual environment below the target folder, which tests find by the variable
//! [`PYTHON_VARIABLE`].

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::run::Place;

/// Tells tests which Python has the packages.
pub(crate) const PYTHON_VARIABLE: &str = "ODEON_TEST_PYTHON";

/// The packages and their versions.
const REQUIREMENTS: &str = "tests/e2e/python/requirements.txt";

/// Why the tools are not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Missing {
    /// It may not be installed from here.
    #[error("{program} is missing: install Debian's package {package}, or run as root")]
    Program { program: &'static str, package: &'static str },
    /// A command failed.
    #[error("`{0}` failed; its words are above")]
    Command(String),
    /// A file could not be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
}

/// Sees to it that everything is there.
///
/// # Errors
/// [`Missing`], when it is not and cannot be had.
pub(crate) fn prepare(place: &Place) -> Result<(), Missing> {
    if !can_run("strace", &["-V"]) {
        install("strace", &["strace"])?;
    }
    if !can_run("python3", &["--version"]) {
        install("python3", &["python3", "python3-venv"])?;
    }
    packages(place)
}

/// The Python that has the packages.
pub(crate) fn python(place: &Place) -> PathBuf {
    folder(place).join("bin/python3")
}

fn folder(place: &Place) -> PathBuf {
    place.target.join("e2e-python")
}

/// Fills the virtual environment, unless it holds these very versions already.
fn packages(place: &Place) -> Result<(), Missing> {
    let wanted = place.root.join(REQUIREMENTS);
    let text = std::fs::read_to_string(&wanted).map_err(|e| Missing::File(wanted.clone(), e))?;
    let note = folder(place).join("installed.txt");
    if std::fs::read_to_string(&note).is_ok_and(|installed| installed == text) {
        return Ok(());
    }
    let make = || {
        let mut command = Command::new("python3");
        command.args(["-m", "venv", "--clear"]).arg(folder(place));
        command
    };
    if run(make()).is_err() {
        // Debian keeps what `venv` needs in a package of its own.
        install("python3 -m venv", &["python3-venv"])?;
        run(make())?;
    }
    let mut pip = Command::new(python(place));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--only-binary", ":all:", "--requirement"]).arg(&wanted);
    run(pip)?;
    std::fs::write(&note, text).map_err(|error| Missing::File(note, error))
}

/// Installs packages of Debian's, if this may.
fn install(program: &'static str, packages: &[&'static str]) -> Result<(), Missing> {
    let is_allowed = rustix::process::geteuid().is_root() && can_run("apt-get", &["--version"]);
    if !is_allowed {
        return Err(Missing::Program { program, package: packages[packages.len() - 1] });
    }
    let apt = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        command.arg("--quiet").args(words).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    run(apt(&["update"]))?;
    let mut command = apt(&["install", "--yes", "--no-install-recommends"]);
    command.args(packages);
    run(command)
}

fn run(mut command: Command) -> Result<(), Missing> {
    let program = Path::new(command.get_program()).display();
    let words = command.get_args().map(|word| word.to_string_lossy());
    let line = format!("{program} {}", words.collect::<Vec<_>>().join(" "));
    println!("    {line}");
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Missing::Command(line)),
    }
}

fn can_run(program: &str, words: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_for_by_running_them() {
        assert!(can_run("sh", &["-c", "exit 0"]));
        assert!(!can_run("sh", &["-c", "exit 1"]));
        assert!(!can_run("no-such-program-anywhere", &[]));
    }

    #[test]
    fn every_package_of_python_has_one_version() {
        let text = std::fs::read_to_string(odeon_house::tree::root().join(REQUIREMENTS)).unwrap();
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        for line in lines {
            assert!(line.contains("=="), "{REQUIREMENTS} leaves the version open: {line}");
        }
    }
}
