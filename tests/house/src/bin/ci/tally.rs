//! The sum of what test runners say when they close.

use std::fmt;

/// Counts of tests.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Those that passed.
    pub(crate) passed: u64,
    /// Those that did not.
    pub(crate) failed: u64,
    /// Those that were not run though they were asked for.
    pub(crate) skipped: u64,
}

impl Tally {
    /// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; ..`; other lines are not counted.
    pub(crate) fn read(&mut self, line: &str) {
        let Some((_, counts)) = line.split_once("test result: ") else { return };
        let words: Vec<_> = counts.split_whitespace().collect();
        for pair in words.windows(2) {
            let Ok(count) = pair[0].parse::<u64>() else { continue };
            match pair[1] {
                "passed;" => self.passed += count,
                "failed;" => self.failed += count,
                "ignored;" => self.skipped += count,
                _ => {}
            }
        }
    }

    /// Adds what another counted.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Whether any test ran at all.
    pub(crate) fn is_empty(self) -> bool {
        self.passed + self.failed == 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_summed_and_others_are_not() {
        let mut tally = Tally::default();
        for line in [
            "test result: ok. 15 passed; 0 failed; 2 ignored; 0 measured; 7 filtered out; finished in 0.98s",
            "test result: \u{1b}[31mFAILED\u{1b}[m. 1 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out",
            "test x ... ok",
            "9 passed; 9 failed;",
        ] {
            tally.read(line);
        }
        assert_eq!(tally, Tally { passed: 16, failed: 4, skipped: 2 });
        assert_eq!(tally.to_string(), "16 passed, 4 failed, 2 skipped");
        assert!(Tally { skipped: 1, ..Tally::default() }.is_empty());
    }
}
