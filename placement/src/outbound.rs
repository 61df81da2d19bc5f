//! What waits to be sent to hosts.
//!
//! Each stream has a queue that its host empties. What is said at once can be more than that
//! queue holds, such as the chains of all types to a host that joins: the rest waits here and
//! follows as there is room. How much may wait is for the caller to say; whoever lets more
//! gather does not listen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::task::{Context, Poll, ready};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::PollSender;

use odeon_ring::ToHost;

use crate::core::Connection;

/// The streams to hosts.
#[derive(Default)]
pub(crate) struct Outbound {
    streams: BTreeMap<Connection, Stream>,
    /// Those whose messages wait.
    behind: BTreeSet<Connection>,
}

struct Stream {
    queue: PollSender<ToHost>,
    waiting: VecDeque<ToHost>,
    /// Its host hears no more. It may still have been saying its last words, a release or its
    /// farewell, so the stream stands until it ends from the other side.
    is_deaf: bool,
}

/// More waits for a host than may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

impl Outbound {
    pub(crate) fn insert(&mut self, connection: Connection, queue: mpsc::Sender<ToHost>) {
        let queue = PollSender::new(queue);
        let stream = Stream { queue, waiting: VecDeque::new(), is_deaf: false };
        self.streams.insert(connection, stream);
    }

    /// Closes a stream; whether it stood.
    pub(crate) fn remove(&mut self, connection: Connection) -> bool {
        self.behind.remove(&connection);
        self.streams.remove(&connection).is_some()
    }

    pub(crate) fn has(&self, connection: Connection) -> bool {
        self.streams.contains_key(&connection)
    }

    /// Sends, or lets wait behind what waits already, with room for this many. Nothing
    /// happens to a message for a stream that is no more, or whose host hears no more.
    pub(crate) fn send(
        &mut self,
        to: Connection,
        message: ToHost,
        room: usize,
    ) -> Result<(), Full> {
        let Some(stream) = self.streams.get_mut(&to).filter(|stream| !stream.is_deaf) else {
            return Ok(());
        };
        let mut message = message;
        if stream.waiting.is_empty() {
            let sent = match stream.queue.get_ref() {
                Some(queue) => queue.try_send(message),
                None => Err(TrySendError::Closed(message)),
            };
            match sent {
                Ok(()) => return Ok(()),
                Err(TrySendError::Closed(_)) => {
                    stream.is_deaf = true;
                    return Ok(());
                }
                Err(TrySendError::Full(unsent)) => message = unsent,
            }
        }
        if stream.waiting.len() >= room {
            return Err(Full);
        }
        stream.waiting.push_back(message);
        self.behind.insert(to);
        Ok(())
    }

    /// Moves on what waits, for as long as it is asked.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Infallible> {
        let Self { streams, behind } = self;
        behind.retain(|connection| {
            let stream = streams.get_mut(connection);
            stream.is_some_and(|stream| stream.poll_empty(cx).is_pending())
        });
        Poll::Pending
    }
}

impl Stream {
    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.waiting.is_empty() {
            let is_open = ready!(self.queue.poll_reserve(cx)).is_ok();
            let next = self.waiting.pop_front();
            if !is_open || next.is_some_and(|message| self.queue.send_item(message).is_err()) {
                self.is_deaf = true;
                self.waiting.clear();
            }
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures::FutureExt;

    use super::*;

    fn message(n: u64) -> ToHost {
        ToHost::Expired { incarnation: odeon_base::Incarnation(n) }
    }

    #[tokio::test]
    async fn what_does_not_fit_waits_in_order_and_no_more_than_there_is_room_for() {
        let mut outbound = Outbound::default();
        let (one, two) = (Connection(1), Connection(2));
        let (queue, mut heard) = mpsc::channel(2);
        outbound.insert(one, queue);
        let (queue, mut other) = mpsc::channel(2);
        outbound.insert(two, queue);
        for n in 1..=5 {
            assert_eq!(outbound.send(one, message(n), 3), Ok(()));
        }
        assert_eq!(outbound.send(one, message(6), 3), Err(Full));
        assert_eq!(outbound.send(two, message(7), 3), Ok(()), "others are not held up");
        assert_eq!(other.recv().await, Some(message(7)));
        for n in 1..=5 {
            assert!(poll_fn(|cx| outbound.poll_flush(cx)).now_or_never().is_none());
            assert_eq!(heard.recv().await, Some(message(n)));
        }
        assert!(outbound.behind.is_empty());
        // Who lets go while something waits is sent nothing more, and heard until it ends.
        for n in 1..=3 {
            assert_eq!(outbound.send(one, message(n), 3), Ok(()));
        }
        drop(heard);
        assert!(poll_fn(|cx| outbound.poll_flush(cx)).now_or_never().is_none());
        assert!(outbound.behind.is_empty() && outbound.has(one));
        assert_eq!(outbound.send(one, message(4), 0), Ok(()), "nothing waits for it");
        assert!(outbound.remove(one) && !outbound.has(one) && !outbound.remove(one));
        assert_eq!(outbound.send(one, message(1), 3), Ok(()), "nobody is there");
        drop(other);
        assert_eq!(outbound.send(two, message(1), 3), Ok(()));
        assert!(outbound.has(two), "it may still be saying something");
    }
}
