//! `odeon hosts`, `odeon actors` and `odeon reminders`: what operators ask of a running cluster.
//!
//! Each command is one request to the HTTP API of any host, which knows or asks the others.
//! What comes back is printed as a table for people, or with `--json` as it came.

pub mod flags;

mod show;

use std::process::ExitCode;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{FAILED, OK, say};
use crate::ask;
use crate::config::Environment;

/// How long a host may take to answer; it asks others meanwhile.
const LIMIT: Duration = Duration::from_secs(65);
/// What needs no escape in a part of a path (RFC 3986, unreserved).
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where to ask, and how to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    /// The HTTP API of any host, as `name:port`.
    pub api: String,
    /// Whether to print the answer as it came.
    pub is_json: bool,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Which hosts there are.
    Hosts,
    /// Move everything away from a host.
    Drain {
        /// Its name.
        host: String,
        /// How long that may take, in seconds.
        seconds: u64,
    },
    /// Which actors of a type are in memory.
    List {
        /// The type.
        actor_type: String,
        /// Only ids behind this one.
        after: String,
        /// At most this many.
        limit: usize,
        /// Only those with a turn that runs longer than this, in seconds.
        stuck: Option<u64>,
    },
    /// Which reminders a type has, or one actor of it.
    Reminders {
        /// The type.
        actor_type: String,
        /// The actor's id; empty: of all.
        id: String,
        /// Only those behind this.
        after: String,
        /// At most this many.
        limit: usize,
    },
    /// One actor.
    Inspect(Named),
    /// Why an actor is served where it is.
    Explain(Named),
    /// End an activation.
    Deactivate(Named),
    /// Delete an actor's state.
    Delete(Named),
    /// Give an actor to a host.
    Move {
        /// Which.
        named: Named,
        /// The host; none: the one that the ring names.
        to: Option<String>,
    },
}

/// An actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its type.
    pub actor_type: String,
    /// Its id.
    pub id: String,
}

impl Named {
    fn path(&self) -> String {
        format!("/odeon/v1/actors/{}/{}", part(&self.actor_type), part(&self.id))
    }
}

fn part(text: &str) -> String {
    utf8_percent_encode(text, PART).to_string()
}

impl Question {
    /// The request: verb and path.
    #[must_use]
    pub fn request(&self) -> (&'static str, String) {
        match self {
            Self::Hosts => ("GET", "/odeon/v1/hosts".to_owned()),
            Self::Drain { host, seconds } => {
                ("POST", format!("/odeon/v1/hosts/{}/drain?limit={seconds}", part(host)))
            }
            Self::List { actor_type, after, limit, .. } => {
                let (actor_type, after) = (part(actor_type), part(after));
                ("GET", format!("/odeon/v1/actors/{actor_type}?after={after}&limit={limit}"))
            }
            Self::Reminders { actor_type, id, after, limit } => {
                let [actor_type, id, after] = [actor_type, id, after].map(|text| part(text));
                let query = format!("id={id}&after={after}&limit={limit}");
                ("GET", format!("/odeon/v1/reminders/{actor_type}?{query}"))
            }
            Self::Inspect(named) => ("GET", named.path()),
            Self::Explain(named) => ("GET", format!("{}/explain", named.path())),
            Self::Deactivate(named) => ("POST", format!("{}/deactivate", named.path())),
            Self::Delete(named) => ("DELETE", named.path()),
            Self::Move { named, to } => {
                let query =
                    to.as_ref().map_or("back=true".to_owned(), |to| format!("to={}", part(to)));
                ("POST", format!("{}/move?{query}", named.path()))
            }
        }
    }
}

/// Asks, and prints the answer; the code to end with.
#[must_use]
pub fn operate(asking: &Asking, question: &Question, environment: &Environment) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answered = match runtime {
        Ok(runtime) => runtime.block_on(put(asking, question, environment)),
        Err(error) => Err(format!("cannot start: {error}")),
    };
    match answered {
        Ok(text) => {
            say::line(text);
            ExitCode::from(OK)
        }
        Err(reason) => {
            say::error(reason);
            ExitCode::from(FAILED)
        }
    }
}

async fn put(
    asking: &Asking,
    question: &Question,
    environment: &Environment,
) -> Result<String, String> {
    let (verb, path) = question.request();
    let token = environment.get("DAPR_API_TOKEN").filter(|token| !token.is_empty());
    let headers: Vec<_> = token.iter().map(|token| ("dapr-api-token", *token)).collect();
    let answered = ask::ask(&asking.api, verb, &path, &headers, LIMIT).await;
    let (status, body) = answered.map_err(|reason| {
        format!(
            "cannot ask the host at {}: {reason}; --api HOST:PORT names the HTTP API of another one",
            asking.api
        )
    })?;
    let text = String::from_utf8_lossy(&body).into_owned();
    if !(200..300).contains(&status) {
        return Err(show::failure(status, &text));
    }
    if asking.is_json {
        return Ok(text);
    }
    show::answer(question, &body)
}

#[cfg(test)]
mod tests;
