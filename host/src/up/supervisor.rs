//! Runs a plan: builds, starts in order, watches, restarts, and stops in order.
//!
//! Placement starts first and stops last: hosts join it, and tell it that they leave.
//! Hosts start before applications and stop before them: while a host drains, its
//! applications still run the turns that it waits for. Each process has one task (`unit`), which tells
//! the supervisor what happens to it; the supervisor decides when all is ready and
//! when it is over.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use odeon_base::{TaskKind, Tasks};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::console::Console;
use super::plan::{AppPlan, HostPlan, Launch, PLACEMENT, PlacementPlan, Plan};
use super::process::{Process, Program, describe};
use super::single::Command;
use super::unit::{Event, News, Readiness, Unit};
use super::{Options, fresh, notice, ports};
use crate::config::{Environment, Mistakes};

/// How long a host may take to drain: more than the limit it sets itself.
const HOST_STOP_LIMIT: Duration = Duration::from_secs(15);
/// How long placement may take to end: more than the limit it sets itself.
const PLACEMENT_STOP_LIMIT: Duration = Duration::from_secs(12);
/// How long an app may take to end. Source: `dapr run`.
const APP_STOP_LIMIT: Duration = Duration::from_secs(5);
/// How long the tasks may take to end once their processes have.
const TASKS_LIMIT: Duration = Duration::from_secs(2);

/// Why nothing runs any more, besides being told to stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The file is wrong.
    #[error(transparent)]
    File(#[from] Mistakes),
    /// It could not be started, or did not keep running.
    #[error("{0}")]
    Broken(String),
}

/// Runs the file until it is told to stop.
///
/// # Errors
/// [`Failure`], to be shown to a person; all that was started has ended.
pub fn run(options: &Options) -> Result<(), Failure> {
    let binary = binary()?;
    let plan = Plan::read(&options.file, &binary)?;
    run_plan(plan, binary, options.is_fresh)
}

/// Runs a host and an application until either ends, or it is told to stop.
///
/// # Errors
/// As [`run`].
pub fn run_single(command: &Command, environment: &Environment) -> Result<(), Failure> {
    run_plan(command.plan(environment)?, binary()?, false)
}

/// The program that is running.
fn binary() -> Result<PathBuf, Failure> {
    let own = |error| Failure::Broken(format!("odeon: cannot find its own program: {error}"));
    std::env::current_exe().map_err(own)
}

fn run_plan(plan: Plan, binary: PathBuf, is_fresh: bool) -> Result<(), Failure> {
    // One thread: the system ends a child when the very thread that started it ends.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::Broken(format!("odeon: cannot start: {error}")))?;
    runtime.block_on(Supervisor::new(plan, binary).run(is_fresh))
}

struct Supervisor {
    plan: Plan,
    binary: PathBuf,
    console: Console,
    placement: Tasks,
    hosts: Tasks,
    apps: Tasks,
    /// Counts processes, for their colours.
    started: usize,
}

impl Supervisor {
    fn new(plan: Plan, binary: PathBuf) -> Self {
        Self {
            plan,
            binary,
            console: Console::new(),
            placement: Tasks::new(PLACEMENT),
            hosts: Tasks::new("hosts"),
            apps: Tasks::new("apps"),
            started: 0,
        }
    }

    async fn run(mut self, is_fresh: bool) -> Result<(), Failure> {
        let mut stop = Stop::listen()?;
        let taken = ports::in_use(self.plan.ports());
        if !taken.is_empty() {
            return Err(Failure::Broken(taken.join("\n")));
        }
        if is_fresh {
            fresh::remove(&self.plan.data_dirs()).map_err(Failure::Broken)?;
        }
        tokio::select! {
            biased;
            () = stop.asked() => return Ok(()),
            built = self.build() => built?,
        }
        let (news, mut heard) = mpsc::channel(64);
        let ended = tokio::select! {
            biased;
            () = stop.asked() => Ok(()),
            ended = self.supervise(news, &mut heard) => ended,
        };
        if ended.is_ok() {
            self.console.say("\nstopping");
        }
        tokio::select! {
            biased;
            () = self.stop(&mut heard) => ended,
            // A second signal: nobody is waited for. What is left ends with this process.
            () = stop.asked() => Err(Failure::Broken("stopped at once, as asked twice".to_owned())),
        }
    }

