//! What run files mean, and mistakes with their lines.

use super::*;

fn read(text: &str) -> Result<Plan, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.yaml");
    std::fs::create_dir(folder.path().join("web")).unwrap();
    std::fs::write(&file, text).unwrap();
    // As cargo leaves it, except that there is no program.
    std::fs::create_dir_all(folder.path().join("target/debug/deps")).unwrap();
    let binary = folder.path().join("target/debug/odeon");
    read_as(&file, &binary)
}

/// As the program at this path would; the file's folder is left out of messages.
fn read_as(file: &Path, binary: &Path) -> Result<Plan, String> {
    let prefix = format!("{}/", file.parent().unwrap().display());
    Plan::read(file, binary).map_err(|mistakes| mistakes.to_string().replace(&prefix, ""))
}

const SHOP: &str = r#"
version: 1
name: shop
common:
  env: {COLOUR: red, LEVEL: 3}
hosts:
  - name: node
    appID: eshop
    daprHTTPPort: 3500
    dataDir: data
apps:
  - appID: worker
    host: node
    build: [cargo, build, --profile, "${odeon.profile}", --target-dir, "${odeon.target}"]
    command: ["${odeon.built}/worker", "$HOME", "${HOME}"]
    actorTypes: [Basket]
    env: {COLOUR: blue, WHERE: "${odeon.node.http}"}
show:
  - curl http://${odeon.node.http}/x
"#;

#[test]
fn a_shared_host_and_a_worker() {
    let plan = read(SHOP).unwrap();
    assert_eq!(plan.name, "shop");
    assert_eq!(plan.show, ["curl http://127.0.0.1:3500/x"]);
    let host = &plan.hosts[0];
    assert!(host.launch.data_dir.is_absolute() && host.launch.data_dir.ends_with("data"));
    assert_eq!(host.launch.arguments[..3], ["standalone", "--app-id", "eshop"]);
    assert_eq!(
        host.http.place.as_deref().map(|place| place.ends_with("run.yaml:9: daprHTTPPort")),
        Some(true)
    );
    assert!(host.grpc.number > 0 && host.grpc.number != host.metrics.number);
    let app = &plan.apps[0];
    assert_eq!(app.host, 0);
    let dir = app.dir.display();
    let built = format!("{dir}/target/debug/worker");
    assert_eq!(app.command, [&built, "$HOME", "${HOME}"]);
    let (build, target) = (app.build.as_ref().unwrap(), format!("{dir}/target"));
    assert_eq!(build[2..], ["--profile", "dev", "--target-dir", &target]);
    assert_eq!(app.env["COLOUR"], "blue");
    assert_eq!(app.env["LEVEL"], "3");
    assert_eq!(app.env["WHERE"], "127.0.0.1:3500");
    assert_eq!(app.env["DAPR_HTTP_PORT"], "3500");
    assert_eq!(app.env["DAPR_GRPC_PORT"], host.grpc.number.to_string());
}

#[test]
fn apps_are_told_of_each_other_whoever_comes_first() {
    let told = r#"
  - appID: front
    host: node
    appPort: 8100
    build: [make, "${odeon.shop.app}"]
    command: ["${odeon.built}/front", "${odeon.front.app}", "${odeon.shop.app}"]
    env: {SHOP: "${odeon.shop.app}", OWN: "${odeon.front.app}"}
  - {appID: shop, host: node, appPort: 0, command: [shop], env: {FRONT: "${odeon.front.app}"}}
show:"#;
    let plan = read(&SHOP.replace("\nshow:", told)).unwrap();
    let [_, front, shop] = &plan.apps[..] else { panic!("{:?}", plan.apps) };
    let address = |app: &AppPlan| format!("127.0.0.1:{}", app.port.as_ref().unwrap().number);
    let (own, other) = (address(front), address(shop));
    assert_eq!(own, "127.0.0.1:8100");
    assert_eq!(front.command[1..], [own.clone(), other.clone()]);
    assert_eq!(front.build.as_ref().unwrap()[1], other);
    assert_eq!((&front.env["SHOP"], &front.env["OWN"]), (&other, &own));
    assert_eq!(shop.env["FRONT"], own);
    assert_eq!(shop.env["APP_PORT"], shop.port.as_ref().unwrap().number.to_string());
}

