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
    assert!(host.data_dir.is_absolute() && host.data_dir.ends_with("data"));
    assert_eq!(host.arguments[..3], ["standalone", "--app-id", "eshop"]);
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
    let arguments = plan.hosts[0].arguments.join(" ");
    assert!(arguments.starts_with("host --app-id web "), "{arguments}");
    assert!(arguments.contains("--app-port 8000"), "{arguments}");
    assert!(arguments.contains("--app-max-concurrency -1"), "{arguments}");
    assert_eq!(plan.apps[0].id, "web");
    assert!(plan.apps[0].dir.ends_with("web"));
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

#[test]
fn a_missing_file_is_named() {
    let error = Plan::read(Path::new("/nowhere.yaml"), Path::new("/b/odeon")).unwrap_err();
    assert!(error.to_string().starts_with("/nowhere.yaml: cannot be read"), "{error}");
}
