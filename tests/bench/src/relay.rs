//! A relay that counts what goes through it: bytes, and messages of gRPC.
//!
//! It stands before a server of one machine. Messages are told by their prefixes in the data
//! frames of HTTP/2, without padding and whatever the stream.

use std::collections::HashMap;
use std::ops::Sub;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use odeon_base::{TaskKind, Tasks};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What a client says before its first frame.
const PREFACE: usize = 24;
const FRAME_HEAD: usize = 9;
const MESSAGE_HEAD: usize = 5;
const DATA: u8 = 0;

/// What went through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// Bytes of TCP from clients.
    pub bytes_up: u64,
    /// Messages from clients.
    pub messages_up: u64,
    /// Bytes of TCP to clients.
    pub bytes_down: u64,
    /// Messages to clients.
    pub messages_down: u64,
}

impl Sub for Passed {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            bytes_up: self.bytes_up - earlier.bytes_up,
            messages_up: self.messages_up - earlier.messages_up,
            bytes_down: self.bytes_down - earlier.bytes_down,
            messages_down: self.messages_down - earlier.messages_down,
        }
    }
}

#[derive(Debug, Default)]
struct Count {
    bytes: AtomicU64,
    messages: AtomicU64,
}

/// A relay before a port.
#[derive(Debug)]
pub struct Relay {
    port: u16,
    up: Arc<Count>,
    down: Arc<Count>,
}

impl Relay {
    /// A relay on a free port before this one.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn before(port: u16, tasks: &Tasks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let own = listener.local_addr().expect("a bound listener has an address").port();
        let (up, down) = (Arc::<Count>::default(), Arc::<Count>::default());
        let (to, from, of) = (Arc::clone(&up), Arc::clone(&down), tasks.clone());
        tasks.spawn(TaskKind::Listener, async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                for stream in [&client, &server] {
                    stream.set_nodelay(true).expect("a socket's setting");
                }
                let (client_in, client_out) = client.into_split();
                let (server_in, server_out) = server.into_split();
                let up = pass(client_in, server_out, Arc::clone(&to), PREFACE);
                of.spawn(TaskKind::Connection, up);
                of.spawn(TaskKind::Connection, pass(server_in, client_out, Arc::clone(&from), 0));
            }
        });
        Self { port: own, up, down }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// All that went through until now.
    #[must_use]
    pub fn passed(&self) -> Passed {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Passed {
            bytes_up: read(&self.up.bytes),
            messages_up: read(&self.up.messages),
            bytes_down: read(&self.down.bytes),
            messages_down: read(&self.down.messages),
        }
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    count: Arc<Count>,
    preface: usize,
) {
    let mut frames = Frames { skip: preface, ..Frames::default() };
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let read = &buffer[..read];
        count.bytes.fetch_add(read.len() as u64, Ordering::Relaxed);
        count.messages.fetch_add(frames.take(read), Ordering::Relaxed);
        if to.write_all(read).await.is_err() {
            return;
        }
    }
    // The other side may have gone first.
    let _ = to.shutdown().await;
}

/// A stream of heads of one size, each followed by as many bytes as it says.
#[derive(Debug, Default)]
struct Pieces<const HEAD: usize> {
    head: Vec<u8>,
    left: usize,
}

/// The next piece of what came.
enum Piece<'a, const HEAD: usize> {
    Head([u8; HEAD]),
    /// Of what follows a head, as much as has come.
    Body(&'a [u8]),
    /// The rest of a head has not come yet.
    Wanting,
}

impl<const HEAD: usize> Pieces<HEAD> {
    /// Takes the next piece off the front; `length` reads a head.
    fn next<'a>(
        &mut self,
        bytes: &mut &'a [u8],
        length: fn(&[u8; HEAD]) -> usize,
    ) -> Piece<'a, HEAD> {
        let is_body = self.left > 0;
        let wanted = if is_body { self.left } else { HEAD - self.head.len() };
        let (part, rest) = bytes.split_at(wanted.min(bytes.len()));
        *bytes = rest;
        if is_body {
            self.left -= part.len();
            return Piece::Body(part);
        }
        self.head.extend_from_slice(part);
        let Ok(head) = <[u8; HEAD]>::try_from(self.head.as_slice()) else { return Piece::Wanting };
        self.head.clear();
        self.left = length(&head);
        Piece::Head(head)
    }
}

/// One direction of a connection of HTTP/2.
#[derive(Debug, Default)]
struct Frames {
    skip: usize,
    frames: Pieces<FRAME_HEAD>,
    data_of: Option<u32>,
    streams: HashMap<u32, Messages>,
}

impl Frames {
    /// Reads on; how many messages began.
    fn take(&mut self, bytes: &[u8]) -> u64 {
        let (skipped, mut bytes) = bytes.split_at(self.skip.min(bytes.len()));
        self.skip -= skipped.len();
        let length =
            |[a, b, c, ..]: &[u8; FRAME_HEAD]| u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let mut began = 0;
        while !bytes.is_empty() {
            match self.frames.next(&mut bytes, length) {
                Piece::Head([_, _, _, kind, _, s0, s1, s2, s3]) => {
                    let stream = u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]);
                    self.data_of = (kind == DATA).then_some(stream);
                }
                Piece::Body(part) => {
                    if let Some(stream) = self.data_of {
                        began += self.streams.entry(stream).or_default().take(part);
                    }
                }
                Piece::Wanting => {}
            }
        }
        began
    }
}

/// The messages of one stream.
#[derive(Debug, Default)]
struct Messages(Pieces<MESSAGE_HEAD>);

impl Messages {
    fn take(&mut self, mut bytes: &[u8]) -> u64 {
        let length =
            |[_, a, b, c, d]: &[u8; MESSAGE_HEAD]| u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let mut began = 0;
        while !bytes.is_empty() {
            began += u64::from(matches!(self.0.next(&mut bytes, length), Piece::Head(_)));
        }
        began
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, 0, 0, 0, 0, stream], payload].concat()
    }

    #[test]
    fn messages_are_counted_however_they_are_cut() {
        let mut said = vec![b'p'; PREFACE];
        said.extend(frame(4, 0, &[1; 6]));
        // Two messages in a frame, the second of which ends in a later one.
        said.extend(frame(DATA, 1, &[0, 0, 0, 0, 2, 9, 9, 0, 0, 0, 0, 3, 9]));
        said.extend(frame(DATA, 3, &[0, 0, 0, 0, 0]));
        said.extend(frame(DATA, 1, &[9, 9]));
        for size in [1, 3, 10, said.len()] {
            let mut frames = Frames { skip: PREFACE, ..Frames::default() };
            let began: u64 = said.chunks(size).map(|part| frames.take(part)).sum();
            assert_eq!(began, 3, "{size}");
        }
    }
}
