//! Connections to the application: the way there, as a seam.
//!
//! The product dials a port; a test hands over the other end of a pipe.

use std::fmt::Debug;
use std::io;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// How long a port may take to accept; a machine that drops packets answers never.
const DIAL_MAX: Duration = Duration::from_secs(2);

/// An open connection.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + Debug {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + Debug> Io for T {}

/// The way to the application.
pub trait Dial: Send + Sync + Debug + 'static {
    /// Opens a connection.
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Io>>>;
}

/// A port of a machine.
#[derive(Debug)]
pub(super) struct Tcp {
    pub(super) address: String,
    pub(super) port: u16,
}

impl Dial for Tcp {
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Io>>> {
        Box::pin(async move {
            let connecting = TcpStream::connect((self.address.as_str(), self.port));
            let late = |_| io::Error::from(io::ErrorKind::TimedOut);
            let stream = tokio::time::timeout(DIAL_MAX, connecting).await.map_err(late)??;
            // A small request must not wait for the acknowledgement of the last.
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Io>)
        })
    }
}
