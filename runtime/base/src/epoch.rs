//! The numbers of `design/ownership.md`: epoch, incarnation and fence.

use std::fmt;
use std::str::FromStr;

/// Names one table of an actor type; only grows, across leader changes too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch {
    /// The leader's number: raised at each start of an embedded placement, given by etcd elsewhere.
    pub term: u64,
    /// The leader's count of its tables.
    pub n: u64,
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.term, self.n)
    }
}

/// One life of a host under one lease: a random number, new after a lapse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an activation shows the store with each commit; no two share one.
///
/// Ordered by epoch, then by the incarnation's count of activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fence {
    /// The newest table with which the host's gate was open when it made the activation.
    pub epoch: Epoch,
    /// The incarnation's count of activations.
    pub seq: u64,
}

impl Fence {
    /// The stored form: 24 bytes, big endian, so that byte order is fence order.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.epoch.term.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.epoch.n.to_be_bytes());
        bytes[16..].copy_from_slice(&self.seq.to_be_bytes());
        bytes
    }

    /// Reads the stored form; `None` unless it is exactly 24 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        if bytes.len() != 24 {
            return None;
        }
        Some(Self { epoch: Epoch { term: word(0)?, n: word(8)? }, seq: word(16)? })
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.seq)
    }
}

/// The text is not that of a fence: three numbers with points between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected three numbers with points between them")]
pub struct NotAFence;

impl FromStr for Fence {
    type Err = NotAFence;

    fn from_str(text: &str) -> Result<Self, NotAFence> {
        let mut numbers = text.split('.').map(str::parse);
        let mut number = || numbers.next().and_then(Result::ok).ok_or(NotAFence);
        let fence = Self { epoch: Epoch { term: number()?, n: number()? }, seq: number()? };
        if numbers.next().is_some() { Err(NotAFence) } else { Ok(fence) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_ordered_by_term_then_table_then_activation() {
        let fence = |term, n, seq| Fence { epoch: Epoch { term, n }, seq };
        let sorted = [fence(1, 9, 9), fence(2, 0, 9), fence(2, 1, 0), fence(2, 1, 1)];
        assert!(sorted.is_sorted());
        assert!(sorted.map(Fence::to_bytes).is_sorted());
        assert_eq!(Fence::from_bytes(&sorted[3].to_bytes()), Some(sorted[3]));
        assert_eq!(Fence::from_bytes(&[0; 23]), None);
        for fence in sorted {
            assert_eq!(fence.to_string().parse(), Ok(fence));
        }
        for text in ["", "1.2", "1.2.3.4", "1.2.x", "1.2.-3", "1.2.99999999999999999999"] {
            assert_eq!(text.parse::<Fence>(), Err(NotAFence), "{text}");
        }
    }
}
