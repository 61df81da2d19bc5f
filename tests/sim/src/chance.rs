//! Dice, from the seed.

use std::time::Duration;

use odeon_base::Entropy;

/// A stream of random choices.
#[derive(Debug)]
pub(crate) struct Chance(Entropy);

impl Chance {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Entropy::seeded(seed))
    }

    /// A stream of its own for a part.
    pub(crate) fn child(&self) -> Self {
        Self(self.0.child())
    }

    /// The same as the product takes it.
    pub(crate) fn entropy(&self) -> Entropy {
        self.0.child()
    }

    /// A number from 0 to below `n`.
    pub(crate) fn below(&self, n: usize) -> usize {
        usize::try_from(self.0.u64() % n.max(1) as u64).unwrap_or_default()
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Whole milliseconds between two bounds, both included.
    pub(crate) fn millis(&self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.0.u64() % (most - least + 1))
    }

    /// A number between two bounds.
    pub(crate) fn between(&self, least: f64, most: f64) -> f64 {
        least + self.0.fraction() * (most - least)
    }

    /// One of several.
    pub(crate) fn pick<'a, T>(&self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }
}
