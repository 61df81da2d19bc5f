//! A Rust file as a flat row of tokens, each with its line.
//!
//! The lexer is proc-macro2's, so comments and strings cannot be mistaken for
//! code, and what stands inside a macro call is seen like everything else. Types
//! and names are not resolved here; see [`crate::source`] for what is made of it.

use std::str::FromStr;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A name or a keyword.
    Word,
    /// Punctuation; `::` is one token, all else is single characters.
    Mark,
    /// A string, a character or a number, as written. A doc comment is one too.
    Literal,
    /// An opening bracket of any kind.
    Open,
    /// A closing bracket of any kind.
    Close,
}

/// One token.
#[derive(Debug, Clone)]
pub struct Token {
    /// What it is.
    pub shape: Shape,
    /// As written.
    pub text: String,
    /// The line it begins on, from 1.
    pub line: usize,
    /// For an opening bracket the place of its closing one, else its own place.
    pub close: usize,
}

impl Token {
    /// Whether this is the given word, mark or bracket, and not a literal.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        self.shape != Shape::Literal && self.text == text
    }
}

/// Splits a file into tokens.
///
/// # Errors
/// The place and the lexer's words, when brackets or quotes do not match.
pub fn split(text: &str) -> Result<Vec<Token>, String> {
    let stream = TokenStream::from_str(text)
        .map_err(|error| format!("line {}: {error}", error.span().start().line))?;
    let mut out = Vec::new();
    flatten(stream, &mut out);
    Ok(out)
}

fn flatten(stream: TokenStream, out: &mut Vec<Token>) {
    let mut is_half_path = false;
    for tree in stream {
        let line = tree.span().start().line;
        let was_half_path = std::mem::take(&mut is_half_path);
        match tree {
            TokenTree::Ident(word) => push(out, Shape::Word, word.to_string(), line),
            TokenTree::Literal(literal) => push(out, Shape::Literal, literal.to_string(), line),
            TokenTree::Punct(mark) if mark.as_char() == ':' && was_half_path => {
                if let Some(last) = out.last_mut() {
                    last.text.push(':');
                }
            }
            TokenTree::Punct(mark) => {
                is_half_path = mark.as_char() == ':' && mark.spacing() == Spacing::Joint;
                push(out, Shape::Mark, mark.as_char().to_string(), line);
            }
            TokenTree::Group(group) => {
                let (open, close) = brackets(group.delimiter());
                let begin = out.len();
                push(out, Shape::Open, open.to_owned(), line);
                flatten(group.stream(), out);
                let end = out.len();
                push(out, Shape::Close, close.to_owned(), group.span_close().start().line);
                out[begin].close = end;
            }
        }
    }
}

fn push(out: &mut Vec<Token>, shape: Shape, text: String, line: usize) {
    let close = out.len();
    out.push(Token { shape, text, line, close });
}

fn brackets(delimiter: Delimiter) -> (&'static str, &'static str) {
    match delimiter {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let tokens = split(text).unwrap();
        tokens.into_iter().filter(|t| t.shape == Shape::Word).map(|t| t.text).collect()
    }

    #[test]
    fn comments_and_strings_hold_no_words() {
        let text = "a /* b /* c */ */ \"d\" r#\"e\"# 'f' b\"g\" // h\n i";
        assert_eq!(words(text), ["a", "i"]);
    }

    #[test]
    fn macros_hold_words_like_all_code() {
        assert_eq!(words("select! { x = y() => {} }"), ["select", "x", "y"]);
    }

    #[test]
    fn a_path_sign_is_one_token_and_two_types_are_not() {
        let texts = |text| split(text).unwrap().into_iter().map(|t| t.text).collect::<Vec<_>>();
        assert_eq!(texts("a::b"), ["a", "::", "b"]);
        assert_eq!(texts("a:b"), ["a", ":", "b"]);
        assert_eq!(texts("a: ::b"), ["a", ":", "::", "b"]);
    }

    #[test]
    fn brackets_know_their_ends_and_lines_are_counted() {
        let tokens = split("fn f() {\n  g(1)\n}").unwrap();
        let open = tokens.iter().find(|t| t.is("{")).unwrap();
        assert_eq!((open.line, tokens[open.close].line), (1, 3));
        assert!(split("fn f() {").is_err());
    }
}
