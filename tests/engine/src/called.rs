//! Actors of an application on a port, behind the host's own channel, in this process.
//!
//! The application is played request by request, as any in Dapr's ways would be; it keeps
//! its own memory, reaches its state and other actors through the host's door, and runs on
//! when a turn is cut. It says hello to an actor that it does not know.

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::FutureExt;
use odeon_base::{TaskKind, Tasks};
use odeon_host::api::{Api, Identity, Parts};
use odeon_host::channel::http::{App, Config};
use odeon_host::channel::{AppChannel, Hub};
use odeon_host::grpc::Door;
use odeon_proto::dapr::runtime::v1::dapr_client::DaprClient;
use odeon_runtime::error::Error;
use odeon_runtime::turn::Caller;
use odeon_runtime::{ActorRef, Engine, Reply, TypeConfig};
use odeon_test_wire::InProcess;
use odeon_test_wire::app::{Asked, Port, parts};
use tokio::sync::mpsc;

use crate::app::{Memory, Place, Probe, perform};
use crate::wire::Wire;

/// Messages on a stream that nobody opens.
const QUEUE: usize = 1;
const PORT: u16 = 6_000;

/// An application that hosts one type.
#[derive(Debug)]
struct Called {
    engine: Engine,
    client: DaprClient<InProcess>,
    actor_type: String,
    probe: Arc<Probe>,
    memories: Mutex<BTreeMap<String, Arc<Memory>>>,
}

/// Starts an application beside a host; returns once calls of the type are routed to it.
/// `config` is what the host gives a type whose application sets nothing.
pub(crate) async fn start(
    engine: &Engine,
    actor_type: &str,
    config: TypeConfig,
    probe: &Arc<Probe>,
    tasks: &Tasks,
) {
    let (port, asking) = Port::open(tasks);
    let parts = parts(engine, tasks, config);
    let health = parts.health.clone();
    health.down(parts.awaited);
    let called = Arc::new(Called {
        engine: engine.clone(),
        client: client(engine, tasks),
        actor_type: actor_type.to_owned(),
        probe: Arc::clone(probe),
        memories: Mutex::default(),
    });
    let turns = tasks.clone();
    tasks.spawn(TaskKind::Process, async move { called.listen(asking, &turns).await });
    tasks.spawn(TaskKind::Watcher, App::over(port, Config::new(PORT), parts).run());
    health.ready().await;
}

/// The host's door, for what the application asks of it.
fn client(engine: &Engine, tasks: &Tasks) -> DaprClient<InProcess> {
    let identity = Identity::new(engine.config().app.clone(), engine.config().namespace.clone());
    let api = Api::new(Parts::new(engine.clone(), identity));
    let hub = Hub::new(
        engine.clone(),
        tasks.clone(),
        api.health().clone(),
        TypeConfig::default(),
        AppChannel::Http,
        QUEUE,
    );
    DaprClient::new(InProcess(Door::new(api, hub).expect("descriptors")))
}

impl Called {
    async fn listen(self: Arc<Self>, mut asking: mpsc::Receiver<Asked>, tasks: &Tasks) {
        while let Some(asked) = asking.recv().await {
            let (called, line) = (Arc::clone(&self), asked.line.clone());
            match line.split(' ').collect::<Vec<_>>().as_slice() {
                ["GET", "/dapr/config"] => {
                    let config = format!(r#"{{"entities":["{}"]}}"#, self.actor_type);
                    asked.answer(200, &[], config);
                }
                ["DELETE", path] => {
                    let id = path.rsplit('/').next().unwrap_or_default();
                    self.probe.note(format!("{id} bye"));
                    self.memories.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
                    asked.answer(200, &[], "");
                }
                ["PUT", path] => {
                    let path = path.trim_start_matches("/actors/").to_owned();
                    tasks.spawn(TaskKind::Process, async move { called.turn(&path, asked).await });
                }
                other => unreachable!("not asked of an application: {other:?}"),
            }
        }
    }

    fn memory(&self, id: &str) -> Arc<Memory> {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = memories.entry(id.to_owned()).or_insert_with(|| {
            self.probe.note(format!("{id} hello"));
            Arc::default()
        });
        Arc::clone(memory)
    }

    /// `{type}/{id}/method/{method}`, or `.../method/timer/{name}` and `.../method/remind/{name}`.
    async fn turn(&self, path: &str, asked: Asked) {
        let parts: Vec<&str> = path.split('/').collect();
        let (actor_type, id, method, body) = match parts[..] {
            [actor_type, id, "method", method] => (actor_type, id, method, asked.body.clone()),
            [actor_type, id, "method", "timer" | "remind", name] => {
                (actor_type, id, name, data(&asked.body))
            }
            _ => unreachable!("{path}"),
        };
        let actor = ActorRef::parse(actor_type, id).expect("a good name");
        let memory = self.memory(id);
        let headers = asked.headers.iter();
        let metadata: HashMap<String, String> = headers
            .map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned()))
            .collect();
        let wire = Wire { client: self.client.clone(), metadata };
        let place = Place {
            engine: self.engine.clone(),
            actor,
            caller: Caller::default(),
            turn: None,
            wire: Some(&wire),
        };
        let turn = perform(&self.probe, place, &memory, method, &body);
        match AssertUnwindSafe(turn).catch_unwind().await {
            Ok(Ok(Reply { is_last: true, .. })) => {
                asked.answer(200, &[("X-DaprReminderCancel", "true")], "");
            }
            Ok(Ok(reply)) => asked.answer(200, &[], reply.body),
            Ok(Err(Error::App(failure))) => asked.answer(500, &[], failure.message),
            Ok(Err(error)) => asked.answer(500, &[], error.to_string()),
            Err(_) => asked.answer(500, &[], "the turn panicked"),
        }
    }
}

/// What a timer or reminder was given.
fn data(body: &[u8]) -> Bytes {
    let fields: serde_json::Value = serde_json::from_slice(body).expect("JSON");
    fields.get("data").map(|data| data.to_string().into()).unwrap_or_default()
}
