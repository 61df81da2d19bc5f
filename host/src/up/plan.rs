//! What a run file means: which processes to start, where, with which words.
//!
//! Paths are absolute, ports chosen, variables put in; nothing is started or
//! looked at but the file itself, the folders it names and the one this program is
//! in. The form of the file is in `file`, the running of a plan in `supervisor`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::config::mistakes::{Mistake, Mistakes};
use crate::config::settings::{self, Shape};
use crate::config::yaml::{self, Scalar, Spanned};

use super::file::{App, File, Host, HostKind, Placement};
use super::ports::{Free, Port};
use super::variables::Variables;
use super::written;

/// Where apps are built when this program was installed, relative to the file; no host
/// has its data there by default.
pub(super) const BUILDS: &str = ".odeon/.build";
/// Where placement keeps what must survive a restart, relative to the file; as above.
const PLACEMENT_DATA: &str = ".odeon/.placement";
/// The name of the placement service, in messages and in variables.
pub(super) const PLACEMENT: &str = "placement";
/// Flags of a host that say which cluster it is in.
const PLACEMENT_ADDRESS: &str = "placement-host-address";
const PEER_PORT: &str = "dapr-internal-grpc-port";
/// Most replicas of a host: as many as a cluster is meant to have.
const REPLICAS_MAX: u16 = 50;

/// All that is to be started.
#[derive(Debug)]
pub struct Plan {
    /// What the whole is called.
    pub name: String,
    /// The placement service that hosts join, if the file has one.
    pub placement: Option<PlacementPlan>,
    /// Hosts and their replicas, in the order of the file; sidecars of apps come last.
    pub hosts: Vec<HostPlan>,
    /// Applications, in the order of the file, one for each replica of their host.
    pub apps: Vec<AppPlan>,
    /// Commands to show when all is ready.
    pub show: Vec<String>,
    /// It is over when any process ends; else those are started again.
    pub ends_with_any: bool,
}

/// How the odeon binary is started in a role of its own.
#[derive(Debug)]
pub struct Launch {
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables of its process, besides those it inherits.
    pub env: BTreeMap<String, String>,
    /// Its working directory.
    pub dir: PathBuf,
    /// For what must survive a restart; replicas of a host share it.
    pub data_dir: PathBuf,
}

/// The placement service.
#[derive(Debug)]
pub struct PlacementPlan {
    /// How it is started.
    pub launch: Launch,
    pub(super) grpc: Port,
    pub(super) health: Port,
}

impl PlacementPlan {
    fn ports(&self) -> [&Port; 2] {
        [&self.grpc, &self.health]
    }
}

/// One host.
#[derive(Debug)]
pub struct HostPlan {
    /// Its name in messages.
    pub name: String,
    /// How it is started.
    pub launch: Launch,
    /// Its application is called on a port, so it is not healthy before that one runs.
    pub waits_for_app: bool,
    pub(super) http: Port,
    pub(super) grpc: Port,
    pub(super) metrics: Port,
}

impl HostPlan {
    fn ports(&self) -> [&Port; 3] {
        [&self.http, &self.grpc, &self.metrics]
    }
}

/// One application.
#[derive(Debug)]
pub struct AppPlan {
    /// Its name in messages: its id, with a number from the second replica on.
    pub name: String,
    /// Its working directory.
    pub dir: PathBuf,
    /// A program to run before all starts.
    pub build: Option<Vec<String>>,
    /// The program and its arguments; empty for a sidecar without one.
    pub command: Vec<String>,
    /// Variables of its process, besides those it inherits.
    pub env: BTreeMap<String, String>,
    /// Where it listens, if it was told to and shares a host.
    pub(super) port: Option<Port>,
    /// Which of the plan's hosts it uses.
    pub host: usize,
    /// It is ready when its host lists these types.
    pub actor_types: Vec<String>,
}

impl Plan {
    pub(super) fn ports(&self) -> impl Iterator<Item = &Port> {
        named_ports(self.placement.as_ref(), &self.hosts, &self.apps).map(|(_, port)| port)
    }

