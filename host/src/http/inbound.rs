//! The body of a request: on the wire until somebody reads it.
//!
//! There is no 413: a handler that cannot read its body says so in its own way
//! (http-api.md 1.6), so reading returns an error of its own and no answer.

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// How much of a body that is too large is still read and thrown away, so that
/// the caller gets to read the answer: closing a connection with unread bytes
/// resets it, and the reset overtakes the answer.
const DISCARD_MAX: usize = 16 << 20;

/// The body of a request.
#[derive(Debug)]
pub enum Inbound {
    /// Not read yet.
    Wire(Incoming),
    /// All of it, from a caller in this process.
    Whole(Bytes),
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It is larger than the limit.
    #[error("the request body is larger than the limit of {limit} bytes")]
    TooLarge {
        /// `max-body-size`.
        limit: usize,
    },
    /// The connection broke.
    #[error("the request body ended early: {0}")]
    Broken(hyper::Error),
}

impl From<Bytes> for Inbound {
    fn from(whole: Bytes) -> Self {
        Self::Whole(whole)
    }
}

impl Inbound {
    /// Reads all of it; a body that came in one piece is not copied.
    ///
    /// # Errors
    /// [`Unreadable`] when it is larger than `limit`, or the connection broke.
    pub(crate) async fn read(self, limit: Option<usize>) -> Result<Bytes, Unreadable> {
        let limit = limit.unwrap_or(usize::MAX);
        let mut wire = match self {
            Self::Whole(whole) if whole.len() > limit => {
                return Err(Unreadable::TooLarge { limit });
            }
            Self::Whole(whole) => return Ok(whole),
            Self::Wire(wire) => wire,
        };
        if wire.is_end_stream() {
            return Ok(Bytes::new());
        }
        if wire.size_hint().lower() > limit as u64 {
            discard(wire).await;
            return Err(Unreadable::TooLarge { limit });
        }
        let Some(first) = next(&mut wire).await? else { return Ok(Bytes::new()) };
        if wire.is_end_stream() && first.len() <= limit {
            return Ok(first);
        }
        let expected = usize::try_from(wire.size_hint().lower()).unwrap_or(0);
        let mut whole = BytesMut::with_capacity(first.len() + expected);
        let mut piece = Some(first);
        while let Some(more) = piece {
            if whole.len() + more.len() > limit {
                discard(wire).await;
                return Err(Unreadable::TooLarge { limit });
            }
            whole.extend_from_slice(&more);
            piece = next(&mut wire).await?;
        }
        Ok(whole.freeze())
    }
}

/// The next piece of data; trailers are passed over.
async fn next(wire: &mut Incoming) -> Result<Option<Bytes>, Unreadable> {
    while let Some(frame) = wire.frame().await {
        if let Ok(data) = frame.map_err(Unreadable::Broken)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

async fn discard(mut wire: Incoming) {
    let mut left = DISCARD_MAX;
    while let Ok(Some(piece)) = next(&mut wire).await {
        let Some(rest) = left.checked_sub(piece.len()) else { return };
        left = rest;
    }
}
