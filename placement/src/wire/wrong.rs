//! What cannot be understood: which field, what stood there, what was expected.
//!
//! And the limits that are expected: whoever holds the cluster token may speak, but a
//! broken peer may not make this process run out of memory. Reading is in `read`.

use std::fmt::Display;
use std::time::Duration;

/// The version of the protocol that this release speaks.
///
/// Releases one version apart understand one another, so that hosts and placement can be
/// replaced one after the other, in any order.
pub const PROTOCOL: u32 = 1;

/// Longest message, in bytes: a report of a hundred types on a thousand hosts fits.
pub const MESSAGE_BYTES_MAX: usize = 32 << 20;
/// Most members of one table.
pub const MEMBERS_MAX: usize = 10_000;
/// Most members, pins and marks of one message together, once each of its tables stands in full.
pub const ROOM_MAX: usize = 2 << 20;
/// Most tables after the base of a chain; expiries never wait for a chain to get shorter.
pub const STEPS_MAX: usize = 1_000;
/// Most tables that are told at once: each type may have had several.
pub const TABLES_MAX: usize = 100_000;
/// Most types in one message.
pub const TYPES_MAX: usize = 10_000;
/// Most marks of one type.
pub const MARKS_MAX: usize = 100_000;
/// Most resources of one host.
pub const RESOURCES_MAX: usize = 1_000;
/// Longest id of a resource, in bytes.
pub const RESOURCE_BYTES_MAX: usize = 1_024;
/// Longest address, in bytes.
pub const ADDRESS_BYTES_MAX: usize = 512;
/// Longest time that is said as such; a drain time above it is as good as none.
pub const TIME_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Characters of a wrong value that are repeated in an error.
const SHOWN_MAX: usize = 64;

/// Why a message was not understood, or could not be said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The other side is of a release too far from this one, or said no version.
    #[error(
        "the protocol version is {theirs} on the other side and {PROTOCOL} here; versions at most \
         one apart understand one another"
    )]
    Protocol {
        /// The version that the other side said; 0 if it said none.
        theirs: u32,
    },
    /// A field holds what it may not hold.
    #[error(transparent)]
    Field(#[from] Wrong),
}

/// Whether the first message of a stream is of a release that this one understands.
///
/// # Errors
/// [`Error::Protocol`] when it is not, or says no version.
pub fn check_protocol(theirs: u32) -> Result<(), Error> {
    if theirs == 0 || theirs.abs_diff(PROTOCOL) > 1 {
        return Err(Error::Protocol { theirs });
    }
    Ok(())
}

/// A field that holds what it may not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {found}, but expected is {expected}")]
pub struct Wrong {
    /// The way to the field, such as `report.types[2].chain.base`.
    pub field: String,
    /// What stood there; long texts are cut.
    pub found: String,
    /// What should stand there.
    pub expected: String,
}

impl Wrong {
    /// A field with a value that it may not have.
    #[must_use]
    pub fn new(field: &str, found: impl Display, expected: impl Display) -> Self {
        let (found, expected) = (found.to_string(), expected.to_string());
        Self { field: field.to_owned(), found, expected }
    }

    /// A field with a text that it may not have.
    #[must_use]
    pub fn text(field: &str, found: &str, expected: impl Display) -> Self {
        let shown: String = found.chars().take(SHOWN_MAX).collect();
        let more = if shown.len() < found.len() { "…" } else { "" };
        let bytes = found.len();
        Self::new(field, format_args!("{shown:?}{more} ({bytes} bytes)"), expected)
    }

    /// A field that is not there.
    #[must_use]
    pub fn missing(field: &str, expected: impl Display) -> Self {
        Self::new(field, "missing", expected)
    }

    /// The same, one level further out.
    #[must_use]
    pub fn inside(mut self, outer: impl Display) -> Self {
        self.field = format!("{outer}.{}", self.field);
        self
    }
}
