//! What settings mean: defaults, roles, and mistakes that come out together.

use super::*;

fn read(role: Role, given: &Given) -> Result<Config, Mistakes> {
    Config::read(role, given, &Environment::default())
}

#[test]
fn standalone_needs_nothing() {
    let config = read(Role::Standalone, &Given::default()).unwrap();
    assert_eq!(config.app_id.as_str(), "odeon");
    assert_eq!(config.data_dir, PathBuf::from(".odeon"));
    assert_eq!(config.http.sockets, ["127.0.0.1:3500".parse().unwrap()]);
    assert_eq!(config.grpc.port(), 50001);
    assert_eq!(config.metrics.unwrap().port(), 9090);
    assert_eq!(config.body_bytes_max, Some(4 << 20));
    assert_eq!(config.header_bytes_max, 4 << 10);
    assert_eq!(config.placement, Placement::Inside);
    assert!(config.resources.is_empty());
}

#[test]
fn every_default_of_the_table_can_be_read() {
    for setting in settings::SETTINGS {
        let given = Given::from([("app-id", "a"), (setting.name, setting.default)]);
        read(Role::Daprd, &given)
            .map(drop)
            .or_else(|mistakes| if setting.name == "app-id" { Ok(()) } else { Err(mistakes) })
            .unwrap_or_else(|mistakes| panic!("{}: {mistakes}", setting.name));
    }
}

#[test]
fn all_mistakes_come_out_together() {
    let given = Given::from([
        ("dapr-http-port", "x"),
        ("log-level", "loud"),
        ("app-id", "a.b"),
        ("enable-mtls", "true"),
    ]);
    let environment = Environment::from([("NAMESPACE", "a/b")]);
    let mistakes = Config::read(Role::Host, &given, &environment).unwrap_err();
    let places: Vec<_> = mistakes.iter().map(|mistake| mistake.place.as_str()).collect();
    let expected = [
        "environment variable NAMESPACE",
        "--enable-mtls",
        "--app-id",
        "--dapr-http-port",
        "--log-level",
    ];
    assert_eq!(places, expected);
}

#[test]
fn the_placement_address_says_where_the_lease_comes_from() {
    let at = |addresses: &[&str]| Placement::At(addresses.iter().map(|a| (*a).into()).collect());
    for (role, address, expected) in [
        (Role::Standalone, None, Placement::Inside),
        (Role::Standalone, Some(""), Placement::Off),
        (Role::Host, None, Placement::Inside),
        (Role::Host, Some(""), Placement::Off),
        (Role::Host, Some("\"\""), Placement::Off),
        (Role::Host, Some("localhost:50006"), at(&["localhost:50006"])),
        (Role::Host, Some("localhost"), at(&["localhost:50005"])),
        (Role::Daprd, None, Placement::Off),
        (Role::Daprd, Some("a:1,[::1]:2, [::1]"), at(&["a:1", "[::1]:2", "[::1]:50005"])),
    ] {
        let mut given = Given::from([("app-id", "a")]);
        if let Some(address) = address {
            given.push("placement-host-address", address);
        }
        assert_eq!(read(role, &given).unwrap().placement, expected, "{role:?} {address:?}");
    }
}

// REM-9: strict unless asked for.
#[test]
fn reminders_are_open_only_where_that_is_asked_for() {
    for (role, written, expected) in [
        (Role::Host, None, false),
        (Role::Daprd, None, false),
        (Role::Standalone, Some("false"), false),
        (Role::Host, Some("true"), true),
        (Role::Daprd, Some("true"), true),
    ] {
        let mut given = Given::from([("app-id", "a")]);
        if let Some(written) = written {
            given.push("open-reminders", written);
        }
        let config = read(role, &given).unwrap();
        assert_eq!(config.has_open_reminders, expected, "{role:?} {written:?}");
        assert_eq!(effective::describe(&config).contains(" open-reminders=true "), expected);
    }
}

#[test]
fn dapr_s_behaviour_is_asked_for_or_implied_by_its_name() {
    for (role, written, expected) in [
        (Role::Standalone, None, Compat::Odeon),
        (Role::Standalone, Some("dapr"), Compat::Dapr),
        (Role::Host, None, Compat::Odeon),
        (Role::Host, Some(""), Compat::Odeon),
        (Role::Host, Some("dapr"), Compat::Dapr),
        (Role::Daprd, None, Compat::Dapr),
        (Role::Daprd, Some("dapr"), Compat::Dapr),
    ] {
        let mut given = Given::from([("app-id", "a")]);
        if let Some(written) = written {
            given.push("compat", written);
        }
        let config = read(role, &given).unwrap();
        assert_eq!(config.compat, expected, "{role:?} {written:?}");
        assert!(effective::describe(&config).contains(&format!(" compat={expected} ")));
    }
    for text in ["orleans", "Dapr", "odeon"] {
        let given = Given::from([("app-id", "a"), ("compat", text)]);
        let refused = read(Role::Daprd, &given).unwrap_err().to_string();
        assert_eq!(refused, format!("--compat: '{text}' is not dapr, the only value there is"));
    }
}

