//! Who imports whom inside one crate, and where that runs in a circle.
//!
//! Modules are compared with their siblings, at every level: a parent and its child
//! may know each other, since one file often speaks for its folder, but of two
//! siblings only one may know the other. A name that a parent passes on (`pub use`)
//! counts as an import of the module it comes from.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::paths::Path;
use crate::source::Source;

/// How many `pub use` a name may pass through before it is given up on.
const HOPS_MAX: usize = 8;

/// One import: who, whom, and where it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// The importing module, from the root of its crate.
    pub from: String,
    /// The imported one, a sibling.
    pub to: String,
    /// File and line.
    pub place: String,
}

/// The modules of one crate.
#[derive(Debug, Default)]
pub struct Modules<'a> {
    files: BTreeMap<Vec<String>, &'a Source>,
    /// Per module the names that its `use` lines bring in.
    names: BTreeMap<Vec<String>, BTreeMap<String, Vec<String>>>,
}

impl<'a> Modules<'a> {
    /// The modules among these files; `src` is the crate's folder of sources.
    #[must_use]
    pub fn new(src: &str, sources: impl IntoIterator<Item = &'a Source>) -> Self {
        let mut modules = Self::default();
        for source in sources {
            let Some(module) = module_of(src, &source.path) else { continue };
            let imports = source.paths().into_iter().filter(|path| path.is_import);
            let names = imports.map(|path| (path.name, path.segments)).collect();
            modules
                .names
                .entry(module.clone())
                .or_insert_with(BTreeMap::new)
                .extend::<BTreeMap<_, _>>(names);
            modules.files.insert(module, source);
        }
        modules
    }

    /// Every import of one sibling by another, once each.
    #[must_use]
    pub fn imports(&self) -> Vec<Import> {
        let mut found = BTreeMap::new();
        for (module, source) in &self.files {
            for path in source.paths() {
                let Some(target) = self.target(module, &path) else { continue };
                let shared = module.iter().zip(&target).take_while(|(a, b)| a == b).count();
                if shared == module.len() || shared == target.len() {
                    continue;
                }
                let name = |module: &[String]| module[..=shared].join("::");
                let place = format!("{}:{}", source.path, path.line);
                found.entry((name(module), name(&target))).or_insert(place);
            }
        }
        found.into_iter().map(|((from, to), place)| Import { from, to, place }).collect()
    }

    /// The circles, each as its imports in order; the shortest through each module.
    #[must_use]
    pub fn circles(&self) -> Vec<Vec<Import>> {
        let imports = self.imports();
        let mut seen = BTreeSet::new();
        let mut out = Vec::new();
        for start in &imports {
            let Some(circle) = circle_through(start, &imports) else { continue };
            let members: BTreeSet<&str> =
                circle.iter().map(|import| import.from.as_str()).collect();
            if seen.insert(members) {
                out.push(circle.into_iter().cloned().collect());
            }
        }
        out
    }

    /// The module that a path leads to, if it names one of this crate.
    fn target(&self, module: &[String], path: &Path) -> Option<Vec<String>> {
        let first = path.segments.first()?;
        if !["crate", "super", "self"].contains(&first.as_str()) {
            return None;
        }
        if first == "crate" {
            return self.resolve(module, &path.segments, 0);
        }
        // Inside an inline module `super` first leads out of that one.
        let ups = path.segments.iter().take_while(|segment| *segment == "super").count();
        if ups < path.inline_depth || (path.inline_depth > 0 && ups == path.inline_depth) {
            return None;
        }
        self.resolve(module, &path.segments[path.inline_depth..], 0)
    }

    fn resolve(&self, module: &[String], segments: &[String], hops: usize) -> Option<Vec<String>> {
        let mut here = module.to_vec();
        let mut is_inside = false;
        for segment in segments {
            match segment.as_str() {
                "crate" => here.clear(),
                "self" => {}
                "super" => {
                    here.pop()?;
                }
                _ => {
                    here.push(segment.clone());
                    if self.is_module(&here) {
                        is_inside = true;
                        continue;
                    }
                    here.pop();
                    let passed_on = self.names.get(&here).and_then(|names| names.get(segment));
                    return match passed_on {
                        Some(further) if hops < HOPS_MAX && further.as_slice() != segments => {
                            self.resolve(&here, further, hops + 1).or(Some(here))
                        }
                        _ => is_inside.then_some(here),
                    };
                }
            }
            is_inside = true;
        }
        Some(here)
    }

    fn is_module(&self, path: &[String]) -> bool {
        self.files.contains_key(path)
            || self.files.range(path.to_vec()..).next().is_some_and(|(at, _)| at.starts_with(path))
    }
}

/// `src/a/b.rs` and `src/a/b/mod.rs` are `a::b`; programs in `src/bin` are crates of their own.
fn module_of(src: &str, file: &str) -> Option<Vec<String>> {
    let inside = file.strip_prefix(src)?.strip_prefix('/')?.strip_suffix(".rs")?;
    let mut module: Vec<String> = inside.split('/').map(str::to_owned).collect();
    let is_program = module[0] == "bin" || (module.len() == 1 && module[0] == "main");
    if module.last().is_some_and(|last| last == "mod") || inside == "lib" {
        module.pop();
    }
    (!is_program).then_some(module)
}

/// The shortest way from where an import leads back to where it stands.
fn circle_through<'a>(start: &'a Import, imports: &'a [Import]) -> Option<Vec<&'a Import>> {
    let mut came: BTreeMap<&str, &Import> = BTreeMap::from([(start.to.as_str(), start)]);
    let mut queue = VecDeque::from([start.to.as_str()]);
    while let Some(here) = queue.pop_front() {
        if here == start.from {
            let mut circle = vec![came[here]];
            while circle[circle.len() - 1] != start {
                circle.push(came[circle[circle.len() - 1].from.as_str()]);
            }
            circle.reverse();
            return Some(circle);
        }
        for import in imports.iter().filter(|import| import.from == here) {
            if !came.contains_key(import.to.as_str()) {
                came.insert(&import.to, import);
                queue.push_back(&import.to);
            }
        }
    }
    None
}

#[cfg(test)]
#[path = "modules_tests.rs"]
mod tests;
