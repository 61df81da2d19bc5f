//! The table that says which test covers each fact of the reference pages: `rows.toml`.
//!
//! The pages are not in the repository; the table keeps the beginning of each fact and a
//! hash of all of it, so that a page that has changed is noticed when the table is made
//! anew (`cargo run -p odeon-house --bin rows -- FOLDER`). The rule that every row has its
//! test is in `tests/house/rows.rs`; facts are found by [`crate::page`].
//!
//! The file is TOML, of which only tables of one name, strings and lists of them are read.

use std::fmt::Write as _;

use serde_json::Value;

use crate::page::Fact;

/// Where the table is, from the root of the repository.
pub const FILE: &str = "tests/house/rows.toml";

/// How many characters of a fact are shown.
const TEXT_MAX: usize = 160;

const HEAD: &str = "\
# Which test covers each fact of the reference pages about actors, the state API and locks. A row has
#   tests      what fails when the fact is broken, as file::function, or
#   elsewhere  why no test of ours is needed: whose matter the fact is;
# and besides its tests, or without any, it may have
#   differs    by which rule Odeon does something else, which its tests prove, or
#   open       what of it no test covers yet. `cargo test -p odeon-house rows` tells of these.
# Made anew, keeping all of that: cargo run -p odeon-house --bin rows -- FOLDER-OF-PAGES
";

/// One fact and what covers it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// Page, section and number within it.
    pub id: String,
    /// The beginning of what the page says.
    pub text: String,
    /// Of all that the page says.
    pub hash: String,
    /// `file::function` of each test that fails when the fact is broken.
    pub tests: Vec<String>,
    /// Whose matter it is, if not the actors'.
    pub elsewhere: Option<String>,
    /// What Odeon does instead, and by which rule.
    pub differs: Option<String>,
    /// What is not covered.
    pub open: Option<String>,
}

impl Row {
    /// The row of a fact that nothing covers yet.
    #[must_use]
    pub fn new(fact: &Fact) -> Self {
        let mut text: String = fact.text.chars().take(TEXT_MAX).collect();
        if text.len() < fact.text.len() {
            text.push('…');
        }
        Self { id: fact.id.clone(), text, hash: hash(&fact.text), ..Self::default() }
    }

    /// Everything up to the number.
    #[must_use]
    pub fn section(&self) -> &str {
        self.id.rsplit_once('/').map_or(&self.id, |(section, _)| section)
    }

    fn set(&mut self, key: &str, value: Value) -> Result<(), String> {
        let (texts, text) = match value {
            Value::Array(texts) => (Some(texts), None),
            Value::String(text) => (None, Some(text)),
            other => return Err(format!("{key} is {other}; expected a string or a list")),
        };
        match (key, texts, text) {
            ("tests", Some(texts), None) => {
                let texts = texts.into_iter().map(|one| one.as_str().map(str::to_owned));
                self.tests = texts.collect::<Option<_>>().ok_or("tests: expected strings")?;
            }
            ("id", None, Some(text)) => self.id = text,
            ("text", None, Some(text)) => self.text = text,
            ("hash", None, Some(text)) => self.hash = text,
            ("elsewhere", None, text) => self.elsewhere = text,
            ("differs", None, text) => self.differs = text,
            ("open", None, text) => self.open = text,
            _ => return Err(format!("unknown key or wrong value: {key}")),
        }
        Ok(())
    }
}

/// FNV-1a in 32 bits, as eight digits: equal on every machine and in every release.
fn hash(text: &str) -> String {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    format!("{:08x}", text.bytes().fold(0x811c_9dc5, step))
}

/// Reads the table.
///
/// # Errors
/// The line that cannot be read, and why.
pub fn read(text: &str) -> Result<Vec<Row>, String> {
    let mut rows: Vec<Row> = Vec::new();
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let wrong = |why: String| format!("{FILE}:{number}: {why}");
        match line.trim() {
            "" => {}
            "[[row]]" => rows.push(Row::default()),
            comment if comment.starts_with('#') => {}
            pair => {
                let (key, value) =
                    pair.split_once(" = ").ok_or_else(|| wrong("expected key = value".into()))?;
                let mut value = value.to_owned();
                if value == "[" {
                    let rest = lines.by_ref().map(|(line, _)| line.trim());
                    value.extend(rest.take_while(|line| *line != "]"));
                    value = value.trim_end_matches(',').to_owned() + "]";
                }
                let value =
                    serde_json::from_str(&value).map_err(|error| wrong(error.to_string()))?;
                let row = rows.last_mut().ok_or_else(|| wrong("expected [[row]]".into()))?;
                row.set(key, value).map_err(wrong)?;
            }
        }
    }
    Ok(rows)
}

