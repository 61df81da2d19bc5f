//! The paths of a file: those in code as they stand, those of `use` written out.
//!
//! A path is words joined by `::`. What it leads to is not asked here; see
//! [`crate::modules`] for paths inside a crate.

use crate::source::Source;
use crate::tokens::Shape;

/// A path as written in product code, such as `std::thread::spawn`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Its segments; the last of a glob import is `*`.
    pub segments: Vec<String>,
    /// The name it has in this file; differs from the last segment after `as`.
    pub name: String,
    /// Whether it stands in a `use`.
    pub is_import: bool,
    /// How many inline modules of this file it stands in.
    pub inline_depth: usize,
    /// The line, from 1.
    pub line: usize,
}

impl Path {
    /// Whether the given segments stand in it, one after the other.
    #[must_use]
    pub fn contains(&self, run: &[&str]) -> bool {
        self.segments.windows(run.len()).any(|window| window.iter().eq(run))
    }
}

impl Source {
    /// All paths of product code, those of `use` written out.
    #[must_use]
    pub fn paths(&self) -> Vec<Path> {
        let inline = self.inline_modules();
        let depth =
            |at: usize| inline.iter().filter(|(from, to)| (*from..*to).contains(&at)).count();
        let mut out = Vec::new();
        let mut done = 0;
        for (at, token) in self.product_tokens() {
            if at < done || token.shape != Shape::Word {
                continue;
            }
            if token.is("use") && !self.tokens.get(at + 1).is_some_and(|next| next.is("<")) {
                let mut leaves = Vec::new();
                done = self.leaves(at + 1, &[], &mut leaves);
                out.extend(leaves.into_iter().map(|(segments, name, line)| Path {
                    segments,
                    name,
                    is_import: true,
                    inline_depth: depth(at),
                    line,
                }));
                continue;
            }
            let segments = self.segments(at);
            done = at + segments.len() * 2 - 1;
            let name = segments.last().cloned().unwrap_or_default();
            let (inline_depth, line) = (depth(at), token.line);
            out.push(Path { segments, name, is_import: false, inline_depth, line });
        }
        out
    }

    /// The words from `at` on that `::` joins.
    fn segments(&self, at: usize) -> Vec<String> {
        let mut segments = vec![self.tokens[at].text.clone()];
        let mut rest = &self.tokens[at + 1..];
        while let [sign, word, after @ ..] = rest {
            if !sign.is("::") || word.shape != Shape::Word {
                break;
            }
            segments.push(word.text.clone());
            rest = after;
        }
        segments
    }

    /// Writes out the use tree at `at`; the place after it.
    fn leaves(
        &self,
        mut at: usize,
        head: &[String],
        out: &mut Vec<(Vec<String>, String, usize)>,
    ) -> usize {
        let mut segments = head.to_vec();
        let mut name = None;
        while let Some(token) = self.tokens.get(at) {
            if token.is("{") {
                let mut inner = at + 1;
                while inner < token.close {
                    inner = self.leaves(inner, &segments, out) + 1;
                }
                return token.close + 1;
            }
            if token.is("as") {
                name = self.tokens.get(at + 1).map(|alias| alias.text.clone());
                at += 1;
            } else if token.shape == Shape::Word || token.is("*") {
                segments.push(token.text.clone());
            } else if !token.is("::") {
                break;
            }
            at += 1;
        }
        if segments.len() > head.len() {
            if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
                segments.pop();
            }
            let line = self.tokens[at - 1].line;
            let last = segments.last().cloned().unwrap_or_default();
            out.push((segments, name.unwrap_or(last), line));
        }
        at
    }

    /// Where the bodies of `mod name { .. }` begin and end.
    fn inline_modules(&self) -> Vec<(usize, usize)> {
        self.product_tokens()
            .filter(|(at, token)| {
                token.is("mod") && self.tokens.get(at + 2).is_some_and(|brace| brace.is("{"))
            })
            .map(|(at, _)| (at + 2, self.tokens[at + 2].close))
            .collect()
    }
}
