//! A reference page as a list of facts: rows of its tables, items of its lists,
//! sentences of its paragraphs, each numbered within its section.
//!
//! A list item, a paragraph and the last cell of a row are split into sentences, since
//! each may be kept or broken alone. What covers a fact is in [`crate::rows`].

/// A part of a page of which every fact has a row.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// The page's name, without `.md`.
    pub page: &'static str,
    /// The number of the section; the sections within it are meant, too.
    pub section: &'static str,
    /// Of the section itself, only what contains this, and none of the sections within it.
    pub with: Option<&'static str>,
}

/// What the table of rows is about: actors, the state API and locks, as an application and
/// its callers see them.
pub const PARTS: [Part; 10] = [
    Part { page: "http-api", section: "4", with: None },
    Part { page: "http-api", section: "8", with: None },
    Part { page: "http-api", section: "11", with: None },
    Part { page: "http-api", section: "19", with: None },
    Part { page: "grpc-api", section: "2.2", with: Some("STATE_") },
    Part { page: "grpc-api", section: "3", with: Some("Actor") },
    Part { page: "grpc-api", section: "3.2", with: None },
    Part { page: "grpc-api", section: "3.6", with: None },
    Part { page: "grpc-api", section: "3.8", with: None },
    Part { page: "grpc-api", section: "4", with: None },
];

/// Something that a page says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Page, section and number within it, such as `http-api 8.1/3`.
    pub id: String,
    /// As the page says it, on one line.
    pub text: String,
}

/// The facts of a page that belong to its [`PARTS`], in their order.
#[must_use]
pub fn facts(page: &str, text: &str) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    let (mut section, mut number) = ("", 0);
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix('#') {
            if let Some(found) = number_of(heading) {
                (section, number) = (found, 0);
            }
            continue;
        }
        let mut block = line.trim().to_owned();
        let said = if block.starts_with('|') {
            // The line above the dashes names the columns.
            if lines.peek().is_some_and(|next| next.starts_with("|-")) {
                lines.next();
                continue;
            }
            row(&block)
        } else {
            while let Some(next) = lines.next_if(|next| goes_on(next)) {
                block = format!("{block} {}", next.trim());
            }
            block.split(" · ").flat_map(|step| sentences(strip_mark(step))).collect()
        };
        let is_in = |part: &&Part| part.page == page && part.holds(section, &block);
        if !PARTS.iter().any(|part| is_in(&part)) {
            continue;
        }
        for text in said {
            number += 1;
            facts.push(Fact { id: format!("{page} {section}/{number}"), text });
        }
    }
    facts
}

impl Part {
    fn holds(&self, section: &str, block: &str) -> bool {
        match (section.strip_prefix(self.section), self.with) {
            (Some(""), Some(word)) => block.contains(word),
            (Some(within), None) => within.is_empty() || within.starts_with('.'),
            _ => false,
        }
    }
}

/// The number that a heading begins with.
fn number_of(heading: &str) -> Option<&str> {
    let first = heading.trim_start_matches('#').split_whitespace().next()?;
    let number = first.trim_end_matches('.');
    number.starts_with(|c: char| c.is_ascii_digit()).then_some(number)
}

/// Whether a line belongs to the item or paragraph of the line before it.
fn goes_on(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with(['|', '#']) && strip_mark(line) == line
}

/// An item of a list without its dash or number.
fn strip_mark(line: &str) -> &str {
    if let Some(rest) = line.strip_prefix("- ") {
        return rest;
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    match line[digits..].strip_prefix(". ") {
        Some(rest) if digits > 0 => rest,
        _ => line,
    }
}

/// A row of a table: its cells, once for each sentence of the last one.
fn row(line: &str) -> Vec<String> {
    let inner = line.trim_matches('|').replace("\\|", "\u{0}");
    let mut cells: Vec<String> =
        inner.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect();
    let last = cells.pop().unwrap_or_default();
    let head = cells.join(" | ");
    let mut last = sentences(&last);
    if last.is_empty() {
        last.push(String::new());
    }
    last.into_iter().map(|sentence| format!("{head} | {sentence}")).collect()
}

/// Text cut after each sentence, but for those within brackets or quotes.
fn sentences(text: &str) -> Vec<String> {
    let (mut out, mut begin, mut depth, mut is_quoted) = (Vec::new(), 0, 0_usize, false);
    for (at, c) in text.char_indices() {
        match c {
            '`' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '.' if depth == 0 && begins_sentence(&text[at + 1..]) => {
                out.push(text[begin..=at].trim().to_owned());
                begin = at + 1;
            }
            _ => {}
        }
    }
    out.push(text[begin..].trim().to_owned());
    out.retain(|sentence| !sentence.is_empty());
    out
}

/// Whether what follows a full stop begins a sentence; a mark such as `**[T]**` does not.
fn begins_sentence(after: &str) -> bool {
    let Some(after) = after.strip_prefix(' ') else { return false };
    let is_mark = after.starts_with("**[");
    !is_mark
        && after.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit() || "`*".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(page: &str, text: &str) -> Vec<(String, String)> {
        facts(page, text).into_iter().map(|fact| (fact.id, fact.text)).collect()
    }

    #[test]
    fn rows_items_and_sentences_are_facts() {
        let text = "# Page\n## 7. Other\n- no\n## 8. Actors\n### 8.1 Rules\n- One `a. B` thing\n  \
                    goes on (e.g. This). `Two` is 3. Really. **[T]**\n  - Sub.\n\n| A | B |\n|---|---|\n\
                    | x | y\\|z |\n| v | First. Second. |\n\nWords. More.\nStill.\n1. Step · 2. Next one\n#### Not\n- Last\n";
        let expected = [
            ("http-api 8.1/1", "One `a. B` thing goes on (e.g. This)."),
            ("http-api 8.1/2", "`Two` is 3."),
            ("http-api 8.1/3", "Really. **[T]**"),
            ("http-api 8.1/4", "Sub."),
            ("http-api 8.1/5", "x | y|z"),
            ("http-api 8.1/6", "v | First."),
            ("http-api 8.1/7", "v | Second."),
            ("http-api 8.1/8", "Words."),
            ("http-api 8.1/9", "More."),
            ("http-api 8.1/10", "Still."),
            ("http-api 8.1/11", "Step"),
            ("http-api 8.1/12", "Next one"),
            ("http-api 8.1/13", "Last"),
        ];
        let expected = expected.map(|(id, text)| (id.to_owned(), text.to_owned()));
        assert_eq!(said("http-api", text), expected);
        assert_eq!(said("other-api", text), []);
    }

    #[test]
    fn of_a_section_only_what_is_about_actors() {
        let text = "## 3. Rpcs\n| Rpc | Is |\n|---|---|\n| GetState | x |\n| InvokeActor | y |\n\
                    ### 3.1 Other\n- An Actor\n### 3.6 Ours\n- All\n## 31 Not\n- An Actor\n";
        let expected = [("grpc-api 3/1", "InvokeActor | y"), ("grpc-api 3.6/1", "All")];
        let expected = expected.map(|(id, text)| (id.to_owned(), text.to_owned()));
        assert_eq!(said("grpc-api", text), expected);
    }
}
