//! What the READMEs say is so: their commands answer as written, their Rust compiles.
//!
//! Every `$` line of their console blocks is run against the demo, with the ports of
//! this test in place of the usual ones; the line below it is the answer, in which
//! three dots stand for anything.

mod code;

use std::process::Command;

use odeon_test_support::binaries;

use crate::demo::Demo;

/// A command of a console block, and what it has to answer.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) command: String,
    pub(crate) answer: String,
}

/// The commands of all blocks that begin with this line, in order.
pub(crate) fn steps(text: &str, fence: &str) -> Vec<Step> {
    let mut found: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match (inside, line) {
            (false, line) => inside = line == fence,
            (true, "```") => inside = false,
            (true, line) => match line.strip_prefix("$ ") {
                Some(command) => {
                    found.push(Step { command: command.to_owned(), answer: String::new() });
                }
                None => found.last_mut().expect("an answer follows a command").answer += line,
            },
        }
    }
    found
}

/// Runs a script, which has to answer as the step says.
pub(crate) fn check(Step { command, answer }: &Step, script: &str) {
    let output = Command::new("sh").args(["-c", script]).output().expect("a shell");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        !answer.is_empty() && is_like(told.trim_end(), answer),
        "{command}\n  answered {told}\n  and not {answer}"
    );
}

/// Whether a text is what was expected, where three dots stand for anything.
fn is_like(text: &str, expected: &str) -> bool {
    let Some((first, rest)) = expected.split_once("...") else { return text == expected };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split("...").collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, after)) = text.split_once(part) else { return false };
        text = after;
    }
    text.ends_with(last)
}

/// Runs the commands of a README against the demo, which has just been started.
async fn walk_through(readme: &str, steps_min: usize) {
    let text = std::fs::read_to_string(binaries::workspace().join(readme)).expect("a README");
    let steps = steps(&text, "```console");
    assert!(steps.len() >= steps_min, "{steps:?}");
    let demo = Demo::new().start(&[]).await;
    // One shell for all would be asked for one answer: variables are carried along instead.
    let mut variables = String::new();
    for step in &steps {
        let Step { command, answer } = step;
        let ports = [
            (3500, demo.http(0)),
            (3501, demo.http(1)),
            (8880, demo.shop(0)),
            (8881, demo.shop(1)),
        ];
        let here = ports.into_iter().fold(command.clone(), |here, (usual, port)| {
            here.replace(&format!(":{usual}/"), &format!(":{port}/"))
        });
        match here.split_once('=') {
            // The demo is running already.
            _ if here.starts_with("cargo ") => {}
            Some((name, _)) if answer.is_empty() && name.chars().all(char::is_alphabetic) => {
                variables += &format!("{here}\n");
            }
            _ => check(step, &format!("{variables}{here}")),
        }
    }
    demo.stop().await;
}

#[tokio::test]
async fn the_commands_of_the_readme_answer_as_it_says() {
    walk_through("README.md", 11).await;
}

#[tokio::test]
async fn the_commands_of_the_shop_answer_as_its_readme_says() {
    walk_through("examples/eshop/README.md", 24).await;
}

#[test]
fn three_dots_stand_for_anything_in_their_place() {
    for (text, expected, is_so) in [
        ("abc", "abc", true),
        ("abc", "ab", false),
        ("abc", "...c", true),
        ("abc", "a...", true),
        ("abc", "a...b", false),
        ("abcbd", "a...b...d", true),
        ("abcd", "a...c...b...", false),
        ("ab", "a...b", true),
        ("a", "a...a", false),
    ] {
        assert_eq!(is_like(text, expected), is_so, "{text} as {expected}");
    }
}
