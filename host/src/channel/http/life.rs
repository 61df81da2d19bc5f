//! The application's life as the host sees it: waited for, asked, offered, missed.
//!
//! Two loops: one watches the application and says what it is ([`State`]), the other
//! brings the engine to that. Without health checks an application is gone when its port
//! refuses a connection; with them only probes count, as with Dapr.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use odeon_base::ActorType;
use odeon_base::backoff::Backoff;
use odeon_runtime::seams::Behaviour;
use odeon_runtime::{TypeConfig, TypeSpec};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::health::{Change, Vitals};
use super::{App, Inner, Probe, config};

/// How often the port is tried at the start, and how long each time. Source: http-api.md 19.1.
const DIAL_EVERY: Duration = Duration::from_millis(100);
const DIAL_LIMIT: Duration = Duration::from_millis(500);
/// How many tries go by between two lines of the log.
const TRIES_SAID: u32 = 100;
/// Between tries while an application that was there is missed.
const MISSED: Backoff =
    Backoff { first: Duration::from_millis(50), max: Duration::from_millis(500) };
/// How long the application may take to say what it hosts.
const CONFIG_LIMIT: Duration = Duration::from_secs(60);
/// How often unused connections are looked through.
const TIDY_EVERY: Duration = Duration::from_secs(1);

type Types = Vec<(ActorType, TypeConfig)>;

/// What the application is.
#[derive(Debug, Clone)]
enum State {
    /// Not known yet.
    Unknown,
    /// There, and hosting these types.
    There(Arc<Types>),
    /// There, but to be called no more.
    Unhealthy,
    /// Not there.
    Gone,
}

impl App {
    /// Looks after the application until the host stops.
    ///
    /// # Cancel safety
    /// When dropped, what was offered stays offered.
    pub async fn run(self) {
        let stop = self.0.parts.tasks.stopping().clone();
        let (state, seen) = watch::channel(State::Unknown);
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.watch(&state) => {}
            () = self.settle(seen) => {}
        }
    }

    async fn watch(&self, state: &watch::Sender<State>) {
        let app = &*self.0;
        app.discover().await;
        match &app.config.probe {
            Some(probe) => {
                // Wire: the host is ready before the application is healthy.
                app.parts.health.up(app.parts.awaited);
                app.watch_health(probe, state).await;
            }
            None => app.watch_port(state).await,
        }
    }

    /// Brings the engine to what the application is, change by change.
    async fn settle(&self, mut seen: watch::Receiver<State>) {
        let Inner { parts, .. } = &*self.0;
        let mut hosted: Vec<ActorType> = Vec::new();
        loop {
            let state = seen.borrow_and_update().clone();
            match state {
                State::Unknown => {}
                State::There(types) => {
                    let is_dropped = |one: &ActorType| !types.iter().any(|(name, _)| name == one);
                    let dropped: Vec<_> = hosted.extract_if(.., |one| is_dropped(one)).collect();
                    if !dropped.is_empty() {
                        parts.engine.withdraw(&dropped).await;
                    }
                    hosted = types.iter().map(|(name, _)| name.clone()).collect();
                    tokio::select! {
                        // Polled first, and so begun, whatever else is ready.
                        biased;
                        () = self.offer(&types) => {}
                        _ = seen.changed() => {
                            seen.mark_changed();
                        }
                    }
                }
                State::Unhealthy => parts.engine.retire(&std::mem::take(&mut hosted)).await,
                State::Gone => parts.engine.withdraw(&std::mem::take(&mut hosted)).await,
            }
            if seen.changed().await.is_err() {
                return;
            }
        }
    }

    async fn offer(&self, types: &Types) {
        let parts = &self.0.parts;
        if parts.has_placement && !types.is_empty() {
            let specs = types.iter().map(|(actor_type, config)| TypeSpec {
                actor_type: actor_type.clone(),
                config: config.clone(),
                behaviour: Arc::new(self.clone()) as Arc<dyn Behaviour>,
            });
            if let Err(error) = parts.engine.offer(specs.collect()).await {
                tracing::error!(%error, "the application's actor types cannot be hosted");
            }
        }
        parts.health.up(parts.awaited);
    }
}