    /// Runs the builds, one after the other, and shows what they say.
    async fn build(&mut self) -> Result<(), Failure> {
        let builds: Vec<(String, Program)> =
            self.plan.apps.iter().filter_map(|app| Some((app.name.clone(), build(app)?))).collect();
        for (id, program) in builds {
            self.console.say(format!("building {id}: {}", program.words.join(" ")));
            let voice = self.console.voice("BUILD", &id, self.started);
            let mut process = Process::start(&self.binary, &program, &voice).map_err(|error| {
                Failure::Broken(format!("{id}: the build cannot be started: {error}"))
            })?;
            match process.wait().await {
                Ok(status) if status.success() => {}
                Ok(status) => {
                    return Err(Failure::Broken(format!("{id}: the build {}", describe(status))));
                }
                Err(error) => {
                    return Err(Failure::Broken(format!("{id}: the build was lost: {error}")));
                }
            }
        }
        Ok(())
    }

    /// Starts everything in order and listens; returns when it cannot go on.
    async fn supervise(
        &mut self,
        news: mpsc::Sender<News>,
        heard: &mut mpsc::Receiver<News>,
    ) -> Result<(), Failure> {
        let placement = self.plan.placement.iter();
        let placement: Vec<Unit> = placement.map(|one| placement_unit(one, &self.binary)).collect();
        self.start(placement, "PLACEMENT", &self.placement.clone(), &news, heard).await?;
        let hosts: Vec<Unit> =
            self.plan.hosts.iter().map(|host| host_unit(host, &self.plan, &self.binary)).collect();
        self.start(hosts, "HOST", &self.hosts.clone(), &news, heard).await?;
        let all = self.plan.apps.iter().filter(|app| !app.command.is_empty());
        let apps: Vec<Unit> = all.map(|app| app_unit(app, &self.plan, &self.binary)).collect();
        self.start(apps, "APP", &self.apps.clone(), &news, heard).await?;
        self.console.say(notice::ready(&self.plan));
        loop {
            let Some(News { name, event }) = heard.recv().await else { return Ok(()) };
            let is_over = self.plan.ends_with_any && matches!(event, Event::Finished);
            self.report(&name, event)?;
            if is_over {
                return Ok(());
            }
        }
    }

    /// Starts units and waits until all of them are ready.
    async fn start(
        &mut self,
        units: Vec<Unit>,
        role: &str,
        tasks: &Tasks,
        news: &mpsc::Sender<News>,
        heard: &mut mpsc::Receiver<News>,
    ) -> Result<(), Failure> {
        let awaited = units.iter().map(|unit| unit.name.clone()).collect();
        for unit in units {
            self.console.say(format!("starting {}", unit.name));
            let voice = self.console.voice(role, &unit.name, self.started);
            self.started += 1;
            let stopping = tasks.stopping().clone();
            tasks.spawn(TaskKind::Process, unit.run(voice, news.clone(), stopping));
        }
        self.until_ready(awaited, heard).await
    }

    /// Waits until each of these has been ready, whatever else happens meanwhile: one that was
    /// started again says so again, and so does one that was ready long before.
    async fn until_ready(
        &self,
        mut awaited: BTreeSet<String>,
        heard: &mut mpsc::Receiver<News>,
    ) -> Result<(), Failure> {
        while !awaited.is_empty() {
            let Some(News { name, event }) = heard.recv().await else { break };
            if matches!(event, Event::Ready { .. } | Event::Finished) {
                awaited.remove(&name);
            }
            self.report(&name, event)?;
        }
        Ok(())
    }

    fn report(&self, name: &str, event: Event) -> Result<(), Failure> {
        match event {
            Event::Ready { details } => self.console.say(format!("{name} is ready{details}")),
            Event::Finished => self.console.say(format!("{name} ended with exit code 0")),
            Event::Died { how, wait } => {
                self.console.say(format!("{name} {how}; it is started again in {wait:?}"));
            }
            Event::GaveUp { how, why, last } => {
                let mut text = format!("{name} {how}: {why}");
                for line in last {
                    text.push_str("\n  ");
                    text.push_str(&line);
                }
                return Err(Failure::Broken(text));
            }
        }
        Ok(())
    }

