//! How a worker's stream can end, in words; what the wire says of it is `status.rs`'s.

use tonic::Status;

/// Why a stream ended before the worker closed it.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The application hosts its actors over HTTP.
    HostsOverHttp,
    /// The first message was another one.
    NotInitial,
    /// It came twice.
    InitialAgain,
    /// Something came before the answer to it.
    TooEarly,
    /// What it asks for is wrong.
    Settings(String),
    /// The types could not be offered.
    NotOffered(String),
    /// The host is shutting down.
    Draining,
    /// The task that served it is gone.
    Lost,
    /// The connection's own words.
    Transport(Status),
}
