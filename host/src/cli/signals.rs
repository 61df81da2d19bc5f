//! The signals that a long-running command listens to, by daprd's names.
//!
//! What a signal leads to is the command's to say; that a hangup means the end on a
//! terminal and a new start elsewhere is decided here.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What daprd calls the signal.
const HANGUP: &str = "hangup";

/// What a process was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// To stop.
    Stop,
    /// To stop and start again, reading its files anew.
    Again,
}

/// The signals that a process listens to.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    /// Asked at the start, since a terminal that has gone is none.
    is_on_terminal: bool,
}

impl Signals {
    /// Listens from now on; on a terminal a hangup says that it has gone.
    pub(super) fn listen(is_on_terminal: bool) -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            is_on_terminal,
        })
    }

    /// The process is to stop, by the signal of this name.
    pub(super) async fn stop(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "interrupt",
            _ = self.terminate.recv() => "terminated",
            _ = self.hangup.recv(), if self.is_on_terminal => HANGUP,
        }
    }

    /// The process is to stop, or to be followed by one that reads its files again.
    pub(super) async fn next(&mut self) -> Heard {
        let name = tokio::select! {
            _ = self.interrupt.recv() => "interrupt",
            _ = self.terminate.recv() => "terminated",
            _ = self.hangup.recv() => HANGUP,
        };
        if name == HANGUP && !self.is_on_terminal {
            tracing::info!("Received signal '{name}'; restarting");
            return Heard::Again;
        }
        tracing::info!("Received signal '{name}'; beginning shutdown");
        Heard::Stop
    }
}
