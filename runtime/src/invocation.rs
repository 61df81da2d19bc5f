//! A call on its way: what is asked of whom, by whom, until when.
//!
//! An [`Invocation`] passes unchanged from the front door to the turn. Bodies are
//! [`Bytes`] and are never copied.

use std::sync::Arc;

use bytes::Bytes;
use odeon_base::{ActorId, ActorType, Epoch, IdempotencyKey};
use tokio::time::Instant;

use crate::schedule::TimerSpec;

/// Longest call chain that is kept (REE-4).
pub const CHAIN_MAX: usize = 64;

/// An actor, named.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ActorRef {
    /// Its type.
    pub actor_type: ActorType,
    /// Its id, with its position on the ring.
    pub id: ActorId,
}

impl ActorRef {
    /// Parses both names.
    ///
    /// # Errors
    /// [`odeon_base::ident::Invalid`] for the first name that is not acceptable.
    pub fn parse(actor_type: &str, id: &str) -> Result<Self, odeon_base::ident::Invalid> {
        Ok(Self { actor_type: ActorType::parse(actor_type)?, id: ActorId::parse(id)? })
    }
}

/// Headers in their order; names compare ignoring case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a header, keeping earlier ones of the name.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// Sets a header in place of all of that name.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.push(name, value);
    }

    /// Takes all headers of a name away.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(have, _)| !have.eq_ignore_ascii_case(name));
    }

    /// The first value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The actors whose turns are waiting for this call, outermost first, and the id
/// that lets a call join a turn of its own chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallChain {
    /// Hashes of type and id of the actors above.
    hops: Option<Arc<[u64]>>,
    /// The reentrancy id, when a type in the chain is reentrant or the caller sent one.
    pub reentrancy: Option<Arc<str>>,
    /// Whether the turn that makes the call is a system actor's. Looked at where the call is
    /// made, so no other host is told.
    is_of_system: bool,
}

impl CallChain {
    /// A chain as it came from outside; hops beyond [`CHAIN_MAX`] are left out, the outermost first.
    #[must_use]
    pub fn new(hops: &[u64], reentrancy: Option<Arc<str>>) -> Self {
        let kept = &hops[hops.len().saturating_sub(CHAIN_MAX)..];
        Self { hops: (!kept.is_empty()).then(|| kept.into()), reentrancy, is_of_system: false }
    }

    /// The hops, outermost first.
    #[must_use]
    pub fn hops(&self) -> &[u64] {
        self.hops.as_deref().unwrap_or_default()
    }

    /// The chain of a call made from the turn of `hop`.
    #[must_use]
    pub fn below(&self, hop: u64) -> Self {
        let mut hops = self.hops().to_vec();
        hops.push(hop);
        Self::new(&hops, self.reentrancy.clone())
    }

    /// The chain of a call made from the turn of a system actor, or of another.
    pub(crate) fn made_by(self, is_of_system: bool) -> Self {
        Self { is_of_system, ..self }
    }

    /// Whether the turn that makes the call is a system actor's.
    pub(crate) fn is_of_system(&self) -> bool {
        self.is_of_system
    }

    /// The header form: hashes in hexadecimal, joined by commas.
    #[must_use]
    pub fn to_header(&self) -> String {
        self.hops().iter().map(|hop| format!("{hop:016x}")).collect::<Vec<_>>().join(",")
    }

    /// Reads the header form; what is not a hash is left out, since a stranger may have sent it.
    #[must_use]
    pub fn from_header(text: &str, reentrancy: Option<Arc<str>>) -> Self {
        let hops: Vec<u64> =
            text.split(',').filter_map(|hop| u64::from_str_radix(hop.trim(), 16).ok()).collect();
        Self::new(&hops, reentrancy)
    }
}

/// What is asked of an actor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CallKind {
    /// That its method runs.
    #[default]
    Method,
    /// Its reminder fires. The method is the reminder's name, the body the JSON that it was
    /// given, or nothing.
    Reminder,
    /// That it has a timer from now on: name and data as when it fires.
    SetTimer(Arc<TimerSpec>),
    /// That it has no timer of this name any more.
    DropTimer,
}

/// What a turn runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TurnKind {
    /// The method.
    #[default]
    Method,
    /// What the reminder of this name calls for.
    Reminder,
    /// What the timer of this name calls for, with what was said when it was set.
    Timer(Arc<TimerSpec>),
}

/// What the caller of an actor waits for (OW-1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Awaits {
    /// The answer.
    #[default]
    Answer,
    /// That the call has its place in the mailbox of the actor; the answer to that is empty.
    Place,
    /// That the call is stored, and will be made at least once, whichever host dies; the answer
    /// to that is empty.
    Stored,
}

/// A call of an actor.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Who is called.
    pub actor: ActorRef,
    /// What is asked.
    pub kind: CallKind,
    /// The method, cleaned (`odeon_base::ident::clean_method`).
    pub method: Arc<str>,
    /// The argument, opaque.
    pub body: Bytes,
    /// What goes to the application beside it, `content-type` included.
    pub headers: Headers,
    /// When the caller stops waiting, if it says so (TURN-7).
    pub deadline: Option<Instant>,
    /// Who is waiting for this call.
    pub chain: CallChain,
    /// The table by which another host sent it here; `None` for a caller of this host.
    pub routed_by: Option<Epoch>,
    /// The caller's name for it, if it is to run only once however often it is sent (RT-4).
    pub once: Option<IdempotencyKey>,
    /// What the caller waits for.
    pub awaits: Awaits,
}

impl Invocation {
    /// A call without headers, time limit or chain.
    #[must_use]
    pub fn new(actor: ActorRef, method: &str, body: impl Into<Bytes>) -> Self {
        Self {
            actor,
            kind: CallKind::Method,
            method: method.into(),
            body: body.into(),
            headers: Headers::new(),
            deadline: None,
            chain: CallChain::default(),
            routed_by: None,
            once: None,
            awaits: Awaits::Answer,
        }
    }
}

/// The method and argument of one turn.
#[derive(Debug, Clone)]
pub struct Call {
    /// What it runs.
    pub kind: TurnKind,
    /// The method, cleaned, or the name of what fires.
    pub method: Arc<str>,
    /// The argument, or the JSON of what fires.
    pub body: Bytes,
    /// What the caller sent beside it.
    pub headers: Headers,
    /// The caller's name for the call, if it is to run only once.
    pub once: Option<IdempotencyKey>,
}

/// What the actor answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// The answer, opaque.
    pub body: Bytes,
    /// What the application sent beside it.
    pub headers: Headers,
    /// The body is an error in the application's own terms, passed on as it is.
    pub is_app_error: bool,
    /// The timer or reminder that fired is to fire no more.
    pub is_last: bool,
    /// An earlier call of the same idempotency key was answered so; none ran now.
    pub is_replay: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_survives_its_header_form_and_is_bounded() {
        let chain = CallChain::default().below(1).below(u64::MAX);
        assert_eq!(chain.to_header(), "0000000000000001,ffffffffffffffff");
        assert_eq!(CallChain::from_header(&chain.to_header(), None), chain);
        assert_eq!(CallChain::from_header("zz,,7", None).hops(), [7]);
        let long: Vec<u64> = (0..100).collect();
        assert_eq!(CallChain::new(&long, None).hops(), &long[36..]);
    }

    #[test]
    fn header_names_ignore_case() {
        let mut headers = Headers::new();
        headers.push("Content-Type", "a");
        headers.push("content-type", "b");
        assert_eq!(headers.get("CONTENT-TYPE"), Some("a"));
        headers.set("content-Type", "c");
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("content-Type", "c")]);
    }
}