    /// Hosts drain while their applications still serve; then the applications end, and
    /// placement, which the hosts told that they left.
    async fn stop(&self, heard: &mut mpsc::Receiver<News>) {
        // Nobody reads the news any more, and a full queue must not hold a unit.
        heard.close();
        let groups = [
            (&self.hosts, HOST_STOP_LIMIT),
            (&self.apps, APP_STOP_LIMIT),
            (&self.placement, PLACEMENT_STOP_LIMIT),
        ];
        for (tasks, limit) in groups {
            if let Err(left) = tasks.stop(limit + TASKS_LIMIT).await {
                self.console.say(left);
            }
        }
    }
}

fn build(app: &AppPlan) -> Option<Program> {
    let words = app.build.clone().filter(|words| !words.is_empty())?;
    Some(Program { words, dir: app.dir.clone(), env: app.env.clone() })
}

/// This program, as it is to be started.
fn program(launch: &Launch, binary: &Path) -> Program {
    let mut words = vec![binary.display().to_string()];
    words.extend(launch.arguments.iter().cloned());
    Program { words, dir: launch.dir.clone(), env: launch.env.clone() }
}

fn placement_unit(placement: &PlacementPlan, binary: &Path) -> Unit {
    Unit {
        name: PLACEMENT.to_owned(),
        binary: binary.to_path_buf(),
        program: program(&placement.launch, binary),
        // Whoever joined it has ended with an earlier run. Once it runs, its hosts live on
        // without it, and their leases would be forgotten with a folder that was lost.
        at_first: &["--new-cluster"],
        readiness: Readiness::Placement { health: placement.health.number },
        stop_limit: PLACEMENT_STOP_LIMIT,
        may_finish: false,
        is_restarted: true,
    }
}

fn host_unit(host: &HostPlan, plan: &Plan, binary: &Path) -> Unit {
    Unit {
        name: host.name.clone(),
        binary: binary.to_path_buf(),
        program: program(&host.launch, binary),
        at_first: &[],
        readiness: match host.waits_for_app {
            true => Readiness::Outbound { http: host.http.number },
            false => Readiness::Host { http: host.http.number },
        },
        stop_limit: HOST_STOP_LIMIT,
        may_finish: false,
        is_restarted: !plan.ends_with_any,
    }
}

fn app_unit(app: &AppPlan, plan: &Plan, binary: &Path) -> Unit {
    let host = plan.hosts.get(app.host);
    let http = host.map_or(0, |host| host.http.number);
    let types = app.actor_types.clone();
    Unit {
        name: app.name.clone(),
        binary: binary.to_path_buf(),
        program: Program { words: app.command.clone(), dir: app.dir.clone(), env: app.env.clone() },
        at_first: &[],
        readiness: match host.is_some_and(|host| host.waits_for_app) {
            true => Readiness::Called { http, types },
            false => Readiness::App { http, types },
        },
        stop_limit: APP_STOP_LIMIT,
        may_finish: true,
        is_restarted: !plan.ends_with_any,
    }
}

/// Ctrl-C and the signal to end.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Failure::Broken(format!("cannot listen to signals: {error}")))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_is_awaited_however_often_others_say_that_they_are_ready() {
        let plan = Plan {
            name: "shop".to_owned(),
            placement: None,
            hosts: Vec::new(),
            apps: Vec::new(),
            show: Vec::new(),
            ends_with_any: false,
        };
        let supervisor = Supervisor::new(plan, PathBuf::from("odeon"));
        let (news, mut heard) = mpsc::channel(8);
        let say = |name: &str, event| {
            news.try_send(News { name: name.to_owned(), event }).unwrap();
        };
        let ready = || Event::Ready { details: String::new() };
        let awaited = ["node", "node-2"].map(str::to_owned).into();
        let mut waiting = std::pin::pin!(supervisor.until_ready(awaited, &mut heard));

        // Placement was started again, and so was the first of the two.
        say(PLACEMENT, ready());
        say("node", ready());
        say("node", Event::Died { how: "was ended by signal 9".to_owned(), wait: APP_STOP_LIMIT });
        say("node", ready());
        assert!(futures::poll!(waiting.as_mut()).is_pending(), "the second one is not ready yet");
        say("node-2", ready());
        assert!(futures::poll!(waiting.as_mut()).is_ready());
    }
}
