//! Who asks, and the way to the actors who answer.
//!
//! Until there are accounts, a token is the name of an account, and the two names of the
//! shop's staff may do what the shop does: good enough for one machine, and for nothing else.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use odeon_base::entropy::Entropy;
use odeon_sdk::{Actor, Client, Result};
use serde::de::DeserializeOwned;

use super::input;
use super::reply::No;
use crate::domain::answer::Refusal;
use crate::domain::checks;
use crate::domain::order::PERSON_CHARS_MAX;

/// How long a call of an actor may take.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// Who may do what the shop does.
const STAFF: [&str; 2] = ["eshopadmin", "eshopclerk"];

/// The header with a request's id, which is on its reply, too.
pub(super) const REQUEST_ID: &str = "x-request-id";

/// How many actors are asked at once for one request.
pub(super) const AT_ONCE: usize = 8;

/// Where requests are taken in.
#[derive(Debug)]
pub(super) struct Desk {
    client: Client,
    entropy: Entropy,
}

/// A request.
#[derive(Debug)]
pub(super) struct Ask {
    /// Who asks, if they said.
    account: Option<String>,
    /// What a guest calls itself.
    guest: Option<String>,
    /// The request's id; whoever sends it again sends the same.
    pub(super) request_id: String,
    body: Vec<u8>,
}

impl Desk {
    pub(super) fn new(client: Client, entropy: Entropy) -> Self {
        Self { client: client.with_timeout(CALL_LIMIT), entropy }
    }

    /// The way to all actors.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The actor of this id.
    pub(super) fn actor<A: Actor>(&self, id: &str) -> Result<A::Client> {
        self.client.actor::<A>(id)
    }

    /// The id that a request came with, or a new one.
    ///
    /// # Errors
    /// When it came with one that cannot be: a new one would make each repeat another request.
    pub(super) fn request_id(&self, headers: &HeaderMap) -> Result<String, No> {
        match readable(headers, REQUEST_ID)? {
            Some(id) => checks::id(REQUEST_ID, id).map(|()| id.to_owned()).map_err(No::from),
            None => Ok(self.entropy.uuid()),
        }
    }

    /// A request as it came in.
    ///
    /// # Errors
    /// When a header says what cannot be.
    pub(super) fn ask(
        &self,
        headers: &HeaderMap,
        request_id: String,
        body: Vec<u8>,
    ) -> Result<Ask, No> {
        let text = |name: &str| readable(headers, name);
        let bearer = text("authorization")?.and_then(|value| value.strip_prefix("Bearer "));
        let account = text("authentication")?.or(bearer).map(|account| account.trim().to_owned());
        let guest = text("x-eshop-guest")?.map(|guest| format!("guest:{guest}"));
        if let Some(account) = &account {
            checks::id("authentication", account)?;
            // It is the name on orders and in logs, too.
            checks::name("authentication", account, PERSON_CHARS_MAX)?;
        }
        if let Some(guest) = &guest {
            checks::id("x-eshop-guest", guest)?;
        }
        Ok(Ask { account, guest, request_id, body })
    }
}

/// A header's text, if it is there.
fn readable<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, No> {
    let unreadable = |_| Refusal::invalid(format!("{name} must be ASCII text")).at(name).into();
    headers.get(name).map(HeaderValue::to_str).transpose().map_err(unreadable)
}

impl Ask {
    /// The account of who asks.
    ///
    /// # Errors
    /// When they did not say, or pretend to be a guest.
    pub(super) fn account(&self) -> Result<&str, No> {
        let account = self.account.as_deref().filter(|name| !name.starts_with("guest:"));
        account.ok_or(No::Unauthorised)
    }

    /// The name that a basket is kept under: the account, or what a guest calls itself.
    ///
    /// # Errors
    /// When they said neither.
    pub(super) fn basket(&self) -> Result<&str, No> {
        self.account().or(self.guest.as_deref().ok_or(No::Unauthorised))
    }

    /// What a guest called itself before it said who it is.
    ///
    /// # Errors
    /// `invalid` when it did not.
    pub(super) fn guest(&self) -> Result<&str, No> {
        let missing = || Refusal::invalid("x-eshop-guest must be sent").at("x-eshop-guest");
        self.guest.as_deref().ok_or_else(|| missing().into())
    }

    /// Whether who asks belongs to the shop.
    pub(super) fn is_staff(&self) -> bool {
        self.account.as_deref().is_some_and(|account| STAFF.contains(&account))
    }

    /// The command in the body.
    ///
    /// # Errors
    /// `invalid`, with the field.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, No> {
        Ok(input::read(&self.body)?)
    }

    /// The command's own id, or the request's.
    pub(super) fn id_or(&self, own: Option<String>) -> String {
        own.unwrap_or_else(|| self.request_id.clone())
    }
}
