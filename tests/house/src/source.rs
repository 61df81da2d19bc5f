//! One Rust file: which of it is product and which test, its modules and functions.
//!
//! Reads [`crate::tokens`] by shape alone: an attribute with `test` in it makes the
//! item that follows a test, `fn` and a name begin a function. That is enough for
//! the house's rules and short enough to be trusted. Paths: [`crate::paths`].

use std::collections::BTreeSet;

use crate::tokens::{self, Shape, Token};

/// Words that begin an item, as opposed to a field, a variant or an arm.
const ITEM_WORDS: [&str; 15] = [
    "fn",
    "struct",
    "enum",
    "impl",
    "mod",
    "use",
    "const",
    "static",
    "type",
    "trait",
    "pub",
    "async",
    "extern",
    "macro_rules",
    "unsafe",
];

/// Macros that make a test of each function they name.
pub const TEST_MACROS: [&str; 2] = ["on_every_kind", "promises"];

/// One file of the tree.
#[derive(Debug)]
pub struct Source {
    /// Path from the root of the repository.
    pub path: String,
    /// As written.
    pub text: String,
    /// Its tokens.
    pub tokens: Vec<Token>,
    /// The files that this one declares as modules.
    pub children: Vec<Child>,
    is_test: Vec<bool>,
    test_lines: usize,
}

/// The file of a `mod name;`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// Its path from the root of the repository, without `.rs` or `/mod.rs`.
    pub file: String,
    /// Whether only tests have it.
    pub is_test: bool,
}

