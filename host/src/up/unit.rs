//! One supervised process through all its lives: start, ready, death, start again.
//!
//! Tells what happens as [`News`]; ends when it is told to stop, when it gives up,
//! or when its program has finished. What the news mean for the others is the
//! supervisor's to decide.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::console::Voice;
use super::probe;
use super::process::{Process, Program, describe};
use super::restarts::{Decision, Restarts};

/// How often something that starts is asked whether it is ready.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// When a process counts as ready.
#[derive(Debug, Clone)]
pub(super) enum Readiness {
    /// Hosts can join the placement service with this health port.
    Placement { health: u16 },
    /// Its health endpoint says so.
    Host { http: u16 },
    /// Its application may use it; healthy it will be when that one listens.
    Outbound { http: u16 },
    /// The host on this port lists all these types; at once if there are none.
    App { http: u16, types: Vec<String> },
    /// The host on this port, which calls it, is healthy and lists all these types.
    Called { http: u16, types: Vec<String> },
}

/// A process to be kept running.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) name: String,
    pub(super) binary: PathBuf,
    pub(super) program: Program,
    /// Further words of its first start, and of no other.
    pub(super) at_first: &'static [&'static str],
    pub(super) readiness: Readiness,
    pub(super) stop_limit: Duration,
    /// Whether exit code 0 means that it has done its work.
    pub(super) may_finish: bool,
    /// Whether it is started again when it dies.
    pub(super) is_restarted: bool,
}

/// What happened to a process.
#[derive(Debug)]
pub(super) enum Event {
    /// It can be used.
    Ready { details: String },
    /// It has done its work.
    Finished,
    /// It died and is started again after a wait.
    Died { how: String, wait: Duration },
    /// It died and is not started again.
    GaveUp { how: String, why: &'static str, last: Vec<String> },
}

/// Who, and what.
#[derive(Debug)]
pub(super) struct News {
    pub(super) name: String,
    pub(super) event: Event,
}

/// How one life ended.
enum End {
    Stopped,
    Finished,
    Died { how: String, lived: Duration },
}

impl Unit {
    /// Keeps the process running until it is told to stop.
    pub(super) async fn run(
        self,
        voice: Voice,
        news: mpsc::Sender<News>,
        stopping: CancellationToken,
    ) {
        let mut restarts = Restarts::default();
        let mut program = self.program.clone();
        program.words.extend(self.at_first.iter().map(|word| (*word).to_owned()));
        loop {
            let life = self.live(&program, &voice, &news, &stopping, &mut restarts).await;
            program.words.truncate(self.program.words.len());
            let (how, lived) = match life {
                End::Stopped => return,
                End::Finished => return self.tell(&news, Event::Finished).await,
                End::Died { how, lived } => (how, lived),
            };
            if !self.is_restarted {
                let (why, last) = ("it is not started again", voice.last_lines());
                return self.tell(&news, Event::GaveUp { how, why, last }).await;
            }
            let wait = match restarts.died(lived) {
                Decision::Again(wait) => wait,
                Decision::GiveUp(why) => {
                    let last = voice.last_lines();
                    return self.tell(&news, Event::GaveUp { how, why, last }).await;
                }
            };
            self.tell(&news, Event::Died { how, wait }).await;
            tokio::select! {
                biased;
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn live(
        &self,
        program: &Program,
        voice: &Voice,
        news: &mpsc::Sender<News>,
        stopping: &CancellationToken,
        restarts: &mut Restarts,
    ) -> End {
        let began = Instant::now();
        let mut process = match Process::start(&self.binary, program, voice) {
            Ok(process) => process,
            Err(error) => {
                let how = format!("cannot be started: {error}");
                return End::Died { how, lived: Duration::ZERO };
            }
        };
        let mut is_ready = false;
        loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => {
                    if !process.stop(self.stop_limit).await {
                        voice.line("did not end in time and was killed");
                    }
                    return End::Stopped;
                }
                ended = process.wait() => {
                    let how = match ended {
                        Ok(status) if status.success() && self.may_finish => return End::Finished,
                        Ok(status) => describe(status),
                        Err(error) => format!("was lost: {error}"),
                    };
                    return End::Died { how, lived: began.elapsed() };
                }
                details = self.ready(), if !is_ready => {
                    is_ready = true;
                    restarts.ready();
                    self.tell(news, Event::Ready { details }).await;
                }
            }
        }
    }

    /// Waits until the process is ready; answers what is worth telling about it.
    async fn ready(&self) -> String {
        let mut interval = tokio::time::interval(ASK_EVERY);
        loop {
            interval.tick().await;
            match &self.readiness {
                Readiness::Placement { health } if probe::is_placement(*health).await => {
                    return String::new();
                }
                Readiness::Host { http } if probe::is_healthy(*http).await => return String::new(),
                Readiness::Outbound { http } if probe::is_outbound(*http).await => {
                    return String::new();
                }
                Readiness::App { types, .. } if types.is_empty() => return String::new(),
                Readiness::Called { http, .. } if !probe::is_healthy(*http).await => {}
                Readiness::App { http, types } | Readiness::Called { http, types } => {
                    let listed = probe::actor_types(*http).await.unwrap_or_default();
                    if types.iter().all(|wanted| listed.contains(wanted)) {
                        return said(types);
                    }
                }
                Readiness::Placement { .. }
                | Readiness::Host { .. }
                | Readiness::Outbound { .. } => {}
            }
        }
    }

    async fn tell(&self, news: &mpsc::Sender<News>, event: Event) {
        // Nobody listens once everything stops.
        let _ = news.send(News { name: self.name.clone(), event }).await;
    }
}

fn said(types: &[String]) -> String {
    if types.is_empty() { String::new() } else { format!(": {} actor types", types.len()) }
}
