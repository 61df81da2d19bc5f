//! The workspace's own programs, found where this test was built, or built there.
//!
//! `CARGO_BIN_EXE_…` is known only to tests of the very package; tests of another
//! look beside their own executable. Each package is built once a process, with the
//! profile of the test that asks, so that a test never runs an outdated program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

static BUILT: Mutex<BTreeMap<(String, String), PathBuf>> = Mutex::new(BTreeMap::new());

/// The `odeon` program.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn odeon() -> PathBuf {
    program("odeon-host", "odeon")
}

/// A program of a package.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn program(package: &str, name: &str) -> PathBuf {
    // Held while building: tests that come meanwhile wait for the same.
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (package.to_owned(), name.to_owned());
    built.entry(key).or_insert_with(|| build(package, name)).clone()
}

/// The folder into which this program was built: `<target>/<profile>`; tests are below it.
///
/// # Panics
/// When the program does not run where cargo put it.
#[must_use]
pub fn folder() -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a path");
    let folder = own.parent().expect("a program is in a folder");
    let folder = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
    folder.expect("tests are built into <target>/<profile>/deps").to_path_buf()
}

/// The top of the workspace.
///
/// # Panics
/// When this crate is not where it should be.
#[must_use]
pub fn workspace() -> PathBuf {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    top.expect("this crate is in tests/support").to_path_buf()
}

fn build(package: &str, name: &str) -> PathBuf {
    let folder = folder();
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(other) => other,
    };
    let target = folder.parent().expect("a profile's folder is in the target folder");
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--profile", profile, "-p", package, "--bin", name])
        .arg("--target-dir")
        .arg(target)
        .current_dir(workspace())
        .output()
        .expect("cargo can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} of {package} cannot be built:\n{said}");
    folder.join(name)
}