/// A function with a body.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line of its `fn`, from 1.
    pub line: usize,
    /// Lines from `fn` to the closing brace.
    pub lines: usize,
}

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    /// What the lexer says, when brackets or quotes do not match.
    pub fn new(path: &str, text: String) -> Result<Self, String> {
        let tokens = tokens::split(&text).map_err(|error| format!("{path}: {error}"))?;
        let is_test = vec![false; tokens.len()];
        let mut source = Self {
            path: path.to_owned(),
            text,
            tokens,
            children: Vec::new(),
            is_test,
            test_lines: 0,
        };
        source.find_tests();
        Ok(source)
    }

    /// Whether the first line that says anything is a `//!`.
    #[must_use]
    pub fn opens_with_doc(&self) -> bool {
        self.text.starts_with("//!")
    }

    /// Lines outside tests.
    #[must_use]
    pub fn product_lines(&self) -> usize {
        self.text.lines().count().saturating_sub(self.test_lines)
    }

    /// Tokens outside tests, each with its place among all.
    pub fn product_tokens(&self) -> impl Iterator<Item = (usize, &Token)> {
        self.tokens.iter().enumerate().filter(|(at, _)| !self.is_test[*at])
    }

    /// Lines on which product code has these tokens in a row.
    #[must_use]
    pub fn rows(&self, row: &[&str]) -> Vec<usize> {
        self.product_tokens()
            .filter(|(at, _)| {
                let here = &self.tokens[*at..];
                here.len() >= row.len() && row.iter().zip(here).all(|(text, token)| token.is(text))
            })
            .map(|(_, token)| token.line)
            .collect()
    }

    /// Functions of product code.
    #[must_use]
    pub fn functions(&self) -> Vec<Function> {
        self.product_tokens()
            .filter(|(_, token)| token.is("fn"))
            .filter_map(|(at, token)| {
                let name = self.tokens.get(at + 1).filter(|next| next.shape == Shape::Word)?;
                let end = self.tokens.get(self.item_end(at))?;
                let lines = end.line.saturating_sub(token.line) + 1;
                end.is("}").then(|| Function { name: name.text.clone(), line: token.line, lines })
            })
            .collect()
    }

    /// The names of the tests that run: functions that an attribute makes one, and those
    /// that one of [`TEST_MACROS`] lists. One that is ignored is none.
    #[must_use]
    pub fn tests(&self) -> BTreeSet<&str> {
        let (mut names, mut at) = (BTreeSet::new(), 0);
        while let Some(first) = self.tokens.get(at) {
            let here = &self.tokens[at..];
            let is_named = TEST_MACROS.iter().any(|name| first.is(name));
            if is_named && here.len() > 2 && here[1].is("!") {
                let listed = &self.tokens[at + 3..here[2].close];
                let words = listed.iter().filter(|token| token.shape == Shape::Word);
                names.extend(words.map(|token| token.text.as_str()));
            }
            let (item, _, is_test) = self.attributes(at);
            let is_ignored = self.tokens[at..item].iter().any(|token| token.is("ignore"));
            if is_test && !is_ignored {
                let head = self.tokens[item..].iter().take(3);
                let name = head.skip_while(|token| !token.is("fn")).nth(1);
                names.extend(name.map(|token| token.text.as_str()));
            }
            at = item.max(at + 1);
        }
        names
    }

    /// Marks every item under an attribute that speaks of tests, and notes `mod name;`.
    fn find_tests(&mut self) {
        let (mut at, mut path) = (0, None);
        while at < self.tokens.len() {
            let (item, says, is_test) = self.attributes(at);
            path = says.or(path);
            if is_test {
                self.note_file(item, path.take(), true);
                let stop = self.item_end(item).min(self.tokens.len() - 1);
                self.is_test[at..=stop].fill(true);
                self.test_lines += self.tokens[stop].line - self.tokens[at].line + 1;
                at = stop + 1;
            } else if item > at {
                at = item;
            } else {
                if self.tokens[at].is("mod") {
                    self.note_file(at, path.take(), false);
                } else if self.tokens[at].is(";") || self.tokens[at].is("{") {
                    path = None;
                }
                at += 1;
            }
        }
    }

    /// The attributes from `at` on: where their item begins, its `path`, whether it is a test.
    fn attributes(&self, at: usize) -> (usize, Option<String>, bool) {
        let (mut item, mut path, mut is_test) = (at, None, false);
        while let Some(end) = self.attribute_end(item) {
            path = path.or_else(|| self.path_of(item, end));
            is_test |= self.gates_tests(item, end);
            item = end;
        }
        (item, path, is_test)
    }

    /// The place after the attribute that begins at `at`, if one does.
    fn attribute_end(&self, at: usize) -> Option<usize> {
        let open =
            self.tokens.get(at).filter(|token| token.is("#")).and(self.tokens.get(at + 1))?;
        open.is("[").then_some(open.close + 1)
    }

    /// `#[test]`, `#[tokio::test]`, `#[cfg(test)]`, `#[cfg(all(test, ..))]`; not `not(test)`.
    fn gates_tests(&self, at: usize, end: usize) -> bool {
        let inside = &self.tokens[at + 2..end - 1];
        let is_denied = inside.windows(3).any(|w| w[0].is("not") && w[2].is("test"));
        let is_cfg = inside.first().is_some_and(|first| first.is("cfg"));
        let is_test = inside.iter().any(|token| token.is("test"));
        let is_path =
            inside.iter().all(|t| t.shape == Shape::Word || t.is("::") || t.is("(") || t.is(")"));
        is_test
            && !is_denied
            && (is_cfg || is_path || inside.first().is_some_and(|t| t.is("tokio")))
    }

    /// What `#[path = ".."]` says.
    fn path_of(&self, at: usize, end: usize) -> Option<String> {
        match &self.tokens[at + 2..end - 1] {
            [word, _, literal] if word.is("path") => {
                Some(literal.text.trim_matches('"').to_owned())
            }
            _ => None,
        }
    }

    /// Where the item that begins at `at` ends: its last token.
    fn item_end(&self, at: usize) -> usize {
        let is_item = self.tokens.get(at).is_some_and(|t| ITEM_WORDS.contains(&t.text.as_str()));
        let mut here = at;
        while let Some(token) = self.tokens.get(here) {
            match token.shape {
                Shape::Open if token.is("{") => return token.close,
                Shape::Open => here = token.close,
                Shape::Close => return here.saturating_sub(1),
                Shape::Mark if token.is(";") || (token.is(",") && !is_item) => return here,
                Shape::Mark | Shape::Word | Shape::Literal => {}
            }
            here += 1;
        }
        here
    }

    /// Remembers the file of the `mod name;` that begins at `item`, if one does.
    fn note_file(&mut self, item: usize, path: Option<String>, is_test: bool) {
        let rest = &self.tokens[item.min(self.tokens.len())..];
        let Some(at) = rest.iter().take(5).position(|token| token.is("mod")) else { return };
        let (Some(name), Some(end)) = (rest.get(at + 1), rest.get(at + 2)) else { return };
        if !end.is(";") {
            return;
        }
        let (folder, file) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let stem = file.trim_end_matches(".rs");
        let child = match path {
            Some(path) => format!("{folder}/{}", path.trim_end_matches(".rs")),
            None if ["lib", "main", "mod"].contains(&stem) => format!("{folder}/{}", name.text),
            None => format!("{folder}/{stem}/{}", name.text),
        };
        self.children.push(Child { file: child, is_test });
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
