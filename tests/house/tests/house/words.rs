//! Words that do not belong: unfinished work, this machine's folders, `unwrap`.

use crate::{TREE, demand};

/// Dapr's own files are kept as they came.
const FOREIGN: &str = "proto/dapr/";

/// Written apart, so that this file does not hold them itself.
const UNFINISHED: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];

/// Folders of one machine; the slash is put before them below.
const MACHINE: [&str; 3] = ["work", "root", "home"];

#[test]
fn no_unwrap_in_what_is_shipped() {
    let broken = TREE.shipped().flat_map(|(_, source)| {
        let lines = source.rows(&[".", "unwrap", "(", ")"]).into_iter();
        lines.map(|line| format!("{}:{line}", source.path))
    });
    let cure = "return an error, or write `expect` with the reason why it cannot fail.";
    demand("`unwrap` outside tests.", cure, broken);
}

#[test]
fn no_unfinished_work_in_the_sources() {
    let cure = "finish it, or open an issue and delete the mark.";
    demand(
        "A mark of unfinished work.",
        cure,
        lines_with(|line| UNFINISHED.into_iter().find(|word| has_word(line, word))),
    );
}

#[test]
fn no_folders_of_one_machine() {
    let cure = "write it from the root of the repository, or let the caller hand it in.";
    demand(
        "A path that only one machine has.",
        cure,
        lines_with(|line| MACHINE.into_iter().find(|folder| has_folder(line, folder))),
    );
}

/// Lines of text files, ours, in which `look` sees something.
fn lines_with(look: impl Fn(&str) -> Option<&'static str>) -> Vec<String> {
    let mut broken = Vec::new();
    for file in TREE.files.iter().filter(|file| !file.starts_with(FOREIGN)) {
        let text = TREE.text(file).unwrap_or_default();
        for (number, line) in text.lines().enumerate() {
            if let Some(found) = look(line) {
                broken.push(format!("{file}:{}: {found}", number + 1));
            }
        }
    }
    broken
}

fn is_part_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether the word stands alone somewhere in the line.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_part_of_word)
            && !line[at + word.len()..].starts_with(is_part_of_word)
    })
}

/// Whether an absolute path begins with the folder; a path that goes on from somewhere is not one.
fn has_folder(line: &str, folder: &str) -> bool {
    let goes_on = |c: char| is_part_of_word(c) || ".-}*)$>".contains(c);
    line.match_indices('/').any(|(at, _)| {
        let rest = line[at + 1..].strip_prefix(folder);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| is_part_of_word(c) || c == '-'))
            && !line[..at].ends_with(goes_on)
    })
}

#[test]
fn words_and_folders_are_told_from_their_likes() {
    assert!(has_word("// ABC: later", "ABC") && !has_word("ABCD_ABC", "ABC"));
    let slash = |text: &str| text.replace('|', "/");
    assert!(has_folder(&slash("cd |abc|x"), "abc") && has_folder(&slash("'|abc'"), "abc"));
    for other in ["|abcflows", "x|abc|y", "..|abc", "$HOME|abc", "|abc-1|x"] {
        assert!(!has_folder(&slash(other), "abc"), "{other}");
    }
}
