//! Every fact of the reference pages about actors, the state API and locks has its test: `rows.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use odeon_house::page::PARTS;
use odeon_house::rows::{self, FILE, Row};

use crate::{TREE, demand};

fn table() -> Vec<Row> {
    let text = TREE.text(FILE).unwrap_or_default();
    rows::read(&text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_row_says_what_covers_it() {
    let broken = table().into_iter().filter_map(|row| {
        let Row { id, text, tests, elsewhere, differs, open, .. } = &row;
        let has_tests = !tests.is_empty();
        let why = match (has_tests, elsewhere.is_some(), open.is_some()) {
            (false, false, false) => "has nothing",
            (true, true, _) | (_, true, true) => "is elsewhere and here",
            _ if differs.is_some() && !has_tests => "differs, which no test proves",
            _ => return None,
        };
        Some(format!("{id} {why}: {text}"))
    });
    let cure = "name the tests that fail when it is broken, or say why none is needed.";
    demand("A fact of the reference pages that nothing covers.", cure, broken);
}

#[test]
fn every_test_of_a_row_is_there() {
    let tests: BTreeMap<&str, BTreeSet<&str>> =
        TREE.sources.iter().map(|source| (source.path.as_str(), source.tests())).collect();
    let is_there = |test: &str| {
        let named = test.split_once("::");
        named.is_some_and(|(file, name)| {
            tests.get(file).is_some_and(|in_file| in_file.contains(name))
        })
    };
    let broken = table().into_iter().flat_map(|row| {
        let lost = row.tests.iter().filter(|test| !is_there(test));
        lost.map(|test| format!("{}: {test}", row.id)).collect::<Vec<_>>()
    });
    let cure = "write where the test is now; if it is gone, find what covers the row.";
    demand("A row of a test that does not exist.", cure, broken);
}

#[test]
fn no_row_is_missing_or_there_twice() {
    let mut sections: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in table() {
        sections.entry(row.section().to_owned()).or_default().push(row);
    }
    let gaps = sections.iter().flat_map(|(section, rows)| {
        let wanted = (1..).map(move |number| format!("{section}/{number}"));
        rows.iter()
            .zip(wanted)
            .filter(|(row, wanted)| row.id != *wanted)
            .map(|(row, wanted)| format!("{} stands where {wanted} is expected", row.id))
    });
    let empty = PARTS.iter().filter_map(|part| {
        let of = format!("{} {}", part.page, part.section);
        // Those of a part that is picked from a section have no sections below it.
        let below = format!("{of}.");
        let is_found = sections
            .keys()
            .any(|section| *section == of || (part.with.is_none() && section.starts_with(&below)));
        (!is_found).then(|| format!("{of} has no rows"))
    });
    let cure = "make the table anew from the pages: cargo run -p odeon-house --bin rows -- FOLDER.";
    demand("The table of rows has been changed by hand.", cure, gaps.chain(empty));
}

#[test]
fn rows_are_kept_as_they_are_written_and_open_ones_are_counted() {
    let (text, rows) = (TREE.text(FILE).unwrap_or_default(), table());
    let cure = "make the table anew from the pages, or put it as the program does.";
    let is_even = rows::write(&rows) == text;
    demand("The table of rows is not as it is written.", cure, (!is_even).then(|| FILE.to_owned()));
    let open: Vec<_> = rows.iter().filter(|row| row.open.is_some()).collect();
    let count = |has: fn(&Row) -> bool| rows.iter().filter(|row| has(row)).count();
    let (tested, differing) =
        (|row: &Row| !row.tests.is_empty(), |row: &Row| row.differs.is_some());
    let mut told = format!(
        "{} rows: {} with tests, {} of these differ on purpose; {} elsewhere; {} open, most in part:\n",
        rows.len(),
        count(tested),
        count(differing),
        count(|row| row.elsewhere.is_some()),
        open.len(),
    );
    for row in open {
        told.push_str(&format!("  {}: {}\n", row.id, row.open.as_deref().unwrap_or_default()));
    }
    // What is open fails nothing, so it must be seen.
    let _ = std::io::stderr().write_all(told.as_bytes());
}
