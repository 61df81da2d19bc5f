//! The README's commands do what the README says.
//!
//! Every `$` line of its console blocks is run against the shop, with the ports of
//! this test in place of the usual ones; the line below it has to be in the answer.

use std::path::Path;
use std::process::Command;

use odeon_test_support::{Process, binaries, tempdir, until};

use crate::shop::node;

/// Commands of the console blocks, each with what its answer has to hold.
fn commands(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match (inside, line) {
            (false, "```console") => inside = true,
            (true, "```") => inside = false,
            (true, line) => match line.strip_prefix("$ ") {
                Some(command) => found.push((command.to_owned(), String::new())),
                None => found.last_mut().expect("an answer follows a command").1.push_str(line),
            },
            _ => {}
        }
    }
    found
}

#[tokio::test]
async fn the_commands_of_the_readme_answer_as_it_says() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let commands = commands(&std::fs::read_to_string(readme).unwrap());
    assert!(commands.len() >= 11, "{commands:?}");
    let data = tempdir().unwrap();
    let node = node(data.path()).words(&["--app-id", "eshop"]).start().await;
    let _shop = Process::start(
        Command::new(binaries::program("odeon-eshop", "eshop"))
            .env("DAPR_GRPC_PORT", node.grpc.to_string()),
    );
    let client = node.client();
    until("the shop's actors", || async {
        let metadata = client.get("/v1.0/metadata").await.ok()?.text();
        metadata.contains("\"OrderActor\"").then_some(())
    })
    .await;
    for (command, expected) in commands {
        let here = command.replace(":3500/", &format!(":{}/", node.http));
        let output = Command::new("sh").args(["-c", &here]).output().unwrap();
        let answer = String::from_utf8_lossy(&output.stdout);
        assert!(
            !expected.is_empty() && answer.contains(&expected),
            "{command}\n  answered {answer}\n  without {expected}"
        );
    }
}
