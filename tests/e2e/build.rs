//! Takes the Rust out of the README, so that the tests compile what a reader copies.
//!
//! Each block names its file in its first line, `// src/lib.rs`, and is written under
//! that name into the build's folder; `tests/readme/code.rs` puts them together.

use std::path::Path;

/// The files that the tests put together, in the README's order.
const FILES: [&str; 4] =
    ["src/lib.rs", "src/bin/embedded.rs", "src/bin/worker.rs", "src/bin/client.rs"];

fn main() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    println!("cargo::rerun-if-changed={}", readme.display());
    let text = std::fs::read_to_string(&readme).expect("the workspace has a README.md");
    let blocks = blocks(&text);
    let names: Vec<&str> = blocks.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, FILES, "the Rust blocks of README.md and what tests/readme/code.rs compiles");
    let out = std::env::var_os("OUT_DIR").expect("cargo says where to build");
    for (name, code) in blocks {
        let file = Path::new(&out).join(name);
        let folder = file.parent().expect("a file is in a folder");
        std::fs::create_dir_all(folder).expect("the build's folder can be written");
        std::fs::write(file, code).expect("the build's folder can be written");
    }
}

/// The Rust blocks, each with the name of its file.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("\n```rust") {
        let (block, after) = after.split_once("\n```").expect("a block ends");
        // What follows the word would be an order to leave the block alone.
        let code = block.strip_prefix('\n').expect("```rust stands alone");
        let first = code.lines().next().and_then(|line| line.strip_prefix("// "));
        found.push((first.expect("a Rust block begins with `// ` and the name of its file"), code));
        rest = after;
    }
    found
}
