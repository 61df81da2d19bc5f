//! What can go wrong with placement as a whole, in its own words.
//!
//! A host's mistakes are not here: they are answered by a message (`Expired`,
//! `NotLeader`) or change nothing; what ends a stream of the wire is in `refusal`.

use odeon_base::Kind;

use crate::ledger::LedgerError;

/// Why placement could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting is out of range.
    #[error("placement's setting {setting} must be {expected}")]
    Config {
        /// The setting's name.
        setting: &'static str,
        /// What would do.
        expected: &'static str,
    },
    /// The term and the roster could not be read or written, so nothing may be granted.
    #[error("placement's ledger failed")]
    Ledger(#[from] LedgerError),
    /// The term in the ledger is the highest there can be.
    #[error("placement's term cannot be raised above {term}")]
    TermExhausted {
        /// The term that was read.
        term: u64,
    },
}

impl Error {
    /// What sort of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Config { .. } => Kind::Invalid,
            Self::Ledger(error) => error.kind(),
            Self::TermExhausted { .. } => Kind::Internal,
        }
    }
}
