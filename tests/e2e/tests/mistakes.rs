//! Mistakes: one line that names what is wrong and says what to do.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use odeon_test_support::{Process, binaries, tempdir};

use crate::shop::node;

async fn refused(folder: &Path, words: &[&str]) -> (i32, String) {
    let mut process =
        Process::start(Command::new(binaries::odeon()).args(words).current_dir(folder));
    let code = process.code().await;
    let said = process.said();
    let said: Vec<&str> = said.lines().filter(|line| !line.starts_with("time=")).collect();
    (code, said.join("\n").replace(&format!("{}/", folder.display()), ""))
}

fn free_ports() -> [&'static str; 6] {
    ["--dapr-http-port", "0", "--dapr-grpc-port", "0", "--metrics-port", "0"]
}

#[tokio::test]
async fn a_port_in_use_is_named_with_its_flag() {
    let folder = tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for flag in ["--dapr-http-port", "--dapr-grpc-port", "--metrics-port"] {
        let mut words = vec!["standalone"];
        words.extend(free_ports());
        words.extend([flag, &port]);
        let (code, said) = refused(folder.path(), &words).await;
        assert_eq!(code, 1);
        assert_eq!(
            said,
            format!(
                "odeon: {flag}: port {port} on 127.0.0.1 is in use by another process; \
                 stop that one, or choose another port"
            )
        );
    }
}

#[tokio::test]
async fn a_data_folder_that_is_held_is_named_with_its_holder() {
    let data = tempdir().unwrap();
    let node = node(data.path()).start().await;
    let shown = data.path().display().to_string();
    let mut words = vec!["standalone", "--data-dir", &shown];
    words.extend(free_ports());
    let (code, said) = refused(Path::new("/tmp"), &words).await;
    assert_eq!(code, 1);
    assert_eq!(said.lines().count(), 1, "{said}");
    let holder = format!("in use by process {}", node.process.id());
    assert!(said.contains("--data-dir") && said.contains(&holder), "{said}");
}

#[tokio::test]
async fn a_broken_component_file_is_named_with_its_line() {
    let folder = tempdir().unwrap();
    let resources = folder.path().join("resources");
    std::fs::create_dir(&resources).unwrap();
    let head = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: s\n";
    let shown = resources.display().to_string();
    let mut words = vec!["standalone", "--resources-path", &shown];
    words.extend(free_ports());
    for (rest, expected_code, expected) in [
        (
            "spec:\n  typ: state.sled\n",
            64,
            "resources/s.yaml:6: unknown field 'typ'; did you mean 'type'?",
        ),
        (
            "spec:\n  type: state.sledd\n",
            1,
            "resources/s.yaml:4: component s (state.sledd/v1) cannot be opened: \
             incorrect type state.sledd; did you mean state.sled?",
        ),
        (
            "spec:\n  type: state.sled\n  metadata:\n  - {name: cacheCapcity, value: 1MiB}\n",
            1,
            "did you mean 'cacheCapacity'?",
        ),
        ("spec: [\n", 64, "resources/s.yaml:"),
    ] {
        std::fs::write(resources.join("s.yaml"), format!("{head}{rest}")).unwrap();
        let (code, said) = refused(folder.path(), &words).await;
        assert!(said.contains(expected), "{said}");
        assert_eq!((code, said.lines().count()), (expected_code, 1), "{said}");
    }
}

#[tokio::test]
async fn an_unknown_flag_is_answered_with_the_nearest() {
    let (code, said) = refused(Path::new("/tmp"), &["standalone", "--data-dri", "x"]).await;
    assert_eq!(code, 64);
    assert!(said.contains("'--data-dri'") && said.contains("'--data-dir'"), "{said}");
}

#[tokio::test]
async fn all_wrong_settings_come_together() {
    let words = ["host", "--dapr-http-port", "x", "--enable-mtls"];
    let (code, said) = refused(Path::new("/tmp"), &words).await;
    assert_eq!(code, 64);
    assert_eq!(said.lines().count(), 3, "{said}");
    for flag in ["--app-id: ", "--dapr-http-port: 'x' is not a port", "--enable-mtls: "] {
        assert!(said.contains(flag), "{said}");
    }
}
