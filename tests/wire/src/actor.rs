//! An actor type whose methods do what tests need.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;
use odeon_base::Execution;
use odeon_runtime::error::AppFailure;
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::{ActorRef, Error, Headers, Reply, Turn, store};

/// Answers by the name of the method:
///
/// - `echo`: the body and its content type;
/// - `seen`: what arrived, as JSON: method and headers;
/// - `app-error`: an error in the actor's own terms;
/// - `slow`: after as many milliseconds as the body says;
/// - `raise`: the error of [`raise`] with the body's number;
/// - `headers`: with headers that must not pass, and some that must;
/// - `large`: with as many bytes as the body says.
#[derive(Debug)]
pub struct Scripted;

impl Behaviour for Scripted {
    fn activate<'a>(&'a self, _turn: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>> {
        Box::pin(async { Ok(Instance::Remote) })
    }

    fn invoke<'a>(
        &'a self,
        _instance: &'a mut Instance,
        turn: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, Error>> {
        Box::pin(async move { answer(turn, call).await })
    }

    fn is_shared(&self) -> bool {
        true
    }
}

async fn answer(turn: &Turn, call: Call) -> Result<Reply, Error> {
    let number = || {
        let text = std::str::from_utf8(&call.body).unwrap_or_default();
        text.parse::<usize>().unwrap_or(0)
    };
    match &*call.method {
        "echo" => {
            let mut headers = Headers::new();
            if let Some(kind) = call.headers.get("content-type") {
                headers.push("content-type", kind);
            }
            Ok(Reply { body: call.body, headers, ..Reply::default() })
        }
        "seen" => {
            let headers: BTreeMap<&str, &str> = call.headers.iter().collect();
            let seen = serde_json::json!({
                "method": &*call.method,
                "headers": headers,
                "hops": turn.chain().hops().len(),
                "reentrancy": turn.chain().reentrancy.as_deref(),
                "has_deadline": turn.deadline().is_some(),
            });
            Ok(Reply { body: seen.to_string().into(), ..Reply::default() })
        }
        "app-error" => Ok(Reply { body: call.body, is_app_error: true, ..Reply::default() }),
        "slow" => {
            tokio::time::sleep(Duration::from_millis(number() as u64)).await;
            Ok(Reply::default())
        }
        "raise" => Err(raise(turn.actor(), number())),
        "headers" => {
            let mut headers = Headers::new();
            for (name, value) in [
                ("X-Kept", "1"),
                ("x-kept", "2"),
                ("Content-Type", "application/x-test"),
                ("Connection", "close"),
                ("Transfer-Encoding", "chunked"),
                ("Content-Length", "999"),
                ("bad name", "x"),
                ("x-bad-value", "a\nb"),
            ] {
                headers.push(name, value);
            }
            Ok(Reply { body: "ok".into(), headers, ..Reply::default() })
        }
        "large" => {
            let body = vec![b'x'; number()];
            Ok(Reply { body: body.into(), ..Reply::default() })
        }
        other => Err(Error::NoMethod {
            actor_type: turn.actor().actor_type.clone(),
            id: turn.actor().id.clone(),
            method: other.to_owned(),
        }),
    }
}

/// Every error that a turn can end with, by number; the rows of the error tests.
#[must_use]
pub fn raise(actor: &ActorRef, number: usize) -> Error {
    let (actor_type, id) = (actor.actor_type.clone(), actor.id.clone());
    let text = |text: &str| text.to_owned();
    match number {
        0 => Error::App(AppFailure { message: text("(500) boom <&>") }),
        1 => Error::AppLost {
            reason: text("actor host disconnected before responding"),
            execution: Execution::Maybe,
        },
        2 => Error::NoMethod { actor_type, id, method: text("m") },
        3 => Error::StackDepth { limit: 32 },
        4 => Error::CallCycle { actor_type, id },
        5 => Error::Fenced { actor_type, id, execution: Execution::Maybe },
        6 => Error::LeaseLost { execution: Execution::Maybe },
        7 => Error::Closed,
        8 => Error::NotActive,
        9 => Error::NoStore,
        10 => Error::Arguments(text("two arguments are missing")),
        11 => Error::TooLarge { what: "the transaction", found: 9, limit: 8 },
        12 => Error::Store(store::Error::ETagMismatch { key: text("k") }),
        13 => Error::Store(store::Error::Unavailable { reason: text("no route") }),
        14 => Error::Store(store::Error::Unknown { reason: text("cut off") }),
        15 => Error::NoHost { actor_type, id },
        16 => Error::Moved { actor_type, id, epoch: odeon_base::Epoch { term: 1, n: 2 } },
        17 => Error::TurnTooLong { actor_type, id, limit: Duration::from_secs(1) },
        18 => Error::TurnTimeout { actor_type, id },
        19 => Error::QueueTimeout { actor_type, id },
        20 => Error::MailboxFull { actor_type, id, waiting: 7 },
        21 => Error::Activation { actor_type, id, reason: text("no memory") },
        22 => Error::Panicked { actor_type, id, message: text("ouch") },
        23 => Error::Repeated { actor_type, id },
        24 => Error::CannotRemember { actor_type },
        _ => Error::App(AppFailure { message: format!("no error has the number {number}") }),
    }
}
