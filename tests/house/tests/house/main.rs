//! The rules of the house, held against the tree as it stands.
//!
//! One file per kind of rule. A rule gathers what breaks it and ends in [`demand`],
//! whose message lists the places and says what to do about them. Exceptions are
//! lists with a reason each; one that is no longer needed breaks the rule too.

mod components;
mod crates;
mod files;
mod modules;
mod rows;
mod seams;
mod words;

use std::sync::LazyLock;

use odeon_house::tree::Tree;

/// The tree, read once for all rules.
static TREE: LazyLock<Tree> = LazyLock::new(|| match Tree::read() {
    Ok(tree) => tree,
    Err(error) => panic!("the tree cannot be read: {error}"),
});

/// Fails with every place that breaks a rule and the cure for it.
fn demand(rule: &str, cure: &str, broken: impl IntoIterator<Item = String>) {
    let mut broken: Vec<String> = broken.into_iter().collect();
    broken.sort();
    broken.dedup();
    if broken.is_empty() {
        return;
    }
    panic!("\n{rule}\n  {}\nWhat to do: {cure}\n", broken.join("\n  "));
}

/// A file that may do what the others may not, and why.
struct Exception {
    file: &'static str,
    reason: &'static str,
}

/// `found` without what stands in excepted files, and the exceptions nobody needs.
fn except(found: &[(String, String)], exceptions: &[Exception]) -> Vec<String> {
    let idle = exceptions
        .iter()
        .filter(|exception| !found.iter().any(|(file, _)| file == exception.file))
        .map(|Exception { file, reason }| {
            format!("{file}: excepted ({reason}), but needs it no more")
        });
    let broken = found
        .iter()
        .filter(|(file, _)| !exceptions.iter().any(|exception| exception.file == file))
        .map(|(_, place)| place.clone());
    idle.chain(broken).collect()
}

#[test]
fn an_exception_covers_its_file_and_ends_with_its_need() {
    let found = [("a.rs".to_owned(), "a.rs:1".to_owned())];
    let of = |file| Exception { file, reason: "why" };
    assert_eq!(except(&found, &[]), ["a.rs:1"]);
    assert!(except(&found, &[of("a.rs")]).is_empty());
    assert_eq!(except(&found, &[of("a.rs"), of("b.rs")]).len(), 1);
}