/// Writes the table.
#[must_use]
pub fn write(rows: &[Row]) -> String {
    let mut out = HEAD.to_owned();
    for row in rows {
        out.push_str("\n[[row]]\n");
        let Row { id, text, hash, tests, elsewhere, differs, open } = row;
        let texts = [("id", Some(id)), ("text", Some(text)), ("hash", Some(hash))];
        let more = [
            ("elsewhere", elsewhere.as_ref()),
            ("differs", differs.as_ref()),
            ("open", open.as_ref()),
        ];
        for (key, text) in texts.into_iter().chain(more) {
            if let Some(text) = text {
                // Writing to a string cannot fail.
                let _ = writeln!(out, "{key} = {}", Value::from(text.as_str()));
            }
        }
        if !tests.is_empty() {
            let tests = tests.iter().map(|test| format!("    {},\n", Value::from(test.as_str())));
            let _ = writeln!(out, "tests = [\n{}]", tests.collect::<String>());
        }
    }
    out
}

/// The rows of these facts, each with what covered it before; and what is to be looked at.
#[must_use]
pub fn renewed(old: Vec<Row>, facts: &[Fact]) -> (Vec<Row>, Vec<String>) {
    let mut old: Vec<Option<Row>> = old.into_iter().map(Some).collect();
    let mut rows: Vec<Row> = facts.iter().map(Row::new).collect();
    let mut notes = Vec::new();
    let mut is_known = vec![false; rows.len()];
    // First what is said as before, wherever it stands now; then what stands where it stood.
    for by_place in [false, true] {
        for (row, is_known) in rows.iter_mut().zip(&mut is_known).filter(|(_, known)| !**known) {
            let is_same = |was: &Row| match by_place {
                false => was.section() == row.section() && was.hash == row.hash,
                true => was.id == row.id,
            };
            let Some(was) = old.iter_mut().find(|was| was.as_ref().is_some_and(is_same)) else {
                continue;
            };
            let Some(was) = was.take() else { continue };
            if by_place {
                notes.push(format!("changed, look again: {}: {}", row.id, row.text));
            }
            *is_known = true;
            let Row { tests, elsewhere, differs, open, .. } = was;
            *row = Row { tests, elsewhere, differs, open, ..row.clone() };
        }
    }
    let new = rows.iter().zip(&is_known).filter(|(_, is_known)| !**is_known);
    notes.extend(new.map(|(row, _)| format!("new: {}: {}", row.id, row.text)));
    let gone = old.into_iter().flatten();
    notes.extend(gone.map(|row| format!("gone: {}: {} {:?}", row.id, row.text, row.tests)));
    (rows, notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(number: u32, text: &str) -> Fact {
        Fact { id: format!("p 1/{number}"), text: text.to_owned() }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let tests = vec!["a.rs::b".to_owned(), "c.rs::d".to_owned()];
        let open = Some("a \"quoted\" \\ part".to_owned());
        let rows = [
            Row { tests, open, ..Row::new(&fact(1, "x | `y`")) },
            Row { elsewhere: Some("not here".into()), ..Row::new(&fact(2, &"ä".repeat(500))) },
        ];
        assert_eq!(read(&write(&rows)).unwrap(), rows);
        assert_eq!(rows[1].text.chars().count(), TEXT_MAX + 1);
        for wrong in ["id = \"x\"", "[[row]]\nnothing", "[[row]]\nid = 5", "[[row]]\nnew = \"x\""] {
            assert!(read(wrong).unwrap_err().starts_with("tests/house/rows.toml:"), "{wrong}");
        }
    }

    #[test]
    fn a_row_keeps_its_tests_when_its_page_changes() {
        let (first, notes) = renewed(Vec::new(), &[fact(1, "a"), fact(2, "b"), fact(3, "c")]);
        assert_eq!(notes, ["new: p 1/1: a", "new: p 1/2: b", "new: p 1/3: c"]);
        let covered = |mut row: Row| {
            row.tests = vec![row.text.clone()];
            row
        };
        let first: Vec<_> = first.into_iter().map(covered).collect();
        // One comes before all others, one is put in other words, one goes.
        let (rows, notes) = renewed(first, &[fact(1, "new"), fact(2, "a"), fact(3, "c, too")]);
        let tests: Vec<_> = rows.iter().map(|row| row.tests.join(" ")).collect();
        assert_eq!(tests, ["", "a", "c"]);
        assert_eq!(
            notes,
            ["changed, look again: p 1/3: c, too", "new: p 1/1: new", "gone: p 1/2: b [\"b\"]"]
        );
    }
}
