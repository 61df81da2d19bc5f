//! Whose behaviour counts where ours differs from Dapr's on purpose, as far as a client can see.
//!
//! A value that is handed down to where it decides; there is no global one. What stays ours under
//! either, and why, is in `host/docs/compat.md`. Source: actor-semantics.md 20.

use std::fmt;

/// Whose behaviour counts where the two differ. Default: ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compat {
    /// Ours.
    #[default]
    Odeon,
    /// Dapr's, except where it would run an actor twice or lose a write.
    Dapr,
}

impl Compat {
    /// Its name, as it is written and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Odeon => "odeon",
            Self::Dapr => "dapr",
        }
    }

    /// Whether Dapr's behaviour counts.
    #[must_use]
    pub const fn is_dapr(self) -> bool {
        matches!(self, Self::Dapr)
    }
}

impl fmt::Display for Compat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