#[test]
fn a_program_that_was_installed_builds_apps_beside_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.yaml");
    std::fs::write(&file, SHOP).unwrap();
    let plan = read_as(&file, Path::new("/usr/local/bin/odeon")).unwrap();
    let app = &plan.apps[0];
    let target = folder.path().join(".odeon/.build").display().to_string();
    assert_eq!(app.build.as_ref().unwrap()[2..], ["--profile", "release", "--target-dir", &target]);
    assert_eq!(app.command[0], format!("{target}/release/worker"));
}

#[test]
fn an_app_of_daprs_file_gets_a_sidecar_of_its_own() {
    let plan = read(
        "version: 1\ncommon:\n  appMaxConcurrency: -1\napps:\n  - appDirPath: web\n    appPort: 8000\n    command: [node, app.js]\n    appProtocol: http\n",
    )
    .unwrap();
    let arguments = plan.hosts[0].launch.arguments.join(" ");
    assert!(arguments.starts_with("host --app-id web "), "{arguments}");
    assert!(arguments.contains("--app-port 8000"), "{arguments}");
    assert!(arguments.contains("--app-max-concurrency -1"), "{arguments}");
    assert_eq!(plan.apps[0].name, "web");
    assert!(plan.apps[0].dir.ends_with("web"));
}

#[test]
fn whose_behaviour_counts_is_handed_on() {
    let compat = |text: &str| {
        let plan = read(text).unwrap();
        flag(&plan.hosts[0].launch.arguments, "--compat").map(str::to_owned)
    };
    let shared = SHOP.replace("    dataDir: data\n", "    dataDir: data\n    compat: dapr\n");
    assert_eq!(compat(SHOP), None);
    assert_eq!(compat(&shared), Some("dapr".to_owned()));
    let own = "version: 1\ncommon:\n  compat: dapr\napps:\n  - appDirPath: web\n";
    assert_eq!(compat(own), Some("dapr".to_owned()));
}

// REM-9; and a switch takes no word that follows it.
#[test]
fn switches_are_handed_on_in_one_word() {
    let has = |text: &str, word: &str| {
        read(text).unwrap().hosts[0].launch.arguments.iter().any(|one| one == word)
    };
    let open = "--open-reminders=true";
    let shared =
        SHOP.replace("    dataDir: data\n", "    dataDir: data\n    openReminders: true\n");
    assert!(!has(SHOP, open) && has(&shared, open));
    let own = "version: 1\ncommon:\n  openReminders: true\n  enableAppHealthCheck: true\napps:\n  - appDirPath: web\n";
    assert!(has(own, open) && has(own, "--enable-app-health-check=true"));
}

#[test]
fn mistakes_name_their_lines() {
    assert_eq!(
        read(&SHOP.replace("dataDir", "dataDri")).unwrap_err(),
        "run.yaml:10: unknown field 'dataDri'; did you mean 'dataDir'?"
    );
    assert_eq!(
        read(&SHOP.replace("host: node", "host: nod").replace("${odeon.built}", "${odeon.bilt}"))
            .unwrap_err(),
        "run.yaml:13: unknown host 'nod'; did you mean 'node'?\n\
         run.yaml:15: unknown variable '${odeon.bilt}'; did you mean '${odeon.built}'?"
    );
    assert_eq!(read("version: 2\n").unwrap_err().lines().count(), 2);
    assert!(read(&SHOP.replace("3500", "350000")).unwrap_err().starts_with("run.yaml:9: "));
}

/// The value behind a flag.
fn flag<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|word| word == name)?;
    arguments.get(at + 1).map(String::as_str)
}

/// The shop with placement, and two replicas of its host.
fn cluster() -> String {
    let shop = SHOP.replace("hosts:", "placement: {port: 50005, lease: 2s}\nhosts:");
    shop.replace("    dataDir", "    replicas: 2\n    dataDir")
}

