//! What a placement service's settings mean, and mistakes that come out together.

use super::*;
use crate::config::source::Given;

fn read(given: &Given) -> Result<Config, String> {
    Config::read(given, &Environment::default()).map_err(|mistakes| mistakes.to_string())
}

fn read_one(name: &str, value: &str) -> Result<Config, String> {
    read(&Given::from([(name, value)]))
}

#[test]
fn it_needs_nothing() {
    let config = read(&Given::default()).unwrap();
    assert_eq!(config.grpc.to_string(), "127.0.0.1:50005");
    assert_eq!(config.health.to_string(), "127.0.0.1:8080");
    assert_eq!(config.metrics, Metrics::WithHealth);
    assert!(config.is_state_shown && config.token.is_none());
    assert_eq!(config.data_dir, PathBuf::from(".odeon/.placement"));
    assert_eq!(config.keep_alive, KeepAlive::default());
    assert_eq!(config.service, odeon_placement::Config::default(), "one place for defaults");
}

#[test]
fn every_default_of_the_table_can_be_read() {
    for setting in SETTINGS {
        read_one(setting.name, setting.default).unwrap_or_else(|m| panic!("{m}"));
    }
}

#[test]
fn times_are_settable() {
    for (name, value, read_back) in [
        ("lease", "2s", |c: &Config| c.service.lease == Duration::from_secs(2)),
        ("drain-limit", "1m", |c: &Config| c.service.drain_limit == Duration::from_secs(60)),
        ("window", "5ms", |c: &Config| c.service.window == Duration::from_millis(5)),
        ("window", "2s", |c: &Config| c.service.window_max == Duration::from_secs(2)),
        ("window-max", "1s", |c: &Config| c.service.window_max == Duration::from_secs(1)),
        ("expiry-window", "0", |c: &Config| c.service.expiry_window.is_zero()),
        ("disseminate-coalesce-window", "7ms", |c: &Config| c.service.window.as_millis() == 7),
        ("disseminate-coalesce-window", "0s", |c: &Config| c.service.window.as_millis() == 50),
        ("new-cluster", "true", |c: &Config| c.service.is_new_cluster),
        ("keepalive-time", "10s", |c: &Config| c.keep_alive.interval.as_secs() == 10),
    ] as [(&str, &str, fn(&Config) -> bool); 10]
    {
        let config = read_one(name, value).unwrap();
        assert!(read_back(&config), "--{name} {value}: {config:?}");
        config.service.check().unwrap();
    }
}

#[test]
fn mistakes_name_flag_value_and_what_was_expected() {
    for (name, value, text) in [
        ("port", "x", "--port: 'x' is not a port, 0 to 65535"),
        ("lease", "5", "--lease: '5' is not a time such as 5s or 500ms"),
        ("lease", "1ms", "--lease: 1ms is less than 100ms"),
        ("window-max", "1ms", "--window: 50ms is more than the 1ms of --window-max"),
        ("keepalive-time", "11s", "--keepalive-time: 11s is not a time from 1s to 10s"),
        ("mode", "kubernetes", "--mode: this release knows only standalone"),
        ("port", "8080", "--healthz-port: 8080 is also the port of --port; give one another"),
        (
            "initial-cluster",
            "a=1:1,b=2:2",
            "--initial-cluster: several placement processes are named, and this release runs one: name one, or none",
        ),
        (
            "replicationFactor",
            "50",
            "--replicationFactor: '50' asks for what this release does not do; each host has 100 places on a ring: leave it out",
        ),
        (
            "cluster-token-file",
            "/nowhere",
            "--cluster-token-file: '/nowhere' cannot be read: No such file or directory (os error 2)",
        ),
    ] {
        assert_eq!(read_one(name, value).unwrap_err(), text);
    }
}

#[test]
fn a_door_beyond_loopback_needs_a_token() {
    let open = Given::from([("listen-address", "0.0.0.0")]);
    assert_eq!(
        read(&open).unwrap_err(),
        "--listen-address: 0.0.0.0:50005 can be reached from other machines, so hosts have to show \
         a cluster token: set ODEON_CLUSTER_TOKEN or give --cluster-token-file, or listen on 127.0.0.1"
    );
    let with = |token| Config::read(&open, &Environment::from([("ODEON_CLUSTER_TOKEN", token)]));
    let config = with("s3cret").unwrap();
    assert_eq!(config.token.as_ref().map(Secret::reveal), Some("s3cret"));
    for shown in [config.describe(), format!("{config:?}")] {
        assert!(shown.contains("***") && !shown.contains("s3cret"), "{shown}");
    }
    let refused = with("s3 cret").unwrap_err().to_string();
    assert!(refused.starts_with("environment variable ODEON_CLUSTER_TOKEN: a cluster token must"));
    assert!(!refused.contains("s3"), "{refused}");
}

#[test]
fn the_token_in_a_file_wins() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "from-file\n").unwrap();
    let given = Given::from([("cluster-token-file", file.to_str().unwrap())]);
    let environment = Environment::from([("ODEON_CLUSTER_TOKEN", "from-variable")]);
    let config = Config::read(&given, &environment).unwrap();
    assert_eq!(config.token.as_ref().map(Secret::reveal), Some("from-file"));
}

#[test]
fn state_is_shown_on_loopback_or_where_asked_for() {
    let given = |address, enabled: Option<&str>| {
        let mut given = Given::from([("healthz-listen-address", address)]);
        enabled.into_iter().for_each(|value| given.push("metadata-enabled", value));
        given
    };
    for (address, flag, variable, expected) in [
        ("127.0.0.1", None, "", true),
        ("::1", None, "", true),
        ("0.0.0.0", None, "", false),
        ("0.0.0.0", Some("true"), "", true),
        ("127.0.0.1", Some("false"), "true", false),
        ("0.0.0.0", None, "Yes", true),
        ("127.0.0.1", None, "false", false),
    ] {
        let environment = Environment::from([(METADATA, variable)]);
        let config = Config::read(&given(address, flag), &environment).unwrap();
        assert_eq!(config.is_state_shown, expected, "{address} {flag:?} {variable}");
    }
}

#[test]
fn the_documentation_names_every_setting() {
    let page = include_str!("../../docs/placement.md");
    for setting in SETTINGS {
        assert!(page.contains(&format!("`--{}`", setting.name)), "--{}", setting.name);
    }
}
