//! Short inputs for the reader of sources.

use super::*;

fn source(text: &str) -> Source {
    Source::new("x/src/part.rs", text.to_owned()).unwrap()
}

fn paths(text: &str) -> Vec<String> {
    source(text).paths().iter().map(|path| path.segments.join("::")).collect()
}

#[test]
fn use_trees_are_written_out() {
    let text = "use a::{self, b::{C as D, *}, e};";
    assert_eq!(paths(text), ["a", "a::b::C", "a::b::*", "a::e"]);
    assert_eq!(source(text).paths()[1].name, "D");
    assert_eq!(paths("pub(crate) use x::y;"), ["pub", "crate", "x::y"]);
}

#[test]
fn paths_are_found_in_code_and_in_macros_and_nowhere_else() {
    let text = "fn f() { w!(a::b(), \"c::d\"); /* e::f */ }\n/// g::h\nfn i() {}";
    let found = paths(text);
    assert!(found.contains(&"a::b".to_owned()), "{found:?}");
    assert!(!found.iter().any(|path| ["c::d", "e::f", "g::h"].contains(&path.as_str())));
}

#[test]
fn runs_of_segments_are_whole_words() {
    let all = source("fn f() { std::thread::spawn(g); my_thread::spawn(g) }").paths();
    let found = all.iter().filter(|path| path.contains(&["thread", "spawn"])).count();
    assert_eq!(found, 1);
}

#[test]
fn tests_are_no_product() {
    for text in [
        "#[test]\nfn f() { x.unwrap() }",
        "#[tokio::test(start_paused = true)]\nasync fn f() { x.unwrap() }",
        "#[cfg(test)]\nmod tests { fn f() { x.unwrap() } }",
        "#[cfg(all(test, feature = \"m\"))]\nuse a::{b, c};\n#[cfg(test)] impl A { fn f() { x.unwrap() } }",
        "struct A { #[cfg(test)] f: u8, g: u8 }\n// x.unwrap()\nconst S: &str = \".unwrap()\";",
    ] {
        assert!(source(text).rows(&[".", "unwrap", "("]).is_empty(), "{text}");
    }
    for text in [
        "fn f() { x.unwrap() }",
        "#[cfg(not(test))]\nfn f() { x.unwrap() }",
        "#[cfg(feature = \"test\")]\nfn f() { x.unwrap() }",
        "#[cfg(test)] use a::b;\nfn f() { x\n.unwrap() }",
        "struct A { #[cfg(test)] f: u8, g: u8 }\nfn f() { x.unwrap() }",
    ] {
        assert_eq!(source(text).rows(&[".", "unwrap", "("]).len(), 1, "{text}");
    }
}

#[test]
fn files_of_modules_are_found_where_rust_looks_for_them() {
    let children = |file: &str, text: &str| {
        let source = Source::new(file, text.to_owned()).unwrap();
        source.children.into_iter().map(|c| (c.file, c.is_test)).collect::<Vec<_>>()
    };
    let of = |file: &str, is_test| (file.to_owned(), is_test);
    assert_eq!(
        children("x/src/part.rs", "#[cfg(test)]\nmod tests;\npub(crate) mod other;"),
        [of("x/src/part/tests", true), of("x/src/part/other", false)]
    );
    let elsewhere =
        "#[path = \"a_tests.rs\"] #[cfg(test)] mod a; #[path = \"c.rs\"]\n/// Doc.\nmod b;";
    assert_eq!(
        children("x/src/part.rs", elsewhere),
        [of("x/src/a_tests", true), of("x/src/c", false)]
    );
    assert_eq!(children("x/src/part/mod.rs", "#[cfg(test)] mod tests { mod y; }\nmod z {}"), []);
}

#[test]
fn functions_are_measured_from_their_name_to_their_brace() {
    let text = "trait T { fn a(&self); }\nfn b<A, B>(\n  x: fn(u8) -> [u8; 2],\n) -> A\n{\n}\n";
    let found = source(text).functions();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].name.as_str(), found[0].line, found[0].lines), ("b", 2, 5));
}

#[test]
fn lines_of_tests_do_not_count_as_product() {
    let text = "//! Doc.\nfn f() {}\n\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n";
    assert_eq!(source(text).product_lines(), 3);
    assert!(source(text).opens_with_doc());
}

#[test]
fn inline_modules_are_counted() {
    let all = source("mod a { mod b { use super::super::c; } }\nuse super::d;").paths();
    let depths: Vec<_> = all.iter().filter(|p| p.is_import).map(|p| p.inline_depth).collect();
    assert_eq!(depths, [2, 0]);
}

#[test]
fn tests_are_found_by_attribute_and_in_the_list_of_kinds() {
    let text = "on_every_kind!(a, b; ring: c,);\nasync fn a() {}\n#[ignore = \"why\"]\n#[test]\nfn d() {}\n\
                proptest! { #[test] fn e(x in 0..1) {} }\n#[cfg(test)] mod m { fn f() {} \
                #[tokio::test(start_paused = true)] async fn g() {} }\nfn h() {} promises! { part: i; }";
    let source = source(text);
    assert_eq!(
        source.tests().into_iter().collect::<Vec<_>>(),
        ["a", "b", "c", "e", "g", "i", "part", "ring"]
    );
}
