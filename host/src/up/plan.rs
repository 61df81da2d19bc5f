//! What a run file means: which processes to start, where, with which words.
//!
//! Paths are absolute, ports chosen, variables put in; nothing is started or
//! looked at but the file itself, the folders it names and the one this program is
//! in. The form of the file is in `file`, the running of a plan in `supervisor`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::mistakes::{Mistake, Mistakes};
use crate::config::yaml::{self, Scalar, Spanned};

use super::file::{App, File, Host};
use super::ports::{Free, Port};
use super::variables::Variables;

/// Where apps are built when this program was installed, relative to the file; no host
/// has its data there by default.
const BUILDS: &str = ".odeon/.build";

/// All that is to be started.
#[derive(Debug)]
pub struct Plan {
    /// What the whole is called.
    pub name: String,
    /// Hosts, in the order of the file; sidecars of apps come last.
    pub hosts: Vec<HostPlan>,
    /// Applications, in the order of the file.
    pub apps: Vec<AppPlan>,
    /// Commands to show when all is ready.
    pub show: Vec<String>,
    /// It is over when any process ends; else those are started again.
    pub ends_with_any: bool,
}

/// One host.
#[derive(Debug)]
pub struct HostPlan {
    /// Its name in messages.
    pub name: String,
    /// The arguments of the odeon binary.
    pub arguments: Vec<String>,
    /// Variables of its process, besides those it inherits.
    pub env: BTreeMap<String, String>,
    /// Its working directory.
    pub dir: PathBuf,
    /// For what must survive a restart.
    pub data_dir: PathBuf,
    /// Its application is called on a port, so it is not healthy before that one runs.
    pub waits_for_app: bool,
    pub(super) http: Port,
    pub(super) grpc: Port,
    pub(super) metrics: Port,
}

impl HostPlan {
    pub(super) fn ports(&self) -> [&Port; 3] {
        [&self.http, &self.grpc, &self.metrics]
    }
}

/// One application.
#[derive(Debug)]
pub struct AppPlan {
    /// Its id.
    pub id: String,
    /// Its working directory.
    pub dir: PathBuf,
    /// A program to run before all starts.
    pub build: Option<Vec<String>>,
    /// The program and its arguments; empty for a sidecar without one.
    pub command: Vec<String>,
    /// Variables of its process, besides those it inherits.
    pub env: BTreeMap<String, String>,
    /// Which of the plan's hosts it uses.
    pub host: usize,
    /// It is ready when its host lists these types.
    pub actor_types: Vec<String>,
}

impl Plan {
    /// Reads a run file. `binary` is the program that is running.
    ///
    /// # Errors
    /// Every mistake in the file, with its line.
    pub fn read(path: &Path, binary: &Path) -> Result<Self, Mistakes> {
        let path = if path.is_dir() { path.join("dapr.yaml") } else { path.to_path_buf() };
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let text = format!("cannot be read: {error}; give the path of a run file");
            Mistakes::from(Mistake::new(path.display().to_string(), text))
        })?;
        let file: File = yaml::read(&path, &text)?;
        let folder = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        let folder = folder.parent().map(Path::to_path_buf).unwrap_or_default();
        let planner = Planner {
            path: &path,
            folder,
            mistakes: Mistakes::new(),
            free: Free::default(),
            variables: Variables::default(),
        };
        planner.plan(file, binary)
    }
}

struct Planner<'a> {
    path: &'a Path,
    folder: PathBuf,
    mistakes: Mistakes,
    free: Free,
    variables: Variables,
}

