//! Randomness as something that is handed in: seeded once at the top.
//!
//! A child draws from a stream of its own, so that one more draw in one place
//! does not shift the numbers of another, and a simulation can replay a seed.

use std::sync::Mutex;

use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};

/// A source of random numbers; not for secrets.
#[derive(Debug)]
pub struct Entropy {
    rng: Mutex<SmallRng>,
}

impl Entropy {
    /// A source that always gives the same numbers for the same seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { rng: Mutex::new(SmallRng::seed_from_u64(seed)) }
    }

    /// A source seeded by the operating system.
    ///
    /// # Errors
    /// The operating system's error when it has no randomness to give.
    pub fn from_os() -> Result<Self, getrandom::Error> {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed)?;
        Ok(Self::seeded(u64::from_le_bytes(seed)))
    }

    /// A source of its own for a part, drawn from this one.
    #[must_use]
    pub fn child(&self) -> Self {
        Self::seeded(self.u64())
    }

    /// Any 64-bit number.
    pub fn u64(&self) -> u64 {
        self.with(RngCore::next_u64)
    }

    /// A number from 0 (included) to 1 (excluded).
    pub fn fraction(&self) -> f64 {
        self.with(|rng| rng.random::<f64>())
    }

    /// A version 4 UUID in its usual text form.
    pub fn uuid(&self) -> String {
        let mut bytes = [0; 16];
        self.with(|rng| rng.fill_bytes(&mut bytes));
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    fn with<T>(&self, draw: impl FnOnce(&mut SmallRng) -> T) -> T {
        // A draw cannot panic half way, so a poisoned lock still holds a sound generator.
        draw(&mut self.rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_and_children_are_apart() {
        let (one, two) = (Entropy::seeded(7), Entropy::seeded(7));
        assert_eq!(one.u64(), two.u64());
        let child = one.child();
        let _ = two.child();
        child.u64();
        assert_eq!(one.u64(), two.u64(), "a child's draws leave the parent's stream alone");
        assert_eq!(one.uuid().len(), 36);
        assert!((0.0..1.0).contains(&one.fraction()));
    }
}