impl Inner {
    /// Waits until the port accepts connections, for ever if need be.
    async fn discover(&self) {
        let port = self.config.port;
        let protocol = self.config.protocol.name();
        tracing::info!(
            "application protocol: {protocol}. waiting on port {port}.  This will block until the app is listening on that port."
        );
        let mut tries = 0;
        let mut every = interval(DIAL_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            if self.accepts().await.is_ok() {
                break;
            }
            tries += 1;
            if tries % TRIES_SAID == 0 {
                tracing::info!("waiting for application to listen on port {port}");
            }
        }
        tracing::info!("application discovered on port {port}");
    }

    async fn accepts(&self) -> io::Result<()> {
        match timeout(DIAL_LIMIT, self.pool.is_reachable()).await {
            Ok(reached) => reached,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Without health checks: there until the port refuses a connection.
    async fn watch_port(&self, state: &watch::Sender<State>) {
        loop {
            let types = self.ask_config().await;
            state.send_replace(State::There(Arc::new(types)));
            let error = self.missed().await;
            let port = self.config.port;
            tracing::warn!(
                "the application is gone from port {port} ({error}); its actor types are withdrawn until it is back"
            );
            state.send_replace(State::Gone);
            let mut tries = 0;
            while self.accepts().await.is_err() {
                tokio::time::sleep(MISSED.wait(tries, 1.0)).await;
                tries += 1;
            }
            tracing::info!("application discovered on port {port}");
        }
    }

    /// Waits until the application cannot be reached, and says why not.
    async fn missed(&self) -> io::Error {
        let mut tidy = interval(TIDY_EVERY);
        loop {
            tokio::select! {
                biased;
                () = self.trouble.notified() => {
                    if let Err(error) = self.accepts().await {
                        return error;
                    }
                }
                _ = tidy.tick() => self.pool.tidy(),
            }
        }
    }

    /// With health checks: what the probes say, and the types that were read once.
    async fn watch_health(&self, probe: &Probe, state: &watch::Sender<State>) {
        let mut vitals = Vitals::new(probe.threshold);
        let mut types: Option<Arc<Types>> = None;
        let mut every = interval(probe.interval);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            self.pool.tidy();
            let probed = self.probe(probe).await;
            let Some(change) = vitals.probed(probed.is_ok()) else { continue };
            match change {
                Change::Healthy => {
                    tracing::info!("App entered healthy status");
                    let known = match types.take() {
                        Some(known) => known,
                        None => Arc::new(self.ask_config().await),
                    };
                    state.send_replace(State::There(Arc::clone(&known)));
                    types = Some(known);
                }
                Change::Unhealthy => {
                    let reason = probed.err().unwrap_or_default();
                    tracing::warn!("App entered un-healthy status: {reason}");
                    state.send_replace(State::Unhealthy);
                }
            }
        }
    }

    async fn probe(&self, probe: &Probe) -> Result<(), String> {
        // Over the limit of requests at once, too: a busy application is not a dead one.
        let asked = timeout(probe.timeout, self.simply(|| self.writer.probe(&probe.path))).await;
        let answered = asked.map_err(|_| format!("no answer within {:?}", probe.timeout))??;
        let status = answered.head.status;
        if status.is_success() { Ok(()) } else { Err(format!("it answered {}", status.as_u16())) }
    }

    /// What the application hosts; nothing, if that cannot be learned.
    async fn ask_config(&self) -> Types {
        let types = match self.read_config().await {
            Ok(types) => types,
            Err(reason) => {
                tracing::error!(
                    "the application's configuration (GET /dapr/config) cannot be used, so it hosts no actors: {reason}"
                );
                Vec::new()
            }
        };
        self.parts.health.hosting_known(types.iter().map(|(actor_type, _)| actor_type));
        types
    }

    async fn read_config(&self) -> Result<Types, String> {
        if !self.config.asks_config {
            tracing::info!(
                "Skipping programmatic dapr configuration loading (see 'disable-init-endpoints' flag/annotation)"
            );
            return Ok(Vec::new());
        }
        let asked = timeout(CONFIG_LIMIT, self.simply(|| self.writer.config())).await;
        let answered = asked.map_err(|_| format!("no answer within {CONFIG_LIMIT:?}"))??;
        match answered.head.status.as_u16() {
            200 => {}
            // It hosts nothing and says so by not having the page.
            404 => return Ok(Vec::new()),
            other => return Err(format!("it answered {other}")),
        }
        let types = config::types(&answered.body, &self.parts.defaults)?;
        tracing::info!("Application configuration loaded");
        Ok(types)
    }
}