impl Planner<'_> {
    fn plan(mut self, file: File, binary: &Path) -> Result<Plan, Mistakes> {
        self.check(&file);
        self.set_places(binary);
        let common = file.common.unwrap_or_default();
        let mut hosts: Vec<HostPlan> = file.hosts.iter().map(|host| self.host(host)).collect();
        self.refuse_twice(file.hosts.iter().map(|host| &host.name), "host");
        let mut apps = Vec::new();
        for app in &file.apps {
            let Some(id) = self.app_id(app) else { continue };
            let host = self.host_of(app, &file.hosts).unwrap_or_else(|| {
                hosts.push(self.sidecar(app, &id, &common));
                hosts.len() - 1
            });
            if let Some(app) = self.app(app, id, &common, host, &hosts) {
                apps.push(app);
            }
        }
        if hosts.is_empty() {
            let text = "there is nothing to start: name at least one of 'hosts' or 'apps'";
            self.mistakes.push(Mistake::new(self.path.display().to_string(), text));
        }
        let show = file.show.iter().map(|line| self.expand(line)).collect();
        let name = file.name.unwrap_or_else(|| last_part(&self.folder));
        self.mistakes.or(Plan { name, hosts, apps, show, ends_with_any: false })
    }

    fn check(&mut self, file: &File) {
        if file.version.value != 1 {
            let place = yaml::place(self.path, &file.version);
            self.mistakes.push(Mistake::value(place, &file.version.value.to_string(), "version 1"));
        }
        let Some(common) = &file.common else { return };
        for (value, field) in [(&common.app_id, "appID"), (&common.app_dir_path, "appDirPath")] {
            if let Some(value) = value {
                let text = format!("'{field}' cannot be common to all; write it in each app");
                self.mistakes.push(Mistake::new(yaml::place(self.path, value), text));
            }
        }
    }

    /// Where the running program is, and where builds of apps go: beside it when cargo
    /// built it, so that what both need is built once; else beside the file.
    fn set_places(&mut self, binary: &Path) {
        let bin = binary.parent().unwrap_or(binary);
        let (target, folder) = match bin.parent() {
            Some(target) if is_cargos(bin) => (target.to_path_buf(), last_part(bin)),
            _ => (self.folder.join(BUILDS), "release".to_owned()),
        };
        // The one profile whose folder is called otherwise.
        let profile = if folder == "debug" { "dev" } else { &folder };
        self.variables.set("dir", self.folder.display().to_string());
        self.variables.set("bin", bin.display().to_string());
        self.variables.set("built", target.join(&folder).display().to_string());
        self.variables.set("target", target.display().to_string());
        self.variables.set("profile", profile);
    }

    fn host(&mut self, host: &Host) -> HostPlan {
        let name = host.name.value.clone();
        let app_id = host.app_id.clone().unwrap_or_else(|| name.clone());
        let http = self.port(host.http_port.as_ref(), "daprHTTPPort");
        let grpc = self.port(host.grpc_port.as_ref(), "daprGRPCPort");
        let metrics = self.port(host.metrics_port.as_ref(), "metricsPort");
        let default = format!(".odeon/{name}");
        let data_dir = self.folder.join(host.data_dir.as_deref().unwrap_or(&default));
        let mut arguments = arguments("standalone", &app_id, &data_dir, host.log_level.as_deref());
        add_ports(&mut arguments, &http, &grpc, &metrics);
        for folder in &host.resources_paths {
            push(&mut arguments, "resources-path", self.folder.join(folder).display().to_string());
        }
        self.set_addresses(&name, &http, &grpc);
        let dir = self.folder.clone();
        let env = texts(&host.env);
        let waits_for_app = false;
        HostPlan { name, arguments, env, dir, data_dir, waits_for_app, http, grpc, metrics }
    }

    fn sidecar(&mut self, app: &App, id: &str, common: &App) -> HostPlan {
        let dir = self.app_dir(app);
        let http = self.port(app.http_port.as_ref(), "daprHTTPPort");
        let grpc = self.port(app.grpc_port.as_ref(), "daprGRPCPort");
        let metrics = self.port(app.metrics_port.as_ref(), "metricsPort");
        let default = format!(".odeon/{id}");
        let data_dir = self.folder.join(app.data_dir.as_deref().unwrap_or(&default));
        let level = app.log_level.as_deref().or(common.log_level.as_deref());
        let mut arguments = arguments("host", id, &data_dir, level);
        add_ports(&mut arguments, &http, &grpc, &metrics);
        if let Some(port) = app.app_port {
            push(&mut arguments, "app-port", port.to_string());
        }
        for (flag, value) in app.sidecar_flags(common) {
            push(&mut arguments, flag, value);
        }
        for folder in self.resources(app, common, &dir) {
            push(&mut arguments, "resources-path", folder.display().to_string());
        }
        self.set_addresses(id, &http, &grpc);
        let name = format!("{id}-host");
        let (env, waits_for_app) = (BTreeMap::new(), app.app_port.is_some_and(|port| port > 0));
        HostPlan { name, arguments, env, dir, data_dir, waits_for_app, http, grpc, metrics }
    }

    /// Source: Dapr looks at the app's own paths, its `.dapr/resources`, then the common paths.
    fn resources(&self, app: &App, common: &App, dir: &Path) -> Vec<PathBuf> {
        let written = |app: &App, base: &Path| -> Vec<PathBuf> {
            let several = app.resources_paths.iter().flatten();
            several.chain(&app.resource_path_if_alone()).map(|path| base.join(path)).collect()
        };
        let own = written(app, dir);
        let beside = dir.join(".dapr/resources");
        match own.is_empty() {
            false => own,
            true if beside.is_dir() => vec![beside],
            true => written(common, &self.folder),
        }
    }

    fn app(
        &mut self,
        app: &App,
        id: String,
        common: &App,
        host: usize,
        hosts: &[HostPlan],
    ) -> Option<AppPlan> {
        let words = |this: &mut Self, words: &Vec<Spanned<String>>| -> Vec<String> {
            words.iter().map(|word| this.expand(word)).collect()
        };
        let command = app.command.as_ref().or(common.command.as_ref());
        let command = command.map(|command| words(self, command)).unwrap_or_default();
        let build = app.build.as_ref().map(|build| words(self, build));
        let mut env = surroundings(&id, app.app_port, hosts.get(host)?);
        env.extend(texts(&common.env));
        env.extend(texts(&app.env));
        for value in env.values_mut() {
            match self.variables.expand(value) {
                Ok(text) => *value = text,
                Err(text) => {
                    self.mistakes
                        .push(Mistake::new(format!("{}: env of {id}", self.path.display()), text));
                }
            }
        }
        let dir = self.app_dir(app);
        let actor_types = app.actor_types.clone();
        Some(AppPlan { id, dir, build, command, env, host, actor_types })
    }

    fn app_id(&mut self, app: &App) -> Option<String> {
        if let Some(id) = &app.app_id {
            return Some(id.value.clone());
        }
        if let Some(dir) = &app.app_dir_path {
            return Some(last_part(Path::new(&dir.value)));
        }
        let text = "an app needs an 'appID' or an 'appDirPath'";
        self.mistakes.push(Mistake::new(self.path.display().to_string(), text));
        None
    }

    fn app_dir(&mut self, app: &App) -> PathBuf {
        let Some(written) = &app.app_dir_path else { return self.folder.clone() };
        let dir = self.folder.join(&written.value);
        if !dir.is_dir() {
            let text = format!("appDirPath '{}' is not a folder", dir.display());
            let mistake = Mistake::new(yaml::place(self.path, written), text);
            self.mistakes.push(mistake);
        }
        dir
    }

    /// The shared host that an app names; nothing if it wants a sidecar.
    fn host_of(&mut self, app: &App, hosts: &[Host]) -> Option<usize> {
        let wanted = app.host.as_ref()?;
        let found = hosts.iter().position(|host| host.name.value == wanted.value);
        if found.is_none() {
            let place = yaml::place(self.path, wanted);
            let known: Vec<&str> = hosts.iter().map(|host| host.name.value.as_str()).collect();
            self.mistakes.push(Mistake::unknown(place, "host", &wanted.value, known));
        }
        // A wrong name stops the start anyway; the first host spares a made-up sidecar.
        found.or(if hosts.is_empty() { None } else { Some(0) })
    }

    fn port(&mut self, written: Option<&Spanned<u16>>, field: &str) -> Port {
        if let Some(port) = written.filter(|port| port.value > 0) {
            let place = format!("{}: {field}", yaml::place(self.path, port));
            return Port { number: port.value, place: Some(place) };
        }
        let number = self.free.next().unwrap_or_else(|error| {
            let text = format!("no free port for {field}: {error}");
            self.mistakes.push(Mistake::new(self.path.display().to_string(), text));
            0
        });
        Port { number, place: None }
    }

    fn set_addresses(&mut self, name: &str, http: &Port, grpc: &Port) {
        self.variables.set(format!("{name}.http"), format!("127.0.0.1:{}", http.number));
        self.variables.set(format!("{name}.grpc"), format!("127.0.0.1:{}", grpc.number));
    }

    fn expand(&mut self, text: &Spanned<String>) -> String {
        self.variables.expand(&text.value).unwrap_or_else(|wrong| {
            self.mistakes.push(Mistake::new(yaml::place(self.path, text), wrong));
            String::new()
        })
    }

    fn refuse_twice<'a>(&mut self, names: impl Iterator<Item = &'a Spanned<String>>, what: &str) {
        let mut seen: Vec<&str> = Vec::new();
        for name in names {
            if seen.contains(&name.value.as_str()) {
                let text = format!("there are two of {what} '{}'", name.value);
                self.mistakes.push(Mistake::new(yaml::place(self.path, name), text));
            }
            seen.push(&name.value);
        }
    }
}

