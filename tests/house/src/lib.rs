//! What the checks of the house stand on: the tree as git and cargo see it, and a
//! reader of Rust sources that is exact about words and knows no types.
//!
//! The rules themselves are ordinary tests in `tests/house/`; the binary `ci` runs
//! them with everything else. Reading order: [`tree`] finds packages and files,
//! [`tokens`] splits a file into words, [`source`] tells tests from product and
//! finds functions, [`paths`] finds paths, [`modules`] draws who imports whom inside
//! a crate. Apart from these, [`page`] finds the facts of a reference page and [`rows`]
//! keeps the table of the tests that cover them; the binary `rows` makes it anew.

pub mod modules;
pub mod page;
pub mod paths;
pub mod rows;
pub mod source;
pub mod tokens;
pub mod tree;
