//! A call's place in the queue; given up on drop, wherever it stands (TURN-3).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::activation::Activation;
use crate::closing;
use crate::error::Error;
use crate::mailbox::Polled;
use crate::seams::Instance;

/// How waiting ended.
#[derive(Debug)]
pub(crate) enum Turned {
    /// The turn begins.
    Run {
        /// It has to make the memory first.
        activate: bool,
        /// The memory, unless it has to be made.
        instance: Instance,
    },
    /// Route again.
    Retry,
    /// Making the memory failed; nothing was begun.
    Failed(Error),
}

/// Waits for the turn to come.
#[derive(Debug)]
pub(crate) struct Place {
    activation: Arc<Activation>,
    ticket: Option<u64>,
}

impl Place {
    pub(crate) fn new(activation: Arc<Activation>, ticket: u64) -> Self {
        Self { activation, ticket: Some(ticket) }
    }

    /// Whose queue it is in.
    pub(crate) fn activation(&self) -> &Arc<Activation> {
        &self.activation
    }
}

impl Future for Place {
    type Output = Turned;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Turned> {
        let Some(ticket) = self.ticket else { return Poll::Ready(Turned::Retry) };
        let (polled, instance) = self.activation.with(|inner| {
            let polled = inner.mailbox.poll(ticket, cx.waker());
            let instance = match polled {
                Polled::Run { activate: false } => inner.checkout(),
                _ => Instance::Remote,
            };
            (polled, instance)
        });
        let turned = match polled {
            Polled::Pending => return Poll::Pending,
            Polled::Run { activate } => Turned::Run { activate, instance },
            Polled::Retry => Turned::Retry,
            Polled::Failed(error) => Turned::Failed(error),
        };
        self.ticket = None;
        Poll::Ready(turned)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let why = self.activation.event(|mailbox, rules| mailbox.abandon(ticket, rules));
        if let Some(why) = why {
            closing::spawn(&self.activation, why);
        }
    }
}
