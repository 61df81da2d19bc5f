//! Turns of actors that live in the application: the engine's `Behaviour` over HTTP.
//!
//! A call that certainly never reached the application is given back to the engine, which
//! sends it again; of any other failure the caller is told what is known.

use std::sync::Arc;

use futures::future::BoxFuture;
use odeon_base::Execution;
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::turn::Turn;
use odeon_runtime::{ActorRef, Error, Reply};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout_at;

use super::pool::{Age, Answered, Lost, Outgoing};
use super::{App, Inner, late, request};

impl Inner {
    /// One of the requests that the application takes at once; `None` when there is no
    /// limit.
    pub(super) async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        let slots = Arc::clone(self.slots.as_ref()?);
        // Never closed, so it cannot fail.
        slots.acquire_owned().await.ok()
    }

    async fn ask(&self, turn: &Turn, call: Call) -> Result<Reply, Error> {
        let slot = match turn.deadline() {
            Some(deadline) => match timeout_at(deadline, self.slot()).await {
                Ok(slot) => slot,
                Err(_) => return Err(turn.refuse(call, "the application takes no more at once")),
            },
            None => self.slot().await,
        };
        let slot = Arc::new(slot);
        for age in [Age::Any, Age::New] {
            let request = self.writer.invoke(turn, &call).map_err(Error::Arguments)?;
            let line = match self.pool.line(age).await {
                Ok(line) => line,
                Err(error) => {
                    self.trouble.notify_one();
                    let port = self.config.port;
                    let reason =
                        format!("the application cannot be reached on port {port}: {error}");
                    return Err(turn.refuse(call, reason));
                }
            };
            let limit = self.config.body_bytes_max;
            let exchange = Arc::clone(&self.pool).exchange(line, request, limit);
            let slot = Arc::clone(&slot);
            let exchange = async move {
                let answered = exchange.await;
                drop(slot);
                answered
            };
            let tasks = &self.parts.tasks;
            match late::Request::new(&self.late, tasks, turn.actor(), exchange).await {
                Ok(answered) => return request::reply(turn.actor(), &call, answered),
                Err(Lost::Unsent(error)) => {
                    tracing::debug!(%error, "a connection was closed before it was used");
                }
                Err(lost) => {
                    self.trouble.notify_one();
                    return Err(told(lost));
                }
            }
        }
        self.trouble.notify_one();
        Err(turn.refuse(call, "the application closes its connections before they are used"))
    }

    /// Sends a request that is nobody's turn.
    pub(super) async fn simply(
        &self,
        request: impl Fn() -> Result<Outgoing, String>,
    ) -> Result<Answered, String> {
        for age in [Age::Any, Age::New] {
            let request = request()?;
            let line = self.pool.line(age).await.map_err(|error| error.to_string())?;
            let limit = self.config.body_bytes_max;
            match Arc::clone(&self.pool).exchange(line, request, limit).await {
                Ok(answered) => return Ok(answered),
                Err(Lost::Unsent(_)) => {}
                Err(lost) => return Err(told(lost).to_string()),
            }
        }
        Err("its connections were closed before they were used".to_owned())
    }

    async fn forget(&self, actor: &ActorRef) {
        let _slot = self.slot().await;
        let reason = match self.simply(|| self.writer.deactivate(actor)).await {
            Ok(answered) if answered.head.status.as_u16() == 200 => return,
            Ok(answered) => format!("it answered {}", answered.head.status.as_u16()),
            Err(reason) => reason,
        };
        tracing::warn!(
            actor_type = %actor.actor_type,
            actor_id = %actor.id,
            reason,
            "the application failed to deactivate an actor; the activation is gone all the same"
        );
    }
}

/// A request that went out and brought no answer.
fn told(lost: Lost) -> Error {
    let (reason, execution) = match lost {
        Lost::Unsent(error) => (cause(&error), Execution::None),
        Lost::Broken(error) => (
            format!(
                "the application closed the connection before it had answered: {}",
                cause(&error)
            ),
            Execution::Maybe,
        ),
        Lost::TooLarge(limit) => (
            format!("the application's answer is larger than the limit of {limit} bytes"),
            Execution::Done,
        ),
    };
    Error::AppLost { reason, execution }
}

/// An error with what caused it, which hyper leaves to others to say.
fn cause(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

impl Behaviour for App {
    /// An application makes an actor when it sees its first call; all there is to do is to
    /// wait until no earlier request of the actor is left there.
    fn activate<'a>(&'a self, turn: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>> {
        Box::pin(async move {
            self.0.late.settled(turn.actor()).await;
            Ok(Instance::Remote)
        })
    }

    fn invoke<'a>(
        &'a self,
        _instance: &'a mut Instance,
        turn: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, Error>> {
        Box::pin(self.0.ask(turn, call))
    }

    /// How long an application may take is the engine's to say (DEA-3).
    fn deactivate<'a>(&'a self, actor: &'a ActorRef, _instance: Instance) -> BoxFuture<'a, ()> {
        Box::pin(self.0.forget(actor))
    }

    fn is_shared(&self) -> bool {
        true
    }
}
