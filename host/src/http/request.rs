//! A matched request, and what handlers ask of it.
//!
//! Parameters are decoded and names parsed here, so that every handler refuses the
//! same input in the same words.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use odeon_base::{Fence, IdempotencyKey};
use odeon_proto::names;
use odeon_runtime::{ActorRef, Awaits, CallChain};
use tokio::time::Instant;

use super::inbound::Inbound;
use super::path::{self, Undecodable};
use crate::api::{Api, TraceContext, read_activation, read_one_way};
use crate::status::Failure;

/// Longest time limit that a caller may set; longer ones count as this.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3_600);

/// An item of a query, decoded; the first of its name. What cannot be decoded counts as absent.
pub(crate) fn query_item(uri: &http::Uri, name: &str) -> Option<String> {
    query_items(uri).find_map(|(key, value)| (key == name).then(|| value.into_owned()))
}

/// Every item of the query that can be decoded, in order.
fn query_items(uri: &http::Uri) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    uri.query().unwrap_or_default().split('&').filter_map(|item| {
        let (key, value) = item.split_once('=').unwrap_or((item, ""));
        Some((path::unescape(key).ok()?, path::unescape(value).ok()?))
    })
}

/// What the names of a request's metadata begin with in the query.
const METADATA: &str = "metadata.";

/// A request on its way to a handler.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) api: &'a Api,
    pub(super) head: &'a Parts,
    pub(super) params: matchit::Params<'a, 'a>,
    pub(super) trace: &'a TraceContext,
    pub(super) body: Inbound,
}

impl<'a> Call<'a> {
    /// The metadata of the request, which is in its query; of two of one name the first counts.
    pub(super) fn metadata(&self) -> BTreeMap<String, String> {
        let mut metadata = BTreeMap::new();
        for (name, value) in query_items(&self.head.uri) {
            if let Some(name) = name.strip_prefix(METADATA) {
                metadata.entry(name.to_owned()).or_insert_with(|| value.into_owned());
            }
        }
        metadata
    }

    /// The body, and what answers it.
    pub(super) async fn read_body(self) -> Result<(&'a Api, Bytes), Failure> {
        let limit = self.api.limits().body_bytes;
        Ok((self.api, self.body.read(limit).await.map_err(Failure::body_read)?))
    }
}

impl Call<'_> {
    /// A parameter of the path, decoded.
    pub(super) fn param(&self, name: &'static str) -> Result<Cow<'_, str>, Failure> {
        let escaped = self.params.get(name).unwrap_or_default();
        path::unescape(escaped).map_err(|error| match error {
            Undecodable::Escape(escape) => Failure::bad_escape(&escape),
            Undecodable::NotUtf8 => Failure::bad_request(format!("{name} is not valid UTF-8")),
        })
    }

    /// The actor that the path names.
    pub(super) fn actor(&self) -> Result<ActorRef, Failure> {
        let (actor_type, id) = (self.param("actorType")?, self.param("actorId")?);
        ActorRef::parse(&actor_type, &id).map_err(Failure::bad_request)
    }

    /// The actor that the path names, unless its type belongs to workflows.
    pub(super) fn open_actor(&self) -> Result<ActorRef, Failure> {
        let actor = self.actor()?;
        if actor.actor_type.is_internal() {
            return Err(Failure::reserved_type(actor.actor_type.as_str()));
        }
        Ok(actor)
    }

    /// The actor that the path names, if it may have timers and reminders: those of the
    /// runtime's own have none.
    pub(super) fn schedulable_actor(&self) -> Result<ActorRef, Failure> {
        let actor = self.open_actor()?;
        Failure::check_schedulable(&actor)?;
        Ok(actor)
    }

    /// A header's first value; a value that is not ASCII counts as absent.
    pub(super) fn header(&self, name: &'static str) -> Option<&str> {
        self.head.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The same, but what is not ASCII stays, for whoever reads it to refuse.
    fn lossily(&self, name: &'static str) -> Option<Cow<'_, str>> {
        self.head.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()))
    }

    /// An item of the query, decoded; the first of its name. What cannot be decoded counts as absent.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        query_item(&self.head.uri, name)
    }

    /// A number of the query.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Failure> {
        let Some(text) = self.query(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            let shown = text.escape_debug();
            Failure::bad_request(format!(
                "the query's {name} is \"{shown}\"; expected a whole number"
            ))
        })
    }

    /// How many the query wants on a page; 100, if it does not say. Whoever makes the page
    /// has its own limit.
    pub(super) fn limit(&self) -> Result<usize, Failure> {
        let limit = self.number("limit")?.unwrap_or(100);
        Ok(usize::try_from(limit).unwrap_or(usize::MAX))
    }

    /// Whether the query says so.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.query(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => {
                let shown = other.escape_debug();
                let text = format!("the query's {name} is \"{shown}\"; expected true or false");
                Err(Failure::bad_request(text))
            }
        }
    }

    /// When the caller stops waiting: `odeon-actor-timeout`, in milliseconds (TURN-7).
    pub(super) fn deadline(&self) -> Result<Option<Instant>, Failure> {
        self.header(names::ACTOR_TIMEOUT).map(deadline).transpose()
    }

    /// The caller's name for a call that is to run only once (RT-4).
    pub(super) fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, Failure> {
        let text = self.lossily(IdempotencyKey::NAME);
        text.as_deref().map(IdempotencyKey::parse).transpose().map_err(Failure::bad_request)
    }

    /// What the caller waits for (OW-1).
    pub(super) fn awaits(&self) -> Result<Awaits, Failure> {
        read_one_way(self.lossily(names::ACTOR_ONE_WAY).as_deref()).map_err(Failure::bad_request)
    }

    /// The activation that asks, if it says so.
    pub(super) fn activation(&self) -> Result<Option<Fence>, Failure> {
        let text = self.lossily(names::ACTIVATION);
        text.as_deref().map(read_activation).transpose().map_err(Failure::bad_request)
    }

    /// The actors that wait for this call, and the id that lets it join a turn (REE-4).
    pub(super) fn chain(&self) -> CallChain {
        let reentrancy = self.header("dapr-reentrancy-id").map(Arc::from);
        match self.header(names::ACTOR_CHAIN) {
            Some(hops) => CallChain::from_header(hops, reentrancy),
            None => CallChain::new(&[], reentrancy),
        }
    }
}

/// Reads a time limit in milliseconds, counted from now.
fn deadline(text: &str) -> Result<Instant, Failure> {
    match text.trim().parse::<u64>() {
        Ok(millis) => Ok(Instant::now() + Duration::from_millis(millis).min(TIMEOUT_MAX)),
        Err(_) => Err(Failure::bad_request(format!(
            "odeon-actor-timeout is {:?}; expected a number of milliseconds",
            text.escape_debug().to_string()
        ))),
    }
}
