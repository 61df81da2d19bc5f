//! An application that a test plays: it is asked over HTTP, and answers by hand.
//!
//! No port: the host's end of each connection is a pipe whose other end hyper serves here.

use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use odeon_base::{TaskKind, Tasks};
use odeon_host::channel::http::{App, Config, Dial, Io, Parts};
use odeon_host::http::{Protocol, serve_connection};
use odeon_runtime::{Engine, TypeConfig};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{APP, Rig};

/// What the host's health waits for.
const AWAITED: &str = "app";

/// A request, to be answered.
#[derive(Debug)]
pub struct Asked {
    /// Method, path and query.
    pub line: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its protocol.
    pub version: Version,
    /// Its body.
    pub body: Bytes,
    answer: oneshot::Sender<Response<Full<Bytes>>>,
}

impl Asked {
    /// A header's first value; empty when it is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether the host has closed the connection.
    #[must_use]
    pub fn is_left(&self) -> bool {
        self.answer.is_closed()
    }

    /// Answers.
    ///
    /// # Panics
    /// When that is no answer at all.
    pub fn answer(self, status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) {
        let mut response = Response::new(Full::new(body.into()));
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        for (name, value) in headers {
            let name = http::HeaderName::from_bytes(name.as_bytes()).expect("a name");
            response.headers_mut().append(name, value.parse().expect("a value"));
        }
        // Who hung up reads no answer.
        let _ = self.answer.send(response);
    }
}

/// The host's side of the application: where it is dialled.
#[derive(Debug)]
pub struct Port {
    asked: mpsc::Sender<Asked>,
    /// Ends all connections of one life; none while the port refuses.
    life: Mutex<Option<CancellationToken>>,
    dialled: AtomicUsize,
    tasks: Tasks,
}

impl Port {
    /// A port on which somebody listens, and what is asked there.
    #[must_use]
    pub fn open(tasks: &Tasks) -> (Arc<Self>, mpsc::Receiver<Asked>) {
        let (asked, asking) = mpsc::channel(1_024);
        let life = Mutex::new(Some(CancellationToken::new()));
        let port = Self { asked, life, dialled: AtomicUsize::new(0), tasks: tasks.clone() };
        (Arc::new(port), asking)
    }

    /// The application dies: its connections break, new ones are refused.
    ///
    /// # Panics
    /// When it is dead.
    pub async fn die(&self) {
        let life = self.life.lock().unwrap_or_else(PoisonError::into_inner).take();
        life.expect("it was alive").cancel();
        // On paused time: until every end is where it was cut.
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }

    /// It is there again.
    pub fn live(&self) {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = Some(CancellationToken::new());
    }

    /// How many connections were made.
    #[must_use]
    pub fn dialled(&self) -> usize {
        self.dialled.load(Ordering::Relaxed)
    }
}

impl Dial for Port {
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Io>>> {
        let life = self.life.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move {
            let Some(life) = life else { return Err(io::ErrorKind::ConnectionRefused.into()) };
            self.dialled.fetch_add(1, Ordering::Relaxed);
            let (ours, theirs) = tokio::io::duplex(64 << 10);
            let service = Service(self.asked.clone());
            self.tasks.spawn(TaskKind::Connection, async move {
                tokio::select! {
                    biased;
                    () = life.cancelled() => {}
                    () = serve_connection(theirs, Protocol::Http(4 << 10), service) => {}
                }
            });
            Ok(Box::new(ours) as Box<dyn Io>)
        })
    }
}

#[derive(Debug, Clone)]
struct Service(mpsc::Sender<Asked>);

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let asked = self.0.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            let path = head.uri.path_and_query().expect("a path");
            let (answer, answered) = oneshot::channel();
            let line = format!("{} {path}", head.method);
            let (headers, version) = (head.headers, head.version);
            let one = Asked { line, headers, version, body, answer };
            asked.send(one).await.expect("a test that looks");
            // A test that answers nothing lets its caller wait.
            match answered.await {
                Ok(response) => Ok(response),
                Err(_) => std::future::pending().await,
            }
        })
    }
}

/// What the channel to an application stands on, in tests.
#[must_use]
pub fn parts(engine: &Engine, tasks: &Tasks, defaults: TypeConfig) -> Parts {
    Parts {
        engine: engine.clone(),
        health: odeon_host::api::Health::default(),
        awaited: AWAITED,
        tasks: tasks.clone(),
        defaults,
        has_placement: true,
        app_id: APP.to_owned(),
        token: None,
    }
}

/// An application beside a rig.
#[derive(Debug)]
pub struct Played {
    /// Its port.
    pub port: Arc<Port>,
    asking: mpsc::Receiver<Asked>,
}

impl Played {
    /// An application that the host has been told of, and has not asked yet.
    pub fn beside(rig: &Rig, config: Config, change: impl FnOnce(&mut Parts)) -> Self {
        let (port, asking) = Port::open(&rig.tasks);
        let mut parts = parts(&rig.engine, &rig.tasks, TypeConfig::default());
        parts.health = rig.health.clone();
        parts.health.down(AWAITED);
        change(&mut parts);
        let app = App::over(Arc::clone(&port) as _, config, parts);
        rig.tasks.spawn(TaskKind::Watcher, app.run());
        Self { port, asking }
    }

    /// The next request.
    ///
    /// # Panics
    /// When none comes.
    pub async fn asked(&mut self) -> Asked {
        let asking = tokio::time::timeout(std::time::Duration::from_secs(100), self.asking.recv());
        asking.await.expect("a request in time").expect("a host that stands")
    }

    /// Whether nothing has been asked that was not looked at.
    #[must_use]
    pub fn is_idle(&mut self) -> bool {
        self.asking.try_recv().is_err()
    }

    /// Answers the question for what it hosts.
    ///
    /// # Panics
    /// When something else is asked.
    pub async fn says(&mut self, config: &str) {
        let asked = self.asked().await;
        assert_eq!(asked.line, "GET /dapr/config");
        asked.answer(200, &[], config.to_owned());
    }
}
