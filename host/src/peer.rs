//! Calls between hosts: one gRPC stream a lane, many calls on it, answers in any order.
//!
//! [`Client`] is the engine's way out ([`odeon_runtime::peers::Peers`]), [`Server`] the way in.
//! `wire` translates (pure), `outbox` says which calls were written (none or maybe), `link`
//! keeps a connection. Where a call goes and whether it is sent again is the engine's to
//! decide; what a caller is told about a failure is minted in `status.rs`.
//!
//! Streams that stay open and not unary calls, because of what each carries on one connection
//! (`tests/bench/benches/peers.rs`; tonic 0.14, loopback, two cores): 16,400 unary calls a second
//! for 32 callers, 184,000 questions and answers on a bare stream, and 73,000 calls of this
//! module with an engine and an actor behind it. A single caller waits 59, 32 and 39 us.

mod client;
mod link;
mod outbox;
mod server;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use odeon_base::{AppId, HostName, Namespace};
use odeon_placement::Token;
use odeon_runtime::Engine;
use odeon_runtime::peers::PeerError;

pub use client::Client;
pub use server::Server;

/// How often a silent connection is asked whether the other host is there.
///
/// With [`KEEP_ALIVE_WAIT`] it is a lease: a host that was silent for so long may run
/// nothing any more, so nothing is gained by waiting for its answers.
const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// How long the answer to that may take.
const KEEP_ALIVE_WAIT: Duration = Duration::from_secs(3);

/// What a stream may hold on its way, before the receiver has taken it.
const STREAM_WINDOW: u32 = 4 << 20;
/// The same for all streams of a connection.
const CONNECTION_WINDOW: u32 = 8 << 20;

/// Room in a message beside the body: names, headers, the call chain.
const MESSAGE_ROOM: usize = 1 << 20;

/// What both ends of a connection know of themselves.
#[derive(Debug, Clone)]
pub struct Config {
    /// The host's name, as its tables have it.
    pub host: HostName,
    /// The namespace; hosts of others are refused.
    pub namespace: Namespace,
    /// The application beside the host.
    pub app: AppId,
    /// What the other side must show, and is shown. Default: nothing.
    pub token: Option<Token>,
    /// Largest body of a call or an answer, in bytes. Default: 4 MiB.
    pub body_bytes_max: usize,
    /// Calls of one stream that are waited for at a time; more are refused. Default: 16,384.
    pub calls_max: usize,
    /// How long a connection may take to open, greetings included. Default: 1 s.
    pub opening: Duration,
    /// How long a connection without calls is kept. Default: 60 s.
    pub idle: Duration,
}

impl Config {
    /// The defaults for a host of this name.
    #[must_use]
    pub fn new(host: HostName, app: AppId) -> Self {
        Self {
            host,
            namespace: Namespace::default(),
            app,
            token: None,
            body_bytes_max: 4 << 20,
            calls_max: 16_384,
            opening: Duration::from_secs(1),
            idle: Duration::from_secs(60),
        }
    }

    /// Largest message that is listened to, in bytes.
    ///
    /// The same on all hosts whatever their own limits, up to 64 MiB: what is larger than the
    /// receiver's would end the stream and lose all other calls on it, so the sender's
    /// limit is the one that counts.
    fn message_bytes_max(&self) -> usize {
        self.body_bytes_max.max(64 << 20).saturating_add(MESSAGE_ROOM)
    }

    /// Who speaks, in the first message of a stream.
    fn hello(&self, engine: Option<&Engine>) -> wire::Hello {
        let incarnation = engine.and_then(|engine| engine.status().incarnation);
        wire::Hello {
            host: Arc::from(self.host.as_str()),
            incarnation,
            namespace: self.namespace.clone(),
            app: Arc::from(self.app.as_str()),
        }
    }
}

/// An error of a call as it is after the way from one host to another, which is that of
/// `wire` and `status.rs` without a socket; for tests that compare what clients see.
#[must_use]
pub fn crossed(error: odeon_runtime::Error) -> odeon_runtime::Error {
    let said = wire::write_answer(0, Err(error), crate::status::code_for_peer);
    match wire::hear_answer(said) {
        Ok(wire::Heard::Answer(_, Err(wire::Answered::Failed(failure)))) => {
            PeerError::Failed(failure).into()
        }
        Ok(wire::Heard::Answer(_, Err(wire::Answered::Moved(epoch)))) => {
            PeerError::Moved(epoch).into()
        }
        Ok(wire::Heard::Answer(_, Ok(_)) | wire::Heard::Goodbye) | Err(_) => {
            odeon_runtime::Error::Closed
        }
    }
}