#[test]
fn replicas_join_one_placement_and_share_a_folder() {
    let plan = read(&cluster()).unwrap();
    let placement = plan.placement.as_ref().unwrap();
    let words = placement.launch.arguments.join(" ");
    assert!(words.starts_with("placement --data-dir "), "{words}");
    assert!(words.contains("--port 50005 ") && words.ends_with(" --lease 2s"), "{words}");
    assert!(placement.launch.data_dir.ends_with(".odeon/.placement"));
    let names: Vec<_> = plan.hosts.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["node", "node-2"]);
    for host in &plan.hosts {
        assert_eq!(host.launch.arguments[..3], ["host", "--app-id", "eshop"]);
        assert_eq!(
            flag(&host.launch.arguments, "--placement-host-address"),
            Some("127.0.0.1:50005")
        );
        assert_eq!(host.launch.data_dir, plan.hosts[0].launch.data_dir);
    }
    // The second one has the port next to the written one; nothing is two hosts'.
    assert_eq!(plan.hosts.iter().map(|host| host.http.number).collect::<Vec<_>>(), [3500, 3501]);
    let mut ports: Vec<u16> = plan.ports().map(|port| port.number).collect();
    ports.extend(plan.hosts.iter().map(|host| {
        flag(&host.launch.arguments, "--dapr-internal-grpc-port").unwrap().parse::<u16>().unwrap()
    }));
    assert_eq!(ports.len(), 10);
    ports.sort_unstable();
    ports.dedup();
    assert_eq!((ports.len(), ports[0] > 0), (10, true));
    let written = plan.ports().filter(|port| port.place.is_some()).count();
    assert_eq!(written, 3, "50005, 3500 and 3501");
    assert_eq!(plan.data_dirs().len(), 2);
}

#[test]
fn each_replica_has_a_worker_and_the_first_one_builds() {
    let plan = read(&cluster()).unwrap();
    let names: Vec<_> = plan.apps.iter().map(|app| (app.name.as_str(), app.host)).collect();
    assert_eq!(names, [("worker", 0), ("worker-2", 1)]);
    let [first, second] = &plan.apps[..] else { panic!("{names:?}") };
    assert!(first.build.is_some() && second.build.is_none());
    assert_eq!(first.command, second.command);
    for (app, host) in plan.apps.iter().zip(&plan.hosts) {
        assert_eq!(app.env["APP_ID"], "worker");
        assert_eq!(app.env["DAPR_GRPC_PORT"], host.grpc.number.to_string());
        assert_eq!(app.env["COLOUR"], "blue");
    }
    let text = cluster().replace("/x", "/x ${odeon.node-2.http} ${odeon.placement.grpc}");
    let second = plan_show(&text);
    assert!(second.ends_with(" 127.0.0.1:50005"), "{second}");
}

fn plan_show(text: &str) -> String {
    read(text).unwrap().show.remove(0)
}

#[test]
fn placement_without_a_word_more_is_there_and_sidecars_join_it() {
    let text = "version: 1\nplacement:\napps:\n  - appID: web\n  - appID: far\n    placementHostAddress: elsewhere:50005\n  - appID: fixed\n    daprInternalGRPCPort: 7000\n";
    let plan = read(text).unwrap();
    let placement = plan.placement.as_ref().unwrap();
    let address = format!("127.0.0.1:{}", placement.grpc.number);
    let joined = |host: &HostPlan| {
        let all =
            host.launch.arguments.iter().filter(|word| *word == "--placement-host-address").count();
        (all, flag(&host.launch.arguments, "--placement-host-address").map(str::to_owned))
    };
    assert_eq!(joined(&plan.hosts[0]), (1, Some(address.clone())));
    assert_eq!(joined(&plan.hosts[1]), (1, Some("elsewhere:50005".to_owned())));
    // A port alone says nothing of the cluster; of several the last counts.
    assert_eq!(joined(&plan.hosts[2]), (1, Some(address)));
    let mut ports =
        plan.hosts[2].launch.arguments.windows(2).filter(|pair| pair[0].ends_with(PEER_PORT));
    assert_eq!(ports.next_back().map(|pair| pair[1].as_str()), Some("7000"));
    let file: File = yaml::read(Path::new("run.yaml"), text).unwrap();
    assert!(written::ports(&file).contains(&7000), "nobody else is given it");
    assert!(read(SHOP).unwrap().placement.is_none());
    let alone = SHOP
        .replace("hosts:", "placement:\nhosts:")
        .replace("    dataDir", "    kind: standalone\n    dataDir");
    assert_eq!(read(&alone).unwrap().hosts[0].launch.arguments[0], "standalone");
}

