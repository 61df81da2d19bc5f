//! Small crates for the reader of imports.

use super::*;

fn crate_of(files: &[(&str, &str)]) -> Vec<Source> {
    files
        .iter()
        .map(|(path, text)| Source::new(&format!("c/src/{path}"), (*text).to_owned()).unwrap())
        .collect()
}

fn imports(files: &[(&str, &str)]) -> Vec<String> {
    let sources = crate_of(files);
    let found = Modules::new("c/src", &sources).imports();
    found.into_iter().map(|import| format!("{} -> {}", import.from, import.to)).collect()
}

fn circles(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let sources = crate_of(files);
    let found = Modules::new("c/src", &sources).circles();
    found.into_iter().map(|circle| circle.into_iter().map(|i| i.from).collect()).collect()
}

#[test]
fn imports_are_seen_in_use_and_in_code() {
    let files = [
        ("lib.rs", "mod a; mod b; mod d;"),
        ("a.rs", "use crate::b::Thing;"),
        ("b.rs", "fn f() { super::d::g() }"),
        ("d.rs", "use std::fmt; use other::a::X;"),
    ];
    assert_eq!(imports(&files), ["a -> b", "b -> d"]);
}

#[test]
fn what_a_parent_passes_on_is_its_makers() {
    let files = [
        ("lib.rs", "mod a; mod b; pub use b::{Thing, inner::Deep as D}; pub struct Own;"),
        ("a.rs", "use crate::{Own, Thing}; use crate::D;"),
        ("b/mod.rs", "pub mod inner;"),
        ("b/inner.rs", "use super::super::Own;"),
    ];
    assert_eq!(imports(&files), ["a -> b"]);
}

#[test]
fn parent_and_child_may_know_each_other_and_siblings_below_are_compared() {
    let files = [
        ("lib.rs", "mod a;"),
        ("a.rs", "mod x; mod y; use self::x::X; pub struct A;"),
        ("a/x.rs", "use super::{A, y::Y};"),
        ("a/y.rs", "use super::A;"),
    ];
    assert_eq!(imports(&files), ["a::x -> a::y"]);
}

#[test]
fn tests_and_inline_modules_do_not_mislead() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub struct A; #[cfg(test)] mod tests { use crate::b::B; }"),
        ("b.rs", "struct H; mod inner { use super::H; use super::super::a::A; }"),
    ];
    assert_eq!(imports(&files), ["b -> a"]);
}

#[test]
fn circles_are_named_once_and_chains_are_none() {
    let chain = [("a.rs", "use crate::b::B;"), ("b.rs", "use crate::d::D;"), ("d.rs", "")];
    assert!(circles(&chain).is_empty());
    let pair = [("a.rs", "use crate::b::B;"), ("b.rs", "use crate::a::A;")];
    assert_eq!(circles(&pair), [["a", "b"]]);
    let three = [
        ("a.rs", "use crate::b::B;"),
        ("b/mod.rs", "mod deep;"),
        ("b/deep.rs", "use crate::d::D;"),
        ("d.rs", "use crate::a::A;"),
    ];
    assert_eq!(circles(&three), [["a", "b", "d"]]);
}

#[test]
fn programs_are_crates_of_their_own() {
    let files = [("lib.rs", ""), ("main.rs", "use c::a;"), ("bin/x.rs", "use crate::y::Z;")];
    assert!(imports(&files).is_empty());
}
