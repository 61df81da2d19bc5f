//! The repository as git and cargo see it: packages, who depends on whom, files.
//!
//! Reads `cargo metadata` and `git ls-files`, so that what is ignored, built or
//! somebody's own is not looked at. Files that git does not know yet are: a rule
//! should speak before a commit does.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::source::Source;

/// Why the tree could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A command could not be started or failed.
    #[error("`{0}` failed: {1}")]
    Command(String, String),
    /// The answer of cargo was not what it promises.
    #[error("cannot read the answer of `cargo metadata`")]
    Metadata(#[source] serde_json::Error),
    /// A file could not be read.
    #[error("cannot read {0}")]
    Read(String, #[source] std::io::Error),
    /// A Rust file is broken.
    #[error("not Rust: {0}")]
    Lex(String),
}

/// What a package is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It is shipped.
    Product,
    /// It shows how the product is used; the rules of the product hold for it.
    Example,
    /// It proves something.
    Test,
}

/// One package of the workspace.
#[derive(Debug)]
pub struct Package {
    /// Such as `odeon-runtime`.
    pub name: String,
    /// From the root, such as `runtime/blocks`.
    pub folder: String,
    /// The text of its `Cargo.toml`.
    pub manifest: String,
    /// What it needs to be built; what only its tests need is left out.
    pub dependencies: Vec<String>,
}

impl Package {
    /// What it is for, by where it stands.
    #[must_use]
    pub fn role(&self) -> Role {
        match self.folder.split('/').next() {
            Some("tests") => Role::Test,
            Some("examples") => Role::Example,
            _ => Role::Product,
        }
    }
}

/// The repository.
#[derive(Debug)]
pub struct Tree {
    /// Where it is.
    pub root: PathBuf,
    /// The members of the workspace.
    pub packages: Vec<Package>,
    /// Every file that git knows or does not ignore, from the root.
    pub files: Vec<String>,
    /// The Rust files among them.
    pub sources: Vec<Source>,
}

/// Where the repository begins.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

impl Tree {
    /// Reads everything.
    ///
    /// # Errors
    /// A command failed, or a file cannot be read or is not Rust.
    pub fn read() -> Result<Self, Error> {
        let root = root();
        let mut files = files(&root)?;
        files.retain(|file| root.join(file).is_file());
        let sources = files
            .iter()
            .filter(|file| file.ends_with(".rs"))
            .map(|file| Source::new(file, read(&root, file)?).map_err(Error::Lex))
            .collect::<Result<_, _>>()?;
        Ok(Self { packages: packages(&root)?, files, sources, root })
    }

    /// The text of a file; `None` if it is not text.
    #[must_use]
    pub fn text(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(self.root.join(file)).ok()
    }

    /// Files that hold product code, with the package each belongs to.
    pub fn product(&self) -> impl Iterator<Item = (&Package, &Source)> {
        self.shipped().filter(|(package, _)| package.role() == Role::Product)
    }

    /// Files under `src/` of the product and the examples that are not tests.
    pub fn shipped(&self) -> impl Iterator<Item = (&Package, &Source)> {
        let tests = self.test_modules();
        self.sources.iter().filter_map(move |source| {
            let package = self.owner(&source.path)?;
            let inside = source.path.strip_prefix(&package.folder)?;
            let is_shipped = inside.starts_with("/src/") && package.role() != Role::Test;
            (is_shipped && !is_below(&source.path, &tests)).then_some((package, source))
        })
    }

    /// Modules that only tests have: declared so, or declared by one that is.
    fn test_modules(&self) -> Vec<&str> {
        let mut modules: Vec<&str> = Vec::new();
        loop {
            let known = modules.len();
            for source in &self.sources {
                let is_test = is_below(&source.path, &modules);
                let children = source.children.iter().filter(|child| child.is_test || is_test);
                for child in children.map(|child| child.file.as_str()) {
                    if !modules.contains(&child) {
                        modules.push(child);
                    }
                }
            }
            if modules.len() == known {
                return modules;
            }
        }
    }

