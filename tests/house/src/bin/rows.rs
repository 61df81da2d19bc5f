//! Makes the table of rows anew from the reference pages, and says what has changed.
//!
//! Keeps what covers each row; a fact that is new has nothing, and the rule in
//! `tests/house/rows.rs` fails until somebody says what covers it.

#![expect(clippy::print_stdout, reason = "the report is what this program is for")]

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use odeon_house::page::{self, Fact, PARTS};
use odeon_house::rows::{self, FILE};
use odeon_house::tree;

/// Makes the table of rows anew from the reference pages.
#[derive(Debug, Parser)]
#[command(name = "rows")]
struct Arguments {
    /// The folder of the pages.
    pages: PathBuf,
}

fn main() -> ExitCode {
    match renew(&Arguments::parse().pages) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("rows: {error}");
            ExitCode::FAILURE
        }
    }
}

fn renew(folder: &std::path::Path) -> Result<(), String> {
    let mut names: Vec<&str> = PARTS.iter().map(|part| part.page).collect();
    names.dedup();
    let mut facts: Vec<Fact> = Vec::new();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let path = folder.join(name).with_extension("md");
        let text = fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        facts.extend(page::facts(name, &text));
    }
    let path = tree::root().join(FILE);
    let old = match fs::read_to_string(&path) {
        Ok(text) => rows::read(&text)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(format!("cannot read {FILE}: {error}")),
    };
    let (rows, notes) = rows::renewed(old, &facts);
    fs::write(&path, rows::write(&rows))
        .map_err(|error| format!("cannot write {FILE}: {error}"))?;
    for note in &notes {
        println!("{note}");
    }
    println!("{} rows, {} to look at", rows.len(), notes.len());
    Ok(())
}
