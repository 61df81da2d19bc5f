//! What command lines ask for, and what refusals say.

use super::*;
use crate::config::Source;

fn parsed(line: &str) -> Command {
    parse(line.split(' ').map(|word| if word == "''" { OsString::new() } else { word.into() }))
        .unwrap_or_else(|refusal| panic!("{line}: {}", refusal.text()))
}

fn refused(line: &str) -> String {
    parse(line.split(' ').map(OsString::from)).unwrap_err().text()
}

#[test]
fn daprd_takes_one_dash_and_empty_values() {
    let line = "/usr/bin/daprd -app-id shop --app-port=3000 -placement-host-address '' \
                --app-max-concurrency -1 -enable-metrics=false -log-as-json";
    let Command::Serve(role, given) = parsed(line) else { panic!("serve") };
    assert_eq!(role, Role::Daprd);
    assert_eq!(given.read("app-id"), ["shop"]);
    assert_eq!(given.read("app-port"), ["3000"]);
    assert_eq!(given.read("placement-host-address"), [""]);
    assert_eq!(given.read("app-max-concurrency"), ["-1"]);
    assert_eq!(given.read("enable-metrics"), ["false"]);
    assert_eq!(given.read("log-as-json"), ["true"]);
}

#[test]
fn a_switch_leaves_the_next_word_alone() {
    assert!(refused("odeon host --log-as-json false").contains("unexpected argument 'false'"));
}

#[test]
fn a_slip_is_answered_with_the_nearest_flag() {
    let text = refused("odeon standalone --dapr-http-prot 1");
    assert!(text.contains("'--dapr-http-prot'") && text.contains("'--dapr-http-port'"), "{text}");
    assert!(refused("odeon standalon").contains("'standalone'"));
    assert!(refused("daprd -app-idd x").contains("'--app-id'"));
}

#[test]
fn fresh_is_found_before_and_after_the_dashes() {
    for (line, expected) in [
        ("odeon up a.yaml", false),
        ("odeon up a.yaml --fresh", true),
        ("odeon up a.yaml -- --fresh", true),
        ("odeon up a.yaml --", false),
    ] {
        let Command::Up(options) = parsed(line) else { panic!("{line}") };
        assert_eq!(options.is_fresh, expected, "{line}");
        assert_eq!(options.file, PathBuf::from("a.yaml"));
    }
    assert!(refused("odeon up a.yaml -- --fersh").contains("--fresh"));
}

#[test]
fn helpers_answer_and_end() {
    assert!(matches!(parsed("daprd --version"), Command::Print(text) if text == version()));
    assert!(
        matches!(parsed("daprd -wait -dapr-http-port 77"), Command::Wait(port) if port == "77")
    );
    let Command::Print(info) = parsed("daprd --build-info") else { panic!("print") };
    assert_eq!(info.lines().count(), 3);
}
