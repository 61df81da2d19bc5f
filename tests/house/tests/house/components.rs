//! One list of components: the registry of their building block.
//!
//! A second list is a second place to edit when a component is added. So a file of
//! the product may name one component's type, as a default does, and not several.

use std::collections::BTreeSet;

use odeon_house::source::Source;
use odeon_house::tokens::Shape;

use crate::{TREE, demand};

/// The types that components declare: the literal after `type_name:` in their files.
fn declared() -> BTreeSet<String> {
    let blocks = TREE.product().filter(|(package, _)| package.name == "odeon-blocks");
    blocks.flat_map(|(_, source)| types_in(source)).collect()
}

fn types_in(source: &Source) -> Vec<String> {
    let tokens: Vec<_> = source.product_tokens().map(|(_, token)| token).collect();
    tokens
        .windows(3)
        .filter(|w| w[0].is("type_name") && w[1].is(":") && w[2].shape == Shape::Literal)
        .map(|w| w[2].text.clone())
        .collect()
}

#[test]
fn components_are_listed_once() {
    let types = declared();
    assert!(!types.is_empty(), "no component declares its type: has `type_name` another name now?");
    let broken = TREE.shipped().filter_map(|(_, source)| {
        let named: BTreeSet<_> = source
            .product_tokens()
            .filter(|(_, token)| token.shape == Shape::Literal && types.contains(&token.text))
            .map(|(_, token)| token.text.as_str())
            .collect();
        let names = || named.iter().copied().collect::<Vec<_>>().join(", ");
        (named.len() > 1).then(|| format!("{} names {}", source.path, names()))
    });
    let cure = "walk the FACTORIES of the building block's registry instead.";
    demand("A second list of components.", cure, broken);
}

#[test]
fn each_building_block_has_one_registry() {
    let broken = TREE.shipped().filter_map(|(_, source)| {
        let lines = source.rows(&["const", "FACTORIES"]);
        let is_registry = source.path.ends_with("/registry.rs") && lines.len() == 1;
        (!lines.is_empty() && !is_registry).then(|| format!("{}:{}", source.path, lines[0]))
    });
    let cure = "keep FACTORIES in the registry.rs of its building block, once.";
    demand("A list of factories outside a registry.", cure, broken);
}