impl App {
    fn resource_path_if_alone(&self) -> Option<String> {
        self.resources_path.clone().filter(|_| self.resources_paths.is_none())
    }
}

/// Source: what `dapr run` puts into an app's environment.
pub(super) fn surroundings(
    id: &str,
    app_port: Option<u16>,
    host: &HostPlan,
) -> BTreeMap<String, String> {
    let mut env = BTreeMap::from([
        ("APP_ID".to_owned(), id.to_owned()),
        ("DAPR_HTTP_PORT".to_owned(), host.http.number.to_string()),
        ("DAPR_GRPC_PORT".to_owned(), host.grpc.number.to_string()),
        ("DAPR_METRICS_PORT".to_owned(), host.metrics.number.to_string()),
    ]);
    if let Some(port) = app_port {
        env.insert("APP_PORT".to_owned(), port.to_string());
    }
    env
}

fn arguments(role: &str, app_id: &str, data_dir: &Path, level: Option<&str>) -> Vec<String> {
    let mut arguments = vec![role.to_owned()];
    push(&mut arguments, "app-id", app_id);
    push(&mut arguments, "data-dir", data_dir.display().to_string());
    push(&mut arguments, "log-style", "plain");
    push(&mut arguments, "log-level", level.unwrap_or("warn"));
    arguments
}

fn add_ports(arguments: &mut Vec<String>, http: &Port, grpc: &Port, metrics: &Port) {
    for (flag, port) in
        [("dapr-http-port", http), ("dapr-grpc-port", grpc), ("metrics-port", metrics)]
    {
        push(arguments, flag, port.number.to_string());
    }
}

fn push(arguments: &mut Vec<String>, flag: &str, value: impl Into<String>) {
    arguments.push(format!("--{flag}"));
    arguments.push(value.into());
}

fn texts(env: &BTreeMap<String, Scalar>) -> BTreeMap<String, String> {
    env.iter().map(|(name, value)| (name.clone(), value.0.clone())).collect()
}

/// Whether cargo builds into this folder: it keeps what programs are linked from there.
fn is_cargos(bin: &Path) -> bool {
    bin.join("deps").is_dir()
}

fn last_part(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