    /// The folders of all that must survive a restart, each once.
    pub(super) fn data_dirs(&self) -> Vec<&Path> {
        let placement = self.placement.iter().map(|one| &one.launch);
        let launches = placement.chain(self.hosts.iter().map(|host| &host.launch));
        let mut all: Vec<_> = launches.map(|launch| launch.data_dir.as_path()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

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
            free: Free::besides(written::ports(&file)),
            variables: Variables::default(),
            names: BTreeSet::new(),
        };
        planner.plan(file, binary)
    }
}

/// An app whose processes have their hosts and ports.
struct Placed<'a> {
    app: &'a App,
    id: String,
    /// Which of the plan's hosts it uses.
    served: Range<usize>,
    /// As [`AppPlan::port`], for each of them.
    ports: Vec<Option<Port>>,
}

struct Planner<'a> {
    path: &'a Path,
    folder: PathBuf,
    mistakes: Mistakes,
    free: Free,
    variables: Variables,
    /// Those of processes and of variables: what happens to whom is told by them.
    names: BTreeSet<String>,
}

impl Planner<'_> {
    fn plan(mut self, file: File, binary: &Path) -> Result<Plan, Mistakes> {
        self.check(&file);
        self.set_places(binary);
        let common = file.common.unwrap_or_default();
        let placement = file.placement.as_ref().map(|placement| self.placement(placement));
        let mut hosts: Vec<HostPlan> = Vec::new();
        let mut groups: Vec<Range<usize>> = Vec::new();
        for host in &file.hosts {
            let first = hosts.len();
            self.hosts(host, placement.as_ref(), &mut hosts);
            groups.push(first..hosts.len());
        }
        let mut placed = Vec::new();
        for app in &file.apps {
            let Some((id, place)) = self.app_id(app) else { continue };
            let served = match self.host_of(app, &file.hosts) {
                Some(index) => groups[index].clone(),
                None => {
                    let sidecar = self.sidecar(app, &id, &common, placement.as_ref());
                    self.take_names([sidecar.name.clone()], &place);
                    hosts.push(sidecar);
                    hosts.len() - 1..hosts.len()
                }
            };
            self.take_names((0..served.len()).map(|replica| numbered(&id, replica)), &place);
            let ports = self.app_ports(app, &id, served.len());
            placed.push(Placed { app, id, served, ports });
        }
        // Only now everybody's address is known, whoever comes first in the file.
        let mut apps = Vec::new();
        for app in placed {
            self.apps(app, &common, &hosts, &mut apps);
        }
        if hosts.is_empty() && placement.is_none() {
            let text = "there is nothing to start: name at least one of 'hosts' or 'apps'";
            self.mistakes.push(Mistake::new(self.path.display().to_string(), text));
        }
        for mistake in written::shared(named_ports(placement.as_ref(), &hosts, &apps)) {
            self.mistakes.push(mistake);
        }
        let show = file.show.iter().map(|line| self.expand(line)).collect();
        let name = file.name.unwrap_or_else(|| last_part(&self.folder));
        self.mistakes.or(Plan { name, placement, hosts, apps, show, ends_with_any: false })
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

    fn placement(&mut self, placement: &Placement) -> PlacementPlan {
        let grpc = self.port(placement.port.as_ref(), "port");
        let health = self.port(placement.healthz_port.as_ref(), "healthzPort");
        let data_dir = self.folder.join(placement.data_dir.as_deref().unwrap_or(PLACEMENT_DATA));
        let mut arguments = vec!["placement".to_owned()];
        add_common(&mut arguments, &data_dir, placement.log_level.as_deref());
        push(&mut arguments, "port", grpc.number.to_string());
        push(&mut arguments, "healthz-port", health.number.to_string());
        if let Some(lease) = &placement.lease {
            push(&mut arguments, "lease", lease);
        }
        self.set_addresses(PLACEMENT, &health, &grpc);
        self.names.insert(PLACEMENT.to_owned());
        let (dir, env) = (self.folder.clone(), texts(&placement.env));
        PlacementPlan { launch: Launch { arguments, env, dir, data_dir }, grpc, health }
    }

    /// The first replica has the ports that were written, the others have the next ones.
    fn hosts(&mut self, host: &Host, placement: Option<&PlacementPlan>, hosts: &mut Vec<HostPlan>) {
        let (replicas, kind) = (self.replicas(host), self.kind(host, placement.is_some()));
        let place = format!("{}: name", yaml::place(self.path, &host.name));
        self.take_names((0..replicas).map(|replica| numbered(&host.name.value, replica)), &place);
        let ports = [
            ("daprHTTPPort", &host.http_port),
            ("daprGRPCPort", &host.grpc_port),
            ("metricsPort", &host.metrics_port),
        ];
        for (field, port) in
            ports.into_iter().filter_map(|(field, port)| Some((field, port.as_ref()?)))
        {
            let place = format!("{}: {field}", yaml::place(self.path, port));
            if let Some(mistake) = written::too_high(place, port.value, replicas) {
                self.mistakes.push(mistake);
            }
        }
        for replica in 0..replicas {
            hosts.push(self.host(host, replica, placement.filter(|_| kind == HostKind::Host)));
        }
    }

    fn host(&mut self, host: &Host, replica: usize, placement: Option<&PlacementPlan>) -> HostPlan {
        let name = numbered(&host.name.value, replica);
        let app_id = host.app_id.as_ref().unwrap_or(&host.name.value);
        let http = self.replicas_port(host.http_port.as_ref(), replica, "daprHTTPPort");
        let grpc = self.replicas_port(host.grpc_port.as_ref(), replica, "daprGRPCPort");
        let metrics = self.replicas_port(host.metrics_port.as_ref(), replica, "metricsPort");
        let default = format!(".odeon/{}", host.name.value);
        let data_dir = self.folder.join(host.data_dir.as_deref().unwrap_or(&default));
        let role = if placement.is_some() { "host" } else { "standalone" };
        let mut arguments = arguments(role, app_id, &data_dir, host.log_level.as_deref());
        add_ports(&mut arguments, &http, &grpc, &metrics);
        for (flag, said) in [("compat", &host.compat), ("open-reminders", &host.open_reminders)] {
            if let Some(said) = said {
                push(&mut arguments, flag, said.0.clone());
            }
        }
        if let Some(placement) = placement {
            self.add_cluster(&mut arguments, placement);
        }
        for folder in &host.resources_paths {
            push(&mut arguments, "resources-path", self.folder.join(folder).display().to_string());
        }
        self.set_addresses(&name, &http, &grpc);
        let (dir, env) = (self.folder.clone(), texts(&host.env));
        let launch = Launch { arguments, env, dir, data_dir };
        HostPlan { name, launch, waits_for_app: false, http, grpc, metrics }
    }

    fn replicas(&mut self, host: &Host) -> usize {
        let Some(replicas) = &host.replicas else { return 1 };
        if !(1..=REPLICAS_MAX).contains(&replicas.value) {
            let place = format!("{}: replicas", yaml::place(self.path, replicas));
            let expected = format!("a number from 1 to {REPLICAS_MAX}");
            self.mistakes.push(Mistake::value(place, &replicas.value.to_string(), &expected));
            return 1;
        }
        usize::from(replicas.value)
    }

    fn kind(&mut self, host: &Host, has_placement: bool) -> HostKind {
        let default = if has_placement { HostKind::Host } else { HostKind::Standalone };
        let kind = host.kind.as_ref().map_or(default, |kind| kind.value);
        match (kind, &host.kind, &host.replicas) {
            (HostKind::Host, Some(kind), _) if !has_placement => {
                let text = "a host of kind 'host' joins the file's placement service, and there \
                            is none: write 'placement:' at the top of the file";
                self.mistakes.push(Mistake::new(yaml::place(self.path, kind), text));
            }
            (HostKind::Standalone, kind, Some(replicas)) if replicas.value > 1 => {
                let text = match kind {
                    Some(_) if has_placement => {
                        "a host of kind 'standalone' is all of its cluster, so there cannot be \
                         replicas of it: leave out 'kind'"
                    }
                    _ => {
                        "replicas share their actors by a placement service, and there is none: \
                         write 'placement:' at the top of the file"
                    }
                };
                self.mistakes.push(Mistake::new(yaml::place(self.path, replicas), text));
            }
            _ => {}
        }
        kind
    }

    /// Where placement is, and a port for other hosts that stays the same when the host is
    /// started again: it is what they know the host by.
    fn add_cluster(&mut self, arguments: &mut Vec<String>, placement: &PlacementPlan) {
        push(arguments, PLACEMENT_ADDRESS, format!("127.0.0.1:{}", placement.grpc.number));
        let peers = self.port(None, PEER_PORT);
        push(arguments, PEER_PORT, peers.number.to_string());
    }

    fn sidecar(
        &mut self,
        app: &App,
        id: &str,
        common: &App,
        placement: Option<&PlacementPlan>,
    ) -> HostPlan {
        let dir = self.app_dir(app);
        let http = self.port(app.http_port.as_ref(), "daprHTTPPort");
        let grpc = self.port(app.grpc_port.as_ref(), "daprGRPCPort");
        let metrics = self.port(app.metrics_port.as_ref(), "metricsPort");
        let default = format!(".odeon/{id}");
        let data_dir = self.folder.join(app.data_dir.as_deref().unwrap_or(&default));
        let level = app.log_level.as_deref().or(common.log_level.as_deref());
        let mut arguments = arguments("host", id, &data_dir, level);
        add_ports(&mut arguments, &http, &grpc, &metrics);
        if let Some(port) = &app.app_port {
            push(&mut arguments, "app-port", port.value.to_string());
        }
        let flags = app.sidecar_flags(common);
        // Who names a placement knows better where the sidecar belongs.
        let is_placed = flags.iter().any(|(flag, _)| *flag == PLACEMENT_ADDRESS);
        if let Some(placement) = placement.filter(|_| !is_placed) {
            // A port for other hosts that was written comes after ours, and the last counts.
            self.add_cluster(&mut arguments, placement);
        }
        for (flag, value) in flags {
            push(&mut arguments, flag, value);
        }
        for folder in self.resources(app, common, &dir) {
            push(&mut arguments, "resources-path", folder.display().to_string());
        }
        self.set_addresses(id, &http, &grpc);
        let name = format!("{id}-host");
        let (env, waits_for_app) =
            (BTreeMap::new(), app.app_port.as_ref().is_some_and(|port| port.value > 0));
        let launch = Launch { arguments, env, dir, data_dir };
        HostPlan { name, launch, waits_for_app, http, grpc, metrics }
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

    /// Where each replica of an app listens, if it was told to and shares a host.
    fn app_ports(&mut self, app: &App, id: &str, replicas: usize) -> Vec<Option<Port>> {
        if let Some(port) = &app.app_port {
            let place = format!("{}: appPort", yaml::place(self.path, port));
            if let Some(mistake) = written::too_high(place, port.value, replicas) {
                self.mistakes.push(mistake);
            }
        }
        // Where an app has a sidecar, that one looks after the app's port.
        let Some(written) = app.app_port.as_ref().filter(|_| app.host.is_some()) else {
            return (0..replicas).map(|_| None).collect();
        };
        let mut ports = Vec::with_capacity(replicas);
        for replica in 0..replicas {
            let port = self.replicas_port(Some(written), replica, "appPort");
            let address = format!("127.0.0.1:{}", port.number);
            self.variables.set(format!("{}.app", numbered(id, replica)), address);
            ports.push(Some(port));
        }
        ports
    }

    /// One process for each of the hosts that serve the app; the first one builds for all.
    fn apps(
        &mut self,
        placed: Placed<'_>,
        common: &App,
        hosts: &[HostPlan],
        apps: &mut Vec<AppPlan>,
    ) {
        let Placed { app, id, served, ports } = placed;
        let words = |this: &mut Self, words: &Vec<Spanned<String>>| -> Vec<String> {
            words.iter().map(|word| this.expand(word)).collect()
        };
        let command = app.command.as_ref().or(common.command.as_ref());
        let command = command.map(|command| words(self, command)).unwrap_or_default();
        let mut build = app.build.as_ref().map(|build| words(self, build));
        let written = self.env(app, &id, common);
        let dir = self.app_dir(app);
        for (replica, (host, port)) in served.zip(ports).enumerate() {
            let name = numbered(&id, replica);
            let number = port.as_ref().map(|port| port.number);
            let number = number.or(app.app_port.as_ref().map(|port| port.value));
            let mut env = surroundings(&id, number, &hosts[host]);
            env.extend(written.clone());
            apps.push(AppPlan {
                name,
                dir: dir.clone(),
                build: build.take(),
                command: command.clone(),
                env,
                port,
                host,
                actor_types: app.actor_types.clone(),
            });
        }
    }

    /// The variables that were written for an app.
    fn env(&mut self, app: &App, id: &str, common: &App) -> BTreeMap<String, String> {
        let mut env = texts(&common.env);
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
        env
    }

    /// The id of an app, and where it was written.
    fn app_id(&mut self, app: &App) -> Option<(String, String)> {
        let place = |value, field| format!("{}: {field}", yaml::place(self.path, value));
        if let Some(id) = &app.app_id {
            return Some((id.value.clone(), place(id, "appID")));
        }
        if let Some(dir) = &app.app_dir_path {
            return Some((last_part(Path::new(&dir.value)), place(dir, "appDirPath")));
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
        self.replicas_port(written, 0, field)
    }

    /// The port of a replica: as many above the written one as replicas come before it.
    fn replicas_port(
        &mut self,
        written: Option<&Spanned<u16>>,
        replica: usize,
        field: &str,
    ) -> Port {
        if let Some(port) = written.filter(|port| port.value > 0) {
            let place = format!("{}: {field}", yaml::place(self.path, port));
            // That there is none was said of all replicas together.
            let number = written::above(port.value, replica).unwrap_or_default();
            return Port { number, place: Some(place) };
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

    /// No two processes can have one name. The first that is taken says it for all of them.
    fn take_names(&mut self, names: impl IntoIterator<Item = String>, place: &str) {
        let is_taken = |name: &String| !self.names.insert(name.clone());
        let taken: Vec<String> = names.into_iter().filter(is_taken).collect();
        if let Some(name) = taken.first() {
            let text = format!("'{name}' is the name of another process: expected one of its own");
            self.mistakes.push(Mistake::new(place, text));
        }
    }
}

/// The ports of each process, by its name.
fn named_ports<'a>(
    placement: Option<&'a PlacementPlan>,
    hosts: &'a [HostPlan],
    apps: &'a [AppPlan],
) -> impl Iterator<Item = (&'a str, &'a Port)> {
    let of_placement =
        placement.into_iter().flat_map(|one| one.ports().map(|port| (PLACEMENT, port)));
    let of_host = |host: &'a HostPlan| host.ports().map(|port| (host.name.as_str(), port));
    let of_app = |app: &'a AppPlan| app.port.as_ref().map(|port| (app.name.as_str(), port));
    of_placement.chain(hosts.iter().flat_map(of_host)).chain(apps.iter().filter_map(of_app))
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
    add_common(&mut arguments, data_dir, level);
    arguments
}

fn add_common(arguments: &mut Vec<String>, data_dir: &Path, level: Option<&str>) {
    push(arguments, "data-dir", data_dir.display().to_string());
    push(arguments, "log-style", "plain");
    push(arguments, "log-level", level.unwrap_or("warn"));
}

fn add_ports(arguments: &mut Vec<String>, http: &Port, grpc: &Port, metrics: &Port) {
    for (flag, port) in
        [("dapr-http-port", http), ("dapr-grpc-port", grpc), ("metrics-port", metrics)]
    {
        push(arguments, flag, port.number.to_string());
    }
}

fn push(arguments: &mut Vec<String>, flag: &str, value: impl Into<String>) {
    let is_switch = settings::find(flag).is_some_and(|known| known.shape == Shape::Switch);
    if is_switch {
        // A word that follows a switch is not its value.
        arguments.push(format!("--{flag}={}", value.into()));
        return;
    }
    arguments.push(format!("--{flag}"));
    arguments.push(value.into());
}

/// `node`, `node-2`, `node-3`.
fn numbered(name: &str, replica: usize) -> String {
    if replica == 0 { name.to_owned() } else { format!("{name}-{}", replica + 1) }
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