#[test]
fn hosts_are_heard_from_outside_only_with_a_token() {
    let given = Given::from([("app-id", "a"), ("dapr-internal-grpc-listen-address", "0.0.0.0")]);
    let refused = read(Role::Host, &given).unwrap_err().to_string();
    assert!(refused.contains("--dapr-internal-grpc-listen-address: other machines"), "{refused}");
    let token = |text| Environment::from([("ODEON_CLUSTER_TOKEN", text)]);
    let config = Config::read(Role::Host, &given, &token("s3cret")).unwrap();
    assert!(!config.peers.unwrap().is_loopback());
    let refused = Config::read(Role::Host, &given, &token("two words")).unwrap_err().to_string();
    assert!(refused.contains("ODEON_CLUSTER_TOKEN: a cluster token must be"), "{refused}");
    assert!(!refused.contains("two words"), "{refused}");
    assert_eq!(read(Role::Standalone, &Given::default()).unwrap().peers, None);
}

#[test]
fn a_placement_address_that_is_none_is_named() {
    for text in ["a:b", "a:0", "::1", "http://a:1", "a b:1", ":1", "a:70000"] {
        let given = Given::from([("app-id", "a"), ("placement-host-address", text)]);
        let expected =
            format!("--placement-host-address: '{text}' is not an address such as localhost:50005");
        assert_eq!(read(Role::Host, &given).unwrap_err().to_string(), expected);
    }
    let given = Given::from([("placement-host-address", "localhost:50005")]);
    let refused = read(Role::Standalone, &given).unwrap_err().to_string();
    assert!(refused.contains("has its placement inside"), "{refused}");
}

#[test]
fn two_servers_cannot_share_a_port() {
    let given = Given::from([("dapr-http-port", "4000"), ("dapr-grpc-port", "4000")]);
    let mistakes = read(Role::Standalone, &given).unwrap_err().to_string();
    assert_eq!(
        mistakes,
        "--dapr-grpc-port: 4000 is also the port of --dapr-http-port; give one another"
    );
    let free = Given::from([("dapr-http-port", "0"), ("dapr-grpc-port", "0")]);
    read(Role::Standalone, &free).unwrap();
}

#[test]
fn a_body_limit_of_zero_is_none_and_the_new_flag_wins() {
    let limit = |pairs: &[(&str, &str)]| {
        let mut given = Given::default();
        for (name, value) in pairs {
            given.push(name, *value);
        }
        read(Role::Standalone, &given).unwrap().body_bytes_max
    };
    assert_eq!(limit(&[("max-body-size", "0")]), None);
    assert_eq!(limit(&[("max-body-size", "-1")]), Some(4 << 20));
    assert_eq!(limit(&[("dapr-http-max-request-size", "8")]), Some(8 << 20));
    assert_eq!(limit(&[("dapr-http-max-request-size", "8"), ("max-body-size", "1Ki")]), Some(1024));
}

#[test]
fn an_application_on_a_port_is_called_with_daprds_defaults() {
    let app = |pairs: &[(&str, &str)]| {
        let mut given = Given::from([("app-id", "a"), ("app-port", "6000")]);
        for (name, value) in pairs {
            given.push(name, *value);
        }
        read(Role::Daprd, &given).map(|config| config.app.unwrap())
    };
    assert_eq!(app(&[]).unwrap(), app_channel::Config::new(6000));
    assert_eq!(app_channel::Config::new(6000).address, "127.0.0.1");
    let probe = app(&[("enable-app-health-check", "true")]).unwrap().probe.unwrap();
    assert_eq!((probe.path.as_str(), probe.threshold), ("/healthz", 3));
    assert_eq!((probe.interval.as_millis(), probe.timeout.as_millis()), (5_000, 500));
    for (protocol, words) in [
        ("https", "'https' asks for what this release does not do; use http or h2c"),
        ("grpc", "over the stream SubscribeActorEventsAlpha1 of the gRPC API"),
        ("grpcs", "asks for what this release does not do"),
        ("spdy", "http or h2c"),
    ] {
        let refused = app(&[("app-protocol", protocol)]).unwrap_err().to_string();
        assert!(refused.contains("--app-protocol") && refused.contains(words), "{refused}");
    }
}

#[test]
fn the_documentation_names_every_setting() {
    let page = include_str!("../../docs/cli.md");
    for setting in settings::SETTINGS {
        assert!(page.contains(&format!("`--{}`", setting.name)), "--{}", setting.name);
    }
}

#[test]
fn the_effective_configuration_masks_secrets() {
    let environment =
        Environment::from([("DAPR_API_TOKEN", "s3cret"), ("ODEON_CLUSTER_TOKEN", "s3cret")]);
    let config = Config::read(Role::Standalone, &Given::default(), &environment).unwrap();
    let line = effective::describe(&config);
    assert!(line.contains("api-token=*** cluster-token=***"), "{line}");
    assert!(!line.contains("s3cret") && !format!("{config:?}").contains("s3cret"));
}
