//! What a file looks like from outside: its first line, its length, its functions.

use crate::{TREE, demand};

/// Lines of a file that its tests do not count in.
const FILE_LINES_MAX: usize = 700;

/// Lines of a function from `fn` to its brace.
const FUNCTION_LINES_MAX: usize = 80;

#[test]
fn every_file_opens_by_saying_what_it_is_for() {
    let broken = TREE.sources.iter().filter(|source| !source.opens_with_doc());
    let cure =
        "begin with `//!`: what this file is for, what it does not know, where to look next.";
    demand("A file does not open with `//!`.", cure, broken.map(|source| source.path.clone()));
}

#[test]
fn no_file_is_too_long() {
    let broken = TREE.shipped().filter(|(_, source)| source.product_lines() >= FILE_LINES_MAX);
    demand(
        &format!("A file has {FILE_LINES_MAX} lines or more without its tests."),
        "look for the second idea in it and give that a file of its own.",
        broken.map(|(_, source)| format!("{}: {} lines", source.path, source.product_lines())),
    );
}

#[test]
fn no_function_is_too_long() {
    let broken = TREE.shipped().flat_map(|(_, source)| {
        let long = source.functions().into_iter().filter(|f| f.lines > FUNCTION_LINES_MAX);
        long.map(|f| format!("{}:{} {}: {} lines", source.path, f.line, f.name, f.lines))
    });
    demand(
        &format!("A function has more than {FUNCTION_LINES_MAX} lines."),
        "keep the branching and move the straight stretches into helpers with a name.",
        broken,
    );
}
