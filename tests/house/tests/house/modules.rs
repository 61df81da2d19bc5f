//! No circles between the modules of a crate.

use odeon_house::modules::Modules;
use odeon_house::tree::Role;

use crate::{TREE, demand};

#[test]
fn no_modules_in_a_circle() {
    let mut broken = Vec::new();
    for package in TREE.packages.iter().filter(|package| package.role() != Role::Test) {
        let own = TREE.shipped().filter(|(of, _)| of.name == package.name);
        let src = format!("{}/src", package.folder);
        for circle in Modules::new(&src, own.map(|(_, source)| source)).circles() {
            let steps = circle.iter().map(|i| format!("{} -> {} at {}", i.from, i.to, i.place));
            broken.push(format!("{}: {}", package.name, steps.collect::<Vec<_>>().join(", ")));
        }
    }
    let cure = "when two modules want each other, a third thing wants a name: move the type that \
                both use down into a module of its own, or the decision up to their parent.";
    demand("Modules import each other in a circle.", cure, broken);
}