    /// The package in whose folder a file lies; the innermost, if several.
    fn owner(&self, file: &str) -> Option<&Package> {
        self.packages
            .iter()
            .filter(|package| {
                file.strip_prefix(&package.folder).is_some_and(|r| r.starts_with('/'))
            })
            .max_by_key(|package| package.folder.len())
    }
}

/// Whether a file is one of these modules or lies in the folder of one.
fn is_below(file: &str, modules: &[&str]) -> bool {
    modules.iter().any(|module| {
        file.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    })
}

fn files(root: &Path) -> Result<Vec<String>, Error> {
    let words = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = output(root, "git", &words)?;
    let mut files: Vec<String> =
        listed.split('\0').filter(|file| !file.is_empty()).map(str::to_owned).collect();
    files.sort();
    files.dedup();
    Ok(files)
}

/// Where cargo builds to.
///
/// # Errors
/// Cargo cannot be asked.
pub fn target_folder() -> Result<PathBuf, Error> {
    let metadata = metadata(&root())?;
    Ok(PathBuf::from(metadata["target_directory"].as_str().unwrap_or("target")))
}

fn metadata(root: &Path) -> Result<Value, Error> {
    let words = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    serde_json::from_str(&output(root, "cargo", &words)?).map_err(Error::Metadata)
}

fn packages(root: &Path) -> Result<Vec<Package>, Error> {
    let metadata = metadata(root)?;
    let list = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|package| parse(root, package)).collect()
}

fn parse(root: &Path, package: &Value) -> Result<Package, Error> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let manifest = PathBuf::from(text(&package["manifest_path"]));
    let folder = manifest.parent().unwrap_or(root);
    let folder = folder.strip_prefix(root).unwrap_or(folder).to_string_lossy().into_owned();
    let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(Package {
        name: text(&package["name"]),
        manifest: read(root, &format!("{folder}/Cargo.toml"))?,
        folder,
        dependencies: dependencies
            .iter()
            .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
            .map(|dependency| text(&dependency["name"]))
            .collect(),
    })
}

fn read(root: &Path, file: &str) -> Result<String, Error> {
    std::fs::read_to_string(root.join(file)).map_err(|error| Error::Read(file.to_owned(), error))
}

fn output(root: &Path, program: &str, words: &[&str]) -> Result<String, Error> {
    let line = || format!("{program} {}", words.join(" "));
    let done = Command::new(program)
        .args(words)
        .current_dir(root)
        .output()
        .map_err(|error| Error::Command(line(), error.to_string()))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(Error::Command(line(), said.trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_module_is_its_file_and_its_folder() {
        let modules = ["a/src/model"];
        assert!(is_below("a/src/model.rs", &modules));
        assert!(is_below("a/src/model/world.rs", &modules));
        assert!(!is_below("a/src/models.rs", &modules));
    }

    #[test]
    fn what_a_test_declares_is_a_test() {
        let source = |path: &str, text: &str| Source::new(path, text.to_owned()).unwrap();
        let sources = vec![
            source("a/src/x_tests.rs", "#[path = \"x_more.rs\"] mod more;"),
            source("a/src/x.rs", "#[cfg(test)] #[path = \"x_tests.rs\"] mod tests; mod y;"),
        ];
        let tree = Tree { root: root(), packages: Vec::new(), files: Vec::new(), sources };
        assert_eq!(tree.test_modules(), ["a/src/x_tests", "a/src/x_more"]);
    }

    #[test]
    fn the_innermost_package_owns_a_file() {
        let package = |folder: &str| Package {
            name: folder.to_owned(),
            folder: folder.to_owned(),
            manifest: String::new(),
            dependencies: Vec::new(),
        };
        let packages = vec![package("runtime"), package("runtime/blocks"), package("tests/x")];
        let tree = Tree { root: root(), packages, files: Vec::new(), sources: Vec::new() };
        assert_eq!(tree.owner("runtime/blocks/src/a.rs").unwrap().name, "runtime/blocks");
        assert_eq!(tree.owner("runtime/src/blocks.rs").unwrap().name, "runtime");
        assert!(tree.owner("runtimes/src/a.rs").is_none());
        assert_eq!(tree.packages[2].role(), Role::Test);
    }
}