#[test]
fn beside_a_shared_host_each_process_has_a_port_of_its_own() {
    let show = "show: ['curl ${odeon.worker.app} ${odeon.worker-2.app}']";
    let written = |port: &str| {
        let text =
            cluster().replace("    host: node", &format!("    appPort: {port}\n    host: node"));
        let (text, _) = text.split_once("show:").unwrap();
        read(&format!("{text}{show}\n")).unwrap()
    };
    let plan = written("8880");
    let ports: Vec<_> = plan.apps.iter().map(|app| app.env["APP_PORT"].as_str()).collect();
    assert_eq!(ports, ["8880", "8881"]);
    assert_eq!(plan.show, ["curl 127.0.0.1:8880 127.0.0.1:8881"]);
    assert!(plan.ports().any(|port| port.number == 8881 && port.place.is_some()));
    let plan = written("0");
    let ports: Vec<u16> =
        plan.apps.iter().map(|app| app.env["APP_PORT"].parse().unwrap()).collect();
    assert!(ports[0] > 0 && ports[1] > 0 && ports[0] != ports[1], "{ports:?}");
}

#[test]
fn what_cannot_be_a_cluster_is_said_with_its_line() {
    let error = |text: &str| read(text).unwrap_err();
    assert_eq!(
        error(&SHOP.replace("    dataDir", "    replicas: 2\n    dataDir")),
        "run.yaml:10: replicas share their actors by a placement service, and there is none: \
         write 'placement:' at the top of the file"
    );
    assert_eq!(
        error(&SHOP.replace("    dataDir", "    kind: host\n    dataDir")),
        "run.yaml:10: a host of kind 'host' joins the file's placement service, and there is \
         none: write 'placement:' at the top of the file"
    );
    assert_eq!(
        error(&cluster().replace("    dataDir", "    kind: standalone\n    dataDir")),
        "run.yaml:11: a host of kind 'standalone' is all of its cluster, so there cannot be \
         replicas of it: leave out 'kind'"
    );
    assert_eq!(
        error(&cluster().replace("replicas: 2", "replicas: 0")),
        "run.yaml:11: replicas: '0' is not a number from 1 to 50"
    );
    let of_another = |line: u32, field: &str, name: &str| {
        format!(
            "run.yaml:{line}: {field}: '{name}' is the name of another process: expected one of its own"
        )
    };
    assert_eq!(
        error(&cluster().replace("apps:", "  - name: node-2\n  - name: placement\napps:")),
        [of_another(13, "name", "node-2"), of_another(14, "name", "placement")].join("\n")
    );
    for (app, field, name) in [
        ("appID: node-2\n    host: node", "appID", "node-2"),
        ("appID: node-2", "appID", "node-2"),
        ("appID: worker-2", "appID", "worker-2"),
        ("appID: worker\n    host: node", "appID", "worker"),
        ("appID: placement", "appID", "placement"),
        ("appDirPath: web\n  - appDirPath: ./web", "appDirPath", "web"),
        ("appID: web-host\n  - appID: web", "appID", "web-host"),
    ] {
        let text = cluster().replace("show:", &format!("  - {app}\nshow:"));
        let told = error(&text);
        let last = told.lines().last().unwrap();
        let line = 20 + u32::from(app.contains("- "));
        assert_eq!(last, of_another(line, field, name), "{app}");
    }
    assert_eq!(
        error(&cluster().replace("    host: node", "    appPort: 65535\n    host: node")),
        "run.yaml:15: appPort: '65535' leaves no port for replica 2: expected at most 65534"
    );
    assert_eq!(
        error(&cluster().replace("    host: node", "    appPort: 3500\n    host: node")),
        "run.yaml:15: appPort: port 3500 of 'worker' is one of 'node', too: write another port\n\
         run.yaml:15: appPort: port 3501 of 'worker-2' is one of 'node-2', too: write another port"
    );
    assert_eq!(
        error(&cluster().replace("50005", "3501")),
        "run.yaml:10: daprHTTPPort: port 3501 of 'node-2' is one of 'placement', too: write another port"
    );
    assert_eq!(
        error(&cluster().replace("3500", "65530").replace("replicas: 2", "replicas: 9")),
        "run.yaml:10: daprHTTPPort: '65530' leaves no port for replica 9: expected at most 65527"
    );
    assert!(error(&cluster().replace("lease", "leese")).contains("did you mean 'lease'?"));
}

#[test]
fn a_missing_file_is_named() {
    let error = Plan::read(Path::new("/nowhere.yaml"), Path::new("/b/odeon")).unwrap_err();
    assert!(error.to_string().starts_with("/nowhere.yaml: cannot be read"), "{error}");
}
